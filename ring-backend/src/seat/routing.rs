//! Where a stream is heard, or hears.

use super::Seat;
use crate::link::{Direction, StreamConfig};
use crate::mix::Voice;
use crate::policy::Policy;
use crate::route::{Misrouted, Routes, Terminal};
use crate::world::World;

/// Where a stream's `unique-id` routes it, if that is the name of something it could use. `mic` is
/// what people call whatever records, and routes nowhere.
pub(super) fn terminal(config: &StreamConfig) -> Option<Terminal> {
    let plays = config.direction == Direction::Playback;
    let named = Terminal::from_name(config.unique_id.as_bytes());
    named.filter(|&terminal| terminal.is_output() == plays && terminal != Terminal::Mic)
}

impl<W: World> Seat<W> {
    /// Takes on what dom0 lets the guest do.
    pub fn set_policy(&mut self, policy: Policy, routes: Routes, voice: &mut Voice) {
        self.policy = policy;
        self.route(routes, voice);
    }

    /// Lets the stream be heard, or hear, where it is routed to and nowhere else.
    pub fn route(&mut self, routes: Routes, voice: &mut Voice) {
        let live = |to: Option<Terminal>| to.is_none_or(|to| routes.live.has(to));
        let mut policy = self.policy;
        match self.stream.direction() {
            Direction::Playback => {
                policy.muted |= !(live(self.terminal) && live(policy.output));
            }
            Direction::Capture => policy.microphone &= live(self.terminal),
        }
        self.stream.set_policy(policy, voice);
    }

    /// Says if the stream is routed to what is not there.
    #[must_use]
    pub fn misrouted(&self, routes: Routes) -> Option<Misrouted> {
        let missing = |to: &Terminal| !routes.present.has(*to);
        let plays = self.stream.direction() == Direction::Playback;
        let own = self.terminal.filter(missing);
        let guest = self.policy.output.filter(|to| plays && missing(to));
        Some(Misrouted {
            stream: own.map(|_| self.index),
            to: own.or(guest)?,
            present: routes.present,
        })
    }
}
