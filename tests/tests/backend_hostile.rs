//! What a guest may try on its pages and with its grants, and what it gets. Each test is named after what it
//! prevents; the advisory it comes from stands beside it.

use ring_backend::link::{DeviceLink, Direction};
use ring_backend::plane::{DeviceFault, Limits};
use ring_backend::world::{ClaimedRef, Nanos};
use tests::fake::card::STEREO_48K;
use tests::fake::front::{self, Buffer, Front};
use tests::fake::frontend::Params;
use tests::fake::stage::{Stage, liberal};

const EIO: i32 = -5;
const ENOMEM: i32 = -12;
const EFAULT: i32 = -14;
const EINVAL: i32 = -22;
const WRITE: u8 = 3;

fn playback(stage: &mut Stage) -> Front {
    stage.connect(1, liberal(Direction::Playback)).1
}

/// snd_be indexes its buffer with what the guest says.
#[test]
fn offsets_and_lengths_outside_the_buffer_are_refused_and_copy_nothing() {
    let mut stage = Stage::patient();
    let mut front = playback(&mut stage);
    stage.open(&mut front, Params::stereo(1024, 256));
    let before = stage.xen.copied();
    for (offset, length) in [
        (0, 4097),
        (4096, 4),
        (4092, 8),
        (u32::MAX - 3, 4),
        (!3, !3),
        (4, u32::MAX - 3),
        (0, u32::MAX),
        (0x8000_0000, 0x8000_0000),
    ] {
        for operation in 2..8 {
            let status = stage.status(&mut front, front::span(operation, offset, length));
            assert_eq!(status, EINVAL, "operation {operation} {offset} {length}");
        }
    }
    assert_eq!(stage.xen.copied(), before);
}

/// XSA-448: zero is a value too.
#[test]
fn nothing_at_all_and_parts_of_frames_are_refused() {
    let mut stage = Stage::patient();
    let mut front = playback(&mut stage);
    stage.open(&mut front, Params::stereo(1024, 256));
    for (offset, length) in [(0, 0), (4096, 0), (1, 4), (0, 3), (2, 6), (4, 1)] {
        let status = stage.status(&mut front, front::span(WRITE, offset, length));
        assert_eq!(status, EINVAL, "{offset} {length}");
    }
    assert_eq!(stage.status(&mut front, front::span(WRITE, 0, 4096)), 0);
}

/// snd_be dereferences a null buffer before OPEN.
#[test]
fn everything_that_needs_an_open_stream_says_so() {
    let mut stage = Stage::patient();
    let mut front = playback(&mut stage);
    for _ in 0..2 {
        for operation in 2..8 {
            let status = stage.status(&mut front, front::span(operation, 0, 8));
            assert_eq!(status, EIO, "operation {operation}");
        }
        for kind in 0..4 {
            assert_eq!(stage.status(&mut front, front::trigger(kind)), EIO);
        }
        assert_eq!(
            stage.status(&mut front, front::close()),
            0,
            "always granted"
        );
        stage.open(&mut front, Params::stereo(1024, 256));
        assert_eq!(stage.status(&mut front, front::close()), 0);
    }
}

/// snd_be follows a directory for as long as it has a next page.
#[test]
fn a_cyclic_page_directory_is_refused_after_the_pages_asked_for() {
    let mut stage = Stage::patient();
    let mut front = playback(&mut stage);
    let params = Params::stereo(1024, 256);
    let buffer = Buffer::new(&stage.xen, front.dom, params.buffer_octets());
    let before = stage.xen.copied();
    buffer.directory_pages[0].put_word(0, buffer.directory.0);
    let claim = params.claim(buffer.directory);
    assert_eq!(stage.status(&mut front, front::open(&claim)), EINVAL);
    assert_eq!(stage.xen.copied() - before, 8, "a link and one reference");
    // A directory that goes on where the buffer ends is no better.
    buffer.directory_pages[0].put_word(0, 12345);
    assert_eq!(stage.status(&mut front, front::open(&claim)), EINVAL);
    buffer.directory_pages[0].put_word(0, 0);
    assert_eq!(stage.status(&mut front, front::open(&claim)), 0);
}

#[test]
fn a_long_directory_is_walked_to_its_end_and_a_cycle_in_it_is_found() {
    let limits = Limits {
        arena_octets: 8 << 20,
        buffer_octets: 8 << 20,
        strikes: 1000,
        ..Limits::default()
    };
    let mut stage = Stage::with_card(limits, STEREO_48K);
    let mut config = liberal(Direction::Playback);
    config.buffer_octets = 8 << 20;
    let (_, mut front) = stage.connect(1, config);
    // 1100 pages: two directory pages.
    let params = Params::stereo(1100 * 1024, 1024);
    let buffer = Buffer::new(&stage.xen, front.dom, params.buffer_octets());
    let claim = params.claim(buffer.directory);
    assert_eq!(buffer.directory_pages.len(), 2);
    assert_eq!(stage.status(&mut front, front::open(&claim)), 0);
    buffer.write(1099 * 4096, &[1; 64]);
    let last = front::span(WRITE, 1099 * 4096, 64);
    assert_eq!(stage.status(&mut front, last), 0);
    let link = buffer.directory_pages[0].word(0);
    for (first, second) in [
        (buffer.directory.0, 0),
        (0, 0),
        (link, link),
        (link, buffer.directory.0),
    ] {
        buffer.directory_pages[0].put_word(0, first);
        buffer.directory_pages[1].put_word(0, second);
        let status = stage.status(&mut front, front::open(&claim));
        assert_eq!(status, EINVAL, "{first} {second}");
    }
    assert_eq!(stage.plane.free_octets(), 8 << 20);
}

