//! Where the resampler's inner loops read is seen to be there. Nothing here is unsafe, but what is read
//! relies on it.
#![deny(unsafe_code)]

use super::{View, Windows};
use crate::path::Path;
use crate::table::{LANE, Sixteen};
use core::marker::PhantomData;
use core::ptr::NonNull;

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
