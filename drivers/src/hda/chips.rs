//! What some chips and machines need beside what every codec needs.
//!
//! Facts, not code: which bit of which chip lets its pins' EAPD verb work, which general purpose
//! pin feeds an amplifier, which pin firmware forgot. Each table names where they are from.

use super::graph::{Graph, Widget};
use super::verb::{CodecAddress, GpioRegister, Nid, Verb, VerbFault, Verbs};

/// Some bits of a coefficient of a node that processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coef {
    /// The node.
    pub node: Nid,
    /// Which coefficient.
    pub index: u8,
    /// The bits to change.
    pub change: u16,
    /// What to change them to.
    pub to: u16,
}

/// General purpose pins of a function group (§7.3.3.22).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gpio {
    /// The pins that become outputs.
    pub mask: u8,
    /// Those of them that become high.
    pub data: u8,
}

/// Vendor of Realtek's codecs.
const REALTEK: u32 = 0x10EC;
/// The node with the coefficients of all of them but the first.
const REALTEK_COEFS: Nid = Nid(0x20);
/// Pins whose EAPD may switch an amplifier that another pin feeds (`alc_auto_setup_eapd`).
const REALTEK_EAPD: [u8; 5] = [0x0F, 0x10, 0x14, 0x15, 0x17];

const ANY: u16 = 0xFFFF;

/// What lets pins switch their amplifiers by the EAPD verb, a row after the other: how many
/// devices and which, in which versions (coefficient 0, bits 7:4, a bit for each value), index,
/// bits to change, and to what. From `alc_fill_eapd_coef`, `alc_auto_init_amp` and
/// `alc888_coef_init` of Linux's `patch_realtek.c`.
#[rustfmt::skip]
static REALTEK_TABLE: &[u16] = &[
    1, 0x262, ANY, 0x07, 1 << 5, 1 << 5,
    2, 0x267, 0x268, ANY, 0x07, 1 << 13, 1 << 13,
    1, 0x269, 1 << 1, 0x0D, 1 << 14, 1 << 14,
    1, 0x269, 1 << 2, 0x04, 1 << 15, 0,
    1, 0x269, 1 << 3, 0x10, 1 << 9, 0,
    4, 0x280, 0x284, 0x290, 0x292, ANY, 0x04, 1 << 15, 0,
    3, 0x225, 0x295, 0x299, ANY, 0x67, 0xF000, 0x3000,
    10, 0x215, 0x225, 0x236, 0x245, 0x256, 0x257, 0x285, 0x289, 0x295, 0x299,
        ANY, 0x36, 1 << 13, 0,
    21, 0x215, 0x225, 0x230, 0x233, 0x235, 0x236, 0x245, 0x255, 0x256, 0x257, 0x282, 0x283,
        0x285, 0x286, 0x287, 0x288, 0x289, 0x295, 0x298, 0x299, 0x300,
        ANY, 0x10, 1 << 9, 0,
    1, 0x275, ANY, 0x0E, 1, 1,
    1, 0x287, ANY, 0x08, ANY, 0x4AB7,
    1, 0x293, ANY, 0x0A, 1 << 13, 0,
    2, 0x234, 0x274, ANY, 0x6E, ANY, 0x0C25,
    7, 0x234, 0x274, 0x294, 0x700, 0x701, 0x703, 0x711, ANY, 0x10, 1 << 15, 0,
    1, 0x662, 1 << 3, 0x04, 1 << 10, 0,
    7, 0x272, 0x273, 0x663, 0x665, 0x670, 0x671, 0x672, ANY, 0x0D, 1 << 14, 1 << 14,
    2, 0x222, 0x623, ANY, 0x19, 1 << 13, 0,
    1, 0x668, ANY, 0x07, 3 << 13, 0,
    1, 0x867, ANY, 0x04, 1 << 10, 0,
    1, 0x888, 1 << 2 | 1 << 3, 0x07, 1 << 5, 0,
    2, 0x892, 0x897, ANY, 0x07, 1 << 5, 0,
    5, 0x899, 0x900, 0xB00, 0x1168, 0x1220, ANY, 0x07, 1 << 1, 0,
    4, 0x880, 0x882, 0x883, 0x885, ANY, 0x07, 0x2030, 0x2030,
    1, 0x888, 1 | 1 << 3, 0x07, 0x2030, 0x2030,
    // The beep's hidden way into the outputs, which lets noise in: Linux's
    // Documentation/sound/hd-audio/realtek-pc-beep.rst.
    2, 0x236, 0x256, ANY, 0x36, ANY, 0x5757,
    // The clock of the plain ALC269: `alc269_fill_coef`.
    1, 0x269, 1, 0x04, 1 << 15, 0,
];

