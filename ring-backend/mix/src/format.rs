//! The sample formats of sndif, as numbers, names and shapes.
//!
//! A guest names a format by number (`XENSND_PCM_FORMAT_*`, xen/include/public/io/sndif.h) and
//! the toolstack by name; both become a [`SampleFormat`] here or nothing. 24-bit samples lie in
//! the low three octets of a 32-bit container, as the only user of the numbers (Linux) maps them.

/// A format that sndif numbers; the discriminant is the wire number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[allow(missing_docs)] // The names are the protocol's.
pub enum SampleFormat {
    S8 = 0,
    U8 = 1,
    S16Le = 2,
    S16Be = 3,
    U16Le = 4,
    U16Be = 5,
    S24Le = 6,
    S24Be = 7,
    U24Le = 8,
    U24Be = 9,
    S32Le = 10,
    S32Be = 11,
    U32Le = 12,
    U32Be = 13,
    F32Le = 14,
    F32Be = 15,
    F64Le = 16,
    F64Be = 17,
    Iec958Le = 18,
    Iec958Be = 19,
    MuLaw = 20,
    ALaw = 21,
    ImaAdpcm = 22,
    Mpeg = 23,
    Gsm = 24,
}

use SampleFormat as F;

impl SampleFormat {
    /// Every format, by wire number.
    pub const ALL: [Self; 25] = [
        F::S8,
        F::U8,
        F::S16Le,
        F::S16Be,
        F::U16Le,
        F::U16Be,
        F::S24Le,
        F::S24Be,
        F::U24Le,
        F::U24Be,
        F::S32Le,
        F::S32Be,
        F::U32Le,
        F::U32Be,
        F::F32Le,
        F::F32Be,
        F::F64Le,
        F::F64Be,
        F::Iec958Le,
        F::Iec958Be,
        F::MuLaw,
        F::ALaw,
        F::ImaAdpcm,
        F::Mpeg,
        F::Gsm,
    ];

    /// The format of a wire number, if sndif has one.
    #[must_use]
    pub fn from_wire(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The wire number.
    #[must_use]
    pub const fn wire(self) -> u8 {
        self as u8
    }

    /// The format of a xenstore name: the protocol's, or what xl writes (`f32_le` for `float_le`,
    /// `f64_le` for `float64_le`).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "f32_le" => return Some(F::F32Le),
            "f32_be" => return Some(F::F32Be),
            "f64_le" => return Some(F::F64Le),
            "f64_be" => return Some(F::F64Be),
            _ => {}
        }
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// The protocol's xenstore name (`XENSND_PCM_FORMAT_*_STR`).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            F::S8 => "s8",
            F::U8 => "u8",
            F::S16Le => "s16_le",
            F::S16Be => "s16_be",
            F::U16Le => "u16_le",
            F::U16Be => "u16_be",
            F::S24Le => "s24_le",
            F::S24Be => "s24_be",
            F::U24Le => "u24_le",
            F::U24Be => "u24_be",
            F::S32Le => "s32_le",
            F::S32Be => "s32_be",
            F::U32Le => "u32_le",
            F::U32Be => "u32_be",
            F::F32Le => "float_le",
            F::F32Be => "float_be",
            F::F64Le => "float64_le",
            F::F64Be => "float64_be",
            F::Iec958Le => "iec958_subframe_le",
            F::Iec958Be => "iec958_subframe_be",
            F::MuLaw => "mu_law",
            F::ALaw => "a_law",
            F::ImaAdpcm => "ima_adpcm",
            F::Mpeg => "mpeg",
            F::Gsm => "gsm",
        }
    }

    /// Octets of one sample, or `None` where no octet string is one sample: S/PDIF subframes,
    /// MPEG, GSM, and IMA ADPCM, whose block layout sndif leaves open.
    #[must_use]
    pub const fn octets(self) -> Option<usize> {
        match self {
            F::S8 | F::U8 | F::MuLaw | F::ALaw => Some(1),
            F::S16Le | F::S16Be | F::U16Le | F::U16Be => Some(2),
            F::S24Le | F::S24Be | F::U24Le | F::U24Be => Some(4),
            F::S32Le | F::S32Be | F::U32Le | F::U32Be | F::F32Le | F::F32Be => Some(4),
            F::F64Le | F::F64Be => Some(8),
            F::Iec958Le | F::Iec958Be | F::ImaAdpcm | F::Mpeg | F::Gsm => None,
        }
    }

    /// Whether samples of this format can be played and captured.
    #[must_use]
    pub const fn playable(self) -> bool {
        self.octets().is_some()
    }

    /// Eight octets of silence; repeated from any sample boundary they are silence of any length.
    #[must_use]
    pub const fn silence(self) -> [u8; 8] {
        match self {
            F::U8 => [0x80; 8],
            F::U16Le => [0, 0x80, 0, 0x80, 0, 0x80, 0, 0x80],
            F::U16Be => [0x80, 0, 0x80, 0, 0x80, 0, 0x80, 0],
            F::U24Le => [0, 0, 0x80, 0, 0, 0, 0x80, 0],
            F::U24Be => [0, 0x80, 0, 0, 0, 0x80, 0, 0],
            F::U32Le => [0, 0, 0, 0x80, 0, 0, 0, 0x80],
            F::U32Be => [0x80, 0, 0, 0, 0x80, 0, 0, 0],
            F::MuLaw => [0xFF; 8],
            F::ALaw => [0xD5; 8], // The small positive step: A-law has no zero.
            _ => [0; 8],
        }
    }

    /// Fills `buffer`, which starts on a sample boundary, with silence.
    pub fn fill_silence(self, buffer: &mut [u8]) {
        let pattern = self.silence();
        for (octet, &quiet) in buffer.iter_mut().zip(pattern.iter().cycle()) {
            *octet = quiet;
        }
    }
}

