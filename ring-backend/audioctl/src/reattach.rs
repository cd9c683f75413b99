//! Guests whose audio domain was restarted get their devices back.
//!
//! The new audio domain has another number, so its guests' frontends name a directory that is
//! gone. Here is done what `xl vsnd-detach` and `xl vsnd-attach` do, from the configuration that
//! stands in the frontend's own directory: first the frontend goes, and its guest has to see that,
//! then it comes back with the new backend. Between the two the configuration is kept in dom0's
//! memory of the audio domain, so that a run that is broken off is finished by the next.
//!
//! Linux' driver (seen with Debian's 6.1, whose allocator's checks name it) frees what belongs to a
//! stream when it sees its backend closed or gone, and writes to it when the program that plays
//! closes it after that. An audio domain that is shut down or rebooted has its guests close first.
//! One that is destroyed or crashes cannot: a guest that played at that moment may crash, then or
//! when it gets its card back, whoever gives it back and how. Guests that rested are safe.

use crate::domains::{Domain, directory};
use crate::policy::MEMORY;
use crate::session::Session;
use crate::store::Store;
use anyhow::{Result, bail};
use ring_backend::xenbus::State;
use ring_backend::xenstore::index;
use std::fmt;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a guest may take to let go of a backend that is gone: Linux waits three seconds each for
/// STOP and CLOSE of what played.
const LET_GO: Duration = Duration::from_secs(8);
/// How long a guest gets to see that its frontend is gone, in the first try and in later ones.
const SEEN_GONE: [u64; 3] = [100, 1_000, 3_000];
/// How long a guest gets to begin with its new backend before the next try, and then to connect.
const ANSWER: Duration = Duration::from_millis(1_500);
const CONNECT: Duration = Duration::from_secs(3);
/// How often that is looked at.
const STEP: Duration = Duration::from_millis(20);
/// The nodes of a card, a PCM device and a stream that are configuration.
const LEAVES: [&str; 10] = [
    "short-name",
    "long-name",
    "name",
    "type",
    "unique-id",
    "channels-min",
    "channels-max",
    "sample-rates",
    "sample-formats",
    "buffer-size",
];
/// PCM devices of a card, and streams of a device, that are taken over.
const MOST: u32 = 100;

/// A device of a guest whose backend is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The guest.
    pub guest: Domain,
    /// The device's number in it.
    pub device: u32,
}

impl Lost {
    fn front(&self) -> String {
        format!("{}/device/vsnd/{}", directory(self.guest.id), self.device)
    }

    fn back(&self, audio: u32) -> String {
        let (audio, guest) = (directory(audio), self.guest.id);
        format!("{audio}/backend/vsnd/{guest}/{}", self.device)
    }

    /// Where libxl looks for the devices of a domain.
    fn toolstack(&self) -> String {
        format!("/libxl/{}/device/vsnd/{}", self.guest.id, self.device)
    }

    /// Where the configuration is kept meanwhile.
    fn kept(&self) -> String {
        format!("{MEMORY}/detached/{}/{}", self.guest.id, self.device)
    }
}

/// How it went with one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Which device.
    pub lost: Lost,
    /// From the beginning to the guest's driver having answered, or why it did not.
    pub answered: Result<Duration, String>,
}

impl Outcome {
    fn failed(lost: &Lost, why: impl Into<String>) -> Self {
        Self {
            lost: lost.clone(),
            answered: Err(why.into()),
        }
    }
}

/// Devices whose backend's domain is gone, or that an earlier run did not finish.
///
/// # Errors
/// xenstored refused.
pub fn lost(session: &mut Session) -> Result<Vec<Lost>> {
    let mut lost = Vec::new();
    for guest in session.running.clone() {
        let store = &mut session.store;
        let root = format!("{}/device/vsnd", directory(guest.id));
        let kept = format!("{MEMORY}/detached/{}", guest.id);
        let mut devices = store.list(&root)?;
        for unfinished in store.list(&kept)? {
            if !devices.contains(&unfinished) {
                devices.push(unfinished);
            }
        }
        for device in devices.iter().filter_map(|device| index(device)) {
            let one = Lost {
                guest: guest.clone(),
                device,
            };
            let backend = store.read(&format!("{}/backend-id", one.front()))?;
            let backend = backend.as_deref().and_then(index);
            let serves = |id| session.running.iter().any(|domain| domain.id == id);
            if !backend.is_some_and(serves) {
                lost.push(one);
            }
        }
    }
    Ok(lost)
}

/// Attaches devices to the running audio domain and waits for their guests' drivers. The directories
/// of their frontends are the guests': what is wrong with one keeps nobody else waiting.
///
/// # Errors
/// The audio domain does not run, or xenstored refused.
pub fn reattach(session: &mut Session, devices: Vec<Lost>) -> Result<Vec<Outcome>> {
    let audio = session.audio_running()?;
    let begun = Instant::now();
    // Before anything is heard of them.
    session.project()?;
    let store = &mut session.store;
    let mut waiting = devices;
    let mut outcomes = Vec::new();
    let mut signs = Vec::new();
    let until = begun + LET_GO;
    while !waiting.is_empty() && Instant::now() < until {
        let mut still = false;
        for lost in &waiting {
            still |= matches!(state(store, lost)?, State::Connected | State::Initialised);
        }
        if !still {
            break;
        }
        sleep(STEP);
    }
    for pause in SEEN_GONE {
        waiting.retain(|lost| match detach(store, lost, audio.id) {
            Ok(sign) => {
                signs.extend(sign);
                true
            }
            Err(error) => {
                outcomes.push(Outcome::failed(lost, format!("{error:#}")));
                false
            }
        });
        if !waiting.is_empty() {
            sleep(Duration::from_millis(pause));
        }
        waiting.retain(|lost| match attach(store, lost, audio.id) {
            Ok(()) => true,
            Err(error) => {
                outcomes.push(Outcome::failed(lost, format!("{error:#}")));
                false
            }
        });
        let tried = Instant::now();
        loop {
            let mut begins = false;
            let mut still = Vec::new();
            for lost in waiting {
                match state(store, &lost)? {
                    State::Connected => outcomes.push(Outcome {
                        lost,
                        answered: Ok(begun.elapsed()),
                    }),
                    state => {
                        begins |= state == State::Initialised;
                        still.push(lost);
                    }
                }
            }
            waiting = still;
            let patience = if begins { CONNECT } else { ANSWER };
            if waiting.is_empty() || tried.elapsed() > patience {
                break;
            }
            sleep(STEP);
        }
        if waiting.is_empty() {
            break;
        }
    }
    for old in signs {
        forget(store, &old)?;
    }
    let silent = |lost| Outcome::failed(lost, "attached, no answer yet");
    outcomes.extend(waiting.iter().map(silent));
    Ok(outcomes)
}

