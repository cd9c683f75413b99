//! What an administrator reads: errors, numbers, and the end of the domain.

use crate::site::Site;
use ring_backend::link::DeviceSlot;
use ring_backend::orders::Shutdown;
use ring_backend::status::LoopCounters;
use ring_backend::world::Nanos;
use tests::fake::guest::Guest;
use tests::fake::store::DOM0;
use tests::fake::toolstack::Vsnd;

#[test]
fn a_bad_configuration_is_said_where_the_administrator_looks() {
    let mut site = Site::new(4, 1);
    let card = Vsnd::card(3, 0, 1, 0).with("buffer-size", Some("7"));
    site.toolstack.attach(&card);
    let mut guest = Guest::new(&site.store, &site.toolstack, 3, 0, 1);
    for _ in 0..20 {
        site.run(50);
        guest.react();
    }
    let sentence = Some("buffer-size: is not between 128 and 1048576");
    assert_eq!(site.back(3, 0, "error").as_deref(), sentence);
    assert_eq!(site.data("guest/3/0/error").as_deref(), sentence);
    assert_eq!(site.linked(), 0);
    // Once it is put right, the next try finds nothing to complain of.
    let node = site.toolstack.front(3, 0, "buffer-size");
    site.store.write(DOM0, &node, "65536").expect("dom0");
    for _ in 0..1_000 {
        site.run(50);
        guest.react();
    }
    assert_eq!((guest.backend_state(), guest.state()), (4, 4));
    assert_eq!(site.back(3, 0, "error"), None);
    assert_eq!(site.data("guest/3/0/error"), None);
    assert_eq!(site.data("guest/3/0/state").as_deref(), Some("4"));
}

#[test]
fn a_guest_that_obeys_a_bad_configuration_is_not_played_ping_pong_with() {
    let mut site = Site::new(4, 2);
    site.toolstack
        .attach(&Vsnd::card(3, 0, 1, 0).with("0/0/type", None));
    let mut guest = Guest::new(&site.store, &site.toolstack, 3, 0, 1);
    for _ in 0..12_000 {
        site.run(50);
        guest.react();
    }
    assert!(guest.handshakes > 3, "it is tried again");
    assert!(
        guest.handshakes < 20,
        "{} handshakes in ten minutes",
        guest.handshakes
    );
}

#[test]
fn rings_that_cannot_be_had_are_said_and_tried_again() {
    let mut site = Site::new(4, 3);
    site.backend.plane_mut().refuse = Some("stream 0: grant status -3");
    site.toolstack.attach(&Vsnd::card(3, 0, 1, 0));
    let mut guest = Guest::new(&site.store, &site.toolstack, 3, 0, 1);
    for _ in 0..4 {
        site.run(50);
        guest.react();
    }
    assert_eq!(
        site.back(3, 0, "error").as_deref(),
        Some("stream 0: grant status -3")
    );
    assert_eq!(guest.backend_state(), 6);
    site.backend.plane_mut().refuse = None;
    for _ in 0..100 {
        site.run(50);
        guest.react();
    }
    assert_eq!((guest.backend_state(), guest.state()), (4, 4));
    assert_eq!(site.back(3, 0, "error"), None);
}

#[test]
fn impossible_rings_close_the_device_and_leave_the_word_why() {
    let mut site = Site::new(4, 4);
    let mut guest = site.connect(&Vsnd::card(3, 0, 1, 0));
    let fault = (DeviceSlot(0), "stream 0: impossible ring");
    site.backend.plane_mut().faults.push_back(fault);
    site.poll();
    assert_eq!(site.linked(), 0);
    assert_eq!(guest.backend_state(), 6);
    assert_eq!(
        site.back(3, 0, "error").as_deref(),
        Some("stream 0: impossible ring")
    );
    guest.react();
    for _ in 0..60 {
        site.run(50);
        guest.react();
    }
    assert_eq!((guest.backend_state(), guest.state()), (4, 4));
}

#[test]
fn a_playing_stream_is_published_twice_a_second_and_an_idle_one_not_at_all() {
    let mut site = Site::new(4, 5);
    site.backend
        .describe_card("HDA 8086:293e codec 10ec0662", 48_000);
    site.connect(&Vsnd::card(3, 0, 1, 1));
    site.run(2_000);
    assert_eq!(
        site.data("state").as_deref(),
        Some("running devices=1 connected=1")
    );
    assert_eq!(
        site.data("card").as_deref(),
        Some("HDA 8086:293e codec 10ec0662")
    );
    let idle = site.store.requests();
    let polls = site.polls;
    site.run(3_600_000);
    assert_eq!(site.store.requests(), idle, "an hour of silence");
    assert!(site.polls - polls <= 3, "nothing sets a timer");
    site.backend.plane_mut().playing = true;
    let before = site
        .store
        .history(&site.toolstack.home("data/guest/3/0/stream-0"));
    for second in 0..10 {
        site.backend.plane_mut().frames = 48_000 * second;
        site.backend.count_loop(LoopCounters {
            now: site.now,
            wakeups: second,
            busy_ns: 5,
            ..LoopCounters::default()
        });
        site.run(500);
        site.backend.plane_mut().frames += 24_000;
        site.run(500);
    }
    let after = site
        .store
        .history(&site.toolstack.home("data/guest/3/0/stream-0"));
    let writes = after.len() - before.len();
    assert!((15..=21).contains(&writes), "{writes} in ten seconds");
    site.backend.plane_mut().playing = false;
    site.run(1_000);
    let line = site.data("guest/3/0/stream-0").expect("a line");
    assert!(
        line.starts_with("playing=0 format=- rate=48000 channels=2 frames=456000 xruns=0"),
        "{line}"
    );
    assert!(
        line.ends_with("latency_us=10000 first_sound_us=7000"),
        "{line}"
    );
    let line = site.data("guest/3/0/stream-1").expect("a line");
    assert!(line.contains(" type=c "), "{line}");
    let counters = site.data("loop").expect("counters");
    assert!(counters.contains("wakeups=9 busy_ns=5 "), "{counters}");
}

