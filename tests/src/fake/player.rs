//! An application that plays to the end, `aplay` by and large, on a [`Linux`] front-end.

use super::front::{self, Front};
use super::frontend::{Linux, Params, State};
use super::interrupts::Interrupts;
use ring_backend::world::Nanos;

/// What the application waits for next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    Query(u8),
    Open,
    Write,
    /// The response to a WRITE of this many frames.
    Written(u64),
    Start,
    Started,
    /// Room in the buffer.
    Room,
    /// The end of what was written.
    Drain(Nanos),
    Stopped,
    Close,
    Closed,
    Done,
}

/// The application.
#[derive(Debug)]
pub struct Player {
    /// The kernel below it.
    pub linux: Linux,
    /// What it plays, in octets.
    pub data: Vec<u8>,
    /// How often it plays the data, opening the device anew each time.
    pub rounds: u32,
    /// Time from an interrupt to its handler, and from there to the application.
    pub reaction: u64,
    /// Times that a drain took longer than Linux waits.
    pub drain_timeouts: u32,
    /// Errors that it was given.
    pub errors: Vec<i32>,
    /// Whether it pauses for this long before a WRITE that begins at this octet of the data.
    pub stall: Option<(usize, u64)>,
    /// When each round was started, in nanoseconds.
    pub starts: Vec<Nanos>,
    /// The longest time between a request and its response.
    pub slowest_response: u64,
    params: Params,
    task: Task,
    at: Nanos,
    done: usize,
    outstanding: Option<(u16, Nanos)>,
    interrupts: Interrupts,
}

impl Player {
    /// An application that begins at `at`.
    #[must_use]
    pub fn new(front: Front, params: Params, data: Vec<u8>, at: Nanos) -> Self {
        Self {
            linux: Linux::new(front, params),
            data,
            rounds: 1,
            reaction: 30_000,
            drain_timeouts: 0,
            errors: Vec::new(),
            stall: None,
            starts: Vec::new(),
            slowest_response: 0,
            params,
            task: Task::Query(0),
            at,
            done: 0,
            outstanding: None,
            interrupts: Interrupts::default(),
        }
    }

    /// Whether it played everything and closed.
    #[must_use]
    pub fn finished(&self) -> bool {
        self.task == Task::Done
    }

    /// Notes the backend's notifications as interrupts to come.
    pub fn sense(&mut self, now: Nanos) {
        let at = Nanos(now.0 + self.reaction);
        self.interrupts.sense(&self.linux.front, at);
    }

    /// When it next does something by itself.
    #[must_use]
    pub fn next(&self) -> Option<Nanos> {
        let waits = matches!(self.task, Task::Room | Task::Drain(_) | Task::Done)
            || self.outstanding.is_some();
        self.interrupts.next((!waits).then_some(self.at))
    }

    /// Does what is due at `now`.
    pub fn run(&mut self, now: Nanos) {
        if self.interrupts.take_ring(now) {
            self.responses(now);
        }
        if self.interrupts.take_event(now) {
            let (over, stop) = self.linux.event_interrupt(now);
            self.period(over, stop, now);
        }
        if self.outstanding.is_none() && self.at <= now {
            self.act(now);
        }
    }

    fn send(&mut self, packet: [u8; front::PACKET], now: Nanos) {
        let id = self.linux.front.send(packet);
        self.outstanding = Some((id, now));
    }

    fn responses(&mut self, now: Nanos) {
        while let Some(response) = self.linux.front.response() {
            if !self.linux.connected {
                continue;
            }
            let Some((id, since)) = self.outstanding else {
                panic!("a response that nobody asked for: {response:?}");
            };
            assert_eq!(response.id, id, "responses come in order");
            self.outstanding = None;
            self.slowest_response = self.slowest_response.max(now.0 - since.0);
            self.at = Nanos(now.0 + self.reaction);
            if response.status != 0 {
                self.errors.push(response.status);
                self.task = match self.task {
                    // As `aplay` does: it gives up, and the kernel closes what it had open.
                    Task::Written(_) => {
                        self.rounds = 1;
                        Task::Close
                    }
                    _ => Task::Done,
                };
                return;
            }
            self.granted(now);
        }
    }

