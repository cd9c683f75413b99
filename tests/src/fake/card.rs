//! A card with a clocked DMA that records every frame it fetches.

use ring_backend::route::Routes;
use ring_backend::world::{Card, CardFault, CardFormat, CardInput, CardSample, Nanos};

/// The card most tests use.
pub const STEREO_48K: CardFormat = CardFormat {
    rate: 48_000,
    channels: 2,
    sample: CardSample::S16,
};

/// A sound card of memory.
#[derive(Debug)]
pub struct FakeCard {
    format: CardFormat,
    ring: Vec<u8>,
    ring_frames: usize,
    now: Nanos,
    started: Option<Nanos>,
    fetched: u64,
    /// The position is told in multiples of this many frames.
    pub step: u64,
    /// Frames that the DMA fetches past the position it tells.
    pub fifo: u64,
    /// The clock's error in parts per million.
    pub ppm: i64,
    /// Starting fails.
    pub refuses: bool,
    /// The position is lost.
    pub lost: bool,
    /// Every frame fetched, of all starts one after another.
    pub heard: Vec<u8>,
    /// How often it was started.
    pub starts: u32,
    /// Frames written after they were fetched that were no silence.
    pub late_frames: u64,
    /// What it hears with.
    pub input: Option<FakeInput>,
    /// What it has, and what of it counts.
    pub routes: Routes,
}

/// The input of a card, which hears the numbers of its frames.
#[derive(Debug)]
pub struct FakeInput {
    format: CardFormat,
    ring_frames: usize,
    now: Nanos,
    started: Option<Nanos>,
    /// Starting fails.
    pub refuses: bool,
    /// The position is lost.
    pub lost: bool,
    /// How often it was started.
    pub starts: u32,
    /// How long it ran in all, in nanoseconds, runs that ended only.
    pub heard_for: u64,
}

impl FakeInput {
    /// An input that is off.
    #[must_use]
    pub const fn new(format: CardFormat, ring_frames: usize) -> Self {
        Self {
            format,
            ring_frames,
            now: Nanos(0),
            started: None,
            refuses: false,
            lost: false,
            starts: 0,
            heard_for: 0,
        }
    }

    /// Whether the DMA runs.
    #[must_use]
    pub const fn running(&self) -> bool {
        self.started.is_some()
    }

    /// Both samples of a frame: its number, which is never 0, and the same upside down.
    #[must_use]
    pub const fn frame(number: u64) -> [i16; 2] {
        let sample = (number % 32_767) as i16 + 1;
        [sample, -sample]
    }

    fn captured(&self) -> u64 {
        let Some(started) = self.started else {
            return 0;
        };
        let frames = u128::from(self.now.0 - started.0) * u128::from(self.format.rate);
        (frames / 1_000_000_000) as u64
    }
}

impl CardInput for FakeInput {
    fn format(&self) -> CardFormat {
        self.format
    }

    fn ring_frames(&self) -> usize {
        self.ring_frames
    }

    fn start(&mut self) -> Result<(), CardFault> {
        assert!(self.started.is_none(), "a running input is not started");
        if self.refuses {
            return Err(CardFault);
        }
        self.started = Some(self.now);
        self.starts += 1;
        Ok(())
    }

    fn stop(&mut self) {
        if let Some(started) = self.started.take() {
            self.heard_for += self.now.0 - started.0;
        }
    }

    fn position(&mut self, now: Nanos) -> Result<u64, CardFault> {
        self.now = self.now.max(now);
        if self.lost || self.started.is_none() {
            return Err(CardFault);
        }
        Ok(self.captured())
    }

    fn read(&self, at: u64, frames: &mut [u8]) {
        let octets = self.format.frame_octets();
        assert_eq!(octets, 4, "two samples of 16 bits");
        for (number, frame) in (at..).zip(frames.chunks_exact_mut(octets)) {
            assert!(number < self.captured(), "frame {number} is not there yet");
            assert!(
                number + self.ring_frames as u64 > self.captured(),
                "frame {number} is gone"
            );
            let samples = Self::frame(number);
            frame.copy_from_slice(samples.map(i16::to_le_bytes).as_flattened());
        }
    }
}