#[test]
fn what_a_device_published_goes_with_it_and_no_more() {
    let mut site = Site::new(4, 6);
    site.connect(&Vsnd::card(3, 0, 2, 0));
    site.connect(&Vsnd::card(3, 1, 1, 0));
    site.run(1_000);
    let line = site.data("guest/3/0/stream-1").expect("a line");
    assert!(line.contains(" type=p"), "{line}");
    site.toolstack.detach(3, 0);
    site.run(2_000);
    assert_eq!(site.data("guest/3/0/state"), None);
    assert_eq!(site.data("guest/3/1/state").as_deref(), Some("4"));
    assert!(site.data("guest/3/1/stream-0").is_some());
    site.toolstack.destroy(3, 1);
    site.run(2_000);
    assert_eq!(site.data("guest/3"), None);
    assert_eq!(
        site.data("state").as_deref(),
        Some("running devices=0 connected=0")
    );
}

#[test]
fn the_toolstacks_order_to_end_is_acknowledged_and_told() {
    for (word, wanted) in [
        ("poweroff", Some(Shutdown::PowerOff)),
        ("halt", Some(Shutdown::PowerOff)),
        ("reboot", Some(Shutdown::Reboot)),
        ("suspend", None),
    ] {
        let mut site = Site::new(4, 7);
        site.run(10);
        assert_eq!(site.backend.shutdown_requested(), None);
        let feature = site.toolstack.home("control/feature-poweroff");
        assert_eq!(site.store.read(&feature).as_deref(), Some("1"));
        let feature = site.toolstack.home("control/feature-reboot");
        assert_eq!(site.store.read(&feature).as_deref(), Some("1"));
        let node = site.toolstack.home("control/shutdown");
        site.store.write(DOM0, &node, word).expect("dom0");
        site.run(10);
        assert_eq!(site.store.read(&node).as_deref(), Some(""), "{word}");
        assert_eq!(site.backend.shutdown_requested(), wanted, "{word}");
        let rests = site
            .poll()
            .is_none_or(|due| due > Nanos(site.now.0 + 100_000_000));
        assert!(rests, "{word}");
    }
}

#[test]
fn a_crash_on_purpose_is_told_and_no_other_key_does_anything() {
    let mut site = Site::new(4, 9);
    site.run(10);
    let node = site.toolstack.home("control/sysrq");
    for (key, wanted) in [("", None), ("s", None), ("c", Some(Shutdown::Crash))] {
        site.store.write(DOM0, &node, key).expect("dom0");
        site.run(10);
        assert_eq!(site.backend.shutdown_requested(), wanted, "{key}");
    }
}

#[test]
fn what_is_held_of_guests_is_published_and_nothing_once_they_are_gone() {
    let mut site = Site::new(4, 10);
    site.run(1_000);
    let empty = site.data("held").expect("a line");
    assert!(empty.contains(" watches=2 devices=0 streams=0 "), "{empty}");
    site.connect(&Vsnd::card(3, 0, 1, 1));
    site.connect(&Vsnd::card(4, 0, 2, 1));
    site.run(1_000);
    let full = site.data("held").expect("a line");
    assert!(full.contains(" watches=4 devices=2 streams=5 "), "{full}");
    for guest in [3, 4] {
        site.toolstack.destroy(guest, 0);
    }
    site.run(2_000);
    assert_eq!(site.data("held").as_deref(), Some(&*empty));
}

#[test]
fn an_idle_domain_publishes_its_counters_when_asked_and_then_rests() {
    let mut site = Site::new(4, 8);
    site.run(2_000);
    let counters = |wakeups| LoopCounters {
        now: Nanos(wakeups),
        wakeups,
        busy_ns: 5,
        ..LoopCounters::default()
    };
    site.backend.count_loop(counters(77));
    site.run(2_000);
    let before = site.data("loop");
    assert!(!before.is_some_and(|line| line.contains("wakeups=77")));
    let node = site.toolstack.home("control/refresh");
    site.store.write(DOM0, &node, "1").expect("dom0");
    site.run(2_000);
    let after = site.data("loop").expect("counters");
    assert!(after.contains("wakeups=77"), "{after}");
    let rests = site
        .poll()
        .is_none_or(|due| due > Nanos(site.now.0 + 3_600_000_000_000));
    assert!(rests, "it goes on publishing");
}
