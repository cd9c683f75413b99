//! Sound, end to end: real Xen, its real toolstack, Debian's kernels and ALSA's programs.
//!
//! Time is counted in instructions, so a run's recording is the same on any host. Each test is a
//! script in dom0 and a judgement of what the card's DAC got.

mod card;
mod formats;
mod policy;

use std::path::{Path, PathBuf};
use std::time::Duration;
use tests::judge::exact::{self, Match};
use tests::judge::recording::{Frame, RATE, Recording};
use tests::judge::tone::{self, Expected};
use tests::rig::{Outcome, Run, Xen};
use tests::signal::{self, Tone};
use tests::suite::matrix::Verdict;
use tests::suite::{self, Setup};

/// A directory for one test's material, emptied first.
fn material(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).expect("a directory under target");
    dir
}

/// Writes frames as a file for a guest and gives them back.
fn stereo(path: &Path, samples: Vec<i16>) -> Vec<Frame> {
    signal::write_stereo(path, &samples).expect("the material is written");
    samples.as_chunks::<2>().0.to_vec()
}

/// Runs a script with a file for its guests; fails unless the script does well.
fn run(script: &str, files: &[&Path]) -> (Outcome, Recording) {
    go(Run::new(script), files)
}

/// Runs with a file for its guests; fails unless the script does well.
fn go(mut run: Run, files: &[&Path]) -> (Outcome, Recording) {
    for file in files {
        let name = file.file_name().expect("a file").to_string_lossy();
        run = run.guest_file(*file, format!("/material/{name}"));
    }
    let outcome = run.go().expect("the machine runs");
    assert_eq!(outcome.status, 0, "{outcome}");
    let recording = Recording::read(&outcome.wav).expect("the card played");
    (outcome, recording)
}

/// The number before ` ms` in the script's line that contains `what`.
fn millis(outcome: &Outcome, what: &str) -> u64 {
    outcome
        .said()
        .find_map(|line| {
            line.split_once(what)?
                .1
                .trim()
                .strip_suffix(" ms")?
                .parse()
                .ok()
        })
        .unwrap_or_else(|| panic!("no '{what}' in\n{outcome}"))
}

#[test]
fn a_guests_file_reaches_the_card_sample_for_sample() {
    let file = material("one").join("noise.wav");
    let noise = stereo(&file, signal::noise(1, 5 * RATE as usize));
    let (outcome, recording) = run(include_str!("../../scripts/one_guest.sh"), &[&file]);
    let found = exact::find(&noise, &recording.frames);
    assert!(matches!(found, Match::At(_)), "{found}\n{outcome}");
    println!("noise of {} frames: {found}", noise.len());
}

#[test]
fn a_processor_with_avx2_mixes_with_it_and_plays_the_same_samples() {
    let file = material("avx2").join("noise.wav");
    let noise = stereo(&file, signal::noise(2, 5 * RATE as usize));
    let run = Run::new(include_str!("../../scripts/one_guest.sh")).avx2();
    let (outcome, recording) = go(run, &[&file]);
    let ready = outcome.log("audiodom");
    assert!(ready.contains(" tier=avx2 "), "{ready}\n{outcome}");
    let found = exact::find(&noise, &recording.frames);
    assert!(matches!(found, Match::At(_)), "{found}\n{outcome}");
}

#[test]
fn the_next_xen_plays_the_same_samples() {
    let file = material("next").join("noise.wav");
    let noise = stereo(&file, signal::noise(8, 5 * RATE as usize));
    let run = Run::new(include_str!("../../scripts/one_guest.sh")).xen(Xen::V4_20);
    let (outcome, recording) = go(run, &[&file]);
    let found = exact::find(&noise, &recording.frames);
    assert!(matches!(found, Match::At(_)), "{found}\n{outcome}");
}

