//! Configurations as toolstacks write them and as guests may twist them.

use ring_backend::config::{self, ConfigFault, Place, Survey, Want, Wrong};
use ring_backend::format::{FormatSet, SampleFormat};
use ring_backend::link::{DeviceLink, Direction, Rates};
use ring_backend::world::{ClaimedRef, DomId, RemotePort};
use ring_backend::xenstore::StoreError;
use std::collections::{BTreeMap, BTreeSet};

/// A frontend directory: paths relative to it, and values.
type Nodes = BTreeMap<String, Vec<u8>>;

/// One PCM device with one playback stream, and only what has to be there.
fn least() -> Nodes {
    nodes(&[
        ("0/0/type", "p"),
        ("0/0/ring-ref", "8"),
        ("0/0/event-channel", "15"),
        ("0/0/evt-ring-ref", "9"),
        ("0/0/evt-event-channel", "16"),
    ])
}

fn nodes(list: &[(&str, &str)]) -> Nodes {
    let nodes = list.iter();
    nodes
        .map(|(path, value)| ((*path).into(), value.as_bytes().to_vec()))
        .collect()
}

/// The least, with some nodes set besides.
fn with(list: &[(&str, &str)]) -> Nodes {
    let mut all = least();
    all.extend(nodes(list));
    all
}

fn without(path: &str) -> Nodes {
    let mut all = least();
    all.remove(path);
    all
}

/// Answers a want as xenstored would.
fn answer(nodes: &Nodes, want: Want) -> Result<Vec<u8>, StoreError> {
    let directory = |at: Place| match at {
        Place::Card => String::new(),
        at => format!("{at}/"),
    };
    match want {
        Want::Value(at, key) => {
            let path = directory(at) + key.name();
            nodes.get(&path).cloned().ok_or(StoreError::NotFound)
        }
        Want::Listing(at) => {
            let directory = directory(at);
            let below = nodes
                .keys()
                .filter_map(|path| path.strip_prefix(&directory));
            let names: BTreeSet<_> = below.filter_map(|path| path.split('/').next()).collect();
            let names = names.into_iter().filter(|name| !name.is_empty());
            Ok(names
                .flat_map(|name| [name.as_bytes(), b"\0"].concat())
                .collect())
        }
    }
}

/// Fetches with three answers outstanding, as the control plane does, and configures.
fn configure(nodes: &Nodes) -> Result<DeviceLink, ConfigFault> {
    let mut survey = Survey::new();
    survey.restart();
    let mut asked = Vec::new();
    for _ in 0..1_000 {
        while asked.len() < 3
            && let Some(want) = survey.take()
        {
            asked.push(want);
        }
        let Some(want) = asked.pop() else {
            return config::device(DomId(3), survey.tree());
        };
        let answer = answer(nodes, want);
        survey.answer(want, answer.as_deref().map_err(|&error| error))?;
    }
    panic!("the survey does not end");
}

/// The sentence that a configuration is refused with.
fn sentence(nodes: &Nodes) -> String {
    configure(nodes).expect_err("is refused").to_string()
}

#[test]
fn a_card_without_any_parameter_gets_what_linux_assumes() {
    let link = configure(&least()).expect("is enough");
    let [stream] = &link.streams[..] else {
        panic!("{link:?}");
    };
    let mut formats = FormatSet::of(SampleFormat::U8);
    formats.insert(SampleFormat::S16Le);
    assert_eq!(link.dom, DomId(3));
    assert_eq!(stream.config.direction, Direction::Playback);
    assert_eq!(stream.config.formats, formats);
    assert_eq!(
        stream.config.rates,
        Rates::Any {
            min: 5512,
            max: 48_000
        }
    );
    assert_eq!(
        (stream.config.channels_min, stream.config.channels_max),
        (1, 2)
    );
    assert_eq!(stream.config.buffer_octets, 65_536);
    assert_eq!(stream.config.unique_id, "");
    assert_eq!(
        (stream.ring_ref, stream.event_ref),
        (ClaimedRef(8), ClaimedRef(9))
    );
    assert_eq!(
        (stream.ring_port, stream.event_port),
        (RemotePort(15), RemotePort(16))
    );
}

