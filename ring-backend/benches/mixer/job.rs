//! The work that is timed.

use crate::limit::Level;
use crate::{bound, dithered, fir, limit, peers, pulse, purity, spa};
use ring_backend::format::SampleFormat;
use ring_backend::mix::{Input, Mixer, Quality, StreamSpec, Tier, Voice};
use ring_backend::world::{CardFormat, CardSample};

/// One row of the table.
pub struct Job {
    /// Its name in the report.
    pub name: &'static str,
    streams: usize,
    frames: usize,
    format: SampleFormat,
    sample: CardSample,
    rate: u32,
    card_rate: u32,
    quality: Quality,
    drift: Option<i32>,
    /// The volume of all streams, if it is the same.
    volume: Option<i32>,
    /// What it costs to dither alone is looked for, per frame of the card.
    dither: bool,
    /// What the streams cost beside one that is resampled is looked for, without that one.
    beside: bool,
}

/// An engine at work: one call is one block.
pub type Run = Box<dyn FnMut()>;

const WIDE: CardSample = CardSample::S32 { bits: 32 };

/// All rows.
pub fn jobs() -> Vec<Job> {
    let mix = |name, streams, frames, format, sample| Job {
        name,
        streams,
        frames,
        format,
        sample,
        rate: 48_000,
        card_rate: 48_000,
        quality: Quality::Best,
        drift: None,
        volume: None,
        dither: false,
        beside: false,
    };
    let resample = |name, format, quality, drift| Job {
        quality,
        drift,
        rate: 44_100,
        ..mix(name, 1, 480, format, WIDE)
    };
    let (s16, s32) = (SampleFormat::S16Le, SampleFormat::S32Le);
    vec![
        mix("mix_s16_10ms_1", 1, 480, s16, CardSample::S16),
        mix("mix_s16_10ms_8", 8, 480, s16, CardSample::S16),
        mix("mix_s16_10ms_64", 64, 480, s16, CardSample::S16),
        mix("mix_s16_1ms_8", 8, 48, s16, CardSample::S16),
        mix("mix_s16_1ms_64", 64, 48, s16, CardSample::S16),
        Job {
            volume: Some(0),
            ..mix("mix_s16_10ms_8_unity", 8, 480, s16, CardSample::S16)
        },
        Job {
            beside: true,
            ..mix("mix_s16_beside_resampled", 8, 480, s16, CardSample::S16)
        },
        mix("mix_s32_10ms_8", 8, 480, s32, WIDE),
        mix("mix_s32_10ms_64", 64, 480, s32, WIDE),
        mix("mix_s32_1ms_8", 8, 48, s32, WIDE),
        Job {
            dither: true,
            ..mix("dither", 2, 480, s16, CardSample::S16)
        },
        resample("resample_441_480_best", s32, Quality::Best, None),
        resample("resample_441_480_best_s16", s16, Quality::Best, None),
        resample("resample_441_480_cheap", s32, Quality::Light, None),
        Job {
            rate: 48_000,
            card_rate: 44_100,
            ..resample("resample_480_441_best", s32, Quality::Best, None)
        },
        Job {
            streams: 8,
            ..resample("resample_441_480_best_batch8", s32, Quality::Best, None)
        },
        // 100 ppm.
        resample("resample_async", s32, Quality::Best, Some(429_497)),
    ]
}

impl Job {
    /// Frames times streams of one call; of dither, the card's frames.
    pub fn units(&self) -> f64 {
        (self.frames * if self.dither { 1 } else { self.streams }) as f64
    }

    /// Whether a tier makes a difference: AVX-VNNI does where 16-bit streams are summed, and where
    /// streams are resampled in step.
    pub fn tells(&self, word: &str) -> bool {
        let narrow = self.rate == 48_000 && self.sample == CardSample::S16 && !self.dither;
        word.is_empty() || narrow || self.resamples() && self.streams > 1
    }

    /// Whether [`Job::plain`] is to be taken off.
    pub const fn is_more(&self) -> bool {
        self.dither || self.beside
    }

    /// What it is to cost, with 128-bit vectors or, if `avx2`, 256-bit ones.
    pub fn goal(&self, avx2: bool) -> Option<f64> {
        let [wide, narrow] = match (self.format, self.frames) {
            _ if self.dither => [0.4, 0.8],
            _ if self.resamples() => return self.resampling_goal(avx2),
            _ if self.streams < 8 => return None,
            (SampleFormat::S16Le, 480) => [0.08, 0.14],
            (SampleFormat::S16Le, _) => [0.10, 0.16],
            (_, 480) => [0.22, 0.50],
            _ => [0.24, 0.50],
        };
        Some(if avx2 { wide } else { narrow })
    }

