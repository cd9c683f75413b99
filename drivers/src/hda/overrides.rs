//! What a person says about a codec, against what it says itself.
//!
//! | word | meaning |
//! |---|---|
//! | `pin=14:90170110` | the pin's configuration default is this, whatever firmware wrote |
//! | `path=02:0c:14` | play at the last node, a pin, from the first, a converter, by this way |
//! | `coef=20:07:0020/0020` | of this node's coefficient, give the bits after `/` this value |
//! | `coef=20:07:3050` | the same for all bits |
//! | `gpio=03:01` | make these general purpose pins outputs, and those of them high |
//!
//! All numbers are hexadecimal, with or without `0x`, as in codec dumps.

use core::fmt;

use super::chips::{Coef, Gpio};
use super::configuration::Configuration;
use super::graph::Graph;
use super::path::HOPS;
use super::verb::Nid;

/// Most words.
pub const OVERRIDES: usize = 12;

/// One word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Override {
    /// A pin's configuration default.
    Pin(Nid, u32),
    /// From a converter to a pin; the rest of the nodes are 0.
    Path([Nid; HOPS]),
    /// Some bits of a coefficient.
    Coef(Coef),
    /// General purpose pins.
    Gpio(Gpio),
}

/// A hexadecimal number with at most this many digits.
fn hex(text: &str, digits: usize) -> Option<u32> {
    let text = text.strip_prefix("0x").unwrap_or(text);
    let plain = text.bytes().all(|octet| octet.is_ascii_hexdigit());
    if !plain || text.len() > digits {
        return None;
    }
    u32::from_str_radix(text, 16).ok()
}

fn octet(text: &str) -> Option<u8> {
    u8::try_from(hex(text, 2)?).ok()
}

fn node(text: &str) -> Option<Nid> {
    octet(text).filter(|&node| node != 0).map(Nid)
}

fn word(text: &str) -> Option<u16> {
    u16::try_from(hex(text, 4)?).ok()
}

impl Override {
    /// Reads a word `key=value`.
    #[must_use]
    pub fn parse(key: &str, value: &str) -> Option<Self> {
        let (first, rest) = value.split_once(':')?;
        Some(match key {
            "pin" => Self::Pin(node(first)?, hex(rest, 8)?),
            "path" => {
                let mut nodes = [Nid(0); HOPS];
                let mut room = nodes.iter_mut();
                for text in value.split(':') {
                    *room.next()? = node(text)?;
                }
                Self::Path(nodes)
            }
            "coef" => {
                let (index, value) = rest.split_once(':')?;
                let (to, change) = match value.split_once('/') {
                    Some((to, change)) => (word(to)?, word(change)?),
                    None => (word(value)?, u16::MAX),
                };
                Self::Coef(Coef {
                    node: node(first)?,
                    index: octet(index)?,
                    change,
                    to,
                })
            }
            "gpio" => Self::Gpio(Gpio {
                mask: octet(first)?,
                data: octet(rest)?,
            }),
            _ => return None,
        })
    }
}

impl fmt::Display for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pin(node, _) => write!(f, "pin={:02x}", node.0),
            Self::Path(nodes) => {
                f.write_str("path=")?;
                for (at, node) in nodes.iter().take_while(|node| node.0 != 0).enumerate() {
                    write!(f, "{}{:02x}", if at == 0 { "" } else { ":" }, node.0)?;
                }
                Ok(())
            }
            Self::Coef(coef) => write!(f, "coef={:02x}:{:02x}", coef.node.0, coef.index),
            Self::Gpio(gpio) => write!(f, "gpio={:02x}:{:02x}", gpio.mask, gpio.data),
        }
    }
}

/// All that a person said, in order.
#[derive(Clone, Copy, Debug, Default)]
pub struct Overrides([Option<Override>; OVERRIDES]);

impl Overrides {
    /// Reads words separated by spaces.
    ///
    /// # Errors
    /// The first that is none, or that there is no room for.
    pub fn read<'a>(&mut self, words: &'a str) -> Result<(), &'a str> {
        for word in words.split_ascii_whitespace() {
            let one = word.split_once('=');
            let one = one.and_then(|(key, value)| Override::parse(key, value));
            if !one.is_some_and(|one| self.add(one)) {
                return Err(word);
            }
        }
        Ok(())
    }

    /// Adds one; `false` if there are too many.
    #[must_use]
    pub fn add(&mut self, one: Override) -> bool {
        let free = self.0.iter_mut().find(|slot| slot.is_none());
        free.map(|slot| *slot = Some(one)).is_some()
    }

    /// In the order in which they were said.
    pub fn iter(&self) -> impl Iterator<Item = &Override> {
        self.0.iter().flatten()
    }

    /// Changes pins of a graph.
    ///
    /// # Errors
    /// The first word whose node is no pin.
    pub(super) fn change_pins(&self, graph: &mut Graph) -> Result<(), Override> {
        for &one in self.iter() {
            if let Override::Pin(node, config) = one
                && !graph.set_pin_config(node, config)
            {
                return Err(one);
            }
        }
        Ok(())
    }

    /// Changes paths of a configuration.
    ///
    /// # Errors
    /// The first word that does not lead from a converter to a pin, or names a coefficient where
    /// there is none.
    pub(super) fn change_paths(
        &self,
        graph: &Graph,
        configuration: &mut Configuration,
    ) -> Result<(), Override> {
        for &one in self.iter() {
            let fits = match one {
                Override::Path(nodes) => configuration.play_by(graph, &nodes),
                Override::Coef(coef) => coef.applies(graph),
                Override::Pin(..) | Override::Gpio(_) => true,
            };
            if !fits {
                return Err(one);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn words_are_read_with_and_without_0x() {
        let pin = Override::parse("pin", "0x14:0x90170110");
        assert_eq!(pin, Some(Override::Pin(Nid(0x14), 0x9017_0110)));
        assert_eq!(Override::parse("pin", "14:90170110"), pin);
        let gpio = Override::parse("gpio", "3:1").unwrap();
        assert_eq!(gpio.to_string(), "gpio=03:01");
        let path = Override::parse("path", "02:0c:14").unwrap();
        assert_eq!(path.to_string(), "path=02:0c:14");
        let coef = |change, to| {
            Some(Override::Coef(Coef {
                node: Nid(0x20),
                index: 7,
                change,
                to,
            }))
        };
        assert_eq!(Override::parse("coef", "20:07:20/30"), coef(0x30, 0x20));
        assert_eq!(Override::parse("coef", "20:7:3050"), coef(0xFFFF, 0x3050));
    }

    #[test]
    fn bad_words_are_refused() {
        for (key, value) in [
            ("pin", "14"),
            ("pin", "0:90170110"),
            ("pin", "14:190170110"),
            ("pin", "1g:90170110"),
            ("pin", "+4:90170110"),
            ("path", "02::14"),
            ("path", "2:3:4:5:6:7:8:9:a:b:c"),
            ("coef", "20:07"),
            ("coef", "20:07:10000"),
            ("gpio", "3"),
            ("gpio", "100:1"),
            ("pins", "14:90170110"),
        ] {
            assert_eq!(Override::parse(key, value), None, "{key}={value}");
        }
    }

    #[test]
    fn there_is_an_end_to_words() {
        let mut all = Overrides::default();
        let one = Override::parse("gpio", "1:1").unwrap();
        for _ in 0..OVERRIDES {
            assert!(all.add(one));
        }
        assert!(!all.add(one));
        assert_eq!(all.iter().count(), OVERRIDES);
    }
}
