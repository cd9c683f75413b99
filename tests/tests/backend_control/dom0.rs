//! dom0's command against the backend: one store, the real backend, frontends as Linux has them.

use crate::site::{BACKEND, Site};
use audioctl::cli::{Cli, run};
use audioctl::store::Store as Way;
use clap::Parser;
use ring_backend::policy::Policy;
use ring_backend::route::{Routes, Terminal, Terminals};
use std::io::{self, Read, Write};
use tests::fake::store::{DOM0, Store, Wire};
use tests::fake::toolstack::Vsnd;

/// dom0's connection to the store. Whenever it asks, the others get a moment, too.
struct Asking<F> {
    wire: Wire,
    others: F,
}

impl<F: FnMut()> Write for Asking<F> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        embedded_io::Write::write(&mut self.wire, octets).map_err(|_| io::ErrorKind::Other.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        embedded_io::Write::flush(&mut self.wire).map_err(|_| io::Error::other("flush"))?;
        (self.others)();
        Ok(())
    }
}

impl<F> Read for Asking<F> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        embedded_io::Read::read(&mut self.wire, into).map_err(|_| io::ErrorKind::Other.into())
    }
}

/// Gives a domain a name.
pub fn name(store: &Store, dom: u16, name: &str) {
    let path = format!("/local/domain/{dom}/name");
    store.write(DOM0, &path, name).expect("dom0 may");
}

/// A store with an audio domain of this number in it.
fn site(dom: u16) -> Site {
    let site = Site::new(4, 1);
    assert_eq!(dom, BACKEND);
    name(&site.store, dom, "audiodom");
    site
}

/// Runs the command; what it printed, or why it failed.
pub fn audioctl(
    store: &Store,
    words: &str,
    others: impl FnMut() + 'static,
) -> Result<String, String> {
    let words = ["audioctl"].into_iter().chain(words.split(' '));
    let cli = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
    let wire = store.connect(DOM0, 3);
    let mut out = Vec::new();
    let way = Way::new(Asking { wire, others });
    let done = run(&cli, || Ok(way), &mut out);
    let out = String::from_utf8(out).expect("text");
    done.map(|()| out).map_err(|error| format!("{error:#}"))
}

pub fn alone(store: &Store, words: &str) -> Result<String, String> {
    audioctl(store, words, || {})
}

fn node(store: &Store, whose: &str, leaf: &str) -> Option<String> {
    store.read(&format!(
        "/local/domain/{BACKEND}/control/policy/{whose}/{leaf}"
    ))
}

#[test]
fn what_is_said_of_a_guest_counts_at_once_and_after_everybodys_restart() {
    let mut site = site(BACKEND);
    name(&site.store, 3, "work.vm");
    let _guest = site.connect(&Vsnd::card(3, 0, 1, 1));
    let said = alone(&site.store, "volume work.vm -6dB").expect("it is set");
    assert_eq!(
        said,
        "work.vm: volume -6.0dB, not muted, microphone denied\n"
    );
    alone(&site.store, "mute 3").expect("a number is a name, too");
    alone(&site.store, "mic work.vm allow").expect("it is set");
    site.run(50);
    let wanted = Policy {
        volume: -6000,
        muted: true,
        microphone: true,
        output: None,
    };
    assert_eq!(site.backend.plane().policies[&3], wanted);
    // Muted and not any more: the volume is what it was.
    alone(&site.store, "unmute work.vm").expect("it is set");
    site.run(50);
    let unmuted = Policy {
        muted: false,
        ..wanted
    };
    assert_eq!(site.backend.plane().policies[&3], unmuted);
    // The guest is restarted: another number, and nothing left of the old one's.
    site.store.rm(DOM0, "/local/domain/3").expect("dom0 may");
    name(&site.store, 5, "work.vm");
    alone(&site.store, "status").expect("any command will do");
    assert_eq!(node(&site.store, "3", "volume"), None);
    assert_eq!(node(&site.store, "5", "volume").as_deref(), Some("-6000"));
    assert_eq!(node(&site.store, "5", "mic").as_deref(), Some("allow"));
    // And what is remembered is dom0's alone.
    let root = site.store.permissions("/local/audiodom");
    assert_eq!(root, Some((DOM0, vec![])));
    let kept = "/local/audiodom/policy/work_2evm/mic";
    assert_eq!(site.store.permissions(kept), Some((DOM0, vec![])));
    let all = alone(&site.store, "forget work.vm").expect("it is forgotten");
    assert_eq!(
        all,
        "work.vm: volume +0.0dB, not muted, microphone denied\n"
    );
    assert_eq!(node(&site.store, "5", "mic"), None);
}

