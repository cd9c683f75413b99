//! The card's side: late wake-ups, cards that fail, and cards that rest.

use ring_backend::link::Direction;
use ring_backend::plane::Limits;
use ring_backend::world::{CardFormat, CardSample};
use tests::fake::card::{FakeCard, STEREO_48K};
use tests::fake::front;
use tests::fake::frontend::{Mishaps, Params};
use tests::fake::seed::Seed;
use tests::fake::stage::{Stage, liberal};

fn noise(frames: usize) -> Vec<u8> {
    let mut seed = Seed::new(9);
    let mut octets: Vec<u8> = (0..4 * frames).map(|_| seed.below(254) as u8 + 1).collect();
    octets[4 * frames - 4..].fill(0);
    octets
}

fn heard_once(stage: &Stage, sound: &[u8]) -> bool {
    let heard = &stage.card.as_ref().unwrap().heard;
    let first = heard.iter().position(|octet| *octet != 0).unwrap() & !3;
    heard.get(first..first + sound.len()) == Some(sound)
}

#[test]
fn waking_late_within_the_margin_is_not_heard() {
    let mut stage = Stage::new();
    // A card begins with ten milliseconds.
    stage.lateness = 7_000_000;
    let sound = noise(48_000);
    stage.play(1, Params::stereo(9600, 2400), sound.clone());
    stage.run_to_the_end(3);
    assert_eq!(stage.plane.engine().underruns, 0);
    assert!(heard_once(&stage, &sound));
}

#[test]
fn waking_later_than_the_margin_makes_a_gap_and_then_a_larger_margin() {
    let mut stage = Stage::new();
    stage.lateness = 19_000_000;
    let sound = noise(96_000);
    stage.play(1, Params::stereo(24_000, 6000), sound.clone());
    stage.run_to_the_end(5);
    stage.run_millis(400);
    let engine = stage.plane.engine();
    assert!((1..10).contains(&engine.underruns), "{}", engine.underruns);
    assert!(
        engine.margin > 10 * 48 && engine.margin <= 20 * 48,
        "{}",
        engine.margin
    );
    let player = &stage.players[0];
    assert_eq!(player.linux.mishaps, Mishaps::default());
    assert_eq!(player.linux.xruns, 0);
    let card = stage.card.as_ref().unwrap();
    assert_eq!(card.late_frames, 0, "nothing is written behind the DMA");
    // Every frame is heard, once and in order, whatever silence lies between.
    let loud: Vec<u8> = card
        .heard
        .as_chunks::<4>()
        .0
        .iter()
        .filter(|frame| **frame != [0; 4])
        .flatten()
        .copied()
        .collect();
    assert_eq!(loud, sound[..sound.len() - 4]);
}

#[test]
fn a_sleep_of_half_a_minute_replays_little_and_does_not_leap() {
    let mut stage = Stage::new();
    let sound = noise(48_000);
    stage.play(1, Params::stereo(9600, 2400), sound);
    stage.run_millis(300);
    // The domain was not scheduled at all; its guest neither.
    stage.now = stage.now.plus_millis(30_000);
    stage.run_to_the_end(5);
    let player = &stage.players[0];
    assert_eq!(player.linux.mishaps, Mishaps::default());
    assert_eq!(stage.plane.engine().underruns, 1);
    assert_eq!(player.linux.xruns, 0, "its data waited");
}

#[test]
fn a_card_whose_position_moves_in_steps_is_learned() {
    for step in [48, 256, 480] {
        let mut stage = Stage::new();
        stage.card.as_mut().unwrap().step = step;
        let sound = noise(96_000);
        stage.play(1, Params::stereo(9600, 2400), sound);
        stage.run_millis(500);
        let learned = stage.plane.engine().underruns;
        stage.run_to_the_end(5);
        assert_eq!(stage.plane.engine().underruns, learned, "step {step}");
        assert_eq!(stage.players[0].linux.xruns, 0);
    }
}

#[test]
fn a_card_clock_that_is_off_by_a_thousandth_plays_every_sample() {
    for ppm in [-1000, 1000] {
        let mut stage = Stage::new();
        stage.card.as_mut().unwrap().ppm = ppm;
        let sound = noise(96_000);
        stage.play(1, Params::stereo(4800, 1200), sound.clone());
        stage.run_to_the_end(5);
        assert_eq!(stage.players[0].linux.xruns, 0);
        // The end is told up to two milliseconds before the card gets there.
        stage.run_millis(5);
        assert!(heard_once(&stage, &sound), "{ppm} ppm");
    }
}

#[test]
fn without_a_card_guests_play_to_the_end_in_time() {
    let mut stage = Stage::new();
    stage.card = None;
    let begin = stage.now;
    stage.play(1, Params::stereo(4800, 1200), noise(48_000));
    stage.run_to_the_end(2);
    let took = (stage.now.0 - begin.0) / 1_000_000;
    assert!((998..1100).contains(&took), "{took} ms");
    assert_eq!(stage.players[0].linux.mishaps, Mishaps::default());
    assert_eq!(stage.players[0].drain_timeouts, 0);
    stage.run_millis(400);
    assert_eq!(stage.due(), None);
}

