//! A machine with a data plane, a card and players, in simulated time.

use super::card::{FakeCard, FakeInput, STEREO_48K};
use super::front::{self, Buffer, Front, PACKET, Response};
use super::frontend::Params;
use super::player::Player;
use super::recorder::Recorder;
use super::seed::Seed;
use super::xen::FakeXen;
use ring_backend::format::FormatSet;
use ring_backend::link::{DeviceLink, DeviceSlot, Direction, Rates, StreamConfig};
use ring_backend::plane::{Limits, Plane};
use ring_backend::policy::Policy;
use ring_backend::world::{CardFormat, DomId, Nanos};

/// A playback stream that may be anything.
#[must_use]
pub fn liberal(direction: Direction) -> StreamConfig {
    StreamConfig {
        direction,
        unique_id: Default::default(),
        formats: FormatSet::PLAYABLE,
        rates: Rates::Any {
            min: 5512,
            max: 192_000,
        },
        channels_min: 1,
        channels_max: 8,
        buffer_octets: 256 << 10,
    }
}

/// Everything together.
pub struct Stage {
    /// The machine.
    pub xen: FakeXen,
    /// What is tested.
    pub plane: Plane<FakeXen>,
    /// The card; `None`: there is none.
    pub card: Option<FakeCard>,
    /// The applications that play.
    pub players: Vec<Player>,
    /// The applications that record.
    pub recorders: Vec<Recorder>,
    /// The time.
    pub now: Nanos,
    /// How late the domain wakes at most, in nanoseconds.
    pub lateness: u64,
    /// How often the plane was called.
    pub polls: u64,
    /// Turns since a moment at most a millisecond ago.
    polls_in_milli: u32,
    polls_since: Nanos,
    seed: Seed,
    due: Option<Nanos>,
    woken: Option<Nanos>,
    slots: u8,
}

impl Stage {
    /// A stage with a 48 kHz stereo card whose ring holds a third of a second.
    #[must_use]
    pub fn new() -> Self {
        Self::with_card(Limits::default(), STEREO_48K)
    }

    /// A stage that forgives mistakes, so that many can be tried.
    #[must_use]
    pub fn patient() -> Self {
        let limits = Limits {
            strikes: u32::MAX,
            ..Limits::default()
        };
        Self::with_card(limits, STEREO_48K)
    }

    /// A stage whose card also hears, in a ring of a sixth of a second.
    #[must_use]
    pub fn with_input() -> Self {
        let mut stage = Self::new();
        let ring = STEREO_48K.rate as usize / 6;
        if let Some(card) = &mut stage.card {
            card.input = Some(FakeInput::new(STEREO_48K, ring));
        }
        stage
    }

    /// A stage with this card and these limits.
    #[must_use]
    pub fn with_card(limits: Limits, format: CardFormat) -> Self {
        Self {
            xen: FakeXen::new(),
            plane: Plane::new(limits, format),
            card: Some(FakeCard::new(format, format.rate as usize / 3)),
            players: Vec::new(),
            recorders: Vec::new(),
            now: Nanos(1_000_000_000),
            lateness: 0,
            polls: 0,
            polls_in_milli: 0,
            polls_since: Nanos(0),
            seed: Seed::new(1),
            due: None,
            woken: None,
            slots: 0,
        }
    }

    /// Connects a device of `dom` with one stream and gives its guest's end.
    pub fn connect(&mut self, dom: u16, config: StreamConfig) -> (DeviceSlot, Front) {
        let front = Front::new(&self.xen, DomId(dom));
        let slot = self.attach(&front, config);
        (slot, front)
    }

    /// Connects a guest's end that exists already.
    pub fn attach(&mut self, front: &Front, config: StreamConfig) -> DeviceSlot {
        let slot = DeviceSlot(self.slots);
        self.slots += 1;
        self.attach_at(slot, front, config);
        slot
    }

    /// Connects a guest's end at a slot that is free.
    pub fn attach_at(&mut self, slot: DeviceSlot, front: &Front, config: StreamConfig) {
        let mut link = DeviceLink {
            dom: front.dom,
            streams: Default::default(),
        };
        link.streams.push(front.link(config)).expect("one fits");
        self.plane
            .connect(slot, &link, &mut self.xen)
            .expect("a good device connects");
    }

    /// Adds a player on a guest of its own that begins now.
    pub fn play(&mut self, dom: u16, params: Params, data: Vec<u8>) -> &mut Player {
        let (_, front) = self.connect(dom, liberal(Direction::Playback));
        self.players
            .push(Player::new(front, params, data, self.now));
        self.players.last_mut().expect("just pushed")
    }

    /// Adds a recorder on a guest of its own that begins now.
    pub fn record(&mut self, dom: u16, params: Params, frames: usize) -> &mut Recorder {
        let (_, front) = self.connect(dom, liberal(Direction::Capture));
        self.recorders
            .push(Recorder::new(front, params, frames, self.now));
        self.recorders.last_mut().expect("just pushed")
    }