#[test]
fn two_guests_are_both_heard_without_gap_or_click() {
    let dir = material("two");
    let low = Expected {
        frequency: 440.0,
        amplitude: 0.25,
    };
    let high = Expected {
        frequency: 1_703.0,
        amplitude: 0.125,
    };
    let write = |name: &str, expected: Expected, rate, channels, bits| {
        let path = dir.join(name);
        let tone = Tone {
            rate,
            channels,
            frequency: expected.frequency,
            amplitude: expected.amplitude,
            seconds: 22.0,
        };
        tone.write(&path, bits).expect("the material is written");
        path
    };
    let files = [
        write("low.wav", low, 48_000, 2, 16),
        write("high.wav", high, 44_100, 1, 32),
    ];
    let (outcome, recording) = run(
        include_str!("../../scripts/two_guests.sh"),
        &[&files[0], &files[1]],
    );
    for channel in 0..2 {
        let heard = tone::judge(&recording.channel(channel), &[low, high])
            .unwrap_or_else(|| panic!("a tone is missing in channel {channel}\n{outcome}"));
        println!("channel {channel}: {heard:?}");
        assert!(heard.seconds() >= 20.0, "only {} s", heard.seconds());
        assert!(
            heard.crest < 8.0,
            "a click at frame {}: {heard:?}",
            heard.worst_at
        );
        for (verdict, expected) in heard.tones.iter().zip([low, high]) {
            let level = 20.0 * expected.amplitude.log10();
            assert_eq!(verdict.pieces, 1, "{heard:?}");
            assert!((verdict.level_db - level).abs() < 0.1, "{heard:?}");
            assert!(verdict.snr_db > 70.0, "{heard:?}");
        }
    }
}

#[test]
fn aplay_drains_and_starts_again_twenty_times() {
    let file = material("drain").join("short.wav");
    let noise = stereo(&file, signal::noise(2, RATE as usize / 4));
    let (outcome, recording) = run(include_str!("../../scripts/drain.sh"), &[&file]);
    let mut rest = recording.frames.as_slice();
    for round in 1..=20 {
        match exact::find(&noise, rest) {
            Match::At(at) => rest = &rest[at + noise.len()..],
            other => panic!("round {round}: {other}\n{outcome}"),
        }
    }
    assert!(matches!(exact::find(&noise, rest), Match::Absent));
}

#[test]
fn guests_record_what_the_card_hears_as_long_as_they_may() {
    let findings = suite::record::check(&material("record"), Setup::default());
    for finding in findings.expect("the machine runs") {
        println!("{finding}");
        assert_eq!(finding.verdict, Verdict::Pass, "{finding}");
    }
}

/// Noise in one channel, silence in the other.
fn one_sided(seed: u64, frames: usize, channel: usize) -> Vec<i16> {
    let mut samples = signal::noise(seed, frames);
    samples
        .iter_mut()
        .skip(1 - channel)
        .step_by(2)
        .for_each(|sample| *sample = 0);
    samples
}

fn keep(frames: &[Frame], channel: usize) -> Vec<Frame> {
    frames.iter().map(|frame| [frame[channel], 0]).collect()
}

#[test]
fn a_guest_destroyed_in_mid_play_does_not_touch_the_other() {
    let dir = material("destroy");
    let (left, right) = (dir.join("left.wav"), dir.join("right.wav"));
    let kept = stereo(&left, one_sided(3, 12 * RATE as usize, 0));
    let lost = stereo(&right, one_sided(4, 12 * RATE as usize, 1));
    let (outcome, recording) = run(include_str!("../../scripts/destroy.sh"), &[&left, &right]);
    let found = exact::find(&keep(&kept, 0), &keep(&recording.frames, 0));
    assert!(matches!(found, Match::At(_)), "keeper: {found}\n{outcome}");
    let found = exact::find(&keep(&lost, 1), &keep(&recording.frames, 1));
    let Match::Differs { agree, .. } = found else {
        panic!("victim: {found}\n{outcome}");
    };
    assert!(
        agree > RATE as usize,
        "the victim was heard for {agree} frames only"
    );
    let took = millis(&outcome, "destroyed in");
    assert!(took < 2_000, "xl destroy took {took} ms\n{outcome}");
    println!("victim heard for {agree} frames, xl destroy took {took} ms, keeper exact");
}

