//! Stays, and gives the audio domain its orders whenever a guest or the audio domain comes.

use crate::domains::COMING_AND_GOING;
use crate::policy::MEMORY;
use crate::reattach;
use crate::session::Session;
use anyhow::Result;
use std::io::Write;

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
    let mut served = None;
    loop {
        session.store.event()?;
        session.look()?;
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