#[test]
fn a_parameter_comes_from_the_nearest_level_that_has_it() {
    let link = configure(&with(&[
        ("sample-rates", "44100,48000"),
        ("sample-formats", "s16_le"),
        ("channels-max", "6"),
        ("buffer-size", "4096"),
        ("0/sample-rates", "96000"),
        ("0/channels-min", "2"),
        ("0/0/channels-max", "4"),
        ("0/0/buffer-size", "8192"),
    ]))
    .expect("is good");
    let config = &link.streams[0].config;
    assert_eq!(config.rates, Rates::Listed([96_000].into_iter().collect()));
    assert_eq!(config.formats, FormatSet::of(SampleFormat::S16Le));
    assert_eq!((config.channels_min, config.channels_max), (2, 4));
    assert_eq!(config.buffer_octets, 8192);
}

#[test]
fn streams_of_several_devices_come_in_the_order_of_their_directories() {
    let mut all = Nodes::new();
    for pcm in 0..4 {
        for stream in 0..4 {
            for (path, value) in least() {
                let leaf = path.strip_prefix("0/0/").expect("a stream's");
                all.insert(format!("{pcm}/{stream}/{leaf}"), value);
            }
            let id = format!("s{pcm}{stream}").into_bytes();
            all.insert(format!("{pcm}/{stream}/unique-id"), id);
        }
    }
    let link = configure(&all).expect("sixteen streams are not too many");
    let ids: Vec<_> = link
        .streams
        .iter()
        .map(|stream| stream.config.unique_id.as_str())
        .collect();
    assert_eq!(ids.len(), 16);
    assert!(ids.is_sorted(), "{ids:?}");
    all.insert("4/0/type".into(), b"p".to_vec());
    assert_eq!(
        sentence(&all),
        "4/0: is one stream too many; a card may have 16"
    );
}

#[test]
fn lists_keep_what_is_known_once_and_in_order() {
    let link = configure(&with(&[
        (
            "sample-rates",
            "48000, 8000,22.05k,,48000,1,4000000000,99999999999,44100",
        ),
        ("sample-formats", "s16_le,f99_le, u8 ,S16_LE,ima_adpcm"),
    ]))
    .expect("is good");
    let config = &link.streams[0].config;
    let rates = [8000, 44_100, 48_000].into_iter().collect();
    assert_eq!(config.rates, Rates::Listed(rates));
    assert!(config.formats.contains(SampleFormat::U8));
    assert!(config.formats.contains(SampleFormat::S16Le));
    assert_eq!(
        config.formats.intersection(FormatSet::PLAYABLE),
        config.formats
    );
}

#[test]
fn every_fault_is_one_sentence_that_names_the_node() {
    let long: Vec<_> = (0..17).map(|n| (8000 + n).to_string()).collect();
    let long = long.join(",");
    for (nodes, wanted) in [
        (Nodes::new(), "the frontend's directory: has no PCM device"),
        (nodes(&[("0/name", "x")]), "0: has no stream"),
        (
            with(&[("2/0/type", "p")]),
            "the frontend's directory: is not numbered 0, 1, 2 without gaps",
        ),
        (
            with(&[("0/2/type", "p")]),
            "0: is not numbered 0, 1, 2 without gaps",
        ),
        (
            with(&[("16/0/type", "p")]),
            "16: is one stream too many; a card may have 16",
        ),
        (
            with(&[("0/4000000000/type", "p")]),
            "0/255: is one stream too many; a card may have 16",
        ),
        (without("0/0/type"), "0/0/type: is missing"),
        (with(&[("0/0/type", "P")]), "0/0/type: is neither p nor c"),
        (without("0/0/ring-ref"), "0/0/ring-ref: is missing"),
        (
            without("0/0/evt-event-channel"),
            "0/0/evt-event-channel: is missing",
        ),
        (
            with(&[("0/0/ring-ref", "0")]),
            "0/0/ring-ref: is not between 1 and 4294967295",
        ),
        (
            with(&[("0/0/event-channel", "-1")]),
            "0/0/event-channel: is not a decimal number",
        ),
        (
            with(&[("channels-min", "0")]),
            "channels-min: is not between 1 and 32",
        ),
        (
            with(&[("channels-max", "33")]),
            "channels-max: is not between 1 and 32",
        ),
        (
            with(&[("0/channels-max", "two")]),
            "0/channels-max: is not a decimal number",
        ),
        (
            with(&[("channels-max", "2"), ("0/0/channels-min", "3")]),
            "channels-max: is less than channels-min",
        ),
        (
            with(&[("channels-min", "3")]),
            "0/0/channels-max: is less than channels-min",
        ),
        (
            with(&[("buffer-size", "127")]),
            "buffer-size: is not between 128 and 1048576",
        ),
        (
            with(&[("0/0/buffer-size", "1048577")]),
            "0/0/buffer-size: is not between 128 and 1048576",
        ),
        (
            with(&[("0/sample-rates", "")]),
            "0/sample-rates: names nothing that this backend can play",
        ),
        (
            with(&[("sample-rates", "1,2,3")]),
            "sample-rates: names nothing that this backend can play",
        ),
        (
            with(&[("sample-rates", &long)]),
            "sample-rates: names more than 16 rates",
        ),
        (
            with(&[("sample-formats", "ima_adpcm")]),
            "sample-formats: names nothing that this backend can play",
        ),
    ] {
        assert_eq!(sentence(&nodes), wanted);
    }
}

