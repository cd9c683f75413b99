//! Of several microphones the one that is plugged in is recorded from, and none listens while nobody
//! records.

use drivers::Clock;
use drivers::hda::card::{Card, Options};
use drivers::hda::choice::{Choice, Pickup};
use drivers::hda::levels::Levels;
use drivers::hda::pins::{Place, Source};
use drivers::hda::verb::{CodecAddress, Nid, Verb, Verbs};
use tests::hda_sim::codec::{Codec, Kind, Widget};
use tests::hda_sim::{Faults, Machine, Model, SimClock, SimPage, SimRegs, heard_at};

type SimCard = Card<SimRegs, SimClock, SimPage>;

const SPEAKER: u8 = 3;
const INTERNAL: u8 = 6;
const JACK: u8 = 7;
/// What firmware leaves in an input pin's control: listen, with bias.
const LISTENS: u8 = 0x24;
/// A gap while one takes over from the other.
const GAP_MILLIS: usize = 10;

/// A laptop's codec with two microphones that both listen from the start.
fn codec(first: Widget, second: Widget) -> Codec {
    const PCM: u32 = 0x0002_0060;
    let mic = |config| Widget::new(Kind::Pin).pin(1 << 5 | 1 << 12, config);
    let widgets = vec![
        Widget::new(Kind::Dac).pcm(PCM),
        Widget::new(Kind::Pin).pin(1 << 4, 0x9017_0110).from(&[2]),
        first,
        second,
        mic(0x90A6_0130),
        mic(0x03A1_1040).senses(),
    ];
    let mut codec = Codec::new(0x0000_1A99, PCM, 2, widgets);
    for pin in [INTERNAL, JACK] {
        let verb = Verb::pin_control(LISTENS);
        codec.ask(CodecAddress::FIRST, Nid(pin), verb).expect("set");
    }
    codec
}

/// Ways from microphones to a converter: name, codec.
fn ways() -> Vec<(&'static str, Codec)> {
    const PCM: u32 = 0x0002_0060;
    let adc = || Widget::new(Kind::Adc).pcm(PCM).powered();
    let both = |kind| Widget::new(kind).powered().from(&[INTERNAL, JACK]);
    let mixer = both(Kind::Mixer).input_amp(0x8000_0000);
    vec![
        ("selector", codec(both(Kind::Selector), adc().from(&[4]))),
        ("mixer", codec(mixer, adc().from(&[4]))),
        ("plain mixer", codec(both(Kind::Mixer), adc().from(&[4]))),
        (
            "two converters",
            codec(adc().from(&[INTERNAL]), adc().from(&[JACK])),
        ),
    ]
}

fn bring_up(machine: &Machine) -> SimCard {
    let (regs, clock) = (machine.regs(), machine.clock());
    Card::bring_up(regs, &mut machine.memory(), clock, &Options::default()).expect("it comes up")
}

/// Records for `millis` more, as the domain's loop does.
fn record(card: &mut SimCard, machine: &Machine, recorded: &mut Vec<u8>, millis: u64) {
    let octets = card.input_format().expect("an input").frame_octets();
    for _ in 0..millis {
        machine.pass(1000);
        let now = machine.clock().now();
        card.follow_jacks(now);
        card.position(now).expect("it plays on");
        let end = card.input_position(now).expect("it records on");
        let at = (recorded.len() / octets) as u64;
        // A codec that does not answer holds the loop for some time.
        assert!(end >= at && end - at < 4000, "{at} to {end}");
        let mut more = vec![0; (end - at) as usize * octets];
        card.read_input(at, &mut more);
        recorded.extend(more);
    }
}

/// The pins that were heard one after the other, each with how many octets, and 0 for silence.
fn pins(recorded: &[u8]) -> Vec<(u8, usize)> {
    let mut pins: Vec<(u8, usize)> = Vec::new();
    for (at, &octet) in (0..).zip(recorded) {
        let by = |pin| heard_at(pin, at) == octet;
        let last = pins.last().map(|&(pin, _)| pin);
        // Some octets are alike at both pins.
        let pin = match last {
            _ if octet == 0 => 0,
            Some(pin) if by(pin) => pin,
            _ if by(INTERNAL) => INTERNAL,
            _ if by(JACK) => JACK,
            _ => panic!("octet {at} is {octet:#x}"),
        };
        match pins.last_mut() {
            Some((last, count)) if *last == pin => *count += 1,
            _ => pins.push((pin, 1)),
        }
    }
    pins
}

