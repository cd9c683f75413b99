//! From a frontend directory in xenstore to the streams of a device.
//!
//! The toolstack writes the configuration into the frontend's directory, which the guest owns: so
//! all of it is a claim. [`Survey`] names the nodes to fetch, within constant bounds, and
//! keeps them in a [`Tree`]; [`device`] turns the tree into a [`DeviceLink`] or into the one
//! sentence that says which node is wrong.
//!
//! Layout: `xen/include/public/io/sndif.h`; defaults: those of Linux' `snd_xen_front`.

mod fault;
mod survey;
mod tree;

pub use fault::{ConfigFault, Wrong};
pub use survey::{Survey, Want};
pub use tree::{Key, Place, Tree};

use crate::format::{FormatSet, SampleFormat};
use crate::link::{DeviceLink, Direction, Rates, StreamConfig, StreamLink, UNIQUE_ID_OCTETS};
use crate::world::{ClaimedRef, DomId, RemotePort};
use crate::xenstore::decimal;
use heapless::{String, Vec};

/// Lowest and highest rate that may be listed, in frames per second.
pub const LISTED_RATES: (u32, u32) = (4_000, 384_000);
/// The rates of a stream for which none are listed.
pub const DEFAULT_RATES: (u32, u32) = (5_512, 48_000);
/// Most channels that may be configured.
pub const CHANNELS_MOST: u32 = 32;
/// The most channels of a stream for which nothing is configured.
const DEFAULT_CHANNELS_MAX: u32 = 2;
/// Smallest and largest `buffer-size` that may be configured, in octets.
pub const BUFFER_OCTETS: (u32, u32) = (128, 1 << 20);
/// The `buffer-size` where nothing is configured.
const DEFAULT_BUFFER_OCTETS: u32 = 65_536;

/// Makes a device of a complete tree.
///
/// # Errors
/// The first node that is missing or wrong.
pub fn device(dom: DomId, tree: &Tree) -> Result<DeviceLink, ConfigFault> {
    let mut streams = Vec::new();
    for pcm in 0..tree.devices()? {
        for stream in 0..tree.streams(pcm)? {
            let at = Place::Stream(pcm, stream);
            let link = StreamLink {
                config: stream_config(tree, at)?,
                ring_ref: ClaimedRef(required_number(tree, at, Key::RingRef)?),
                ring_port: RemotePort(required_number(tree, at, Key::EventChannel)?),
                event_ref: ClaimedRef(required_number(tree, at, Key::EventRingRef)?),
                event_port: RemotePort(required_number(tree, at, Key::EventRingChannel)?),
            };
            streams
                .push(link)
                .map_err(|_| ConfigFault::new(at, None, Wrong::TooManyStreams))?;
        }
    }
    Ok(DeviceLink { dom, streams })
}

/// What one stream may do, after inheritance from its PCM device and card.
///
/// # Errors
/// The first node that is missing or wrong.
pub fn stream_config(tree: &Tree, at: Place) -> Result<StreamConfig, ConfigFault> {
    let direction = match tree.value(at, Key::Type) {
        Some(b"p") => Direction::Playback,
        Some(b"c") => Direction::Capture,
        Some(_) => return Err(ConfigFault::new(at, Some(Key::Type), Wrong::NotADirection)),
        None => return Err(ConfigFault::new(at, Some(Key::Type), Wrong::Missing)),
    };
    let channels = 1..=CHANNELS_MOST;
    let (_, channels_min) = inherited_number(tree, at, Key::ChannelsMin, &channels, 1)?;
    let most = DEFAULT_CHANNELS_MAX;
    let (place, channels_max) = inherited_number(tree, at, Key::ChannelsMax, &channels, most)?;
    if channels_max < channels_min {
        let key = Some(Key::ChannelsMax);
        return Err(ConfigFault::new(place, key, Wrong::BelowMinimum));
    }
    let octets = BUFFER_OCTETS.0..=BUFFER_OCTETS.1;
    let default = DEFAULT_BUFFER_OCTETS;
    let (_, buffer_octets) = inherited_number(tree, at, Key::BufferSize, &octets, default)?;
    Ok(StreamConfig {
        direction,
        unique_id: unique_id(tree, at)?,
        formats: formats(tree, at)?,
        rates: rates(tree, at)?,
        channels_min: u8::try_from(channels_min).unwrap_or(u8::MAX),
        channels_max: u8::try_from(channels_max).unwrap_or(u8::MAX),
        buffer_octets,
    })
}

