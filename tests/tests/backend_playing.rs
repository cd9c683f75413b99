//! Linux guests play through the whole data plane, and the card fetches exactly what they wrote.

use ring_backend::link::Direction;
use tests::fake::frontend::{Mishaps, Params};
use tests::fake::player::Player;
use tests::fake::seed::Seed;
use tests::fake::stage::{Stage, liberal};

/// Noise in 16 bits, quiet enough that two of it do not clip. No sample is 0 but the last frame's,
/// so that there is nothing for the mixer to soften after the end.
fn noise(seed: u64, frames: usize) -> Vec<i16> {
    let mut seed = Seed::new(seed);
    let mut samples: Vec<i16> = (0..2 * frames)
        .map(|_| seed.below(16_000) as i16 - 8000)
        .map(|sample| if sample == 0 { 1 } else { sample })
        .collect();
    samples[2 * frames - 2..].fill(0);
    samples
}

fn octets(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|s| s.to_le_bytes()).collect()
}

/// Where `wanted` begins in `heard`; everything else in `heard` must be 0.
fn only(heard: &[i16], wanted: &[i16]) -> usize {
    let first = heard.iter().position(|s| *s != 0).expect("sound");
    let end = first + wanted.len();
    assert!(
        heard.len() >= end,
        "{} of {} samples",
        heard.len() - first,
        wanted.len()
    );
    if let Some(at) = (0..wanted.len()).find(|at| heard[first + at] != wanted[*at]) {
        panic!(
            "sample {at} of {} differs: {} for {}",
            wanted.len(),
            heard[first + at],
            wanted[at]
        );
    }
    assert!(heard[end..].iter().all(|s| *s == 0), "sound after the end");
    first
}

fn unhurt(player: &Player) {
    assert_eq!(player.linux.mishaps, Mishaps::default());
    assert!(player.errors.is_empty(), "{:?}", player.errors);
    assert_eq!(player.drain_timeouts, 0);
}

#[test]
fn a_16_bit_stereo_stream_is_fetched_sample_by_sample_as_it_was_written() {
    let mut stage = Stage::new();
    let sound = noise(1, 48_000);
    stage.play(1, Params::stereo(4800, 1200), octets(&sound));
    stage.run_to_the_end(3);
    stage.run_millis(500);
    unhurt(&stage.players[0]);
    assert_eq!(stage.players[0].linux.xruns, 0);
    let card = stage.card.as_ref().unwrap();
    only(&card.samples(), &sound);
    assert_eq!(card.late_frames, 0);
    assert!(!card.running(), "the card rests");
    assert_eq!(stage.due(), None, "the domain sleeps without a timer");
    assert_eq!(stage.plane.engine().underruns, 0);
}

#[test]
fn two_guests_are_the_sum_of_both() {
    let mut stage = Stage::new();
    let (one, two) = (noise(1, 48_000), noise(2, 24_000));
    stage.play(1, Params::stereo(9600, 2400), octets(&one));
    stage.run_millis(150);
    stage.play(2, Params::stereo(4096, 1024), octets(&two));
    stage.run_to_the_end(3);
    // A guest is told of its last frames two milliseconds before they are fetched at most.
    stage.run_millis(500);
    let heard = stage.card.as_ref().unwrap().samples();
    let first = heard.iter().position(|s| *s != 0).unwrap();
    let differs = (0..).find(|at| heard[first + at] != one[*at]).unwrap();
    let sum: Vec<i16> = heard[first..first + one.len()]
        .iter()
        .zip(&one)
        .map(|(heard, one)| heard - one)
        .collect();
    let begin = differs & !1;
    assert_eq!(
        sum[begin..begin + two.len()],
        two,
        "what is not the first is the second"
    );
    assert!(sum[begin + two.len()..].iter().all(|s| *s == 0));
    stage.players.iter().for_each(unhurt);
}

