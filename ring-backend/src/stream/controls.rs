//! What dom0 lets the guest do, and the levels and mutes that guests lay out in the shared buffer.

use super::{Desk, Pcm, Stream};
use crate::link::Direction;
use crate::mix::Voice;
use crate::policy::Policy;
use crate::volume::Volumes;
use crate::wire::{Refusal, Span};
use crate::world::World;

impl Stream {
    /// What dom0 lets the guest do.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Takes on what dom0 lets the guest do, at once and without a click.
    pub fn set_policy(&mut self, policy: Policy, voice: &mut Voice) {
        if self.policy != policy {
            self.policy = policy;
            self.apply_volumes(voice);
        }
    }

    /// Whether the guest is given what the microphone hears.
    #[must_use]
    pub fn hears(&self) -> bool {
        self.direction == Direction::Capture && self.running() && self.policy.microphone
    }

    pub(super) fn set_volume<W: World>(
        &mut self,
        span: &Span,
        voice: &mut Voice,
        desk: &mut Desk<'_, W>,
    ) -> Result<(), Refusal> {
        let mut octets = [0; Volumes::OCTETS];
        let levels = self.fetch_controls(span, 4, &mut octets, desk)?;
        self.volumes.set_levels(levels);
        self.apply_volumes(voice);
        Ok(())
    }

    pub(super) fn get_volume<W: World>(
        &mut self,
        span: &Span,
        desk: &mut Desk<'_, W>,
    ) -> Result<(), Refusal> {
        let pcm = self.pcm.as_ref().ok_or(Refusal::NotOpen)?;
        let (offset, length) = pcm.controls_of(span, 4)?;
        let levels = self.volumes.levels();
        let (refs, _) = desk.arena.get(&pcm.run);
        let from = levels.get(..length).ok_or(Refusal::Invalid)?;
        desk.world
            .copy_to(desk.dom, refs, offset, from)
            .map_err(|_| Refusal::BadGrant)
    }

    pub(super) fn mute<W: World>(
        &mut self,
        span: &Span,
        muted: bool,
        voice: &mut Voice,
        desk: &mut Desk<'_, W>,
    ) -> Result<(), Refusal> {
        let mut octets = [0; Volumes::OCTETS];
        let which = self.fetch_controls(span, 1, &mut octets, desk)?;
        self.volumes.set_mutes(which, muted);
        self.apply_volumes(voice);
        Ok(())
    }

    /// Makes the voice as loud as it has to be. What dom0 sets is how loud the guest is heard, and
    /// nothing that it records.
    pub(super) fn apply_volumes(&self, voice: &mut Voice) {
        let policy = match self.direction {
            Direction::Playback => self.policy,
            Direction::Capture => Policy::default(),
        };
        self.volumes.apply(&policy, voice);
    }

    /// Copies one control per channel, of `size` octets each, out of the guest's buffer.
    fn fetch_controls<'o, W: World>(
        &self,
        span: &Span,
        size: u32,
        octets: &'o mut [u8],
        desk: &mut Desk<'_, W>,
    ) -> Result<&'o [u8], Refusal> {
        let pcm = self.pcm.as_ref().ok_or(Refusal::NotOpen)?;
        let (offset, length) = pcm.controls_of(span, size)?;
        let into = octets.get_mut(..length).ok_or(Refusal::Invalid)?;
        let (refs, _) = desk.arena.get(&pcm.run);
        desk.world
            .copy_from(desk.dom, refs, offset, into)
            .map_err(|_| Refusal::BadGrant)?;
        Ok(into)
    }
}

impl Pcm {
    /// The octets of a span as offset and length, if it lies in the buffer and is not empty.
    fn octets_of(&self, span: &Span) -> Result<(u32, u32), Refusal> {
        let end = u64::from(span.offset) + u64::from(span.length);
        if span.length == 0 || end > u64::from(self.shape.buffer_octets()) {
            return Err(Refusal::Invalid);
        }
        Ok((span.offset, span.length))
    }

    /// The frames of a span, if it is whole frames in the buffer.
    pub(super) fn frames_of(&self, span: &Span) -> Result<(u32, u32), Refusal> {
        let (offset, length) = self.octets_of(span)?;
        let size = self.shape.frame_octets;
        if offset % size != 0 || length % size != 0 {
            return Err(Refusal::Invalid);
        }
        Ok((offset / size, length / size))
    }

    /// A span that holds one control of `size` octets per channel.
    fn controls_of(&self, span: &Span, size: u32) -> Result<(usize, usize), Refusal> {
        let (offset, length) = self.octets_of(span)?;
        if length != size * u32::from(self.shape.channels) {
            return Err(Refusal::Invalid);
        }
        Ok((offset as usize, length as usize))
    }
}
