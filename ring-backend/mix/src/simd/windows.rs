//! Where the resampler's inner loops read is seen to be there. Nothing here is unsafe, but what is read
//! relies on it.
#![deny(unsafe_code)]

use super::{View, Windows};
use crate::convolve::Part;
use crate::path::Path;
use crate::table::{EDGE, LANE, Sixteen, Table};
use core::marker::PhantomData;
use core::ptr::NonNull;

/// Sixteen taps' coefficients, and the high and low samples of two channels.
pub type Window<'a, const PLANES: usize> = (&'a [Sixteen; PLANES], [[&'a [i16; LANE]; 2]; 2]);

/// The taps of both ends: their coefficients, then how those change where `PLANES` is 4, and the
/// high samples of two channels.
pub type Ends<'a> = (&'a [Sixteen; 2], [[&'a [i16; EDGE]; 2]; 2]);

/// The way of the next outputs through a table and through two channels' planes.
struct Way<'a> {
    path: Path,
    /// The first row, and where the window of an output at the first frame begins.
    row: &'a [Sixteen],
    samples: &'a [i16],
    row_octets: usize,
}

impl<'a> Way<'a> {
    /// `None` where so many `outputs`, of some lanes of those between the ends, would lead beyond what
    /// there is, or where the table's rows have not so many `planes`.
    #[inline(never)]
    fn new(part: &Part<'a>, outputs: usize, planes: usize) -> Option<Self> {
        let Part {
            fir,
            path,
            channel,
            lanes,
        } = part;
        let Table { plan, rows } = &fir.table;
        let taps = plan.shape.taps;
        let samples = fir
            .samples
            .get(channel.checked_mul(2)?.checked_mul(fir.stride)?..)?;
        let (row, start) = path.last(planes == 4, outputs)?;
        // Between the ends there is a lane at least, and what is read of it.
        let middle = (taps / LANE).checked_sub(1)?;
        let row_len = middle.checked_mul(planes)?.checked_add(planes / 2)?;
        let row_octets = row_len.checked_mul(size_of::<Sixteen>())?;
        let rows_end = row.checked_add(1)?.checked_mul(row_len)?;
        let starts = fir.stride.checked_mul(3)?.checked_add(start)?;
        let whole = taps.is_multiple_of(LANE) && plan.between == (planes == 4);
        let some = lanes.start < lanes.end && lanes.end <= middle;
        let holds = rows_end <= rows.len() && starts.checked_add(taps)? <= samples.len();
        let unit = if planes == 4 { 1 } else { row_octets };
        let way = Self {
            path: path.in_units(unit as u64)?,
            row: rows,
            samples,
            row_octets,
        };
        (whole && some && holds).then_some(way)
    }
}

impl<'a, const PLANES: usize, const L: usize> Windows<'a, PLANES, L> {
    /// The way past so many outputs, through the rows of a table and through the planes of two
    /// channels, in windows of the part's lanes, which are all that there are between the ends,
    /// `L`, if that is not 0. `None` where it would lead beyond them.
    #[inline]
    #[must_use]
    pub fn new(part: &Part<'a>, outputs: usize) -> Option<Self> {
        let way = Way::new(part, outputs, PLANES)?;
        let Part { fir, lanes, .. } = part;
        let taps = fir.table.plan.shape.taps;
        let windows = Self {
            left: outputs,
            path: way.path,
            view: View {
                row: NonNull::from(way.row).cast(),
                samples: NonNull::from(way.samples).cast(),
                stride: fir.stride,
                taps,
                first: lanes.start,
                lanes: lanes.len(),
                of: PhantomData,
            },
            row_octets: way.row_octets,
        };
        let these = L == 0 || *lanes == (0..L) && taps == (L + 1) * LANE;
        these.then_some(windows)
    }
}
