//! A fake pciback: its functions, and the store it announces itself in.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use drivers::pci::{Address, EachNode, OpChannel, Store, StoreError};
use drivers::{Clock, Micros};

/// Where the backend's nodes are.
const BACKEND: &str = "/local/domain/0/backend/pci/7/0";

/// One function of the host.
#[derive(Clone, Debug)]
pub struct Function {
    /// As `vdev-N` says.
    pub virtual_address: &'static str,
    /// As `dev-N` says.
    pub host_address: &'static str,
    /// Configuration space as the guest may read it.
    pub space: [u8; 256],
}

impl Function {
    /// A function of this class, with this in its base address registers 0 and 1.
    #[must_use]
    pub fn new(id: u32, class: u32, bar: u64) -> Self {
        let mut space = [0; 256];
        space[0..4].copy_from_slice(&id.to_le_bytes());
        space[8..12].copy_from_slice(&class.to_le_bytes());
        space[0x10..0x18].copy_from_slice(&bar.to_le_bytes());
        space[0x2C..0x30].copy_from_slice(&0x1100_1AF4_u32.to_le_bytes());
        space[0x3C] = 17;
        Self {
            virtual_address: "0000:00:00.00",
            host_address: "0000:00:1b.0",
            space,
        }
    }

    fn read(&self, offset: usize, octets: usize) -> u32 {
        let mut word = [0; 4];
        word[..octets].copy_from_slice(&self.space[offset..offset + octets]);
        u32::from_le_bytes(word)
    }

    /// Applies what pciback lets through; the rest is dropped and succeeds.
    fn write(&mut self, offset: usize, octets: usize, value: u32, permissive: bool) {
        match offset {
            0x04 => self.space[4] = (value & 7) as u8,
            _ if permissive && offset >= 0x40 => {
                self.space[offset..offset + octets].copy_from_slice(&value.to_le_bytes()[..octets]);
            }
            _ => {}
        }
    }
}

/// How the backend behaves.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    /// Lets every write to configuration space through.
    pub permissive: bool,
    /// Refuses writes that it does not let through instead of dropping them.
    pub refuses: bool,
    /// How long it takes for an operation or a change of state.
    pub delay: Micros,
    /// Answers no operation from this one on.
    pub silent_from: Option<u32>,
    /// Refuses MSI with this error.
    pub no_msi: Option<i32>,
    /// Wakes us this often before it is done.
    pub false_wakes: u32,
    /// The state it begins in.
    pub begins: u32,
    /// The state it ends in once we have published.
    pub ends: u32,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            permissive: false,
            refuses: false,
            delay: Micros(50),
            silent_from: None,
            no_msi: None,
            false_wakes: 0,
            begins: 3,
            ends: 4,
        }
    }
}

struct State {
    now: u64,
    manners: Manners,
    functions: Vec<Function>,
    page: [u32; 1024],
    /// When the operation under way will be done.
    due: Option<u64>,
    wakes: u32,
    operations: u32,
    nodes: BTreeMap<String, String>,
    connects: Option<u64>,
    watched: Option<String>,
    /// A write was refused, which the next call is to say.
    refused: bool,
    msi: Option<Address>,
}

/// A fake pciback, and all that a driver needs to meet it.
#[derive(Clone)]
pub struct Pciback(Rc<RefCell<State>>);

impl Pciback {
    /// A backend with these functions.
    #[must_use]
    pub fn new(manners: Manners, functions: Vec<Function>) -> Self {
        let mut nodes = BTreeMap::new();
        nodes.insert("device/pci/0/backend".into(), BACKEND.into());
        nodes.insert(format!("{BACKEND}/state"), manners.begins.to_string());
        nodes.insert(format!("{BACKEND}/num_devs"), functions.len().to_string());
        for (index, function) in functions.iter().enumerate() {
            let vdev = function.virtual_address.to_string();
            nodes.insert(format!("{BACKEND}/vdev-{index}"), vdev);
            let host = function.host_address.to_string();
            nodes.insert(format!("{BACKEND}/dev-{index}"), host);
        }
        Self(Rc::new(RefCell::new(State {
            now: 0,
            manners,
            functions,
            page: [0; 1024],
            due: None,
            wakes: 0,
            operations: 0,
            nodes,
            connects: None,
            watched: None,
            refused: false,
            msi: None,
        })))
    }

    /// A node's value now.
    #[must_use]
    pub fn node(&self, path: &str) -> Option<String> {
        self.0.borrow().nodes.get(path).cloned()
    }

    /// Sets a node, or removes it.
    pub fn set_node(&self, path: &str, value: Option<&str>) {
        let nodes = &mut self.0.borrow_mut().nodes;
        match value {
            Some(value) => nodes.insert(path.into(), value.into()),
            None => nodes.remove(path),
        };
    }

    /// Changes how it behaves.
    pub fn set_manners(&self, change: impl FnOnce(&mut Manners)) {
        change(&mut self.0.borrow_mut().manners);
    }

    /// A function's configuration space.
    #[must_use]
    pub fn space(&self, index: usize) -> [u8; 256] {
        self.0.borrow().functions[index].space
    }

    /// Which function interrupts by message.
    #[must_use]
    pub fn msi(&self) -> Option<Address> {
        self.0.borrow().msi
    }
}

