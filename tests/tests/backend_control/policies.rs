//! What dom0 writes into the audio domain's own directory, and what becomes of it.

use crate::site::{BACKEND, Site};
use ring_backend::policy::Policy;
use tests::fake::guest::Guest;
use tests::fake::store::DOM0;
use tests::fake::toolstack::Vsnd;

/// A site with a connected guest of each number.
fn connected(guests: &[u16], prepare: impl FnOnce(&Site)) -> Site {
    let mut site = Site::new(4, 1);
    prepare(&site);
    let mut fronts: Vec<Guest> = guests
        .iter()
        .map(|&dom| {
            site.toolstack.attach(&Vsnd::card(dom, 0, 1, 0));
            Guest::new(&site.store, &site.toolstack, dom, 0, 1)
        })
        .collect();
    for _ in 0..10 {
        site.run(50);
        for front in &mut fronts {
            front.react();
        }
    }
    assert_eq!(site.linked(), guests.len());
    site
}

fn node(whose: &str, leaf: &str) -> String {
    format!("/local/domain/{BACKEND}/control/policy/{whose}/{leaf}")
}

fn set(site: &Site, whose: &str, leaf: &str, value: &str) {
    let node = node(whose, leaf);
    site.store.write(DOM0, &node, value).expect("dom0 may");
}

fn of(site: &Site, dom: u16) -> Policy {
    site.backend.plane().policies[&dom]
}

#[test]
fn what_dom0_wrote_before_and_while_a_guest_is_connected_counts_for_it_alone() {
    let mut site = connected(&[3, 5], |site| {
        set(site, "3", "volume", "-6000");
        set(site, "3", "mic", "allow");
    });
    let quiet = Policy {
        volume: -6000,
        microphone: true,
        ..Policy::default()
    };
    assert_eq!((of(&site, 3), of(&site, 5)), (quiet, Policy::default()));
    set(&site, "5", "mute", "1");
    set(&site, "3", "mic", "deny");
    site.run(50);
    let revoked = Policy {
        microphone: false,
        ..quiet
    };
    let muted = Policy {
        muted: true,
        ..Policy::default()
    };
    assert_eq!((of(&site, 3), of(&site, 5)), (revoked, muted));
    site.store.rm(DOM0, &node("3", "volume")).expect("dom0 may");
    site.store
        .rm(DOM0, &format!("/local/domain/{BACKEND}/control/policy/5"))
        .expect("dom0 may");
    site.run(50);
    let default = Policy::default();
    assert_eq!((of(&site, 3), of(&site, 5)), (default, default));
}

#[test]
fn the_default_counts_where_a_guest_has_no_node_of_its_own() {
    let mut site = connected(&[3, 5], |site| {
        set(site, "default", "volume", "-20000");
        set(site, "default", "mute", "1");
        set(site, "5", "mute", "0");
    });
    let volume = -20_000;
    let quiet = Policy {
        volume,
        ..Policy::default()
    };
    let muted = Policy {
        muted: true,
        ..quiet
    };
    assert_eq!((of(&site, 3), of(&site, 5)), (muted, quiet));
    site.store
        .rm(DOM0, &format!("/local/domain/{BACKEND}/control/policy"))
        .expect("dom0 may");
    site.run(50);
    let default = Policy::default();
    assert_eq!((of(&site, 3), of(&site, 5)), (default, default));
}

#[test]
fn a_bad_value_keeps_what_counted_and_is_told_with_its_node() {
    let mut site = connected(&[3], |site| set(site, "3", "volume", "-6000"));
    assert_eq!(site.data("policy"), None);
    set(&site, "3", "volume", "loud");
    set(&site, "3", "mic", "");
    site.run(1_000);
    let kept = Policy {
        volume: -6000,
        ..Policy::default()
    };
    assert_eq!(of(&site, 3), kept);
    let told = |node| format!("control/policy/3/{node}: bad value, what was before counts");
    assert_eq!(site.data("policy"), Some(told("volume")));
    set(&site, "3", "volume", "-7000");
    site.run(1_000);
    assert_eq!(of(&site, 3).volume, -7000);
    assert_eq!(site.data("policy"), Some(told("mic")));
    set(&site, "3", "mic", "allow");
    site.run(1_000);
    assert!(of(&site, 3).microphone);
    assert_eq!(site.data("policy"), None);
}

#[test]
fn neither_a_guest_nor_nonsense_can_fill_the_table() {
    let mut site = connected(&[3], |site| {
        for dom in 100..240 {
            set(site, &dom.to_string(), "mute", "1");
        }
        for bad in ["x", "-1", "03", "65536", "default2"] {
            set(site, bad, "mute", "1");
        }
    });
    site.run(1_000);
    let told = site.data("policy").expect("it is told");
    assert!(
        told.ends_with("more than 128 guests, some are left out"),
        "{told}"
    );
    assert_eq!(of(&site, 3), Policy::default());
    let own = node("3", "mic");
    for guest in [3, 5] {
        let refused = site.store.write(guest, &own, "allow");
        assert_eq!(refused, Err("EACCES"), "a guest may write no policy");
    }
    for dom in 100..240 {
        let path = format!("/local/domain/{BACKEND}/control/policy/{dom}");
        site.store.rm(DOM0, &path).expect("dom0 may");
    }
    set(&site, "3", "mic", "allow");
    site.run(1_000);
    assert!(of(&site, 3).microphone);
}

#[test]
fn a_store_that_is_busy_is_asked_again() {
    let mut site = connected(&[3], |_| {});
    site.store.refuse(Some((2, "EAGAIN")));
    set(&site, "3", "mute", "1");
    site.run(500);
    assert!(!of(&site, 3).muted);
    site.store.refuse(None);
    site.run(1_500);
    assert!(of(&site, 3).muted);
}
