//! A stream's private copy of its guest's buffer, and which frames in it are still to be heard.
//!
//! The guest's buffer is a ring that the guest writes and the mixer reads. Each WRITE copies its
//! part once; the mixer reads the copy only, so what a guest does to its pages later changes
//! nothing. Frames are counted from the last START, without wrapping. What was mixed is
//! overwritten with silence, so that nothing is ever heard twice when a guest is late.
//!
//! A guest may also write anew what it has written: a sound server that gets something more to play
//! takes back what is not played yet. What is mixed by then cannot be taken back. But where it was
//! silence, counting goes back to where the guest begins: the silence only lasted longer.

use core::ops::Range;

/// The counters of one buffer. The octets lie in the arena.
#[derive(Clone, Copy, Debug)]
pub struct Shadow {
    /// Frames of the ring, not 0.
    frames: u32,
    /// Octets of a frame, not 0.
    frame_octets: u32,
    /// Eight octets of the format's silence.
    silence: [u8; 8],
    /// Frames that the mixer has taken.
    mixed: u64,
    /// End of the furthest frame stored.
    stored: u64,
    /// End of the last mixed frame that was no silence.
    sounded: u64,
}

/// What became of the frames of one WRITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Storing {
    /// Frames that came after their place was mixed.
    pub late: u32,
    /// Frames of silence that were heard where data now resumes; 0 if nothing was missed.
    pub gap: u64,
    /// It began where frames that were stored before are mixed already.
    pub anew: bool,
    /// Frames of silence that no longer count as mixed.
    pub unmixed: u64,
}

/// A part of a WRITE with one fate, in frames of the ring.
struct Piece {
    first: u32,
    frames: u32,
    /// The count of its first frame since START.
    at: u64,
    late: bool,
}

impl Shadow {
    /// A ring of silence. `frames` and `frame_octets` are at least 1.
    #[must_use]
    pub fn new(frames: u32, frame_octets: u32, silence: [u8; 8]) -> Self {
        Self {
            frames: frames.max(1),
            frame_octets: frame_octets.max(1),
            silence,
            mixed: 0,
            stored: 0,
            sounded: 0,
        }
    }

    /// Frames of the ring.
    #[must_use]
    pub const fn frames(&self) -> u32 {
        self.frames
    }

    /// Octets of the ring.
    #[must_use]
    pub const fn octets(&self) -> usize {
        self.frames as usize * self.frame_octets as usize
    }

    /// Frames that the mixer has taken since START.
    #[must_use]
    pub const fn mixed(&self) -> u64 {
        self.mixed
    }

    /// Makes the whole ring silent and begins counting anew.
    pub fn clear(&mut self, ring: &mut [u8]) {
        self.hush(ring, 0, self.frames);
        self.begin(0);
    }

    /// Begins counting anew; keeps the first `kept` frames of the ring, hushes the rest.
    pub fn restart(&mut self, ring: &mut [u8], kept: u32) {
        let kept = kept.min(self.frames);
        self.hush(ring, kept, self.frames - kept);
        self.begin(u64::from(kept));
    }

    /// Begins counting anew after a STOP; hushes what was stored and never mixed.
    pub fn stop(&mut self, ring: &mut [u8]) {
        let left = self.stored.saturating_sub(self.mixed);
        let left = u32::try_from(left).unwrap_or(u32::MAX).min(self.frames);
        self.hush(ring, self.slot(self.mixed), left);
        self.begin(0);
    }

    fn begin(&mut self, stored: u64) {
        self.mixed = 0;
        self.stored = stored;
        self.sounded = 0;
    }

    /// Stores frames `first..first + frames` of the ring, which lie in it.
    ///
    /// `known` is the position that the guest may know of: a place between it and what is mixed
    /// is where the guest could not know that it was late. Such frames are left out. A place
    /// before that is the next round's. `copy` fetches a range of octets.
    ///
    /// # Errors
    /// What `copy` returns; nothing is counted then.
    pub fn store<E>(
        &mut self,
        first: u32,
        frames: u32,
        known: u64,
        mut copy: impl FnMut(Range<usize>) -> Result<(), E>,
    ) -> Result<Storing, E> {
        // Half a ring at least stays writable even where a guest has heard of nothing at all.
        let known = known.max(self.mixed.saturating_sub(u64::from(self.frames / 2)));
        let begins = known + self.ahead(first, known);
        let anew = begins < self.mixed.min(self.stored);
        let mixed = match anew && self.sounded <= begins {
            true => begins,
            false => self.mixed,
        };
        let late_zone = mixed.saturating_sub(known);
        let mut storing = Storing {
            anew,
            unmixed: self.mixed - mixed,
            ..Storing::default()
        };
        let mut stored = self.stored;
        let mut done = 0;
        // A linear part of the ring meets the late zone and the round's end at most twice each.
        for _ in 0..5 {
            let piece = self.piece(first + done, frames - done, known, late_zone);
            if piece.frames == 0 {
                break;
            }
            done += piece.frames;
            if piece.late {
                storing.late += piece.frames;
                continue;
            }
            copy(self.range(piece.first, piece.frames))?;
            if mixed > stored && self.stored > 0 && storing.gap == 0 {
                storing.gap = piece.at - stored;
            }
            stored = stored.max(piece.at + u64::from(piece.frames));
        }
        self.stored = stored;
        self.mixed = mixed;
        Ok(storing)
    }

