//! How far a guest is told that it was played, and what becomes of data that comes late.

use ring_backend::link::{DeviceSlot, Direction};
use ring_backend::statistics::Statistics;
use tests::fake::card::STEREO_48K;
use tests::fake::front::{self, Buffer, Front};
use tests::fake::frontend::Params;
use tests::fake::stage::{Stage, liberal};

const START: u8 = 0;
const PAUSE: u8 = 1;
const STOP: u8 = 2;
const RESUME: u8 = 3;
const WRITE: u8 = 3;

fn opened(stage: &mut Stage, params: Params) -> (Front, Buffer) {
    let (_, mut front) = stage.connect(1, liberal(Direction::Playback));
    let buffer = stage.open(&mut front, params);
    (front, buffer)
}

fn statistics(stage: &Stage) -> Statistics {
    stage.plane.statistics(DeviceSlot(0), 0).unwrap()
}

/// The last position told, in octets.
fn told(front: &mut Front) -> Option<u64> {
    std::iter::from_fn(|| front.event())
        .last()
        .map(|event| event.position)
}

#[test]
fn the_position_is_the_frames_fetched_times_the_ratio_rounded_down() {
    for rate in [8000, 11_025, 44_100, 48_000, 88_200, 96_000, 192_000] {
        let mut stage = Stage::new();
        let params = Params {
            rate,
            ..Params::stereo(16_384, 4096)
        };
        let (mut front, _) = opened(&mut stage, params);
        stage.status(&mut front, front::trigger(START));
        let mut offset = None;
        for _ in 0..1400 {
            stage.run_millis(7);
            stage.poll();
            let Some(position) = told(&mut front) else {
                continue;
            };
            // Every event lies on the line through all the others, to less than a frame.
            let fetched = stage.card.as_ref().unwrap().heard.len() as i64 / 4;
            let frames = position as i64 / 4;
            let of_card = frames * i64::from(STEREO_48K.rate) / i64::from(rate);
            let start = fetched - of_card;
            let (least, most) = offset.get_or_insert((start, start));
            *least = start.min(*least);
            *most = start.max(*most);
            // The event may be a tick old, and of the period that ended in that tick.
            assert!(*most - *least <= 10 * 48 + 7, "{rate}: {least} {most}");
        }
        let (least, _) = offset.unwrap();
        assert!((0..900).contains(&least), "{rate}: starts at {least}");
    }
}

#[test]
fn the_position_goes_on_without_data_until_stop() {
    let mut stage = Stage::new();
    let (mut front, _) = opened(&mut stage, Params::stereo(2048, 512));
    stage.status(&mut front, front::trigger(START));
    let mut position = 0;
    for _ in 0..20 {
        stage.run_millis(100);
        position = told(&mut front).unwrap() / 4;
    }
    assert!((94_000..=96_000).contains(&position), "{position}");
    assert_eq!(
        statistics(&stage).xruns,
        0,
        "nothing was heard, nothing was missed"
    );
}

#[test]
fn a_pause_keeps_the_position_and_what_was_written() {
    let mut stage = Stage::new();
    let (mut front, buffer) = opened(&mut stage, Params::stereo(9600, 2400));
    let sound: Vec<u8> = (0..9600_u32 * 4)
        .map(|at| (at / 4 % 250) as u8 + 1)
        .collect();
    buffer.write(0, &sound);
    stage.status(&mut front, front::span(WRITE, 0, sound.len() as u32));
    stage.status(&mut front, front::trigger(START));
    stage.run_millis(60);
    stage.status(&mut front, front::trigger(PAUSE));
    let paused_at = told(&mut front).unwrap();
    stage.run_millis(2000);
    assert_eq!(told(&mut front), None, "no events in a pause");
    assert!(!stage.card.as_ref().unwrap().running(), "the card rests");
    stage.status(&mut front, front::trigger(RESUME));
    stage.run_millis(100);
    let resumed_at = told(&mut front).unwrap();
    // What was mixed ahead before the pause was heard in it.
    let ahead = stage.plane.engine().ahead_max;
    assert!(resumed_at > paused_at && resumed_at - paused_at < 4 * (4800 + ahead));
    stage.run_millis(100);
    stage.status(&mut front, front::trigger(STOP));
    stage.run_millis(400);
    // All that was written was heard, but for the slopes around the pause.
    let heard = &stage.card.as_ref().unwrap().heard;
    let (begin, end) = (&sound[..4 * 2400], &sound[4 * 5000..4 * 9000]);
    for part in [begin, end] {
        assert!(heard.windows(part.len()).any(|heard| heard == part));
    }
}

#[test]
fn triggers_in_the_wrong_state_change_nothing() {
    let mut stage = Stage::new();
    let (mut front, _) = opened(&mut stage, Params::stereo(2048, 512));
    assert_eq!(stage.status(&mut front, front::trigger(RESUME)), -22);
    assert_eq!(stage.status(&mut front, front::trigger(4)), -22);
    assert_eq!(stage.status(&mut front, front::trigger(STOP)), 0);
    assert_eq!(stage.status(&mut front, front::trigger(PAUSE)), 0);
    stage.run_millis(50);
    assert_eq!(told(&mut front), None);
    for kind in [START, START, RESUME, START] {
        assert_eq!(stage.status(&mut front, front::trigger(kind)), 0);
    }
    stage.run_millis(100);
    let position = told(&mut front).unwrap() / 4;
    assert!((4300..4800).contains(&position), "one start: {position}");
}

