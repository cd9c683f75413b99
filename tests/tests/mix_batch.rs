//! Streams that are resampled together sound as each does alone.

use ring_backend::format::SampleFormat as F;
use ring_backend::mix::{Input, Mixer, StreamSpec, Tier, Voice};
use ring_backend::world::{CardFormat, CardSample};
use tests::signal;

const CARD: CardFormat = CardFormat {
    rate: 48_000,
    channels: 2,
    sample: CardSample::S32 { bits: 32 },
};
/// Sizes of renders, over and over.
const BLOCKS: [usize; 4] = [48, 129, 7, 480];
const RENDERS: usize = 24;

/// A stream of the scene.
#[derive(Clone, Copy)]
struct Scene {
    format: F,
    rate: u32,
    channels: u8,
    drift: Option<i32>,
    /// The render in which it begins.
    from: usize,
    /// The render in which it has nothing to play.
    dry: usize,
    /// Whether it begins at the phase of those that have played from the first frame on.
    in_step: bool,
}

/// What is heard of `scene` when only stream `heard` of it is not muted; alone if so wanted.
fn play(scene: &[Scene], heard: usize, alone: bool, tier: Tier) -> Vec<u8> {
    let mut mixer = Mixer::with_tier(CARD, tier);
    // Who is not to be heard at all goes on beside it.
    let mut elsewhere = Mixer::with_tier(CARD, tier);
    let mut voices: Vec<Voice> = Vec::new();
    for (index, stream) in scene.iter().enumerate() {
        let mut voice = Voice::new();
        voice.set_drift(stream.drift);
        let spec = StreamSpec {
            format: stream.format,
            rate: stream.rate,
            channels: stream.channels,
        };
        voice.configure(spec, CARD).expect("plain PCM");
        for channel in 0..usize::from(stream.channels) {
            voice.set_gain(channel, -1_700);
            voice.set_mute(channel, index != heard);
        }
        while !mixer.prepare(&voice) || !elsewhere.prepare(&voice) {}
        voices.push(voice);
    }
    let rings: Vec<Vec<u8>> = (0..scene.len())
        .map(|seed| {
            let noise = signal::noise(2 * seed as u64 + 3, 60_000);
            noise.iter().flat_map(|s| s.to_le_bytes()).collect()
        })
        .collect();
    let mut used = vec![0; scene.len()];
    let mut out = Vec::new();
    let mut at = 0;
    for (render, &frames) in BLOCKS.iter().cycle().take(RENDERS).enumerate() {
        for (stream, voice) in scene.iter().zip(&mut voices) {
            if stream.in_step && stream.from == render {
                voice.begin_at(at);
            }
        }
        let needs = |voice: &Voice| [1, 7, 48, 161].map(|count| voice.source_frames_for(count));
        for late in (0..scene.len()).filter(|&it| scene[it].in_step && scene[it].from == render) {
            let others = (0..scene.len()).filter(|&it| it != late && scene[it].from < render);
            let mut others = others.map(|it| needs(&voices[it]));
            assert!(others.any(|other| other == needs(&voices[late])));
        }
        at += frames as u64;
        let (mut inputs, mut others) = (Vec::new(), Vec::new());
        let each = scene
            .iter()
            .zip(&mut voices)
            .zip(rings.iter().zip(&mut used));
        for (index, ((stream, voice), (ring, used))) in each.enumerate() {
            if render < stream.from {
                continue;
            }
            let inputs = if alone && index != heard {
                &mut others
            } else {
                &mut inputs
            };
            let frame = stream.format.octets().unwrap() * usize::from(stream.channels);
            let octets = voice.source_frames_for(frames) * frame;
            let octets = if render == stream.dry { 0 } else { octets };
            inputs.push(Input {
                voice,
                first: &ring[*used..*used + octets],
                second: &[],
            });
            *used += octets;
        }
        let mut block = vec![0; frames * CARD.frame_octets()];
        elsewhere.render(&mut others, frames, &mut block);
        mixer.render(&mut inputs, frames, &mut block);
        out.extend(block);
    }
    out
}

