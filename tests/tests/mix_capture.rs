//! From a card's input to a guest's format, layout, rate and level.

use ring_backend::format::SampleFormat as F;
use ring_backend::mix::decode::decode;
use ring_backend::mix::{Input, Mixer, StreamSpec, Voice};
use ring_backend::world::{CardFormat, CardSample};
use std::f64::consts::TAU;
use tests::judge::tone::{self, Expected};
use tests::signal;

fn input(sample: CardSample) -> CardFormat {
    CardFormat {
        rate: 48_000,
        channels: 2,
        sample,
    }
}

fn voice(format: F, rate: u32, channels: u8, input: CardFormat) -> Voice {
    let mut voice = Voice::new();
    let spec = StreamSpec {
        format,
        rate,
        channels,
    };
    voice.configure_capture(spec, input).expect("a plain guest");
    voice
}

/// What a guest with this voice records, the input heard in pieces of so many frames.
fn record(
    voice: &mut Voice,
    format: F,
    channels: usize,
    heard: &[u8],
    pieces: &[usize],
) -> Vec<u8> {
    let mut mixer = Mixer::new(input(CardSample::S16));
    while !mixer.prepare(voice) {}
    let (mut out, mut used, mut there) = (Vec::new(), 0, 0);
    for &piece in pieces.iter().cycle() {
        if there == heard.len() {
            break;
        }
        there = heard.len().min(there + 4 * piece);
        let frames = voice.frames_of((there - used) / 4);
        let need = 4 * voice.source_frames_for(frames);
        assert!(used + need <= there, "no more than was heard");
        let mut octets = vec![0x55; frames * channels * format.octets().unwrap()];
        let (first, second) = heard[used..used + need].split_at(need / 8 * 4);
        let input = Input {
            voice,
            first,
            second,
        };
        mixer.record(input, format, &mut octets);
        out.extend(octets);
        used += need;
    }
    assert!(heard.len() - used < 64, "nothing much is left over");
    out
}

fn octets(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|s| s.to_le_bytes()).collect()
}

fn decoded(format: F, octets: &[u8]) -> Vec<i32> {
    let mut samples = vec![0; octets.len() / format.octets().unwrap()];
    decode(format, octets, &mut samples);
    samples
}

const PIECES: [usize; 5] = [240, 1, 7, 500, 64];

#[test]
fn what_the_input_heard_is_recorded_sample_for_sample() {
    let samples = signal::noise(1, 5_000);
    let wanted: Vec<i32> = samples.iter().map(|s| i32::from(*s) << 16).collect();
    for format in [
        F::S16Le,
        F::S16Be,
        F::U16Le,
        F::S24Le,
        F::S32Be,
        F::F32Le,
        F::F64Be,
    ] {
        let mut voice = voice(format, 48_000, 2, input(CardSample::S16));
        let out = record(&mut voice, format, 2, &octets(&samples), &PIECES);
        assert_eq!(decoded(format, &out), wanted, "{format:?}");
    }
}

#[test]
fn one_channel_is_half_of_both_and_eight_are_the_first_two() {
    let samples = signal::noise(2, 1_000);
    let mut mono = voice(F::S32Le, 48_000, 1, input(CardSample::S16));
    let out = decoded(
        F::S32Le,
        &record(&mut mono, F::S32Le, 1, &octets(&samples), &PIECES),
    );
    for (frame, sample) in samples.as_chunks::<2>().0.iter().zip(out) {
        let half = (i32::from(frame[0]) + i32::from(frame[1])) << 15;
        assert!((sample - half).abs() <= 1, "{frame:?}: {sample}");
    }
    let mut wide = voice(F::S16Le, 48_000, 8, input(CardSample::S16));
    let out = record(&mut wide, F::S16Le, 8, &octets(&samples), &PIECES);
    for (frame, heard) in out.chunks(16).zip(octets(&samples).chunks(4)) {
        assert_eq!(&frame[..4], heard);
        assert!(frame[4..].iter().all(|octet| *octet == 0));
    }
}

#[test]
fn a_tone_keeps_its_pitch_and_level_at_every_rate() {
    const LEVEL: f64 = 0.25;
    let samples: Vec<i16> = (0..2 * 48_000)
        .map(|i| {
            (LEVEL * 32_768.0 * (TAU * 440.0 * f64::from(i / 2) / 48_000.0).sin()).round() as i16
        })
        .collect();
    for rate in [8_000, 16_000, 44_100, 96_000, 192_000] {
        let mut voice = voice(F::S32Le, rate, 2, input(CardSample::S16));
        let out = record(&mut voice, F::S32Le, 2, &octets(&samples), &PIECES);
        let left: Vec<f64> = decoded(F::S32Le, &out)
            .iter()
            .step_by(2)
            .map(|s| f64::from(*s) / 2_147_483_648.0)
            .collect();
        let seconds = left.len() as f64 / f64::from(rate);
        assert!((seconds - 1.0).abs() < 0.01, "{rate}: {seconds} s");
        // As the judge knows one rate only, the tone is where it would be at that one.
        let expected = Expected {
            frequency: 440.0 * tone_rate() / f64::from(rate),
            amplitude: LEVEL,
        };
        let heard = tone::judge(&left, &[expected]).expect("the tone");
        let verdict = &heard.tones[0];
        assert!(verdict.snr_db > 75.0, "{rate}: {heard:?}");
        assert!((verdict.level_db + 12.04).abs() < 0.1, "{rate}: {heard:?}");
    }
}

