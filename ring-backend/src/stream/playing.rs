//! The running stream: its share in the mix, its position, and telling the guest of it.
//!
//! sndif has one position for two questions: how long until a frame is heard, and what may still be
//! written. A program that only goes on from where it stopped asks the first, and is told how far
//! the card is. A sound server that takes back what it wrote asks the second; once a guest was seen
//! to do so, and was late, it is told how far the mixer is from then on, at every step of it.

use super::{Counters, Desk, Flow, Pcm, Stream};
use crate::arena::Arena;
use crate::channel::EventChannel;
use crate::event::early_frames;
use crate::link::Direction;
use crate::mix::Voice;
use crate::stream::Moment;
use crate::timeline::nanos_of;
use crate::wire::{Refusal, Span};
use crate::world::{Nanos, World};

/// Of a guest that takes back what it wrote: how often the position moves at least, and how far it
/// stays behind what is mixed, in parts of a second. PulseAudio comes no closer than 1.33 ms to it,
/// for cards fetch ahead: that much is left even if mixing goes on while it writes.
const MOVES_PER_SECOND: u32 = 1000;
const SAFE_PER_SECOND: u32 = 3000;
/// How long what is written anew over silence is not mixed: a guest may need two requests.
const HOLD: Nanos = Nanos(2_000_000);
/// How near the end of a period a look at it would come too early, as a card's position may move in
/// steps, and when that look is instead.
const NEAR: Nanos = Nanos(500_000);
const LOOK: Nanos = Nanos(1_000_000);
/// How many periods a second there are at most whose ends the domain wakes at.
const LANDINGS_PER_SECOND: u32 = 100;
/// Periods of the buffer that stay the guest's to fill while the mixer reads ahead.
const PERIODS_KEPT: u64 = 2;

impl Stream {
    pub(super) fn write<W: World>(
        &mut self,
        span: &Span,
        desk: &mut Desk<'_, W>,
    ) -> Result<(), Refusal> {
        let pcm = self.pcm.as_mut().ok_or(Refusal::NotOpen)?;
        if self.direction != Direction::Playback {
            return Err(Refusal::Invalid);
        }
        let (first, frames) = pcm.frames_of(span)?;
        let known = match pcm.flow {
            // Nothing is late in a pause: a guest that begins anew after it writes anywhere.
            Flow::Paused { .. } => pcm.shadow.mixed(),
            Flow::Stopped | Flow::Running => pcm.progress.told().saturating_sub(pcm.base),
        };
        let (refs, ring) = desk.arena.get_mut(&pcm.run);
        let (world, dom) = (&mut *desk.world, desk.dom);
        self.counters.octets += u64::from(span.length);
        let storing = pcm.shadow.store(first, frames, known, |range| {
            let at = range.start;
            match ring.get_mut(range) {
                Some(into) => world
                    .copy_from(dom, refs, at, into)
                    .map_err(|_| Refusal::BadGrant),
                None => Err(Refusal::Invalid),
            }
        })?;
        pcm.begun.get_or_insert(desk.moment.now);
        if let Flow::Paused { rewritten } = &mut pcm.flow {
            *rewritten = (*rewritten).max(first + frames);
        }
        self.counters.frames += u64::from(frames - storing.late);
        self.counters.late_frames += u64::from(storing.late);
        self.counters.xruns += u32::from(storing.gap > 0);
        if storing.anew && !self.rewinds {
            self.rewinds = true;
            pcm.progress.tell_all();
        }
        if storing.unmixed > 0 {
            pcm.unmix(storing.unmixed, &desk.moment);
        }
        Ok(())
    }

    /// Whether the mixer shall render this stream's voice.
    #[must_use]
    pub fn sounds(&self) -> bool {
        let held = matches!(&self.pcm, Some(pcm) if pcm.held.is_some());
        self.direction == Direction::Playback && !held && (self.running() || self.tail > 0)
    }

    /// How long the mixer may sleep for this stream, in frames of the card: a part of a period.
    #[must_use]
    pub fn patience(&self, card_rate: u32) -> u64 {
        const PARTS: u32 = 4;
        let most = match self.rewinds {
            true => u64::from(card_rate / MOVES_PER_SECOND),
            false => u64::MAX,
        };
        self.pcm.as_ref().map_or(u64::MAX, |pcm| {
            scaled(u64::from(pcm.period() / PARTS), card_rate, pcm.shape.rate).min(most)
        })
    }

