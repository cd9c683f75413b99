//! The xenstore client against a hand-fed wire.

use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write, WriteReady};
use ring_backend::xenstore::{
    Blocking, BlockingError, Client, Header, Incoming, Kind, Lost, OUTSTANDING, PAYLOAD_OCTETS,
    Refused, StoreError, Ticket, Waiter,
};
use std::collections::VecDeque;

/// A wire that gives at most `piece` octets at a time and takes at most `room`.
#[derive(Default)]
struct Tape {
    to_client: VecDeque<u8>,
    from_client: Vec<u8>,
    piece: usize,
    room: usize,
    broken: bool,
}

impl Tape {
    fn new(piece: usize) -> Self {
        Self {
            piece,
            room: usize::MAX,
            ..Self::default()
        }
    }

    fn feed(&mut self, kind: u32, request: u32, payload: &[u8]) {
        self.feed_header(kind, request, payload.len() as u32);
        self.to_client.extend(payload);
    }

    fn feed_header(&mut self, kind: u32, request: u32, length: u32) {
        let header = Header {
            kind: Kind::from_number(kind),
            request,
            transaction: 0,
            length,
        };
        self.to_client.extend(header.emit());
    }
}

impl ErrorType for Tape {
    type Error = ErrorKind;
}

impl ReadReady for Tape {
    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        if self.broken {
            return Err(ErrorKind::Other);
        }
        Ok(!self.to_client.is_empty())
    }
}

impl Read for Tape {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        assert!(!buffer.is_empty(), "a read that can give nothing");
        let octets = buffer.len().min(self.piece).min(self.to_client.len());
        for (place, octet) in buffer.iter_mut().zip(self.to_client.drain(..octets)) {
            *place = octet;
        }
        Ok(octets)
    }
}

impl WriteReady for Tape {
    fn write_ready(&mut self) -> Result<bool, ErrorKind> {
        Ok(self.room > 0)
    }
}

