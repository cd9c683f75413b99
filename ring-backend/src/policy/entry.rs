//! The nodes of one policy, and what their values mean.

use crate::route::Terminal;
use crate::xenstore::signed;

/// Volumes that are taken, in 0.001 dB.
const VOLUMES: core::ops::RangeInclusive<i32> = -200_000..=6_020;

/// A node of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Volume,
    Mute,
    Microphone,
    Output,
}

impl Key {
    pub(super) const ALL: [Self; 4] = [Self::Volume, Self::Mute, Self::Microphone, Self::Output];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Volume => "volume",
            Self::Mute => "mute",
            Self::Microphone => "mic",
            Self::Output => "output",
        }
    }
}

/// The nodes that there are, of one guest or the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Entry {
    pub(super) volume: Option<i32>,
    pub(super) muted: Option<bool>,
    pub(super) microphone: Option<bool>,
    /// Within: the only one, or all.
    pub(super) output: Option<Option<Terminal>>,
    /// Nodes whose value makes no sense: a bit for each key.
    pub(super) bad: u8,
}

impl Entry {
    pub(super) const NONE: Self = Self {
        volume: None,
        muted: None,
        microphone: None,
        output: None,
        bad: 0,
    };

    /// Takes a node's value, or that it is not there.
    pub(super) fn take(&mut self, key: Key, value: Option<&[u8]>) {
        let good = match key {
            Key::Volume => set(&mut self.volume, value, volume),
            Key::Mute => set(&mut self.muted, value, |value| word(value, b"0", b"1")),
            Key::Microphone => set(&mut self.microphone, value, |value| {
                word(value, b"deny", b"allow")
            }),
            Key::Output => set(&mut self.output, value, output),
        };
        let bit = 1 << key as u8;
        self.bad = if good {
            self.bad & !bit
        } else {
            self.bad | bit
        };
    }
}

/// Replaces what counted; false, and nothing is replaced, if the value makes no sense.
fn set<T>(
    place: &mut Option<T>,
    value: Option<&[u8]>,
    parse: impl FnOnce(&[u8]) -> Option<T>,
) -> bool {
    let parsed = value.and_then(parse);
    let good = value.is_none() || parsed.is_some();
    if good {
        *place = parsed;
    }
    good
}

fn volume(value: &[u8]) -> Option<i32> {
    signed(value).filter(|volume| VOLUMES.contains(volume))
}

fn output(value: &[u8]) -> Option<Option<Terminal>> {
    if value == b"all" {
        return Some(None);
    }
    let output = Terminal::from_name(value).filter(|terminal| terminal.is_output());
    output.map(Some)
}

fn word(value: &[u8], no: &[u8], yes: &[u8]) -> Option<bool> {
    (value == yes || value == no).then_some(value == yes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_is_a_number_of_thousandths_of_a_db() {
        for (text, wanted) in [
            ("0", Some(0)),
            ("-6000", Some(-6000)),
            ("6020", Some(6020)),
            ("6021", None),
            ("-200001", None),
            ("--1", None),
            ("-", None),
            ("", None),
            ("-6dB", None),
            ("4294967295", None),
        ] {
            assert_eq!(volume(text.as_bytes()), wanted, "{text:?}");
        }
    }

    #[test]
    fn an_output_is_named_and_no_input_is_one() {
        assert_eq!(output(b"all"), Some(None));
        assert_eq!(output(b"line-out"), Some(Some(Terminal::LineOut)));
        for bad in [&b"mic"[..], b"", b"ALL", b"none"] {
            assert_eq!(output(bad), None);
        }
    }

    #[test]
    fn a_bad_value_leaves_what_counted() {
        let mut entry = Entry::NONE;
        entry.take(Key::Microphone, Some(b"allow"));
        entry.take(Key::Microphone, Some(b"yes"));
        assert_eq!((entry.microphone, entry.bad), (Some(true), 4));
        entry.take(Key::Microphone, None);
        assert_eq!(entry, Entry::NONE);
    }
}