#[test]
fn the_microphone_that_a_person_chose_is_recorded_from_whatever_is_plugged_in() {
    for (name, codec) in ways() {
        let machine = Machine::new(Model::Chip, [(0, codec)]);
        let mut card = bring_up(&machine);
        machine.plug(0, JACK, true);
        card.start().expect("it plays");
        card.start_input().expect("it records");
        let mut recorded = Vec::new();
        record(&mut card, &machine, &mut recorded, 500);
        let at = |place| {
            Some(Pickup {
                source: Source::Mic,
                place: Some(place),
            })
        };
        // There is none at the front.
        for pickup in [
            at(Place::Internal),
            at(Place::Front),
            at(Place::Internal),
            None,
        ] {
            let choice = Choice {
                pickup,
                ..Choice::default()
            };
            let levels = Levels {
                choice,
                ..Levels::default()
            };
            card.set_levels(levels).expect("it is set");
            record(&mut card, &machine, &mut recorded, 500);
        }
        let heard = pins(&recorded).into_iter().filter(|pin| pin.0 != 0);
        let heard: Vec<u8> = heard.map(|pin| pin.0).collect();
        let wanted = [INTERNAL, JACK, INTERNAL, JACK, INTERNAL, JACK];
        assert_eq!(heard, wanted, "{name}");
    }
}

#[test]
fn a_plugged_microphone_takes_over_while_the_stream_runs_on() {
    for (name, codec) in ways() {
        for model in [Model::Qemu, Model::Chip] {
            for no_reports in [false, true] {
                let faults = Faults {
                    no_reports,
                    ..Faults::default()
                };
                let machine = Machine::new(model, [(0, codec.clone())]).with(faults);
                let mut card = bring_up(&machine);
                card.start().expect("it plays");
                card.start_input().expect("it records");
                let mut recorded = Vec::new();
                for plugged in [false, true, false] {
                    machine.plug(0, JACK, plugged);
                    record(&mut card, &machine, &mut recorded, 500);
                }
                let pins = pins(&recorded);
                let gap = GAP_MILLIS * 48 * 4;
                let heard: Vec<u8> = pins
                    .iter()
                    .filter(|pin| pin.0 != 0)
                    .map(|pin| pin.0)
                    .collect();
                assert_eq!(heard, [INTERNAL, JACK, INTERNAL], "{name}: {pins:?}");
                let gaps = pins.iter().filter(|pin| pin.0 == 0);
                assert!(gaps.clone().all(|pin| pin.1 <= gap), "{name}: {pins:?}");
                let state = machine.state();
                assert_eq!(state.violations(), [""; 0], "{name}");
                assert_eq!(state.codec(0).expect("a codec").blind_sets(), 0, "{name}");
            }
        }
    }
}

#[test]
fn what_is_plugged_in_while_nobody_records_is_recorded_from() {
    for (name, codec) in ways() {
        let machine = Machine::new(Model::Chip, [(0, codec)]);
        let mut card = bring_up(&machine);
        card.start().expect("it plays");
        for (plugged, pin) in [(true, JACK), (false, INTERNAL), (true, JACK)] {
            machine.plug(0, JACK, plugged);
            machine.pass(1000);
            assert!(card.follow_jacks(machine.clock().now()));
            card.start_input().expect("it records");
            let mut recorded = Vec::new();
            record(&mut card, &machine, &mut recorded, 20);
            card.stop_input().expect("it stops");
            let heard: Vec<u8> = pins(&recorded).iter().map(|pin| pin.0).collect();
            assert_eq!(heard, [pin], "{name}");
        }
    }
}

#[test]
fn what_is_plugged_in_while_the_card_rests_is_recorded_from_once_it_wakes() {
    for (name, codec) in ways() {
        let machine = Machine::new(Model::Chip, [(0, codec)]);
        let mut card = bring_up(&machine);
        for (plugged, pin) in [(true, JACK), (false, INTERNAL)] {
            while let Some(next) = card.rest(machine.clock().now()) {
                let now = machine.clock().now();
                machine.pass(next.since(now).0 + 1);
            }
            machine.plug(0, JACK, plugged);
            assert!(
                !card.follow_jacks(machine.clock().now()),
                "{name}: it rests"
            );
            card.start_input().expect("it records");
            assert!(
                card.follow_jacks(machine.clock().now()),
                "{name}: told once"
            );
            let mut recorded = Vec::new();
            for _ in 0..20 {
                machine.pass(1000);
                let end = card
                    .input_position(machine.clock().now())
                    .expect("it goes on");
                recorded.resize(end as usize * 4, 0);
            }
            card.read_input(0, &mut recorded);
            let heard: Vec<u8> = pins(&recorded).iter().map(|pin| pin.0).collect();
            assert_eq!(heard, [pin], "{name}");
            card.stop_input().expect("it stops");
        }
    }
}

