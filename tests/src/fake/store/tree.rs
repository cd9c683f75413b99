//! The store's tree, its rules, and its answers to requests.

use super::{DOM0, NODES, Refusal, WATCHES};
use crate::fake::seed::Seed;
use std::collections::{BTreeMap, VecDeque};

/// One node.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    pub(super) value: Vec<u8>,
    pub(super) owner: u16,
    /// The domains other than the owner that may read.
    pub(super) readers: Vec<u16>,
}

#[derive(Clone, Debug)]
pub(super) struct Watch {
    pub(super) dom: u16,
    /// Absolute.
    pub(super) path: String,
    /// As the domain spelled it.
    pub(super) spelled: String,
    pub(super) token: String,
}

/// The bytes between the store and one domain.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) dom: u16,
    /// From the domain, not yet parsed.
    pub(super) requests: Vec<u8>,
    /// To the domain, not yet in the ring.
    pub(super) replies: VecDeque<u8>,
    pub(super) seed: Seed,
    pub(super) whole: bool,
    /// What the nodes were when its transaction began.
    pub(super) undo: Option<BTreeMap<String, Node>>,
}

#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) nodes: BTreeMap<String, Node>,
    pub(super) watches: Vec<Watch>,
    pub(super) connections: Vec<Connection>,
    /// Every change in order: the path, and the value or nothing for a removal.
    pub(super) history: Vec<(String, Option<String>)>,
    /// Requests answered, by type.
    pub(super) counts: BTreeMap<u32, u64>,
    /// Answers every request of this type with this error, while set.
    pub(super) refusal: Option<(u32, &'static str)>,
    /// Transactions that are still to find somebody else's change.
    pub(super) conflicts: u32,
    /// Answers nothing while set.
    pub(super) busy: bool,
}

/// The directory that holds a node; none for the root.
fn parent(path: &str) -> Option<&str> {
    let (parent, _) = path.rsplit_once('/')?;
    (!parent.is_empty()).then_some(parent)
}

impl Tree {
    fn absolute(dom: u16, path: &str) -> String {
        if path.starts_with('/') || path.starts_with('@') {
            path.to_owned()
        } else {
            format!("/local/domain/{dom}/{path}")
        }
    }

    fn may_write(&self, dom: u16, path: &str) -> bool {
        dom == DOM0 || self.nodes.get(path).is_some_and(|node| node.owner == dom)
    }

    fn may_read(&self, dom: u16, path: &str) -> bool {
        dom == DOM0
            || self
                .nodes
                .get(path)
                .is_some_and(|node| node.owner == dom || node.readers.contains(&dom))
    }

