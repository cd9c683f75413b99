//! A sound server in a guest takes back what it wrote and is not played, and writes something else.

use ring_backend::link::{DeviceSlot, Direction};
use ring_backend::world::Nanos;
use tests::fake::front::{self, Buffer, Front};
use tests::fake::frontend::Params;
use tests::fake::seed::Seed;
use tests::fake::stage::{Stage, liberal};
use tests::signal;

const START: u8 = 0;
const WRITE: u8 = 3;
/// PulseAudio's buffer and period in a virtual machine.
const SERVER: (u64, u64) = (4797, 1199);
/// How close to the position it writes anew, in frames: what PulseAudio keeps.
const GUARD: u64 = 64;

/// The server: it keeps its buffer full of silence, or of noise.
struct Server {
    stage: Stage,
    front: Front,
    buffer: Buffer,
    frames: u64,
    period: u64,
    told: u64,
    /// All that it ever wrote, as it is to be heard.
    written: Vec<[i16; 2]>,
    noise: Option<u64>,
}

impl Server {
    fn new((frames, period): (u64, u64)) -> Self {
        let mut stage = Stage::new();
        let (_, mut front) = stage.connect(1, liberal(Direction::Playback));
        let buffer = stage.open(&mut front, Params::stereo(frames, period));
        let mut server = Self {
            stage,
            front,
            buffer,
            frames,
            period,
            told: 0,
            written: Vec::new(),
            noise: None,
        };
        server.fill();
        let front = &mut server.front;
        server.stage.status(front, front::trigger(START));
        server
    }

    fn listen(&mut self) {
        while let Some(event) = self.front.event() {
            self.told = event.position / 4;
        }
    }

    /// Writes as much as the buffer has room for.
    fn fill(&mut self) {
        let from = self.written.len() as u64;
        let end = self.told + self.frames;
        let frames = (end - from) as usize;
        match self.noise {
            Some(seed) => {
                let noise = signal::noise(seed + from, frames);
                self.written.extend_from_slice(noise.as_chunks::<2>().0);
            }
            None => self.written.resize(end as usize, [0; 2]),
        }
        let mut at = from;
        while at < end {
            let slot = at % self.frames;
            let count = (end - at).min(self.frames - slot);
            let frames = &self.written[at as usize..(at + count) as usize];
            let octets: Vec<u8> = frames
                .iter()
                .flatten()
                .flat_map(|sample| sample.to_le_bytes())
                .collect();
            self.buffer.write(slot as usize * 4, &octets);
            let request = front::span(WRITE, slot as u32 * 4, octets.len() as u32);
            self.stage.status(&mut self.front, request);
            at += count;
            // A guest takes its time between two requests.
            let now = self.stage.now;
            self.stage.run_until(Nanos(now.0 + 200_000));
        }
    }

    fn run(&mut self, millis: u64) {
        for _ in 0..millis {
            self.stage.run_millis(1);
            self.work();
        }
    }

    /// Writes if a period is free.
    fn work(&mut self) {
        self.listen();
        if self.told + self.frames >= self.written.len() as u64 + self.period {
            self.fill();
        }
    }

    /// Writes anew all that it still may.
    fn rewind(&mut self, noise: Option<u64>) {
        self.listen();
        self.noise = noise;
        self.written.truncate((self.told + GUARD) as usize);
        self.fill();
    }

    /// Ends; what it wrote from its first sound to its last, and what was heard.
    fn end(mut self) -> Played {
        self.rewind(None);
        self.run(500);
        let samples = self.stage.card.as_ref().unwrap().samples();
        let (first, written) = sounding(&self.written);
        let (at, heard) = sounding(samples.as_chunks().0);
        Played {
            written,
            heard,
            offset: at as i64 - first as i64,
        }
    }

    fn late(&self) -> u64 {
        self.stage
            .plane
            .statistics(DeviceSlot(0), 0)
            .unwrap()
            .late_frames
    }
}

struct Played {
    written: Vec<[i16; 2]>,
    heard: Vec<[i16; 2]>,
    /// Frames that the card fetched before the first one of the stream.
    offset: i64,
}

