//! Linux guests record through the whole data plane: what the card hears if they may, zeros if not.

use ring_backend::control::DataPlane;
use ring_backend::link::{DeviceSlot, Direction};
use ring_backend::world::Nanos;
use tests::fake::card::FakeInput;
use tests::fake::front;
use tests::fake::frontend::{Mishaps, Params};
use tests::fake::recorder::Recorder;
use tests::fake::stage::{Stage, liberal};

const READ: u8 = 2;
const SET_VOLUME: u8 = 4;
const MUTE: u8 = 6;

fn unhurt(recorder: &Recorder) {
    assert_eq!(recorder.linux.mishaps, Mishaps::default());
    assert!(recorder.errors.is_empty(), "{:?}", recorder.errors);
    assert_eq!(recorder.linux.xruns, 0);
}

/// The runs of frames that follow one another as the input heard them: first number, frames.
/// Everything else is silence.
fn runs(frames: &[[i16; 2]]) -> Vec<(u64, usize)> {
    let mut runs: Vec<(u64, usize)> = Vec::new();
    for (at, &frame) in frames.iter().enumerate() {
        if frame == [0, 0] {
            continue;
        }
        let number = (frame[0] - 1) as u64;
        assert_eq!(frame, FakeInput::frame(number), "a frame as it was heard");
        match runs.last_mut() {
            Some((first, count))
                if at > 0
                    && frames[at - 1] != [0, 0]
                    && (*first + *count as u64) % 32_767 == number =>
            {
                *count += 1;
            }
            _ => runs.push((number, 1)),
        }
    }
    runs
}

/// The most frames that lay between the input's position and what the application had.
fn delay(recorder: &Recorder, began: Nanos) -> u64 {
    let late = recorder.arrivals.iter().map(|(at, frames)| {
        let heard = (at.0 - began.0) * 48 / 1_000_000;
        heard.saturating_sub(*frames)
    });
    late.max().expect("something was recorded")
}

#[test]
fn what_the_card_hears_is_recorded_frame_by_frame() {
    for (buffer, period) in [
        (24_000, 6_000),
        (4_800, 1_200),
        (960, 240),
        (512, 128),
        (192, 96),
    ] {
        let mut stage = Stage::with_input();
        let began = stage.now;
        stage.record(1, Params::stereo(buffer, period), 48_000);
        stage.allow(1, true);
        stage.run_to_the_end(3);
        let recorder = &stage.recorders[0];
        unhurt(recorder);
        let frames = recorder.frames();
        assert_eq!(runs(&frames), [(0, frames.len())], "buffer of {buffer}");
        // The period that is waited for, the domain's sleep, and some microseconds of a guest's.
        let late = delay(recorder, began);
        assert!(
            late <= period + 240 + 48,
            "{late} frames with periods of {period}"
        );
        stage.run_millis(500);
        assert!(!stage.input().running());
        assert_eq!(stage.input().starts, 1);
        assert!(!stage.card.as_ref().unwrap().running(), "the card rests");
        assert_eq!(stage.due(), None, "the domain sleeps without a timer");
        assert_eq!(stage.plane.free_octets(), 1 << 20);
    }
}

#[test]
fn a_guest_without_permission_records_zeros_in_time_and_the_input_stays_off() {
    let mut stage = Stage::with_input();
    let began = stage.now;
    stage.record(1, Params::stereo(4_800, 1_200), 48_000);
    stage.run_to_the_end(3);
    let recorder = &stage.recorders[0];
    unhurt(recorder);
    assert_eq!(runs(&recorder.frames()), []);
    let took = (stage.now.0 - began.0) / 1_000_000;
    assert!((1_000..1_060).contains(&took), "one second took {took} ms");
    assert_eq!(stage.input().starts, 0, "nobody listened");
}

