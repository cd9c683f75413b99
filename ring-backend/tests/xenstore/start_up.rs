//! One request at a time, waited for.

use crate::tape::Tape;
use ring_backend::xenstore::{Blocking, BlockingError, Client, OUTSTANDING, StoreError, Waiter};

/// Waits so many times per request.
struct Patience(u32, u32);

impl Waiter for Patience {
    fn begin(&mut self) {
        self.1 = self.0;
    }
    fn wait(&mut self) -> bool {
        self.1 = self.1.saturating_sub(1);
        self.1 > 0
    }
}

#[test]
fn start_up_can_read_write_list_and_remove() {
    let (mut client, mut tape) = (Client::new(), Tape::new(5));
    tape.feed(15, 0, b"x\0y\0");
    tape.feed(2, 1, b"/local/domain/0/backend/pci/7/0");
    tape.feed(2, 2, b"42");
    tape.feed(11, 3, b"OK\0");
    tape.feed(1, 4, b"vdev-0\0state\0");
    tape.feed(13, 5, b"OK\0");
    tape.feed(16, 6, b"EACCES\0");
    let mut store = Blocking::new(&mut client, &mut tape, Patience(3, 0));
    let mut value = [0; 64];
    let octets = store
        .read("device/pci/0/backend", &mut value)
        .expect("a value");
    assert_eq!(&value[..octets], b"/local/domain/0/backend/pci/7/0");
    assert_eq!(store.read_number("device/pci/0/backend-id"), Ok(42));
    assert_eq!(store.write("device/pci/0/state", b"3"), Ok(()));
    let mut names = Vec::new();
    store
        .directory("device", |name| names.push(name.to_owned()))
        .expect("a listing");
    assert_eq!(names, ["vdev-0", "state"]);
    assert_eq!(store.rm("x"), Ok(()));
    assert_eq!(
        store.write("y", b""),
        Err(BlockingError::Store(StoreError::Denied))
    );
}

#[test]
fn writes_begun_go_out_at_once_and_the_next_call_has_their_first_refusal() {
    let (mut client, mut tape) = (Client::new(), Tape::new(5));
    let mut store = Blocking::new(&mut client, &mut tape, Patience(3, 0));
    assert_eq!(
        store.begin_writes(&[("a", "1"), ("b", "2"), ("state", "3")]),
        Ok(())
    );
    assert!(tape.from_client.ends_with(b"state\x003"));

    let (mut client, mut tape) = (Client::new(), Tape::new(5));
    let mut store = Blocking::new(&mut client, &mut tape, Patience(3, 0));
    store
        .begin_writes(&[("a", "1"), ("b", "2"), ("c", "3")])
        .expect("room");
    drop(store);
    tape.feed(11, 1, b"OK\0");
    tape.feed(16, 2, b"EACCES\0");
    tape.feed(16, 3, b"EINVAL\0");
    tape.feed(2, 4, b"7");
    tape.feed(2, 5, b"8");
    tape.feed(11, 6, b"OK\0");
    let mut store = Blocking::new(&mut client, &mut tape, Patience(3, 0));
    assert_eq!(store.read_number("d"), Ok(7));
    // What was begun before this one borrowed the client is nobody's any more.
    assert_eq!(store.read_number("e"), Ok(8));
    assert_eq!(store.begin_writes(&[("a", "1")]), Ok(()));
    assert_eq!(store.settle(), Ok(()));
}

#[test]
fn a_write_that_was_begun_and_refused_is_told_once() {
    for settle in [false, true] {
        let (mut client, mut tape) = (Client::new(), Tape::new(5));
        tape.feed(16, 1, b"EACCES\0");
        tape.feed(11, 2, b"OK\0");
        tape.feed(2, 3, b"7");
        tape.feed(2, 4, b"8");
        let mut store = Blocking::new(&mut client, &mut tape, Patience(3, 0));
        store.begin_writes(&[("a", "1"), ("b", "2")]).expect("room");
        let denied = BlockingError::Store(StoreError::Denied);
        if settle {
            assert_eq!(store.settle(), Err(denied));
            assert_eq!(store.read_number("c"), Ok(7));
        } else {
            assert_eq!(store.read_number("c"), Err(denied));
        }
        assert_eq!(store.settle(), Ok(()));
    }
}

