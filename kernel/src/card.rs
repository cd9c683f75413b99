//! The sound card: found through pciback, driven by [`drivers::hda`], played by the backend.

use crate::console::log;
use crate::dma::{self, Dma};
use crate::interrupt::Interrupt;
use crate::mmio::Mmio;
use crate::pci::{self, PciError, StartStore};
use crate::quiesce;
use crate::time::{self, DriverClock};
use crate::window::MapError;
use alloc::boxed::Box;
use core::fmt;
use drivers::Micros;
use drivers::hda::CardError;
use drivers::hda::card::{self as hda, Options};
use drivers::hda::choice::{Choice, Pickup, Sounding};
use drivers::hda::configuration;
use drivers::hda::dictated::{BadWord, Dictated};
use drivers::hda::jacks::Shown;
use drivers::hda::levels::{self, Levels};
use drivers::hda::pins::{Place, Purpose, Source};
use drivers::hda::quirks::Quirks;
use drivers::hda::verb::SampleBits;
use drivers::pci::Address;
use drivers::pci::audio::REGISTERS;
use ring_backend::master::{self, Master};
use ring_backend::route::{Routes, Terminal, Terminals};
use ring_backend::world::{Card, CardFault, CardFormat, CardInput, CardSample, Nanos};

/// Why there is no card; shown to the administrator as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoCard {
    /// It is not within reach.
    Pci(PciError),
    /// Its registers cannot be mapped.
    Registers(MapError),
    /// What dom0 says of it makes no sense.
    Dictated(BadWord),
    /// It does not work.
    Hda(CardError),
}

impl fmt::Display for NoCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pci(error) => error.fmt(f),
            Self::Registers(error) => write!(f, "the card's registers: {error}"),
            Self::Dictated(word) => word.fmt(f),
            Self::Hda(error) => error.fmt(f),
        }
    }
}

/// Vendor of QEMU's codecs.
const QEMU_VENDOR: u32 = 0x1af4;
/// 30 ms at 48 kHz.
const QEMU_LEAP_FRAMES: usize = 1440;

/// A card that plays, and records where it has an input.
pub struct HdaCard {
    // Boxed: a codec's graph is large, and moves would take its room on the stack several times.
    card: Box<hda::Card<Mmio, DriverClock, dma::Page>>,
    host: Option<Address>,
    id: u32,
    interrupt: Option<Interrupt>,
    routes: Routes,
}

impl HdaCard {
    /// Finds the card and brings it up.
    ///
    /// # Errors
    /// What stood in the way; the card is quiet then.
    pub fn find(store: &mut StartStore<'_>, options: &Options) -> Result<Self, NoCard> {
        let mut store = Dictated::new(store, options.overrides);
        let (mut front, function) = pci::connect(&mut store).map_err(NoCard::Pci)?;
        let regs = Mmio::map(function.registers, REGISTERS).map_err(NoCard::Registers)?;
        let interrupt = Interrupt::bind(&mut front, function.address)
            .inspect_err(|error| log!("card: {error}"))
            .ok();
        quiesce::arm(regs.alias(), front, function, interrupt);
        let bring_up = |overrides| {
            let options = Options {
                overrides,
                interrupts: interrupt.is_some(),
                quirks: Quirks::of(function.id),
                ..*options
            };
            hda::Card::bring_up(regs, &mut Dma, DriverClock, &options).map_err(NoCard::Hda)
        };
        let overrides = store.overrides().map_err(NoCard::Dictated);
        // Nobody would ever take its interrupt, and one that is pending ends every sleep.
        let card = overrides
            .and_then(bring_up)
            .inspect_err(|_| quiesce::card())?;
        let mut found = Self {
            card: Box::new(card),
            host: function.host,
            id: function.id,
            interrupt,
            routes: Routes::default(),
        };
        found.look_at_routes();
        Ok(found)
    }

    fn emulated(&self) -> bool {
        self.card.codec().id >> 16 == QEMU_VENDOR
    }

    /// Lets the card go to low power when it has not played for a while; when to call again.
    pub fn rest(&mut self, now: Nanos) -> Option<Nanos> {
        let next = self.card.rest(Micros(now.0 / 1000))?;
        Some(Nanos(next.0.saturating_mul(1000)))
    }

