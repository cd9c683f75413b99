//! The whole driver plays through real codecs: samples come out of every pin that was chosen, at
//! 0 dB, and of no other, and move when something is plugged in.
//!
//! What needs the corpus says so where it is absent, and proves nothing then.

use std::collections::{BTreeMap, BTreeSet};

use drivers::Clock;
use drivers::hda::CardError;
use drivers::hda::card::{Card, Options};
use drivers::hda::configuration::input_paths;
use drivers::hda::groups::Groups;
use drivers::hda::overrides::Override;
use drivers::hda::pins::Purpose;
use tests::hda_sim::codec::{Codec, Kind, Widget};
use tests::hda_sim::codecs;
use tests::hda_sim::corpus::Corpus;
use tests::hda_sim::{Faults, Machine, Model, SimClock, SimPage, SimRegs};

type SimCard = Card<SimRegs, SimClock, SimPage>;

fn bring_up(machine: &Machine, options: &Options) -> Result<SimCard, CardError> {
    let mut memory = machine.memory();
    Card::bring_up(machine.regs(), &mut memory, machine.clock(), options)
}

/// The pins at which the stream is heard for some milliseconds, and how loud at its loudest.
fn heard(machine: &Machine) -> BTreeMap<u8, i32> {
    machine.forget_heard();
    machine.pass(3000);
    let pins = machine.state().codec(0).expect("a codec").all_pins();
    pins.into_iter()
        .filter_map(|pin| {
            let heard = machine.heard(0, pin);
            Some((pin, *heard.gains.last()?))
        })
        .collect()
}

fn pins(of: &BTreeMap<u8, i32>) -> BTreeSet<u8> {
    of.keys().copied().collect()
}

/// The output pins for these purposes.
fn chosen(card: &SimCard, purposes: &[Purpose]) -> BTreeSet<u8> {
    let outputs = card.configuration().outputs().iter();
    let of = outputs.filter(|output| purposes.contains(&output.purpose));
    of.map(|output| output.pin().0).collect()
}

const ALL: [Purpose; 3] = [Purpose::LineOut, Purpose::Speaker, Purpose::Headphones];

/// The gain up to 0 dB that the amplifiers on the way to a pin can have, in quarters of a decibel.
/// Some say that they have fewer steps than there are below 0 dB: Conexant's Waikiki has 30 and
/// calls the 31st that.
fn highest(card: &SimCard, pin: u8) -> i32 {
    let used = card.configuration();
    let outputs = used.outputs().iter().map(|output| &output.path);
    let mut paths = outputs.chain(used.digital());
    let path = paths.find(|path| path.sink().is_some_and(|sink| sink.0 == pin));
    let amps = path.expect("a path").hops().iter().filter_map(|hop| {
        let widget = card.codec().graph.widget(hop.node)?;
        let amp = widget.output_amp;
        let lacks = (amp.0 & 0x7F).saturating_sub(amp.steps().into());
        let lacks = lacks as i32 * i32::from(amp.quarters());
        widget.caps.output_amp().then_some(lacks)
    });
    -amps.sum::<i32>()
}

/// The pins of digital outputs, which play whatever is plugged in elsewhere.
fn digital(card: &SimCard) -> BTreeSet<u8> {
    let paths = card.configuration().digital().iter();
    paths.filter_map(|path| Some(path.sink()?.0)).collect()
}

/// Lets the driver look at the jacks for a second.
fn follow(card: &mut SimCard, machine: &Machine) -> u32 {
    let mut changes = 0;
    for _ in 0..40 {
        machine.pass(25_000);
        changes += u32::from(card.follow_jacks(machine.clock().now()));
    }
    changes
}