#[test]
fn a_start_out_of_a_pause_begins_anew_with_what_was_written_since() {
    // Linux comes back from a suspend like this: its own count begins at 0, so the backend's has
    // to be a whole buffer.
    let mut stage = Stage::new();
    let params = Params::stereo(3000, 1000);
    let (mut front, buffer) = opened(&mut stage, params);
    buffer.write(0, &[7; 12_000]);
    stage.status(&mut front, front::span(WRITE, 0, 12_000));
    stage.status(&mut front, front::trigger(START));
    stage.run_millis(20);
    stage.status(&mut front, front::trigger(PAUSE));
    buffer.write(0, &[9; 4000]);
    stage.status(&mut front, front::span(WRITE, 0, 4000));
    while front.event().is_some() {}
    stage.run_millis(500);
    let before = stage.card.as_ref().unwrap().heard.len();
    stage.status(&mut front, front::trigger(START));
    let aligned = told(&mut front).unwrap();
    assert_eq!(aligned, 12_000);
    stage.run_millis(200);
    let heard = &stage.card.as_ref().unwrap().heard[before..];
    let nines = heard.iter().filter(|octet| **octet == 9).count();
    assert!(nines >= 4000, "the new data is heard: {nines}");
    let old = heard.windows(16).any(|octets| octets == [7; 16]);
    assert!(!old, "and nothing of the old");
}

#[test]
fn data_for_a_place_already_mixed_is_left_out_and_counted() {
    let mut stage = Stage::new();
    let (mut front, buffer) = opened(&mut stage, Params::stereo(9600, 2400));
    buffer.write(0, &[1; 4 * 4800]);
    stage.status(&mut front, front::span(WRITE, 0, 4 * 4800));
    stage.status(&mut front, front::trigger(START));
    // 4800 frames are 100 ms; the mixer is some milliseconds ahead of what the guest knows.
    while told(&mut front).is_none_or(|position| position < 4 * 4700) {
        stage.run_millis(1);
    }
    buffer.write(4 * 4800, &[2; 4 * 2400]);
    stage.status(&mut front, front::span(WRITE, 4 * 4800, 4 * 2400));
    let statistics = statistics(&stage);
    let kept = statistics.frames - 4800;
    assert!(kept < 2400, "some came too late");
    let ahead = stage.plane.engine().ahead_max;
    assert!(kept > 2400 - ahead - 100, "and only those: {kept}");
    assert_eq!(statistics.xruns, 1);
    stage.run_millis(300);
    let heard = &stage.card.as_ref().unwrap().heard;
    let twos = heard.iter().filter(|octet| **octet == 2).count() as u64 / 4;
    assert!(
        twos <= kept && twos + 300 > kept,
        "{twos} of {kept} are heard once"
    );
}

#[test]
fn running_dry_at_the_end_is_no_xrun_and_running_dry_in_between_is_one() {
    let mut stage = Stage::new();
    let (mut front, buffer) = opened(&mut stage, Params::stereo(4800, 1200));
    buffer.write(0, &[1; 4 * 4800]);
    stage.status(&mut front, front::span(WRITE, 0, 4 * 2400));
    stage.status(&mut front, front::trigger(START));
    stage.run_millis(80);
    assert_eq!(statistics(&stage).xruns, 0, "it may have been the end");
    stage.status(&mut front, front::span(WRITE, 4 * 4000, 4 * 800));
    assert_eq!(statistics(&stage).xruns, 1, "it was not");
    stage.run_millis(300);
    stage.status(&mut front, front::trigger(STOP));
    assert_eq!(statistics(&stage).xruns, 1);
}

#[test]
fn a_stream_tells_its_numbers() {
    let mut stage = Stage::new();
    let (mut front, _) = opened(&mut stage, Params::stereo(9600, 2400));
    let before = statistics(&stage);
    assert!(!before.playing && before.rate == 48_000 && before.channels == 2);
    assert_eq!(before.added_latency_frames, None);
    stage.status(&mut front, front::span(WRITE, 0, 4 * 9600));
    stage.status(&mut front, front::trigger(START));
    stage.run_millis(50);
    let running = statistics(&stage);
    assert!(running.playing && running.frames == 9600);
    let first = running.first_sound_ns.unwrap();
    assert!(first < 6_000_000, "{first} ns to the first frame");
    let added = running.added_latency_frames.unwrap();
    assert!((48..=16 * 48).contains(&added), "{added} frames");
    stage.status(&mut front, front::close());
    assert_eq!(statistics(&stage).format, None);
    assert_eq!(stage.plane.statistics(DeviceSlot(0), 1), None);
    assert_eq!(stage.plane.statistics(DeviceSlot(9), 0), None);
}

#[test]
fn a_capture_stream_reads_silence_at_its_pace() {
    let mut stage = Stage::new();
    let (_, mut front) = stage.connect(1, liberal(Direction::Capture));
    let params = Params {
        format: 4, // U16_LE: silence is not 0.
        ..Params::stereo(2048, 512)
    };
    let buffer = stage.open(&mut front, params);
    buffer.write(0, &[0x11; 8192]);
    stage.status(&mut front, front::trigger(START));
    // The events of a tenth of a second are more than there are slots for.
    stage.run_millis(50);
    assert!(told(&mut front).is_some());
    stage.run_millis(50);
    let position = told(&mut front).unwrap() / 4;
    assert!((4400..=4800).contains(&position), "{position}");
    assert_eq!(stage.status(&mut front, front::span(2, 4096, 2048)), 0);
    let mut octets = [0; 8192];
    buffer.read(0, &mut octets);
    assert_eq!(octets[4096..6144], [0, 0x80].repeat(1024));
    assert_eq!(octets[..4096], [0x11; 4096]);
    assert_eq!(stage.status(&mut front, front::span(WRITE, 0, 64)), -22);
    assert!(
        stage
            .card
            .as_ref()
            .unwrap()
            .heard
            .iter()
            .all(|octet| *octet == 0)
    );
}