impl State {
    fn pass(&mut self, span: Micros) {
        self.now += span.0;
        if self.due.is_some_and(|due| self.now >= due) {
            self.due = None;
            self.operate();
        }
        if self.connects.is_some_and(|at| self.now >= at) {
            self.connects = None;
            let state = self.manners.ends.to_string();
            self.nodes.insert(format!("{BACKEND}/state"), state);
        }
    }

    fn operate(&mut self) {
        let [_, command, _, domain, bus, devfn, offset, size, value, ..] = self.page;
        let address = Address {
            domain: domain as u16,
            bus: bus as u8,
            devfn: devfn as u8,
        };
        let found = |f: &&mut Function| Address::parse(f.virtual_address) == Some(address);
        let manners = self.manners;
        let (offset, size) = (offset as usize, size as usize);
        let mut answer = value;
        let error = match self.functions.iter_mut().find(found) {
            None => -1,
            Some(_) if command < 2 && (![1, 2, 4].contains(&size) || offset % size != 0) => -2,
            Some(function) => match command {
                0 => {
                    answer = function.read(offset, size);
                    0
                }
                1 if manners.refuses && offset >= 0x40 => -3,
                1 => {
                    function.write(offset, size, value, manners.permissive);
                    0
                }
                2 => {
                    self.msi = Some(address);
                    answer = 55;
                    manners.no_msi.unwrap_or(0)
                }
                3 => {
                    self.msi = None;
                    0
                }
                _ => -4,
            },
        };
        self.page[8] = answer;
        self.page[2] = error as u32;
        self.page[0] &= !1;
    }
}

impl OpChannel for Pciback {
    fn load(&self, offset: usize) -> u32 {
        self.0.borrow().page[offset / 4]
    }

    fn store(&mut self, offset: usize, value: u32) {
        let state = &mut *self.0.borrow_mut();
        assert!(state.page[0] & 1 == 0, "the page is the backend's");
        state.page[offset / 4] = value;
    }

    fn set_bits(&mut self, offset: usize, bits: u32) {
        self.0.borrow_mut().page[offset / 4] |= bits;
    }

    fn notify(&mut self) {
        let state = &mut *self.0.borrow_mut();
        let number = state.operations;
        state.operations += 1;
        if state.manners.silent_from.is_none_or(|from| number < from) {
            state.due = Some(state.now + state.manners.delay.0);
            state.wakes = state.manners.false_wakes;
        }
    }

    fn wait(&mut self, limit: Micros) {
        let state = &mut *self.0.borrow_mut();
        if state.wakes > 0 {
            state.wakes -= 1;
            return;
        }
        let span = state
            .due
            .map_or(limit.0, |due| limit.0.min(due - state.now));
        state.pass(Micros(span));
    }
}

impl Store for Pciback {
    fn read_all(&mut self, paths: &[&str], each: &mut EachNode<'_>) -> Result<(), StoreError> {
        let state = &mut *self.0.borrow_mut();
        if std::mem::take(&mut state.refused) {
            return Err(StoreError::Failed);
        }
        for (index, path) in paths.iter().enumerate() {
            let value = state.nodes.get(*path).ok_or(StoreError::Missing);
            each(index, value.map(String::as_bytes));
        }
        Ok(())
    }

    fn begin_writes(&mut self, nodes: &[(&str, &str)]) -> Result<(), StoreError> {
        let state = &mut *self.0.borrow_mut();
        if !state.nodes.contains_key("device/pci/0/backend") {
            // The toolstack made no directory for the device, and what is above it is dom0's.
            state.refused = true;
            return Ok(());
        }
        for (path, value) in nodes {
            state.nodes.insert((*path).into(), (*value).into());
        }
        let published = ["pci-op-ref", "event-channel"]
            .iter()
            .all(|name| state.nodes.contains_key(&format!("device/pci/0/{name}")));
        let node = |name: &str| state.nodes.get(name).map(String::as_str);
        let magic = node("device/pci/0/magic") == Some("7");
        if published && magic && node("device/pci/0/state") == Some("3") {
            state.connects = Some(state.now + state.manners.delay.0);
        }
        Ok(())
    }

    fn watch(&mut self, path: &str) -> Result<(), StoreError> {
        let before = self.0.borrow_mut().watched.replace(path.into());
        assert_eq!(before, None, "one watch");
        Ok(())
    }

    fn unwatch(&mut self, path: &str) -> Result<(), StoreError> {
        let before = self.0.borrow_mut().watched.take();
        assert_eq!(before.as_deref(), Some(path), "what is watched");
        Ok(())
    }

    fn wait_for_change(&mut self) -> Result<(), StoreError> {
        let state = &mut *self.0.borrow_mut();
        let watched = state.watched.as_deref() == Some(&format!("{BACKEND}/state"));
        let change = state.connects.filter(|_| watched);
        let until = change.map_or(state.now + 2_000_000, |at| at.max(state.now));
        state.pass(Micros(until - state.now));
        Ok(())
    }
}

impl Clock for Pciback {
    fn now(&self) -> Micros {
        Micros(self.0.borrow().now)
    }
    fn pause(&self, span: Micros) {
        self.0.borrow_mut().pass(span);
    }
}