#[test]
fn a_card_that_does_not_start_or_loses_its_position_hangs_no_guest() {
    for refuses in [true, false] {
        let mut stage = Stage::new();
        stage.card.as_mut().unwrap().refuses = refuses;
        stage.play(1, Params::stereo(4800, 1200), noise(48_000));
        stage.run_millis(200);
        stage.card.as_mut().unwrap().lost = true;
        stage.run_to_the_end(2);
        let player = &stage.players[0];
        assert_eq!(player.linux.mishaps, Mishaps::default());
        assert_eq!(player.linux.xruns + player.drain_timeouts, 0);
        let faults = stage.plane.engine().card_faults;
        assert!((4..=8).contains(&faults), "{faults} tries in a second");
    }
}

#[test]
fn a_card_that_comes_back_is_heard_again_within_the_second() {
    let mut stage = Stage::new();
    let sound = noise(240_000);
    stage.play(1, Params::stereo(4800, 1200), sound);
    stage.run_millis(500);
    stage.card.as_mut().unwrap().lost = true;
    stage.run_millis(500);
    let card = stage.card.as_mut().unwrap();
    assert!(!card.running());
    card.lost = false;
    let before = card.heard.len();
    stage.run_millis(1000);
    let card = stage.card.as_ref().unwrap();
    assert!(card.running() && (3..=8).contains(&card.starts));
    assert!(card.heard[before..].iter().any(|octet| *octet != 0));
    stage.run_to_the_end(8);
    assert_eq!(stage.players[0].linux.mishaps, Mishaps::default());
    assert_eq!(stage.players[0].linux.xruns, 0);
}

#[test]
fn what_a_card_has_in_its_fifo_is_mixed_by_then() {
    for fifo in [0, 24, 48, 192] {
        let mut stage = Stage::new();
        stage.card.as_mut().unwrap().fifo = fifo;
        // Long enough for the margin to become as small as it gets.
        let sound = noise(60 * 48_000);
        stage.play(1, Params::stereo(9600, 2400), sound.clone());
        stage.run_to_the_end(62);
        stage.run_millis(5);
        let engine = stage.plane.engine();
        assert_eq!(engine.underruns, 0, "FIFO of {fifo}");
        assert!(engine.margin < 3 * 48, "{}", engine.margin);
        assert_eq!(stage.card.as_ref().unwrap().late_frames, 0);
        assert!(heard_once(&stage, &sound), "FIFO of {fifo}");
    }
}

#[test]
fn the_card_rests_300_ms_after_the_last_stream_and_the_domain_with_it() {
    let mut stage = Stage::new();
    let (_, mut front) = stage.connect(1, liberal(Direction::Playback));
    stage.open(&mut front, Params::stereo(4800, 1200));
    stage.run_millis(100);
    assert!(
        !stage.card.as_ref().unwrap().running(),
        "an open stream is not enough"
    );
    stage.status(&mut front, front::trigger(0));
    assert!(stage.card.as_ref().unwrap().running());
    stage.run_millis(100);
    stage.status(&mut front, front::trigger(2));
    stage.run_millis(290);
    assert!(stage.card.as_ref().unwrap().running());
    let polls = stage.polls;
    stage.run_millis(60_000);
    assert!(!stage.card.as_ref().unwrap().running());
    assert!(
        stage.polls - polls <= 3,
        "{} turns in a minute",
        stage.polls - polls
    );
    assert_eq!(stage.due(), None);
}

#[test]
fn turns_follow_the_shortest_period_and_not_the_number_of_requests() {
    for (params, most) in [
        (Params::stereo(24_000, 12_000), 320),
        (Params::stereo(256, 64), 1100),
    ] {
        let mut stage = Stage::new();
        let (_, mut front) = stage.connect(1, liberal(Direction::Playback));
        stage.open(&mut front, params);
        stage.status(&mut front, front::trigger(0));
        let polls = stage.polls;
        stage.run_millis(1000);
        assert!(stage.polls - polls <= most, "{}", stage.polls - polls);
    }
}

#[test]
fn every_card_format_and_ring_plays() {
    for (sample, rate, channels) in [
        (CardSample::S16, 44_100, 2),
        (CardSample::S32 { bits: 24 }, 48_000, 2),
        (CardSample::S32 { bits: 32 }, 192_000, 8),
    ] {
        let format = CardFormat {
            rate,
            channels,
            sample,
        };
        for ring in [rate as usize / 40, rate as usize / 3] {
            let mut stage = Stage::with_card(Limits::default(), format);
            stage.card = Some(FakeCard::new(format, ring));
            stage.play(1, Params::stereo(4800, 1200), noise(24_000));
            stage.run_to_the_end(3);
            let card = stage.card.as_ref().unwrap();
            assert_eq!(card.late_frames, 0);
            assert_eq!(stage.plane.engine().underruns, 0, "{format:?} {ring}");
            assert_eq!(stage.players[0].linux.xruns, 0);
            let loud = card.heard.iter().filter(|octet| **octet != 0).count();
            assert!(loud > rate as usize / 2, "{format:?}");
        }
    }
    assert_eq!(STEREO_48K.frame_octets(), 4);
}
