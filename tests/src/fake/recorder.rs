//! An application that records for a while, `arecord` by and large, on a [`Linux`] front-end.

use super::front::{self, Front};
use super::frontend::{Linux, Params, State};
use super::interrupts::Interrupts;
use ring_backend::world::Nanos;

/// What the application waits for next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    Open,
    Start,
    Read,
    /// The response to a READ of this many frames.
    Got(u64),
    /// A period in the buffer.
    Data,
    Stop,
    Stopped,
    Close,
    Done,
}

/// The application.
#[derive(Debug)]
pub struct Recorder {
    /// The kernel below it.
    pub linux: Linux,
    /// What it recorded, in octets.
    pub data: Vec<u8>,
    /// Time from an interrupt to its handler, and from there to the application.
    pub reaction: u64,
    /// Errors that it was given.
    pub errors: Vec<i32>,
    /// When frames came, and how many there were by then.
    pub arrivals: Vec<(Nanos, u64)>,
    /// Whether it pauses for this long once it has so many octets.
    pub stall: Option<(usize, u64)>,
    params: Params,
    wanted: usize,
    task: Task,
    at: Nanos,
    outstanding: bool,
    interrupts: Interrupts,
}

impl Recorder {
    /// An application that begins at `at` and records `frames` frames.
    #[must_use]
    pub fn new(front: Front, params: Params, frames: usize, at: Nanos) -> Self {
        let mut linux = Linux::new(front, params);
        linux.captures = true;
        Self {
            linux,
            data: Vec::new(),
            reaction: 30_000,
            errors: Vec::new(),
            arrivals: Vec::new(),
            stall: None,
            params,
            wanted: frames * params.frame,
            task: Task::Open,
            at,
            outstanding: false,
            interrupts: Interrupts::default(),
        }
    }

    /// What was recorded, as frames of two samples of 16 bits.
    #[must_use]
    pub fn frames(&self) -> Vec<[i16; 2]> {
        let frames = self.data.as_chunks::<4>().0.iter();
        frames
            .map(|[a, b, c, d]| [i16::from_le_bytes([*a, *b]), i16::from_le_bytes([*c, *d])])
            .collect()
    }

    /// Whether it has everything and closed.
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
        let waits = matches!(self.task, Task::Data | Task::Done) || self.outstanding;
        self.interrupts.next((!waits).then_some(self.at))
    }

    /// Does what is due at `now`.
    pub fn run(&mut self, now: Nanos) {
        if self.interrupts.take_ring(now) {
            while let Some(response) = self.linux.front.response() {
                self.outstanding = false;
                self.at = Nanos(now.0 + self.reaction);
                if response.status == 0 {
                    self.granted(now);
                } else {
                    self.errors.push(response.status);
                    self.task = Task::Done;
                }
            }
        }
        if self.interrupts.take_event(now) {
            let (over, stop) = self.linux.event_interrupt(now);
            if stop && !self.outstanding {
                self.task = Task::Stop;
                self.at = now;
            } else if over && self.task == Task::Data && self.there() >= self.params.period {
                self.task = Task::Read;
                self.at = Nanos(now.0 + self.reaction);
            }
        }
        if !self.outstanding && self.at <= now {
            self.act(now);
        }
    }

    /// Frames that can be read.
    fn there(&self) -> u64 {
        self.linux.played - self.linux.written
    }

    fn granted(&mut self, now: Nanos) {
        self.task = match self.task {
            Task::Open => {
                self.linux.prepare();
                Task::Start
            }
            Task::Start => Task::Read,
            Task::Got(frames) => {
                self.take(frames);
                self.arrivals.push((now, self.linux.written));
                match self.data.len() >= self.wanted {
                    true => Task::Stop,
                    false => Task::Read,
                }
            }
            Task::Stopped if self.linux.state == State::Xrun => {
                self.linux.prepare();
                Task::Start
            }
            Task::Stopped => Task::Close,
            Task::Close => {
                self.linux.free();
                self.linux.connected = false;
                Task::Done
            }
            other => panic!("{other:?} waits for no response"),
        };
    }

    /// Copies frames out of the buffer.
    fn take(&mut self, frames: u64) {
        let at = (self.linux.written % self.params.buffer) as usize * self.params.frame;
        let mut octets = vec![0; frames as usize * self.params.frame];
        let buffer = self.linux.buffer.as_ref().expect("parameters were set");
        buffer.read(at, &mut octets);
        self.data.extend(octets);
        self.linux.written += frames;
    }

    fn act(&mut self, now: Nanos) {
        let packet = match self.task {
            Task::Open => {
                self.linux.open();
                self.linux.set_params(self.params);
                front::open(&self.linux.claim())
            }
            Task::Start => {
                self.linux.state = State::Running;
                front::trigger(0)
            }
            Task::Read => match self.read(now) {
                Some(packet) => packet,
                None => return,
            },
            Task::Stop => {
                self.task = Task::Stopped;
                if self.linux.state == State::Running {
                    self.linux.state = State::Setup;
                }
                front::trigger(2)
            }
            Task::Close => front::close(),
            Task::Data | Task::Done => return,
            other => panic!("{other:?} is waited for"),
        };
        self.linux.front.send(packet);
        self.outstanding = true;
    }

    fn read(&mut self, now: Nanos) -> Option<[u8; front::PACKET]> {
        if let Some((at, nanos)) = self.stall
            && self.data.len() >= at
        {
            self.stall = None;
            self.at = Nanos(now.0 + nanos);
            return None;
        }
        if self.linux.look() {
            self.task = Task::Stopped;
            return Some(front::trigger(2));
        }
        if self.there() < self.params.period {
            self.task = Task::Data;
            return None;
        }
        let at = self.linux.written % self.params.buffer;
        let left = (self.wanted - self.data.len()).div_ceil(self.params.frame) as u64;
        let frames = self
            .params
            .period
            .min(self.params.buffer - at)
            .min(left.max(1));
        self.task = Task::Got(frames);
        let octets = |frames: u64| (frames as usize * self.params.frame) as u32;
        Some(front::span(2, octets(at), octets(frames)))
    }
}
