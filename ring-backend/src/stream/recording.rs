//! The recording stream: what the card's input heard, or silence, into its guest's buffer.
//!
//! A guest that may not use the microphone has its time from the output, as a playing one has,
//! and zeros. Nothing is told apart by errors: it cannot know.

use super::playing::scaled;
use super::{Desk, Flow, Pcm, Stream};
use crate::arena::Arena;
use crate::format::SampleFormat;
use crate::intake::Heard;
use crate::link::Direction;
use crate::mix::decode::decode;
use crate::mix::{Input, Mixer, Voice};
use crate::stream::Moment;
use crate::wire::{Refusal, Span};
use crate::world::{CardFormat, CardInput, World};

/// Pieces that one turn's conversion may be in.
const PIECES: usize = 64;

/// What recording takes.
pub struct Booth<'b> {
    /// The card's input and what can be read from it; `None` while it is off.
    pub input: Option<(&'b mut dyn CardInput, Heard)>,
    /// What converts.
    pub mixer: &'b mut Mixer,
    /// Where buffers are mirrored.
    pub arena: &'b mut Arena,
    /// Room for some frames of the input.
    pub piece: &'b mut [u8],
    /// Levels are wanted.
    pub metered: bool,
    /// When.
    pub moment: Moment,
}

/// How far a recording is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Take {
    /// What its voice was configured for.
    source: CardFormat,
    /// The frame of the input that comes next; `None` while nothing is heard.
    next: Option<u64>,
    /// The mirrored buffer may hold what the microphone heard.
    filled: bool,
    /// Frames that the guest read since START.
    read: u64,
    /// The card's position when silence was last counted.
    seen: u64,
    /// Parts of a frame of silence that are still to be counted, of the card's rate.
    owed: u64,
}

impl Take {
    pub(super) const fn new(source: CardFormat) -> Self {
        Self {
            source,
            next: None,
            filled: false,
            read: 0,
            seen: 0,
            owed: 0,
        }
    }

    /// Begins at START, with the output at `seen`.
    pub(super) const fn begin(&mut self, seen: u64) {
        *self = Self {
            filled: self.filled,
            seen,
            ..Self::new(self.source)
        };
    }

    /// Leaves out what came since, with the output at `seen`.
    pub(super) const fn resume(&mut self, seen: u64) {
        self.next = None;
        self.seen = seen;
    }
}

impl Stream {
    /// Frames of the card from its input to the guest's buffer: what the filter takes, and the
    /// longest sleep.
    #[must_use]
    pub fn capture_delay(&self, voice: &Voice, quantum: u64) -> u64 {
        let filter = u64::from(voice.latency_frames());
        let filter = self.pcm.as_ref().map_or(0, |pcm| {
            scaled(filter, pcm.take.source.rate, pcm.shape.rate)
        });
        filter.saturating_add(quantum)
    }

    /// Takes what became due into the buffer; the highest sample of it, of 32767, if that is wanted.
    pub fn record(&mut self, voice: &mut Voice, booth: &mut Booth<'_>) -> u16 {
        let hears = self.hears();
        let Some(pcm) = &mut self.pcm else { return 0 };
        if self.direction != Direction::Capture || pcm.flow != Flow::Running {
            return 0;
        }
        let (_, ring) = booth.arena.get_mut(&pcm.run);
        match &mut booth.input {
            Some((input, heard)) if hears && heard.format == pcm.take.source => {
                pcm.take.seen = booth.moment.fetched;
                let piece = &mut *booth.piece;
                pcm.listen(
                    &**input,
                    heard,
                    voice,
                    booth.mixer,
                    ring,
                    piece,
                    booth.metered,
                )
            }
            _ => {
                pcm.wait(ring, &booth.moment);
                0
            }
        }
    }

    pub(super) fn read<W: World>(
        &mut self,
        span: &Span,
        desk: &mut Desk<'_, W>,
    ) -> Result<(), Refusal> {
        self.forget(desk.arena);
        let pcm = self.pcm.as_mut().ok_or(Refusal::NotOpen)?;
        if self.direction != Direction::Capture {
            return Err(Refusal::Invalid);
        }
        let (_, frames) = pcm.frames_of(span)?;
        let (refs, ring) = desk.arena.get(&pcm.run);
        let (offset, length) = (span.offset as usize, span.length as usize);
        let from = ring.get(offset..offset + length).ok_or(Refusal::Invalid)?;
        self.counters.octets += u64::from(span.length);
        desk.world
            .copy_to(desk.dom, refs, offset, from)
            .map_err(|_| Refusal::BadGrant)?;
        self.counters.xruns += u32::from(pcm.count_read(frames));
        self.counters.frames += u64::from(frames);
        Ok(())
    }