/// A tone that repeats every three frames, and another that is its opposite: where both are
/// resampled at the same phases, and only there, nothing is left of them.
#[test]
fn guests_of_one_rate_are_resampled_in_step_whenever_they_begin() {
    let params = Params {
        rate: 44_100,
        ..Params::stereo(4410, 1470)
    };
    let tone = |turn: usize, sign: i16, frames: usize| -> Vec<i16> {
        let samples = (0..frames).map(|at| sign * [8_000, -3_000, -5_000][(at + turn) % 3]);
        samples.flat_map(|sample| [sample; 2]).collect()
    };
    for later in [37, 101] {
        // The longest silence while both play, with each shift that there can be.
        let longest = [0, 1, 2].map(|turn| {
            let mut stage = Stage::new();
            stage.play(1, params, octets(&tone(0, 1, 26_460)));
            stage.run_millis(later);
            stage.play(2, params, octets(&tone(turn, -1, 13_230)));
            stage.run_to_the_end(3);
            stage.players.iter().for_each(unhurt);
            let heard = stage.card.as_ref().unwrap().samples();
            let first = heard.iter().position(|s| *s != 0).unwrap();
            let last = heard.iter().rposition(|s| *s != 0).unwrap();
            let sounds = heard[first..last].split(|s| s.abs() > 1);
            sounds.map(<[i16]>::len).max().unwrap() / 2
        });
        assert_eq!(
            longest.iter().filter(|&&frames| frames > 10_000).count(),
            1,
            "{longest:?}"
        );
    }
}

#[test]
fn twenty_plays_in_a_row_each_drain_by_themselves() {
    let mut stage = Stage::new();
    let sound = noise(3, 7001);
    let player = stage.play(1, Params::stereo(2048, 512), octets(&sound));
    player.rounds = 20;
    stage.run_to_the_end(10);
    stage.run_millis(400);
    let player = &stage.players[0];
    unhurt(player);
    assert_eq!(player.linux.xruns, 0);
    assert_eq!(player.starts.len(), 20);
    let heard = stage.card.as_ref().unwrap().samples();
    let mut rest = &heard[..];
    for round in 0..20 {
        let at = rest.windows(sound.len()).position(|part| part == sound);
        let at = at.unwrap_or_else(|| panic!("round {round} is whole"));
        assert!(rest[..at].iter().all(|s| *s == 0), "silence between rounds");
        rest = &rest[at + sound.len()..];
    }
    assert!(rest.iter().all(|s| *s == 0));
    assert_eq!(stage.plane.free_octets(), 1 << 20, "every buffer came back");
}

#[test]
fn buffers_that_are_no_power_of_two_begin_at_their_start_after_each_xrun() {
    for (buffer, period) in [(3000, 1000), (4410, 441), (1001, 333), (2880, 960)] {
        let mut stage = Stage::new();
        let sound = noise(4, 20_000);
        let player = stage.play(1, Params::stereo(buffer, period), octets(&sound));
        // The application is late by more than the buffer, so Linux stops and starts again.
        player.stall = Some((4 * 9000, 150_000_000));
        stage.run_to_the_end(3);
        stage.run_millis(400);
        let player = &stage.players[0];
        unhurt(player);
        assert_eq!(player.linux.xruns, 1, "buffer {buffer}");
        assert_eq!(player.starts.len(), 2);
        // All of it is heard, in two parts. The first one's end is softened, for it comes early.
        let heard = stage.card.as_ref().unwrap().samples();
        let first = heard.iter().position(|s| *s != 0).unwrap();
        let same = heard[first..].iter().zip(&sound);
        let cut = same.take_while(|(heard, sound)| heard == sound).count();
        let rest = &heard[first + cut..];
        let second = &sound[cut & !1..];
        let again = rest.windows(second.len()).position(|part| part == second);
        let again = again.expect("the rest is whole");
        let soft = rest[..again].iter().rposition(|s| *s != 0).unwrap_or(0);
        assert!(soft < 2 * 480, "softened in {soft} samples");
        let end = &rest[again + second.len()..];
        assert!(end.iter().all(|s| *s == 0), "silence after it");
    }
}

#[test]
fn two_periods_of_64_frames_play_without_a_break() {
    let shapes = [(128, 64), (192, 64), (256, 128), (480, 240), (2048, 1024)];
    // However late the domain wakes, within what is left of a period.
    for ((buffer, period), lateness) in shapes.into_iter().flat_map(|s| [(s, 0), (s, 150_000)]) {
        let mut stage = Stage::new();
        stage.lateness = lateness;
        let sound = noise(5, 48_000);
        stage.play(1, Params::stereo(buffer, period), octets(&sound));
        stage.run_to_the_end(3);
        stage.run_millis(400);
        let player = &stage.players[0];
        unhurt(player);
        assert_eq!(player.linux.xruns, 0, "buffer {buffer}");
        only(&stage.card.as_ref().unwrap().samples(), &sound);
        assert!(
            player.linux.closest_events >= 900_000,
            "an event a millisecond"
        );
    }
}

