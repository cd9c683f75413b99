//! A device's life as libxl and a Linux guest live it.

use crate::site::{BACKEND, NoCard, Site};
use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write, WriteReady};
use ring_backend::link::Direction;
use ring_backend::orders::Shutdown;
use ring_backend::world::{ClaimedRef, RemotePort};
use ring_backend::xenstore::Kind;
use tests::fake::guest::Guest;
use tests::fake::store::{DOM0, Store, Wire};
use tests::fake::toolstack::{Toolstack, Vsnd};

#[test]
fn a_device_is_offered_at_once_while_its_guest_is_still_paused() {
    let mut site = Site::new(4, 1);
    site.poll();
    site.toolstack.attach(&Vsnd::card(3, 0, 1, 1));
    site.poll();
    assert_eq!(site.back(3, 0, "state").as_deref(), Some("2"));
    assert_eq!(site.back(3, 0, "versions").as_deref(), Some("1,2"));
    assert_eq!(site.back(3, 0, "error"), None);
    site.run(60_000);
    assert_eq!(site.states(3, 0), ["1", "2"]);
}

#[test]
fn a_device_that_was_there_before_the_backend_is_offered() {
    let store = Store::new();
    let toolstack = Toolstack::new(&store, BACKEND);
    toolstack.attach(&Vsnd::card(3, 0, 1, 0));
    toolstack.attach(&Vsnd::card(12, 1, 1, 0));
    let mut site = Site::in_store(store, toolstack, 4, 2);
    site.poll();
    assert_eq!(site.back(3, 0, "state").as_deref(), Some("2"));
    assert_eq!(site.back(12, 1, "state").as_deref(), Some("2"));
}

#[test]
fn a_handshake_hands_over_what_was_configured_and_published() {
    let mut site = Site::new(4, 3);
    let guest = site.connect(&Vsnd::card(3, 0, 1, 1).with("0/1/channels-max", Some("1")));
    let link = site.backend.plane().linked[&0].clone();
    assert_eq!(link.dom.0, 3);
    let [playback, capture] = &link.streams[..] else {
        panic!("{link:?}");
    };
    assert_eq!(playback.config.direction, Direction::Playback);
    assert_eq!(playback.config.unique_id, "p0");
    assert_eq!(playback.config.channels_max, 2);
    assert_eq!(capture.config.direction, Direction::Capture);
    assert_eq!(capture.config.channels_max, 1);
    assert_eq!(playback.ring_ref, ClaimedRef(1001));
    assert_eq!(playback.ring_port, RemotePort(1002));
    assert_eq!(capture.event_ref, ClaimedRef(1013));
    assert_eq!(capture.event_port, RemotePort(1014));
    assert_eq!(guest.handshakes, 1);
    assert_eq!(site.states(3, 0), ["1", "2", "4"]);
}

#[test]
fn state_2_can_be_seen_for_50_ms_however_fast_the_guest_is() {
    let mut site = Site::new(4, 4);
    site.poll();
    site.toolstack.attach(&Vsnd::card(3, 0, 1, 0));
    site.poll();
    Guest::new(&site.store, &site.toolstack, 3, 0, 1).publish();
    site.run(49);
    assert_eq!(site.back(3, 0, "state").as_deref(), Some("2"));
    site.run(2);
    assert_eq!(site.back(3, 0, "state").as_deref(), Some("4"));
}

#[test]
fn a_destroyed_guests_device_shows_6_and_then_its_directory_goes() {
    let mut site = Site::new(4, 5);
    site.connect(&Vsnd::card(3, 0, 1, 1));
    site.toolstack.destroy(3, 0);
    site.poll();
    assert_eq!(site.linked(), 0, "unmapped at once");
    assert_eq!(site.back(3, 0, "state").as_deref(), Some("6"));
    site.run(100);
    assert_eq!(
        site.back(3, 0, "state").as_deref(),
        Some("6"),
        "libxl has to see it"
    );
    site.run(500);
    assert!(!site.store.exists(&site.toolstack.back(3, 0, "")));
    assert_eq!(site.data("guest/3/0/state"), None);
    site.assert_empty();
}

#[test]
fn a_guest_that_plays_is_served_until_it_closed_when_its_device_is_detached() {
    for closes in [true, false] {
        let mut site = Site::new(4, 17);
        site.connect(&Vsnd::card(3, 0, 1, 0));
        site.backend.plane_mut().playing = true;
        site.toolstack.detach(3, 0);
        site.run(500);
        assert_eq!(site.back(3, 0, "state").as_deref(), Some("5"));
        assert_eq!(site.backend.plane_mut().refused, [0]);
        if closes {
            site.backend.plane_mut().playing = false;
            site.run(40);
            assert_eq!(site.linked(), 1, "the guest is not done with it yet");
            site.run(20);
        } else {
            site.run(600);
            assert_eq!(site.back(3, 0, "state").as_deref(), Some("6"));
            site.run(850);
            assert_eq!(site.linked(), 1, "its STOP and CLOSE are to come");
            site.run(100);
        }
        assert_eq!(site.linked(), 0);
        site.backend.plane_mut().playing = false;
        site.run(300);
        assert!(!site.store.exists(&site.toolstack.back(3, 0, "")));
        site.assert_empty();
    }
}

