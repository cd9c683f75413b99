//! How loud everything is and how much the microphone is raised, by the codec's own amplifiers,
//! beside what is mixed.
//!
//! The master volume is at the amplifier closest to each output's converter, so that outputs that
//! share a converter share it too, and no way passes two. Muted is what drives nothing, which needs
//! no amplifier; those that can mute do so as well, since QEMU's pins drive whatever they are told.

use core::fmt;

use heapless::Vec;

use super::CardError;
use super::bring_up::drive_digital;
use super::card::Card;
use super::choice::Choice;
use super::configuration::{Configuration, Input, OUTPUTS, Output};
use super::graph::{AmpCaps, Graph};
use super::path::AmpAt;
use super::power::Power;
use super::verb::{Amp, CodecAddress, Level, Nid, Verb, VerbFault, Verbs};
use crate::{Clock, DmaPage, Micros, Regs};

/// How long verbs may hold the loop.
const VERBS: Micros = Micros::millis(4);
/// A quarter of a decibel, in 0.001 dB.
const QUARTER: i32 = 250;

/// What a person wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    /// Of all outputs, in 0.001 dB; louder than 0 is as 0.
    pub volume: i32,
    /// Nothing is heard.
    pub muted: bool,
    /// Of the input, in 0.001 dB.
    pub gain: i32,
    /// By which outputs, and of which input.
    pub choice: Choice,
}

/// The amplifier of an output or input and what it can do.
fn caps(graph: &Graph, at: AmpAt) -> AmpCaps {
    let widget = graph.widget(at.node);
    widget.map_or(AmpCaps(0), |widget| match at.amp {
        Amp::Output => widget.output_amp,
        Amp::Input(_) => widget.input_amp,
    })
}

/// The step of an amplifier closest to a level, and what it makes.
fn closest(caps: AmpCaps, level: i32) -> (u8, i32) {
    let step = i32::from(caps.quarters()).saturating_mul(QUARTER);
    let half = (step / 2).saturating_mul(level.signum());
    let wanted = level.saturating_add(half).checked_div(step).unwrap_or(0);
    let (unity, most) = (i32::from(caps.unity()), i32::from(caps.steps()));
    let at = unity.saturating_add(wanted).clamp(0, most);
    let made = at.saturating_sub(unity).saturating_mul(step);
    (u8::try_from(at).unwrap_or(0), made)
}

/// The amplifier that sets an output's volume: the one closest to the converter.
fn volume_of(graph: &Graph, output: &Output) -> Option<Nid> {
    let mut hops = output.path.hops().iter().rev();
    let adjusts = |node| {
        graph
            .widget(node)
            .is_some_and(|widget| widget.caps.output_amp() && widget.output_amp.steps() > 0)
    };
    hops.find(|hop| adjusts(hop.node)).map(|hop| hop.node)
}

/// Sets every output's volume. They are at 0 dB before, and not muted.
pub(super) fn set_volume(
    verbs: &mut impl Verbs,
    codec: CodecAddress,
    graph: &Graph,
    configuration: &Configuration,
    levels: Levels,
) -> Result<(), VerbFault> {
    let mut done: Vec<Nid, OUTPUTS> = Vec::new();
    for output in configuration.outputs() {
        let Some(node) = volume_of(graph, output) else {
            continue;
        };
        if !done.contains(&node) {
            let amp = AmpAt {
                node,
                amp: Amp::Output,
            };
            let caps = caps(graph, amp);
            let (gain, _) = closest(caps, levels.volume.min(0));
            let mute = levels.muted && caps.mutes();
            let level = Level { mute, gain };
            verbs.ask(codec, node, Verb::amp(amp.amp, level))?;
            // There is room for all outputs'.
            let _ = done.push(node);
        }
    }
    Ok(())
}

/// The steps of an input's amplifiers, and what they make together: as much as there is by the
/// boost, which raises the sound before the converter's noise, and the rest by the other.
fn gains(graph: &Graph, input: &Input, gain: i32) -> ([Option<(AmpAt, u8)>; 2], i32) {
    let mut made: i32 = 0;
    let mut step = |at: Option<AmpAt>, level: i32| {
        let at = at?;
        let (step, makes) = closest(caps(graph, at), level);
        made = made.saturating_add(makes);
        Some((at, step, makes))
    };
    let whole = input.boost.map_or(0, |at| {
        let step = i32::from(caps(graph, at).quarters()).saturating_mul(QUARTER);
        let steps = gain.max(0).checked_div(step).unwrap_or(0);
        steps.saturating_mul(step)
    });
    let boost = step(input.boost, whole);
    let rest = gain.saturating_sub(boost.map_or(0, |boost| boost.2));
    let volume = step(input.volume, rest);
    let both = [boost, volume].map(|one| one.map(|(at, step, _)| (at, step)));
    (both, made)
}

