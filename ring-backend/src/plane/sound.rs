//! The sound of one turn: what is mixed for the card, and what is recorded from it.

use super::{Plane, STREAMS_MOST};
use crate::engine::Demand;
use crate::mix::Input;
use crate::seat::Seat;
use crate::stream::{Booth, Stream};
use crate::world::{Card, Nanos, World};

/// Pieces that one turn's mixing may be in.
const PIECES: usize = 64;

impl<W: World> Plane<W> {
    /// Lets the mixer get ready for one voice that was opened; `true` if there is more to do.
    pub(super) fn prepare(&mut self) -> bool {
        let mut waiting = self
            .seats
            .iter_mut()
            .zip(&self.voices)
            .filter_map(|(seat, voice)| {
                let stream = seat.as_mut()?.stream_mut();
                stream.unprepared().then_some((stream, voice))
            });
        let Some((stream, voice)) = waiting.next() else {
            return false;
        };
        let ready = self.mixer.prepare(voice);
        if ready {
            stream.set_prepared();
        }
        !ready || waiting.next().is_some()
    }

    /// What the streams need of the mixer's pace.
    pub(super) fn demand(&self) -> Demand {
        let mut demand = Demand {
            live: false,
            patience: u64::MAX,
            stride: u64::MAX,
        };
        for stream in self.seats.iter().flatten().map(Seat::stream) {
            demand.live |= stream.running() || stream.sounds();
            if stream.running() {
                demand.patience = demand.patience.min(stream.patience(self.card.rate));
                demand.stride = demand.stride.min(stream.stride(self.card.rate));
            }
        }
        demand
    }

    /// Takes what the card heard to all that record.
    pub(super) fn record<C: Card>(&mut self, now: Nanos, mut card: Option<&mut C>) {
        let moment = self.moment(now);
        let wanted = self.seats.iter().flatten();
        let wanted = wanted.map(Seat::stream).any(Stream::hears);
        let heard = self.intake.advance(now, card.as_deref_mut(), wanted);
        let metered = self.meter.runs(now);
        let mut booth = Booth {
            input: card.and_then(Card::input).zip(heard),
            mixer: &mut self.mixer,
            arena: &mut self.arena,
            piece: &mut self.out,
            metered,
            moment,
        };
        let seats = self.seats.iter_mut().zip(&mut self.voices).enumerate();
        for (place, (seat, voice)) in seats {
            if let Some(seat) = seat {
                let peak = seat.stream_mut().record(voice, &mut booth);
                self.meter.hear(place, peak);
            }
        }
    }

    /// Mixes what is due, in pieces that fit every stream's buffer.
    pub(super) fn mix<C: Card>(&mut self, now: Nanos, mut card: Option<&mut C>) {
        let metered = self.meter.runs(now);
        let mut left = self.engine.due();
        for _ in 0..PIECES {
            if left == 0 {
                break;
            }
            left -= self.mix_piece(left, metered, card.as_deref_mut());
        }
    }

    /// Mixes at most `left` frames; returns how many.
    fn mix_piece<C: Card>(&mut self, left: u64, metered: bool, card: Option<&mut C>) -> u64 {
        let rate = self.card.rate;
        let mut sounding = false;
        let mut frames = left.min(self.engine.chunk_frames() as u64);
        for seat in self.seats.iter().flatten() {
            if seat.stream().sounds() {
                sounding = true;
                frames = frames.min(seat.stream().chunk(rate));
            }
        }
        let count = usize::try_from(frames).unwrap_or(0);
        let mut needs = [0_usize; STREAMS_MOST];
        if sounding {
            let (_, at) = self.engine.position();
            let mut inputs = heapless::Vec::<Input<'_>, STREAMS_MOST>::new();
            let seats = self.seats.iter().zip(&mut self.voices).zip(&mut needs);
            for (place, ((seat, voice), need)) in seats.enumerate() {
                let Some(stream) = seat.as_ref().map(Seat::stream) else {
                    continue;
                };
                if stream.sounds() {
                    voice.begin_at(at);
                    *need = voice.source_frames_for(count);
                    let (first, second) = stream.input(&self.arena, *need);
                    let input = Input {
                        voice,
                        first,
                        second,
                    };
                    if metered {
                        self.meter.hear(place, input.peak());
                    }
                    // One input per voice, and no more voices than inputs.
                    let _ = inputs.push(input);
                }
            }
            let octets = count * self.card.frame_octets();
            if let Some(out) = self.out.get_mut(..octets) {
                self.mixer.render(&mut inputs, count, out);
                drop(inputs);
                self.engine.put(card, frames, out);
            }
        } else {
            self.engine.skip(frames);
        }
        for (seat, need) in self.seats.iter_mut().zip(needs) {
            if let Some(seat) = seat {
                seat.stream_mut().rendered(&mut self.arena, frames, need);
            }
        }
        frames
    }
}
