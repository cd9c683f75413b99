//! The plain sum: exact at any number of streams, in any blocks, at every extreme.

use ring_backend::format::SampleFormat;
use ring_backend::mix::gain::Gain;
use ring_backend::mix::{Input, Mixer, StreamSpec, Tier, Voice};
use ring_backend::world::{CardFormat, CardSample};

const CARDS: [CardSample; 4] = [
    CardSample::S16,
    CardSample::S32 { bits: 20 },
    CardSample::S32 { bits: 24 },
    CardSample::S32 { bits: 32 },
];

/// xorshift64*.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn octets(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

fn card(sample: CardSample, channels: u8) -> CardFormat {
    CardFormat {
        rate: 48_000,
        channels,
        sample,
    }
}

fn voice(format: SampleFormat, card: CardFormat) -> Voice {
    let mut voice = Voice::new();
    let spec = StreamSpec {
        format,
        rate: card.rate,
        channels: card.channels,
    };
    voice.configure(spec, card).expect("plain PCM");
    voice
}

/// What the sum must be: integers wide enough for anything, one rounding, one saturation.
fn reference(sum: i128, sample: CardSample) -> i128 {
    // `sum` is in units of 2^-(31 + 22).
    let bits = match sample {
        CardSample::S16 => 16,
        CardSample::S32 { bits } => u32::from(bits),
    };
    let drop = 22 + 32 - bits;
    let rounded = (sum + (1 << (drop - 1))) >> drop;
    let top = (1_i128 << (bits - 1)) - 1;
    let value = rounded.clamp(-top - 1, top);
    match sample {
        CardSample::S16 => value,
        CardSample::S32 { .. } => value << (32 - bits),
    }
}

fn samples(out: &[u8], sample: CardSample) -> Vec<i128> {
    match sample {
        CardSample::S16 => out
            .as_chunks()
            .0
            .iter()
            .map(|&x| i16::from_le_bytes(x).into())
            .collect(),
        CardSample::S32 { .. } => out
            .as_chunks()
            .0
            .iter()
            .map(|&x| i32::from_le_bytes(x).into())
            .collect(),
    }
}

struct Case {
    tier: Tier,
    card: CardFormat,
    formats: Vec<SampleFormat>,
    milli_db: Vec<[i32; 8]>,
    octets: Vec<Vec<u8>>,
    frames: usize,
}

impl Case {
    fn random(dice: &mut Dice, tier: Tier, card: CardFormat, streams: usize, all_16: bool) -> Self {
        let frames = 1 + dice.below(700) as usize;
        let formats: Vec<_> = (0..streams)
            .map(|_| match dice.below(4) {
                _ if all_16 => SampleFormat::S16Le,
                0 => SampleFormat::S32Le,
                1 => SampleFormat::U24Be,
                _ => SampleFormat::S16Le,
            })
            .collect();
        // As most mixes are: every stream has one gain, and none is much softer than the rest.
        let plain = all_16 && dice.below(2) == 0;
        let (top, range) = if plain {
            (dice.below(20_000) as i32, 1 + dice.below(20_000))
        } else {
            (0, 60_000)
        };
        let milli_db = (0..streams)
            .map(|_| {
                let uniform = plain || dice.below(2) == 0;
                let mut levels = [0; 8];
                let base = 6_020 - top - dice.below(range) as i32;
                for level in &mut levels {
                    let spread = dice.below(9_000) as i32;
                    *level = match dice.below(8) {
                        0 if !uniform => i32::MIN,
                        _ if uniform => base,
                        _ => base - spread,
                    };
                }
                levels
            })
            .collect();
        let octets = formats
            .iter()
            .map(|format| {
                let size = frames * usize::from(card.channels) * format.octets().unwrap_or(0);
                match dice.below(4) {
                    // Full scale up.
                    1 => [0xFF, 0x7F].into_iter().cycle().take(size).collect(),
                    // Full scale down, everywhere: the worst sum there is.
                    0 => [0, 0, 0, 0x80, 0, 0x80, 0, 0x80]
                        .into_iter()
                        .cycle()
                        .take(size)
                        .collect(),
                    _ => dice.octets(size),
                }
            })
            .collect();
        Self {
            tier,
            card,
            formats,
            milli_db,
            octets,
            frames,
        }
    }

    fn voices(&self) -> Vec<Voice> {
        let volumes = self.formats.iter().zip(&self.milli_db);
        volumes
            .map(|(&format, levels)| {
                let mut voice = voice(format, self.card);
                for (channel, &level) in levels.iter().enumerate() {
                    voice.set_gain(channel, level);
                }
                voice
            })
            .collect()
    }

    /// Renders in blocks of random sizes, each from two pieces parted anywhere.
    fn render(&self, dice: &mut Dice, blocks: bool) -> Vec<i128> {
        let mut voices = self.voices();
        let mut mixer = Mixer::with_tier(self.card, self.tier);
        let mut out = vec![0x55; self.frames * self.card.frame_octets()];
        let mut at = 0;
        while at < self.frames {
            let left = self.frames - at;
            let count = if blocks {
                1 + dice.below(left as u64) as usize
            } else {
                left
            };
            let mut inputs: Vec<_> = voices
                .iter_mut()
                .zip(&self.octets)
                .map(|(voice, octets)| {
                    let size = octets.len() / self.frames;
                    let piece = &octets[at * size..(at + count) * size];
                    let cut = match dice.below(4) {
                        0 if blocks => dice.below(piece.len() as u64 + 1) as usize,
                        1 if blocks => dice.below(count as u64 + 1) as usize * size,
                        _ => piece.len(),
                    };
                    let (first, second) = piece.split_at(cut);
                    assert_eq!(voice.source_frames_for(count), count);
                    Input {
                        voice,
                        first,
                        second,
                    }
                })
                .collect();
            let octets = self.card.frame_octets();
            mixer.render(
                &mut inputs,
                count,
                &mut out[at * octets..(at + count) * octets],
            );
            at += count;
        }
        samples(&out, self.card.sample)
    }

    fn reference(&self) -> Vec<i128> {
        let channels = usize::from(self.card.channels);
        (0..self.frames * channels)
            .map(|index| {
                let mut sum = 0_i128;
                for ((format, octets), levels) in
                    self.formats.iter().zip(&self.octets).zip(&self.milli_db)
                {
                    let size = format.octets().unwrap();
                    let raw = &octets[index * size..(index + 1) * size];
                    let value = match format {
                        SampleFormat::S16Le => {
                            i128::from(i16::from_le_bytes([raw[0], raw[1]])) << 16
                        }
                        SampleFormat::S32Le => {
                            i128::from(i32::from_le_bytes(raw.try_into().unwrap()))
                        }
                        _ => {
                            let number = u32::from_be_bytes([0, raw[1], raw[2], raw[3]]);
                            (i128::from(number) - 0x80_0000) << 8
                        }
                    };
                    let narrow =
                        (*format, self.card.sample) == (SampleFormat::S16Le, CardSample::S16);
                    let gain = if narrow {
                        Gain::short
                    } else {
                        Gain::from_milli_db
                    };
                    let gain = gain(levels[index % channels]).bits();
                    sum += value * i128::from(gain);
                }
                reference(sum, self.card.sample)
            })
            .collect()
    }
}

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