    /// How often the card went to low power, and the microseconds that the last way back took.
    pub const fn rests(&self) -> (u32, u64) {
        let (rests, wake) = self.card.rests();
        (rests, wake.0)
    }

    /// Switches the card off in an order that is not heard.
    pub fn shut_down(&mut self) {
        self.card.shut_down();
    }

    /// Outputs and inputs in a person's words, and what is plugged in.
    pub fn shown(&self) -> Shown<'_> {
        self.card.shown()
    }

    /// Tells the console every output and input, with its way through the codec.
    pub fn list(&self) {
        let (jacks, used) = (self.card.jacks(), self.card.configuration());
        for (at, output) in used.outputs().iter().enumerate() {
            let plugged = jacks.output(used, at);
            log!("output: {}: {}", output.named(plugged), output.path);
        }
        for path in used.digital() {
            log!("output: S/PDIF: {path}");
        }
        for (at, input) in used.inputs().iter().enumerate() {
            let plugged = jacks.input(used, at);
            log!("input: {}: {}", input.named(plugged), input.path);
        }
    }

    /// Follows what is plugged in and out; whether something was.
    pub fn follow_jacks(&mut self) -> bool {
        let changed = self.card.follow_jacks(Micros(time::now().0 / 1000));
        if changed {
            self.look_at_routes();
            log!("jacks: {}", self.shown());
        }
        changed
    }

    /// Finds out what there is, and what of it counts now.
    fn look_at_routes(&mut self) {
        let used = self.card.configuration();
        let (mut present, mut live) = (Terminals::default(), Terminals::default());
        let mut add = |terminal, counts: bool| {
            present = present.with(terminal);
            if counts {
                live = live.with(terminal);
            }
        };
        for output in used.outputs() {
            add(output_terminal(output.purpose), self.card.sounds(output));
        }
        if !used.digital().is_empty() {
            add(Terminal::Digital, self.card.sounds_digital());
        }
        let hears = self.card.jacks().mic(used);
        for (index, input) in used
            .inputs()
            .iter()
            .enumerate()
            .filter(|(_, input)| !input.shared)
        {
            add(input_terminal(input), hears == Some(index));
        }
        self.routes = Routes { present, live };
    }

    /// Makes the card as loud as dom0 wants it, by the outputs that it wants.
    pub fn set_master(&mut self, master: Master) {
        let choice = Choice {
            sounding: match master.output {
                master::Sounding::Auto => Sounding::Sensed,
                master::Sounding::All => Sounding::All,
                master::Sounding::Only(Terminal::Digital) => Sounding::Digital,
                master::Sounding::Only(Terminal::Headphone) => Sounding::Only(Purpose::Headphones),
                master::Sounding::Only(Terminal::LineOut) => Sounding::Only(Purpose::LineOut),
                master::Sounding::Only(_) => Sounding::Only(Purpose::Speaker),
            },
            pickup: master.input.map(pickup),
        };
        let levels = Levels {
            volume: master.volume,
            muted: master.muted,
            gain: master.gain,
            choice,
        };
        if let Err(error) = self.card.set_levels(levels) {
            log!("card: levels: {error}");
        }
        self.look_at_routes();
    }

    /// How loud the card is.
    pub fn levels(&self) -> levels::Shown<'_> {
        self.card.levels()
    }

    /// Serves the card's interrupt, if it came.
    pub fn serve(&mut self) {
        if let Some(interrupt) = self.interrupt {
            interrupt.serve(|| {
                let causes = self.card.interrupt();
                if causes.descriptor_error {
                    log!("card: its DMA engine stopped");
                }
                if causes.storm {
                    log!("card: too many interrupts, switched off");
                    interrupt.ignore();
                }
            });
        }
    }
}

impl fmt::Display for HdaCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(host) = self.host {
            write!(f, "{host} ")?;
        }
        let (vendor, device) = (self.id & 0xffff, self.id >> 16);
        let codec = self.card.codec().id;
        let format = self.card.format();
        write!(f, "{vendor:04x}:{device:04x}, codec {codec:08x}, ")?;
        if let Some(main) = self.card.configuration().outputs().first() {
            write!(f, "{}: {}, ", main.named(None), main.path)?;
        }
        if let Some(input) = self.card.input() {
            write!(f, "{}: {}, ", input.named(None), input.path)?;
        }
        write!(f, "{} Hz {:?}", format.rate, format.bits)
    }
}