impl FakeCard {
    /// A card at rest with a ring of `ring_frames`.
    #[must_use]
    pub fn new(format: CardFormat, ring_frames: usize) -> Self {
        Self {
            format,
            // What a ring holds before its first start is anybody's guess.
            ring: vec![0x55; ring_frames * format.frame_octets()],
            ring_frames,
            now: Nanos(0),
            started: None,
            fetched: 0,
            step: 1,
            fifo: 0,
            ppm: 0,
            refuses: false,
            lost: false,
            heard: Vec::new(),
            starts: 0,
            late_frames: 0,
            input: None,
            routes: Routes::default(),
        }
    }

    /// Whether the DMA runs.
    #[must_use]
    pub const fn running(&self) -> bool {
        self.started.is_some()
    }

    /// Lets the DMA fetch what it does up to `now`.
    pub fn run_to(&mut self, now: Nanos) {
        self.now = self.now.max(now);
        if let Some(input) = &mut self.input {
            input.now = self.now;
        }
        let Some(started) = self.started else { return };
        let nanos = i128::from(self.now.0 - started.0);
        let rate = i128::from(self.format.rate) * i128::from(1_000_000 + self.ppm);
        let frames = (nanos * rate / 1_000_000_000_000_000) as u64;
        let octets = self.format.frame_octets();
        while self.fetched < frames + self.fifo {
            let at = (self.fetched % self.ring_frames as u64) as usize * octets;
            self.heard.extend_from_slice(&self.ring[at..at + octets]);
            self.fetched += 1;
        }
    }

    /// What was heard as 16-bit samples.
    #[must_use]
    pub fn samples(&self) -> Vec<i16> {
        self.heard
            .as_chunks()
            .0
            .iter()
            .map(|sample| i16::from_le_bytes(*sample))
            .collect()
    }
}

impl Card for FakeCard {
    fn format(&self) -> CardFormat {
        self.format
    }

    fn ring_frames(&self) -> usize {
        self.ring_frames
    }

    fn fetch_ahead(&self) -> usize {
        self.fifo as usize
    }

    fn routes(&self) -> Routes {
        self.routes
    }

    fn start(&mut self) -> Result<(), CardFault> {
        assert!(self.started.is_none(), "a running card is not started");
        if self.refuses {
            return Err(CardFault);
        }
        self.ring.fill(0);
        self.started = Some(self.now);
        self.fetched = 0;
        self.starts += 1;
        Ok(())
    }

    fn stop(&mut self) {
        self.started = None;
    }

    fn position(&mut self, now: Nanos) -> Result<u64, CardFault> {
        self.run_to(now);
        if self.lost || self.started.is_none() {
            return Err(CardFault);
        }
        let told = self.fetched.saturating_sub(self.fifo);
        Ok(told / self.step * self.step)
    }

    fn write(&mut self, at: u64, frames: &[u8]) {
        let octets = self.format.frame_octets();
        assert_eq!(frames.len() % octets, 0, "whole frames");
        assert!(frames.len() <= self.ring.len(), "no more than the ring");
        let silent = frames.iter().all(|octet| *octet == 0);
        for (number, frame) in (at..).zip(frames.chunks_exact(octets)) {
            if number < self.fetched && !silent {
                self.late_frames += 1;
            }
            assert!(
                number < self.fetched + self.ring_frames as u64,
                "frame {number} would overwrite one not yet fetched"
            );
            let slot = (number % self.ring_frames as u64) as usize * octets;
            self.ring[slot..slot + octets].copy_from_slice(frame);
        }
    }

    fn input(&mut self) -> Option<&mut dyn CardInput> {
        self.input.as_mut().map(|input| input as &mut dyn CardInput)
    }
}