#[test]
fn every_real_codec_is_heard_at_every_chosen_pin_and_nowhere_else() {
    let Some(corpus) = Corpus::find() else { return };
    let (mut cards, mut outputs, mut quiet, mut switched, mut unheard) = (0, 0, 0, 0, 0);
    let mut spdif = 0;
    let mut wrong = Vec::new();
    for (id, codec) in corpus.codecs().expect("codecs") {
        let machine = Machine::new(Model::Chip, [(0, codec)]);
        let mut card = match bring_up(&machine, &Options::default()) {
            Ok(card) => card,
            Err(CardError::NoAudioFunction | CardError::NoAnalog | CardError::NoPath) => continue,
            Err(error) => panic!("codec {id}: {error}"),
        };
        card.start().expect("it starts");
        let loud = heard(&machine);
        let digital = digital(&card);
        let all = &chosen(&card, &ALL) | &digital;
        spdif += digital.len();
        cards += 1;
        outputs += all.len();
        if pins(&loud) != all {
            wrong.push(format!("{id}: {all:x?} chosen, {:x?} heard", pins(&loud)));
        }
        for (&pin, &gain) in &loud {
            assert_eq!(gain, highest(&card, pin), "codec {id}: {pin:#04x}");
            quiet += u32::from(gain != 0);
        }
        assert_eq!(
            machine.state().codec(0).expect("a codec").blind_sets(),
            0,
            "codec {id}"
        );
        assert_eq!(machine.state().violations(), [""; 0], "codec {id}");
        let inputs = card.configuration().inputs().iter();
        let reachable = Groups::of(&card.codec().graph).inputs;
        let reachable = reachable.iter().filter(|(pin, _)| {
            let paths = input_paths(&card.codec().graph, *pin);
            paths.count() > 0
        });
        if reachable.count() > inputs.filter(|input| !input.shared).count() {
            println!("codec {id}: an input can only be recorded from through an output");
            unheard += 1;
        }
        let Some(&jack) = card.configuration().watched().first() else {
            continue;
        };
        machine.plug(0, jack.0, true);
        assert_eq!(follow(&mut card, &machine), 1, "codec {id}");
        let plugged = pins(&heard(&machine));
        let headphones = chosen(&card, &[Purpose::Headphones]);
        let expected = if headphones.contains(&jack.0) {
            headphones
        } else {
            chosen(&card, &[Purpose::Headphones, Purpose::LineOut])
        };
        if plugged != &expected | &digital {
            wrong.push(format!(
                "{id}: plugged {jack}: {expected:x?} chosen, {plugged:x?} heard"
            ));
        }
        machine.plug(0, jack.0, false);
        follow(&mut card, &machine);
        if pins(&heard(&machine)) != all {
            wrong.push(format!("{id}: unplugged"));
        }
        switched += 1;
    }
    println!(
        "{cards} cards with {outputs} outputs, {spdif} of them digital, {quiet} as near to 0 dB as \
         they can; {switched} switched"
    );
    assert_eq!(unheard, 0, "inputs that cannot be recorded from");
    assert!(wrong.is_empty(), "{} wrong: {wrong:#?}", wrong.len());
}

/// A laptop's codec of Realtek's: headphones with a jack that tells, a speaker with an
/// amplifier, two microphones.
fn realtek(id: u32) -> Codec {
    const PCM: u32 = 0x000E_0060;
    let pin = |caps, config| Widget::new(Kind::Pin).pin(caps, config);
    let mut widgets = vec![
        Widget::new(Kind::Dac).pcm(PCM),
        Widget::new(Kind::Dac).pcm(PCM),
    ];
    widgets.resize(0x12, Widget::new(Kind::Vendor));
    let adc = Widget::new(Kind::Adc).pcm(PCM).from(&[0x17, 0x18]);
    widgets.push(pin(0x1_0010, 0x9017_0110).from(&[2]));
    widgets.push(pin(0x1C, 0x0321_1020).from(&[3]).senses());
    widgets.push(adc);
    widgets.push(pin(0x20, 0x90A6_0130));
    widgets.push(pin(0x20, 0x03A1_1040).senses());
    widgets.resize(0x1B, Widget::new(Kind::Vendor));
    // 0x1d: where firmware names the amplifier: general purpose pin 1.
    widgets.push(pin(0x20, 0x4004_0019 | 1 << 16));
    widgets.resize(0x1E, Widget::new(Kind::Vendor));
    widgets.push(Widget::new(Kind::Vendor).processing());
    Codec::new(0x10EC_0000 | id, PCM, 2, widgets).powered()
}

