//! One stream's way into the mix: its format, gains, and what it remembers of its past.

use super::decode::decode;
use super::gain::{Gain, ramp_log2_frames};
use super::kernel::Levels;
use super::layout::Matrix;
use super::mend::Mend;
use super::place::Place;
use super::resample::{Quality, Resampler};
use super::table::Plan;
use super::{MAX_CHANNELS, MAX_RATE, MIN_RATE, StreamSpec, Unsupported};
use crate::card::{CardFormat, CardSample};
use crate::format::SampleFormat;

/// The conversion state of one stream; fixed in size, about 7 KB.
pub struct Voice {
    pub(super) spec: Option<StreamSpec>,
    /// Octets of one of the stream's frames; 0 for a voice of no stream.
    pub(super) frame_octets: usize,
    pub(super) matrix: Matrix,
    pub(super) resampler: Resampler,
    pub(super) resamples: bool,
    /// The table that a mixer keeps for it.
    pub(super) held: Option<Plan>,
    pub(super) gains: Gains,
    pub(super) mend: Mend,
    /// How to sum the stream's octets as they are; `None` where that is not known to be possible.
    pub(super) levels: Option<Levels>,
    /// Where in a mixer's plan that is done.
    pub(super) place: Place,
    quality: Quality,
    drift: Option<i32>,
    /// Nothing was rendered since the start: gains need no ramp.
    pub(super) fresh: bool,
    /// The mixer's round in which it last recorded.
    pub(super) round: u64,
}

/// The gains of a stream's channels, on their way from one volume to the next.
pub(super) struct Gains {
    milli_db: [i32; MAX_CHANNELS],
    muted: [bool; MAX_CHANNELS],
    /// Whether short gains will do.
    short: bool,
    from: [Gain; MAX_CHANNELS],
    to: [Gain; MAX_CHANNELS],
    /// Where to go after that. A new volume waits for the ramp under way: turning there would be
    /// a bend, and a bend can be heard.
    target: [Gain; MAX_CHANNELS],
    done: u32,
    log2_frames: u32,
}

impl Gains {
    /// Every channel as it is.
    pub(super) const UNITY: Self = Self {
        milli_db: [0; MAX_CHANNELS],
        muted: [false; MAX_CHANNELS],
        short: false,
        from: [Gain::UNITY; MAX_CHANNELS],
        to: [Gain::UNITY; MAX_CHANNELS],
        target: [Gain::UNITY; MAX_CHANNELS],
        done: u32::MAX,
        log2_frames: 0,
    };

    pub(super) const fn moving(&self) -> bool {
        self.done < 1 << self.log2_frames
    }

    /// The gains of the next frame.
    pub(super) fn now(&self) -> [Gain; MAX_CHANNELS] {
        let mut gains = self.to;
        if self.moving() {
            for (gain, &from) in gains.iter_mut().zip(&self.from) {
                *gain = from.towards(*gain, self.done, self.log2_frames);
            }
        }
        gains
    }

    /// The gains of the next frame as integers, after which they are a frame further.
    pub(super) fn step(&mut self) -> [i32; MAX_CHANNELS] {
        let gains = self.now().map(Gain::bits);
        self.done = self.done.saturating_add(1);
        if !self.moving() {
            self.set_out();
        }
        gains
    }

    fn aim(&mut self, at_once: bool) {
        let mut target = [Gain::ZERO; MAX_CHANNELS];
        let volumes = self.milli_db.iter().zip(&self.muted);
        for (gain, (&milli_db, &muted)) in target.iter_mut().zip(volumes) {
            if !muted {
                *gain = if self.short {
                    Gain::short(milli_db)
                } else {
                    Gain::from_milli_db(milli_db)
                };
            }
        }
        self.target = target;
        if at_once {
            (self.from, self.to) = (target, target);
            self.done = u32::MAX;
        } else if !self.moving() {
            self.set_out();
        }
    }

    /// Begins the ramp to the target, unless that is where the gains are.
    fn set_out(&mut self) {
        if self.to != self.target {
            self.from = self.to;
            self.to = self.target;
            self.done = 0;
        }
    }
}

