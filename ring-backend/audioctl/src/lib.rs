//! dom0's hand on the audio domain, over xenstore alone.
//!
//! ```text
//!  /local/audiodom/policy/<guest name>/…   remembered, private to dom0
//!        │ projected by every command, and by the agent for who comes later
//!        ▼
//!  /local/domain/<audio domain>/control/policy/<domid>/…   what the audio domain obeys
//!  /local/domain/<audio domain>/data/…                     what it tells
//! ```
//!
//! The framing of xenstore's messages and the reading of its values are `ring_backend`'s.
#![forbid(unsafe_code)]

pub mod agent;
pub mod cli;
pub mod domains;
pub mod policy;
pub mod reattach;
pub mod route;
pub mod session;
pub mod status;
pub mod store;
pub mod top;
pub mod volume;
