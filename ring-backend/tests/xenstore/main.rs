//! The xenstore client against a hand-fed wire.

mod client;
mod start_up;
mod tape;
