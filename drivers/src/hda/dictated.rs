//! What dom0 says about the codec, in the store: the words of [`super::overrides`], separated by
//! spaces, in one node.
//!
//! The node is read once, in the same turn as what start-up reads first, because every turn of the
//! store waits for dom0.

use core::fmt;

use heapless::{String, Vec};

use super::overrides::Overrides;
use crate::pci::{EachNode, Store, StoreError};

/// The node, below this domain's directory, where only dom0 writes.
pub const NODE: &str = "control/card/overrides";
/// Nodes that [`Store::read_all`] reads at once.
const AT_ONCE: usize = 4;
/// Octets of a bad word that are shown.
const SHOWN: usize = 48;

/// A word of dom0's that cannot be read as an override.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadWord(String<SHOWN>);

impl fmt::Display for BadWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{NODE}: bad word `{}`", self.0)
    }
}

/// A store in which the node is read along.
pub struct Dictated<'a, S> {
    store: &'a mut S,
    overrides: Result<Overrides, BadWord>,
    read: bool,
}

impl<'a, S: Store> Dictated<'a, S> {
    /// The same store; dom0's words are added to these.
    pub const fn new(store: &'a mut S, overrides: Overrides) -> Self {
        Self {
            store,
            overrides: Ok(overrides),
            read: false,
        }
    }

    /// All words, once something was read.
    ///
    /// # Errors
    /// The first that is none, or that there is no room for.
    pub fn overrides(self) -> Result<Overrides, BadWord> {
        self.overrides
    }
}

/// The words of the node together with those known before.
fn with(mut overrides: Overrides, value: &[u8]) -> Result<Overrides, BadWord> {
    let bad = |word: &str| {
        let mut shown = String::new();
        // Cut where it is too long.
        word.chars().try_for_each(|letter| shown.push(letter)).ok();
        BadWord(shown)
    };
    let text = core::str::from_utf8(value).map_err(|_| bad("not UTF-8"))?;
    overrides.read(text.trim_end_matches('\0')).map_err(bad)?;
    Ok(overrides)
}

impl<S: Store> Store for Dictated<'_, S> {
    fn read_all(&mut self, paths: &[&str], each: &mut EachNode<'_>) -> Result<(), StoreError> {
        let mut all: Vec<&str, AT_ONCE> = Vec::new();
        let room = all.extend_from_slice(paths).is_ok() && all.push(NODE).is_ok();
        let Ok(known) = &self.overrides else {
            return self.store.read_all(paths, each);
        };
        if self.read || !room {
            return self.store.read_all(paths, each);
        }
        let mut overrides = Ok(*known);
        self.store.read_all(&all, &mut |index, value| {
            match value {
                _ if index < paths.len() => each(index, value),
                Ok(value) => overrides = with(*known, value),
                // Nothing is said, or nothing that this domain may know.
                Err(_) => {}
            }
        })?;
        (self.overrides, self.read) = (overrides, true);
        Ok(())
    }

    fn begin_writes(&mut self, nodes: &[(&str, &str)]) -> Result<(), StoreError> {
        self.store.begin_writes(nodes)
    }

    fn watch(&mut self, path: &str) -> Result<(), StoreError> {
        self.store.watch(path)
    }

    fn unwatch(&mut self, path: &str) -> Result<(), StoreError> {
        self.store.unwatch(path)
    }

    fn wait_for_change(&mut self) -> Result<(), StoreError> {
        self.store.wait_for_change()
    }
}