#[test]
fn a_chips_coefficients_and_amplifier_pins_are_set() {
    let codec = realtek(0x256)
        .with_coef(0x20, 0x10, 0x0FFF)
        .with_coef(0x20, 0x46, 0x1234);
    let machine = Machine::new(Model::Chip, [(0, codec)]);
    let _card = bring_up(&machine, &Options::default()).expect("a card");
    let state = machine.state();
    let codec = state.codec(0).expect("a codec");
    assert_eq!(codec.coef(0x20, 0x10), 0x0DFF);
    assert_eq!(codec.coef(0x20, 0x36), 0x5757);
    assert_eq!(codec.coef(0x20, 0x46), 0x1234);
    assert_eq!(codec.blind_sets(), 0);
}

fn options(words: &[(&str, &str)]) -> Options {
    let mut options = Options::default();
    for (key, value) in words {
        let word = Override::parse(key, value).expect("a word");
        assert!(options.overrides.add(word));
    }
    options
}

#[test]
fn a_persons_words_win() {
    let words = options(&[
        ("pin", "17:411111f0"),
        ("path", "03:14"),
        ("coef", "20:07:0020/0030"),
        ("gpio", "06:02"),
    ]);
    let mut pins = realtek(0x999).with_coef(0x20, 7, 0x0011);
    pins = pins.rewired(0x14, &[2, 3]);
    let machine = Machine::new(Model::Chip, [(0, pins)]);
    let card = bring_up(&machine, &words).expect("a card");
    let outputs = card.configuration().outputs();
    let paths: Vec<String> = outputs
        .iter()
        .map(|output| output.path.to_string())
        .collect();
    assert_eq!(paths, ["0x15 ← 0x03", "0x14 ← 0x03"]);
    let state = machine.state();
    let codec = state.codec(0).expect("a codec");
    assert_eq!(codec.coef(0x20, 7), 0x0021);
    assert_eq!(codec.gpio(), [2, 6, 6]);
}

#[test]
fn words_that_do_not_fit_the_codec_are_refused() {
    for (key, value) in [
        ("pin", "02:90170110"),
        ("path", "02:15"),
        ("path", "14:02"),
        ("path", "02:02"),
        ("coef", "21:07:0020"),
        ("coef", "fe:07:0020"),
    ] {
        let machine = Machine::new(Model::Chip, [(0, realtek(0x256))]);
        let error = bring_up(&machine, &options(&[(key, value)]))
            .err()
            .expect("refused");
        let short = value.rsplit_once(':').map_or(value, |(start, _)| start);
        assert!(
            matches!(error, CardError::Misfit(_)),
            "{key}={value}: {error}"
        );
        let text = error.to_string();
        assert!(text.contains(key) && text.contains(short), "{text}");
        assert!(!machine.state().running());
    }
}

