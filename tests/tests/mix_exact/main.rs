//! The plain sum: exact at any number of streams, in any blocks, at every extreme.

mod case;

use case::{Case, Dice, card, voice};
use ring_backend::format::SampleFormat;
use ring_backend::mix::gain::Gain;
use ring_backend::mix::{Input, Mixer, Tier, Voice};
use ring_backend::world::CardSample;

const CARDS: [CardSample; 4] = [
    CardSample::S16,
    CardSample::S32 { bits: 20 },
    CardSample::S32 { bits: 24 },
    CardSample::S32 { bits: 32 },
];

#[test]
fn any_streams_at_any_gains_sum_as_big_integers_do() {
    let mut dice = Dice(20_261_122);
    for tier in Tier::every() {
        for round in 0..240_u64 {
            let sample = CARDS[(round % 4) as usize];
            let channels = 1 + dice.below(8) as u8;
            let streams = match round % 3 {
                0 => dice.below(5) as usize,
                1 => dice.below(20) as usize,
                _ => 64 + dice.below(40) as usize,
            };
            let case = Case::random(
                &mut dice,
                tier,
                card(sample, channels),
                streams,
                round % 5 < 3,
            );
            let out = case.render(&mut dice, round % 2 == 0);
            let expected = case.reference();
            let wrong = out.iter().zip(&expected).position(|(a, b)| a != b);
            assert_eq!(
                wrong,
                None,
                "{tier:?}, round {round}: {streams} streams, {channels} channels, {sample:?}: \
                 {:?} is not {:?}",
                wrong.map(|at| out[at]),
                wrong.map(|at| expected[at])
            );
        }
    }
}

/// As most of a card's streams are 16 bits and few are converted, and gains of a stream's channels
/// may be far apart.
#[test]
fn streams_of_16_bits_beside_converted_ones_sum_as_big_integers_do() {
    let mut dice = Dice(20_261_130);
    for tier in Tier::every() {
        for round in 0..150_u64 {
            let streams = 1 + dice.below(if round % 4 == 0 { 90 } else { 12 }) as usize;
            let channels = [1, 2, 2, 4, 8][(round % 5) as usize];
            let card = card(CardSample::S16, channels);
            let mut case = Case::random(&mut dice, tier, card, streams, true);
            for (format, octets) in case.formats.iter_mut().zip(&mut case.octets) {
                if dice.below(3) == 0 {
                    *format = SampleFormat::U24Be;
                    *octets = dice.octets(2 * octets.len());
                }
            }
            let out = case.render(&mut dice, round % 2 == 0);
            let expected = case.reference();
            let wrong = out.iter().zip(&expected).position(|(a, b)| a != b);
            assert_eq!(
                wrong, None,
                "{tier:?}, round {round}: {streams} streams, {channels} channels"
            );
        }
    }
}

/// Streams that all do the same, whose sum is far beyond full scale at times.
#[test]
fn sums_far_beyond_full_scale_keep_their_sign() {
    let mut dice = Dice(20_261_128);
    for tier in Tier::every() {
        for round in 0..200 {
            let streams = 2 + round % 14;
            // What gains sum to is from below 1 to 8.
            let total = 20_000.0 * ((0.7 + 0.0365 * round as f64) / streams as f64).log10();
            let milli_db = (0..streams).map(|_| [total as i32 - dice.below(40) as i32; 8]);
            let milli_db = milli_db.collect();
            let frames = 200;
            let levels = [i16::MIN, i16::MAX, -16_000, 3, 9_000, 25_000];
            let pattern: Vec<i16> = (0..2 * frames)
                .map(|_| levels[dice.below(6) as usize])
                .collect();
            let octets = (0..streams)
                .map(|_| {
                    let near = pattern
                        .iter()
                        .map(|&x| x - x.signum() * dice.below(2) as i16);
                    near.flat_map(i16::to_le_bytes).collect()
                })
                .collect();
            let case = Case {
                tier,
                card: card(CardSample::S16, 2),
                formats: vec![SampleFormat::S16Le; streams],
                milli_db,
                octets,
                frames,
            };
            assert!(
                case.render(&mut dice, false) == case.reference(),
                "{tier:?}, round {round}"
            );
        }
    }
}

#[test]
fn a_lone_16_bit_stream_reaches_a_16_bit_card_bit_for_bit() {
    let mut dice = Dice(7);
    for tier in Tier::every() {
        let card = card(CardSample::S16, 2);
        let mut octets: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
        octets.extend(dice.octets(4 * 1_001));
        let mut voice = voice(SampleFormat::S16Le, card);
        let mut mixer = Mixer::with_tier(card, tier);
        let mut out = vec![0; octets.len()];
        for (block, out) in octets.chunks(4 * 48).zip(out.chunks_mut(4 * 48)) {
            let input = Input {
                voice: &mut voice,
                first: block,
                second: &[],
            };
            mixer.render(&mut [input], out.len() / 4, out);
        }
        assert!(out == octets);
    }
}

#[test]
fn every_step_down_to_minus_53_db_is_another_gain_within_half_a_step() {
    let mut last = [i32::MAX; 2];
    for milli_db in (-53_600..=6_019).rev() {
        let gains = [Gain::short(milli_db), Gain::from_milli_db(milli_db)].map(Gain::bits);
        for (gain, last) in gains.into_iter().zip(&mut last) {
            let db = 20_000.0 * (f64::from(gain) / f64::from(1 << 22)).log10();
            assert!((db - f64::from(milli_db)).abs() < 0.5, "{milli_db}: {db}");
            assert!(gain < *last, "{milli_db} is not softer than the step above");
            *last = gain;
        }
        let [short, full] = gains;
        // Sixteen bits with a sign hold it.
        assert!(short >> short.trailing_zeros() < 1 << 15);
        let exact = 10_f64.powf(f64::from(milli_db) / 20_000.0) * f64::from(1 << 22);
        let most = if milli_db > 6_018 { 600.0 } else { 0.51 };
        assert!(
            (f64::from(full) - exact).abs() < most,
            "{milli_db}: {full}, {exact}"
        );
    }
    for gain in [Gain::short, Gain::from_milli_db] {
        assert_eq!(gain(0), Gain::UNITY);
        assert_eq!(gain(i32::MAX), Gain::MAX);
        assert_eq!(gain(i32::MIN), Gain::ZERO);
    }
}

#[test]
fn silence_is_what_no_streams_sum_to() {
    for sample in CARDS {
        let card = card(sample, 2);
        let mut out = vec![0xAA; card.frame_octets() * 300];
        Mixer::new(card).render(&mut [], 300, &mut out);
        assert!(out.iter().all(|&octet| octet == 0));
        let mut idle = Voice::new();
        let input = Input {
            voice: &mut idle,
            first: &[1, 2, 3],
            second: &[],
        };
        Mixer::new(card).render(&mut [input], 300, &mut out);
        assert!(out.iter().all(|&octet| octet == 0));
    }
}