impl Voice {
    /// A voice of no stream: silent, and takes no input.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            spec: None,
            frame_octets: 0,
            matrix: Matrix::EMPTY,
            resampler: Resampler::new(),
            resamples: false,
            held: None,
            gains: Gains::UNITY,
            mend: Mend::new(),
            levels: None,
            place: Place::NONE,
            quality: Quality::Best,
            drift: None,
            fresh: true,
            round: 0,
        }
    }

    /// Takes on a stream for a card; volumes stay as they are, the past is forgotten.
    ///
    /// # Errors
    /// The format has no samples, or a rate or number of channels is out of range. The voice is
    /// then one of no stream.
    pub fn configure(&mut self, spec: StreamSpec, card: CardFormat) -> Result<(), Unsupported> {
        self.spec = None;
        self.frame_octets = 0;
        self.unsettle();
        if !spec.format.playable() {
            return Err(Unsupported::Format(spec.format));
        }
        for channels in [spec.channels, card.channels] {
            if !(1..=MAX_CHANNELS as u8).contains(&channels) {
                return Err(Unsupported::Channels(channels));
            }
        }
        for rate in [spec.rate, card.rate] {
            if !(MIN_RATE..=MAX_RATE).contains(&rate) {
                return Err(Unsupported::Rate(rate));
            }
        }
        self.matrix = Matrix::standard(spec.channels, card.channels);
        self.resamples = spec.rate != card.rate || self.drift.is_some();
        let channels = usize::from(spec.channels.min(card.channels));
        let (quality, drift) = (self.quality, self.drift);
        if self.resamples {
            let resampler = &mut self.resampler;
            resampler.set_up(spec.rate, card.rate, channels, quality, drift);
        }
        let folds = self.matrix.inputs() > self.matrix.outputs();
        self.gains.log2_frames = ramp_log2_frames(if folds { spec.rate } else { card.rate });
        // What others there are makes no difference.
        let as_it_lies = !self.resamples && spec.channels == card.channels;
        let narrow = (spec.format, card.sample) == (SampleFormat::S16Le, CardSample::S16);
        self.gains.short = as_it_lies && narrow;
        self.mend.set_up(spec.channels, spec.rate);
        self.spec = Some(spec);
        self.frame_octets = spec.format.octets().unwrap_or(0) * usize::from(spec.channels);
        self.reset();
        Ok(())
    }

    /// Sets how long a change of volume takes.
    pub(super) const fn set_ramp(&mut self, log2_frames: u32) {
        self.gains.log2_frames = log2_frames;
    }

    /// How much work resampling may be, from the next [`Voice::configure`] on.
    pub const fn set_quality(&mut self, quality: Quality) {
        self.quality = quality;
    }

    /// Lets the stream's clock differ from the card's: `Some` from the next
    /// [`Voice::configure`] on lets every ratio move, `None` holds it exact. Where it may move
    /// already, the new drift is followed from the next frame on, without a step in phase. In
    /// parts per 2^32 more input per frame of the card: 1 ppm is 4,295.
    pub fn set_drift(&mut self, drift: Option<i32>) {
        if let (Some(_), Some(now)) = (self.drift, drift) {
            self.resampler.set_drift(now);
        }
        self.drift = drift;
    }

    /// Makes do with a smaller table than the quality asks for.
    pub(super) fn lighten(&mut self) {
        self.resampler.lighten(self.drift);
    }

    /// Frames of the stream that the next render of `card_frames` frames takes.
    #[inline]
    #[must_use]
    pub const fn source_frames_for(&self, card_frames: usize) -> usize {
        match self.spec {
            // What is in a plan passes as it is; that is quickly seen.
            _ if self.place.taken() => card_frames,
            None => 0,
            Some(_) if self.resamples => self.resampler.frames_for(card_frames),
            Some(_) => card_frames,
        }
    }

    /// Sets the volume of one of the stream's channels, in 0.001 dB; it moves there without a
    /// click. Above +6.02 dB it is that. Channels beyond [`MAX_CHANNELS`] are ignored.
    pub fn set_gain(&mut self, channel: usize, milli_db: i32) {
        if let Some(volume) = self.gains.milli_db.get_mut(channel) {
            *volume = milli_db;
            self.gains.aim(self.fresh);
            self.unsettle();
        }
    }

    /// Mutes one of the stream's channels, or lets it sound again, without a click.
    pub fn set_mute(&mut self, channel: usize, muted: bool) {
        if let Some(state) = self.gains.muted.get_mut(channel) {
            *state = muted;
            self.gains.aim(self.fresh);
            self.unsettle();
        }
    }

    /// Forgets the past of the stream, as at its start; volumes stay.
    pub fn reset(&mut self) {
        self.resampler.reset();
        self.resampler.set_drift(self.drift.unwrap_or(0));
        self.mend.reset();
        self.gains.aim(true);
        self.unsettle();
        self.place = Place::NONE;
        self.fresh = true;
    }

    /// Begins at the phase that it would have by the card's frame `at` if it had played from the
    /// card's first frame on: voices that are resampled in the same way have the same then, and a
    /// mixer resamples several at once, which costs less. Whom else there is makes no difference.
    /// That is less than one frame of the slower side from where it would have begun. For a voice
    /// that nothing was rendered of, before [`Voice::source_frames_for`]; nothing happens to others.
    pub fn begin_at(&mut self, at: u64) {
        if self.fresh && self.resamples {
            self.resampler.begin_after(at);
        }
    }

    /// Whether all positions between the stream's frames are its ratio's own: then what repeats
    /// with them comes out the same each time, to the bit. Otherwise they are cut at 2^-40 of a
    /// frame for every frame of the card, which in a day adds up to less than a fiftieth of one.
    #[must_use]
    pub const fn keeps_phases(&self) -> bool {
        !self.resamples || !self.resampler.plan().between
    }

    /// Frames of the card from a frame's way in to its way out.
    #[must_use]
    pub fn latency_frames(&self) -> u32 {
        match self.spec {
            Some(_) if self.resamples => self.resampler.latency(),
            _ => 0,
        }
    }

    /// Frames of the card during which the voice still sounds when its input ends: what is in the
    /// filter, and the slope down to silence.
    #[must_use]
    pub fn tail_frames(&self) -> u32 {
        let frames = self.mend.tail_frames() + 2 * u64::from(self.resampler.taps() as u32);
        let outputs = match self.spec {
            Some(_) if self.resamples => self.resampler.outputs_of(frames),
            Some(_) => frames,
            None => 0,
        };
        u32::try_from(outputs).unwrap_or(u32::MAX)
    }

    /// How the stream was summed no longer holds.
    pub(super) const fn unsettle(&mut self) {
        self.levels = None;
        self.place.leave();
    }

    /// Whether samples that are summed as they lie have 32 bits, and not 16.
    pub(super) fn wide(&self) -> bool {
        matches!(self.spec, Some(spec) if spec.format == SampleFormat::S32Le)
    }

    /// Hands the end of what was summed as it lay to who mends gaps.
    pub(super) fn recall(&mut self) {
        if let (Some(spec), Some(last)) = (self.spec, self.place.take_last()) {
            let frame = last.len().saturating_sub(self.frame_octets);
            decode(spec.format, last.split_at(frame).1, self.mend.last_frame());
        }
    }

    /// Finds out whether the stream's octets can be summed as they are, and with which gains.
    pub(super) fn find_levels(&mut self) {
        if self.levels.is_some() {
            return;
        }
        let Some(spec) = self.spec else { return };
        let plain = matches!(spec.format, SampleFormat::S16Le | SampleFormat::S32Le);
        let as_is = self.matrix.is_identity() && !self.resamples && !self.mend.working();
        if plain && as_is && !self.gains.moving() {
            let gains = self.gains.now();
            let (used, _) = gains.split_at(usize::from(spec.channels).min(MAX_CHANNELS));
            self.levels = Levels::new(used);
        }
    }
}

const _: () = assert!(size_of::<Voice>() <= 7 * 1_024);

impl Default for Voice {
    fn default() -> Self {
        Self::new()
    }
}
