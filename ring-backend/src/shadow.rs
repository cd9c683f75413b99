//! A stream's private copy of its guest's buffer, and which frames in it are still to be heard.
//!
//! The guest's buffer is a ring that the guest writes and the mixer reads. Each WRITE copies its
//! part once; the mixer reads the copy only, so what a guest does to its pages later changes
//! nothing. Frames are counted from the last START, without wrapping. What was mixed is
//! overwritten with silence, so that nothing is ever heard twice when a guest is late.

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
}

/// What became of the frames of one WRITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Storing {
    /// Frames that came after their place was mixed.
    pub late: u32,
    /// Frames of silence that were heard where data now resumes; 0 if nothing was missed.
    pub gap: u64,
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
        self.mixed = 0;
        self.stored = 0;
    }

    /// Begins counting anew; keeps the first `kept` frames of the ring, hushes the rest.
    pub fn restart(&mut self, ring: &mut [u8], kept: u32) {
        let kept = kept.min(self.frames);
        self.hush(ring, kept, self.frames - kept);
        self.mixed = 0;
        self.stored = u64::from(kept);
    }

    /// Begins counting anew after a STOP; hushes what was stored and never mixed.
    pub fn stop(&mut self, ring: &mut [u8]) {
        let left = self.stored.saturating_sub(self.mixed);
        let left = u32::try_from(left).unwrap_or(u32::MAX).min(self.frames);
        self.hush(ring, self.slot(self.mixed), left);
        self.mixed = 0;
        self.stored = 0;
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
        let late_zone = self.mixed.saturating_sub(known);
        let mut storing = Storing::default();
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
            if self.mixed > stored && self.stored > 0 && storing.gap == 0 {
                storing.gap = piece.at - stored;
            }
            stored = stored.max(piece.at + u64::from(piece.frames));
        }
        self.stored = stored;
        Ok(storing)
    }

    /// The longest part from `first` on, at most `frames`, that has one fate.
    fn piece(&self, first: u32, frames: u32, known: u64, late_zone: u64) -> Piece {
        let ahead = (first % self.frames + self.frames - self.slot(known)) % self.frames;
        let late = u64::from(ahead) < late_zone;
        let end = match late {
            true => u32::try_from(late_zone).unwrap_or(self.frames),
            false => self.frames,
        };
        Piece {
            first,
            frames: frames.min(end - ahead),
            at: known + u64::from(ahead),
            late,
        }
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
mod tests {
    use super::*;
    use core::convert::Infallible;

    /// Stores one-octet frames taken from `data`, as the guest's buffer holds them.
    fn store(shadow: &mut Shadow, ring: &mut [u8], first: u32, data: &[u8], known: u64) -> Storing {
        let result: Result<Storing, Infallible> =
            shadow.store(first, data.len() as u32, known, |range| {
                let from = range.start - first as usize;
                ring[range.clone()].copy_from_slice(&data[from..from + range.len()]);
                Ok(())
            });
        result.unwrap()
    }

    fn mix(shadow: &mut Shadow, ring: &mut [u8], frames: usize) -> std::vec::Vec<u8> {
        let (one, two) = shadow.next(ring, frames);
        let heard = [one, two].concat();
        shadow.consume(ring, frames);
        heard
    }

    extern crate std;

    #[test]
    fn what_was_mixed_is_silent_the_next_time_round() {
        let mut ring = [0x80; 8];
        let mut shadow = Shadow::new(8, 1, [0x80; 8]);
        store(&mut shadow, &mut ring, 0, &[1, 2, 3, 4, 5, 6, 7, 8], 0);
        assert_eq!(mix(&mut shadow, &mut ring, 6), [1, 2, 3, 4, 5, 6]);
        assert_eq!(mix(&mut shadow, &mut ring, 6), [7, 8], "there is no more");
        assert_eq!(ring, [128; 8]);
    }

    #[test]
    fn frames_for_a_place_already_mixed_are_left_out_and_counted() {
        let mut ring = [0; 8];
        let mut shadow = Shadow::new(8, 1, [0; 8]);
        store(&mut shadow, &mut ring, 0, &[1, 2], 0);
        assert_eq!(mix(&mut shadow, &mut ring, 4), [1, 2]);
        // The guest knows of frame 1 only; 2 and 3 are late, 4 is not.
        let storing = store(&mut shadow, &mut ring, 2, &[3, 4, 5], 1);
        assert_eq!(storing, Storing { late: 2, gap: 2 });
        assert_eq!(mix(&mut shadow, &mut ring, 8), [5]);
    }

    #[test]
    fn a_full_buffer_is_no_late_one() {
        let mut ring = [0; 8];
        let mut shadow = Shadow::new(8, 1, [0; 8]);
        store(&mut shadow, &mut ring, 0, &[1, 2, 3, 4, 5, 6, 7, 8], 0);
        mix(&mut shadow, &mut ring, 5);
        // Three are played and known, two more are mixed: three places are free.
        let storing = store(&mut shadow, &mut ring, 0, &[9, 10, 11], 3);
        assert_eq!(storing, Storing::default());
        assert_eq!(mix(&mut shadow, &mut ring, 6), [6, 7, 8, 9, 10, 11]);
    }

    #[test]
    fn a_gap_counts_once_and_only_when_data_resumes() {
        let mut ring = [0; 8];
        let mut shadow = Shadow::new(8, 1, [0; 8]);
        mix(&mut shadow, &mut ring, 3);
        let begins = store(&mut shadow, &mut ring, 3, &[1, 2], 3);
        assert_eq!(begins.gap, 0, "silence before the first data is no gap");
        mix(&mut shadow, &mut ring, 4);
        let late = store(&mut shadow, &mut ring, 5, &[3, 4], 5);
        assert_eq!(late, Storing { late: 2, gap: 0 });
        let resumed = store(&mut shadow, &mut ring, 7, &[5], 7);
        assert_eq!(resumed.gap, 2);
        assert_eq!(store(&mut shadow, &mut ring, 0, &[6], 7).gap, 0);
        assert_eq!(mix(&mut shadow, &mut ring, 2), [5, 6]);
    }

    #[test]
    fn after_a_stop_the_ring_is_silent_and_begins_at_its_start() {
        let mut ring = [0; 6];
        let mut shadow = Shadow::new(6, 1, [0; 8]);
        store(&mut shadow, &mut ring, 0, &[1, 2, 3, 4, 5, 6], 0);
        mix(&mut shadow, &mut ring, 4);
        store(&mut shadow, &mut ring, 0, &[7, 8], 4);
        shadow.stop(&mut ring);
        assert_eq!(ring, [0; 6]);
        store(&mut shadow, &mut ring, 0, &[9], 0);
        assert_eq!(mix(&mut shadow, &mut ring, 2), [9]);
    }

    #[test]
    fn silence_follows_the_pattern_in_wide_formats() {
        let mut ring = [1; 20];
        let mut shadow = Shadow::new(5, 4, [0, 0, 0x80, 0, 0, 0, 0x80, 0]);
        shadow.clear(&mut ring);
        assert_eq!(ring, [0, 0, 0x80, 0].repeat(5)[..]);
        mix(&mut shadow, &mut ring, 3);
        mix(&mut shadow, &mut ring, 3);
        assert_eq!(ring, [0, 0, 0x80, 0].repeat(5)[..]);
    }

    #[test]
    fn no_write_whatever_stores_outside_the_ring_or_twice() {
        for known in 0..12_u64 {
            for mixed in known..24 {
                for first in 0..8_u32 {
                    for frames in 1..=8 - first {
                        let mut shadow = Shadow::new(8, 1, [0; 8]);
                        shadow.mixed = mixed;
                        let mut seen = [0; 8];
                        let result: Result<Storing, Infallible> =
                            shadow.store(first, frames, known, |range| {
                                seen[range].iter_mut().for_each(|count| *count += 1);
                                Ok(())
                            });
                        let kept: u32 = seen.iter().sum();
                        assert_eq!(kept + result.unwrap().late, frames);
                        assert!(seen.iter().all(|count| *count <= 1));
                        assert!(shadow.stored <= mixed.max(known) + 8);
                    }
                }
            }
        }
    }
}