/// The rows of [`REALTEK_TABLE`] for a device: versions and what to do.
fn realtek_coefs(chip: u16) -> impl Iterator<Item = (u16, Coef)> {
    let mut rest = REALTEK_TABLE;
    let rows = core::iter::from_fn(move || {
        let (&devices, row) = rest.split_first()?;
        let (devices, row) = row.split_at_checked(devices.into())?;
        let (&[versions, index, change, to], row) = row.split_first_chunk()?;
        rest = row;
        let coef = Coef {
            node: REALTEK_COEFS,
            index: index.to_le_bytes()[0],
            change,
            to,
        };
        Some((devices.contains(&chip), versions, coef))
    });
    rows.filter_map(|(fits, versions, coef)| fits.then_some((versions, coef)))
}

/// Devices, from one to another, whose amplifiers general purpose pins feed, and in whose machines
/// (0: all; without device: of all of that maker's). The first that fits counts.
///
/// SigmaTel and IDT: pin 0, high, in the probes for STAC9205, STAC927x, 92HD71Bxx and 92HD73xx of
/// Linux's `sigmatel.c`, each with its list of devices there. Apple: `cs420x_fixup_tbl` (headphones
/// and speakers apart), `cs4208_fixup_tbl` of `cirrus/cs420x.c`. Acer's Aspires with a woofer:
/// `ALC882_FIXUP_ACER_ASPIRE_4930G` of `realtek/alc882.c`.
static GPIO_TABLE: [(u32, u32, u32, u8); 26] = [
    (0x111D_7603, 0x111D_7603, 0, 0x01),
    (0x111D_7608, 0x111D_7608, 0, 0x01),
    (0x111D_7674, 0x111D_7676, 0, 0x01),
    (0x111D_76B0, 0x111D_76B7, 0, 0x01),
    (0x111D_76C0, 0x111D_76CE, 0, 0x01),
    (0x8384_7614, 0x8384_7619, 0, 0x01),
    (0x8384_7620, 0x8384_7629, 0, 0x01),
    (0x8384_7638, 0x8384_7638, 0, 0x01),
    (0x8384_7645, 0x8384_7646, 0, 0x01),
    (0x8384_7698, 0x8384_7698, 0, 0x01),
    (0x8384_76A0, 0x8384_76A7, 0, 0x01),
    (0x1013_4206, 0x1013_4207, 0x106B_0600, 0x0C),
    (0x1013_4206, 0x1013_4207, 0x106B_0900, 0x0C),
    (0x1013_4206, 0x1013_4207, 0x106B_2000, 0x0C),
    (0x1013_4206, 0x1013_4207, 0x106B, 0x0A),
    (0x1013_4206, 0x1013_4207, 0x10DE_0AC0, 0x0A),
    (0x1013_4206, 0x1013_4207, 0x10DE_0D94, 0x0A),
    (0x1013_4206, 0x1013_4207, 0x10DE_CB79, 0x0A),
    (0x1013_4206, 0x1013_4207, 0x10DE_CB89, 0x0A),
    (0x1013_4208, 0x1013_4208, 0x106B, 0x01),
    (0x1013_4208, 0x1013_4208, 0x8086_7270, 0x01),
    (0x10EC_0888, 0x10EC_0888, 0x1025_013E, 0x01),
    (0x10EC_0888, 0x10EC_0888, 0x1025_013F, 0x01),
    (0x10EC_0888, 0x10EC_0888, 0x1025_0142, 0x01),
    (0x10EC_0888, 0x10EC_0888, 0x1025_015E, 0x01),
    (0x10EC_0888, 0x10EC_0888, 0x1025_0166, 0x01),
];

/// Analog Devices' AD1986A, whose EAPD bit means the opposite, except in [`STRAIGHT`] machines:
/// `ad1986a_probe` and `ad1986a_fixup_tbl` of Linux's `analog.c`.
const INVERTED: u32 = 0x11D4_1986;
static STRAIGHT: [u32; 4] = [0x1043_1443, 0x1043_1447, 0x1179_FF40, 0x1631_C022];

/// Machines whose jacks say the opposite: codec, machine. Lenovo's N100 (`ad1986a_fixup_tbl`), Apple's
/// Mac mini and Mac Pro (`cs4208_mac_fixup_tbl`).
static CONTRARY: [(u32, u32); 3] = [
    (INVERTED, 0x17AA_2066),
    (0x1013_4208, 0x106B_6C00),
    (0x1013_4208, 0x106B_7800),
];