    /// A request was granted.
    fn granted(&mut self, now: Nanos) {
        self.task = match self.task {
            Task::Query(count) if count < 5 => Task::Query(count + 1),
            Task::Query(_) => {
                self.linux.set_params(self.params);
                Task::Open
            }
            Task::Open => {
                self.linux.opened = true;
                self.linux.prepare();
                Task::Write
            }
            Task::Written(frames) => {
                self.linux.written += frames;
                self.done += frames as usize * self.params.frame;
                match self.linux.state {
                    State::Prepared if self.linux.written >= self.params.buffer => Task::Start,
                    _ => Task::Write,
                }
            }
            Task::Started => Task::Write,
            Task::Stopped => match self.linux.state {
                State::Xrun => {
                    self.linux.prepare();
                    Task::Write
                }
                _ => Task::Close,
            },
            Task::Closed => self.closed(now),
            other => panic!("{other:?} waits for no response"),
        };
    }

    fn closed(&mut self, now: Nanos) -> Task {
        self.linux.free();
        self.linux.connected = false;
        self.done = 0;
        self.rounds -= 1;
        if self.rounds == 0 {
            return Task::Done;
        }
        self.at = Nanos(now.0 + 1_000_000);
        Task::Query(0)
    }

    /// A period was called over, or the stream has to stop: by the event's own thread.
    fn period(&mut self, over: bool, stop: bool, now: Nanos) {
        if stop && self.outstanding.is_none() {
            self.task = Task::Stopped;
            if self.linux.state == State::Draining {
                self.linux.state = State::Setup;
            }
            self.send(front::trigger(2), now);
        } else if over && self.task == Task::Room && self.linux.room() >= self.params.period {
            self.task = Task::Write;
            self.at = Nanos(now.0 + self.reaction);
        }
    }

    fn act(&mut self, now: Nanos) {
        match self.task {
            Task::Query(_) => {
                if !self.linux.connected {
                    self.linux.open();
                }
                let p = self.params;
                let exactly = |value: u64| (value as u32, value as u32);
                let space = [
                    exactly(u64::from(p.rate)),
                    exactly(u64::from(p.channels)),
                    (1, u32::MAX),
                    (1, u32::MAX),
                ];
                self.send(front::query(1 << p.format, space), now);
            }
            Task::Open => self.send(front::open(&self.linux.claim()), now),
            Task::Write => self.write(now),
            Task::Start => {
                self.linux.state = State::Running;
                self.starts.push(now);
                self.task = Task::Started;
                self.send(front::trigger(0), now);
            }
            Task::Close => {
                self.task = Task::Closed;
                self.send(front::close(), now);
            }
            Task::Room | Task::Drain(_) | Task::Done => {}
            other => panic!("{other:?} is waited for"),
        }
    }

    fn write(&mut self, now: Nanos) {
        if self.linux.state == State::Xrun {
            self.task = Task::Stopped;
            self.send(front::trigger(2), now);
            return;
        }
        let left = (self.data.len() - self.done) / self.params.frame;
        if left == 0 {
            return self.drain(now);
        }
        if let Some((at, nanos)) = self.stall
            && self.done >= at
        {
            self.stall = None;
            self.at = Nanos(now.0 + nanos);
            return;
        }
        if self.linux.state == State::Running && self.linux.look() {
            self.task = Task::Stopped;
            self.send(front::trigger(2), now);
            return;
        }
        let room = self.linux.room();
        if room == 0 {
            self.task = Task::Room;
            return;
        }
        let at = self.linux.written % self.params.buffer;
        let frames = room
            .min(self.params.buffer - at)
            .min(self.params.period)
            .min(left as u64);
        let (offset, octets) = (
            at as usize * self.params.frame,
            frames as usize * self.params.frame,
        );
        let buffer = self.linux.buffer.as_ref().expect("parameters were set");
        buffer.write(offset, &self.data[self.done..self.done + octets]);
        self.task = Task::Written(frames);
        self.send(front::span(3, offset as u32, octets as u32), now);
    }

    fn drain(&mut self, now: Nanos) {
        match self.linux.state {
            State::Prepared => self.task = Task::Start,
            _ => {
                self.linux.state = State::Draining;
                self.task = Task::Drain(now);
                if self.linux.look() {
                    self.linux.state = State::Setup;
                    self.task = Task::Stopped;
                    self.send(front::trigger(2), now);
                }
            }
        }
    }

    /// Counts a drain that takes longer than Linux lets it; called as time goes on.
    pub fn watch(&mut self, now: Nanos) {
        if let Task::Drain(since) = self.task {
            let buffer = self.params.buffer * 1_000_000_000 / u64::from(self.params.rate);
            let most = (buffer * 11 / 10).max(100_000_000);
            if now.0 - since.0 > most {
                self.drain_timeouts += 1;
                self.task = Task::Done;
            }
        }
    }
}
