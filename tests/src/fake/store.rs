//! A xenstored of one tree: nodes with owners, watches, and byte connections.
//!
//! It keeps the rules that the backend meets: who may write and remove, what a watch tells and how
//! it spells it, the quotas. Bytes move in odd-sized pieces, chosen by a seed.

mod tree;
mod wire;

use super::seed::Seed;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use tree::{Connection, Tree};
pub use wire::Wire;

/// Watches that an unprivileged domain may have.
pub const WATCHES: usize = 128;
/// Nodes that an unprivileged domain may own.
pub const NODES: usize = 1000;
/// The domain whose right is all.
pub const DOM0: u16 = 0;

/// The store; clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Store(Rc<RefCell<Tree>>);

/// What a domain may not do, or what is not there: xenstored's word for it.
pub type Refusal = &'static str;

impl Store {
    /// A store that holds nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Connects a domain. `seed` decides how its bytes are cut; 0 cuts nothing.
    #[must_use]
    pub fn connect(&self, dom: u16, seed: u64) -> Wire {
        let mut tree = self.0.borrow_mut();
        tree.connections.push(Connection {
            dom,
            requests: Vec::new(),
            replies: VecDeque::new(),
            seed: Seed::new(seed),
            whole: seed == 0,
            undo: None,
        });
        Wire {
            store: self.clone(),
            at: tree.connections.len() - 1,
        }
    }

    /// Writes as a domain.
    ///
    /// # Errors
    /// xenstored's refusal.
    pub fn write(&self, dom: u16, path: &str, value: impl AsRef<[u8]>) -> Result<(), Refusal> {
        self.0.borrow_mut().write(dom, path, value.as_ref())
    }

    /// Reads with the right of dom0.
    #[must_use]
    pub fn read(&self, path: &str) -> Option<String> {
        let tree = self.0.borrow();
        let node = tree.nodes.get(path)?;
        Some(String::from_utf8_lossy(&node.value).into_owned())
    }

    /// Whether a node is there.
    #[must_use]
    pub fn exists(&self, path: &str) -> bool {
        self.0.borrow().nodes.contains_key(path)
    }

    /// Removes a node and everything below it, as a domain.
    ///
    /// # Errors
    /// xenstored's refusal.
    pub fn rm(&self, dom: u16, path: &str) -> Result<(), Refusal> {
        self.0.borrow_mut().rm(dom, path)
    }

    /// Every value that a node was given, in order; nothing stands for its removal.
    #[must_use]
    pub fn history(&self, path: &str) -> Vec<Option<String>> {
        let tree = self.0.borrow();
        let changes = tree.history.iter().filter(|(changed, _)| changed == path);
        changes.map(|(_, value)| value.clone()).collect()
    }

    /// Forgets all history, so that a long run stays small.
    pub fn forget_history(&self) {
        self.0.borrow_mut().history.clear();
    }

    /// Sets who owns a node and who else reads it.
    pub fn set_permissions(&self, path: &str, owner: u16, readers: &[u16]) {
        if let Some(node) = self.0.borrow_mut().nodes.get_mut(path) {
            node.owner = owner;
            node.readers = readers.to_vec();
        }
    }

    /// Watches that a domain has.
    #[must_use]
    pub fn watches(&self, dom: u16) -> usize {
        let tree = self.0.borrow();
        tree.watches.iter().filter(|watch| watch.dom == dom).count()
    }

    /// Nodes that a domain owns.
    #[must_use]
    pub fn owned(&self, dom: u16) -> usize {
        let tree = self.0.borrow();
        tree.nodes.values().filter(|node| node.owner == dom).count()
    }

    /// Requests of a type that were answered.
    #[must_use]
    pub fn count(&self, kind: u32) -> u64 {
        self.0.borrow().counts.get(&kind).copied().unwrap_or(0)
    }

    /// All requests that were answered.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.0.borrow().counts.values().sum()
    }

    /// Refuses every request of a type with an error, or none.
    pub fn refuse(&self, refusal: Option<(u32, &'static str)>) {
        self.0.borrow_mut().refusal = refusal;
    }

    /// Tells who watches for it that a domain came, or went.
    pub fn announce(&self, special: &str) {
        self.0.borrow_mut().fire(special, false);
    }

    /// Lets this many transactions find at their end that somebody else changed what they saw.
    pub fn disturb(&self, transactions: u32) {
        self.0.borrow_mut().conflicts = transactions;
    }

    /// The domains that own and that may read a node.
    #[must_use]
    pub fn permissions(&self, path: &str) -> Option<(u16, Vec<u16>)> {
        let tree = self.0.borrow();
        let node = tree.nodes.get(path)?;
        Some((node.owner, node.readers.clone()))
    }

    /// Leaves every request unanswered, or answers those that waited.
    pub fn set_busy(&self, busy: bool) {
        let mut tree = self.0.borrow_mut();
        tree.busy = busy;
        for at in 0..tree.connections.len() {
            tree.serve(at);
        }
    }

    /// Puts bytes into a connection that no request asked for.
    pub fn inject(&self, wire: &Wire, bytes: &[u8]) {
        let mut tree = self.0.borrow_mut();
        tree.connections[wire.at].replies.extend(bytes);
    }

    /// All nodes with their values, as a listing for people.
    #[must_use]
    pub fn dump(&self) -> String {
        let tree = self.0.borrow();
        let lines = tree
            .nodes
            .iter()
            .map(|(path, node)| format!("{path} = {:?}\n", String::from_utf8_lossy(&node.value)));
        lines.collect()
    }
}