#[test]
fn guests_that_play_may_close_before_the_domain_ends() {
    for closes in [true, false] {
        let mut site = Site::new(4, 18);
        for guest in [3, 4] {
            site.connect(&Vsnd::card(guest, 0, 1, 0));
        }
        site.backend.plane_mut().playing = true;
        let node = site.toolstack.home("control/shutdown");
        site.store.write(DOM0, &node, "reboot").expect("dom0");
        site.run(20);
        assert_eq!(site.backend.plane_mut().refused, [0, 1]);
        for guest in [3, 4] {
            assert_eq!(site.back(guest, 0, "state").as_deref(), Some("4"));
        }
        assert_eq!(site.backend.shutdown_requested(), None);
        if closes {
            site.backend.plane_mut().playing = false;
            site.run(400);
        } else {
            site.run(1_900);
            assert_eq!(site.backend.shutdown_requested(), None);
            site.run(200);
        }
        let order = site.backend.shutdown_requested();
        assert_eq!(order, Some(Shutdown::Reboot));
    }
}

#[test]
fn a_guest_that_closed_before_it_is_destroyed_is_seen_closed_again() {
    let mut site = Site::new(4, 6);
    let guest = site.connect(&Vsnd::card(3, 0, 1, 0));
    // Its power-off: closed on both sides, and offered again.
    guest.set_state(5);
    site.run(10);
    guest.set_state(6);
    site.run(10);
    assert_eq!(guest.backend_state(), 2);
    site.toolstack.destroy(3, 0);
    site.run(150);
    assert_eq!(site.back(3, 0, "state").as_deref(), Some("6"));
    site.run(500);
    assert!(!site.store.exists(&site.toolstack.back(3, 0, "")));
    site.assert_empty();
}

#[test]
fn a_5_written_over_our_6_is_answered_with_another_6() {
    let mut site = Site::new(4, 7);
    site.connect(&Vsnd::card(3, 0, 1, 0));
    // The frontend's directory goes first, and we close on that alone.
    let _ = site.store.rm(DOM0, &site.toolstack.front(3, 0, ""));
    site.run(50);
    assert_eq!(site.back(3, 0, "state").as_deref(), Some("6"));
    let state = site.toolstack.back(3, 0, "state");
    site.store
        .write(DOM0, &site.toolstack.back(3, 0, "online"), "0")
        .expect("dom0");
    site.store.write(DOM0, &state, "5").expect("dom0");
    site.run(150);
    assert_eq!(site.back(3, 0, "state").as_deref(), Some("6"));
    site.run(500);
    site.assert_empty();
}

#[test]
fn a_device_that_shows_6_already_goes_when_only_online_is_written() {
    let mut site = Site::new(4, 16);
    site.connect(&Vsnd::card(3, 0, 1, 0));
    let _ = site.store.rm(DOM0, &site.toolstack.front(3, 0, ""));
    site.run(50);
    assert_eq!(site.back(3, 0, "state").as_deref(), Some("6"));
    site.toolstack.detach(3, 0);
    assert_eq!(site.back(3, 0, "state").as_deref(), Some("6"));
    site.run(500);
    assert!(!site.store.exists(&site.toolstack.back(3, 0, "")));
    site.assert_empty();
}

#[test]
fn a_detached_device_can_be_attached_again() {
    let mut site = Site::new(4, 8);
    for _ in 0..3 {
        let mut guest = site.connect(&Vsnd::card(3, 0, 2, 1));
        site.toolstack.detach(3, 0);
        for _ in 0..10 {
            site.run(50);
            guest.react();
        }
        assert!(!site.store.exists(&site.toolstack.back(3, 0, "")));
        site.assert_empty();
        site.toolstack.clean(3, 0);
    }
    assert_eq!(site.backend.plane().connects, 3);
}

#[test]
fn an_unloaded_driver_sees_5_6_2_within_its_second_and_can_come_back() {
    let mut site = Site::new(4, 9);
    let mut guest = site.connect(&Vsnd::card(3, 0, 1, 0));
    guest.set_state(5);
    site.run(100);
    assert_eq!(site.linked(), 0);
    assert_eq!(site.states(3, 0), ["1", "2", "4", "5", "6", "2"]);
    guest.set_state(6);
    site.run(10_000);
    assert_eq!(guest.backend_state(), 2);
    guest.set_state(1);
    site.settle(&mut [&mut guest]);
    assert_eq!((guest.backend_state(), guest.state()), (4, 4));
    assert_eq!(
        site.backend.plane().linked[&0].streams[0].ring_ref,
        ClaimedRef(2001)
    );
}

