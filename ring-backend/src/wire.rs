//! sndif packets: 64 octets on a ring page to and from closed types.
//!
//! Parsing is total: every 64 octets are some [`Request`], what is unknown has a variant, and the
//! reserved octets (stale in Linux's front-end) are never looked at. A response begins as zeros,
//! so nothing of this domain can leak in its padding. Layout: `xen/include/public/io/sndif.h`.

use crate::world::ClaimedRef;

/// Octets of a request, a response and an event.
pub const PACKET_OCTETS: usize = 64;

/// One packet as it lies on a page.
pub type Packet = [u8; PACKET_OCTETS];

/// Where the fields lie, in octets (`struct xensnd_req`, `xensnd_resp` and `xensnd_evt` of Xen's
/// `sndif.h`).
#[expect(missing_docs, reason = "named as there")]
pub mod field {
    pub const ID: usize = 0;
    pub const OPERATION: usize = 2;
    pub const STATUS: usize = 4;
    pub const BODY: usize = 8;

    pub const OPEN_RATE: usize = BODY;
    pub const OPEN_FORMAT: usize = BODY + 4;
    pub const OPEN_CHANNELS: usize = BODY + 5;
    pub const OPEN_BUFFER: usize = BODY + 8;
    pub const OPEN_DIRECTORY: usize = BODY + 12;
    pub const OPEN_PERIOD: usize = BODY + 16;

    pub const SPAN_OFFSET: usize = BODY;
    pub const SPAN_LENGTH: usize = BODY + 4;

    pub const TRIGGER: usize = BODY;

    pub const QUERY_FORMATS: usize = BODY;
    pub const QUERY_RATES: usize = BODY + 8;
    pub const QUERY_CHANNELS: usize = BODY + 16;
    pub const QUERY_BUFFER: usize = BODY + 24;
    pub const QUERY_PERIOD: usize = BODY + 32;

    pub const EVENT_TYPE: usize = 2;
    pub const EVENT_POSITION: usize = BODY;
}

/// What a guest wants its stream to be; claims, not yet judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// Frames per second.
    pub rate: u32,
    /// Wire number of the sample format.
    pub format: u8,
    /// Samples per frame.
    pub channels: u8,
    /// Octets of the shared buffer.
    pub buffer_octets: u32,
    /// First page of the buffer's page directory.
    pub directory: ClaimedRef,
    /// Octets per period; 0 asks for no position events.
    pub period_octets: u32,
}

/// A part of the shared buffer, as claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First octet.
    pub offset: u32,
    /// Octets.
    pub length: u32,
}

/// What to do to the flow of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// `XENSND_OP_TRIGGER_START`.
    Start,
    /// `XENSND_OP_TRIGGER_PAUSE`.
    Pause,
    /// `XENSND_OP_TRIGGER_STOP`.
    Stop,
    /// `XENSND_OP_TRIGGER_RESUME`.
    Resume,
    /// Any other number.
    Unknown,
}

/// Both ends of a range, inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// Smallest.
    pub min: u32,
    /// Largest.
    pub max: u32,
}

/// The space of stream parameters, in a query and in its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// Bit `n` stands for wire format `n`.
    pub formats: u64,
    /// Frames per second.
    pub rates: Interval,
    /// Samples per frame.
    pub channels: Interval,
    /// Frames of the buffer.
    pub buffer: Interval,
    /// Frames of a period.
    pub period: Interval,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `XENSND_OP_OPEN`.
    Open(Open),
    /// `XENSND_OP_CLOSE`.
    Close,
    /// `XENSND_OP_READ`: fill this part of the buffer with captured frames.
    Read(Span),
    /// `XENSND_OP_WRITE`: this part of the buffer holds frames to play.
    Write(Span),
    /// `XENSND_OP_SET_VOLUME`.
    SetVolume(Span),
    /// `XENSND_OP_GET_VOLUME`.
    GetVolume(Span),
    /// `XENSND_OP_MUTE`.
    Mute(Span),
    /// `XENSND_OP_UNMUTE`.
    Unmute(Span),
    /// `XENSND_OP_TRIGGER`.
    Trigger(Trigger),
    /// `XENSND_OP_HW_PARAM_QUERY`.
    Query(Parameters),
    /// Anything else.
    Unknown,
}

/// A request, copied out of the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The guest's number for it, echoed in the response.
    pub id: u16,
    /// The operation's number as it came, echoed in the response.
    pub code: u8,
    /// What it asks for.
    pub operation: Operation,
}

