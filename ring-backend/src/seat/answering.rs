//! One request: what it is answered, and what it costs a guest that makes mistakes.

use super::{Counter, HOLD_MILLIS, Held, Seat};
use crate::mix::Voice;
use crate::stream::{Desk, Reply};
use crate::wire::{Answer, Operation, Refusal, Request, Trigger, response};
use crate::world::World;

impl<W: World> Seat<W> {
    pub(super) fn answer(
        &mut self,
        request: &Request,
        voice: &mut Voice,
        counter: &mut Counter<'_, W>,
    ) {
        let Some(wires) = &mut self.wires else { return };
        let now = counter.moment.now;
        let before = self.stream.counters.octets;
        let mut desk = Desk {
            world: counter.world,
            dom: self.dom,
            events: &mut wires.events,
            arena: counter.arena,
            mixer: counter.mixer,
            scratch: counter.scratch,
            moment: counter.moment,
        };
        let ends = matches!(
            request.operation,
            Operation::Close | Operation::Trigger(Trigger::Stop)
        );
        let reply = if self.leaving && !ends {
            Reply::Now(Err(Refusal::Leaving))
        } else {
            self.stream.serve(&request.operation, voice, &mut desk)
        };
        let octets = self.stream.counters.octets.saturating_sub(before);
        self.allowance.spend(octets);
        counter.octets = counter.octets.saturating_sub(octets);
        match reply {
            Reply::OnceDrained => {
                self.held = Some(Held {
                    id: request.id,
                    code: request.code,
                    until: now.plus_millis(HOLD_MILLIS),
                });
            }
            Reply::Now(result) => {
                let packet = response(request.id, request.code, result);
                wires.requests.answer(&packet);
                self.judge(&request.operation, result, counter);
            }
        }
    }

    /// Counts mistakes; a stream that makes too many is closed and left alone for a while.
    fn judge(
        &mut self,
        operation: &Operation,
        result: Result<Answer, Refusal>,
        counter: &mut Counter<'_, W>,
    ) {
        // A query for the impossible is how an honest guest finds out what is possible.
        let mistake = !matches!(result, Ok(_) | Err(Refusal::Leaving))
            && !matches!(operation, Operation::Query(_));
        if mistake && self.allowance.strike(counter.moment.now, counter.strikes) {
            self.stream.counters.shut = self.stream.counters.shut.saturating_add(1);
            self.stream.close(counter.arena);
        }
    }
}
