//! What the project builds for the machine.

use super::place;
use anyhow::{Context, Result, ensure};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Builds the audio domain's image; the ELF file's path.
///
/// # Errors
/// It does not build.
pub fn image() -> Result<PathBuf> {
    build("kernel")?;
    Ok(place::checkout().join("target/kernel/x86_64-unknown-linux-gnu/kernel/audiodom"))
}

/// Builds dom0's command; the program's path.
///
/// # Errors
/// It does not build.
pub fn audioctl() -> Result<PathBuf> {
    build("audioctl")?;
    Ok(place::checkout().join("target/x86_64-unknown-linux-gnu/audioctl/audioctl"))
}

/// Builds a guest of a few pages that plays; the ELF file's path.
///
/// # Errors
/// It does not build.
pub fn stand_in() -> Result<PathBuf> {
    build("stand-in")?;
    Ok(place::checkout().join("target/stand-in/x86_64-unknown-linux-gnu/kernel/audiodom"))
}

/// Builds the program that notes in a guest how far the card is; its path.
///
/// # Errors
/// It does not build.
pub fn card_watch() -> Result<PathBuf> {
    build("card-watch")?;
    Ok(place::checkout().join("target/x86_64-unknown-linux-gnu/audioctl/card-watch"))
}

/// Builds with one of the aliases in `.cargo/config.toml`.
fn build(alias: &str) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args([alias, "-q"])
        .current_dir(place::checkout())
        .stdin(Stdio::null());
    let output = command.output().context("starting cargo")?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cargo {alias} failed:\n{told}");
    Ok(())
}
