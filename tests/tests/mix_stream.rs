//! Streams over time: any blocks, any tier, any rate, and no clicks.

use ring_backend::format::{FormatSet, SampleFormat as F};
use ring_backend::mix::{Input, Mixer, Quality, StreamSpec, Tier, Voice};
use ring_backend::world::{CardFormat, CardSample};
use std::f64::consts::TAU;

const RATES: [u32; 12] = [
    5_512, 8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 64_000, 96_000, 176_400, 192_000,
];

fn card(rate: u32, channels: u8) -> CardFormat {
    CardFormat {
        rate,
        channels,
        sample: CardSample::S32 { bits: 32 },
    }
}

fn open(format: F, rate: u32, channels: u8, card: CardFormat) -> Voice {
    let mut voice = Voice::new();
    voice
        .configure(
            StreamSpec {
                format,
                rate,
                channels,
            },
            card,
        )
        .expect("a plain stream");
    voice
}

fn noise(octets: usize) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    (0..octets)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as u8
        })
        .collect()
}

/// Plays a ring's octets from the start, in blocks of the given sizes over and over.
fn play(
    mixer: &mut Mixer,
    voice: &mut Voice,
    frame: usize,
    ring: &[u8],
    frames: usize,
    blocks: &[usize],
    card: CardFormat,
) -> Vec<i32> {
    while !mixer.prepare(voice) {}
    let mut out = vec![0; frames * card.frame_octets()];
    let (mut at, mut used) = (0, 0);
    for &block in blocks.iter().cycle() {
        let count = block.min(frames - at);
        if count == 0 {
            break;
        }
        let octets = voice.source_frames_for(count) * frame;
        // Parted in the middle of a frame as often as not.
        let piece = &ring[used.min(ring.len())..(used + octets).min(ring.len())];
        let (first, second) = piece.split_at(piece.len() * (at % 7) / 7);
        let input = Input {
            voice,
            first,
            second,
        };
        let range = at * card.frame_octets()..(at + count) * card.frame_octets();
        mixer.render(&mut [input], count, &mut out[range]);
        used += octets;
        at += count;
    }
    out.as_chunks()
        .0
        .iter()
        .map(|&x| i32::from_le_bytes(x))
        .collect()
}

#[test]
fn any_block_size_and_any_tier_give_the_same_samples() {
    let cases = [
        (F::S16Le, 44_100, 2, 48_000, 2, None),
        (F::F32Le, 48_000, 2, 44_100, 2, None),
        (F::U8, 8_000, 1, 48_000, 2, None),
        (F::S24Le, 192_000, 8, 44_100, 2, None),
        (F::F64Be, 22_050, 6, 48_000, 8, None),
        (F::S32Be, 96_000, 8, 48_000, 8, None),
        (F::MuLaw, 11_025, 3, 96_000, 1, None),
        (F::S32Le, 44_100, 2, 48_000, 2, Some(3_000_000)),
        (F::S16Le, 48_000, 3, 48_000, 3, Some(-2_000_000)),
        (F::S16Be, 48_000, 5, 48_000, 2, None),
    ];
    for (format, rate, channels, card_rate, card_channels, drift) in cases {
        let card = card(card_rate, card_channels);
        let frame = format.octets().unwrap() * usize::from(channels);
        let ring = noise(frame * 30_000);
        let mut expected = None;
        for quality in [Quality::Light, Quality::Best] {
            for tier in Tier::every() {
                for blocks in [&[1_500][..], &[1], &[48, 7, 480, 3, 129]] {
                    let mut voice = Voice::new();
                    voice.set_quality(quality);
                    voice.set_drift(drift);
                    let spec = StreamSpec {
                        format,
                        rate,
                        channels,
                    };
                    voice.configure(spec, card).unwrap();
                    voice.set_gain(0, -1_234);
                    let mut mixer = Mixer::with_tier(card, tier);
                    let out = play(&mut mixer, &mut voice, frame, &ring, 1_500, blocks, card);
                    assert!(out.iter().any(|&sample| sample != 0));
                    match &expected {
                        None => expected = Some(out),
                        Some(expected) => {
                            assert!(*expected == out, "{format:?} {rate} {tier:?} {blocks:?}");
                        }
                    }
                }
            }
            expected = None;
        }
    }
}

