//! Guests that do anything, and a wire that carries rubbish.

use crate::site::Site;
use tests::fake::guest::Guest;
use tests::fake::seed::Seed;
use tests::fake::store::DOM0;
use tests::fake::toolstack::Vsnd;

#[test]
fn a_guest_that_rewrites_its_state_forever_is_looked_at_forty_times_a_second() {
    let mut site = Site::new(4, 1);
    site.connect(&Vsnd::card(3, 0, 1, 0));
    let innocent = site.connect(&Vsnd::card(4, 0, 1, 0));
    let stormer = Guest::new(&site.store, &site.toolstack, 3, 0, 1);
    let requests = site.store.requests();
    for _ in 0..10_000 {
        for _ in 0..10 {
            stormer.set_state(4);
        }
        site.run(1);
    }
    let requests = site.store.requests() - requests;
    assert!(
        requests <= 10 * 40 * 3 + 130,
        "{requests} requests in ten seconds"
    );
    assert_eq!(site.states(4, 0), ["1", "2", "4"]);
    assert_eq!(innocent.state(), 4);
}

#[test]
fn a_storm_does_not_keep_the_toolstack_from_taking_the_device_away() {
    let mut site = Site::new(4, 2);
    let stormer = site.connect(&Vsnd::card(3, 0, 1, 0));
    for _ in 0..500 {
        stormer.set_state(4);
        site.run(1);
    }
    site.toolstack.detach(3, 0);
    for _ in 0..1_500 {
        stormer.set_state(4);
        site.run(1);
    }
    assert!(!site.store.exists(&site.toolstack.back(3, 0, "")));
}

#[test]
fn a_guest_that_opens_and_closes_without_end_leaks_nothing() {
    let mut site = Site::new(2, 3);
    let mut guest = site.connect(&Vsnd::card(3, 0, 1, 1));
    for _ in 0..2_000 {
        guest.set_state(5);
        site.run(1);
        guest.set_state(6);
        site.run(1);
        guest.set_state(1);
        site.settle(&mut [&mut guest]);
        site.store.forget_history();
    }
    assert!(site.backend.plane().connects > 1_000);
    site.toolstack.destroy(3, 0);
    site.run(2_000);
    site.assert_empty();
}

#[test]
fn a_huge_frontend_directory_costs_its_guest_the_handshake_only() {
    let mut site = Site::new(4, 4);
    site.toolstack.attach(&Vsnd::card(3, 0, 1, 0));
    let mut guest = Guest::new(&site.store, &site.toolstack, 3, 0, 1);
    for number in 0..900 {
        guest.write(&format!("rubbish-{number}"), "x");
    }
    for _ in 0..10 {
        site.run(50);
        guest.react();
    }
    let told = site.back(3, 0, "error").expect("is told");
    assert_eq!(told, "the frontend's directory: cannot be read: too long");
    site.connect(&Vsnd::card(4, 0, 1, 0));
}

#[test]
fn rubbish_between_messages_is_skipped() {
    let mut site = Site::new(4, 5);
    let message = |kind: u32, request: u32, payload: &[u8]| {
        let length = u32::try_from(payload.len()).expect("short");
        let mut octets: Vec<u8> = [kind, request, 0, length]
            .iter()
            .flat_map(|field| field.to_le_bytes())
            .collect();
        octets.extend(payload);
        octets
    };
    for token in ["b", "f0", "f1", "f77", "f", "s", "x", "f99999999999"] {
        for path in [
            "",
            "/",
            "backend/vsnd",
            "backend/vsnd/x",
            "backend/vsnd/3/0/state",
            "@",
        ] {
            site.inject(&message(15, 0, format!("{path}\0{token}\0").as_bytes()));
            site.inject(&message(2, 70_000, path.as_bytes()));
            site.inject(&message(99, 1, token.as_bytes()));
        }
    }
    site.inject(&message(1, 5_000, &[b'x'; 9_000]));
    site.connect(&Vsnd::card(3, 0, 1, 0));
    assert!(site.backend.client().strays() > 90);
}

#[test]
fn bytes_at_random_end_nothing_but_the_conversation() {
    for seed in 1..300 {
        let mut chance = Seed::new(seed);
        let mut site = Site::new(2, seed);
        site.connect(&Vsnd::card(3, 0, 1, 0));
        for _ in 0..20 {
            // Headers with small lengths keep the parser in step, so that payloads vary too.
            let mut octets = Vec::new();
            for most in [20, 250_000, 2, 64] {
                let field = u32::try_from(chance.below(most)).expect("small");
                octets.extend(field.to_le_bytes());
            }
            for _ in 0..chance.below(64) {
                octets.push(chance.pick(b"\0\0/0123456789bf backend/vsnd\xff"));
            }
            site.inject(&octets);
            site.run(chance.below(50));
        }
        assert_eq!(site.linked(), 1, "sound goes on");
    }
}

/// One thing that a guest or the toolstack does at random.
fn disturb(site: &mut Site, chance: &mut Seed, guest: u16, dev: u32) {
    let exists = site.store.exists(&site.toolstack.back(guest, dev, ""));
    let mut front = Guest::new(&site.store, &site.toolstack, guest, dev, 2);
    let states = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "", "four"];
    match chance.below(16) {
        0 if !exists => site.toolstack.attach(&Vsnd::card(guest, dev, 1, 1)),
        1 if exists => site.toolstack.detach(guest, dev),
        2 if exists => site.toolstack.destroy(guest, dev),
        // Patience over, or a hasty administrator.
        3 => site.toolstack.clean(guest, dev),
        4 if exists => {
            let leaf = chance.pick(&["state", "online", "frontend", "versions", "error"]);
            let node = site.toolstack.back(guest, dev, leaf);
            if chance.below(2) == 0 {
                site.store
                    .write(DOM0, &node, chance.pick(&states))
                    .expect("dom0");
            } else {
                let _ = site.store.rm(DOM0, &node);
            }
        }
        5..=7 => front.set_state(u32::try_from(chance.below(9)).expect("few")),
        8 => front.write("state", chance.pick(&states)),
        9 => front.write("0/0/ring-ref", chance.pick(&states)),
        10 => front.write("0/0/type", chance.pick(&["p", "c", "x"])),
        11 => front.publish(),
        12 => {
            let slot = ring_backend::link::DeviceSlot(chance.below(5) as u8);
            site.backend
                .plane_mut()
                .faults
                .push_back((slot, "impossible"));
        }
        13 => {
            let refuse = (chance.below(4) == 0).then_some("refused");
            site.backend.plane_mut().refuse = refuse;
        }
        _ => {
            front.react();
        }
    }
}

#[test]
fn a_hundred_thousand_random_steps_leak_nothing() {
    for seed in 1..=4 {
        let mut chance = Seed::new(seed);
        let mut site = Site::new(4, seed);
        for _ in 0..25_000 {
            let guest = 3 + chance.below(3) as u16;
            let dev = chance.below(2) as u32;
            disturb(&mut site, &mut chance, guest, dev);
            match chance.below(4) {
                0 => {}
                1 => {
                    site.poll();
                }
                2 => site.run(chance.below(20)),
                _ => site.run(chance.below(400)),
            }
            site.store.forget_history();
        }
        site.backend.plane_mut().refuse = None;
        for guest in 3..6 {
            for dev in 0..2 {
                site.toolstack.clean(guest, dev);
            }
        }
        site.run(70_000);
        site.assert_empty();
        // And everything works as on the first day.
        site.connect(&Vsnd::card(3, 0, 1, 1));
    }
}
