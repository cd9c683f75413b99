//! What a stream brings to one render.

use super::MAX_CHANNELS;
use super::decode::decode;
use super::kernel::Direct;
use super::voice::Voice;

/// A stream's part in one render: the next octets of its ring, in two pieces.
///
/// Together they are [`Voice::source_frames_for`] frames. A frame may lie across the pieces. If
/// they are fewer, the stream has run dry: what is missing sinks to silence without a click, and
/// what comes after rises from it. What is beyond is ignored.
pub struct Input<'a> {
    /// The stream.
    pub voice: &'a mut Voice,
    /// The first piece.
    pub first: &'a [u8],
    /// What follows it.
    pub second: &'a [u8],
}

impl<'a> Input<'a> {
    /// Octets of one of the stream's frames; 0 for a voice of no stream.
    pub(super) const fn frame_octets(&self) -> usize {
        self.voice.frame_octets
    }

    /// Whether all of the render can be summed from the octets as they lie.
    pub(super) fn is_straight(&mut self, frames: usize) -> bool {
        self.voice.find_levels();
        let need = frames * self.frame_octets();
        let whole = self.first.len() >= need
            || (self.first.len() + self.second.len() >= need
                && self.first.len().is_multiple_of(self.frame_octets()));
        whole && self.voice.levels.is_some()
    }

    /// The octets from frame `at` to the end of the piece it is in.
    pub(super) fn piece(&self, at: usize) -> &'a [u8] {
        let at = at * self.frame_octets();
        let octets = match at.checked_sub(self.first.len()) {
            None => self.first.get(at..),
            Some(at) => self.second.get(at..),
        };
        octets.unwrap_or(&[])
    }

    /// The same, ready to be summed.
    pub(super) fn direct(&self, at: usize) -> Option<Direct<'_>> {
        Some(Direct {
            octets: self.piece(at),
            wide: self.voice.wide(),
            levels: self.voice.levels.as_ref()?,
        })
    }

    /// The highest sample of the octets as they lie, of 32767.
    #[must_use]
    pub fn peak(&self) -> u16 {
        let channels = self.voice.matrix.inputs();
        let mut samples = [0; 32 * MAX_CHANNELS];
        let (mut at, mut peak) = (0, 0);
        loop {
            let frames = self.read(&mut at, &mut samples);
            if frames == 0 {
                return u16::try_from(peak >> 16).map_or(0, |peak| peak.min(32_767));
            }
            let samples = samples.iter().take(frames * channels);
            peak = samples.fold(peak, |peak, sample| peak.max(sample.unsigned_abs()));
        }
    }

    /// Decodes the frames from frame `*at` on; returns how many there were, and moves `*at`.
    pub(super) fn read(&self, at: &mut usize, samples: &mut [i32]) -> usize {
        let Some(spec) = self.voice.spec else {
            return 0;
        };
        let octets = self.frame_octets().max(1);
        let channels = usize::from(spec.channels).max(1);
        let have = (self.first.len() + self.second.len()) / octets;
        let present = (samples.len() / channels).min(have.saturating_sub(*at));
        let from = *at * octets;
        *at += present;
        let (samples, _) = samples.split_at_mut(present * channels);
        let early = self.first.get(from..).unwrap_or(&[]);
        let whole = (early.len() / octets).min(present);
        let (before, after) = samples.split_at_mut(whole * channels);
        decode(spec.format, early, before);
        if after.is_empty() {
            return present;
        }
        // The frame across the pieces, if there is one: as much of it as the first piece has.
        let (_, torn) = early.split_at(whole * octets);
        let mut after = after;
        let mut late_from = (from + whole * octets).saturating_sub(self.first.len());
        if !torn.is_empty() {
            let mut frame = [0_u8; 8 * MAX_CHANNELS];
            for (octet, &there) in frame.iter_mut().zip(torn.iter().chain(self.second)) {
                *octet = there;
            }
            let (across, rest) = after.split_at_mut(channels);
            decode(spec.format, &frame, across);
            late_from = octets - torn.len();
            after = rest;
        }
        decode(
            spec.format,
            self.second.get(late_from..).unwrap_or(&[]),
            after,
        );
        present
    }
}
