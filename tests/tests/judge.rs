//! The judges hear what they must, and do not hear what is not there.

use std::f64::consts::TAU;
use tests::judge::exact::{self, Match};
use tests::judge::recording::{Frame, RATE, Recording};
use tests::judge::tone::{self, Expected, Together};
use tests::signal;

const LOW: Expected = Expected {
    frequency: 440.0,
    amplitude: 0.25,
};
const HIGH: Expected = Expected {
    frequency: 1_703.0,
    amplitude: 0.125,
};

/// Two tones of 3 s as 16-bit samples, with half a second of silence at either end.
fn two_tones() -> Vec<f64> {
    let silence = vec![0.0; RATE as usize / 2];
    let sound = (0..3 * RATE).map(|n| {
        let value = |tone: Expected| {
            tone.amplitude * (TAU * tone.frequency * f64::from(n) / f64::from(RATE)).sin()
        };
        ((value(LOW) + value(HIGH)) * 32_768.0).round() / 32_768.0
    });
    silence
        .iter()
        .copied()
        .chain(sound)
        .chain(silence.iter().copied())
        .collect()
}

fn judge(samples: &[f64]) -> Together {
    tone::judge(samples, &[LOW, HIGH]).expect("both tones are heard")
}

/// What the end-to-end tests ask of a recording.
fn sound(heard: &Together) -> bool {
    heard.crest < 8.0
        && heard
            .tones
            .iter()
            .all(|tone| tone.snr_db > 60.0 && tone.pieces == 1)
}

#[test]
fn sound_tones_pass() {
    let heard = judge(&two_tones());
    assert!(sound(&heard), "{heard:?}");
    assert!(heard.seconds() > 2.9);
    assert!((heard.tones[0].level_db + 12.04).abs() < 0.01, "{heard:?}");
    assert!((heard.tones[1].level_db + 18.06).abs() < 0.01, "{heard:?}");
}

#[test]
fn one_spoilt_sample_is_heard() {
    let mut samples = two_tones();
    samples[80_000] += 24.0 / 32_768.0;
    let heard = judge(&samples);
    assert!(!sound(&heard), "{heard:?}");
    assert_eq!(heard.worst_at, 80_000);
}

#[test]
fn one_lost_frame_is_heard() {
    let mut samples = two_tones();
    samples.remove(80_000);
    assert!(!sound(&judge(&samples)));
}

#[test]
fn one_repeated_frame_is_heard() {
    let mut samples = two_tones();
    samples.insert(80_000, samples[80_000]);
    assert!(!sound(&judge(&samples)));
}

#[test]
fn a_gap_of_a_period_is_heard() {
    let mut samples = two_tones();
    samples[80_000..81_024].fill(0.0);
    assert!(!sound(&judge(&samples)));
}

#[test]
fn a_repeated_period_is_heard() {
    let mut samples = two_tones();
    samples.copy_within(79_000..80_024, 80_024);
    assert!(!sound(&judge(&samples)));
}

#[test]
fn a_missing_tone_is_missed() {
    let only_low: Vec<f64> = (0..RATE)
        .map(|n| LOW.amplitude * (TAU * LOW.frequency * f64::from(n) / f64::from(RATE)).sin())
        .collect();
    assert!(tone::judge(&only_low, &[LOW, HIGH]).is_none());
}

fn frames(samples: &[i16]) -> Vec<Frame> {
    samples.as_chunks::<2>().0.to_vec()
}

#[test]
fn a_known_sequence_is_found_and_its_faults_named() {
    let sequence = frames(&signal::noise(7, 20_000));
    let mut recording = vec![[0, 0]; 1_000];
    recording.extend_from_slice(&sequence);
    recording.extend_from_slice(&[[0, 0]; 1_000]);
    assert_eq!(exact::find(&sequence, &recording), Match::At(1_000));

    let mut spoilt = recording.clone();
    spoilt[6_000][1] ^= 1;
    assert!(matches!(
        exact::find(&sequence, &spoilt),
        Match::Differs {
            from: 1_000,
            agree: 5_000,
            slip: Some(0)
        }
    ));
    let mut gap = recording.clone();
    gap.splice(6_000..6_000, [[0, 0]; 48]);
    assert!(matches!(
        exact::find(&sequence, &gap),
        Match::Differs {
            agree: 5_000,
            slip: Some(48),
            ..
        }
    ));
    let mut lost = recording.clone();
    lost.drain(6_000..6_010);
    assert!(matches!(
        exact::find(&sequence, &lost),
        Match::Differs {
            agree: 5_000,
            slip: Some(-10),
            ..
        }
    ));
    assert_eq!(exact::find(&sequence, &recording[1_001..]), Match::Absent);
}

#[test]
fn stretches_of_sound_are_told_from_silence() {
    let mut frames = vec![[0, 0]; 10_000];
    frames[1_000..2_000].fill([5, -5]);
    frames[2_010..3_000].fill([5, -5]);
    frames[7_000..8_000].fill([0, 1]);
    let recording = Recording { frames };
    assert_eq!(recording.sounding(100), [1_000..3_000, 7_000..8_000]);
    assert_eq!(recording.sounding(0).len(), 3);
}