#[test]
fn a_grant_reference_of_zero_is_refused_wherever_it_stands() {
    let mut stage = Stage::patient();
    let mut front = playback(&mut stage);
    let params = Params::stereo(4096, 256);
    let buffer = Buffer::new(&stage.xen, front.dom, params.buffer_octets());
    let nowhere = params.claim(ClaimedRef(0));
    assert_eq!(stage.status(&mut front, front::open(&nowhere)), EINVAL);
    for page in 0..4 {
        let at = 4 + 4 * page;
        let good = buffer.directory_pages[0].word(at);
        buffer.directory_pages[0].put_word(at, 0);
        let claim = params.claim(buffer.directory);
        assert_eq!(stage.status(&mut front, front::open(&claim)), EINVAL);
        buffer.directory_pages[0].put_word(at, good);
    }
    assert_eq!(stage.plane.free_octets(), 1 << 20);
}

/// snd_be takes any buffer size; vhost-device-sound shifts by the guest's format.
#[test]
fn every_field_of_open_is_bounded_on_both_sides() {
    let mut stage = Stage::patient();
    let mut front = playback(&mut stage);
    let params = Params::stereo(1024, 256);
    let buffer = Buffer::new(&stage.xen, front.dom, params.buffer_octets());
    let good = params.claim(buffer.directory);
    let mut bad = Vec::new();
    for format in [18, 19, 22, 23, 24, 25, 64 + 2, 69, 255] {
        bad.push(front::OpenClaim { format, ..good });
    }
    for channels in [0, 3, 9, 255] {
        bad.push(front::OpenClaim { channels, ..good });
    }
    for rate in [0, 1, 5511, 192_001, u32::MAX] {
        bad.push(front::OpenClaim { rate, ..good });
    }
    for octets in [0, 1, 4, 188, 4094, 4097, (256 << 10) + 4, u32::MAX, !3] {
        bad.push(front::OpenClaim {
            buffer: octets,
            ..good
        });
    }
    for period in [1, 2, 4094, 4100, u32::MAX, !3] {
        bad.push(front::OpenClaim { period, ..good });
    }
    for claim in bad {
        let status = stage.status(&mut front, front::open(&claim));
        assert_eq!(status, EINVAL, "{claim:?}");
        assert_eq!(stage.plane.free_octets(), 1 << 20, "{claim:?}");
    }
    assert_eq!(stage.status(&mut front, front::open(&good)), 0);
}

/// What is made silent takes time as what is copied does, and others' sound waits for it.
#[test]
fn whole_buffers_are_made_silent_no_faster_than_they_could_be_written() {
    let params = Params::stereo(65_536, 1024);
    for anew in [false, true] {
        let mut stage = Stage::patient();
        let mut front = playback(&mut stage);
        let buffer = stage.open(&mut front, params);
        let open = front::open(&params.claim(buffer.directory));
        let (mut sent, mut served) = (0_u32, 0);
        for _ in 0..100 {
            while sent < served + 8 {
                // What begins out of a pause begins with a buffer of silence, too.
                front.send(if anew {
                    front::trigger((sent % 2) as u8)
                } else {
                    open
                });
                sent += 1;
            }
            stage.now = stage.now.plus_millis(1);
            stage.poll();
            while let Some(response) = front.response() {
                assert_eq!(response.status, 0);
                served += 1;
            }
        }
        let buffers = if anew { served / 2 } else { served };
        assert!(
            buffers <= 27,
            "{buffers} of 256 KiB in 100 ms, at 64 KiB in one"
        );
    }
}

#[test]
fn a_full_arena_is_an_error_to_the_one_who_asks_and_no_one_else() {
    let mut stage = Stage::patient();
    let params = Params::stereo(65_536, 1024);
    let mut fronts: Vec<_> = (1..6)
        .map(|dom| stage.connect(dom, liberal(Direction::Playback)).1)
        .collect();
    let (last, first) = fronts.split_last_mut().unwrap();
    for front in &mut *first {
        stage.open(front, params);
    }
    assert_eq!(stage.plane.free_octets(), 0);
    let buffer = Buffer::new(&stage.xen, last.dom, params.buffer_octets());
    let claim = front::open(&params.claim(buffer.directory));
    assert_eq!(stage.status(last, claim), ENOMEM);
    assert_eq!(stage.status(&mut first[2], front::close()), 0);
    assert_eq!(stage.status(last, claim), 0);
}