#[test]
fn what_is_said_of_all_stands_in_and_of_who_is_not_there_waits() {
    let site = site(BACKEND);
    name(&site.store, 3, "a");
    name(&site.store, 4, "b");
    alone(&site.store, "volume @default 50%").expect("it is set");
    let said = alone(&site.store, "mute b").expect("it is set");
    assert_eq!(said, "b: volume -6.0dB, muted, microphone denied\n");
    assert_eq!(
        node(&site.store, "default", "volume").as_deref(),
        Some("-6021")
    );
    assert_eq!(node(&site.store, "4", "volume"), None, "the default counts");
    assert_eq!(node(&site.store, "3", "mute"), None);
    let said = alone(&site.store, "mic c allow").expect("it is remembered");
    assert!(
        said.ends_with("microphone allowed (once it runs)\n"),
        "{said}"
    );
    assert_eq!(node(&site.store, "5", "mic"), None);
    name(&site.store, 5, "c");
    // The agent is told of it; then the test's wire ends, where a real one would wait.
    let ended = alone(&site.store, "agent").expect_err("nothing more comes");
    assert!(ended.starts_with("xenstore: "), "{ended}");
    assert_eq!(node(&site.store, "5", "mic").as_deref(), Some("allow"));
}

#[test]
fn what_is_said_of_the_card_lies_apart_from_the_guests() {
    let site = site(BACKEND);
    let master = |leaf: &str| {
        let node = format!("/local/domain/{BACKEND}/control/master/{leaf}");
        site.store.read(&node)
    };
    // Somebody's own word stays while nothing is said here.
    site.store
        .write(DOM0, &site.toolstack.home("control/master/mute"), "1")
        .expect("dom0 may");
    alone(&site.store, "volume @default -3dB").expect("it is set");
    assert_eq!(master("mute").as_deref(), Some("1"));
    let said = alone(&site.store, "volume @master -9dB").expect("it is set");
    assert_eq!(said, "@master: volume -9.0dB, not muted\n");
    assert_eq!(master("volume").as_deref(), Some("-9000"));
    let said = alone(&site.store, "mute @master").expect("it is set");
    assert_eq!(said, "@master: volume -9.0dB, muted\n");
    assert_eq!(master("mute").as_deref(), Some("1"));
    for (words, why) in [
        ("volume @master +1dB", "louder than 0dB"),
        ("mic @master allow", "to guests, not to the card"),
    ] {
        let error = alone(&site.store, words).expect_err(words);
        assert!(error.contains(why), "{error}");
    }
    alone(&site.store, "forget @master").expect("it is forgotten");
    assert_eq!(master("volume").or(master("mute")), None);
}

#[test]
fn a_guest_and_the_card_are_routed_to_what_the_card_has() {
    let mut site = site(BACKEND);
    name(&site.store, 3, "work");
    let present = Terminals::default()
        .with(Terminal::Speaker)
        .with(Terminal::Headphone)
        .with(Terminal::LineIn);
    let live = Terminals::default().with(Terminal::Speaker);
    site.backend.describe_routes(&Routes { present, live });
    let _guest = site.connect(&Vsnd::card(3, 0, 1, 1));
    site.run(1_000);
    let said = alone(&site.store, "route work headphone").expect("it is set");
    assert_eq!(
        said,
        "work: volume +0.0dB, not muted, on headphone alone, microphone denied\n"
    );
    site.run(50);
    let output = site.backend.plane().policies[&3].output;
    assert_eq!(output, Some(Terminal::Headphone));
    let control = |leaf: &str| {
        site.store
            .read(&site.toolstack.home(&format!("control/{leaf}")))
    };
    let said = alone(&site.store, "route @master speaker").expect("it is set");
    assert_eq!(
        said,
        "@master: volume +0.0dB, not muted, on speaker alone\n"
    );
    let said = alone(&site.store, "route @capture line-in").expect("it is set");
    assert_eq!(said, "@capture: records from line-in\n");
    assert_eq!(control("master/output").as_deref(), Some("speaker"));
    assert_eq!(control("capture/input").as_deref(), Some("line-in"));
    let text = alone(&site.store, "status").expect("a status");
    assert!(
        text.contains("routes: speaker headphone line-in; now: speaker\n"),
        "{text}"
    );
    for (words, why) in [
        (
            "route work digital",
            "work: the card has no digital; it has speaker,headphone,line-in",
        ),
        (
            "route work mic",
            "work: \"mic\" is no output; write one of speaker headphone line-out digital all",
        ),
        (
            "route @master mic",
            "@master: \"mic\" is no output; write one of speaker headphone line-out digital auto all",
        ),
        (
            "route @capture rear-mic",
            "@capture: the card has no rear-mic; it has speaker,headphone,line-in",
        ),
        ("volume @capture 0dB", "@capture: has a route alone"),
    ] {
        assert_eq!(alone(&site.store, words), Err(why.to_owned()), "{words}");
    }
    for words in ["route work all", "route @master auto", "forget @capture"] {
        alone(&site.store, words).expect(words);
    }
    assert_eq!(control("master/output").as_deref(), Some("auto"));
    assert_eq!(control("capture/input"), None);
    site.run(50);
    assert_eq!(site.backend.plane().policies[&3].output, None);
}