#[test]
fn permission_is_taken_and_given_back_while_the_guest_records() {
    let mut stage = Stage::with_input();
    stage.record(1, Params::stereo(4_800, 1_200), 72_000);
    stage.allow(1, true);
    stage.run_millis(500);
    assert!(stage.input().running());
    stage.allow(1, false);
    stage.run_millis(10);
    assert!(!stage.input().running(), "off at once");
    stage.run_millis(490);
    stage.allow(1, true);
    stage.run_to_the_end(3);
    let recorder = &stage.recorders[0];
    unhurt(recorder);
    let frames = recorder.frames();
    let runs = runs(&frames);
    let [(0, before), (0, after)] = runs[..] else {
        panic!("heard, not heard, heard again: {runs:?}");
    };
    // What was in the buffer when the permission went is gone with it.
    assert!((24_000 - 4_800..=24_000).contains(&before), "{before}");
    assert!((22_000..=24_500).contains(&after), "{after}");
    assert_eq!(stage.input().starts, 2);
}

#[test]
fn what_is_in_the_buffer_is_gone_with_the_permission() {
    let mut stage = Stage::with_input();
    let (_, mut front) = stage.connect(1, liberal(Direction::Capture));
    stage.allow(1, true);
    let buffer = stage.open(&mut front, Params::stereo(2_048, 512));
    stage.status(&mut front, front::trigger(0));
    stage.run_millis(30);
    let mut octets = [0; 2_048];
    stage.status(&mut front, front::span(READ, 0, 2_048));
    buffer.read(0, &mut octets);
    assert!(octets.iter().any(|octet| *octet != 0));
    // Paused or not, at the next READ.
    stage.status(&mut front, front::trigger(1));
    stage.allow(1, false);
    stage.status(&mut front, front::span(READ, 0, 2_048));
    buffer.read(0, &mut octets);
    assert_eq!(octets, [0; 2_048]);
}

#[test]
fn several_guests_record_the_same_and_who_may_not_hears_nothing() {
    let mut stage = Stage::with_input();
    stage.record(1, Params::stereo(4_800, 1_200), 48_000);
    stage.allow(1, true);
    stage.run_millis(137);
    stage.record(2, Params::stereo(2_048, 512), 36_000);
    stage.allow(2, true);
    stage.record(3, Params::stereo(2_048, 512), 36_000);
    stage.run_to_the_end(3);
    stage.recorders.iter().for_each(unhurt);
    let heard = |index: usize| runs(&stage.recorders[index].frames());
    let (one, two) = (heard(0), heard(1));
    assert_eq!(one, [(0, stage.recorders[0].frames().len())]);
    let [(first, count)] = two[..] else {
        panic!("{two:?}");
    };
    assert_eq!(count, stage.recorders[1].frames().len());
    assert!(
        (6_500..7_000).contains(&first),
        "from its start on: {first}"
    );
    assert_eq!(heard(2), []);
    assert_eq!(stage.input().starts, 1);
}

#[test]
fn a_guest_plays_and_records_at_once() {
    let mut stage = Stage::with_input();
    let sound: Vec<u8> = (1..=48_000_i32)
        .flat_map(|n| [(n % 9_000) as i16 + 1, 77].map(i16::to_le_bytes))
        .flatten()
        .collect();
    stage.play(1, Params::stereo(4_800, 1_200), sound.clone());
    stage.run_millis(100);
    stage.record(1, Params::stereo(4_800, 1_200), 36_000);
    stage.allow(1, true);
    stage.run_to_the_end(3);
    stage.run_millis(100);
    let recorder = &stage.recorders[0];
    unhurt(recorder);
    let frames = recorder.frames();
    assert_eq!(runs(&frames), [(0, frames.len())]);
    let player = &stage.players[0];
    assert_eq!(player.linux.mishaps, Mishaps::default());
    assert_eq!(player.linux.xruns, 0);
    let heard = &stage.card.as_ref().unwrap().heard;
    assert!(heard.windows(sound.len()).any(|part| part == sound));
}