    /// Lets a guest use the microphone, or not.
    pub fn allow(&mut self, dom: u16, microphone: bool) {
        let policy = Policy {
            microphone,
            ..Policy::default()
        };
        self.plane.set_policy(DomId(dom), policy);
    }

    /// What the card hears with.
    ///
    /// # Panics
    /// It hears nothing.
    pub fn input(&mut self) -> &mut FakeInput {
        let card = self.card.as_mut().expect("there is a card");
        card.input.as_mut().expect("it hears")
    }

    /// Calls the plane once.
    pub fn poll(&mut self) {
        self.polls += 1;
        let busy = self.now.0 - self.polls_since.0 < 1_000_000;
        self.polls_in_milli = if busy { self.polls_in_milli + 1 } else { 0 };
        if !busy {
            self.polls_since = self.now;
        }
        assert!(self.polls_in_milli < 1000, "the domain never sleeps");
        if let Some(card) = &mut self.card {
            card.run_to(self.now);
        }
        self.due = self.plane.poll(self.now, &mut self.xen, self.card.as_mut());
        self.woken = None;
        for player in &mut self.players {
            player.sense(self.now);
        }
        for recorder in &mut self.recorders {
            recorder.sense(self.now);
        }
    }

    /// Sends a request and lets time go on until its response comes, at most for 100 ms.
    pub fn ask(&mut self, front: &mut Front, packet: [u8; PACKET]) -> Option<Response> {
        front.send(packet);
        let end = self.now.plus_millis(100);
        loop {
            if let Some(response) = front.response() {
                return Some(response);
            }
            if !self.step(end) {
                self.now = end;
                return front.response();
            }
        }
    }

    /// The status that a request is answered with.
    ///
    /// # Panics
    /// There is no answer.
    pub fn status(&mut self, front: &mut Front, packet: [u8; PACKET]) -> i32 {
        self.ask(front, packet).expect("an answer").status
    }

    /// Opens a stream on a new buffer.
    ///
    /// # Panics
    /// It is refused.
    pub fn open(&mut self, front: &mut Front, params: Params) -> Buffer {
        let buffer = Buffer::new(&self.xen, front.dom, params.buffer_octets());
        let status = self.status(front, front::open(&params.claim(buffer.directory)));
        assert_eq!(status, 0, "a good stream opens");
        buffer
    }

    /// When the plane wants to be called next.
    #[must_use]
    pub const fn due(&self) -> Option<Nanos> {
        self.due
    }

    /// Lets time go on until `end`.
    pub fn run_until(&mut self, end: Nanos) {
        while self.step(end) {}
        self.now = end;
    }

    /// Lets time go on for this many milliseconds.
    pub fn run_millis(&mut self, millis: u64) {
        self.run_until(self.now.plus_millis(millis));
    }

    /// Lets time go on until every player is done, at most for `seconds`.
    pub fn run_to_the_end(&mut self, seconds: u64) {
        let end = self.now.plus_millis(seconds * 1000);
        while self.players.iter().any(|player| !player.finished())
            || self.recorders.iter().any(|recorder| !recorder.finished())
        {
            assert!(
                self.step(end),
                "not done after {seconds} s: {:?}",
                self.players
                    .iter()
                    .map(|player| player.linux.state)
                    .collect::<Vec<_>>()
            );
        }
    }

    /// Goes to the next thing that happens before `end`; `false` if there is none.
    fn step(&mut self, end: Nanos) -> bool {
        if self.woken.is_none() && self.xen.backend_woken() {
            self.woken = Some(self.late(self.now));
        }
        let players = self.players.iter().filter_map(Player::next);
        let recorders = self.recorders.iter().filter_map(Recorder::next);
        let plane = [self.due, self.woken].into_iter().flatten();
        let Some(next) = players
            .chain(recorders)
            .chain(plane)
            .min()
            .filter(|next| *next < end)
        else {
            return false;
        };
        self.now = self.now.max(next);
        let now = self.now;
        if [self.due, self.woken]
            .into_iter()
            .flatten()
            .any(|at| at <= now)
        {
            self.poll();
            if let Some(due) = self.due {
                self.due = Some(self.late(due.max(Nanos(now.0 + 1))));
            }
        }
        for player in &mut self.players {
            if player.next().is_some_and(|at| at <= now) {
                player.run(now);
            }
            player.watch(now);
        }
        for recorder in &mut self.recorders {
            if recorder.next().is_some_and(|at| at <= now) {
                recorder.run(now);
            }
        }
        true
    }

    fn late(&mut self, at: Nanos) -> Nanos {
        match self.lateness {
            0 => at,
            most => Nanos(at.0 + self.seed.below(most)),
        }
    }
}

impl Default for Stage {
    fn default() -> Self {
        Self::new()
    }
}
