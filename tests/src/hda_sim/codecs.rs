//! Four codecs: two of QEMU's and two of our own that have what QEMU's lack.

use super::codec::{Codec, Kind, Widget};

/// QEMU: 16 bits, 16 to 96 kHz.
const QEMU_PCM: u32 = 0x0002_01FC;
/// QEMU: 74 steps of 1 dB, 0 dB on top, mute.
const QEMU_AMP: u32 = 0x8003_4A4A;
/// 16 and 24 bits at 44.1, 48, 96 and 192 kHz.
const PCM_24: u32 = 0x000A_0560;
/// 16 to 32 bits at the same rates.
const PCM_32: u32 = 0x001E_0560;
/// 87 steps of 0.75 dB, 0 dB at the top, mute.
const VOLUME: u32 = 0x8002_5757;
/// Mute alone.
const MUTE: u32 = 0x8000_0000;
/// 31 steps of 1.5 dB, 0 dB at 23, mute.
const LEVEL: u32 = 0x8005_1F17;

const OUT: u32 = 1 << 4;
const IN: u32 = 1 << 5;
const HEADPHONES: u32 = 1 << 3;
const EAPD: u32 = 1 << 16;

/// A codec with the name that tests print, and where it is heard.
pub struct Known {
    /// Name.
    pub name: &'static str,
    /// The codec.
    pub codec: Codec,
    /// The pins that must play, the main one first.
    pub pins: &'static [u8],
    /// The paths as the driver tells them.
    pub paths: &'static [&'static str],
    /// Bits of a sample on the link.
    pub bits: u8,
}

/// All four.
#[must_use]
pub fn all() -> Vec<Known> {
    vec![
        Known {
            name: "QEMU hda-output",
            codec: qemu_output(),
            pins: &[3],
            paths: &["Line out (rear): 0x03 ← 0x02"],
            bits: 16,
        },
        Known {
            name: "QEMU hda-duplex",
            codec: qemu_duplex(),
            pins: &[3],
            paths: &["Line out (rear): 0x03 ← 0x02"],
            bits: 16,
        },
        Known {
            name: "desktop",
            codec: desktop(),
            pins: &[0x14, 0x15, 0x1B],
            paths: &[
                "Line out (rear): 0x14 ← 0x0c ← 0x02",
                "Headphone (front): 0x15 ← 0x0d ← 0x03",
            ],
            bits: 24,
        },
        Known {
            name: "laptop",
            codec: laptop(),
            pins: &[0x1B, 0x1C],
            paths: &[
                "Headphone: 0x1b ← 0x12",
                "Speaker: 0x1c ← 0x18 ← 0x15 ← 0x16 ← 0x14 ← 0x11",
            ],
            bits: 32,
        },
    ]
}

/// QEMU's `hda-output`: one converter, one pin.
#[must_use]
pub fn qemu_output() -> Codec {
    Codec::new(0x1AF4_0012, QEMU_PCM, 2, qemu_widgets()).blind(2)
}

/// QEMU's `hda-duplex`: the same and a line-in.
#[must_use]
pub fn qemu_duplex() -> Codec {
    let mut widgets = qemu_widgets();
    widgets.push(
        Widget::new(Kind::Adc)
            .pcm(QEMU_PCM)
            .from(&[5])
            .input_amp(QEMU_AMP),
    );
    widgets.push(Widget::new(Kind::Pin).pin(IN, 0x0181_3020));
    Codec::new(0x1AF4_0022, QEMU_PCM, 2, widgets).blind(2)
}

fn qemu_widgets() -> Vec<Widget> {
    vec![
        Widget::new(Kind::Dac)
            .pcm(QEMU_PCM)
            .output_amp(QEMU_AMP)
            .at(0x4A),
        Widget::new(Kind::Pin).pin(OUT, 0x0101_4010).from(&[2]),
    ]
}