impl Request {
    /// Reads a request; every packet is one.
    #[must_use]
    pub fn parse(packet: &Packet) -> Self {
        let code = u8_at(packet, field::OPERATION);
        let span = || Span {
            offset: u32_at(packet, field::SPAN_OFFSET),
            length: u32_at(packet, field::SPAN_LENGTH),
        };
        let operation = match code {
            0 => Operation::Open(Open {
                rate: u32_at(packet, field::OPEN_RATE),
                format: u8_at(packet, field::OPEN_FORMAT),
                channels: u8_at(packet, field::OPEN_CHANNELS),
                buffer_octets: u32_at(packet, field::OPEN_BUFFER),
                directory: ClaimedRef(u32_at(packet, field::OPEN_DIRECTORY)),
                period_octets: u32_at(packet, field::OPEN_PERIOD),
            }),
            1 => Operation::Close,
            2 => Operation::Read(span()),
            3 => Operation::Write(span()),
            4 => Operation::SetVolume(span()),
            5 => Operation::GetVolume(span()),
            6 => Operation::Mute(span()),
            7 => Operation::Unmute(span()),
            8 => Operation::Trigger(match u8_at(packet, field::TRIGGER) {
                0 => Trigger::Start,
                1 => Trigger::Pause,
                2 => Trigger::Stop,
                3 => Trigger::Resume,
                _ => Trigger::Unknown,
            }),
            9 => Operation::Query(Parameters {
                formats: u64_at(packet, field::QUERY_FORMATS),
                rates: interval_at(packet, field::QUERY_RATES),
                channels: interval_at(packet, field::QUERY_CHANNELS),
                buffer: interval_at(packet, field::QUERY_BUFFER),
                period: interval_at(packet, field::QUERY_PERIOD),
            }),
            _ => Operation::Unknown,
        };
        Self {
            id: u16::from_le_bytes(bytes_at(packet, field::ID)),
            code,
            operation,
        }
    }
}

/// Why a request is refused; every one is a negative errno of `xen/include/public/errno.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A value or a combination of values makes no sense or is not allowed: `EINVAL`.
    Invalid,
    /// The stream is not open: `EIO`.
    NotOpen,
    /// A grant of the buffer is not good: `EFAULT`.
    BadGrant,
    /// No room is left for the buffer: `ENOMEM`.
    NoRoom,
    /// The operation is not known: `EOPNOTSUPP`.
    NotSupported,
    /// The device is about to go: `EIO`.
    Leaving,
}

impl Refusal {
    /// The status that says so.
    #[must_use]
    pub const fn status(self) -> i32 {
        match self {
            Self::NotOpen | Self::Leaving => -5,
            Self::NoRoom => -12,
            Self::BadGrant => -14,
            Self::Invalid => -22,
            Self::NotSupported => -95,
        }
    }
}

/// What a granted request yields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing but success.
    Done,
    /// What is possible, to an [`Operation::Query`].
    Possible(Parameters),
}

/// Lays out the response to a request.
#[must_use]
pub fn response(id: u16, code: u8, result: Result<Answer, Refusal>) -> Packet {
    let mut packet = [0; PACKET_OCTETS];
    put(&mut packet, field::ID, &id.to_le_bytes());
    put(&mut packet, field::OPERATION, &[code]);
    match result {
        Ok(Answer::Done) => {}
        Ok(Answer::Possible(space)) => put_parameters(&mut packet, &space),
        Err(refusal) => put(&mut packet, field::STATUS, &refusal.status().to_le_bytes()),
    }
    packet
}

/// Lays out an `XENSND_EVT_CUR_POS` event; `position` is in octets since the stream was opened.
#[must_use]
pub fn position_event(id: u16, position: u64) -> Packet {
    const CUR_POS: u8 = 0;
    let mut packet = [0; PACKET_OCTETS];
    put(&mut packet, field::ID, &id.to_le_bytes());
    put(&mut packet, field::EVENT_TYPE, &[CUR_POS]);
    put(&mut packet, field::EVENT_POSITION, &position.to_le_bytes());
    packet
}