/// Where it begins to sound, and all from there to where it ends.
fn sounding(frames: &[[i16; 2]]) -> (usize, Vec<[i16; 2]>) {
    let sounds = |frame: &[i16; 2]| *frame != [0; 2];
    let first = frames.iter().position(sounds).unwrap();
    let last = frames.iter().rposition(sounds).unwrap();
    (first, frames[first..=last].to_vec())
}

/// Has the server write anew 39 times; `delay` milliseconds in, the mixer knows the card.
fn writes_anew(leap: u64, delay: u64) -> Server {
    let mut server = Server::new(SERVER);
    // A card that is seen to leap is mixed further ahead.
    server.stage.card.as_mut().unwrap().step = (leap * 48).max(1);
    let mut seed = Seed::new(3);
    server.run(delay);
    for number in 1..40 {
        server.rewind(Some(number * 1_000_003));
        server.run(seed.below(70));
    }
    server
}

#[test]
fn what_is_written_anew_over_silence_and_over_sound_is_heard_frame_for_frame() {
    for leap in [0, 1] {
        for delay in 700..740 {
            let server = writes_anew(leap, delay);
            assert_eq!(server.late(), 0, "leaps of {leap} ms, after {delay} ms");
            let Played { written, heard, .. } = server.end();
            assert!(written == heard, "leaps of {leap} ms, after {delay} ms");
        }
    }
}

#[test]
fn a_card_that_leaps_two_milliseconds_takes_a_third_of_one_in_a_hundred_times_at_most() {
    let late: Vec<u64> = (700..740)
        .map(|delay| writes_anew(2, delay).late())
        .collect();
    println!("late frames: {late:?}");
    assert!(late.iter().sum::<u64>() <= 40 * 39 / 100 * 16, "{late:?}");
}

#[test]
fn only_the_first_time_it_writes_anew_what_sounds_may_it_be_late_and_that_is_counted() {
    let mut server = Server::new(SERVER);
    server.noise = Some(1);
    server.run(403);
    server.rewind(Some(1_000_003));
    let late = server.late();
    assert!((1..20 * 48).contains(&late), "{late}");
    server.run(300);
    // From here on all is as it was written.
    let since = server.written.len();
    for number in 2..20 {
        server.rewind(Some(number * 1_000_003));
        server.run(37);
    }
    assert_eq!(server.late(), late);
    let Played { written, heard, .. } = server.end();
    let rest = written.len() - since;
    assert!(rest > 20_000 && written[since..] == heard[heard.len() - rest..]);
}

/// How many frames before the card gets there a position is told, at the least and at the most, seen
/// every so often; `rewinds` if it is a guest that was seen to write anew.
fn told_before(shape: (u64, u64), rewinds: bool) -> (i64, i64) {
    let mut server = Server::new(shape);
    server.run(100);
    server.noise = Some(1);
    if rewinds {
        server.rewind(Some(1));
    }
    // Until the mixer has seen that the card never surprises it.
    server.run(100_000);
    let mut told = Vec::new();
    for _ in 0..2000 {
        let now = server.stage.now;
        server.stage.run_until(Nanos(now.0 + 370_000));
        server.work();
        let now = server.stage.now;
        let card = server.stage.card.as_mut().unwrap();
        card.run_to(now);
        let fetched = card.heard.len() / 4;
        told.push((server.told as i64, fetched as i64));
    }
    let played = server.end();
    let off = told
        .iter()
        .map(|(told, fetched)| told - (fetched - played.offset));
    (off.clone().min().unwrap(), off.max().unwrap())
}

#[test]
fn the_delay_that_a_guest_sees_is_right_within_two_milliseconds() {
    for (shape, rewinds) in [
        (SERVER, true),
        (SERVER, false),
        ((16_384, 4096), false),
        ((16_384, 1024), false),
        ((4096, 256), false),
    ] {
        let (least, most) = told_before(shape, rewinds);
        println!("{shape:?} {rewinds}: {least}..{most} frames before the card");
        assert!(least >= -96 && most <= 96, "{shape:?}: {least}..{most}");
    }
}
