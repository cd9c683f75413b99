//! Fakes of what the backend lives among.

pub mod card;
pub mod front;
pub mod frontend;
pub mod guest;
mod interrupts;
pub mod player;
pub mod recorder;
pub mod seed;
pub mod stage;
pub mod store;
pub mod toolstack;
pub mod xen;
