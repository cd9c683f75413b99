//! Requests and messages.

use crate::tape::Tape;
use ring_backend::xenstore::{
    Client, Incoming, Lost, OUTSTANDING, PAYLOAD_OCTETS, Refused, StoreError, Ticket,
};

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
