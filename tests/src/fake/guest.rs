//! A guest's frontend as Linux' `snd_xen_front` behaves in xenstore: states and ring nodes only.

use super::store::Store;
use super::toolstack::Toolstack;

/// One device's frontend.
#[derive(Clone, Debug)]
pub struct Guest {
    store: Store,
    front: String,
    back: String,
    domain: u16,
    streams: usize,
    /// How often it published rings; part of the references it publishes.
    pub handshakes: u32,
}

impl Guest {
    /// The frontend of an attached device with `streams` streams on PCM device 0.
    #[must_use]
    pub fn new(
        store: &Store,
        toolstack: &Toolstack,
        domain: u16,
        dev: u32,
        streams: usize,
    ) -> Self {
        Self {
            store: store.clone(),
            front: toolstack.front(domain, dev, ""),
            back: toolstack.back(domain, dev, ""),
            domain,
            streams,
            handshakes: 0,
        }
    }

    fn read(&self, path: String) -> Option<u32> {
        self.store.read(&path)?.parse().ok()
    }

    /// Its own state; 0 if there is none.
    #[must_use]
    pub fn state(&self) -> u32 {
        self.read(format!("{}/state", self.front)).unwrap_or(0)
    }

    /// The backend's state; 0 if there is none.
    #[must_use]
    pub fn backend_state(&self) -> u32 {
        self.read(format!("{}/state", self.back)).unwrap_or(0)
    }

    /// Writes a node of its own.
    pub fn write(&self, leaf: &str, value: &str) {
        let path = format!("{}/{leaf}", self.front);
        // It may be gone: a guest that runs on while it is destroyed.
        let _ = self.store.write(self.domain, &path, value);
    }

    /// Writes its state.
    pub fn set_state(&self, state: u32) {
        self.write("state", &state.to_string());
    }

    /// Publishes rings of every stream and its state 3.
    pub fn publish(&mut self) {
        self.handshakes += 1;
        for stream in 0..self.streams {
            let base = self.handshakes * 1000 + u32::try_from(stream).expect("few") * 10;
            let nodes = [
                "ring-ref",
                "event-channel",
                "evt-ring-ref",
                "evt-event-channel",
            ];
            for (number, node) in nodes.into_iter().enumerate() {
                let value = base + u32::try_from(number).expect("few") + 1;
                self.write(&format!("0/{stream}/{node}"), &value.to_string());
            }
        }
        self.set_state(3);
    }

    /// Reacts to the backend's state as the driver does; true if it did something.
    pub fn react(&mut self) -> bool {
        match (self.backend_state(), self.state()) {
            // Everything is torn down and published anew; the driver does so once for each time
            // that it sees a 2, which the states tell apart well enough.
            (2, 1 | 4 | 5) => self.publish(),
            (4, 3) => self.set_state(4),
            (1, 2..=4) | (0 | 6, 1..=5) if self.state() != 1 => self.set_state(1),
            _ => return false,
        }
        true
    }
}