/// Machines whose firmware does not declare some pins: codec, machine, which of [`PINS`].
///
/// Docks of ThinkPads: `cxt_pincfg_lenovo_tp410` and `cxt_pincfg_lenovo_x200` of Linux's
/// `patch_conexant.c`. Woofers and surround speakers: `ALC290_FIXUP_SUBWOOFER`,
/// `ALC882_FIXUP_ACER_ASPIRE_4930G` and `_8930G` of `patch_realtek.c`. Apple's jacks that do not
/// tell: `cs4208_fixup_macmini`.
static MACHINES: [(u32, u32, u8); 22] = [
    (0x1013_4208, 0x106B_6C00, 5),
    (0x1013_4208, 0x106B_7800, 5),
    (0x14F1_5069, 0x17AA_215E, 0),
    (0x14F1_5069, 0x17AA_215F, 0),
    (0x10EC_0888, 0x1025_013E, 3),
    (0x10EC_0888, 0x1025_013F, 3),
    (0x14F1_5069, 0x17AA_214C, 0),
    (0x14F1_5069, 0x17AA_2155, 0),
    (0x14F1_506E, 0x17AA_21CE, 0),
    (0x14F1_506E, 0x17AA_21CF, 0),
    (0x14F1_506E, 0x17AA_21D2, 0),
    (0x14F1_506E, 0x17AA_21DA, 0),
    (0x14F1_506E, 0x17AA_21DB, 0),
    (0x14F1_5051, 0x17AA_20FD, 1),
    (0x14F1_5051, 0x17AA_2100, 1),
    (0x10EC_0290, 0x1028_05D9, 2),
    (0x10EC_0290, 0x1028_05DA, 2),
    (0x10EC_0290, 0x1028_0616, 2),
    (0x10EC_0888, 0x1025_0142, 3),
    (0x10EC_0888, 0x1025_015E, 3),
    (0x10EC_0888, 0x1025_0166, 3),
    (0x10EC_0889, 0x1025_0146, 4),
];

/// Nodes, 0 for none, with their configuration.
static PINS: [[(u8, u32); 3]; 6] = [
    [
        (0x19, 0x0421_10FF),
        (0x1A, 0x21A1_90F0),
        (0x1C, 0x2121_40FF),
    ],
    [
        (0x16, 0x0421_40FF),
        (0x17, 0x21A1_1000),
        (0x19, 0x2121_103F),
    ],
    [(0x17, 0x9017_0112), (0, 0), (0, 0)],
    [(0x16, 0x9913_0111), (0x17, 0x9913_0112), (0, 0)],
    [(0x16, 0x9913_0111), (0x1B, 0x9913_0112), (0, 0)],
    [(0x18, 0x00AB_9150), (0x21, 0x004B_E140), (0, 0)],
];

/// Tells a graph of the pins that its machine's firmware forgot.
pub(super) fn declare_pins(id: u32, subsystem: u32, graph: &mut Graph) {
    let row = MACHINES
        .iter()
        .find(|row| (row.0, row.1) == (id, subsystem));
    let pins = row.and_then(|row| PINS.get(usize::from(row.2)));
    for &(pin, config) in pins.into_iter().flatten() {
        graph.set_pin_config(Nid(pin), config);
    }
}

/// Whether a pin's EAPD is switched on though nothing plays at the pin.
pub(super) fn amplifies_for_others(codec: &super::codec::Codec, pin: Nid) -> bool {
    let listed = codec.id >> 16 == REALTEK && REALTEK_EAPD.contains(&pin.0);
    listed || amplifies_for_all(codec)
}

/// Whether each EAPD may switch the amplifiers of all pins, so that none goes off while any pin
/// plays: on chips of Conexant's and Senary's with one or two of them (`cx_auto_parse_eapd` of Linux's
/// `conexant.c`, and as much in `senarytech.c`).
pub(super) fn amplifies_for_all(codec: &super::codec::Codec) -> bool {
    let widgets = codec
        .graph
        .widgets()
        .filter(|(_, widget)| widget.pin.eapd());
    [0x14F1, 0x1FA8].contains(&(codec.id >> 16)) && widgets.count() <= 2
}

/// Whether an amplifier is on, but for the moment of switching, though its own pin is silent: it may
/// serve several pins. On Realtek's a laptop's often serves speaker and headphone alike, and Linux
/// never has their parser switch it off (`own_eapd_ctl` in `alc_alloc_spec`).
pub(super) fn amplifies_on(codec: &super::codec::Codec) -> bool {
    codec.id >> 16 == REALTEK || amplifies_for_all(codec)
}

/// Switches a pin's external amplifier, whatever the chip calls on.
pub(super) fn amplify(codec: &super::codec::Codec, on: bool) -> Verb {
    if on == (codec.id == INVERTED && !STRAIGHT.contains(&codec.subsystem)) {
        Verb::eapd_off()
    } else {
        Verb::eapd_on()
    }
}

