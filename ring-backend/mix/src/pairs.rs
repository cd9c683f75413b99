//! Streams that are resampled in step, together: a coefficient that is read serves all of them.

use super::columns::COLUMNS;
use super::convert::{Stream, fit};
use super::input::Input;

/// Streams that wait for others in step with them, at most: looking costs every stream that much.
const WAITING: usize = 8;

/// Some of the inputs that are not summed as they lie, in order.
#[derive(Clone, Debug)]
pub struct Mates(heapless::Vec<u8, COLUMNS>);

impl Mates {
    /// The streams, of which some frames are used.
    pub fn streams<'s, 'a>(
        &self,
        inputs: &'s mut [Input<'a>],
        taken: &'s mut [usize],
    ) -> heapless::Vec<Stream<'s, 'a>, COLUMNS> {
        let mut streams = inputs.iter_mut().zip(taken);
        let mut found = heapless::Vec::new();
        let mut at = 0;
        for index in self.0.iter().map(|&index| usize::from(index)) {
            let skipped = index.saturating_sub(at);
            at = index + 1;
            if let Some((input, taken)) = streams.nth(skipped) {
                let _ = found.push(Stream { input, taken });
            }
        }
        found
    }
}

/// Finds those of `inputs` that are not `straight`, those in step together.
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
        let most = if resamples {
            fit(channels, &voice.resampler.plan())
        } else {
            1
        };
        if most > 1 {
            let in_step = |&&place: &&usize| {
                let members = mates.get(place).map_or(&[][..], |it| &it.0);
                let first = members.first().filter(|_| members.len() < most);
                let first = first.and_then(|&first| inputs.get(usize::from(first)));
                first.is_some_and(|first| first.voice.resampler.in_step_with(&voice.resampler))
            };
            if let Some(&place) = waiting.iter().find(in_step) {
                if let Some(Mates(members)) = mates.get_mut(place) {
                    let _ = members.push(index);
                }
                continue;
            }
            if waiting.is_full() {
                waiting.pop_front();
            }
            let _ = waiting.push_back(mates.len());
        }
        let mut members = heapless::Vec::new();
        let _ = members.push(index);
        let _ = mates.push(Mates(members));
    }
}
