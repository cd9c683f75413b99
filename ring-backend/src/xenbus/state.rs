//! The states of both ends of a device.

/// `enum xenbus_state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// No node, not readable, or not a state.
    Unknown,
    /// Created and not looked at yet.
    Initialising,
    /// The backend waits for the frontend.
    InitWait,
    /// The frontend published its rings.
    Initialised,
    /// Working.
    Connected,
    /// About to close.
    Closing,
    /// Closed.
    Closed,
    /// Being changed while it exists.
    Reconfiguring,
    /// Changed.
    Reconfigured,
}

impl State {
    /// All states in the order of their numbers.
    pub const ALL: [Self; 9] = [
        Self::Unknown,
        Self::Initialising,
        Self::InitWait,
        Self::Initialised,
        Self::Connected,
        Self::Closing,
        Self::Closed,
        Self::Reconfiguring,
        Self::Reconfigured,
    ];

    /// Parses a `state` node; total.
    #[must_use]
    pub fn parse(value: &[u8]) -> Self {
        match value {
            [digit @ b'1'..=b'8'] => {
                let state = Self::ALL.get(usize::from(digit - b'0'));
                state.copied().unwrap_or(Self::Unknown)
            }
            _ => Self::Unknown,
        }
    }

    /// The node's value.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Unknown => "0",
            Self::Initialising => "1",
            Self::InitWait => "2",
            Self::Initialised => "3",
            Self::Connected => "4",
            Self::Closing => "5",
            Self::Closed => "6",
            Self::Reconfiguring => "7",
            Self::Reconfigured => "8",
        }
    }
}
