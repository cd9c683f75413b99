//! PulseAudio's mixer, where its server is installed: `pa_mix` of its core library.

use crate::job::Run;
use crate::peers::{library, symbol};
use std::ffi::{CString, c_int, c_uint, c_void};
use std::ptr;

/// Where distributions keep the library, which has its version in its name.
const FOLDERS: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/pulseaudio",
    "/usr/lib64/pulseaudio",
    "/usr/lib/pulseaudio",
];

/// `pa_cvolume`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Volume {
    channels: u8,
    values: [u32; 32],
}

/// `pa_mix_info` with the `pa_memchunk` it begins with.
#[repr(C)]
struct Stream {
    block: *mut c_void,
    index: usize,
    length: usize,
    volume: Volume,
    user: *mut c_void,
    at: *mut c_void,
    linear: [i32; 32],
}

/// `pa_sample_spec`.
#[repr(C)]
struct Spec {
    format: c_int,
    rate: u32,
    channels: u8,
}

type NewPool = unsafe extern "C" fn(c_int, usize, bool) -> *mut c_void;
type NewBlock = unsafe extern "C" fn(*mut c_void, *mut c_void, usize, bool) -> *mut c_void;
type Mix = unsafe extern "C" fn(
    *mut Stream,
    c_uint,
    *mut c_void,
    usize,
    *const Spec,
    *const Volume,
    bool,
) -> usize;

fn core() -> Option<*mut c_void> {
    let files = FOLDERS
        .iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok());
    let mut paths = files.flatten().flatten().map(|file| file.path());
    let path = paths.find(|path| path.to_string_lossy().contains("/libpulsecore-"))?;
    library(&CString::new(path.to_str()?).ok()?)
}

/// The library, if it is not there.
pub fn absent() -> Option<&'static str> {
    core().is_none().then_some("libpulsecore")
}

/// Sums stereo streams with volumes, `octets` of each.
pub fn mix(mut rings: Vec<Vec<u8>>, octets: usize, wide: bool) -> Option<Run> {
    const PRIVATE: c_int = 2;
    const S16LE: c_int = 3;
    const S32LE: c_int = 7;
    // It sums two streams or more.
    let core = core().filter(|_| rings.len() > 1)?;
    // SAFETY: these are the types that PulseAudio's mix.h and memblock.h declare; the core
    // library brings the one that has memblock.h's functions.
    let (new_pool, new_block, mix) = unsafe {
        (
            std::mem::transmute::<*mut c_void, NewPool>(symbol(core, c"pa_mempool_new")?),
            std::mem::transmute::<*mut c_void, NewBlock>(symbol(core, c"pa_memblock_new_fixed")?),
            std::mem::transmute::<*mut c_void, Mix>(symbol(core, c"pa_mix")?),
        )
    };
    // SAFETY: a pool of its own for this run; nothing of it is freed.
    let pool = unsafe { new_pool(PRIVATE, 0, true) };
    let volume = |value| Volume {
        channels: 2,
        values: [value; 32],
    };
    let mut streams: Vec<Stream> = rings
        .iter_mut()
        .enumerate()
        .map(|(index, ring)| Stream {
            // SAFETY: the block is as long as the ring, which outlives it: the run keeps both.
            block: unsafe { new_block(pool, ring.as_mut_ptr().cast(), ring.len(), true) },
            index: 0,
            length: octets,
            // Some dB below full, all different.
            volume: volume(0xB000 - 0x80 * index as u32),
            user: ptr::null_mut(),
            at: ptr::null_mut(),
            linear: [0; 32],
        })
        .collect();
    let spec = Spec {
        format: if wide { S32LE } else { S16LE },
        rate: 48_000,
        channels: 2,
    };
    let mut out = vec![0_u8; octets];
    Some(Box::new(move || {
        let _ = &rings;
        let count = streams.len() as c_uint;
        // SAFETY: as many streams as are told, each with `octets` octets, as has `out`.
        unsafe {
            mix(
                streams.as_mut_ptr(),
                count,
                out.as_mut_ptr().cast(),
                octets,
                &raw const spec,
                &volume(0x1_0000),
                false,
            )
        };
        std::hint::black_box(&out);
    }))
}