fn tone_rate() -> f64 {
    f64::from(tests::judge::recording::RATE)
}

#[test]
fn levels_are_those_of_the_guests_channels() {
    let heard = octets(&[16_384; 2 * 4_800]);
    let mut four = voice(F::S16Le, 48_000, 4, input(CardSample::S16));
    four.set_gain(0, -6_021);
    four.set_mute(1, true);
    let out = record(&mut four, F::S16Le, 4, &heard, &PIECES);
    let frames: Vec<&[u8]> = out.chunks(8).collect();
    assert_eq!(
        frames[0],
        octets(&[8_192, 0, 0, 0]),
        "from the first frame on"
    );
    // One channel of a guest that records in mono.
    let mut mono = voice(F::S16Le, 48_000, 1, input(CardSample::S16));
    mono.set_gain(0, -12_041);
    let out = record(&mut mono, F::S16Le, 1, &heard, &PIECES);
    assert_eq!(out[..2], 4_096_i16.to_le_bytes());
    // A change on the way takes its time.
    mono.set_gain(0, 0);
    let out = record(&mut mono, F::S16Le, 1, &heard, &PIECES);
    let levels: Vec<i16> = out
        .as_chunks()
        .0
        .iter()
        .map(|s| i16::from_le_bytes(*s))
        .collect();
    assert!(
        levels
            .windows(2)
            .all(|pair| (0..200).contains(&(pair[1] - pair[0])))
    );
    assert_eq!(levels.last(), Some(&16_384));
}

#[test]
fn wide_samples_of_the_input_lose_nothing_in_wide_formats() {
    let sample = 0x1234_5600_i32.to_le_bytes();
    let card = input(CardSample::S32 { bits: 24 });
    let mut voice = voice(F::S32Le, 48_000, 2, card);
    let mut mixer = Mixer::new(card);
    let mut out = [0; 8];
    let first = [sample, sample].concat();
    let input = Input {
        voice: &mut voice,
        first: &first,
        second: &[],
    };
    mixer.record(input, F::S32Le, &mut out);
    assert_eq!(out[..], first);
}

#[test]
fn recorders_do_not_take_the_tables_of_what_plays() {
    let card = input(CardSample::S16);
    let mut mixer = Mixer::new(card);
    // Nobody holds a place for it: that it plays is all that keeps it.
    let mut playing = Voice::new();
    let spec = StreamSpec {
        format: F::S16Le,
        rate: 44_100,
        channels: 2,
    };
    playing.configure(spec, card).expect("plain PCM");
    while !mixer.prepare(&playing) {}
    // More tables than there is room for.
    let rates = (0..40).map(|step| 20_011 + 701 * step);
    let mut recorders: Vec<Voice> = rates.map(|rate| voice(F::S16Le, rate, 2, card)).collect();
    let heard = octets(&[8_192; 2 * 4_800]);
    for round in 0..20 {
        let need = playing.source_frames_for(48) * 4;
        let mut out = [0; 48 * 4];
        let stream = Input {
            voice: &mut playing,
            first: &heard[..need],
            second: &[],
        };
        mixer.render(&mut [stream], 48, &mut out);
        // The first one is the filter's beginning.
        let silent = out.iter().all(|octet| *octet == 0);
        assert!(round == 0 || !silent, "round {round}");
        for recorder in &mut recorders {
            let need = recorder.source_frames_for(10) * 4;
            let stream = Input {
                voice: recorder,
                first: &heard[..need],
                second: &[],
            };
            mixer.record(stream, F::S16Le, &mut [0; 40]);
        }
    }
    // Without anything that plays, tables that are no longer used still make room.
    for _ in 0..900 {
        for recorder in &mut recorders[..2] {
            let need = recorder.source_frames_for(10) * 4;
            let stream = Input {
                voice: recorder,
                first: &heard[..need],
                second: &[],
            };
            mixer.record(stream, F::S16Le, &mut [0; 40]);
        }
    }
    for recorder in &recorders[..2] {
        assert!(mixer.prepare(recorder));
    }
}
