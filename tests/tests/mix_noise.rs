//! What rounding adds: one rounding's error without dither, a steady hiss with it.

use ring_backend::format::SampleFormat;
use ring_backend::mix::gain::Gain;
use ring_backend::mix::{Input, Mixer, StreamSpec, Tier, Voice};
use ring_backend::world::{CardFormat, CardSample};
use std::f64::consts::TAU;

fn card(sample: CardSample) -> CardFormat {
    CardFormat {
        rate: 48_000,
        channels: 2,
        sample,
    }
}

fn voice(format: SampleFormat, card: CardFormat, milli_db: i32) -> Voice {
    let mut voice = Voice::new();
    let spec = StreamSpec {
        format,
        rate: card.rate,
        channels: card.channels,
    };
    voice.configure(spec, card).expect("plain PCM");
    for channel in 0..2 {
        voice.set_gain(channel, milli_db);
    }
    voice
}

/// Renders streams in blocks of these sizes, over and over, into left-justified samples.
fn play(
    mixer: &mut Mixer,
    voices: &mut [Voice],
    octets: &[Vec<u8>],
    frames: usize,
    blocks: &[usize],
    card: CardFormat,
) -> Vec<i32> {
    let size = card.frame_octets();
    let mut out = vec![0; frames * size];
    let mut at = 0;
    for &block in blocks.iter().cycle() {
        let count = block.min(frames - at);
        if count == 0 {
            break;
        }
        let mut inputs: Vec<_> = voices
            .iter_mut()
            .zip(octets)
            .map(|(voice, octets)| {
                let frame = octets.len() / frames;
                Input {
                    voice,
                    first: &octets[at * frame..(at + count) * frame],
                    second: &[],
                }
            })
            .collect();
        mixer.render(&mut inputs, count, &mut out[at * size..(at + count) * size]);
        at += count;
    }
    let justify = |octets: &[u8]| {
        let mut word = [0; 4];
        word[4 - octets.len()..].copy_from_slice(octets);
        i32::from_le_bytes(word)
    };
    out.chunks(size / 2).map(justify).collect()
}

fn noise(samples: usize, seed: u64) -> impl Iterator<Item = i32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..samples).map(move |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as i32
    })
}

/// Mean and mean square.
fn moments(errors: &[f64]) -> (f64, f64) {
    let count = errors.len() as f64;
    let square: f64 = errors.iter().map(|error| error * error).sum();
    (errors.iter().sum::<f64>() / count, square / count)
}

#[test]
fn sixty_four_streams_are_rounded_once_and_without_bias() {
    let card = card(CardSample::S16);
    let streams: Vec<Vec<i32>> = (0..64)
        .map(|seed| noise(2 * 24_000, seed + 1).map(|x| x >> 5).collect())
        .collect();
    let octets: Vec<Vec<u8>> = streams
        .iter()
        .map(|samples| samples.iter().flat_map(|x| x.to_le_bytes()).collect())
        .collect();
    let volume = |stream: usize| -3_000 - (stream as i32 * 977) % 17_000;
    for tier in Tier::every() {
        let mut voices: Vec<_> = (0..64)
            .map(|stream| voice(SampleFormat::S32Le, card, volume(stream)))
            .collect();
        let mut mixer = Mixer::with_tier(card, tier);
        let out = play(&mut mixer, &mut voices, &octets, 24_000, &[48], card);
        let errors: Vec<f64> = out
            .iter()
            .enumerate()
            .map(|(index, &sample)| {
                let exact: i128 = (0..64)
                    .map(|stream| {
                        let gain = Gain::from_milli_db(volume(stream)).bits();
                        i128::from(streams[stream][index]) * i128::from(gain)
                    })
                    .sum();
                f64::from(sample >> 16) - exact as f64 / 2_f64.powi(38)
            })
            .collect();
        let (mean, square) = moments(&errors);
        println!(
            "{tier}: bias {mean:.5}, error {:.4} of a last place",
            square.sqrt()
        );
        assert!(mean.abs() < 0.02, "{tier}: {mean}");
        assert!((square * 12.0 - 1.0).abs() < 0.03, "{tier}: {square}");
    }
}

