//! The soft limiter: exact where it is not needed, never cutting where it is.

use ring_backend::format::SampleFormat;
use ring_backend::mix::{Input, Mixer, StreamSpec, Tier, Voice};
use ring_backend::world::{CardFormat, CardSample};

const SAMPLES: [CardSample; 3] = [
    CardSample::S16,
    CardSample::S32 { bits: 24 },
    CardSample::S32 { bits: 32 },
];

/// Sums equal stereo streams at 0 dB, in blocks of this many frames, into left-justified samples.
fn sum(
    tier: Tier,
    sample: CardSample,
    soft: bool,
    stream: &[i32],
    count: usize,
    block: usize,
) -> Vec<i32> {
    let card = CardFormat {
        rate: 48_000,
        channels: 2,
        sample,
    };
    let spec = StreamSpec {
        format: SampleFormat::S32Le,
        rate: 48_000,
        channels: 2,
    };
    let octets: Vec<u8> = stream.iter().flat_map(|x| x.to_le_bytes()).collect();
    let mut voices: Vec<Voice> = (0..count).map(|_| Voice::new()).collect();
    for voice in &mut voices {
        voice.configure(spec, card).expect("plain PCM");
    }
    let mut mixer = Mixer::with_tier(card, tier);
    mixer.set_limiter(soft);
    let mut out = Vec::new();
    for octets in octets.chunks(block * 8) {
        let mut inputs: Vec<Input<'_>> = voices
            .iter_mut()
            .map(|voice| Input {
                voice,
                first: octets,
                second: &[],
            })
            .collect();
        let mut frames = vec![0; octets.len() / 8 * card.frame_octets()];
        mixer.render(&mut inputs, octets.len() / 8, &mut frames);
        out.extend(frames.chunks(card.frame_octets() / 2).map(|octets| {
            let mut word = [0; 4];
            word[4 - octets.len()..].copy_from_slice(octets);
            i32::from_le_bytes(word)
        }));
    }
    out
}

/// From silence to full scale, up on one side and down on the other.
fn slope(frames: i32) -> Vec<i32> {
    (0..frames)
        .flat_map(|n| {
            let level = (i64::from(n) * i64::from(i32::MAX) / i64::from(frames - 1)) as i32;
            [level, -level]
        })
        .collect()
}

#[test]
fn what_stays_below_the_knee_is_as_without_it() {
    for sample in SAMPLES {
        let stream: Vec<i32> = slope(3_000).iter().map(|x| x / 8 * 3).collect();
        for tier in Tier::every() {
            let plain = sum(tier, sample, false, &stream, 2, 480);
            assert!(plain.iter().any(|x| x.abs() > 1 << 30));
            assert!(plain == sum(tier, sample, true, &stream, 2, 480));
        }
    }
}

#[test]
fn the_louder_the_sum_the_louder_it_stays_and_none_is_cut() {
    let stream = slope(48_000);
    for count in [1, 2, 16] {
        let out = sum(Tier::detected(), SAMPLES[2], true, &stream, count, 480);
        let full = f64::from(1_u32 << 31);
        let step = f64::from(stream[2]) * count as f64 / full;
        let mut last = [0.0_f64; 2];
        for (frame, exact) in out.chunks(2).zip(stream.chunks(2)) {
            for ((out, exact), last) in frame.iter().zip(exact).zip(&mut last) {
                let (out, exact) = (f64::from(*out) / full, f64::from(*exact) / full);
                let exact = exact * count as f64;
                // Never louder than the sum, never steeper (but for its own steps), and never at
                // full scale.
                assert!(out.abs() <= exact.abs() + 1e-9 && out.abs() < 1.0);
                let rise = (out - *last) * exact.signum();
                assert!(
                    (-1e-9..step + 2e-9 * count as f64).contains(&rise),
                    "{exact}: {rise}"
                );
                *last = out;
            }
        }
        // What is cut without it still tells loud from louder.
        let loudest = last[0];
        println!("{count} at full scale: {loudest:.4}");
        assert!(loudest > 0.93 && (count == 1 || loudest > 0.98));
    }
}

#[test]
fn every_tier_bends_alike_in_any_blocks() {
    let stream = slope(2_000);
    for sample in SAMPLES {
        let expected = sum(Tier::Scalar, sample, true, &stream, 5, 2_000);
        assert!(expected != sum(Tier::Scalar, sample, false, &stream, 5, 2_000));
        for tier in Tier::every() {
            for block in [1, 7, 48, 2_000] {
                assert!(
                    expected == sum(tier, sample, true, &stream, 5, block),
                    "{tier} {block}"
                );
            }
        }
    }
}
