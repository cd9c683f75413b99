//! `extra=` of the domain's configuration: words separated by spaces.
//!
//! | word | meaning |
//! |---|---|
//! | `card=none` | leave the card alone, even if one is passed through |
//! | `ring=N` | pages of the card's DMA ring, 2 to 32; 8 unless said |
//! | `verbs=immediate` | talk to the codec by immediate commands, not by CORB and RIRB |
//! | `pin=`, `path=`, `coef=`, `gpio=` | what the codec does not say; see `drivers::hda::overrides` |
//! | `devices=N` | sound devices of all guests that may connect, 1 to 120; 40 unless said |
//! | `dither=tpdf` | add noise before rounding to the card's last place, two places wide |
//! | `limiter=soft` | bend sums that near full scale rather than cut what is above it |
//!
//! A word that is not one of these is an error, not a remark: the domain then says so and leaves
//! the card alone, rather than doing something else than it was asked to.

use core::fmt;
use core::ops::RangeInclusive;
use drivers::hda::card;
use drivers::hda::controller::Transport;
use drivers::hda::stream::RING_PAGES;
use ring_backend::control::{DEVICES, DEVICES_MOST};

/// What the administrator asks for.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How to bring the card up; `None` to leave it alone.
    pub card: Option<card::Options>,
    /// Size of the device table.
    pub devices: usize,
    /// Whether to dither.
    pub dither: bool,
    /// Whether to bend loud sums.
    pub limiter: bool,
}

/// A word that is no option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadOption<'a>(pub &'a str);

impl fmt::Display for BadOption<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bad option `{}`", self.0)
    }
}

impl Options {
    /// Reads the command line.
    ///
    /// # Errors
    /// The first word that is no option.
    pub fn parse(line: &str) -> Result<Self, BadOption<'_>> {
        let mut hda = card::Options::default();
        let mut wanted = true;
        let mut devices = DEVICES;
        let (mut dither, mut limiter) = (false, false);
        for word in line.split_ascii_whitespace() {
            let bad = BadOption(word);
            let (key, value) = word.split_once('=').ok_or(bad)?;
            match (key, value) {
                ("card", "none") => wanted = false,
                ("dither", "tpdf") => dither = true,
                ("limiter", "soft") => limiter = true,
                ("verbs", "immediate") => hda.transport = Transport::Immediate,
                ("ring", _) => {
                    let pages = number(value, 2..=RING_PAGES).ok_or(bad)?;
                    hda.ring_pages = u8::try_from(pages).map_err(|_| bad)?;
                }
                ("pin" | "path" | "coef" | "gpio", _) => {
                    hda.overrides.read(word).map_err(BadOption)?;
                }
                ("devices", _) => devices = number(value, 1..=DEVICES_MOST).ok_or(bad)?,
                _ => return Err(bad),
            }
        }
        Ok(Self {
            card: wanted.then_some(hda),
            devices,
            dither,
            limiter,
        })
    }

    /// What is left to do after a bad option.
    pub fn without_card() -> Self {
        Self {
            card: None,
            devices: DEVICES,
            dither: false,
            limiter: false,
        }
    }
}

/// A decimal number within bounds.
fn number(text: &str, bounds: RangeInclusive<usize>) -> Option<usize> {
    let digits = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    let number = text.parse().ok().filter(|_| digits)?;
    bounds.contains(&number).then_some(number)
}
