//! Stays, and gives the audio domain its orders whenever a guest or the audio domain comes; and lets
//! the card go for an audio domain that ended.

use crate::domains::{COMING_AND_GOING, directory};
use crate::policy::MEMORY;
use crate::reattach;
use crate::session::Session;
use crate::store::Store;
use anyhow::Result;
use ring_backend::xenbus::State;
use ring_backend::xenstore::index;
use std::io::Write;
use std::thread::sleep;
use std::time::Duration;

/// Where dom0's pciback has the devices that it gave away.
const PCI: &str = "/local/domain/0/backend/pci";
/// How long an audio domain that lives has to answer pciback itself.
const ALIVE: Duration = Duration::from_millis(500);
/// How often and how many times pciback's answer is looked for.
const STEP: Duration = Duration::from_millis(10);
const STEPS: u32 = 100;

/// Goes on until the connection fails. `reattaches` brings back the guests of an audio domain that
/// was restarted, too.
///
/// # Errors
/// The connection to xenstored failed.
pub fn run(session: &mut Session, reattaches: bool, out: &mut dyn Write) -> Result<()> {
    session.store.make(MEMORY, 0, None)?;
    for path in COMING_AND_GOING {
        session.store.watch(path)?;
    }
    session.store.watch(MEMORY)?;
    session.store.watch(PCI)?;
    let mut served = None;
    loop {
        session.store.event()?;
        session.look()?;
        release_card(session)?;
        let audio = session.audio();
        // A domain may go while it is written to: the next event is about that.
        if let Err(error) = session.project() {
            writeln!(out, "audioctl: {error:#}")?;
        }
        if audio != served {
            match &audio {
                Some(audio) => writeln!(out, "{}: serves as domain {}", audio.name, audio.id)?,
                None => writeln!(out, "{}: does not run", session.name)?,
            }
            served = audio;
            if reattaches && served.is_some() {
                bring_back(session, out)?;
            }
        }
    }
}

/// libxl takes the card from an audio domain that ended, and waits ten seconds for it to agree. Its
/// agreement is two states, that of a front-end which lets a device go and then goes on without.
fn release_card(session: &mut Session) -> Result<()> {
    let store = &mut session.store;
    for id in store.list(PCI)?.iter().filter_map(|id| index(id)) {
        let domain = directory(id);
        let ours = store.read(&format!("{domain}/name"))?.as_ref() == Some(&session.name);
        let (back, front) = (
            format!("{PCI}/{id}/0/state"),
            format!("{domain}/device/pci/0/state"),
        );
        let is = |store: &mut Store, node: &str, state: State| -> Result<bool> {
            Ok(store.read(node)?.as_deref() == Some(state.text()))
        };
        if !ours || !is(store, &back, State::Reconfiguring)? {
            continue;
        }
        sleep(ALIVE);
        if !is(store, &back, State::Reconfiguring)? || !is(store, &front, State::Connected)? {
            continue;
        }
        store.write(&front, State::Reconfiguring.text())?;
        for _ in 0..STEPS {
            if is(store, &back, State::Reconfigured)? {
                break;
            }
            sleep(STEP);
        }
        store.write(&front, State::Connected.text())?;
    }
    Ok(())
}

fn bring_back(session: &mut Session, out: &mut dyn Write) -> Result<()> {
    let lost = reattach::lost(session)?;
    match reattach::reattach(session, lost) {
        Err(error) => writeln!(out, "audioctl: {error:#}")?,
        Ok(outcomes) => {
            for outcome in outcomes {
                writeln!(out, "{outcome}")?;
            }
        }
    }
    Ok(())
}
