//! Where the resampler's inner loops read: rows of coefficients beside windows of samples.

use crate::path::Path;
use crate::table::{LANE, Sixteen};
use core::marker::PhantomData;
use core::ptr::NonNull;
use core::slice;

/// A row of coefficients, and as long a window of two channels' samples.
///
/// Made by [`Windows`] alone, which saw that all of it is there.
#[derive(Clone, Copy)]
pub struct View<'a, const PLANES: usize, const L: usize> {
    row: NonNull<[Sixteen; PLANES]>,
    samples: NonNull<i16>,
    /// Samples from plane to plane.
    stride: usize,
    lanes: usize,
    of: PhantomData<&'a [i16]>,
}

/// Sixteen taps: their coefficients, and the high and low samples of two channels.
pub type Window<'a, const PLANES: usize> = (&'a [Sixteen; PLANES], [[&'a [i16; LANE]; 2]; 2]);

impl<'a, const PLANES: usize, const L: usize> View<'a, PLANES, L> {
    /// Its lanes.
    #[inline]
    pub fn each(self) -> impl Iterator<Item = Window<'a, PLANES>> {
        let lanes = if L == 0 { self.lanes } else { L };
        (0..lanes).map(move |lane| {
            // SAFETY: all of it is borrowed for 'a, and this is one of the lanes.
            unsafe {
                let sample = |plane| {
                    let at = lane * LANE + plane * self.stride;
                    self.samples.add(at).cast().as_ref()
                };
                let planes = [[sample(0), sample(1)], [sample(2), sample(3)]];
                (self.row.add(lane).as_ref(), planes)
            }
        })
    }
}

/// How rows and planes lie.
struct Place {
    between: bool,
    row_len: usize,
    stride: usize,
    lanes: usize,
}

impl Place {
    /// Whether `rows` lanes of rows and `samples` samples hold all that `outputs` outputs read.
    #[inline(never)]
    fn holds(&self, path: Path, outputs: usize, rows: usize, samples: usize) -> Option<bool> {
        let Self {
            row_len,
            stride,
            lanes,
            ..
        } = *self;
        let (row, start) = path.last(self.between, outputs)?;
        let rows_end = row.checked_mul(row_len)?.checked_add(lanes)?;
        let planes = stride.checked_mul(3)?.checked_add(start)?;
        let samples_end = planes.checked_add(lanes.checked_mul(LANE)?)?;
        Some(lanes > 0 && rows_end <= rows && samples_end <= samples)
    }
}

/// What some outputs are made of, one after the other, and where they go.
pub struct Windows<'a, 'o, const PLANES: usize, const L: usize> {
    outputs: slice::IterMut<'o, [i32; 2]>,
    path: Path,
    /// The first output's, before it is moved there.
    view: View<'a, PLANES, L>,
    row_octets: usize,
}

impl<'a, 'o, const PLANES: usize, const L: usize> Windows<'a, 'o, PLANES, L> {
    /// The way of `path` past all `outputs`, through rows of `row_len` lanes and through planes of
    /// `stride` samples each, in windows of `lanes` lanes, which are `L` if that is not 0. `None`
    /// where it would lead beyond them.
    #[inline]
    #[must_use]
    pub fn new(
        (rows, row_len): (&'a [[Sixteen; PLANES]], usize),
        (samples, stride): (&'a [i16], usize),
        lanes: usize,
        path: Path,
        outputs: &'o mut [[i32; 2]],
    ) -> Option<Self> {
        let place = Place {
            between: PLANES == 4,
            row_len,
            stride,
            lanes,
        };
        let ends = place.holds(path, outputs.len(), rows.len(), samples.len())?;
        let row_octets = row_len.checked_mul(size_of::<[Sixteen; PLANES]>())?;
        let windows = Self {
            outputs: outputs.iter_mut(),
            path: if PLANES == 4 {
                path
            } else {
                path.in_units(row_octets as u64)?
            },
            view: View {
                row: NonNull::from(rows).cast(),
                samples: NonNull::from(samples).cast(),
                stride,
                lanes,
                of: PhantomData,
            },
            row_octets,
        };
        (ends && (L == 0 || L == lanes)).then_some(windows)
    }
}

impl<'a, 'o, const PLANES: usize, const L: usize> Iterator for Windows<'a, 'o, PLANES, L> {
    type Item = (&'o mut [i32; 2], View<'a, PLANES, L>, i16);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let output = self.outputs.next()?;
        let start = self.path.advance();
        let (row, rest) = if PLANES == 4 {
            let (row, rest) = self.path.nearest();
            (row * self.row_octets, rest)
        } else {
            (self.path.row(), 0)
        };
        // SAFETY: no output is beyond the last, whose row and window are there: [`Path::last`].
        let view = unsafe {
            View {
                row: self.view.row.byte_add(row),
                samples: self.view.samples.add(start),
                ..self.view
            }
        };
        Some((output, view, rest))
    }
}