impl Write for Tape {
    fn write(&mut self, buffer: &[u8]) -> Result<usize, ErrorKind> {
        let octets = buffer.len().min(self.piece).min(self.room);
        self.from_client.extend(&buffer[..octets]);
        self.room -= octets;
        Ok(octets)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

/// What came in, owned.
#[derive(Debug, PartialEq)]
enum Came {
    Reply(Ticket, Result<Vec<u8>, StoreError>),
    Event(String, String),
}

fn drain(client: &mut Client, tape: &mut Tape) -> Vec<Came> {
    let mut came = Vec::new();
    while let Some(incoming) = client.poll(tape).expect("the tape holds") {
        came.push(match incoming {
            Incoming::Reply(reply) => Came::Reply(reply.ticket, reply.result.map(<[u8]>::to_vec)),
            Incoming::Event { path, token } => Came::Event(path.into(), token.into()),
        });
    }
    came
}

#[test]
fn requests_look_as_xenstored_wants_them() {
    let (mut client, mut tape) = (Client::new(), Tape::new(usize::MAX));
    client.write("data/x", b"7").expect("room");
    client.watch("backend/vsnd", "b").expect("room");
    assert!(drain(&mut client, &mut tape).is_empty());
    let mut wanted = Vec::new();
    for (kind, request, payload) in [(11, 1, &b"data/x\x007"[..]), (4, 2, b"backend/vsnd\0b\0")] {
        for field in [kind, request, 0, payload.len() as u32] {
            wanted.extend(u32::to_le_bytes(field));
        }
        wanted.extend(payload);
    }
    assert_eq!(tape.from_client, wanted);
}

#[test]
fn messages_are_the_same_in_pieces_of_every_size() {
    for piece in 1..80 {
        let (mut client, mut tape) = (Client::new(), Tape::new(piece));
        let first = client.read("a").expect("room");
        let second = client.directory("b").expect("room");
        tape.feed(15, 0, b"backend/vsnd/3\0b\0");
        tape.feed(1, 2, b"0\x001\0");
        tape.feed(16, 1, b"ENOENT\0");
        assert_eq!(
            drain(&mut client, &mut tape),
            [
                Came::Event("backend/vsnd/3".into(), "b".into()),
                Came::Reply(second, Ok(b"0\x001\0".to_vec())),
                Came::Reply(first, Err(StoreError::NotFound)),
            ],
            "in pieces of {piece}"
        );
        assert_eq!(client.waiting(), 0);
    }
}

#[test]
fn a_message_cut_anywhere_is_kept_until_its_rest_comes() {
    let mut whole = Tape::new(usize::MAX);
    whole.feed(2, 1, b"value");
    let bytes: Vec<u8> = whole.to_client.into();
    for cut in 0..bytes.len() {
        let (mut client, mut tape) = (Client::new(), Tape::new(usize::MAX));
        let ticket = client.read("a").expect("room");
        tape.to_client.extend(&bytes[..cut]);
        assert!(drain(&mut client, &mut tape).is_empty());
        tape.to_client.extend(&bytes[cut..]);
        assert_eq!(
            drain(&mut client, &mut tape),
            [Came::Reply(ticket, Ok(b"value".to_vec()))]
        );
    }
}

#[test]
fn what_nobody_asked_for_is_skipped_and_counted() {
    let (mut client, mut tape) = (Client::new(), Tape::new(7));
    let ticket = client.read("a").expect("room");
    tape.feed(2, 99, b"wrong number");
    tape.feed(1, 1, b"wrong kind");
    tape.feed(77, 1, b"unknown kind");
    tape.feed(15, 0, b"no token");
    tape.feed(15, 0, b"");
    tape.feed(15, 0, b"\xff\xfe\0\xfd\0");
    tape.feed(2, 0, b"");
    tape.feed(2, 1, b"right");
    assert_eq!(
        drain(&mut client, &mut tape),
        [Came::Reply(ticket, Ok(b"right".to_vec()))]
    );
    assert_eq!(client.strays(), 7);
}

#[test]
fn a_message_longer_than_allowed_is_skipped_to_its_end() {
    let (mut client, mut tape) = (Client::new(), Tape::new(1000));
    let first = client.directory("a").expect("room");
    let second = client.read("b").expect("room");
    tape.feed(1, 1, &vec![b'x'; PAYLOAD_OCTETS + 1]);
    tape.feed(15, 0, &vec![b'x'; 3 * PAYLOAD_OCTETS]);
    tape.feed(2, 2, &vec![b'y'; PAYLOAD_OCTETS]);
    assert_eq!(
        drain(&mut client, &mut tape),
        [
            Came::Reply(first, Err(StoreError::TooLong)),
            Came::Reply(second, Ok(vec![b'y'; PAYLOAD_OCTETS])),
        ]
    );
    // A length without end takes all that comes, and nothing else.
    tape.feed_header(2, 3, u32::MAX);
    tape.to_client.extend(std::iter::repeat_n(0, 100_000));
    assert!(drain(&mut client, &mut tape).is_empty());
    assert!(tape.to_client.is_empty());
}

#[test]
fn no_more_requests_wait_than_may() {
    let (mut client, mut tape) = (Client::new(), Tape::new(usize::MAX));
    for _ in 0..OUTSTANDING {
        client.read("a").expect("room");
    }
    assert_eq!(client.read("a"), Err(Refused::Busy));
    tape.feed(2, 3, b"");
    assert_eq!(drain(&mut client, &mut tape).len(), 1);
    assert!(client.read("a").is_ok());
}

#[test]
fn what_cannot_be_sent_is_refused() {
    let mut client = Client::new();
    let long = "x".repeat(1000);
    for path in ["", "a\0b", &long] {
        assert_eq!(client.read(path), Err(Refused::Malformed), "{path:?}");
    }
    assert_eq!(client.write("a", &[0; 5000]), Err(Refused::Malformed));
    assert_eq!(client.waiting(), 0);
}

#[test]
fn a_full_transport_gets_the_rest_later() {
    let (mut client, mut tape) = (Client::new(), Tape::new(usize::MAX));
    client.write("data/x", &[b'v'; 100]).expect("room");
    let mut whole = Vec::new();
    for _ in 0..50 {
        tape.room = 3;
        assert!(drain(&mut client, &mut tape).is_empty());
        whole.append(&mut tape.from_client);
    }
    assert_eq!(whole.len(), 16 + 7 + 100);
    assert!(whole.ends_with(&[b'v'; 100]));
}

#[test]
fn a_broken_transport_is_reported() {
    let (mut client, mut tape) = (Client::new(), Tape::new(1));
    tape.broken = true;
    assert_eq!(client.poll(&mut tape), Err(Lost));
}

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
