//! More engines: two with other ways in than plain C, and one that is a crate.

use crate::peers::{Convert, library, symbol};
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler};
use std::ffi::{CStr, c_double, c_int, c_uint, c_void};
use std::mem::transmute;
use std::ptr;

pub const ZITA: &CStr = c"libzita-resampler.so.1";
pub const SWRESAMPLE: &CStr = c"libswresample.so.4";

/// The part of zita's objects that is theirs to share, and room for the rest.
#[repr(C, align(64))]
struct Zita {
    in_frames: c_uint,
    out_frames: c_uint,
    input: *const f32,
    output: *mut f32,
    rest: [u64; 128],
}

/// zita with `half` frames of filter to either side: of one ratio, or where `varies` of any.
///
/// Its library is C++: the names are those that GCC and Clang give to the members of `Resampler`
/// and `VResampler` in its headers, and an object is their first argument.
pub fn zita(rates: (u32, u32), half: c_uint, varies: bool) -> Option<Convert> {
    type Plain = unsafe extern "C" fn(*mut Zita) -> c_int;
    type Setup = unsafe extern "C" fn(*mut Zita, c_uint, c_uint, c_uint, c_uint) -> c_int;
    type SetupAny = unsafe extern "C" fn(*mut Zita, c_double, c_uint, c_uint) -> c_int;
    let library = library(ZITA)?;
    let (new, setup, process) = if varies {
        (
            c"_ZN10VResamplerC1Ev",
            c"_ZN10VResampler5setupEdjj",
            c"_ZN10VResampler7processEv",
        )
    } else {
        (
            c"_ZN9ResamplerC1Ev",
            c"_ZN9Resampler5setupEjjjj",
            c"_ZN9Resampler7processEv",
        )
    };
    let mut zita = Box::new(Zita {
        in_frames: 0,
        out_frames: 0,
        input: ptr::null(),
        output: ptr::null_mut(),
        rest: [0; 128],
    });
    let setup = symbol(library, setup)?;
    // SAFETY: the types that resampler.h and vresampler.h declare; the object has room for theirs.
    let (process, failed) = unsafe {
        let new = transmute::<*mut c_void, Plain>(symbol(library, new)?);
        new(&mut *zita);
        let failed = if varies {
            let ratio = f64::from(rates.1) / f64::from(rates.0);
            transmute::<*mut c_void, SetupAny>(setup)(&mut *zita, ratio, 2, half)
        } else {
            transmute::<*mut c_void, Setup>(setup)(&mut *zita, rates.0, rates.1, 2, half)
        };
        (
            transmute::<*mut c_void, Plain>(symbol(library, process)?),
            failed,
        )
    };
    (failed == 0).then(|| {
        Box::new(move |input: &[f32], out: &mut [f32]| {
            let (new, room) = (input.len() / 2, out.len() / 2);
            zita.in_frames = new as c_uint;
            zita.out_frames = room as c_uint;
            zita.input = input.as_ptr();
            zita.output = out.as_mut_ptr();
            // SAFETY: both buffers hold as many frames as are named.
            unsafe { process(&mut *zita) };
            (
                new - zita.in_frames as usize,
                room - zita.out_frames as usize,
            )
        }) as Convert
    })
}

/// FFmpeg's resampler with its defaults, in interleaved float.
pub fn swresample(rates: (u32, u32)) -> Option<Convert> {
    type Alloc = unsafe extern "C" fn(
        *mut c_void,
        i64,
        c_int,
        c_int,
        i64,
        c_int,
        c_int,
        c_int,
        *mut c_void,
    ) -> *mut c_void;
    type Init = unsafe extern "C" fn(*mut c_void) -> c_int;
    type Convert =
        unsafe extern "C" fn(*mut c_void, *mut *mut u8, c_int, *mut *const u8, c_int) -> c_int;
    const STEREO: i64 = 3;
    const FLOAT: c_int = 3;
    let library = library(SWRESAMPLE)?;
    let rate = |rate: u32| rate as c_int;
    // SAFETY: the types that swresample.h of this version declares.
    let (state, convert) = unsafe {
        let alloc = transmute::<*mut c_void, Alloc>(symbol(library, c"swr_alloc_set_opts")?);
        let init = transmute::<*mut c_void, Init>(symbol(library, c"swr_init")?);
        let (to, from) = (rate(rates.1), rate(rates.0));
        let none = ptr::null_mut();
        let state = alloc(none, STEREO, FLOAT, to, STEREO, FLOAT, from, 0, none);
        if state.is_null() || init(state) < 0 {
            return None;
        }
        (
            state,
            transmute::<*mut c_void, Convert>(symbol(library, c"swr_convert")?),
        )
    };
    Some(Box::new(move |input: &[f32], out: &mut [f32]| {
        let room = out.len() / 2;
        // It would take all that there is, and keep it.
        let new = (room * rates.0 as usize / rates.1 as usize).min(input.len() / 2);
        let mut from: *const u8 = input.as_ptr().cast();
        let mut to: *mut u8 = out.as_mut_ptr().cast();
        // SAFETY: the buffers hold at least as many frames of two channels as are named.
        let made = unsafe { convert(state, &mut to, room as c_int, &mut from, new as c_int) };
        (new, usize::try_from(made).unwrap_or(0))
    }))
}

/// rubato's FFT with `chunk` frames at a time. Only where that is what a call asks for.
pub fn rubato(rates: (u32, u32), chunk: usize) -> Option<Convert> {
    let (from, to) = (rates.0 as usize, rates.1 as usize);
    let mut engine = Fft::<f32>::new(from, to, chunk, 2, FixedSync::Output).ok()?;
    if engine.output_frames_next() != chunk || engine.input_frames_max() > 2 * chunk {
        return None;
    }
    Some(Box::new(move |input: &[f32], out: &mut [f32]| {
        let need = engine.input_frames_next();
        let from = InterleavedSlice::new(input, 2, need);
        let to = InterleavedSlice::new_mut(out, 2, chunk);
        let done = from.ok().zip(to.ok()).and_then(|(from, mut to)| {
            let done = engine.process_into_buffer(&from, &mut to, None);
            done.ok()
        });
        done.map_or((0, 0), |_| (need, chunk))
    }))
}
