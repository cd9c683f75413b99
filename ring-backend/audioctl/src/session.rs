//! One run of a command: the connection, the audio domain, and who else runs.

use crate::domains::{self, Domain};
use crate::policy::{self, CAPTURE, DEFAULT, MASTER};
use crate::store::Store;
use anyhow::{Result, anyhow, bail};

/// What every command begins with.
pub struct Session {
    /// The way to xenstored.
    pub store: Store,
    /// The audio domain's name.
    pub name: String,
    /// Everything that runs, as of the last look.
    pub running: Vec<Domain>,
}

impl Session {
    /// Looks who runs.
    ///
    /// # Errors
    /// xenstored refused.
    pub fn new(mut store: Store, name: &str) -> Result<Self> {
        Ok(Self {
            running: domains::all(&mut store)?,
            store,
            name: name.to_owned(),
        })
    }

    /// Looks again.
    ///
    /// # Errors
    /// xenstored refused.
    pub fn look(&mut self) -> Result<()> {
        self.running = domains::all(&mut self.store)?;
        Ok(())
    }

    /// The running audio domain, if it runs. After a restart there may still be what is left of
    /// the old one; the new one has the higher number.
    #[must_use]
    pub fn audio(&self) -> Option<Domain> {
        let called = self
            .running
            .iter()
            .filter(|domain| domain.name == self.name);
        called.max_by_key(|domain| domain.id).cloned()
    }

    /// The running audio domain.
    ///
    /// # Errors
    /// It does not run.
    pub fn audio_running(&self) -> Result<Domain> {
        let audio = self.audio();
        audio.ok_or_else(|| anyhow!("{}: no domain of this name runs", self.name))
    }

    /// A running guest by name, or by number.
    #[must_use]
    pub fn guest(&self, name: &str) -> Option<&Domain> {
        let by_name = self.running.iter().find(|domain| domain.name == name);
        by_name.or_else(|| {
            self.running
                .iter()
                .find(|domain| domain.id.to_string() == name)
        })
    }

    /// The name that a guest's policy is kept by.
    ///
    /// # Errors
    /// It is the audio domain, or cannot be any domain's name.
    pub fn policy_name(&self, guest: &str) -> Result<String> {
        if [DEFAULT, MASTER, CAPTURE].contains(&guest) {
            return Ok(guest.to_owned());
        }
        let name = self.guest(guest).map_or(guest, |guest| &guest.name);
        if name == self.name {
            bail!("{guest}: is the audio domain itself");
        }
        if name.is_empty() || name.len() > 64 {
            bail!("{guest:?}: is no domain's name");
        }
        Ok(name.to_owned())
    }

    /// Gives the audio domain, if it runs, everything that is remembered.
    ///
    /// # Errors
    /// xenstored refused.
    pub fn project(&mut self) -> Result<()> {
        match self.audio() {
            Some(audio) => policy::project(&mut self.store, &audio, &self.running),
            None => Ok(()),
        }
    }
}
