//! What a device's owner is told when it is not served.

use crate::seat::SeatFault;
use core::fmt;

/// Why a device could not be connected, or is served no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceFault {
    /// The slot has a device already.
    InUse,
    /// The plane can hold only so many streams more.
    NoRoom(usize),
    /// A page or a port could not be had; which stream's.
    Stream(u8, SeatFault),
    /// The guest's counters on a stream's request ring are impossible; which stream's.
    BrokenRing(u8),
}

impl fmt::Display for DeviceFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse => write!(out, "the slot is in use"),
            Self::NoRoom(free) => {
                write!(
                    out,
                    "too many streams: the audio domain can serve {free} more"
                )
            }
            Self::Stream(index, SeatFault::Grant(fault)) => {
                write!(out, "stream {index}: grant status {}", fault.status)
            }
            Self::Stream(index, SeatFault::Event(fault)) => {
                write!(out, "stream {index}: event channel errno {}", fault.errno)
            }
            Self::BrokenRing(index) => write!(out, "stream {index}: impossible ring"),
        }
    }
}