#[test]
fn a_guest_begins_to_play_long_after_another_began_to_record() {
    let mut stage = Stage::with_input();
    stage.record(1, Params::stereo(4_800, 1_200), 96_000);
    stage.allow(1, true);
    // More than the card's ring of silence.
    stage.run_millis(700);
    let sound: Vec<u8> = (1..=24_000_i32)
        .flat_map(|n| ((n % 9_000) as i16 + 1).to_le_bytes().repeat(2))
        .collect();
    stage.play(2, Params::stereo(4_800, 1_200), sound.clone());
    stage.run_to_the_end(3);
    let frames = stage.recorders[0].frames();
    assert_eq!(runs(&frames), [(0, frames.len())]);
    let card = stage.card.as_ref().unwrap();
    assert!(card.heard.windows(sound.len()).any(|part| part == sound));
}

#[test]
fn an_input_that_fails_is_silence_in_time_and_tried_again() {
    let mut stage = Stage::with_input();
    stage.record(1, Params::stereo(4_800, 1_200), 120_000);
    stage.allow(1, true);
    stage.input().refuses = true;
    stage.run_millis(500);
    stage.input().refuses = false;
    stage.run_millis(1_000);
    assert!(stage.input().running());
    stage.input().lost = true;
    stage.run_millis(500);
    assert!(!stage.input().running());
    stage.input().lost = false;
    stage.run_to_the_end(3);
    let recorder = &stage.recorders[0];
    unhurt(recorder);
    let runs = runs(&recorder.frames());
    assert_eq!(runs.len(), 2, "{runs:?}");
    let took = recorder.arrivals.last().unwrap().0.0 - 1_000_000_000;
    assert!((2_500_000_000..2_560_000_000).contains(&took), "{took} ns");
}

#[test]
fn a_card_that_does_not_hear_gives_zeros_in_time() {
    let mut stage = Stage::new();
    stage.record(1, Params::stereo(4_800, 1_200), 24_000);
    stage.allow(1, true);
    stage.run_to_the_end(1);
    unhurt(&stage.recorders[0]);
    assert_eq!(runs(&stage.recorders[0].frames()), []);
}

#[test]
fn an_application_that_comes_too_late_loses_what_was_overwritten_and_no_more() {
    let mut stage = Stage::with_input();
    let recorder = stage.record(1, Params::stereo(4_800, 1_200), 48_000);
    recorder.stall = Some((4 * 12_000, 300_000_000));
    stage.allow(1, true);
    stage.run_to_the_end(3);
    let recorder = &stage.recorders[0];
    assert_eq!(recorder.linux.mishaps.lost_ids, 0);
    assert_eq!(recorder.linux.xruns, 1);
    let runs = runs(&recorder.frames());
    // Nobody listened between STOP and START.
    assert_eq!(runs, [(0, 12_000), (0, 36_000)]);
    assert_eq!(stage.input().starts, 2);
    let told = stage
        .plane
        .statistics(ring_backend::link::DeviceSlot(0), 0)
        .unwrap();
    assert_eq!(told.xruns, 1);
}