/// The stream's `unique-id`, cut after [`UNIQUE_ID_OCTETS`].
fn unique_id(tree: &Tree, at: Place) -> Result<String<UNIQUE_ID_OCTETS>, ConfigFault> {
    let value = tree.value(at, Key::UniqueId).unwrap_or_default();
    let text = core::str::from_utf8(value)
        .map_err(|_| ConfigFault::new(at, Some(Key::UniqueId), Wrong::NotText))?;
    let mut id = String::new();
    for letter in text.chars() {
        if id.push(letter).is_err() {
            break;
        }
    }
    Ok(id)
}

fn formats(tree: &Tree, at: Place) -> Result<FormatSet, ConfigFault> {
    let Some((place, list)) = tree.inherited(at, Key::SampleFormats) else {
        let defaults = FormatSet::of(SampleFormat::U8);
        return Ok(defaults.union(FormatSet::of(SampleFormat::S16Le)));
    };
    let known = items(list)
        .filter_map(SampleFormat::from_name)
        .fold(FormatSet::EMPTY, |set, format| {
            set.union(FormatSet::of(format))
        })
        .intersection(FormatSet::PLAYABLE);
    if known.is_empty() {
        let key = Some(Key::SampleFormats);
        return Err(ConfigFault::new(place, key, Wrong::NothingKnown));
    }
    Ok(known)
}

fn rates(tree: &Tree, at: Place) -> Result<Rates, ConfigFault> {
    let key = Key::SampleRates;
    let Some((place, list)) = tree.inherited(at, key) else {
        let (min, max) = DEFAULT_RATES;
        return Ok(Rates::Any { min, max });
    };
    let known = items(list)
        .filter_map(|item| decimal(item.as_bytes()))
        .filter(|rate| (LISTED_RATES.0..=LISTED_RATES.1).contains(rate));
    let mut rates = Vec::new();
    for rate in known {
        if let Err(place_for) = rates.binary_search(&rate)
            && rates.insert(place_for, rate).is_err()
        {
            return Err(ConfigFault::new(place, Some(key), Wrong::TooManyRates));
        }
    }
    if rates.is_empty() {
        return Err(ConfigFault::new(place, Some(key), Wrong::NothingKnown));
    }
    Ok(Rates::Listed(rates))
}

/// The items of a comma-separated list; spaces round them are the toolstack's user's.
fn items(list: &[u8]) -> impl Iterator<Item = &str> {
    list.split(|&octet| octet == b',')
        .filter_map(|item| core::str::from_utf8(item.trim_ascii()).ok())
}

/// A number from the stream or the nearest level above it, and where it was found.
fn inherited_number(
    tree: &Tree,
    at: Place,
    key: Key,
    bounds: &core::ops::RangeInclusive<u32>,
    default: u32,
) -> Result<(Place, u32), ConfigFault> {
    let Some((place, value)) = tree.inherited(at, key) else {
        return Ok((at, default));
    };
    let wrong = |wrong| ConfigFault::new(place, Some(key), wrong);
    let number = decimal(value).ok_or_else(|| wrong(Wrong::NotANumber))?;
    if bounds.contains(&number) {
        Ok((place, number))
    } else {
        Err(wrong(Wrong::OutOfRange(*bounds.start(), *bounds.end())))
    }
}

/// A ring node: a number other than 0.
fn required_number(tree: &Tree, at: Place, key: Key) -> Result<u32, ConfigFault> {
    let wrong = |wrong| ConfigFault::new(at, Some(key), wrong);
    let value = tree.value(at, key).ok_or_else(|| wrong(Wrong::Missing))?;
    match decimal(value) {
        None => Err(wrong(Wrong::NotANumber)),
        Some(0) => Err(wrong(Wrong::OutOfRange(1, u32::MAX))),
        Some(number) => Ok(number),
    }
}