/// A desktop codec: volumes on the converters, muted mixers with an analog loop, pins that
/// choose among mixers (the right one is not the first), an external amplifier, S/PDIF.
#[must_use]
pub fn desktop() -> Codec {
    let dac = || Widget::new(Kind::Dac).pcm(PCM_24).output_amp(VOLUME);
    let mixer = |dac| Widget::new(Kind::Mixer).from(&[0x0B, dac]).input_amp(MUTE);
    let unused = || Widget::new(Kind::Vendor);
    let mut widgets = vec![dac(), dac(), dac()];
    widgets.extend([unused(), Widget::new(Kind::Dac).pcm(PCM_24).digital()]);
    widgets.push(unused());
    widgets.push(Widget::new(Kind::Adc).pcm(PCM_24).from(&[0x18]));
    widgets.extend([unused(), unused()]);
    // 0x0b: the analog loop, and the mixers behind it.
    widgets.push(
        Widget::new(Kind::Mixer)
            .from(&[0x18, 0x1A])
            .input_amp(LEVEL),
    );
    widgets.extend([mixer(2), mixer(3), mixer(4)]);
    widgets.extend((0x0F..0x14).map(|_| unused()));
    // 0x14: line-out; 0x15: headphones.
    widgets.push(
        Widget::new(Kind::Pin)
            .pin(OUT | EAPD, 0x0101_4010)
            .from(&[0x0D, 0x0C, 0x0E])
            .output_amp(MUTE),
    );
    widgets.push(
        Widget::new(Kind::Pin)
            .pin(OUT | HEADPHONES, 0x0221_4020)
            .listing(&[0x0C, 0x800E], false)
            .output_amp(MUTE),
    );
    widgets.extend([unused(), unused()]);
    widgets.push(Widget::new(Kind::Pin).pin(IN, 0x01A1_9030));
    widgets.push(unused());
    widgets.push(Widget::new(Kind::Pin).pin(IN | OUT, 0x0181_3031));
    let digital = Widget::new(Kind::Pin).digital().pin(OUT, 0x0145_1150);
    widgets.push(digital.from(&[6]));
    Codec::new(0x0000_0DE5, PCM_24, 2, widgets).powered()
}

/// A laptop codec: every widget has its power switched off, selectors behind selectors with
/// long lists and ranges, a cycle, a converter that takes no 48 kHz, a speaker with an external
/// amplifier that firmware calls a fixed line-out.
#[must_use]
pub fn laptop() -> Codec {
    let selector = || Widget::new(Kind::Selector).powered();
    let widgets = vec![
        // 0x10: a converter for another clock; 0x11, 0x12: the real ones.
        Widget::new(Kind::Dac).pcm(0x001E_0020).powered(),
        Widget::new(Kind::Dac)
            .pcm(PCM_32)
            .powered()
            .output_amp(VOLUME),
        Widget::new(Kind::Dac)
            .pcm(PCM_32)
            .powered()
            .output_amp(VOLUME),
        // 0x13: beeps; 0x14: chooses a converter, by a long list with a range.
        Widget::new(Kind::Vendor),
        selector()
            .listing(&[0x13, 0x10, 0x8012], true)
            .output_amp(LEVEL),
        // 0x15 and 0x16: a cycle, with the way on at its end.
        Widget::new(Kind::Mixer)
            .powered()
            .from(&[0x16, 0x1D])
            .input_amp(MUTE),
        selector().from(&[0x15, 0x13, 0x14]),
        Widget::new(Kind::Vendor),
        // 0x18: a mixer with levels on its inputs.
        Widget::new(Kind::Mixer)
            .powered()
            .from(&[0x13, 0x15, 0x16])
            .input_amp(LEVEL),
        Widget::new(Kind::Vendor),
        Widget::new(Kind::Vendor),
        // 0x1b: headphones; 0x1c: the speaker.
        Widget::new(Kind::Pin)
            .powered()
            .pin(OUT | HEADPHONES | EAPD, 0x0321_101F)
            .from(&[0x12]),
        Widget::new(Kind::Pin)
            .powered()
            .pin(OUT | EAPD, 0x9000_0110)
            .from(&[0x18])
            .output_amp(MUTE),
        Widget::new(Kind::Pin).pin(IN, 0x90A6_0130),
    ];
    Codec::new(0x0000_1A97, PCM_32, 0x10, widgets).powered()
}