#[test]
fn every_pair_of_rates_takes_what_it_says() {
    for from in RATES {
        for to in RATES {
            let card = card(to, 2);
            let voice = open(F::S16Le, from, 2, card);
            // Counted, not rendered: see `ten_minutes_of_sound_end_as_they_began` for that.
            let total = voice.source_frames_for(to as usize * 600);
            let expected = from as usize * 600;
            // The first output takes one frame, whatever the ratio.
            let edge = (from / to) as usize + 1;
            assert!(
                total.abs_diff(expected) <= edge,
                "{from} to {to}: {total}, not {expected}"
            );
        }
    }
}

/// Renders ten minutes of noise that repeats as often as the ratio's phases do: so must what comes
/// out, to the bit where the phases are kept. Those of four pairs, as that takes seconds; of all 144 with `AUDIODOM_LONG`
/// in the environment.
#[test]
fn ten_minutes_of_sound_end_as_they_began() {
    let some = [
        (44_100, 48_000),
        (48_000, 44_100),
        (8_000, 48_000),
        (16_000, 11_025),
    ];
    let every = RATES.iter().flat_map(|&from| RATES.map(|to| (from, to)));
    let pairs: Vec<(u32, u32)> = match std::env::var_os("AUDIODOM_LONG") {
        Some(_) => every.collect(),
        None => some.to_vec(),
    };
    for (from, to) in pairs {
        let start = std::time::Instant::now();
        ten_minutes(from, to);
        println!("{from} to {to}: {:.1} s", start.elapsed().as_secs_f64());
    }
}

fn ten_minutes(from: u32, to: u32) {
    let card = CardFormat {
        sample: CardSample::S16,
        ..card(to, 1)
    };
    let mut voice = open(F::S16Le, from, 1, card);
    let mut mixer = Mixer::new(card);
    while !mixer.prepare(&voice) {}
    // A tenth of a second is whole frames of both rates, or else a second is.
    let parts = if from.is_multiple_of(10) && to.is_multiple_of(10) {
        10
    } else {
        1
    };
    let (period, frames) = ((from / parts) as usize, (to / parts) as usize);
    let once = noise(2 * period);
    let exact = voice.keeps_phases();
    // Otherwise each output may be 2^-40 of a frame late, and the steepest noise changes by pi times
    // full scale in a frame.
    let late = f64::from(to) * 600.0 / 2_f64.powi(40);
    let most = 2 + (late * std::f64::consts::PI * 32_768.0) as u16;
    let ring = once.repeat(3);
    let (mut at, mut used) = (0, 0);
    let mut first = Vec::new();
    let mut block = vec![0; 2 * frames];
    for round in 0..600 * parts {
        let need = voice.source_frames_for(frames);
        used += need;
        let input = Input {
            voice: &mut voice,
            first: &ring[2 * at..2 * (at + need)],
            second: &[],
        };
        at = (at + need) % period;
        mixer.render(&mut [input], frames, &mut block);
        match round {
            0 => {}
            1 => first = block.clone(),
            _ if exact => assert!(first == block, "{from} to {to}: period {round}"),
            _ => assert!(near(&first, &block, most), "{from} to {to}: period {round}"),
        }
    }
    assert!(used.abs_diff(from as usize * 600) <= (from / to) as usize + 1);
    assert!(first.iter().any(|&octet| octet != 0));
}

/// Whether no sample differs by more than `most` units.
fn near(a: &[u8], b: &[u8], most: u16) -> bool {
    let pairs = a.as_chunks().0.iter().zip(b.as_chunks().0);
    pairs
        .map(|(&a, &b)| i16::from_le_bytes(a).abs_diff(i16::from_le_bytes(b)))
        .all(|difference| difference <= most)
}

/// The largest second difference of a stream: a click's mark on a slow tone.
fn sharpest(samples: &[i32]) -> f64 {
    let left: Vec<f64> = samples
        .chunks(2)
        .map(|frame| f64::from(frame[0]) / 2_147_483_648.0)
        .collect();
    let bends = left.windows(3).map(|w| (w[0] - 2.0 * w[1] + w[2]).abs());
    bends.fold(0.0, f64::max)
}

