//! Other engines, as their shared libraries; none is needed.

use crate::job::Run;
use crate::more;
use std::ffi::{CStr, c_char, c_double, c_int, c_long, c_uint, c_void};
use std::ptr;

unsafe extern "C" {
    fn dlopen(name: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
}

const SPEEX: &CStr = c"libspeexdsp.so.1";
const SAMPLERATE: &CStr = c"libsamplerate.so.0";
const SOXR: &CStr = c"libsoxr.so.0";

/// Opens a library.
pub fn library(name: &CStr) -> Option<*mut c_void> {
    const NOW: c_int = 2;
    // SAFETY: a string with its end; loading these libraries runs no code of note.
    let library = unsafe { dlopen(name.as_ptr(), NOW) };
    (!library.is_null()).then_some(library)
}

/// Finds a function or variable of a library.
pub fn symbol(library: *mut c_void, name: &CStr) -> Option<*mut c_void> {
    // SAFETY: a library that is open and a string with its end.
    let symbol = unsafe { dlsym(library, name.as_ptr()) };
    (!symbol.is_null()).then_some(symbol)
}

/// The libraries that are not there.
pub fn absent() -> Vec<&'static str> {
    [SPEEX, SAMPLERATE, SOXR, more::ZITA, more::SWRESAMPLE]
        .into_iter()
        .filter(|name| library(name).is_none())
        .filter_map(|name| name.to_str().ok())
        .collect()
}

/// An engine that converts interleaved stereo: it takes some of the frames that there are and makes
/// at most as many as there is room for. Returns how many it took and how many it made.
pub type Convert = Box<dyn FnMut(&[f32], &mut [f32]) -> (usize, usize)>;

/// Engines from one rate to another, `frames` frames out per call.
pub fn resamplers(rates: (u32, u32), frames: usize) -> Vec<(String, Convert)> {
    let mut engines = Vec::new();
    for quality in [3, 10] {
        let engine = speex(rates, quality);
        engines.extend(engine.map(|engine| (format!("speex_float_q{quality}"), engine)));
    }
    for (name, converter) in [("medium", 1), ("best", 0)] {
        let engine = samplerate(rates, converter);
        engines.extend(engine.map(|engine| (format!("samplerate_{name}"), engine)));
    }
    let others = [
        ("soxr_hq", soxr(rates)),
        ("zita_h48", more::zita(rates, 48, false)),
        ("zita_vres_h48", more::zita(rates, 48, true)),
        ("swresample", more::swresample(rates)),
        ("rubato_fft", more::rubato(rates, frames)),
    ];
    engines.extend(
        others
            .into_iter()
            .filter_map(|(name, engine)| Some((name.to_owned(), engine?))),
    );
    engines
}

/// An engine at work on the same frames over and over, `frames` frames out per call.
pub fn timed(mut engine: Convert, frames: usize) -> Run {
    let input: Vec<f32> = (0..frames * 4)
        .map(|n| ((n * 37) % 200) as f32 / 300.0)
        .collect();
    let mut out = vec![0.0; frames * 2];
    Box::new(move || {
        engine(&input, &mut out);
        std::hint::black_box(&out);
    })
}

fn speex(rates: (u32, u32), quality: c_int) -> Option<Convert> {
    type Init = unsafe extern "C" fn(u32, u32, u32, c_int, *mut c_int) -> *mut c_void;
    type Process =
        unsafe extern "C" fn(*mut c_void, *const f32, *mut u32, *mut f32, *mut u32) -> c_int;
    let library = library(SPEEX)?;
    // SAFETY: these are the types that speex_resampler.h declares.
    let (init, process) = unsafe {
        (
            std::mem::transmute::<*mut c_void, Init>(symbol(library, c"speex_resampler_init")?),
            std::mem::transmute::<*mut c_void, Process>(symbol(
                library,
                c"speex_resampler_process_interleaved_float",
            )?),
        )
    };
    // SAFETY: two channels; no error code is wanted.
    let state = unsafe { init(2, rates.0, rates.1, quality, ptr::null_mut()) };
    (!state.is_null()).then(|| {
        Box::new(move |input: &[f32], out: &mut [f32]| {
            let (mut taken, mut given) = (input.len() as u32 / 2, out.len() as u32 / 2);
            // SAFETY: both buffers hold as many frames of two channels as are named.
            unsafe {
                process(
                    state,
                    input.as_ptr(),
                    &mut taken,
                    out.as_mut_ptr(),
                    &mut given,
                )
            };
            (taken as usize, given as usize)
        }) as Convert
    })
}