/// Whether the machine's jacks say the opposite of what is.
pub(super) fn contrary_jacks(codec: &super::codec::Codec) -> bool {
    CONTRARY.contains(&(codec.id, codec.subsystem))
}

impl Coef {
    /// Whether the node has coefficients.
    pub(super) fn applies(&self, graph: &Graph) -> bool {
        graph.widget(self.node).is_some_and(processes)
    }

    /// Changes the coefficient, and nothing else of it.
    pub(super) fn apply(
        &self,
        verbs: &mut impl Verbs,
        codec: CodecAddress,
    ) -> Result<(), VerbFault> {
        let mut to = self.to;
        if self.change != ANY {
            let old = read(verbs, codec, self.node, self.index)?;
            to = (old & !self.change) | self.to;
        }
        verbs.ask(codec, self.node, Verb::coef_index(self.index))?;
        verbs.ask(codec, self.node, Verb::set_coef(to))?;
        Ok(())
    }
}

fn processes(widget: &Widget) -> bool {
    widget.caps.processes()
}

fn read(
    verbs: &mut impl Verbs,
    codec: CodecAddress,
    node: Nid,
    index: u8,
) -> Result<u16, VerbFault> {
    verbs.ask(codec, node, Verb::coef_index(index))?;
    let answer = verbs.ask(codec, node, Verb::coef())?;
    Ok(u16::try_from(answer & 0xFFFF).unwrap_or(0))
}

impl Gpio {
    /// Makes the pins outputs of that level. Levels first, so that no pin shows another.
    pub(super) fn apply(
        &self,
        verbs: &mut impl Verbs,
        codec: CodecAddress,
        function: Nid,
    ) -> Result<(), VerbFault> {
        let registers = [
            (GpioRegister::Data, self.data & self.mask),
            (GpioRegister::Mask, self.mask),
            (GpioRegister::Direction, self.mask),
        ];
        for (register, to) in registers {
            let old = verbs.ask(codec, function, Verb::gpio(register))?;
            let [old, ..] = old.to_le_bytes();
            let new = (old & !self.mask) | to;
            verbs.ask(codec, function, Verb::set_gpio(register, new))?;
        }
        Ok(())
    }
}

/// Does to a chip what its tables say.
pub(super) fn apply(verbs: &mut impl Verbs, codec: &super::codec::Codec) -> Result<(), VerbFault> {
    let coefs = codec.graph.widget(REALTEK_COEFS);
    if codec.id >> 16 == REALTEK && coefs.is_some_and(processes) {
        let chip = u16::try_from(codec.id & 0xFFFF).unwrap_or(0);
        let mut version = ANY;
        if realtek_coefs(chip).any(|(versions, _)| versions != ANY) {
            let first = read(verbs, codec.address, REALTEK_COEFS, 0)?;
            version = 1 << ((first >> 4) & 0xF);
        }
        for (_, coef) in realtek_coefs(chip).filter(|row| row.0 & version != 0) {
            coef.apply(verbs, codec.address)?;
        }
    }
    if let Some(gpio) = amplifier(codec) {
        gpio.apply(verbs, codec.address, codec.function)?;
    }
    Ok(())
}

/// The general purpose pins that feed a codec's amplifier.
fn amplifier(codec: &super::codec::Codec) -> Option<Gpio> {
    let high = |mask| Gpio { mask, data: mask };
    let machine = |wanted| [0, codec.subsystem, codec.subsystem >> 16].contains(&wanted);
    let fits = |row: &&(u32, u32, u32, u8)| (row.0..=row.1).contains(&codec.id) && machine(row.2);
    let row = GPIO_TABLE.iter().find(fits).map(|row| row.3);
    let own = || Some(codec).filter(|codec| codec.id >> 16 == REALTEK);
    row.or_else(|| realtek_amplifier(own()?)).map(high)
}

/// Realtek's way for firmware to name the pin: in the configuration of a pin without a jack,
/// with a checksum (`alc_subsystem_id`). Linux prefers the codec's subsystem where that differs
/// from the controller's, which is not known here.
fn realtek_amplifier(codec: &super::codec::Codec) -> Option<u8> {
    const ALC260: u32 = 0x10EC_0260;
    let says = if codec.id == ALC260 { 0x17 } else { 0x1D };
    let config = codec.graph.widget(Nid(says))?.config;
    let [low, high, ..] = config.to_le_bytes();
    let ones = (low & !1).count_ones().saturating_add(high.count_ones());
    let valid = config & 1 != 0 && config >> 30 == 1 && (config >> 16) & 0xF == ones;
    match (config >> 3) & 7 {
        1 if valid => Some(1),
        3 if valid => Some(2),
        7 if valid => Some(4),
        _ => None,
    }
}