    /// Overwrites what a guest recorded while it was allowed to.
    fn forget(&mut self, arena: &mut Arena) {
        if let Some(pcm) = self.pcm.as_mut().filter(|_| !self.policy.microphone) {
            pcm.forget(arena.get_mut(&pcm.run).1);
        }
    }
}

impl Pcm {
    /// Converts what was heard since the last time; its highest sample, if that is wanted.
    #[expect(clippy::too_many_arguments, reason = "each is a part of the plane")]
    fn listen(
        &mut self,
        input: &dyn CardInput,
        heard: &Heard,
        voice: &mut Voice,
        mixer: &mut Mixer,
        ring: &mut [u8],
        piece: &mut [u8],
        metered: bool,
    ) -> u16 {
        let mut loudest = 0;
        let (source, size) = (
            heard.format.frame_octets(),
            self.shape.frame_octets as usize,
        );
        let most = piece.len().checked_div(source).unwrap_or(0) as u64;
        let mut next = self.take.next.unwrap_or(heard.end).max(heard.oldest);
        for _ in 0..PIECES {
            let there = heard.end.saturating_sub(next).min(most);
            let slot = self.slot();
            let room = (self.shape.buffer_frames - slot) as usize;
            let frames = voice
                .frames_of(usize::try_from(there).unwrap_or(0))
                .min(room);
            if frames == 0 {
                break;
            }
            let need = voice.source_frames_for(frames);
            let from = slot as usize * size;
            let (Some(first), Some(out)) = (
                piece.get_mut(..need * source),
                ring.get_mut(from..from + frames * size),
            ) else {
                break;
            };
            heard.read(input, next, first);
            let heard = Input {
                voice,
                first,
                second: &[],
            };
            mixer.record(heard, self.shape.format, out);
            if metered {
                loudest = peak(self.shape.format, out).max(loudest);
            }
            next += need as u64;
            self.played = self.played.saturating_add(frames as u64);
        }
        self.take.filled = true;
        self.take.next = Some(next);
        loudest
    }

    /// Lets time pass in silence.
    fn wait(&mut self, ring: &mut [u8], moment: &Moment) {
        self.forget(ring);
        // A card that rested begins anew.
        let passed = moment.fetched.saturating_sub(self.take.seen);
        self.take.seen = moment.fetched;
        let rate = u64::from(moment.card.rate).max(1);
        self.take.owed += passed.saturating_mul(u64::from(self.shape.rate));
        self.played = self.played.saturating_add(self.take.owed / rate);
        self.take.owed %= rate;
    }

    fn forget(&mut self, ring: &mut [u8]) {
        if core::mem::take(&mut self.take.filled) {
            self.shadow.clear(ring);
        }
        self.take.next = None;
    }

    /// Where the next frame lies in the buffer.
    fn slot(&self) -> u32 {
        let frames = u64::from(self.shape.buffer_frames).max(1);
        u32::try_from(self.played % frames).unwrap_or(0)
    }

    /// Frames that were overwritten before the guest read them, or it has just read all but them.
    pub(super) const fn overrun(&self) -> bool {
        self.played.saturating_sub(self.take.read) > self.shape.buffer_frames as u64
    }

    /// Counts frames that the guest read; whether it came too late for some.
    fn count_read(&mut self, frames: u32) -> bool {
        let late = self.overrun();
        let read = self.take.read.saturating_add(u64::from(frames));
        self.take.read = if late { self.played } else { read };
        late
    }
}

/// The highest sample, of 32767.
fn peak(format: SampleFormat, octets: &[u8]) -> u16 {
    let Some(size) = format.octets() else {
        return 0;
    };
    let mut samples = [0; 64];
    let pieces = octets.chunks(64 * size);
    let peaks = pieces.map(|piece| {
        let count = piece.len().checked_div(size).unwrap_or(0);
        let samples = samples.get_mut(..count).unwrap_or_default();
        decode(format, piece, samples);
        samples.iter().map(|sample| sample.unsigned_abs()).max()
    });
    let peak = peaks.flatten().max().unwrap_or(0) >> 16;
    u16::try_from(peak).map_or(0, |peak| peak.min(32_767))
}