/// A set of sample formats: bit `n` stands for wire number `n` (`XENSND_PCM_FORMAT_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct FormatSet(pub u64);

impl FormatSet {
    /// No format.
    pub const EMPTY: Self = Self(0);

    /// Every format whose samples can be played and captured.
    pub const PLAYABLE: Self = {
        let mut bits = 0;
        let mut index = 0;
        while index < SampleFormat::ALL.len() {
            if SampleFormat::ALL[index].playable() {
                bits |= 1 << index;
            }
            index += 1;
        }
        Self(bits)
    };

    /// The set of one format.
    #[must_use]
    pub const fn of(format: SampleFormat) -> Self {
        Self(1 << format.wire())
    }

    /// Whether `format` is in the set.
    #[must_use]
    pub const fn contains(self, format: SampleFormat) -> bool {
        self.0 & Self::of(format).0 != 0
    }

    /// Puts `format` into the set.
    pub const fn insert(&mut self, format: SampleFormat) {
        self.0 |= Self::of(format).0;
    }

    /// The formats in either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The formats in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether no format is in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The formats in the set, by wire number; bits that sndif does not number are passed over.
    pub fn iter(self) -> impl Iterator<Item = SampleFormat> {
        SampleFormat::ALL
            .into_iter()
            .filter(move |&format| self.contains(format))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_and_name_leads_back_to_its_format() {
        for number in 0..=u8::MAX {
            match SampleFormat::from_wire(number) {
                Some(format) => {
                    assert_eq!(format.wire(), number);
                    assert_eq!(SampleFormat::from_name(format.name()), Some(format));
                }
                None => assert!(number > 24),
            }
        }
        assert_eq!(SampleFormat::from_name("f32_le"), Some(F::F32Le));
        assert_eq!(SampleFormat::from_name("f64_be"), Some(F::F64Be));
        assert_eq!(SampleFormat::from_name("S16_LE"), None);
        assert_eq!(SampleFormat::from_name(""), None);
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let mut set = FormatSet::EMPTY;
        assert!(set.is_empty());
        set.insert(F::S16Le);
        set.insert(F::Gsm);
        assert!(set.contains(F::S16Le) && !set.contains(F::U8));
        let playable = set.intersection(FormatSet::PLAYABLE);
        assert_eq!(playable, FormatSet::of(F::S16Le));
        assert!(
            set.union(FormatSet::of(F::U8))
                .iter()
                .eq([F::U8, F::S16Le, F::Gsm])
        );
        assert_eq!(FormatSet::PLAYABLE.iter().count(), 20);
    }

    #[test]
    fn silence_repeats_per_sample() {
        let mut buffer = [1; 13];
        F::U24Be.fill_silence(&mut buffer);
        assert_eq!(buffer, [0, 0x80, 0, 0, 0, 0x80, 0, 0, 0, 0x80, 0, 0, 0]);
    }
}