/// Says once what the backend only sees as a fault.
fn fault(error: CardError) -> CardFault {
    log!("card: {error}");
    CardFault
}

impl Card for HdaCard {
    fn format(&self) -> CardFormat {
        as_card_format(self.card.format())
    }

    fn ring_frames(&self) -> usize {
        self.card.ring_frames()
    }

    fn leap_frames(&self) -> usize {
        // QEMU's codec has a buffer that it keeps filled for 21 ms (`hda-codec.c`, half of
        // B_SIZE), and it makes up for what it lacks at once, on top of a tick of some ms.
        if self.emulated() { QEMU_LEAP_FRAMES } else { 0 }
    }

    fn fetch_ahead(&self) -> usize {
        // QEMU's DMA engine is where it says it is.
        if self.emulated() {
            0
        } else {
            self.card.fetch_ahead()
        }
    }

    fn routes(&self) -> Routes {
        self.routes
    }

    fn start(&mut self) -> Result<(), CardFault> {
        self.card.start().map_err(fault)
    }

    fn stop(&mut self) {
        if let Err(error) = self.card.stop() {
            log!("card: {error}");
        }
    }

    fn position(&mut self, now: Nanos) -> Result<u64, CardFault> {
        self.card.position(Micros(now.0 / 1000)).map_err(fault)
    }

    fn write(&mut self, at: u64, frames: &[u8]) {
        self.card.write(at, frames);
    }

    fn input(&mut self) -> Option<&mut dyn CardInput> {
        self.card.input_format()?;
        Some(self)
    }
}

impl CardInput for HdaCard {
    fn format(&self) -> CardFormat {
        as_card_format(self.card.input_format().unwrap_or(self.card.format()))
    }

    fn ring_frames(&self) -> usize {
        self.card.input_ring_frames()
    }

    fn start(&mut self) -> Result<(), CardFault> {
        self.card.start_input().map_err(fault)
    }

    fn stop(&mut self) {
        if let Err(error) = self.card.stop_input() {
            log!("card: {error}");
        }
    }

    fn position(&mut self, now: Nanos) -> Result<u64, CardFault> {
        let now = Micros(now.0 / 1000);
        self.card.input_position(now).map_err(fault)
    }

    fn read(&self, at: u64, frames: &mut [u8]) {
        self.card.read_input(at, frames);
    }
}

fn as_card_format(format: hda::Format) -> CardFormat {
    CardFormat {
        rate: format.rate,
        channels: format.channels,
        sample: match format.bits {
            SampleBits::B16 => CardSample::S16,
            SampleBits::B20 => CardSample::S32 { bits: 20 },
            SampleBits::B24 => CardSample::S32 { bits: 24 },
            SampleBits::B32 => CardSample::S32 { bits: 32 },
        },
    }
}

const fn output_terminal(purpose: Purpose) -> Terminal {
    match purpose {
        Purpose::Speaker => Terminal::Speaker,
        Purpose::Headphones => Terminal::Headphone,
        Purpose::LineOut => Terminal::LineOut,
    }
}

const fn input_terminal(input: &configuration::Input) -> Terminal {
    match (input.source, input.place) {
        (Source::Mic, Place::Internal) => Terminal::InternalMic,
        (Source::Mic, Place::Outside) => Terminal::Mic,
        (Source::Mic, Place::Front) => Terminal::FrontMic,
        (Source::Mic, Place::Rear) => Terminal::RearMic,
        (Source::Mic, Place::Dock) => Terminal::DockMic,
        (Source::LineIn, _) => Terminal::LineIn,
        (Source::Cd, _) => Terminal::Cd,
        (Source::Aux, _) => Terminal::Aux,
    }
}

const fn pickup(terminal: Terminal) -> Pickup {
    let (source, place) = match terminal {
        Terminal::InternalMic => (Source::Mic, Some(Place::Internal)),
        Terminal::FrontMic => (Source::Mic, Some(Place::Front)),
        Terminal::RearMic => (Source::Mic, Some(Place::Rear)),
        Terminal::DockMic => (Source::Mic, Some(Place::Dock)),
        Terminal::LineIn => (Source::LineIn, None),
        Terminal::Cd => (Source::Cd, None),
        Terminal::Aux => (Source::Aux, None),
        _ => (Source::Mic, Some(Place::Outside)),
    };
    Pickup { source, place }
}
