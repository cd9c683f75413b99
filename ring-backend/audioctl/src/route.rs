//! Where a guest is heard, which outputs sound at all, and which input is recorded from.

use crate::domains::directory;
use crate::policy::{CAPTURE, MASTER};
use crate::session::Session;
use crate::status::Stream;
use anyhow::{Result, bail, ensure};
use ring_backend::route::Terminal;

/// The node of a policy, and the words beside terminals' names that it takes.
struct Node {
    leaf: &'static str,
    output: bool,
    words: &'static [&'static str],
}

/// The node that a route is kept in, once it is known to be one that the card has.
///
/// # Errors
/// No output or input is called so, or the running audio domain's card has none.
pub fn node(session: &mut Session, whose: &str, to: &str) -> Result<&'static str> {
    let node = match whose {
        MASTER => Node {
            leaf: "output",
            output: true,
            words: &["auto", "all"],
        },
        CAPTURE => Node {
            leaf: "input",
            output: false,
            words: &["auto"],
        },
        _ => Node {
            leaf: "output",
            output: true,
            words: &["all"],
        },
    };
    if node.words.contains(&to) {
        return Ok(node.leaf);
    }
    let known = Terminal::from_name(to.as_bytes());
    if known.is_none_or(|known| known.is_output() != node.output) {
        let names = Terminal::ALL.into_iter();
        let names = names.filter(|one| one.is_output() == node.output);
        let words: Vec<&str> = names
            .map(Terminal::name)
            .chain(node.words.iter().copied())
            .collect();
        let kind = if node.output { "output" } else { "input" };
        bail!(
            "{whose}: {to:?} is no {kind}; write one of {}",
            words.join(" ")
        );
    }
    if let Some(audio) = session.audio() {
        let node = format!("{}/data/routes", directory(audio.id));
        let line = session.store.read(&node)?.map(|line| Stream::parse(&line));
        if let Some(present) = line.as_ref().and_then(|line| line.word("present")) {
            let there = present.split(',').any(|name| name == to);
            ensure!(there, "{whose}: the card has no {to}; it has {present}");
        }
    }
    Ok(node.leaf)
}
