//! Guests that do anything at all, beside one that only wants to play.

use ring_backend::link::{DeviceSlot, Direction};
use ring_backend::plane::Limits;
use ring_backend::world::{DomId, Nanos};
use tests::fake::card::STEREO_48K;
use tests::fake::front::{self, Buffer, Front};
use tests::fake::frontend::{Mishaps, Params};
use tests::fake::seed::Seed;
use tests::fake::stage::{Stage, liberal};

/// A hostile guest: one stream, a buffer, and no manners.
struct Hostile {
    slot: DeviceSlot,
    front: Front,
    buffer: Buffer,
}

impl Hostile {
    fn new(stage: &mut Stage, slot: DeviceSlot) -> Self {
        let front = Front::new(&stage.xen, DomId(10 + u16::from(slot.0)));
        stage.attach_at(slot, &front, liberal(Direction::Playback));
        let buffer = Buffer::new(&stage.xen, front.dom, 16_384);
        Self {
            slot,
            front,
            buffer,
        }
    }

    fn packet(&self, seed: &mut Seed) -> [u8; front::PACKET] {
        let numbers = [0, 1, 2, 3, 4, 8, 64, 255, 4095, 4096, 4097, 16_380, 16_384];
        let mut number = || match seed.below(6) {
            0 => seed.next_u64() as u32,
            1 => u32::MAX - seed.below(8) as u32,
            _ => seed.pick(&numbers),
        };
        let (one, two, three) = (number(), number(), number());
        let params = Params::stereo(seed.pick(&[128, 250, 1024, 4096]), 64);
        let mut claim = params.claim(self.buffer.directory);
        match seed.below(12) {
            0 => {
                let mut packet = front::packet(seed.next_u64() as u8);
                packet[8..]
                    .iter_mut()
                    .for_each(|octet| *octet = seed.next_u64() as u8);
                packet
            }
            1 | 2 => front::open(&claim),
            3 => {
                claim.rate = seed.pick(&[0, 5512, 44_100, 96_000, 192_000, one]);
                claim.format = seed.below(26) as u8;
                claim.channels = seed.below(10) as u8;
                claim.buffer = two;
                claim.period = three;
                front::open(&claim)
            }
            4 => front::close(),
            5 | 6 => front::trigger(seed.below(5) as u8),
            7 | 8 => front::span(3, one & !3, two & !3),
            9 => front::span(2 + seed.below(6) as u8, one, two),
            10 => front::query(
                seed.next_u64(),
                [(one, two), (two, three), (0, three), (1, one)],
            ),
            _ => front::span(3, 0, 4 * 128),
        }
    }

    fn act(&mut self, stage: &mut Stage, seed: &mut Seed) {
        match seed.below(100) {
            0 => {
                let offset = seed.pick(&[0, 4, 8, 12]);
                self.front.ring.put_word(offset, seed.next_u64() as u32);
            }
            1 => self
                .front
                .page
                .put_word(seed.below(2) as usize * 4, seed.next_u64() as u32),
            2 => self.front.page.never_hold_still(seed.next_u64()),
            3 => self.front.ring.never_hold_still(seed.next_u64()),
            4 => {
                let page = seed.below(4) as usize;
                stage.xen.revoke(self.front.dom, self.buffer.pages[page].0);
            }
            5 => {
                let word = 4 * seed.below(6) as usize;
                self.buffer.directory_pages[0].put_word(word, seed.next_u64() as u32);
            }
            6 => self.buffer.directory_pages[0].never_hold_still(seed.next_u64()),
            7 => stage.xen.fail_call(self.front.dom, seed.below(3)),
            8..12 => {
                stage.plane.disconnect(self.slot, &mut stage.xen);
                stage.xen.destroy(self.front.dom);
                stage.xen.fail_nothing();
                *self = Self::new(stage, self.slot);
            }
            12..30 => {
                std::iter::from_fn(|| self.front.response())
                    .take(40)
                    .count();
            }
            30..40 => {
                std::iter::from_fn(|| self.front.event()).take(70).count();
            }
            40..45 => {
                let port = seed.pick(&[self.front.ring_port, self.front.event_port]);
                self.front.xen.guest_notify(self.front.dom, port);
            }
            _ => {
                let packet = self.packet(seed);
                self.front.send(packet);
            }
        }
    }
}