#[test]
fn an_error_names_the_guest_and_the_reason() {
    let site = site(BACKEND);
    let store = &site.store;
    for (words, wanted) in [
        (
            "volume work loud",
            "work: \"loud\" is no volume; write -6dB or 50%",
        ),
        (
            "volume work +9dB",
            "work: \"+9dB\" is too loud: at most +6.02dB or 200%",
        ),
        ("mute audiodom", "audiodom: is the audio domain itself"),
        ("reattach work", "work: does not run"),
        (
            "--audio-domain sound reattach",
            "sound: no domain of this name runs",
        ),
    ] {
        assert_eq!(alone(store, words), Err(wanted.to_owned()), "{words}");
    }
    name(store, 3, "work");
    let busy = "work: has no device whose audio domain is gone";
    assert_eq!(alone(store, "reattach work"), Err(busy.to_owned()));
    store.refuse(Some((11, "EQUOTA")));
    let refused = alone(store, "mute work").expect_err("refused");
    assert!(
        refused.starts_with("work: ") && refused.ends_with("xenstore quota reached"),
        "{refused}"
    );
}

#[test]
fn status_tells_who_does_what_for_people_and_for_scripts() {
    let mut site = site(BACKEND);
    name(&site.store, 3, "work");
    site.backend.plane_mut().playing = true;
    site.backend.describe_card("a card", 48_000);
    let _guest = site.connect(&Vsnd::card(3, 0, 1, 1));
    alone(&site.store, "volume work -6dB").expect("it is set");
    site.run(1_000);
    let text = alone(&site.store, "status").expect("a status");
    let words = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let plays = text
        .lines()
        .find(|line| line.contains("plays"))
        .expect("it plays");
    assert_eq!(
        words(plays),
        words("work 0 -6.0dB - - plays - 10.0ms 0 13 -"),
        "{text}"
    );
    assert!(text.contains("card: a card"), "{text}");
    let json = alone(&site.store, "--json status").expect("a status");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let guest = &json["guests"][0];
    assert_eq!(guest["guest"], "work");
    assert_eq!(guest["policy"]["volume_db"], -6.0);
    assert_eq!(guest["devices"][0]["streams"][0]["doing"], "plays");
    assert_eq!(guest["devices"][0]["streams"][0]["latency_us"], 10_000);
    assert_eq!(guest["devices"][0]["streams"][0]["late"], 13);
    assert_eq!(json["audio_domain"]["domid"], BACKEND);
    let shown = alone(&site.store, "top --rounds 1").expect("it shows");
    assert!(
        shown.starts_with("\x1b[H") && shown.contains("[........................] -"),
        "{shown}"
    );
}

#[test]
fn shells_and_people_are_helped() {
    let store = Store::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = alone(&store, &format!("completions {shell}")).expect("a script");
        assert!(script.contains("reattach"), "{shell}");
    }
    let page = alone(&store, "man").expect("a page");
    assert!(
        page.contains(".SH NAME")
            && page.contains("\\fBvolume\\fR GUEST VOLUME")
            && page.contains("LATE the frames"),
        "{page}"
    );
}