    /// Frames of the card that may be mixed at once though no time passed: a guest that filled
    /// its buffer has them, and is told so with a period's time left to write more.
    #[must_use]
    pub fn stride(&self, card_rate: u32) -> u64 {
        match (&self.pcm, self.direction) {
            (Some(pcm), Direction::Playback) => {
                let spare = pcm.shape.buffer_frames.saturating_sub(pcm.period());
                scaled(u64::from(spare), card_rate, pcm.shape.rate)
            }
            _ => u64::MAX,
        }
    }

    /// Frames of the card that can be rendered at once from the buffer.
    #[must_use]
    pub fn chunk(&self, card_rate: u32) -> u64 {
        self.pcm.as_ref().map_or(u64::MAX, |pcm| {
            // Two frames less: a voice may take one frame more than the ratio says.
            let frames = u64::from(pcm.shape.buffer_frames.saturating_sub(2));
            scaled(frames, card_rate, pcm.shape.rate).max(1)
        })
    }

    /// The next `frames` frames of the guest, in two parts; nothing where only the voice's own
    /// tail is left.
    #[must_use]
    pub fn input<'a>(&self, arena: &'a Arena, frames: usize) -> (&'a [u8], &'a [u8]) {
        match &self.pcm {
            Some(pcm) if pcm.flow == Flow::Running => {
                pcm.shadow.next(arena.get(&pcm.run).1, frames)
            }
            _ => (&[], &[]),
        }
    }

    /// Counts `card_frames` as mixed, which took `frames` frames of the guest.
    pub fn rendered(&mut self, arena: &mut Arena, card_frames: u64, frames: usize) {
        match &mut self.pcm {
            Some(pcm) if pcm.flow == Flow::Running => {
                if self.direction == Direction::Playback && pcm.held.is_none() {
                    pcm.rendered = pcm.rendered.saturating_add(card_frames);
                    pcm.shadow.consume(arena.get_mut(&pcm.run).1, frames);
                }
            }
            _ => {
                let tail = u64::from(self.tail).saturating_sub(card_frames);
                self.tail = u32::try_from(tail).unwrap_or(0);
            }
        }
    }

    /// Takes the position from the card's.
    pub(super) fn advance(&mut self, voice: &Voice, moment: &Moment) {
        let Some(pcm) = &mut self.pcm else { return };
        // What is recorded counts for itself.
        if pcm.flow != Flow::Running || self.direction == Direction::Capture {
            return;
        }
        let left = match self.rewinds {
            true => pcm.safe(voice, moment),
            false => pcm.left(voice, moment),
        };
        let reached = pcm.rendered.saturating_sub(left);
        let played = scaled(reached, pcm.shape.rate, moment.card.rate);
        pcm.played = pcm.played.max(played.min(pcm.shadow.mixed()));
        note_first_sound(&mut self.counters, pcm, moment);
    }

    /// Tells the guest its position if that is due; returns when to look again at the latest.
    pub fn report<W: World>(
        &mut self,
        voice: &Voice,
        world: &mut W,
        events: &mut EventChannel<W::Page>,
        moment: &Moment,
    ) -> Option<Nanos> {
        self.advance(voice, moment);
        let pcm = self.pcm.as_mut().filter(|pcm| pcm.flow == Flow::Running)?;
        pcm.held = pcm.held.filter(|&end| moment.now < end);
        let held = pcm.held;
        let position = pcm.position();
        if let Some(due) = pcm.progress.due(position, moment.now) {
            self.tell(due, position, world, events, moment.now);
        }
        let pcm = self.pcm.as_ref()?;
        let looks = [
            held,
            pcm.progress.rest(position, moment.now),
            pcm.progress.stale(moment.now),
            // Whoever is told at every step of the mixer is told of it anyway.
            pcm.at_end(position, moment.now).filter(|_| !self.rewinds),
        ];
        looks.into_iter().flatten().min()
    }

    /// Places an event with this position, in frames since OPEN; `reached` is how far it was played.
    pub(super) fn tell<W: World>(
        &mut self,
        position: u64,
        reached: u64,
        world: &mut W,
        events: &mut EventChannel<W::Page>,
        now: Nanos,
    ) {
        let Some(pcm) = &mut self.pcm else { return };
        let octets = position.saturating_mul(u64::from(pcm.shape.frame_octets));
        if events.push(world, octets) {
            pcm.progress.tell(position, reached, now);
            self.counters.events += 1;
        } else {
            self.counters.events_dropped += 1;
        }
    }
}