#[test]
fn streams_in_step_sound_as_each_does_alone() {
    let stream = |format, rate, channels, drift, from, dry| Scene {
        format,
        rate,
        channels,
        drift,
        from,
        dry,
        in_step: false,
    };
    let late = |format, drift, from, dry| Scene {
        in_step: true,
        ..stream(format, 44_100, 2, drift, from, dry)
    };
    let never = usize::MAX;
    let scenes: [&[Scene]; 7] = [
        // Two and two, and one that is left over.
        &[stream(F::S32Le, 44_100, 2, None, 0, never); 5],
        // A lane for each channel, of eight that are folded as well, and two that are left over.
        &[
            stream(F::S16Le, 44_100, 2, None, 0, never),
            stream(F::S32Le, 44_100, 2, None, 0, 9),
            stream(F::S16Le, 44_100, 8, None, 0, never),
            stream(F::S16Le, 44_100, 2, None, 0, never),
            stream(F::S16Le, 48_000, 2, None, 0, never),
            stream(F::S16Le, 44_100, 2, None, 0, 11),
            stream(F::S16Le, 44_100, 2, None, 0, never),
            stream(F::S16Le, 44_100, 2, None, 0, never),
            stream(F::S16Le, 44_100, 2, None, 0, never),
            stream(F::S16Le, 44_100, 2, None, 0, never),
            stream(F::S16Le, 44_100, 2, None, 0, never),
        ],
        // Some begin later, at another phase, and one runs dry.
        &[
            stream(F::S16Le, 44_100, 2, None, 0, 9),
            stream(F::S32Le, 44_100, 2, None, 3, never),
            stream(F::S32Le, 44_100, 2, None, 0, never),
            stream(F::S16Le, 48_000, 2, None, 0, never),
            stream(F::S16Le, 44_100, 2, None, 3, 11),
        ],
        // Some begin later, at the phase of one that plays.
        &[
            late(F::S16Le, None, 5, never),
            stream(F::S32Le, 44_100, 2, None, 0, 11),
            late(F::S32Le, None, 3, 7),
            stream(F::S32Le, 44_100, 2, Some(1_000_000), 0, never),
            late(F::S32Le, Some(1_000_000), 9, never),
        ],
        // One channel; and eight, which is folded.
        &[
            stream(F::S16Le, 22_050, 1, None, 0, never),
            stream(F::S32Le, 22_050, 1, None, 0, never),
            stream(F::S16Le, 96_000, 8, None, 0, never),
            stream(F::S16Le, 96_000, 8, None, 0, never),
        ],
        // Filters that are too long for two, and clocks that differ.
        &[
            stream(F::S16Le, 192_000, 2, None, 0, never),
            stream(F::S16Le, 192_000, 2, None, 0, never),
            stream(F::S32Le, 44_100, 2, Some(1_000_000), 0, never),
            stream(F::S32Le, 44_100, 2, Some(1_000_000), 0, never),
            stream(F::S32Le, 44_100, 2, Some(-1_000_000), 0, never),
        ],
        // The same number of channels, at different rates.
        &[
            stream(F::U8, 8_000, 2, None, 0, never),
            stream(F::U8, 11_025, 2, None, 0, never),
            stream(F::U8, 8_000, 2, None, 1, never),
            stream(F::U8, 8_000, 2, None, 0, never),
        ],
    ];
    for tier in Tier::every() {
        for (number, scene) in scenes.iter().enumerate() {
            for heard in 0..scene.len() {
                let together = play(scene, heard, false, tier);
                assert!(together.iter().any(|&octet| octet != 0));
                let alone = play(scene, heard, true, tier);
                assert!(
                    together == alone,
                    "{tier:?}: scene {number}, stream {heard}"
                );
            }
        }
    }
}