fn tone(rate: u32, frames: usize) -> Vec<u8> {
    (0..frames)
        .flat_map(|frame| {
            let phase = TAU * 100.0 * frame as f64 / f64::from(rate);
            let sample = (phase.cos() * 0.9 * f64::from(i16::MAX)) as i16;
            [sample.to_le_bytes(), sample.to_le_bytes()].concat()
        })
        .collect()
}

#[test]
fn gains_mutes_and_running_dry_make_no_click() {
    let card = card(48_000, 2);
    for rate in [48_000, 44_100] {
        let ring = tone(rate, 48_000);
        let mut voice = open(F::S16Le, rate, 2, card);
        let mut mixer = Mixer::new(card);
        while !mixer.prepare(&voice) {}
        let (mut used, mut out) = (0, Vec::new());
        for block in 0..300 {
            match block {
                40 => voice.set_gain(0, -20_000),
                60 => voice.set_gain(0, 0),
                80 => voice.set_mute(0, true),
                100 => voice.set_mute(0, false),
                // Changed again before it has arrived.
                120 => voice.set_gain(0, -6_000),
                121 => voice.set_gain(0, 3_000),
                122 => voice.set_gain(0, 0),
                _ => {}
            }
            let octets = voice.source_frames_for(48) * 4;
            // Runs dry in the middle of a block, and comes back in another.
            let piece = match block {
                150 => &ring[used..used + octets / 8 * 4],
                151..200 => &[],
                _ => &ring[used..used + octets],
            };
            used += piece.len();
            let mut frames = vec![0; 48 * 8];
            let input = Input {
                voice: &mut voice,
                first: piece,
                second: &[],
            };
            mixer.render(&mut [input], 48, &mut frames);
            out.extend(frames.as_chunks().0.iter().map(|&x| i32::from_le_bytes(x)));
        }
        // The filter's start is the stream's own edge; what comes after is judged.
        let calm = sharpest(&out[2 * 200..2 * 40 * 48]);
        // A step of full scale would be 0.9; 16-bit steps alone are 0.00006.
        let moving = sharpest(&out[2 * 200..2 * 140 * 48]);
        assert!(
            calm < 0.000_3 && moving < 0.000_6,
            "{rate}: {calm} {moving}"
        );
        // The tone's end is no sharper than the tone is steep.
        let worst = sharpest(&out[2 * 200..]);
        assert!(worst < 0.9 * TAU * 100.0 / 48_000.0, "{rate}: {worst}");
        let silent = &out[2 * 170 * 48..2 * 195 * 48];
        assert!(
            silent.iter().all(|sample| sample.abs() < 4),
            "{rate}: a gap is silence"
        );
    }
}

#[test]
fn a_ramp_ends_at_the_gain_asked_for() {
    let card = card(48_000, 2);
    let ring: Vec<u8> = [0_u8, 0x40, 0, 0x40].repeat(4_000);
    let mut voice = open(F::S16Le, 48_000, 2, card);
    let mut mixer = Mixer::new(card);
    let first = play(&mut mixer, &mut voice, 4, &ring, 10, &[10], card);
    assert_eq!(first[0], 0x4000_0000);
    voice.set_mute(1, true);
    let ramp = play(&mut mixer, &mut voice, 4, &ring, 1_000, &[10], card);
    assert_eq!(ramp[ramp.len() - 2..], [0x4000_0000, 0]);
    assert!(
        ramp.chunks(2)
            .zip(ramp.chunks(2).skip(1))
            .all(|(a, b)| a[1] >= b[1])
    );
}

#[test]
fn every_layout_reaches_every_card_and_none_clips() {
    for format in FormatSet::PLAYABLE.iter() {
        for channels in 1..=8_u8 {
            for card_channels in 1..=8_u8 {
                let card = card(48_000, card_channels);
                let mut voice = open(format, 48_000, channels, card);
                let mut mixer = Mixer::new(card);
                let mut loud = vec![0; 8 * format.octets().unwrap() * usize::from(channels)];
                let full = vec![i32::MAX; 8 * usize::from(channels)];
                ring_backend::mix::encode::encode(format, &full, &mut loud);
                let frame = loud.len() / 8;
                let out = play(&mut mixer, &mut voice, frame, &loud, 8, &[8], card);
                // The fronts sound, and are no louder than what came in.
                assert!(
                    out[0] > 1 << 29,
                    "{format:?} {channels} to {card_channels}: {}",
                    out[0]
                );
            }
        }
    }
}