#[test]
fn a_bad_configuration_gets_a_clear_error_and_harms_nobody() {
    let file = material("bad").join("noise.wav");
    let noise = stereo(&file, signal::noise(5, 20 * RATE as usize));
    let (outcome, recording) = run(include_str!("../../scripts/bad_config.sh"), &[&file]);
    let found = exact::find(&noise, &recording.frames);
    assert!(matches!(found, Match::At(_)), "keeper: {found}\n{outcome}");
    let error = outcome
        .said()
        .find_map(|line| line.split_once("ERROR: "))
        .map_or("", |(_, error)| error);
    assert!(
        error.contains("sample-formats"),
        "the error says '{error}'\n{outcome}"
    );
    println!("told: {error}");
}

#[test]
fn without_a_card_guests_still_play_in_time() {
    let file = material("none").join("noise.wav");
    stereo(&file, signal::noise(6, 3 * RATE as usize));
    let (outcome, recording) = run(include_str!("../../scripts/no_card.sh"), &[&file]);
    assert!(recording.sounding(0).is_empty(), "something was heard");
    let state = outcome.said().find_map(|line| line.split_once("STATE: "));
    assert!(
        state.is_some_and(|(_, state)| state.contains("no card")),
        "{outcome}"
    );
}

/// The value of `key=` in the line of the script that begins with `what`.
fn figure(outcome: &Outcome, what: &str, key: &str) -> u64 {
    let line = outcome.said().find(|line| line.contains(what));
    line.and_then(|line| {
        let words = line.split_whitespace();
        words
            .filter_map(|word| word.split_once('='))
            .find(|(name, _)| *name == key)?
            .1
            .parse()
            .ok()
    })
    .unwrap_or_else(|| panic!("no {key} in '{what}'\n{outcome}"))
}

#[test]
fn a_card_that_rested_plays_the_next_sound_whole() {
    let dir = material("idle");
    let files = [dir.join("first.wav"), dir.join("second.wav")];
    let first = stereo(&files[0], signal::noise(9, 2 * RATE as usize));
    let second = stereo(&files[1], signal::noise(10, 2 * RATE as usize));
    let (outcome, recording) = run(
        include_str!("../../scripts/idle.sh"),
        &[&files[0], &files[1]],
    );
    let Match::At(at) = exact::find(&first, &recording.frames) else {
        panic!("the first sound is not whole\n{outcome}");
    };
    let rest = &recording.frames[at + first.len()..];
    let found = exact::find(&second, rest);
    assert!(matches!(found, Match::At(_)), "{found}\n{outcome}");
    let rests = |what| figure(&outcome, what, "card_rests");
    assert_eq!(rests("LOOP rested"), rests("LOOP played") + 1, "{outcome}");
    let woke = figure(&outcome, "LOOP again", "card_wake_us");
    assert!((1..50_000).contains(&woke), "{woke} µs\n{outcome}");
    let wakeups = |what| figure(&outcome, what, "wakeups");
    let wakeups = wakeups("LOOP rested") - wakeups("LOOP played");
    assert!(wakeups < 100, "{wakeups} wake-ups in 10 s\n{outcome}");
    println!("{wakeups} wake-ups in the pause, awake again within {woke} µs");
}

#[test]
fn shutting_the_audio_domain_down_leaves_the_card_quiet() {
    let file = material("shutdown").join("noise.wav");
    let noise = stereo(&file, signal::noise(7, 30 * RATE as usize));
    let (outcome, recording) = run(include_str!("../../scripts/shutdown.sh"), &[&file]);
    let Match::Differs { agree, .. } = exact::find(&noise, &recording.frames) else {
        panic!("the guest was not heard, or was heard to its end\n{outcome}");
    };
    assert!(agree > RATE as usize, "{outcome}");
    let took = millis(&outcome, "shut down in");
    assert!(took < 5_000, "{outcome}");
    let qemu = std::fs::read_to_string(outcome.dir.join("qemu.log")).unwrap_or_default();
    assert!(
        !qemu.contains("vtd_iommu_translate"),
        "DMA after the end: {qemu}"
    );
}