#[test]
fn a_jack_that_a_person_makes_an_output_is_recorded_from_no_more() {
    const PCM: u32 = 0x0002_0060;
    let adc = Widget::new(Kind::Adc).pcm(PCM).from(&[INTERNAL, JACK]);
    let jack = Widget::new(Kind::Pin).pin(1 << 5 | 1 << 4, 0x03A1_1040);
    let codec = codec(Widget::new(Kind::Vendor), adc).replaced(JACK, jack.senses().from(&[2]));
    let machine = Machine::new(Model::Chip, [(0, codec)]);
    let mut options = Options::default();
    options.overrides.read("path=02:07").expect("a word");
    let (regs, clock) = (machine.regs(), machine.clock());
    let card = Card::bring_up(regs, &mut machine.memory(), clock, &options);
    let mut card = card.expect("it comes up");
    card.start().expect("it plays");
    machine.plug(0, JACK, true);
    card.start_input().expect("it records");
    let mut recorded = Vec::new();
    record(&mut card, &machine, &mut recorded, 500);
    let heard: Vec<u8> = pins(&recorded).iter().map(|pin| pin.0).collect();
    assert_eq!(heard, [INTERNAL]);
    card.stop_input().expect("it stops");
    machine.pass(5000);
    for pin in [SPEAKER, JACK] {
        assert!(!machine.heard(0, pin).samples.is_empty(), "{pin}");
        let control = machine.state().codec(0).map(|codec| codec.pin_control(pin));
        assert_eq!(control, Some(0x40), "{pin}");
    }
}

#[test]
fn no_microphone_listens_while_nobody_records() {
    let listening = |machine: &Machine| {
        let state = machine.state();
        let codec = state.codec(0).expect("a codec");
        [INTERNAL, JACK].map(|pin| codec.pin_control(pin))
    };
    for (name, codec) in ways() {
        let machine = Machine::new(Model::Chip, [(0, codec)]);
        assert_eq!(listening(&machine), [LISTENS; 2], "{name}: firmware's");
        let mut card = bring_up(&machine);
        assert_eq!(listening(&machine), [0, 0], "{name}");
        card.start().expect("it plays");
        assert_eq!(listening(&machine), [0, 0], "{name}");
        card.start_input().expect("it records");
        assert_eq!(listening(&machine), [LISTENS, 0], "{name}");
        machine.plug(0, JACK, true);
        record(&mut card, &machine, &mut Vec::new(), 20);
        assert_eq!(listening(&machine), [0, LISTENS], "{name}");
        card.stop_input().expect("it stops");
        assert_eq!(listening(&machine), [0, 0], "{name}");
    }
}

#[test]
fn a_codec_that_falls_silent_while_one_takes_over_is_asked_again() {
    for (name, codec) in ways() {
        for after in 0..12 {
            let machine = Machine::new(Model::Chip, [(0, codec.clone())]);
            let mut card = bring_up(&machine);
            card.start().expect("it plays");
            card.start_input().expect("it records");
            let mut recorded = Vec::new();
            record(&mut card, &machine, &mut recorded, 50);
            machine.plug(0, JACK, true);
            let silent_from = Some(machine.state().verbs() + after);
            machine.state_mut().faults.silent_from = silent_from;
            record(&mut card, &machine, &mut recorded, 50);
            machine.state_mut().faults.silent_from = None;
            record(&mut card, &machine, &mut recorded, 6500);
            let heard = pins(&recorded).last().map(|pin| pin.0);
            assert_eq!(heard, Some(JACK), "{name} after {after}");
            let speaker = machine
                .state()
                .codec(0)
                .map(|codec| codec.pin_control(SPEAKER));
            assert_eq!(speaker, Some(0x40));
        }
    }
}
