//! The mixer on its own: two guests of different rates and formats into one card.
//!
//! `cargo run -p ring-backend --example mix` prints the loudest sample of each millisecond. Nothing
//! but the crate's public interface is used, so the same few lines put the mixer beside any other.

use ring_backend::format::SampleFormat;
use ring_backend::mix::{Input, Mixer, StreamSpec, Tier, Unsupported, Voice};
use ring_backend::world::{CardFormat, CardSample};

/// Frames of the card per render.
const BLOCK: usize = 48;

fn main() -> Result<(), Unsupported> {
    let card = CardFormat {
        rate: 48_000,
        channels: 2,
        sample: CardSample::S32 { bits: 24 },
    };
    let mut mixer = Mixer::with_tier(card, Tier::detected());

    let mut square = Voice::new();
    square.configure(
        StreamSpec {
            format: SampleFormat::U8,
            rate: 44_100,
            channels: 1,
        },
        card,
    )?;
    square.set_gain(0, -12_000);
    // Tables are computed where they are first needed; ahead of time, nothing is silent meanwhile.
    while !mixer.prepare(&square) {}

    let mut constant = Voice::new();
    constant.configure(
        StreamSpec {
            format: SampleFormat::S16Le,
            rate: 48_000,
            channels: 2,
        },
        card,
    )?;

    let one: Vec<u8> = (0..44_100)
        .map(|n| if n / 50 % 2 == 0 { 64 } else { 192 })
        .collect();
    let other = [0_u8, 8, 0, 8].repeat(BLOCK);
    let mut played = 0;
    for millisecond in 0..10 {
        let frames = square.source_frames_for(BLOCK);
        let mut inputs = [
            Input {
                voice: &mut square,
                first: &one[played..played + frames],
                second: &[],
            },
            Input {
                voice: &mut constant,
                first: &other,
                second: &[],
            },
        ];
        played += frames;
        let mut out = [0; BLOCK * 8];
        mixer.render(&mut inputs, BLOCK, &mut out);
        let samples = out
            .as_chunks()
            .0
            .iter()
            .map(|&octets| i32::from_le_bytes(octets));
        println!("{millisecond} ms: {:?}", samples.max());
    }
    Ok(())
}