#[test]
fn a_long_period_costs_an_event_for_every_three_milliseconds() {
    let mut stage = Stage::new();
    let sound = noise(6, 48_000);
    stage.play(1, Params::stereo(24_000, 12_000), octets(&sound));
    stage.run_to_the_end(3);
    let player = &stage.players[0];
    unhurt(player);
    let seconds = 1.5;
    let rate = player.linux.events as f64 / seconds;
    assert!((200.0..=320.0).contains(&rate), "{rate} events per second");
}

#[test]
fn a_guest_destroyed_while_it_plays_leaves_the_other_bit_exact() {
    let mut stage = Stage::new();
    let (one, two) = (noise(1, 40_000), noise(2, 40_000));
    stage.play(1, Params::stereo(4800, 1200), octets(&one));
    stage.run_millis(5);
    stage.play(2, Params::stereo(4800, 1200), octets(&two));
    stage.run_millis(200);
    let before = stage.card.as_ref().unwrap().samples().len();
    // The domain is gone; the toolstack says so a little later.
    let dead = stage.players.pop().unwrap();
    stage.xen.destroy(dead.linux.front.dom);
    stage.run_millis(100);
    let mut xen = stage.xen.clone();
    stage
        .plane
        .disconnect(ring_backend::link::DeviceSlot(1), &mut xen);
    assert_eq!(
        stage.xen.held(),
        (2, 2),
        "only the other's pages and ports are left"
    );
    stage.run_to_the_end(3);
    stage.run_millis(400);
    unhurt(&stage.players[0]);
    let heard = stage.card.as_ref().unwrap().samples();
    let first = heard.iter().position(|s| *s != 0).unwrap();
    // From a buffer's length after the end on, it is the first guest alone.
    let alone = before + 2 * 9600;
    assert_eq!(heard[alone..first + one.len()], one[alone - first..]);
}

#[test]
fn new_parameters_without_close_and_a_new_open_play_from_the_start() {
    let mut stage = Stage::new();
    let (_, front) = stage.connect(1, liberal(Direction::Playback));
    let sound = noise(7, 9600);
    let mut player = Player::new(front, Params::stereo(2048, 512), octets(&sound), stage.now);
    // A first opening that Linux leaves without CLOSE: parameters are set anew while open.
    player.linux.open();
    player.linux.set_params(Params::stereo(3000, 300));
    player
        .linux
        .front
        .send(tests::fake::front::open(&player.linux.claim()));
    stage.run_millis(1);
    assert_eq!(player.linux.front.response().unwrap().status, 0);
    assert!(stage.plane.free_octets() < 1 << 20);
    player.linux.front.restart_ids();
    stage.players.push(player);
    stage.run_to_the_end(3);
    stage.run_millis(400);
    unhurt(&stage.players[0]);
    only(&stage.card.as_ref().unwrap().samples(), &sound);
    assert_eq!(stage.plane.free_octets(), 1 << 20);
}

#[test]
fn thirty_guests_at_once_hear_nothing_of_each_other_but_the_sum() {
    let mut stage = Stage::new();
    let sounds: Vec<Vec<i16>> = (0..30)
        .map(|seed| noise(seed, 24_000).iter().map(|s| s / 40).collect())
        .collect();
    for (dom, sound) in (1..).zip(&sounds) {
        stage.play(dom, Params::stereo(2048, 512), octets(sound));
        stage.players.last_mut().unwrap().reaction = 20_000 + u64::from(dom) * 1000;
    }
    stage.run_to_the_end(5);
    stage.players.iter().for_each(unhurt);
    assert!(stage.players.iter().all(|player| player.linux.xruns == 0));
    let heard = stage.card.as_ref().unwrap().samples();
    let total: i64 = heard.iter().map(|s| i64::from(*s)).sum();
    let wanted: i64 = sounds.iter().flatten().map(|s| i64::from(*s)).sum();
    assert_eq!(total, wanted, "every sample is in the sum once");
}