    fn resampling_goal(&self, avx2: bool) -> Option<f64> {
        let [wide, narrow] = match self.quality {
            Quality::Light => [6.0, 10.0],
            Quality::Best if self.drift.is_some() => [16.0, 28.0],
            Quality::Best if self.rate > self.card_rate => return None,
            Quality::Best if self.streams > 1 => return avx2.then_some(7.0),
            Quality::Best => [12.0, 20.0],
        };
        Some(if avx2 { wide } else { narrow })
    }

    fn octets(&self) -> usize {
        self.format.octets().unwrap_or(0) * 2
    }

    /// Noise for every stream, peaks at -12 dB of full scale: eight streams' sum stays below that,
    /// of 64 one sample in 270 is beyond and takes what it takes to cut it.
    fn rings(&self) -> Vec<Vec<u8>> {
        let mut state = 1_u64;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 32) as i32 >> 2
        };
        let octets = self.format.octets().unwrap_or(0);
        let samples = self.frames * 4;
        let ring = |_| {
            let samples = (0..samples).map(|_| next().to_le_bytes());
            samples
                .flat_map(|word| word[4 - octets..].to_vec())
                .collect()
        };
        (0..=self.streams).map(ring).collect()
    }

    /// Volumes from -6 to -18 dB, all different.
    fn volume(&self, stream: usize) -> i32 {
        self.volume
            .unwrap_or(-6_000 - (stream as i32 * 977) % 12_000)
    }

    /// The mixer of this crate.
    pub fn ours(&self, tier: Tier) -> Run {
        self.run(tier, true)
    }

    /// The same without what is looked for.
    pub fn plain(&self, tier: Tier) -> Run {
        self.run(tier, false)
    }

    fn run(&self, tier: Tier, whole: bool) -> Run {
        let card = CardFormat {
            rate: self.card_rate,
            channels: 2,
            sample: self.sample,
        };
        let spec = StreamSpec {
            format: self.format,
            rate: self.rate,
            channels: 2,
        };
        let mut mixer = Mixer::with_tier(card, tier);
        mixer.set_dither(self.dither && whole);
        // The last one is the one beside which they are.
        let first = if whole || !self.beside {
            0
        } else {
            self.streams
        };
        let streams = first..self.streams + usize::from(self.beside);
        let mut voices: Vec<Voice> = streams
            .map(|stream| {
                let rate = if stream == self.streams {
                    44_100
                } else {
                    self.rate
                };
                let spec = StreamSpec { rate, ..spec };
                let mut voice = Voice::new();
                voice.set_quality(self.quality);
                voice.set_drift(self.drift);
                voice.configure(spec, card).expect("plain PCM");
                for channel in 0..2 {
                    voice.set_gain(channel, self.volume(stream));
                }
                while !mixer.prepare(&voice) {}
                voice
            })
            .collect();
        let rings = self.rings();
        let (frames, octets) = (self.frames, self.octets());
        let mut out = vec![0; frames * card.frame_octets()];
        if self.rate == card.rate && !self.beside {
            // As other mixers, it is told once where the streams are.
            let rings = rings.into_iter().map(Vec::leak);
            let voices = voices.leak().iter_mut();
            let mut inputs: Vec<_> = voices
                .zip(rings)
                .map(|(voice, ring)| Input {
                    voice,
                    first: &ring[..frames * octets],
                    second: &[],
                })
                .collect();
            return Box::new(move || {
                mixer.render(&mut inputs, frames, &mut out);
                std::hint::black_box(&out);
            });
        }
        Box::new(move || {
            let mut inputs = Vec::with_capacity(voices.len());
            for (voice, ring) in voices.iter_mut().zip(&rings) {
                let need = voice.source_frames_for(frames) * octets;
                inputs.push(Input {
                    voice,
                    first: &ring[..need],
                    second: &[],
                });
            }
            mixer.render(&mut inputs, frames, &mut out);
            std::hint::black_box(&out);
        })
    }

    /// The least that reading, multiplying, adding and packing cost, where such a loop exists.
    pub fn limit(&self, tier: Tier) -> Option<Run> {
        let avx2 = matches!(tier, Tier::Avx2(_));
        if self.resamples() && tier != Tier::Scalar {
            let taps = self.taps();
            let planes = if self.drift.is_some() { 4 } else { 2 };
            let low = self.format != SampleFormat::S16Le;
            return fir::run(taps, planes, low, self.frames * self.streams, avx2);
        }
        self.loops(tier, |job, level| {
            limit::mix(job.streams(), job.block(), job.wide(), level, false)
        })
    }

    /// The same with a gain of its own for every stream, and with noise where that is looked for;
    /// reading them alone; and the operations that their sum takes at least, alone.
    pub fn bounds(&self, tier: Tier) -> [Option<Run>; 3] {
        let own = self.loops(tier, |job, level| {
            limit::mix(job.streams(), job.block(), job.wide(), level, true)
        });
        let read = self.loops(tier, |job, level| {
            limit::read(job.streams(), job.block(), level != Level::Sse2)
        });
        let sums = self.loops(tier, |job, level| {
            let octets = job.streams * job.block();
            bound::arithmetic(octets, job.wide(), level != Level::Sse2)
        });
        [own.or_else(|| self.dithered(tier, true)), read, sums]
    }

    /// What is to be taken off the first of these, as [`Job::plain`] off what ours takes.
    pub fn plain_bound(&self, tier: Tier) -> Option<Run> {
        self.dithered(tier, false)
    }

    fn dithered(&self, tier: Tier, noise: bool) -> Option<Run> {
        if !self.dither || tier == Tier::Scalar {
            return None;
        }
        dithered::run(self.streams(), self.block(), tier != Tier::Sse2, noise)
    }

    fn loops(&self, tier: Tier, run: impl Fn(&Self, Level) -> Option<Run>) -> Option<Run> {
        let none = self.resamples() || self.dither || self.streams < 2 || tier == Tier::Scalar;
        let level = match tier {
            Tier::Avx2(token) if token.without_vnni().is_some() => Level::Vnni,
            Tier::Avx2(_) => Level::Avx2,
            _ => Level::Sse2,
        };
        if none { None } else { run(self, level) }
    }

    fn wide(&self) -> bool {
        self.format == SampleFormat::S32Le
    }

    /// Octets of a stream in one call.
    fn block(&self) -> usize {
        self.frames * self.octets()
    }

    fn streams(&self) -> Vec<Vec<u8>> {
        let mut rings = self.rings();
        rings.truncate(self.streams);
        rings
    }

    const fn taps(&self) -> usize {
        match self.quality {
            Quality::Light => 32,
            Quality::Best if self.rate > self.card_rate => 112,
            Quality::Best => 64,
        }
    }

    /// 16-bit multiplies that a frame of a resampled stream takes, with 128-bit vectors or, if
    /// `wide`, 256-bit ones; those of a filter's ends are 128 bits in both, but where streams lie
    /// in lanes.
    pub fn multiplies(&self, wide: bool) -> Option<usize> {
        let lanes = if wide { 16 } else { 8 };
        let middle = (self.taps() - 2 * fir::EDGE) / lanes;
        let steep = 2 * fir::EDGE / lanes;
        let ends = if wide && self.streams > 1 { 2 } else { 4 };
        // Of both channels; coefficients are made for both at once.
        let multiplies = match (self.format, self.drift) {
            (SampleFormat::S16Le, None) => 4 * middle + ends,
            (_, None) => 6 * middle + ends,
            (_, Some(_)) => 8 * middle + steep + ends + 2,
        };
        self.resamples().then_some(multiplies)
    }

    fn resamples(&self) -> bool {
        self.rate != self.card_rate || self.drift.is_some()
    }

    /// Other engines at the same work, and how clean resampling ones are, in dB; at a ratio that
    /// moves, they have one that does not reduce.
    pub fn peers(&self) -> Vec<(String, Run, Option<f64>)> {
        // Others have nothing for streams in step.
        if self.dither || self.beside || self.resamples() && self.streams > 1 {
            return Vec::new();
        }
        if self.resamples() {
            let rates = (self.rate + u32::from(self.drift.is_some()), self.card_rate);
            let step = f64::from(rates.0) / f64::from(rates.1);
            let engines = peers::resamplers(rates, self.frames);
            let judged = |(name, mut engine)| {
                let worst =
                    purity::worst_db(&mut engine, step, self.highest() / f64::from(rates.0));
                (name, peers::timed(engine, self.frames), worst)
            };
            return engines.into_iter().map(judged).collect();
        }
        let (block, wide) = (self.block(), self.wide());
        let runs = [
            ("pulseaudio", pulse::mix(self.streams(), block, wide)),
            ("pipewire_no_volume", spa::mix(self.streams(), block, wide)),
        ];
        runs.into_iter()
            .filter_map(|(name, run)| Some((name.to_owned(), run?, None)))
            .collect()
    }

    /// How clean this crate's resampling is, in dB, where that is what is timed.
    pub fn purity(&self, tier: Tier) -> Option<f64> {
        let rates = (self.rate, self.card_rate);
        let known = self.resamples() && tier != Tier::Scalar;
        let (mut engine, step) =
            known.then(|| purity::ours(rates, self.quality, self.drift, tier))?;
        purity::worst_db(&mut engine, step, self.highest() / f64::from(rates.0))
    }

    /// Up to where resampling is to be clean, in hertz.
    fn highest(&self) -> f64 {
        match self.quality {
            Quality::Best if self.drift.is_none() => 20_000.0,
            _ => 18_000.0,
        }
    }
}
