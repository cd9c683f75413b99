//! What a controller says it has.

use super::regs::StreamRegs;

/// What `GCAP` says (§3.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Input streams.
    pub inputs: u8,
    /// Output streams.
    pub outputs: u8,
    /// Streams that can be either.
    pub bidirectional: u8,
    /// Whether DMA addresses may have 64 bits.
    pub wide: bool,
}

impl Capabilities {
    /// Takes the register apart.
    #[must_use]
    pub const fn parse(gcap: u16) -> Self {
        let [low, high] = gcap.to_le_bytes();
        Self {
            inputs: high & 0xF,
            outputs: high >> 4,
            bidirectional: low >> 3,
            wide: low & 1 != 0,
        }
    }

    /// All stream descriptors, at most 30 by the specification.
    #[must_use]
    pub const fn streams(self) -> u8 {
        let all = self.inputs.saturating_add(self.outputs);
        let all = all.saturating_add(self.bidirectional);
        if all > 30 { 30 } else { all }
    }

    /// The first descriptor that can be an input and is not [`Self::output`].
    #[must_use]
    pub const fn input(self) -> Option<StreamRegs> {
        let taken = if self.outputs > 0 { 0 } else { 1 };
        if self.inputs > 0 {
            Some(StreamRegs::new(0))
        } else if self.bidirectional > taken {
            Some(StreamRegs::new(self.outputs.saturating_add(taken)))
        } else {
            None
        }
    }

    /// The first descriptor that can be an output, and whether it must be told so.
    #[must_use]
    pub const fn output(self) -> Option<(StreamRegs, bool)> {
        if self.outputs > 0 {
            Some((StreamRegs::new(self.inputs), false))
        } else if self.bidirectional > 0 {
            Some((StreamRegs::new(self.inputs), true))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gcap_of_qemu_has_four_inputs_before_the_first_output() {
        let qemu = Capabilities::parse(0x4401);
        assert_eq!((qemu.inputs, qemu.outputs, qemu.bidirectional), (4, 4, 0));
        assert!(qemu.wide);
        assert_eq!(qemu.output(), Some((StreamRegs::new(4), false)));
        assert_eq!(qemu.input(), Some(StreamRegs::new(0)));
    }

    #[test]
    fn a_bidirectional_stream_serves_where_there_is_no_output() {
        assert_eq!(
            Capabilities::parse(0x0210).output(),
            Some((StreamRegs::new(2), true))
        );
        assert_eq!(Capabilities::parse(0x0200).output(), None);
    }

    #[test]
    fn a_bidirectional_stream_is_an_input_where_it_is_no_output() {
        let input = |gcap| Capabilities::parse(gcap).input();
        assert_eq!(input(0x4010), Some(StreamRegs::new(4)));
        assert_eq!(input(0x0010), Some(StreamRegs::new(1)));
        assert_eq!(input(0x0008), None);
        assert_eq!(input(0x4000), None);
    }

    #[test]
    fn no_gcap_has_more_than_30_streams() {
        for gcap in 0..=u16::MAX {
            assert!(Capabilities::parse(gcap).streams() <= 30);
        }
    }
}
