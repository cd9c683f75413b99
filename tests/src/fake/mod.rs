//! Fakes of what the backend lives among.

pub mod guest;
pub mod seed;
pub mod store;
pub mod toolstack;