#[test]
fn a_guest_with_many_streams_leaves_the_others_room_for_their_buffers() {
    let mut stage = Stage::patient();
    let params = Params::stereo(16_384, 1024);
    let mut greedy: Vec<_> = (0..16)
        .map(|_| stage.connect(1, liberal(Direction::Playback)).1)
        .collect();
    let mut others: Vec<_> = (2..13)
        .map(|dom| stage.connect(dom, liberal(Direction::Playback)).1)
        .collect();
    for (n, front) in greedy.iter_mut().enumerate() {
        let buffer = Buffer::new(&stage.xen, front.dom, params.buffer_octets());
        let open = front::open(&params.claim(buffer.directory));
        let wanted = if n < 5 { 0 } else { ENOMEM };
        assert_eq!(stage.status(front, open), wanted, "{n}");
    }
    for front in &mut others {
        stage.open(front, params);
    }
    assert_eq!(stage.plane.free_octets(), 0);
}

/// XSA-361, 362, 365: every element's status counts, and what succeeded is undone.
#[test]
fn a_device_of_which_any_page_or_port_fails_leaves_nothing_behind() {
    for nth in 0.. {
        let mut stage = Stage::new();
        let fronts: Vec<_> = (0..3)
            .map(|_| Front::new(&stage.xen, ring_backend::world::DomId(1)))
            .collect();
        let mut link = DeviceLink {
            dom: ring_backend::world::DomId(1),
            streams: Default::default(),
        };
        for front in &fronts {
            let stream = front.link(liberal(Direction::Playback));
            link.streams.push(stream).unwrap();
        }
        stage.xen.fail_call(link.dom, nth);
        let slot = ring_backend::link::DeviceSlot(0);
        let result = stage.plane.connect(slot, &link, &mut stage.xen);
        if nth == 12 {
            assert_eq!(result, Ok(()), "two pages and two ports for each of three");
            assert_eq!(stage.xen.held(), (6, 6));
            let again = stage.plane.connect(slot, &link, &mut stage.xen);
            assert_eq!(again, Err(DeviceFault::InUse));
            stage.plane.disconnect(slot, &mut stage.xen);
            stage.plane.disconnect(slot, &mut stage.xen);
            assert_eq!(stage.xen.held(), (0, 0));
            return;
        }
        assert!(
            matches!(result, Err(DeviceFault::Stream(index, _)) if u64::from(index) == nth / 4),
            "call {nth}: {result:?}"
        );
        assert_eq!(stage.xen.held(), (0, 0), "call {nth}");
        assert_eq!(stage.plane.connect(slot, &link, &mut stage.xen), Ok(()));
    }
}

#[test]
fn a_buffer_whose_grants_fail_or_go_away_costs_only_its_requests() {
    let mut stage = Stage::patient();
    let mut front = playback(&mut stage);
    let params = Params::stereo(4096, 1024);
    let buffer = Buffer::new(&stage.xen, front.dom, params.buffer_octets());
    let claim = front::open(&params.claim(buffer.directory));
    stage.xen.fail_call(front.dom, 0);
    assert_eq!(stage.status(&mut front, claim), EFAULT);
    assert_eq!(stage.plane.free_octets(), 1 << 20);
    assert_eq!(stage.status(&mut front, claim), 0);
    stage.xen.revoke(front.dom, buffer.pages[2].0);
    let whole = front::span(WRITE, 0, 16_384);
    assert_eq!(stage.status(&mut front, whole), EFAULT);
    assert_eq!(stage.status(&mut front, front::span(WRITE, 0, 8192)), 0);
    assert_eq!(
        stage.status(&mut front, front::span(WRITE, 12_288, 4096)),
        0
    );
    assert_eq!(stage.status(&mut front, front::close()), 0);
}

/// XSA-350.
#[test]
fn a_device_toggled_a_hundred_thousand_times_leaves_nothing_behind() {
    let mut stage = Stage::new();
    let slot = ring_backend::link::DeviceSlot(7);
    let mut front = Front::new(&stage.xen, ring_backend::world::DomId(1));
    let mut link = DeviceLink {
        dom: front.dom,
        streams: Default::default(),
    };
    let stream = front.link(liberal(Direction::Playback));
    link.streams.push(stream).unwrap();
    let params = Params::stereo(1024, 256);
    let buffer = Buffer::new(&stage.xen, front.dom, params.buffer_octets());
    for _ in 0..100_000 {
        assert_eq!(stage.plane.connect(slot, &link, &mut stage.xen), Ok(()));
        front.send(front::open(&params.claim(buffer.directory)));
        stage.now = Nanos(stage.now.0 + 2000);
        stage.poll();
        stage.plane.disconnect(slot, &mut stage.xen);
        while front.response().is_some() {}
    }
    assert_eq!(stage.xen.held(), (0, 0));
    assert_eq!(stage.plane.free_octets(), 1 << 20);
}
