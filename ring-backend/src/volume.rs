//! The levels and mutes that a guest sets on its own stream.
//!
//! They belong to the stream, not to one opening of it, and are applied to the voice whenever it
//! is configured. Units: `XENSND_OP_SET_VOLUME` in `sndif.h`, 0.001 dB, 0 is unchanged.

use crate::mix::{MAX_CHANNELS as CHANNELS, Voice};
use crate::policy::Policy;

/// The most that a guest's own level counts for, +6.02 dB: the loudest that a voice can be. A guest
/// cannot undo more of its policy's volume than that.
const LOUDEST: i32 = 6_020;

/// One level and one mute per channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Volumes {
    levels: [i32; CHANNELS],
    muted: [bool; CHANNELS],
}

impl Volumes {
    /// Octets of all levels as the guest lays them out.
    pub const OCTETS: usize = 4 * CHANNELS;

    /// Takes a little-endian level per channel, from the first channel on.
    pub fn set_levels(&mut self, octets: &[u8]) {
        for (level, word) in self.levels.iter_mut().zip(octets.chunks_exact(4)) {
            *level = i32::from_le_bytes(word.try_into().unwrap_or_default());
        }
    }

    /// The levels as the guest wants them laid out.
    #[must_use]
    pub fn levels(&self) -> [u8; Self::OCTETS] {
        let mut octets = [0; Self::OCTETS];
        for (word, level) in octets.chunks_exact_mut(4).zip(self.levels) {
            word.copy_from_slice(&level.to_le_bytes());
        }
        octets
    }

    /// Mutes or unmutes each channel whose octet is not 0.
    pub fn set_mutes(&mut self, which: &[u8], muted: bool) {
        for (state, _) in self
            .muted
            .iter_mut()
            .zip(which)
            .filter(|(_, which)| **which != 0)
        {
            *state = muted;
        }
    }

    /// Makes the voice sound as loud as this and the guest's policy say together.
    pub fn apply(&self, policy: &Policy, voice: &mut Voice) {
        for (channel, (level, muted)) in self.levels.into_iter().zip(self.muted).enumerate() {
            voice.set_gain(channel, level.min(LOUDEST).saturating_add(policy.volume));
            voice.set_mute(channel, muted || policy.muted);
        }
    }
}
