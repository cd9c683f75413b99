//! What a stream may be: the answer to a query, and the judgement of an OPEN.
//!
//! Linux asks on every refinement of its hardware parameters and intersects the answer with what
//! it has, so an answer must never name something that OPEN would refuse, and never be empty
//! unless the question is impossible. Buffers and periods are counted in frames there.

use crate::format::{FormatSet, SampleFormat};
use crate::link::{Rates, StreamConfig};
use crate::mix::{MAX_CHANNELS, MAX_RATE, MIN_RATE};
use crate::wire::{Interval, Open, Parameters, Refusal};

/// Periods per second that can be served at most: the mixer wakes every millisecond at best.
const PERIODS_PER_SECOND: u32 = 1000;
/// Periods that a buffer must hold, so that one can be written while one is played.
const PERIODS_PER_BUFFER: u32 = 2;
/// Passes after which the mutual bounds of a query are settled.
const PASSES: usize = 4;

/// The bounds of one stream.
#[derive(Clone, Debug)]
pub struct Rules {
    formats: FormatSet,
    rates: Rates,
    channels: Interval,
    buffer_octets: u32,
}

/// An OPEN that was judged: every number fits the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Sample format, playable.
    pub format: SampleFormat,
    /// Frames per second, not 0.
    pub rate: u32,
    /// Samples per frame, not 0.
    pub channels: u8,
    /// Octets per frame, not 0.
    pub frame_octets: u32,
    /// Frames of the buffer, at least two milliseconds of them.
    pub buffer_frames: u32,
    /// Frames of a period; 0 asks for no events.
    pub period_frames: u32,
}

impl Shape {
    /// Octets of the buffer.
    #[must_use]
    pub const fn buffer_octets(&self) -> u32 {
        self.buffer_frames.saturating_mul(self.frame_octets)
    }
}

impl Rules {
    /// The bounds of a configured stream, within what the mixer and the memory can do.
    #[must_use]
    pub fn new(config: &StreamConfig, buffer_limit: usize) -> Self {
        Self {
            formats: config.formats.intersection(FormatSet::PLAYABLE),
            rates: config.rates.clone(),
            channels: Interval {
                min: u32::from(config.channels_min.max(1)),
                max: u32::from(config.channels_max.min(MAX_CHANNELS as u8)),
            },
            buffer_octets: u32::try_from(buffer_limit)
                .unwrap_or(u32::MAX)
                .min(config.buffer_octets),
        }
    }

    /// The part of the asked space that an OPEN may lie in; `None` where there is none.
    #[must_use]
    pub fn narrow(&self, asked: &Parameters) -> Option<Parameters> {
        let mut space = *asked;
        space.formats &= self.formats.0;
        space.channels = meet(space.channels, self.channels);
        for _ in 0..PASSES {
            let before = space;
            self.narrow_once(&mut space)?;
            if space == before {
                break;
            }
        }
        Some(space)
    }

    /// Applies each bound to the others once.
    fn narrow_once(&self, space: &mut Parameters) -> Option<()> {
        space.rates = self.rates_within(space.rates)?;
        let period_min = space.rates.min.div_ceil(PERIODS_PER_SECOND);
        space.period.min = space.period.min.max(period_min);
        let buffer_min = space.period.min.saturating_mul(PERIODS_PER_BUFFER);
        space.buffer.min = space.buffer.min.max(buffer_min);

        let channels = u64::from(space.channels.min);
        let limit = u64::from(self.buffer_octets);
        let smallest = u64::from(space.buffer.min).saturating_mul(channels);
        let fits = |octets: usize| smallest.saturating_mul(octets as u64) <= limit;
        let mut fitting = FormatSet::EMPTY;
        let mut least = u64::MAX;
        for format in FormatSet(space.formats).iter() {
            if let Some(octets) = format.octets().filter(|octets| fits(*octets)) {
                fitting.insert(format);
                least = least.min(octets as u64);
            }
        }
        space.formats = fitting.0;
        let per_frame = limit.checked_div(least.saturating_mul(u64::from(space.buffer.min)));
        space.channels.max = capped(space.channels.max, per_frame?);
        let frames = limit.checked_div(least.saturating_mul(channels));
        space.buffer.max = capped(space.buffer.max, frames?);
        space.period.max = space.period.max.min(space.buffer.max / PERIODS_PER_BUFFER);
        space.rates.max = space
            .rates
            .max
            .min(space.period.max.saturating_mul(PERIODS_PER_SECOND));
        let whole = [space.rates, space.channels, space.buffer, space.period]
            .iter()
            .all(|interval| interval.min <= interval.max);
        (whole && space.formats != 0).then_some(())
    }

    /// The lowest and highest rate allowed within `asked`.
    fn rates_within(&self, asked: Interval) -> Option<Interval> {
        let mixable = Interval {
            min: MIN_RATE,
            max: MAX_RATE,
        };
        let asked = meet(asked, mixable);
        let both = match &self.rates {
            Rates::Any { min, max } => meet(
                asked,
                Interval {
                    min: *min,
                    max: *max,
                },
            ),
            Rates::Listed(rates) => {
                let within = || {
                    rates
                        .iter()
                        .copied()
                        .filter(|rate| (asked.min..=asked.max).contains(rate))
                };
                Interval {
                    min: within().min()?,
                    max: within().max()?,
                }
            }
        };
        (both.min <= both.max).then_some(both)
    }

    /// Judges an OPEN.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] for anything outside the bounds.
    pub fn shape(&self, open: &Open) -> Result<Shape, Refusal> {
        let format = SampleFormat::from_wire(open.format)
            .filter(|format| self.formats.contains(*format))
            .ok_or(Refusal::Invalid)?;
        let octets = format.octets().ok_or(Refusal::Invalid)?;
        let channels = u32::from(open.channels);
        if !(self.channels.min..=self.channels.max).contains(&channels) {
            return Err(Refusal::Invalid);
        }
        let exactly = Interval {
            min: open.rate,
            max: open.rate,
        };
        self.rates_within(exactly).ok_or(Refusal::Invalid)?;

        let frame_octets = u32::try_from(octets)
            .ok()
            .and_then(|octets| octets.checked_mul(channels))
            .ok_or(Refusal::Invalid)?;
        if open.buffer_octets > self.buffer_octets {
            return Err(Refusal::Invalid);
        }
        let buffer_frames = whole(open.buffer_octets, frame_octets)?;
        let period_frames = whole(open.period_octets, frame_octets)?;
        let least = open.rate.div_ceil(PERIODS_PER_SECOND) * PERIODS_PER_BUFFER;
        if buffer_frames < least || period_frames > buffer_frames {
            return Err(Refusal::Invalid);
        }
        Ok(Shape {
            format,
            rate: open.rate,
            channels: open.channels,
            frame_octets,
            buffer_frames,
            period_frames,
        })
    }
}

/// How many frames these octets are, if they are whole frames.
fn whole(octets: u32, frame_octets: u32) -> Result<u32, Refusal> {
    match octets.checked_rem(frame_octets) {
        Some(0) => Ok(octets / frame_octets),
        _ => Err(Refusal::Invalid),
    }
}

const fn meet(one: Interval, other: Interval) -> Interval {
    Interval {
        min: if one.min > other.min {
            one.min
        } else {
            other.min
        },
        max: if one.max < other.max {
            one.max
        } else {
            other.max
        },
    }
}

fn capped(value: u32, limit: u64) -> u32 {
    u32::try_from(limit).map_or(value, |limit| value.min(limit))
}
