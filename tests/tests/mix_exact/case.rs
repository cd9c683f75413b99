//! Streams of any kind, how they are mixed, and what big integers say of them.

use ring_backend::format::SampleFormat;
use ring_backend::mix::gain::Gain;
use ring_backend::mix::{Input, Mixer, StreamSpec, Tier, Voice};
use ring_backend::world::{CardFormat, CardSample};

/// xorshift64*.
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub fn octets(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

pub fn card(sample: CardSample, channels: u8) -> CardFormat {
    CardFormat {
        rate: 48_000,
        channels,
        sample,
    }
}

pub fn voice(format: SampleFormat, card: CardFormat) -> Voice {
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
pub fn reference(sum: i128, sample: CardSample) -> i128 {
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

pub fn samples(out: &[u8], sample: CardSample) -> Vec<i128> {
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

pub struct Case {
    pub tier: Tier,
    pub card: CardFormat,
    pub formats: Vec<SampleFormat>,
    pub milli_db: Vec<[i32; 8]>,
    pub octets: Vec<Vec<u8>>,
    pub frames: usize,
}

impl Case {
    pub fn random(
        dice: &mut Dice,
        tier: Tier,
        card: CardFormat,
        streams: usize,
        all_16: bool,
    ) -> Self {
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
    pub fn render(&self, dice: &mut Dice, blocks: bool) -> Vec<i128> {
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

    pub fn reference(&self) -> Vec<i128> {
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
