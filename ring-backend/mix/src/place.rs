//! Where in a plan a voice is, and how what it last played ends.

/// The number of no plan. Numbers leave room for what follows.
pub const NO_PLAN: u64 = 0;
/// Which of the streams it is.
pub const SLOT: u64 = 0x7F;
/// Whether those are of 32 bits.
pub const WIDE: u64 = SLOT + 1;

/// A voice's place, and how what it last played ends.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Place {
    /// The plan's number and the place in it.
    pub seat: u64,
    /// Whether `last` was filled since it was last asked for: whoever takes a place plays at once.
    noted: bool,
    last: [u8; 32],
}

impl Place {
    /// Nowhere, with nothing played.
    pub const NONE: Self = Self {
        seat: NO_PLAN,
        noted: false,
        last: [0; 32],
    };

    /// Whether it is one in a plan, of this mixer or another.
    #[must_use]
    pub const fn taken(&self) -> bool {
        self.seat != NO_PLAN
    }

    /// Takes a place in a plan.
    pub const fn take(&mut self, seat: u64) {
        self.seat = seat;
        self.noted = true;
    }

    /// Leaves the plan.
    pub const fn leave(&mut self) {
        self.seat = NO_PLAN;
    }

    /// Which of the streams of its width it is, as they are summed.
    #[must_use]
    pub const fn slot(&self) -> usize {
        (self.seat & SLOT) as usize
    }

    /// Whether the samples have 32 bits.
    #[must_use]
    pub const fn wide(&self) -> bool {
        self.seat & WIDE != 0
    }

    /// Notes the end of what is played, at least a frame.
    #[inline]
    pub fn note_last<const OCTETS: usize>(&mut self, octets: &[u8; OCTETS]) {
        if let Some(last) = self.last.last_chunk_mut() {
            *last = *octets;
        }
    }

    /// The same: the last octets, whatever they mean.
    #[inline]
    pub fn note(&mut self, octets: &[u8]) {
        match octets.last_chunk() {
            Some(last) => self.last = *last,
            None => self.note_few(octets),
        }
    }

    #[cold]
    fn note_few(&mut self, octets: &[u8]) {
        let old = self.last;
        let all = old.iter().chain(octets).skip(octets.len());
        for (last, &octet) in self.last.iter_mut().zip(all) {
            *last = octet;
        }
    }

    /// The last octets, once.
    pub fn take_last(&mut self) -> Option<&[u8; 32]> {
        core::mem::take(&mut self.noted).then_some(&self.last)
    }
}
