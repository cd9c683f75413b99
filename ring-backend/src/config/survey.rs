//! Which nodes of a frontend directory to fetch, in an order that ends.
//!
//! Every directory is listed once, and of a listing only names that mean something are followed:
//! at most 33 listings and 261 values, whatever the guest put there.

use super::fault::{ConfigFault, Wrong};
use super::tree::{Key, Place, Tree};
use crate::link::STREAMS_PER_DEVICE;
use crate::xenstore::{StoreError, index, names};
use heapless::Vec;

/// Something to fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// The listing of a directory.
    Listing(Place),
    /// The value of a node.
    Value(Place, Key),
}

/// Wants that may wait. The last found are fetched first, so it takes a client with more than
/// three requests in flight to fill this.
const WANTS: usize = 128;

/// A fetch under way.
#[derive(Clone, Debug)]
pub struct Survey {
    tree: Tree,
    wants: Vec<Want, WANTS>,
    streams: usize,
}

impl Default for Survey {
    fn default() -> Self {
        Self::new()
    }
}

impl Survey {
    /// A survey with nothing to do. Allocates, and never again.
    #[must_use]
    pub fn new() -> Self {
        Self {
            tree: Tree::new(),
            wants: Vec::new(),
            streams: 0,
        }
    }

    /// Starts over with an empty tree.
    pub fn restart(&mut self) {
        self.tree.clear();
        self.wants.clear();
        self.streams = 0;
        // There is room: the list is empty.
        let _ = self.wants.push(Want::Listing(Place::Card));
    }

    /// The next thing to fetch, handed out once. `None` while all that is known is handed out; the
    /// survey is over when all of it was answered too.
    pub fn take(&mut self) -> Option<Want> {
        self.wants.pop()
    }

    /// What was fetched.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Takes the answer to a want.
    ///
    /// # Errors
    /// The directory is too large, or does not let itself be read.
    pub fn answer(
        &mut self,
        want: Want,
        answer: Result<&[u8], StoreError>,
    ) -> Result<(), ConfigFault> {
        match (want, answer) {
            (Want::Listing(at), Ok(listing)) => self.listed(at, listing),
            (Want::Value(at, key), Ok(value)) => self.tree.add_value(at, key, value),
            // It was listed and is gone: as if it had never been.
            (Want::Value(..), Err(StoreError::NotFound)) => Ok(()),
            (Want::Value(at, key), Err(error)) => {
                Err(ConfigFault::new(at, Some(key), Wrong::Unreadable(error)))
            }
            (Want::Listing(at), Err(error)) => {
                Err(ConfigFault::new(at, None, Wrong::Unreadable(error)))
            }
        }
    }

    fn listed(&mut self, at: Place, listing: &[u8]) -> Result<(), ConfigFault> {
        let mut keys = 0_u32;
        for name in names(listing) {
            if let Some(key) = Key::from_name(at, name) {
                // A name comes once; a listing that repeats one cannot make us ask twice.
                let bit = Key::ALL.iter().position(|&other| other == key);
                let bit = 1_u32 << bit.unwrap_or_default();
                if keys & bit == 0 {
                    keys |= bit;
                    self.want(at, Want::Value(at, key))?;
                }
            } else if let Some(number) = index(name) {
                self.child(at, number)?;
            }
        }
        Ok(())
    }

    fn child(&mut self, at: Place, number: u32) -> Result<(), ConfigFault> {
        let number = u8::try_from(number).unwrap_or(u8::MAX);
        let child = match at {
            Place::Card => Place::Pcm(number),
            Place::Pcm(pcm) => Place::Stream(pcm, number),
            // Below a stream there is nothing.
            Place::Stream(..) => return Ok(()),
        };
        if let Place::Stream(..) = child {
            self.streams = self.streams.saturating_add(1);
            if self.streams > STREAMS_PER_DEVICE {
                return Err(ConfigFault::new(child, None, Wrong::TooManyStreams));
            }
        }
        self.tree.add_place(child)?;
        self.want(child, Want::Listing(child))
    }

    fn want(&mut self, at: Place, want: Want) -> Result<(), ConfigFault> {
        self.wants
            .push(want)
            .map_err(|_| ConfigFault::new(at, None, Wrong::TooMuch))
    }
}