/// What the guest's driver last wrote of itself.
fn state(store: &mut Store, lost: &Lost) -> Result<State> {
    let state = store.read(&format!("{}/state", lost.front()))?;
    Ok(State::parse(state.unwrap_or_default().as_bytes()))
}

/// Takes the frontend away and keeps its configuration; the directory of its old backend, if a sign
/// was set up there for the guest.
fn detach(store: &mut Store, lost: &Lost, audio: u32) -> Result<Option<String>> {
    store.make(MEMORY, 0, None)?;
    let old = store.at_once(|store| {
        let front = lost.front();
        let old = store.read(&format!("{}/backend", lost.toolstack()))?;
        if let Some(back) = &old {
            store.remove(back)?;
        }
        if store.read(&format!("{front}/backend"))?.is_some() {
            let kept = lost.kept();
            store.remove(&kept)?;
            for (node, value) in configuration(store, &front)? {
                store.write(&format!("{kept}/{node}"), &value)?;
            }
        }
        store.remove(&front)?;
        store.remove(&lost.toolstack())?;
        Ok(old)
    })?;
    // Linux' driver waits for up to a second until it reads that its backend waits for another
    // frontend. It does so once it no longer watches that state, since its own end went before.
    let old = old.filter(|old| *old != lost.back(audio));
    if let Some(old) = &old {
        store.make(old, 0, Some(lost.guest.id))?;
        store.write(&format!("{old}/state"), State::InitWait.text())?;
    }
    Ok(old)
}

/// Removes the sign in the directory of an old backend, and that of its domain, which is no more.
fn forget(store: &mut Store, old: &str) -> Result<()> {
    store.remove(old)?;
    let id = old
        .strip_prefix("/local/domain/")
        .and_then(|rest| rest.split('/').next());
    if let Some(id) = id.and_then(index) {
        let domain = directory(id);
        if store.read(&format!("{domain}/name"))?.is_none() {
            store.remove(&domain)?;
        }
    }
    Ok(())
}

/// Brings the frontend back with a new backend, both with the nodes and the rights that libxl
/// gives them.
fn attach(store: &mut Store, lost: &Lost, audio: u32) -> Result<()> {
    let (front, back, toolstack) = (lost.front(), lost.back(audio), lost.toolstack());
    let guest = lost.guest.id;
    store.at_once(|store| {
        let nodes = configuration(store, &lost.kept())?;
        if nodes.is_empty() {
            bail!("has no configuration");
        }
        let backend = [
            ("frontend", front.clone()),
            ("frontend-id", guest.to_string()),
            ("online", "1".to_owned()),
            ("state", "1".to_owned()),
        ];
        store.make(&toolstack, 0, None)?;
        store.write(&format!("{toolstack}/backend"), &back)?;
        for (leaf, value) in &backend {
            store.write(&format!("{toolstack}/{leaf}"), value)?;
        }
        store.make(&front, guest, Some(audio))?;
        store.write(&format!("{front}/backend"), &back)?;
        store.write(&format!("{front}/backend-id"), &audio.to_string())?;
        store.write(&format!("{front}/state"), "1")?;
        for (node, value) in &nodes {
            store.write(&format!("{front}/{node}"), value)?;
        }
        store.make(&back, audio, Some(guest))?;
        for (leaf, value) in &backend {
            store.write(&format!("{back}/{leaf}"), value)?;
        }
        store.remove(&lost.kept())
    })
}

/// The configuration below a directory, as nodes relative to it. The directory is the guest's, so
/// nothing is taken but what is known, and no more than so much of it.
fn configuration(store: &mut Store, root: &str) -> Result<Vec<(String, String)>> {
    let mut nodes = Vec::new();
    let mut places = vec![String::new()];
    for device in numbers(store, root)? {
        places.push(format!("{device}/"));
        for stream in numbers(store, &format!("{root}/{device}"))? {
            places.push(format!("{device}/{stream}/"));
        }
    }
    for place in places {
        for leaf in LEAVES {
            let node = format!("{place}{leaf}");
            if let Some(value) = store.read(&format!("{root}/{node}"))? {
                nodes.push((node, value));
            }
        }
    }
    Ok(nodes)
}

fn numbers(store: &mut Store, path: &str) -> Result<Vec<u32>> {
    let names = store.list(path)?;
    let numbers = names.iter().filter_map(|name| index(name));
    Ok(numbers.filter(|&number| number < MOST).collect())
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (guest, device) = (&self.lost.guest.name, self.lost.device);
        match &self.answered {
            Ok(after) => write!(
                out,
                "{guest}: device {device} back after {} ms",
                after.as_millis()
            ),
            Err(why) => write!(out, "{guest}: device {device}: {why}"),
        }
    }
}