fn put_parameters(packet: &mut Packet, space: &Parameters) {
    put(packet, field::QUERY_FORMATS, &space.formats.to_le_bytes());
    for (at, interval) in [
        (field::QUERY_RATES, space.rates),
        (field::QUERY_CHANNELS, space.channels),
        (field::QUERY_BUFFER, space.buffer),
        (field::QUERY_PERIOD, space.period),
    ] {
        put(packet, at, &interval.min.to_le_bytes());
        put(packet, at + 4, &interval.max.to_le_bytes());
    }
}

fn put(packet: &mut Packet, at: usize, value: &[u8]) {
    for (octet, value) in packet.iter_mut().skip(at).zip(value) {
        *octet = *value;
    }
}

fn bytes_at<const N: usize>(packet: &Packet, at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    for (byte, octet) in bytes.iter_mut().zip(packet.iter().skip(at)) {
        *byte = *octet;
    }
    bytes
}

fn u8_at(packet: &Packet, at: usize) -> u8 {
    u8::from_le_bytes(bytes_at(packet, at))
}

fn u32_at(packet: &Packet, at: usize) -> u32 {
    u32::from_le_bytes(bytes_at(packet, at))
}

fn u64_at(packet: &Packet, at: usize) -> u64 {
    u64::from_le_bytes(bytes_at(packet, at))
}

fn interval_at(packet: &Packet, at: usize) -> Interval {
    Interval {
        min: u32_at(packet, at),
        max: u32_at(packet, at + 4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet whose octet `n` holds `n`, but for the operation.
    fn counting(code: u8) -> Packet {
        let mut packet = core::array::from_fn(|octet| octet as u8);
        packet[2] = code;
        packet
    }

    #[test]
    fn open_fields_lie_where_the_header_puts_them() {
        let request = Request::parse(&counting(0));
        assert_eq!(request.id, 0x0100);
        assert_eq!(
            request.operation,
            Operation::Open(Open {
                rate: 0x0b0a_0908,
                format: 12,
                channels: 13,
                buffer_octets: 0x1312_1110,
                directory: ClaimedRef(0x1716_1514),
                period_octets: 0x1b1a_1918,
            })
        );
    }

    #[test]
    fn spans_and_triggers_lie_where_the_header_puts_them() {
        let span = Span {
            offset: 0x0b0a_0908,
            length: 0x0f0e_0d0c,
        };
        let parsed = |code| Request::parse(&counting(code)).operation;
        assert_eq!(parsed(1), Operation::Close);
        assert_eq!(parsed(2), Operation::Read(span));
        assert_eq!(parsed(3), Operation::Write(span));
        assert_eq!(parsed(4), Operation::SetVolume(span));
        assert_eq!(parsed(5), Operation::GetVolume(span));
        assert_eq!(parsed(6), Operation::Mute(span));
        assert_eq!(parsed(7), Operation::Unmute(span));
        assert_eq!(parsed(8), Operation::Trigger(Trigger::Unknown));
        let mut stop = counting(8);
        stop[8] = 2;
        assert_eq!(
            Request::parse(&stop).operation,
            Operation::Trigger(Trigger::Stop)
        );
    }

    #[test]
    fn a_query_answered_with_itself_keeps_its_fields_in_place() {
        let asked = counting(9);
        let Operation::Query(space) = Request::parse(&asked).operation else {
            panic!("a query")
        };
        let answer = response(0x0100, 9, Ok(Answer::Possible(space)));
        assert_eq!(answer[8..48], asked[8..48]);
        assert_eq!(answer[4..8], [0; 4], "the status is success");
        assert_eq!(answer[48..], [0; 16]);
    }

    #[test]
    fn every_operation_number_from_ten_up_is_unknown_and_echoed() {
        for code in 10..=u8::MAX {
            let request = Request::parse(&counting(code));
            assert_eq!(request.operation, Operation::Unknown);
            assert_eq!(request.code, code);
        }
    }

    #[test]
    fn a_response_holds_nothing_but_id_operation_and_status() {
        let packet = response(0xbeef, 3, Err(Refusal::NotOpen));
        assert_eq!(packet[..8], [0xef, 0xbe, 3, 0, 0xfb, 0xff, 0xff, 0xff]);
        assert_eq!(packet[8..], [0; 56]);
    }

    #[test]
    fn an_event_holds_nothing_but_id_type_and_position() {
        let packet = position_event(0x0201, 0x0807_0605_0403_0201);
        assert_eq!(packet[..8], [1, 2, 0, 0, 0, 0, 0, 0]);
        assert_eq!(packet[8..16], [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(packet[16..], [0; 48]);
    }
}
