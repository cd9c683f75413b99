//! What libxl does to the store: domains, devices, and their ends.
//!
//! The nodes, their order and their permissions are those that xl 4.17 and 4.20 were seen to write.

use super::store::{DOM0, Store};

/// The toolstack, and the domain number of the backend.
#[derive(Clone, Debug)]
pub struct Toolstack {
    store: Store,
    backend: u16,
}

/// One device as it is to be attached.
#[derive(Clone, Debug)]
pub struct Vsnd {
    /// The guest.
    pub guest: u16,
    /// The device's number.
    pub dev: u32,
    /// Nodes of the frontend's directory, by path relative to it.
    pub nodes: Vec<(String, String)>,
}

impl Vsnd {
    /// A card with one PCM device: `playback` streams, then `capture` streams.
    #[must_use]
    pub fn card(guest: u16, dev: u32, playback: usize, capture: usize) -> Self {
        let mut nodes = vec![
            ("long-name".into(), "Main card".into()),
            ("short-name".into(), "Main".into()),
            ("sample-rates".into(), "44100,48000".into()),
            ("sample-formats".into(), "s16_le,s32_le".into()),
            ("channels-min".into(), "1".into()),
            ("channels-max".into(), "2".into()),
            ("buffer-size".into(), "65536".into()),
            ("0/name".into(), "Main".into()),
        ];
        for stream in 0..playback + capture {
            let kind = if stream < playback { "p" } else { "c" };
            nodes.push((format!("0/{stream}/unique-id"), format!("{kind}{stream}")));
            nodes.push((format!("0/{stream}/type"), kind.into()));
        }
        Self { guest, dev, nodes }
    }

    /// The same with one node set, or without it.
    #[must_use]
    pub fn with(mut self, path: &str, value: Option<&str>) -> Self {
        self.nodes.retain(|(known, _)| known != path);
        self.nodes
            .extend(value.map(|value| (path.to_owned(), value.to_owned())));
        self
    }
}

impl Toolstack {
    /// Creates the backend's domain: what it may write is what libxl lets it write.
    #[must_use]
    pub fn new(store: &Store, backend: u16) -> Self {
        let home = format!("/local/domain/{backend}");
        let write = |path: &str, value: &str| {
            store.write(DOM0, path, value).expect("dom0 may all");
        };
        write("/local/domain", "");
        write(&home, "");
        store.set_permissions(&home, DOM0, &[backend]);
        write(&format!("{home}/control"), "");
        for own in [
            "data",
            "control/shutdown",
            "control/feature-poweroff",
            "control/feature-reboot",
        ] {
            let path = format!("{home}/{own}");
            write(&path, "");
            store.set_permissions(&path, backend, &[]);
        }
        Self {
            store: store.clone(),
            backend,
        }
    }

    /// The path of a node of the backend's own directory.
    #[must_use]
    pub fn home(&self, path: &str) -> String {
        format!("/local/domain/{}/{path}", self.backend)
    }

    /// The path of a node of a device's backend directory, or that directory.
    #[must_use]
    pub fn back(&self, guest: u16, dev: u32, leaf: &str) -> String {
        let path = self.home(&format!("backend/vsnd/{guest}/{dev}/{leaf}"));
        path.trim_end_matches('/').to_owned()
    }

    /// The path of a node of a device's frontend directory, or that directory.
    #[must_use]
    pub fn front(&self, guest: u16, dev: u32, leaf: &str) -> String {
        let path = format!("/local/domain/{guest}/device/vsnd/{dev}/{leaf}");
        path.trim_end_matches('/').to_owned()
    }

    /// Creates a device's directories, the frontend's first.
    pub fn attach(&self, card: &Vsnd) {
        let write = |path: &str, value: &str| {
            self.store.write(DOM0, path, value).expect("dom0 may all");
        };
        let (guest, dev) = (card.guest, card.dev);
        let front = self.front(guest, dev, "");
        write(&front, "");
        self.store.set_permissions(&front, guest, &[self.backend]);
        write(
            &self.front(guest, dev, "backend"),
            &self.back(guest, dev, ""),
        );
        write(
            &self.front(guest, dev, "backend-id"),
            &self.backend.to_string(),
        );
        write(&self.front(guest, dev, "state"), "1");
        for (path, value) in &card.nodes {
            write(&self.front(guest, dev, path), value);
        }
        for shared in ["backend", "backend/vsnd", &format!("backend/vsnd/{guest}")] {
            let path = self.home(shared);
            if !self.store.exists(&path) {
                write(&path, "");
                self.store.set_permissions(&path, DOM0, &[self.backend]);
            }
        }
        let back = self.back(guest, dev, "");
        write(&back, "");
        self.store.set_permissions(&back, self.backend, &[guest]);
        write(&self.back(guest, dev, "frontend"), &front);
        write(&self.back(guest, dev, "frontend-id"), &guest.to_string());
        write(&self.back(guest, dev, "online"), "1");
        write(&self.back(guest, dev, "state"), "1");
    }

    /// Begins to take a device away: what `xl vsnd-detach` writes.
    pub fn detach(&self, guest: u16, dev: u32) {
        for (leaf, value) in [("online", "0"), ("state", "5")] {
            let path = self.back(guest, dev, leaf);
            let closed = leaf == "state" && self.store.read(&path).as_deref() == Some("6");
            if self.store.exists(&self.back(guest, dev, "")) && !closed {
                self.store.write(DOM0, &path, value).expect("dom0 may all");
            }
        }
    }

    /// Begins to destroy a guest with one device: its directory goes first.
    pub fn destroy(&self, guest: u16, dev: u32) {
        // Nothing to remove is fine here.
        let _ = self.store.rm(DOM0, &self.front(guest, dev, ""));
        self.detach(guest, dev);
    }

    /// What follows a device's end, or the patience of libxl's: the leftovers go.
    pub fn clean(&self, guest: u16, dev: u32) {
        for path in [
            self.back(guest, dev, ""),
            self.home(&format!("backend/vsnd/{guest}")),
            self.front(guest, dev, ""),
        ] {
            let _ = self.store.rm(DOM0, &path);
        }
    }
}