#[test]
fn headphones_silence_the_speaker_with_reports_and_without() {
    for no_reports in [false, true] {
        let faults = Faults {
            no_reports,
            ..Faults::default()
        };
        let machine = Machine::new(Model::Chip, [(0, realtek(0x255))]).with(faults);
        let mut card = bring_up(&machine, &Options::default()).expect("a card");
        card.start().expect("it starts");
        assert_eq!(pins(&heard(&machine)), BTreeSet::from([0x14, 0x15]));
        machine.plug(0, 0x15, true);
        assert_eq!(follow(&mut card, &machine), 1);
        assert_eq!(pins(&heard(&machine)), BTreeSet::from([0x15]));
        let names: Vec<String> = (0..2)
            .map(|at| {
                let plugged = card.jacks().output(card.configuration(), at);
                card.configuration().outputs()[at]
                    .named(plugged)
                    .to_string()
            })
            .collect();
        assert_eq!(names, ["Headphone (plugged)", "Speaker"]);
        machine.plug(0, 0x15, false);
        assert_eq!(follow(&mut card, &machine), 1);
        assert_eq!(pins(&heard(&machine)), BTreeSet::from([0x14, 0x15]));
        // The amplifier comes back for the headphones, should it be theirs too. No pin is switched
        // under it.
        let comes_back = "0x14: amplified before it was driven";
        assert_eq!(machine.state().pops(), [comes_back]);
    }
}

#[test]
fn a_report_is_followed_at_once() {
    let machine = Machine::new(Model::Chip, [(0, realtek(0x255))]);
    let mut card = bring_up(&machine, &Options::default()).expect("a card");
    card.start().expect("it starts");
    machine.pass(2000);
    assert!(!card.follow_jacks(machine.clock().now()));
    let verbs = machine.state().verbs();
    assert!(!card.follow_jacks(machine.clock().now()));
    assert_eq!(
        machine.state().verbs(),
        verbs,
        "looking costs no verb in between"
    );
    machine.plug(0, 0x15, true);
    machine.pass(100);
    assert!(card.follow_jacks(machine.clock().now()));
}

#[test]
fn a_plugged_microphone_is_shown_to_take_over() {
    let machine = Machine::new(Model::Chip, [(0, realtek(0x255))]);
    let mut card = bring_up(&machine, &Options::default()).expect("a card");
    let mic = |card: &SimCard| {
        let shown = card.shown().to_string();
        let (_, mic) = shown.rsplit_once("; records from ").expect("an input");
        mic.to_string()
    };
    assert_eq!(mic(&card), "Internal mic");
    machine.plug(0, 0x18, true);
    follow(&mut card, &machine);
    assert_eq!(mic(&card), "Mic");
    machine.plug(0, 0x18, false);
    follow(&mut card, &machine);
    assert_eq!(mic(&card), "Internal mic");
}

#[test]
fn what_is_plugged_in_at_the_start_counts() {
    let machine = Machine::new(Model::Chip, [(0, realtek(0x255))]);
    machine.plug(0, 0x15, true);
    let mut card = bring_up(&machine, &Options::default()).expect("a card");
    card.start().expect("it starts");
    assert_eq!(pins(&heard(&machine)), BTreeSet::from([0x15]));
}

#[test]
fn jacks_of_a_codec_that_falls_silent_hold_nobody() {
    let machine = Machine::new(Model::Chip, [(0, realtek(0x255))]);
    let mut card = bring_up(&machine, &Options::default()).expect("a card");
    let silent_from = Some(machine.state().verbs());
    let machine = machine.with(Faults {
        silent_from,
        no_reports: true,
        ..Faults::default()
    });
    let (mut worst, mut all) = (0, 0);
    for _ in 0..2000 {
        machine.pass(5000);
        let before = machine.state().micros();
        card.follow_jacks(machine.clock().now());
        let took = machine.state().micros() - before;
        worst = worst.max(took);
        all += took;
    }
    // One verb that nobody answers, ever more rarely.
    assert!(
        worst < 100_000 && all < 600_000,
        "{worst} µs at once, {all} µs of 10 s"
    );
}

#[test]
fn a_codec_without_jacks_that_tell_costs_nothing() {
    let machine = Machine::new(Model::Chip, [(0, codecs::desktop())]);
    let mut card = bring_up(&machine, &Options::default()).expect("a card");
    let accesses = machine.state().accesses();
    for _ in 0..100 {
        machine.pass(100_000);
        assert!(!card.follow_jacks(machine.clock().now()));
    }
    assert_eq!(machine.state().accesses(), accesses);
}