#[test]
fn no_more_is_begun_than_may_be_under_way() {
    let (mut client, mut tape) = (Client::new(), Tape::new(5));
    let mut store = Blocking::new(&mut client, &mut tape, Patience(3, 0));
    let many = [("a", "1"); OUTSTANDING];
    assert_eq!(store.begin_writes(&many), Ok(()));
    assert_eq!(store.begin_writes(&many), Err(BlockingError::TimedOut));
    assert_eq!(store.settle(), Err(BlockingError::TimedOut));
    let paths = ["a"; OUTSTANDING + 1];
    let nothing = |_: usize, _: Result<&[u8], StoreError>| panic!("nothing was asked");
    assert_eq!(
        store.read_all(&paths, nothing),
        Err(BlockingError::Malformed)
    );
}

#[test]
fn nodes_read_together_are_each_read_or_refused() {
    let (mut client, mut tape) = (Client::new(), Tape::new(5));
    tape.feed(2, 1, b"4");
    tape.feed(16, 2, b"ENOENT\0");
    tape.feed(2, 3, b"");
    let mut store = Blocking::new(&mut client, &mut tape, Patience(3, 0));
    let mut seen = Vec::new();
    store
        .read_all(&["state", "vdev-0", "empty"], |index, value| {
            seen.push((index, value.map(<[u8]>::to_vec)));
        })
        .expect("answers");
    let expected = [
        (0, Ok(b"4".to_vec())),
        (1, Err(StoreError::NotFound)),
        (2, Ok(Vec::new())),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn a_change_is_waited_for_unless_it_is_older_than_what_was_read() {
    let (mut client, mut tape) = (Client::new(), Tape::new(5));
    tape.feed(4, 1, b"OK\0");
    tape.feed(15, 0, b"x/state\0pci\0");
    tape.feed(2, 2, b"3");
    tape.feed(15, 0, b"x/state\0pci\0");
    tape.feed(2, 3, b"2");
    tape.feed(15, 0, b"x/state\0pci\0");
    tape.feed(2, 4, b"4");
    let mut store = Blocking::new(&mut client, &mut tape, Patience(3, 0));
    assert_eq!(store.begin_watch("x/state", "pci"), Ok(()));
    let each = |_: usize, value: Result<&[u8], StoreError>| assert!(value.is_ok());
    // The second event comes after the state was read, and before its neighbour was.
    store
        .read_all(&["x/state", "x/num_devs"], each)
        .expect("values");
    assert_eq!(store.wait_for_change(), Ok(true));
    store.read_all(&["x/state"], each).expect("a value");
    assert_eq!(store.wait_for_change(), Ok(false));
    assert_eq!(store.take_change(), Ok(false));
    tape.feed(15, 0, b"x/state\0pci\0");
    let mut store = Blocking::new(&mut client, &mut tape, Patience(0, 0));
    assert_eq!(store.take_change(), Ok(true));
    assert_eq!(store.take_change(), Ok(false));
    tape.feed(5, 5, b"OK\0");
    let mut store = Blocking::new(&mut client, &mut tape, Patience(3, 0));
    assert_eq!(store.begin_unwatch("x/state", "pci"), Ok(()));
    assert_eq!(store.settle(), Ok(()));
}

#[test]
fn start_up_gives_up_on_a_silent_store_and_ignores_its_late_answer() {
    let (mut client, mut tape) = (Client::new(), Tape::new(5));
    let mut store = Blocking::new(&mut client, &mut tape, Patience(10, 0));
    assert_eq!(store.read_number("a"), Err(BlockingError::TimedOut));
    tape.feed(2, 1, b"1");
    tape.feed(2, 2, b"2");
    tape.feed(2, 3, b"x");
    tape.feed(2, 4, &[b'9'; 65]);
    let mut store = Blocking::new(&mut client, &mut tape, Patience(10, 0));
    assert_eq!(store.read_number("b"), Ok(2));
    assert_eq!(store.read_number("c"), Err(BlockingError::Unreadable));
    let mut value = [0; 64];
    assert_eq!(store.read("d", &mut value), Err(BlockingError::Unreadable));
}