#[test]
fn volume_and_mute_are_those_of_what_the_guest_records() {
    let mut stage = Stage::with_input();
    let (_, mut front) = stage.connect(1, liberal(Direction::Capture));
    stage.allow(1, true);
    let buffer = stage.open(&mut front, Params::stereo(2_048, 512));
    // Half of it on the left.
    buffer.write(0, (-6_021_i32).to_le_bytes().as_slice());
    buffer.write(4, &0_i32.to_le_bytes());
    assert_eq!(stage.status(&mut front, front::span(SET_VOLUME, 0, 8)), 0);
    stage.status(&mut front, front::trigger(0));
    stage.run_millis(20);
    let mut frame = |stage: &mut Stage, at: u32| {
        stage.status(&mut front, front::span(READ, 4 * at, 4));
        let mut octets = [0; 4];
        buffer.read(4 * at as usize, &mut octets);
        let [a, b, c, d] = octets;
        [i16::from_le_bytes([a, b]), i16::from_le_bytes([c, d])]
    };
    let [left, right] = frame(&mut stage, 500);
    assert_eq!(
        [left, right],
        [250, -501],
        "frame 500 is 501 and its opposite"
    );
    let mut front_again = front::span(MUTE, 0, 2);
    front_again[8..12].copy_from_slice(&0_u32.to_le_bytes());
    buffer.write(0, &[0, 1]);
    stage.allow(1, true);
    let _ = frame(&mut stage, 500);
    assert_eq!(stage.status(&mut front, front_again), 0);
    stage.run_millis(40);
    let mut octets = [0; 4];
    stage.status(&mut front, front::span(READ, 4 * 100, 4));
    buffer.read(400, &mut octets);
    assert_eq!(octets[2..], [0, 0], "the right one is mute");
    assert_ne!(octets[..2], [0, 0]);
}

#[test]
fn other_formats_rates_and_layouts_record_without_a_break() {
    for (rate, format, channels, frame) in [
        (44_100, 2, 2, 4),
        (8_000, 1, 1, 1),
        (96_000, 10, 6, 24),
        (16_000, 14, 1, 4),
    ] {
        let mut stage = Stage::with_input();
        let params = Params {
            rate,
            format,
            channels,
            frame,
            buffer: u64::from(rate / 10),
            period: u64::from(rate / 40),
        };
        let began = stage.now;
        stage.record(1, params, rate as usize);
        stage.allow(1, true);
        stage.run_to_the_end(3);
        unhurt(&stage.recorders[0]);
        let took = (stage.now.0 - began.0) / 1_000_000;
        assert!((1_000..1_060).contains(&took), "{rate} Hz: {took} ms");
        if channels == 1 {
            // Both sides are heard upside down: together they are nothing.
            continue;
        }
        let silence = [[0_u8; 24], [0x80; 24]];
        let silent = stage.recorders[0].data.chunks(frame);
        let silent = silent.filter(|part| silence.iter().any(|s| s[..frame] == **part));
        assert!(silent.count() < rate as usize / 100, "{rate} Hz");
    }
}

#[test]
fn the_level_of_what_a_guest_records_is_measured_if_it_may() {
    let mut stage = Stage::with_input();
    stage.record(1, Params::stereo(4_800, 1_200), 96_000);
    let slot = DeviceSlot(0);
    let peak = |stage: &Stage| stage.plane.statistics(slot, 0).expect("a stream").peak;
    for (allowed, loudest) in [(false, 0), (true, 32_767)] {
        stage.allow(1, allowed);
        DataPlane::meter(&mut stage.plane, stage.now);
        stage.run_millis(900);
        // The input's frames count up, so the highest lies within the last second's.
        let measured = peak(&stage);
        assert_eq!(measured > 0, allowed);
        assert!(measured <= loudest, "{measured}");
    }
}

#[test]
fn what_a_guest_is_told_while_it_records_is_right_within_two_milliseconds() {
    for (buffer, period) in [(24_000, 6_000), (8_192, 1_024), (4_800, 1_200), (960, 240)] {
        let mut stage = Stage::with_input();
        let began = stage.now;
        stage.record(1, Params::stereo(buffer, period), 48_000);
        stage.allow(1, true);
        stage.run_until(Nanos(began.0 + 50_000_000));
        let mut most = 0;
        for step in 0..8_000 {
            stage.run_until(Nanos(began.0 + 50_000_000 + step * 100_000));
            let heard = (stage.now.0 - began.0) * 48 / 1_000_000;
            // What the driver was told, of which ALSA's core learns when it asks.
            let told = stage.recorders[0].linux.ring_position();
            let late = (heard + buffer - told) % buffer;
            most = late.max(most);
        }
        assert!(
            most <= 96,
            "{most} frames behind with a buffer of {buffer} and periods of {period}"
        );
    }
}