#[test]
fn a_unique_id_is_text_and_cut_after_64_octets() {
    let long = "ü".repeat(40);
    let link = configure(&with(&[("0/0/unique-id", &long)])).expect("is good");
    assert_eq!(link.streams[0].config.unique_id, "ü".repeat(32).as_str());
    let mut all = least();
    all.insert("0/0/unique-id".into(), vec![0xff]);
    assert_eq!(sentence(&all), "0/0/unique-id: is not UTF-8");
}

#[test]
fn values_too_long_to_keep_are_refused() {
    let value = "48000,".repeat(600);
    let mut all = least();
    for path in ["sample-rates", "0/sample-rates", "0/0/sample-rates"] {
        all.insert(path.into(), value.clone().into_bytes());
    }
    assert!(sentence(&all).ends_with("holds more than this backend keeps"));
}

#[test]
fn nodes_that_mean_nothing_are_not_fetched() {
    let mut all = least();
    for number in 0..500 {
        all.insert(format!("rubbish-{number}"), vec![b'x'; 2000]);
        all.insert(format!("0/rubbish-{number}"), vec![b'x'; 2000]);
        all.insert(format!("0/0/{number}/type"), vec![b'x'; 2000]);
        all.insert(format!("01/0{number}/type"), vec![b'x'; 2000]);
    }
    all.insert("ring-ref".into(), vec![b'x'; 2000]);
    assert!(configure(&all).is_ok());
}

#[test]
fn what_xenstore_refuses_is_said_with_the_node() {
    let mut survey = Survey::new();
    survey.restart();
    let want = survey.take().expect("a first want");
    let fault = survey
        .answer(want, Err(StoreError::TooLong))
        .expect_err("is said");
    assert_eq!(
        fault.to_string(),
        "the frontend's directory: cannot be read: too long"
    );
    assert_eq!(fault.wrong, Wrong::Unreadable(StoreError::TooLong));
}

#[test]
fn no_directory_of_numbers_and_known_names_makes_the_survey_fail_to_end() {
    // Everything that a guest can name at every level, at once and in part.
    let names = [
        "channels-min",
        "sample-rates",
        "type",
        "ring-ref",
        "unique-id",
        "0",
        "1",
        "2",
        "15",
        "16",
        "00",
    ];
    for mask in 0_u32..1 << names.len() {
        let mut all = least();
        for (bit, name) in names.iter().enumerate() {
            if mask & (1 << bit) != 0 {
                all.insert(format!("{name}/{}/type", names[bit / 2]), b"p".to_vec());
                all.insert(format!("0/{name}"), b"3".to_vec());
                all.insert(format!("0/0/{name}"), b"3".to_vec());
            }
        }
        // Any answer will do; an endless survey panics.
        let _ = configure(&all);
    }
}
