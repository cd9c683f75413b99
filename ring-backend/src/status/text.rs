//! The nodes' texts.

use super::{LoopCounters, Path, Scene, Value};
use crate::control::{DEVICES_MOST, DataPlane, DeviceView};
use crate::statistics::Statistics;
use crate::world::DomId;
use core::fmt::{self, Write};
use heapless::Vec;

pub(super) fn loop_text(counters: LoopCounters) -> Value {
    text(&format_args!(
        "now_ns={} wakeups={} busy_ns={} card_rests={} card_wake_us={}",
        counters.now.0, counters.wakeups, counters.busy_ns, counters.rests, counters.wake_us
    ))
}

/// A device's node: its name and its value, empty if it is not to be.
pub(super) fn device_node<W, P: DataPlane<W>>(
    device: &DeviceView<'_>,
    node: usize,
    card_rate: u32,
    plane: &P,
) -> Option<(Path, Value)> {
    let mut leaf = Path::new();
    let value = match node {
        1 => {
            leaf.push_str("state").ok()?;
            text(&device.state.text())
        }
        2 => {
            leaf.push_str("error").ok()?;
            text(&device.error)
        }
        _ => {
            let stream = u8::try_from(node.checked_sub(3)?).ok()?;
            write!(leaf, "stream-{stream}").ok()?;
            let served = stream < device.streams;
            let statistics = served.then(|| plane.statistics(device.slot, stream));
            let line = statistics.flatten();
            let capture = device.captures >> stream & 1 == 1;
            line.map(|line| stream_text(&line, capture, card_rate))
                .unwrap_or_default()
        }
    };
    Some((leaf, value))
}

fn stream_text(line: &Statistics, capture: bool, card_rate: u32) -> Value {
    let mut value = text(&format_args!(
        "playing={} format={} rate={} channels={} frames={} xruns={} peak={} type={} mic={} late={}",
        u8::from(line.playing),
        line.format.map_or("-", |format| format.name()),
        line.rate,
        line.channels,
        line.frames,
        line.xruns,
        line.peak,
        if capture { 'c' } else { 'p' },
        u8::from(line.hears),
        line.late_frames
    ));
    // All of it fits; see `VALUE_OCTETS`.
    if let Some(frames) = line.added_latency_frames {
        let micros = u64::from(frames) * 1_000_000;
        if let Some(micros) = micros.checked_div(u64::from(card_rate)) {
            let _ = write!(value, " latency_us={micros}");
        }
    }
    if let Some(nanos) = line.first_sound_ns {
        let _ = write!(value, " first_sound_us={}", nanos / 1_000);
    }
    value
}

/// How many guests are given what the microphone hears, and which. Should they be too many to
/// name, the number still says so.
pub(super) fn hearing<W, P: DataPlane<W>>(scene: &Scene<'_, P>) -> Value {
    let mut guests = Vec::<DomId, DEVICES_MOST>::new();
    let devices = scene
        .control
        .slots()
        .filter_map(|slot| scene.control.device(slot));
    for device in devices {
        let hears = |stream| {
            let line = scene.plane.statistics(device.slot, stream);
            line.is_some_and(|line| line.hears)
        };
        let mut captures = (0..device.streams).filter(|stream| device.captures >> stream & 1 == 1);
        if !guests.contains(&device.dom) && captures.any(hears) {
            // There is room for a guest of each device.
            let _ = guests.push(device.dom);
        }
    }
    let mut value = text(&guests.len());
    for dom in guests {
        let _ = write!(value, " {}", dom.0);
    }
    value
}

/// A path; ours are far shorter than there is room for.
pub(super) fn path(text: fmt::Arguments<'_>) -> Path {
    let mut path = Path::new();
    let _ = path.write_fmt(text);
    path
}

/// A value; ours fit, see `VALUE_OCTETS`.
pub(super) fn text(of: &dyn fmt::Display) -> Value {
    let mut value = Value::new();
    let _ = write!(value, "{of}");
    value
}