#[test]
fn a_frontend_that_starts_over_gets_a_fresh_handshake() {
    let mut site = Site::new(4, 10);
    let mut guest = site.connect(&Vsnd::card(3, 0, 1, 0));
    guest.set_state(1);
    site.settle(&mut [&mut guest]);
    assert_eq!((guest.backend_state(), guest.state()), (4, 4));
    assert_eq!(site.states(3, 0), ["1", "2", "4", "5", "6", "2", "4"]);
    assert_eq!(
        site.backend.plane().linked[&0].streams[0].ring_ref,
        ClaimedRef(2001)
    );
}

#[test]
fn new_rings_published_unnoticed_are_not_taken_for_the_old_ones() {
    let mut site = Site::new(4, 11);
    let mut guest = site.connect(&Vsnd::card(3, 0, 1, 0));
    // 1 and 3 between two looks of ours.
    guest.set_state(1);
    guest.publish();
    site.settle(&mut [&mut guest]);
    assert_eq!((guest.backend_state(), guest.state()), (4, 4));
    assert_eq!(site.backend.plane().connects, 2);
}

#[test]
fn a_restarted_backend_takes_a_connected_frontends_rings_again() {
    let mut site = Site::new(4, 12);
    let guest = site.connect(&Vsnd::card(3, 0, 1, 0));
    let (store, toolstack) = (site.store.clone(), site.toolstack.clone());
    drop(site);
    let mut site = Site::in_store(store, toolstack, 4, 13);
    site.run(100);
    assert_eq!(site.linked(), 1);
    assert_eq!((guest.backend_state(), guest.state()), (4, 4));
    assert_eq!(site.states(3, 0).last().map(String::as_str), Some("4"));
}

#[test]
fn a_device_created_in_the_place_of_a_forced_out_one_starts_afresh() {
    let mut site = Site::new(4, 14);
    site.connect(&Vsnd::card(3, 0, 1, 0));
    // Away and back between two looks of ours.
    site.toolstack.clean(3, 0);
    let card = Vsnd::card(3, 0, 1, 1);
    site.toolstack.attach(&card);
    site.poll();
    assert_eq!(site.linked(), 0);
    assert_eq!(site.back(3, 0, "state").as_deref(), Some("2"));
    let mut guest = Guest::new(&site.store, &site.toolstack, 3, 0, 2);
    site.settle(&mut [&mut guest]);
    assert_eq!(site.backend.plane().linked[&0].streams.len(), 2);
}

/// A wire on which the toolstack is quicker than the end of the backend's watch.
struct Racing<'a> {
    wire: &'a mut Wire,
    toolstack: &'a Toolstack,
    card: Option<Vsnd>,
}

impl ErrorType for Racing<'_> {
    type Error = ErrorKind;
}

impl ReadReady for Racing<'_> {
    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        self.wire.read_ready()
    }
}

impl Read for Racing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        self.wire.read(buffer)
    }
}

impl WriteReady for Racing<'_> {
    fn write_ready(&mut self) -> Result<bool, ErrorKind> {
        self.wire.write_ready()
    }
}

impl Write for Racing<'_> {
    fn write(&mut self, buffer: &[u8]) -> Result<usize, ErrorKind> {
        if buffer.starts_with(&Kind::Unwatch.number().to_le_bytes())
            && let Some(card) = self.card.take()
        {
            self.toolstack.attach(&card);
        }
        self.wire.write(buffer)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        self.wire.flush()
    }
}

#[test]
fn a_device_created_while_the_one_before_it_is_forgotten_is_offered() {
    let mut site = Site::new(4, 0);
    site.connect(&Vsnd::card(3, 0, 1, 0));
    site.toolstack.destroy(3, 0);
    let mut racing = Racing {
        wire: &mut site.wire,
        toolstack: &site.toolstack,
        card: Some(Vsnd::card(3, 0, 1, 1)),
    };
    for _ in 0..1_000 {
        let card = None::<&mut NoCard>;
        site.backend.poll(site.now, &mut (), card, &mut racing);
        site.now = site.now.plus_millis(1);
    }
    assert!(racing.card.is_none(), "the first was forgotten");
    assert_eq!(site.back(3, 0, "state").as_deref(), Some("2"));
}

#[test]
fn one_guests_end_leaves_the_others_connected() {
    let mut site = Site::new(8, 15);
    for guest in 3..8 {
        site.connect(&Vsnd::card(guest, 0, 1, 0));
    }
    site.connect(&Vsnd::card(5, 1, 1, 0));
    site.toolstack.destroy(5, 0);
    site.run(1_000);
    assert_eq!(site.linked(), 5);
    assert_eq!(site.back(5, 0, "state"), None);
    for (guest, dev) in [(3, 0), (4, 0), (5, 1), (6, 0), (7, 0)] {
        assert_eq!(site.states(guest, dev), ["1", "2", "4"]);
    }
    assert_eq!(site.backend.plane().connects, 6);
}
