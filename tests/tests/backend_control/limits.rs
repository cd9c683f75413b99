//! The table, the quotas, and a xenstored that does not do as it is asked.

use crate::site::{BACKEND, Site};
use tests::fake::guest::Guest;
use tests::fake::store::{DOM0, NODES};
use tests::fake::toolstack::Vsnd;

/// The store's numbers of requests (`xen/include/public/io/xs_wire.h`).
const READ: u32 = 2;
const WATCH: u32 = 4;
const WRITE: u32 = 11;
const RM: u32 = 13;

#[test]
fn a_device_without_a_slot_is_told_so_and_served_when_one_is_free() {
    let mut site = Site::new(2, 1);
    for guest in 3..6 {
        site.toolstack.attach(&Vsnd::card(guest, 0, 1, 0));
        site.run(10);
    }
    let told = site.back(5, 0, "error").expect("is told");
    assert_eq!(
        told,
        "the audio domain serves as many devices as it can already"
    );
    assert_eq!(site.back(5, 0, "state").as_deref(), Some("1"));
    site.run(1_000);
    let requests = site.store.requests();
    site.run(60_000);
    assert_eq!(site.store.requests(), requests, "telling it once is enough");
    site.toolstack.destroy(3, 0);
    site.run(1_500);
    assert_eq!(site.back(5, 0, "state").as_deref(), Some("2"));
    assert_eq!(site.back(5, 0, "error"), None);
}

#[test]
fn a_directory_without_nodes_does_not_keep_a_full_table_busy() {
    let mut site = Site::new(1, 7);
    site.toolstack.attach(&Vsnd::card(3, 0, 1, 0));
    site.toolstack.attach(&Vsnd::card(4, 0, 1, 0));
    for leaf in ["frontend", "frontend-id", "online", "state"] {
        let node = site.toolstack.back(3, 0, leaf);
        site.store.rm(DOM0, &node).expect("dom0");
    }
    let requests = site.store.requests();
    site.run(10_000);
    let requests = site.store.requests() - requests;
    assert!(requests < 250, "{requests} requests in ten seconds");
}

#[test]
fn forty_guests_fit_into_every_quota() {
    let mut site = Site::new(40, 2);
    let mut guests: Vec<_> = (100..140)
        .map(|guest| {
            site.toolstack.attach(&Vsnd::card(guest, 0, 2, 2));
            Guest::new(&site.store, &site.toolstack, guest, 0, 4)
        })
        .collect();
    let begun = site.now;
    let mut all: Vec<&mut Guest> = guests.iter_mut().collect();
    site.settle(&mut all);
    let took = (site.now.0 - begun.0) / 1_000_000;
    assert!(took < 200, "{took} ms");
    site.run(2_000);
    assert_eq!(site.linked(), 40);
    assert_eq!(site.store.watches(BACKEND), 42);
    let owned = site.store.owned(BACKEND);
    assert!(owned < NODES * 7 / 10, "{owned} nodes");
    for guest in 100..140 {
        site.toolstack.destroy(guest, 0);
    }
    site.run(2_000);
    site.assert_empty();
}

#[test]
fn a_device_costs_few_requests_from_its_creation_to_connected() {
    let mut site = Site::new(4, 8);
    site.run(1_000);
    for (guest, streams, most) in [(3, 2, 60), (4, 4, 80), (5, 16, 170)] {
        let requests = site.store.requests();
        site.connect(&Vsnd::card(guest, 0, streams / 2, streams - streams / 2));
        let requests = site.store.requests() - requests;
        assert!(
            requests <= most,
            "{requests} requests for {streams} streams"
        );
    }
}

#[test]
fn a_silent_store_stops_nothing_that_plays_and_is_gone_on_with_when_it_speaks() {
    let mut site = Site::new(4, 3);
    site.connect(&Vsnd::card(3, 0, 1, 0));
    site.backend.plane_mut().playing = true;
    site.store.set_busy(true);
    let polls = site.polls;
    site.toolstack.attach(&Vsnd::card(4, 0, 1, 0));
    site.run(30_000);
    assert_eq!(site.linked(), 1);
    // The data plane wants to be called every 5 ms, and nothing else does.
    assert!(site.polls - polls < 6_010, "{} calls", site.polls - polls);
    site.backend.plane_mut().playing = false;
    site.store.set_busy(false);
    site.poll();
    assert_eq!(site.back(4, 0, "state").as_deref(), Some("2"));
}

#[test]
fn refusals_of_every_kind_are_survived_at_a_walking_pace() {
    for kind in [1, READ, WATCH, 5, WRITE, RM] {
        for error in [
            "EAGAIN", "EQUOTA", "EIO", "EACCES", "ENOENT", "EINVAL", "garbage",
        ] {
            let mut site = Site::new(4, 4);
            let mut first = site.connect(&Vsnd::card(3, 0, 1, 0));
            site.store.refuse(Some((kind, error)));
            site.toolstack.attach(&Vsnd::card(4, 0, 1, 0));
            first.set_state(1);
            let requests = site.store.requests();
            site.run(10_000);
            let requests = site.store.requests() - requests;
            assert!(
                requests < 400,
                "{kind} {error}: {requests} requests in 10 s"
            );
            site.store.refuse(None);
            let mut second = Guest::new(&site.store, &site.toolstack, 4, 0, 1);
            // Events were lost on the way, so everybody moves once more.
            for _ in 0..300 {
                site.run(50);
                for guest in [&mut first, &mut second] {
                    if !guest.react() && guest.state() != 4 {
                        guest.set_state(guest.state());
                    }
                }
                if site.back(4, 0, "state").as_deref() == Some("1") {
                    let online = site.toolstack.back(4, 0, "online");
                    site.store.write(DOM0, &online, "1").expect("dom0");
                }
            }
            let states = [&first, &second].map(|guest| (guest.backend_state(), guest.state()));
            assert_eq!(states, [(4, 4); 2], "{kind} {error}\n{}", site.store.dump());
            for guest in [3, 4] {
                site.toolstack.destroy(guest, 0);
            }
            site.run(2_000);
            if kind != 5 {
                site.assert_empty();
            }
        }
    }
}

#[test]
fn a_refused_removal_is_repeated() {
    let mut site = Site::new(4, 5);
    site.connect(&Vsnd::card(3, 0, 1, 0));
    site.store.refuse(Some((RM, "EAGAIN")));
    site.toolstack.destroy(3, 0);
    site.run(3_000);
    assert!(site.store.exists(&site.toolstack.back(3, 0, "")));
    site.store.refuse(None);
    site.run(10_000);
    assert!(!site.store.exists(&site.toolstack.back(3, 0, "")));
    site.assert_empty();
}

#[test]
fn a_backend_directory_that_names_no_frontend_is_left_alone() {
    for (leaf, value) in [
        ("frontend", ""),
        ("frontend", "relative/path"),
        ("frontend-id", "4"),
        ("frontend-id", "three"),
    ] {
        let mut site = Site::new(4, 6);
        site.toolstack.attach(&Vsnd::card(3, 0, 1, 0));
        let node = site.toolstack.back(3, 0, leaf);
        site.store.write(DOM0, &node, value).expect("dom0");
        site.run(1_000);
        let told = site.back(3, 0, "error").expect("is told");
        assert!(told.starts_with(&format!("{leaf}: ")), "{told}");
        assert_eq!(site.back(3, 0, "state").as_deref(), Some("1"));
        site.toolstack.clean(3, 0);
        site.run(1_000);
        site.assert_empty();
    }
}