/// Sets an input's gain. It is at 0 dB before.
pub(super) fn set_gain(
    verbs: &mut impl Verbs,
    codec: CodecAddress,
    graph: &Graph,
    input: &Input,
    gain: i32,
) -> Result<(), VerbFault> {
    let (steps, _) = gains(graph, input, gain);
    for (at, gain) in steps.into_iter().flatten() {
        let level = Level { mute: false, gain };
        verbs.ask(codec, at.node, Verb::amp(at.amp, level))?;
    }
    Ok(())
}

impl<R: Regs, C: Clock + Clone, P: DmaPage> Card<R, C, P> {
    /// Makes everything as loud as that from now on, as far as the codec has amplifiers for it.
    ///
    /// # Errors
    /// The codec does not answer: what is set up anew the next time is as loud as that.
    pub fn set_levels(&mut self, levels: Levels) -> Result<(), CardError> {
        self.levels = levels;
        self.jacks.mute(levels.muted);
        self.jacks.choice = levels.choice;
        if !matches!(self.power, Power::On { .. }) {
            return Ok(());
        }
        let now = self.controller.clock.now();
        self.look_now(now);
        self.controller.limit_verbs(Some(now.plus(VERBS)));
        let stream = self.digital_stream();
        let Self {
            controller,
            codec,
            configuration,
            ..
        } = self;
        let set = drive_digital(controller, codec, configuration, stream)
            .and_then(|()| self.set_volumes())
            .and_then(|()| self.set_input_gain());
        self.controller.limit_verbs(None);
        Ok(set?)
    }

    /// Sets all outputs' volumes, whatever they are.
    pub(super) fn set_volumes(&mut self) -> Result<(), VerbFault> {
        let (codec, configuration) = (&self.codec, &self.configuration);
        let (address, graph, levels) = (codec.address, &codec.graph, self.levels);
        set_volume(&mut self.controller, address, graph, configuration, levels)
    }

    /// What the levels are now.
    #[must_use]
    pub fn levels(&self) -> Shown<'_> {
        Shown {
            levels: self.levels,
            graph: &self.codec.graph,
            configuration: &self.configuration,
            input: self.input(),
        }
    }
}

/// What was asked for, what the codec makes of it, and what it has no amplifier for.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    levels: Levels,
    graph: &'a Graph,
    configuration: &'a Configuration,
    input: Option<&'a Input>,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            levels,
            graph,
            configuration,
            input,
        } = self;
        let outputs = configuration.outputs().iter();
        let amps = outputs.map(|output| volume_of(graph, output));
        let made = amps.clone().flatten().next().map(|node| {
            let amp = AmpAt {
                node,
                amp: Amp::Output,
            };
            closest(caps(graph, amp), levels.volume.min(0)).1
        });
        let fixed = amps.filter(Option::is_none).count();
        write!(
            f,
            "volume={} mute={}",
            made.unwrap_or(0),
            u8::from(levels.muted)
        )?;
        if fixed > 0 {
            write!(f, " fixed_outputs={fixed}")?;
        }
        match input {
            Some(input) if input.volume.is_none() && input.boost.is_none() => {
                f.write_str(" gain=0 fixed_input=1")
            }
            Some(input) => write!(f, " gain={}", gains(graph, input, levels.gain).1),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_step_is_taken_and_no_other_amplifier_has() {
        // 31 steps of 1.5 dB, 0 dB at 23.
        let amp = AmpCaps(0x8005_1F17);
        for (level, step, made) in [
            (0, 23, 0),
            (-700, 23, 0),
            (-800, 22, -1500),
            (-6000, 19, -6000),
            (-200_000, 0, -34_500),
            (12_000, 31, 12_000),
            (20_000, 31, 12_000),
            (i32::MAX, 31, 12_000),
            (i32::MIN, 0, -34_500),
        ] {
            assert_eq!(closest(amp, level), (step, made), "{level}");
        }
        assert_eq!(closest(AmpCaps(0), -6000), (0, 0));
    }
}
