//! Streams that are resampled in step, by twos: a coefficient that is read serves both.

use super::convert::{Stream, fits_two};
use super::input::Input;

/// Streams that wait for one in step with them, at most: looking costs every stream that much.
const WAITING: usize = 8;

/// Of the inputs that are not summed as they lie, one or two.
#[derive(Clone, Copy, Debug)]
pub struct Mates {
    first: u8,
    /// After the first.
    second: Option<u8>,
}

impl Mates {
    /// The streams, of which some frames are used.
    pub fn streams<'s, 'a>(
        self,
        inputs: &'s mut [Input<'a>],
        taken: &'s mut [usize],
    ) -> (Option<Stream<'s, 'a>>, Option<Stream<'s, 'a>>) {
        let mut streams = inputs.iter_mut().zip(taken).skip(usize::from(self.first));
        let mut next = |skipped| {
            let (input, taken) = streams.nth(skipped)?;
            Some(Stream { input, taken })
        };
        let first = next(0);
        let second = self
            .second
            .and_then(|at| next(usize::from(at - self.first) - 1));
        (first, second)
    }
}

/// Finds those of `inputs` that are not `straight`, two in step together.
pub fn pair<const N: usize>(
    inputs: &[Input<'_>],
    straight: &[bool],
    mates: &mut heapless::Vec<Mates, N>,
) {
    mates.clear();
    // Places in `mates`.
    let mut waiting = heapless::Deque::<usize, WAITING>::new();
    let others = inputs.iter().zip(straight).enumerate();
    for (index, (input, _)) in others.filter(|(_, (_, straight))| !**straight) {
        let Ok(index) = u8::try_from(index) else {
            return;
        };
        let voice = &*input.voice;
        let channels = voice.matrix.inputs().min(voice.matrix.outputs());
        let resamples = voice.spec.is_some() && voice.resamples;
        let shares = resamples && fits_two(channels, voice.resampler.taps());
        if shares {
            let in_step = |&&place: &&usize| {
                let first = mates
                    .get(place)
                    .and_then(|it| inputs.get(usize::from(it.first)));
                first.is_some_and(|first| first.voice.resampler.in_step_with(&voice.resampler))
            };
            if let Some(&place) = waiting.iter().find(in_step) {
                if let Some(first) = mates.get_mut(place) {
                    first.second = Some(index);
                }
                waiting.retain(|&other| other != place);
                continue;
            }
            if waiting.is_full() {
                waiting.pop_front();
            }
            let _ = waiting.push_back(mates.len());
        }
        let _ = mates.push(Mates {
            first: index,
            second: None,
        });
    }
}
