//! The guests of an audio domain that was restarted get their devices back.

use crate::dom0::{alone, audioctl, name};
use crate::site::{BACKEND, Site};
use std::cell::RefCell;
use std::rc::Rc;
use tests::fake::guest::Guest;
use tests::fake::store::{DOM0, Store};
use tests::fake::toolstack::{Toolstack, Vsnd};

#[test]
fn the_guests_of_a_restarted_audio_domain_are_reattached_as_xl_attached_them() {
    let store = Store::new();
    // What is left of the old audio domain: its guests' frontends.
    let old = Toolstack::new(&store, 6);
    let card = Vsnd::card(3, 0, 1, 1);
    old.attach(&card);
    name(&store, 3, "work");
    let written = store.dump();
    let known = "/libxl/3/device/vsnd/0/backend";
    store
        .write(DOM0, known, old.back(3, 0, ""))
        .expect("dom0 may");
    store.rm(DOM0, "/local/domain/6").expect("dom0 may");
    let gone = alone(&store, "reattach");
    assert_eq!(
        gone,
        Err("audiodom: no domain of this name runs".to_owned())
    );
    let text = alone(&store, "status").expect("a status");
    assert!(
        text.contains("work: its audio domain is gone; audioctl reattach work"),
        "{text}"
    );
    alone(&store, "mute work").expect("remembered");

    let new = Toolstack::new(&store, BACKEND);
    name(&store, BACKEND, "audiodom");
    let site = Site::in_store(store.clone(), new.clone(), 4, 1);
    let site = Rc::new(RefCell::new(site));
    let mut guest = Guest::new(&store, &new, 3, 0, 2);
    let others = {
        let site = Rc::clone(&site);
        move || {
            site.borrow_mut().run(10);
            guest.react();
        }
    };
    store.disturb(1);
    let said = audioctl(&store, "reattach", others).expect("it is reattached");
    assert!(said.starts_with("work: device 0 back after "), "{said}");
    let site = site.borrow();
    assert_eq!(site.linked(), 1);
    assert!(
        site.backend.plane().policies[&3].muted,
        "muted from the first sample on"
    );
    // The same nodes as xl wrote, but for the number of the backend.
    for line in written
        .lines()
        .filter(|line| line.starts_with("/local/domain/3/device/vsnd/"))
    {
        let (path, value) = line.split_once(" = ").expect("a node");
        let value = value.trim_matches('"');
        let wanted = match path.rsplit('/').next() {
            Some("backend") => new.back(3, 0, ""),
            Some("backend-id") => BACKEND.to_string(),
            Some("state") => continue,
            _ => value.to_owned(),
        };
        assert_eq!(store.read(path), Some(wanted), "{path}");
        assert_eq!(store.permissions(path), Some((3, vec![BACKEND])), "{path}");
    }
    let back = new.back(3, 0, "frontend-id");
    assert_eq!(store.permissions(&back), Some((BACKEND, vec![3])));
    assert_eq!(store.read(known), Some(new.back(3, 0, "")));
    // Linux' driver was told that it need not wait for the old one.
    let sign = store.history(&old.back(3, 0, "state"));
    assert_eq!(sign.last().and_then(Clone::clone).as_deref(), Some("2"));
    assert!(
        !store.exists("/local/audiodom/detached/3/0"),
        "nothing is left over"
    );
}

#[test]
fn a_reattachment_that_was_broken_off_is_finished_by_the_next() {
    let store = Store::new();
    let old = Toolstack::new(&store, 6);
    old.attach(&Vsnd::card(3, 0, 1, 0));
    name(&store, 3, "work");
    store.rm(DOM0, "/local/domain/6").expect("dom0 may");
    let new = Toolstack::new(&store, BACKEND);
    name(&store, BACKEND, "audiodom");
    // A guest that does not react, and then attaching fails.
    let others = {
        let store = store.clone();
        move || {
            if !store.exists("/local/domain/3/device/vsnd/0") {
                store.refuse(Some((14, "EQUOTA")));
            }
        }
    };
    audioctl(&store, "reattach", others).expect_err("refused");
    assert!(!store.exists("/local/domain/3/device/vsnd/0"));
    store.refuse(None);
    let site = Site::in_store(store.clone(), new.clone(), 4, 1);
    let site = Rc::new(RefCell::new(site));
    let mut guest = Guest::new(&store, &new, 3, 0, 1);
    let others = {
        let site = Rc::clone(&site);
        move || {
            site.borrow_mut().run(10);
            guest.react();
        }
    };
    audioctl(&store, "reattach work", others).expect("it is finished");
    assert_eq!(site.borrow().linked(), 1);
}

#[test]
fn a_guest_that_spoils_its_directory_keeps_no_other_from_being_reattached() {
    let store = Store::new();
    let old = Toolstack::new(&store, 6);
    for (guest, called) in [(3, "spoilt"), (4, "work")] {
        old.attach(&Vsnd::card(guest, 0, 1, 0));
        name(&store, guest, called);
    }
    store.rm(DOM0, "/local/domain/6").expect("dom0 may");
    let front = "/local/domain/3/device/vsnd/0";
    for (node, _) in Vsnd::card(3, 0, 1, 0).nodes {
        store.rm(3, &format!("{front}/{node}")).expect("its own");
    }
    let new = Toolstack::new(&store, BACKEND);
    name(&store, BACKEND, "audiodom");
    let mut site = Site::in_store(store.clone(), new.clone(), 4, 1);
    let mut guest = Guest::new(&store, &new, 4, 0, 1);
    let others = move || {
        site.run(10);
        guest.react();
    };
    let said = audioctl(&store, "reattach", others).expect_err("not all are back");
    assert!(said.starts_with("spoilt: "), "{said}");
    assert_eq!(store.read(&new.back(4, 0, "state")).as_deref(), Some("4"));
}