/// The innocent guest's sound: never 0 but at its end, so that its place is known.
fn sound(frames: usize) -> Vec<u8> {
    let mut seed = Seed::new(77);
    let mut octets: Vec<u8> = (0..4 * frames).map(|_| seed.below(200) as u8 + 1).collect();
    octets[4 * frames - 4..].fill(0);
    octets
}

fn trial(seed: u64, acts: u64) {
    let limits = Limits {
        strikes: 1000,
        ..Limits::default()
    };
    let mut stage = Stage::with_card(limits, STEREO_48K);
    let mut seed = Seed::new(seed);
    let mut hostiles: Vec<_> = (100..103)
        .map(|slot| Hostile::new(&mut stage, DeviceSlot(slot)))
        .collect();
    let frames = (acts * 48 / 20) as usize;
    let wanted = sound(frames);
    stage.play(1, Params::stereo(4800, 1200), wanted.clone());
    for _ in 0..acts {
        let hostile = seed.below(3) as usize;
        hostiles[hostile].act(&mut stage, &mut seed);
        let next = Nanos(stage.now.0 + seed.below(100_000));
        stage.run_until(next);
    }
    for hostile in hostiles {
        stage.plane.disconnect(hostile.slot, &mut stage.xen);
    }
    stage.run_to_the_end(20);
    let player = &stage.players[0];
    assert!(player.errors.is_empty(), "{:?}", player.errors);
    assert_eq!(player.linux.mishaps, Mishaps::default());
    assert_eq!(player.linux.xruns + player.drain_timeouts, 0);
    assert!(
        player.slowest_response < 1_000_000,
        "{} ns",
        player.slowest_response
    );
    assert_eq!(stage.xen.held(), (2, 2));
    assert_eq!(stage.plane.free_octets(), 1 << 20);
    let heard = &stage.card.as_ref().unwrap().heard;
    // The hostiles' pages hold zeros, so all there is to hear is the innocent's.
    let first = heard.iter().position(|octet| *octet != 0).unwrap() & !3;
    let same = heard[first..].iter().zip(&wanted);
    let differs = same.clone().position(|(heard, wanted)| heard != wanted);
    assert_eq!(differs, None, "of {}", wanted.len());
}

#[test]
fn whatever_three_guests_do_a_fourth_plays_bit_exact() {
    for seed in 0..12 {
        trial(seed, 10_000);
    }
}

/// XSA-155: whatever is read twice is different the second time.
#[test]
fn pages_that_never_hold_still_are_read_once() {
    for seed in 0..200 {
        let mut stage = Stage::new();
        let (slot, mut front) = stage.connect(1, liberal(Direction::Playback));
        let params = Params::stereo(4096, 256);
        let buffer = Buffer::new(&stage.xen, front.dom, params.buffer_octets());
        front.ring.never_hold_still(seed);
        front.page.never_hold_still(seed + 1);
        buffer.directory_pages[0].never_hold_still(seed + 2);
        for (_, page) in &buffer.pages {
            page.never_hold_still(seed + 3);
        }
        front.send(front::open(&params.claim(buffer.directory)));
        front.send(front::span(3, 0, 4096));
        front.send(front::trigger(0));
        stage.run_millis(50);
        front.send(front::close());
        stage.run_millis(100);
        stage.plane.disconnect(slot, &mut stage.xen);
        assert_eq!(stage.xen.held(), (0, 0));
        assert_eq!(stage.plane.free_octets(), 1 << 20);
    }
}