fn samplerate(rates: (u32, u32), converter: c_int) -> Option<Convert> {
    /// `SRC_DATA` of samplerate.h.
    #[repr(C)]
    struct Data {
        input: *const f32,
        output: *mut f32,
        input_frames: c_long,
        output_frames: c_long,
        used: c_long,
        made: c_long,
        end: c_int,
        ratio: c_double,
    }
    type New = unsafe extern "C" fn(c_int, c_int, *mut c_int) -> *mut c_void;
    type Process = unsafe extern "C" fn(*mut c_void, *mut Data) -> c_int;
    let library = library(SAMPLERATE)?;
    // SAFETY: these are the types that samplerate.h declares.
    let (new, process) = unsafe {
        (
            std::mem::transmute::<*mut c_void, New>(symbol(library, c"src_new")?),
            std::mem::transmute::<*mut c_void, Process>(symbol(library, c"src_process")?),
        )
    };
    let mut error = 0;
    // SAFETY: two channels and a place for the error.
    let state = unsafe { new(converter, 2, &mut error) };
    (!state.is_null()).then(|| {
        Box::new(move |input: &[f32], out: &mut [f32]| {
            let mut data = Data {
                input: input.as_ptr(),
                output: out.as_mut_ptr(),
                input_frames: input.len() as c_long / 2,
                output_frames: out.len() as c_long / 2,
                used: 0,
                made: 0,
                end: 0,
                ratio: f64::from(rates.1) / f64::from(rates.0),
            };
            // SAFETY: both buffers hold as many frames of two channels as are named.
            unsafe { process(state, &mut data) };
            (data.used as usize, data.made as usize)
        }) as Convert
    })
}

fn soxr(rates: (u32, u32)) -> Option<Convert> {
    type Create = unsafe extern "C" fn(
        c_double,
        c_double,
        c_uint,
        *mut *const c_char,
        *const c_void,
        *const c_void,
        *const c_void,
    ) -> *mut c_void;
    type Process = unsafe extern "C" fn(
        *mut c_void,
        *const f32,
        usize,
        *mut usize,
        *mut f32,
        usize,
        *mut usize,
    ) -> *const c_char;
    let library = library(SOXR)?;
    // SAFETY: these are the types that soxr.h declares; its defaults are interleaved float, HQ.
    let (create, process) = unsafe {
        (
            std::mem::transmute::<*mut c_void, Create>(symbol(library, c"soxr_create")?),
            std::mem::transmute::<*mut c_void, Process>(symbol(library, c"soxr_process")?),
        )
    };
    let none = ptr::null();
    // SAFETY: two channels, and the defaults for the rest.
    let state = unsafe {
        create(
            rates.0.into(),
            rates.1.into(),
            2,
            ptr::null_mut(),
            none,
            none,
            none,
        )
    };
    (!state.is_null()).then(|| {
        Box::new(move |input: &[f32], out: &mut [f32]| {
            let (mut taken, mut given) = (0, 0);
            let room = out.len() / 2;
            // It would take all that there is, and keep it.
            let new = (room * rates.0 as usize / rates.1 as usize).min(input.len() / 2);
            // SAFETY: the buffers hold at least as many frames of two channels as are named.
            unsafe {
                process(
                    state,
                    input.as_ptr(),
                    new,
                    &mut taken,
                    out.as_mut_ptr(),
                    room,
                    &mut given,
                )
            };
            (taken, given)
        }) as Convert
    })
}