impl Pcm {
    /// Frames since OPEN.
    const fn position(&self) -> u64 {
        self.base.saturating_add(self.played)
    }

    /// Frames of a period, or what stands for one where the guest wants no events.
    const fn period(&self) -> u32 {
        match self.shape.period_frames {
            0 => self.shape.buffer_frames / 4,
            period => period,
        }
    }

    /// When the position will be that of the period's end, if it is not there yet and periods are
    /// long: then the event that ends one says how far the card is, too.
    fn at_end(&self, position: u64, now: Nanos) -> Option<Nanos> {
        let long = self.period() >= self.shape.rate / LANDINGS_PER_SECOND;
        let left = self
            .progress
            .end()
            .filter(|_| long)?
            .checked_sub(position)?;
        let span = nanos_of(left, self.shape.rate);
        let span = if span > NEAR.0 { span } else { LOOK.0 };
        Some(Nanos(now.0.saturating_add(span)))
    }

    /// Frames of silence that were heard do not count as mixed any more.
    fn unmix(&mut self, frames: u64, moment: &Moment) {
        let of_card = scaled(frames, moment.card.rate, self.shape.rate);
        self.held = Some(Nanos(moment.now.0.saturating_add(HOLD.0)));
        self.rendered = self.rendered.saturating_sub(of_card);
        self.played = self.played.min(self.shadow.mixed());
    }

    /// How many frames of the card the position of a guest that takes back what it wrote is behind
    /// what is mixed. That it knows what is mixed, at once, is worth more to it than when the card
    /// gets there: what it writes where it still may is heard, unless the card leaps further than it
    /// keeps off.
    fn safe(&self, voice: &Voice, moment: &Moment) -> u64 {
        let safe = u64::from(moment.card.rate / SAFE_PER_SECOND);
        let safe = safe.saturating_sub(u64::from(voice.latency_frames()));
        safe.min(self.spare(moment))
    }

    /// How many frames of the card the position of any other guest is behind what is mixed.
    fn left(&self, voice: &Voice, moment: &Moment) -> u64 {
        let lag = self.lag(voice, moment);
        // Right after mixing, `ahead` frames are mixed and not fetched; the position is `lag`
        // frames behind what is mixed. In between it moves with the card.
        let lead = moment.ahead.saturating_sub(lag);
        let behind = lag.saturating_sub(moment.ahead);
        let early = early_frames(self.period(), self.shape.rate);
        let early = scaled(early, moment.card.rate, self.shape.rate);
        moment
            .mixed
            .saturating_add(behind)
            .saturating_sub(moment.fetched.saturating_add(lead))
            .saturating_sub(early)
    }

    /// How many frames of the card the told position stays behind what is mixed.
    ///
    /// Honest is everything between the buffer and the card's read position. But what is mixed
    /// and not told is room that the guest has and does not know of, so of a small buffer it is
    /// told early enough to have a period's time to write the next period.
    fn lag(&self, voice: &Voice, moment: &Moment) -> u64 {
        let honest = moment
            .ahead
            .saturating_add(u64::from(voice.latency_frames()));
        honest.min(self.spare(moment))
    }

    /// Frames of the card by which the buffer is longer than what stays the guest's to fill.
    fn spare(&self, moment: &Moment) -> u64 {
        let spare = u64::from(self.shape.buffer_frames)
            .saturating_sub(u64::from(self.period()).saturating_mul(PERIODS_KEPT));
        scaled(spare, moment.card.rate, self.shape.rate)
    }
}

/// Notes when the card reached the first frame after START.
fn note_first_sound(counters: &mut Counters, pcm: &Pcm, moment: &Moment) {
    let ahead = moment.mixed.saturating_sub(moment.fetched);
    let heard = pcm.rendered.saturating_sub(ahead);
    if heard == 0 || counters.first_sound.is_some() {
        return;
    }
    let begun = pcm.begun.unwrap_or(moment.now);
    let since = moment.now.0.saturating_sub(begun.0);
    let nanos = scaled(heard, 1_000_000_000, moment.card.rate);
    counters.first_sound = Some(Nanos(since.saturating_sub(nanos)));
}

/// `frames * to / from`, rounded down.
pub(super) fn scaled(frames: u64, to: u32, from: u32) -> u64 {
    let product = u128::from(frames) * u128::from(to);
    let quotient = product.checked_div(u128::from(from)).unwrap_or(0);
    u64::try_from(quotient).unwrap_or(u64::MAX)
}
