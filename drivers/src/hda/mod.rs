//! Intel High Definition Audio: from a register window to a running output and input.
//!
//! Section numbers are those of the High Definition Audio Specification 1.0a (17 June 2010).
//! [`card::Card`] is what a caller wants; the layers below it are public so that they can be
//! tested one by one.

mod assign;
mod bring_up;
mod bring_up_input;
mod capabilities;
pub mod card;
pub mod chips;
pub mod choice;
pub mod codec;
pub mod configuration;
pub mod controller;
mod cyclic;
pub mod dictated;
pub mod graph;
pub mod groups;
mod immediate;
pub mod jacks;
pub mod levels;
pub mod names;
pub mod overrides;
pub mod path;
pub mod pins;
pub mod position;
pub mod power;
pub mod quirks;
pub mod regs;
mod rings;
pub mod stream;
pub mod verb;

use core::fmt;

/// Why a card does not play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardError {
    /// The register window reads all ones: the device is gone, off, or not decoding memory.
    Absent,
    /// The controller does not enter or leave reset (`GCTL.CRST`).
    NoReset,
    /// The controller has no stream that could be an output (`GCAP`).
    NoOutputStream,
    /// The controller has no stream that could be an input (`GCAP`).
    NoInputStream,
    /// There are not enough DMA pages that the device can reach.
    NoMemory,
    /// No codec reported after reset (`STATESTS`).
    NoCodec,
    /// A codec reported but does not answer.
    CodecSilent,
    /// The codecs answer but none has an audio function group.
    NoAudioFunction,
    /// The codecs have digital converters only: a display's, whose sound is the graphics driver's.
    NoAnalog,
    /// No output pin of any codec reaches an analog converter.
    NoPath,
    /// No converter records from an input pin at 48 kHz.
    NoInput,
    /// The converter of the path takes no 48 kHz PCM that this driver can make.
    NoFormat,
    /// A person's word about the codec does not fit it.
    Misfit(overrides::Override),
    /// Bringing up took longer than any working card does.
    TooSlow,
    /// A stream does not enter or leave reset (`SDnCTL.SRST`).
    StreamNoReset,
    /// A stream does not start or stop (`SDnCTL.RUN`).
    StreamNoRun,
    /// The stream's registers do not keep what was written.
    StreamNotProgrammed,
    /// A stream's position stands still or makes no sense (`SDnLPIB`).
    PositionLost,
}

impl From<verb::VerbFault> for CardError {
    fn from(fault: verb::VerbFault) -> Self {
        match fault {
            verb::VerbFault::Silent => Self::CodecSilent,
            verb::VerbFault::OutOfTime => Self::TooSlow,
            verb::VerbFault::Absent => Self::Absent,
        }
    }
}

impl fmt::Display for CardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Misfit(word) => {
                return write!(f, "the codec has nothing that `{word}` could mean");
            }
            Self::Absent => "the controller's registers read all ones",
            Self::NoReset => "the controller does not leave reset",
            Self::NoOutputStream => "the controller has no output stream",
            Self::NoInputStream => "the controller has no input stream",
            Self::NoInput => "no input pin reaches a converter for 48 kHz",
            Self::NoMemory => "no DMA page within the controller's reach",
            Self::NoCodec => "no codec on the link",
            Self::CodecSilent => "the codec does not answer",
            Self::NoAudioFunction => "no codec has an audio function",
            Self::NoAnalog => "no analog codec, only a display's",
            Self::NoPath => "no output pin reaches an analog converter",
            Self::NoFormat => "the converter takes no 48 kHz PCM",
            Self::TooSlow => "the codec answers too slowly",
            Self::StreamNoReset => "a stream does not reset",
            Self::StreamNoRun => "a stream does not start or stop",
            Self::StreamNotProgrammed => "a stream's registers do not keep their values",
            Self::PositionLost => "a stream's position is lost",
        })
    }
}

impl core::error::Error for CardError {}