    /// The nearest directory above a path that exists.
    fn ground<'p>(&self, path: &'p str) -> Option<&'p str> {
        let mut above = parent(path);
        while let Some(path) = above {
            if self.nodes.contains_key(path) {
                return Some(path);
            }
            above = parent(path);
        }
        None
    }

    pub(super) fn write(&mut self, dom: u16, path: &str, value: &[u8]) -> Result<(), Refusal> {
        let path = Self::absolute(dom, path);
        if !self.nodes.contains_key(&path) {
            self.create(dom, &path)?;
        } else if !self.may_write(dom, &path) {
            return Err("EACCES");
        }
        if let Some(node) = self.nodes.get_mut(&path) {
            node.value = value.to_vec();
        }
        let text = String::from_utf8_lossy(value).into_owned();
        self.history.push((path.clone(), Some(text)));
        self.fire(&path, false);
        Ok(())
    }

    /// Creates a node and the directories that are missing above it; they inherit permissions, but
    /// what a domain creates it owns.
    fn create(&mut self, dom: u16, path: &str) -> Result<(), Refusal> {
        let ground = self.ground(path).map(str::to_owned);
        let above = match &ground {
            Some(ground) if self.may_write(dom, ground) => self.nodes[ground].clone(),
            None if dom == DOM0 => Node::default(),
            _ => return Err("EACCES"),
        };
        let mut missing = vec![path.to_owned()];
        while let Some(above) = missing.last().and_then(|path| parent(path)) {
            if Some(above) == ground.as_deref() {
                break;
            }
            missing.push(above.to_owned());
        }
        let owner = if dom == DOM0 { above.owner } else { dom };
        let owned = self.nodes.values().filter(|node| node.owner == owner);
        if dom != DOM0 && owned.count() + missing.len() > NODES {
            return Err("EQUOTA");
        }
        for path in missing {
            let node = Node {
                value: Vec::new(),
                owner,
                readers: above.readers.clone(),
            };
            self.nodes.insert(path, node);
        }
        Ok(())
    }

    pub(super) fn rm(&mut self, dom: u16, path: &str) -> Result<(), Refusal> {
        let path = Self::absolute(dom, path);
        if !self.nodes.contains_key(&path) {
            let known = parent(&path).is_some_and(|above| self.nodes.contains_key(above));
            return Err(if known || dom == DOM0 {
                "ENOENT"
            } else {
                "EACCES"
            });
        }
        if !self.may_write(dom, &path) {
            return Err("EACCES");
        }
        self.history.push((path.clone(), None));
        // Told while the nodes are there, since being told takes the right to read them.
        self.fire(&path, true);
        let below = format!("{path}/");
        self.nodes
            .retain(|node, _| *node != path && !node.starts_with(&below));
        Ok(())
    }

    fn list(&self, dom: u16, path: &str) -> Result<Vec<u8>, Refusal> {
        let path = Self::absolute(dom, path);
        if !self.nodes.contains_key(&path) {
            return Err("ENOENT");
        }
        if !self.may_read(dom, &path) {
            return Err("EACCES");
        }
        let below = format!("{path}/");
        let mut listing = Vec::new();
        for node in self.nodes.keys() {
            let Some(name) = node.strip_prefix(&below) else {
                continue;
            };
            if !name.contains('/') {
                listing.extend(name.as_bytes());
                listing.push(0);
            }
        }
        if listing.len() > 4096 {
            return Err("E2BIG");
        }
        Ok(listing)
    }

    /// Tells every watch of a change at `path`; a removal also the watches below it.
    pub(super) fn fire(&mut self, path: &str, removed: bool) {
        let watches = self.watches.clone();
        for watch in watches {
            let above = path == watch.path || path.starts_with(&format!("{}/", watch.path));
            let below = removed && watch.path.starts_with(&format!("{path}/"));
            let told = if above { path } else { &watch.path };
            if (above || below) && self.may_read(watch.dom, told) {
                self.tell(&watch, told);
            }
        }
    }

    fn tell(&mut self, watch: &Watch, path: &str) {
        let relative = !watch.spelled.starts_with(['/', '@']);
        let own = format!("/local/domain/{}/", watch.dom);
        let spelled = path.strip_prefix(&own).filter(|_| relative).unwrap_or(path);
        let payload = format!("{spelled}\0{}\0", watch.token);
        let dom = watch.dom;
        if let Some(at) = self.connections.iter().rposition(|to| to.dom == dom) {
            self.send(at, 15, 0, payload.as_bytes());
        }
    }

    fn send(&mut self, at: usize, kind: u32, request: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).expect("short");
        let replies = &mut self.connections[at].replies;
        for field in [kind, request, 0, length] {
            replies.extend(field.to_le_bytes());
        }
        replies.extend(payload);
    }

    /// Answers every whole request of a connection.
    pub(super) fn serve(&mut self, at: usize) {
        while !self.busy {
            let requests = &self.connections[at].requests;
            let Some(header) = requests.get(..16) else {
                return;
            };
            let field = |n: usize| {
                let octets = header[n * 4..n * 4 + 4].try_into().expect("four");
                u32::from_le_bytes(octets)
            };
            let (kind, request, length) = (field(0), field(1), field(3) as usize);
            assert!(length <= 4096, "the domain sent too long a payload");
            let Some(payload) = requests.get(16..16 + length) else {
                return;
            };
            let payload = payload.to_vec();
            self.connections[at].requests.drain(..16 + length);
            *self.counts.entry(kind).or_default() += 1;
            let answer = match self.refusal {
                Some((refused, error)) if refused == kind => Err(error),
                _ => self.answer(at, kind, &payload),
            };
            match &answer {
                Ok(payload) => self.send(at, kind, request, payload),
                Err(error) => self.send(at, 16, request, format!("{error}\0").as_bytes()),
            }
            if kind == 4 && answer.is_ok() {
                // A watch fires once when it is set.
                if let Some(watch) = self.watches.last().cloned() {
                    let path = watch.path.clone();
                    self.tell(&watch, &path);
                }
            }
        }
    }

    /// Ends a transaction. Its changes are in the tree already: nobody else acts meanwhile.
    fn end(&mut self, at: usize, kept: bool) -> Result<(), Refusal> {
        let before = self.connections[at].undo.take().ok_or("EINVAL")?;
        let disturbed = kept && self.conflicts > 0;
        self.conflicts -= u32::from(disturbed);
        if disturbed || !kept {
            self.nodes = before;
        }
        if disturbed { Err("EAGAIN") } else { Ok(()) }
    }

    fn answer(&mut self, at: usize, kind: u32, payload: &[u8]) -> Result<Vec<u8>, Refusal> {
        let dom = self.connections[at].dom;
        let end = payload
            .iter()
            .position(|&octet| octet == 0)
            .ok_or("EINVAL")?;
        let spelled = std::str::from_utf8(&payload[..end]).map_err(|_| "EINVAL")?;
        let path = Self::absolute(dom, spelled);
        let rest = &payload[end + 1..];
        let ok = b"OK\0".to_vec();
        match kind {
            1 => self.list(dom, &path),
            2 => match self.nodes.get(&path) {
                None => Err("ENOENT"),
                Some(_) if !self.may_read(dom, &path) => Err("EACCES"),
                Some(node) => Ok(node.value.clone()),
            },
            4 | 5 => {
                let token = rest.strip_suffix(b"\0").ok_or("EINVAL")?;
                let token = String::from_utf8_lossy(token).into_owned();
                let same =
                    |watch: &Watch| watch.dom == dom && watch.path == path && watch.token == token;
                let place = self.watches.iter().position(same);
                match (kind, place) {
                    (4, Some(_)) => Err("EEXIST"),
                    (5, None) => Err("ENOENT"),
                    (5, Some(place)) => {
                        self.watches.remove(place);
                        Ok(ok)
                    }
                    _ if self.watches.iter().filter(|w| w.dom == dom).count() >= WATCHES => {
                        Err("EQUOTA")
                    }
                    _ => {
                        let spelled = spelled.to_owned();
                        self.watches.push(Watch {
                            dom,
                            path,
                            spelled,
                            token,
                        });
                        Ok(ok)
                    }
                }
            }
            6 => {
                self.connections[at].undo = Some(self.nodes.clone());
                Ok(b"1\0".to_vec())
            }
            7 => self.end(at, spelled == "T").map(|()| ok),
            11 => self.write(dom, &path, rest).map(|()| ok),
            12 if self.nodes.contains_key(&path) => Ok(ok),
            12 => self.write(dom, &path, b"").map(|()| ok),
            13 => self.rm(dom, &path).map(|()| ok),
            14 if !self.may_write(dom, &path) => Err("EACCES"),
            14 => {
                let words = rest.split(|&octet| octet == 0).map(String::from_utf8_lossy);
                let doms = words.filter_map(|word| word.get(1..)?.parse().ok());
                let doms: Vec<u16> = doms.collect();
                let (&owner, readers) = doms.split_first().ok_or("EINVAL")?;
                let node = self.nodes.get_mut(&path).ok_or("ENOENT")?;
                (node.owner, node.readers) = (owner, readers.to_vec());
                Ok(ok)
            }
            _ => Err("ENOSYS"),
        }
    }
}
