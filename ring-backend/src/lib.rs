//! The sndif backend: everything between a guest's rings and the card's samples.
//!
//! ```text
//!  xenstore bytes ─► xenstore ─► xenbus ─► config ─┐
//!                                                  ▼
//!  guest rings ─► ring, wire, pages ─► stream ─► engine ─► mix ─► Card
//!                                        ▲          │
//!                                        └─ events ◄┘
//! ```
//!
//! Nothing here knows a hypercall or reads a clock: what the backend needs of the domain it runs
//! in are the traits of [`world`], and time is an argument. So the same code runs in the domain,
//! against fakes, and under fuzzers.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod allowance;
pub mod arena;
pub mod backend;
pub mod channel;
pub mod config;
pub mod control;
pub mod engine;
pub mod event;
pub mod hw_params;
pub mod intake;
pub mod link;
pub mod master;
pub mod meter;
pub mod orders;
pub mod pages;
pub mod plane;
pub mod policy;
pub mod ring;
pub mod route;
pub mod seat;
pub mod shadow;
pub mod statistics;
pub mod status;
pub mod stream;
pub mod timeline;
pub mod volume;
pub mod wire;
pub mod world;
pub mod xenbus;
pub mod xenstore;

pub use mix::{self, format};