    /// The longest part from `first` on, at most `frames`, that has one fate.
    fn piece(&self, first: u32, frames: u32, known: u64, late_zone: u64) -> Piece {
        let ahead = self.ahead(first, known);
        let late = ahead < late_zone;
        let end = match late {
            true => late_zone,
            false => u64::from(self.frames),
        };
        let left = u32::try_from(end - ahead).unwrap_or(self.frames);
        Piece {
            first,
            frames: frames.min(left),
            at: known + ahead,
            late,
        }
    }

    /// Frames from `known` to where frame `first` of the ring comes next.
    fn ahead(&self, first: u32, known: u64) -> u64 {
        u64::from((first % self.frames + self.frames - self.slot(known)) % self.frames)
    }

    /// The octets of the next `frames` frames, in two parts where they wrap; fewer where the
    /// guest stored no more.
    #[must_use]
    pub fn next<'r>(&self, ring: &'r [u8], frames: usize) -> (&'r [u8], &'r [u8]) {
        let stored = usize::try_from(self.stored.saturating_sub(self.mixed));
        let frames = frames.min(stored.unwrap_or(usize::MAX));
        let (one, two) = self.wrapped(self.slot(self.mixed), frames);
        (
            ring.get(one).unwrap_or_default(),
            ring.get(two).unwrap_or_default(),
        )
    }

    /// Counts `frames` as mixed and hushes them.
    pub fn consume(&mut self, ring: &mut [u8], frames: usize) {
        let count = u32::try_from(frames).unwrap_or(u32::MAX).min(self.frames);
        let (one, two) = self.next(ring, frames);
        let octets = match sounding(two, &self.silence) {
            0 => sounding(one, &self.silence),
            more => one.len() + more,
        };
        if octets > 0 {
            let sounding = octets.div_ceil(self.frame_octets as usize) as u64;
            self.sounded = self.mixed.saturating_add(sounding);
        }
        self.hush(ring, self.slot(self.mixed), count);
        self.mixed = self.mixed.saturating_add(frames as u64);
    }

    fn slot(&self, frame: u64) -> u32 {
        // The remainder of a division by a u32 is one.
        u32::try_from(frame % u64::from(self.frames)).unwrap_or(0)
    }

    fn range(&self, first: u32, frames: u32) -> Range<usize> {
        let octets = self.frame_octets as usize;
        let start = first as usize * octets;
        start..start + frames as usize * octets
    }

    fn wrapped(&self, first: u32, frames: usize) -> (Range<usize>, Range<usize>) {
        let frames = u32::try_from(frames).unwrap_or(u32::MAX).min(self.frames);
        let head = frames.min(self.frames - first);
        (self.range(first, head), self.range(0, frames - head))
    }

    fn hush(&self, ring: &mut [u8], first: u32, frames: u32) {
        let (one, two) = self.wrapped(first % self.frames, frames as usize);
        for part in [one, two] {
            if let Some(octets) = ring.get_mut(part) {
                fill(octets, &self.silence);
            }
        }
    }
}

/// Octets up to the last one that differs from the pattern repeated.
fn sounding(octets: &[u8], pattern: &[u8; 8]) -> usize {
    let (whole, rest) = octets.as_chunks::<8>();
    if pattern.starts_with(rest) && whole.iter().all(|chunk| chunk == pattern) {
        return 0;
    }
    let mut octets = octets.iter().enumerate();
    let last = octets.rposition(|(at, octet)| pattern.get(at % 8) != Some(octet));
    last.map_or(0, |last| last + 1)
}

/// Repeats the pattern over the octets.
fn fill(octets: &mut [u8], pattern: &[u8; 8]) {
    let [first, ..] = *pattern;
    if pattern.iter().all(|octet| *octet == first) {
        octets.fill(first);
        return;
    }
    for chunk in octets.chunks_mut(pattern.len()) {
        for (octet, silent) in chunk.iter_mut().zip(pattern) {
            *octet = *silent;
        }
    }
}

#[cfg(test)]
mod tests;