#[test]
fn dither_is_the_same_in_any_blocks_and_on_any_tier() {
    for sample in [
        CardSample::S16,
        CardSample::S32 { bits: 20 },
        CardSample::S32 { bits: 24 },
    ] {
        let card = card(sample);
        for formats in [
            &[SampleFormat::S16Le][..],
            &[SampleFormat::S32Le, SampleFormat::S16Le],
            // Converted on its way, so that not all is summed as it lies.
            &[
                SampleFormat::S16Le,
                SampleFormat::S32Be,
                SampleFormat::S16Le,
            ],
        ] {
            let frames = 5_000;
            let octets: Vec<Vec<u8>> = (0..)
                .zip(formats)
                .map(|(seed, format)| {
                    let count = frames * 2 * format.octets().unwrap() / 4;
                    let words = noise(count, seed + 7).map(|x| x >> 3);
                    words.flat_map(|x| x.to_le_bytes()).collect()
                })
                .collect();
            let mut expected: Option<Vec<i32>> = None;
            let mut plain = None;
            for tier in Tier::every() {
                for blocks in [&[5_000][..], &[48], &[1, 7, 480, 3, 129]] {
                    for dither in [false, true] {
                        let mut voices: Vec<_> = formats
                            .iter()
                            .map(|&format| voice(format, card, -1_234))
                            .collect();
                        let mut mixer = Mixer::with_tier(card, tier);
                        mixer.set_dither(dither);
                        let out = play(&mut mixer, &mut voices, &octets, frames, blocks, card);
                        let before = if dither { &mut expected } else { &mut plain };
                        let before = before.get_or_insert_with(|| out.clone());
                        assert!(*before == out, "{sample:?} {formats:?} {tier} {blocks:?}");
                    }
                }
            }
            assert!(
                expected != plain,
                "{sample:?} {formats:?}: dither does something"
            );
        }
    }
}

/// Renders one stream of 32 bits into a 16-bit card with dither, and gives what was added to it,
/// in last places.
fn dithered(samples: &[i32]) -> Vec<f64> {
    let card = card(CardSample::S16);
    let octets = samples.iter().flat_map(|x| x.to_le_bytes()).collect();
    let mut mixer = Mixer::new(card);
    mixer.set_dither(true);
    let mut voices = [voice(SampleFormat::S32Le, card, 0)];
    let frames = samples.len() / 2;
    let out = play(&mut mixer, &mut voices, &[octets], frames, &[480], card);
    let pairs = out.iter().zip(samples);
    pairs
        .map(|(&out, &x)| (f64::from(out) - f64::from(x)) / 65_536.0)
        .collect()
}

#[test]
fn the_hiss_does_not_depend_on_what_is_rounded() {
    // Triangular, two places wide: a sixth of a square place, and a twelfth for the rounding.
    for fraction in [0, 9_000, 24_247, 32_768, 41_288, 65_535] {
        let errors = dithered(&vec![(1_000 << 16) + fraction; 400_000]);
        let (mean, square) = moments(&errors);
        println!("{fraction}: mean {mean:.4}, square {square:.4}");
        assert!(mean.abs() < 0.005, "{fraction}: {mean}");
        assert!((square - 0.25).abs() < 0.005, "{fraction}: {square}");
        assert!(errors.iter().all(|error| error.abs() <= 1.5));
        // White: no sample says anything of those near it.
        for lag in 1..200 {
            let pairs = errors.iter().zip(&errors[lag..]);
            let product = pairs.map(|(a, b)| a * b).sum::<f64>() / errors.len() as f64;
            assert!(
                product.abs() < 0.25 * 0.01,
                "{fraction}: {product} at {lag}"
            );
        }
    }
}

#[test]
fn a_tone_below_the_last_place_is_heard_through_dither_alone() {
    let tone: Vec<i32> = (0..2 * 192_000)
        .map(|n| ((TAU * 1_000.0 * f64::from(n / 2) / 48_000.0).sin() * 0.3 * 65_536.0) as i32)
        .collect();
    let level = |out: &[f64]| {
        let sines = out
            .iter()
            .enumerate()
            .map(|(n, sample)| sample * (TAU * 1_000.0 * (n / 2) as f64 / 48_000.0).sin());
        2.0 * sines.sum::<f64>() / out.len() as f64
    };
    let errors = dithered(&tone);
    let out: Vec<f64> = errors
        .iter()
        .zip(&tone)
        .map(|(error, &x)| error + f64::from(x) / 65_536.0)
        .collect();
    assert!((level(&out) - 0.3).abs() < 0.005, "{}", level(&out));
    // Without it nothing is left of the tone.
    let card = card(CardSample::S16);
    let octets = tone.iter().flat_map(|x| x.to_le_bytes()).collect();
    let mut voices = [voice(SampleFormat::S32Le, card, 0)];
    let mut mixer = Mixer::new(card);
    let plain = play(&mut mixer, &mut voices, &[octets], 192_000, &[480], card);
    assert!(plain.iter().all(|&sample| sample == 0));
}

#[test]
fn what_a_card_can_hold_is_not_dithered() {
    let card = card(CardSample::S16);
    let octets: Vec<u8> = noise(24_000, 3).flat_map(|x| x.to_le_bytes()).collect();
    let mut mixer = Mixer::new(card);
    mixer.set_dither(true);
    let mut voices = [voice(SampleFormat::S16Le, card, 0)];
    let same = [octets];
    let out = play(&mut mixer, &mut voices, &same, 24_000, &[48, 7], card);
    let words = same[0].as_chunks().0.iter();
    assert!(
        out.iter()
            .zip(words)
            .all(|(&out, &x)| out >> 16 == i32::from(i16::from_le_bytes(x)))
    );
}
