//! PipeWire's mixer, where its plugins are installed: the node `audio.mixer` of its audiomixer
//! plugin, through the interface that all of its plugins have. It has no volumes.

use crate::job::Run;
use crate::peers::{library, symbol};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem::transmute;
use std::ptr;

/// Where distributions keep plugins, unless `SPA_PLUGIN_DIR` says otherwise.
const FOLDERS: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/spa-0.2",
    "/usr/lib64/spa-0.2",
    "/usr/lib/spa-0.2",
];
const NAME: &str = "libspa-audiomixer";

const INPUT: c_int = 0;
const OUTPUT: c_int = 1;
/// The parameter that is a port's format.
const FORMAT: u32 = 4;
/// The area where buffers are exchanged.
const BUFFERS: u32 = 1;
/// What such an area says of its buffer.
const NEED_DATA: i32 = 1;
const HAVE_DATA: i32 = 2;

/// `spa_handle_factory`.
#[repr(C)]
struct Factory {
    version: u32,
    name: *const c_char,
    info: *const c_void,
    size: unsafe extern "C" fn(*const Self, *const c_void) -> usize,
    init:
        unsafe extern "C" fn(*const Self, *mut Handle, *const c_void, *const c_void, u32) -> c_int,
}

/// `spa_handle`.
#[repr(C)]
struct Handle {
    version: u32,
    interface: Option<unsafe extern "C" fn(*mut Self, *const c_char, *mut *mut Node) -> c_int>,
}

/// `spa_node`: an interface's name, version, methods and object.
#[repr(C)]
struct Node {
    name: *const c_char,
    version: u32,
    methods: *const Methods,
    object: *mut c_void,
}

/// `spa_node_methods`; those that are not called are left without their types.
#[repr(C)]
struct Methods {
    version: u32,
    others: [*const c_void; 6],
    command: unsafe extern "C" fn(*mut c_void, *const u32) -> c_int,
    add_port: unsafe extern "C" fn(*mut c_void, c_int, u32, *const c_void) -> c_int,
    more: [*const c_void; 2],
    set_param: unsafe extern "C" fn(*mut c_void, c_int, u32, u32, u32, *const u32) -> c_int,
    use_buffers: unsafe extern "C" fn(*mut c_void, c_int, u32, u32, *mut *mut Buffer, u32) -> c_int,
    set_io: unsafe extern "C" fn(*mut c_void, c_int, u32, u32, *mut Io, usize) -> c_int,
    reuse: *const c_void,
    process: unsafe extern "C" fn(*mut c_void) -> c_int,
}

/// `spa_chunk`.
#[repr(C)]
struct Chunk {
    offset: u32,
    size: u32,
    stride: i32,
    flags: i32,
}

/// `spa_data`.
#[repr(C)]
struct Data {
    kind: u32,
    flags: u32,
    fd: i64,
    offset: u32,
    size: u32,
    data: *mut u8,
    chunk: *mut Chunk,
}

/// `spa_buffer`.
#[repr(C)]
struct Buffer {
    metas: u32,
    datas: u32,
    meta: *mut c_void,
    data: *mut Data,
}

/// `spa_io_buffers`.
#[repr(C)]
struct Io {
    status: i32,
    buffer: u32,
}

fn plugin() -> Option<*mut c_void> {
    let own = std::env::var("SPA_PLUGIN_DIR");
    let folders = own.iter().map(String::as_str).chain(FOLDERS);
    let mut paths = folders.map(|folder| format!("{folder}/audiomixer/{NAME}.so"));
    paths.find_map(|path| library(&CString::new(path).ok()?))
}

/// The library, if it is not there.
pub fn absent() -> Option<&'static str> {
    plugin().is_none().then_some(NAME)
}

/// A stereo format, as the object that the interface takes.
fn format(wide: bool) -> Vec<u32> {
    const ID: u32 = 3;
    const INT: u32 = 4;
    // The media's type, raw samples, their format, the rate, the channels.
    let properties = [
        (1, ID, 1),
        (2, ID, 1),
        (0x1_0001, ID, if wide { 0x10B } else { 0x103 }),
        (0x1_0003, INT, 48_000),
        (0x1_0004, INT, 2),
    ];
    let properties = properties
        .into_iter()
        .flat_map(|(key, kind, value)| [key, 0, 4, kind, value, 0]);
    object(0x4_0003, FORMAT, properties.collect())
}

fn object(kind: u32, id: u32, body: Vec<u32>) -> Vec<u32> {
    const OBJECT: u32 = 15;
    let size = 8 + 4 * body.len() as u32;
    [vec![size, OBJECT, kind, id], body].concat()
}

/// A place in memory for as long as the program runs.
fn leak<T>(value: T) -> *mut T {
    Box::leak(Box::new(value))
}

fn buffer(octets: &mut [u8], frame: i32) -> *mut Buffer {
    const MEMORY: u32 = 1;
    let size = octets.len() as u32;
    let chunk = Chunk {
        offset: 0,
        size,
        stride: frame,
        flags: 0,
    };
    let data = Data {
        kind: MEMORY,
        flags: 3,
        fd: -1,
        offset: 0,
        size,
        data: octets.as_mut_ptr(),
        chunk: leak(chunk),
    };
    leak(Buffer {
        metas: 0,
        datas: 1,
        meta: ptr::null_mut(),
        data: leak(data),
    })
}

fn node() -> Option<&'static Node> {
    type Enumerate = unsafe extern "C" fn(*mut *const Factory, *mut u32) -> c_int;
    let entry = symbol(plugin()?, c"spa_handle_factory_enum")?;
    let (mut factory, mut index) = (ptr::null(), 0);
    // SAFETY: the types that the interface's plugin.h and node.h declare. Memory is as large as
    // the factory says and is never given back.
    unsafe {
        let enumerate = transmute::<*mut c_void, Enumerate>(entry);
        loop {
            if enumerate(&raw mut factory, &raw mut index) != 1 {
                return None;
            }
            if CStr::from_ptr((*factory).name) == c"audio.mixer" {
                break;
            }
        }
        let size = ((*factory).size)(factory, ptr::null());
        let memory = vec![0_u128; size.div_ceil(16)].leak();
        let handle: *mut Handle = memory.as_mut_ptr().cast();
        // A version that wants more of its host than this is left out.
        if ((*factory).init)(factory, handle, ptr::null(), ptr::null(), 0) < 0 {
            return None;
        }
        let mut node = ptr::null_mut();
        let name = c"Spa:Pointer:Interface:Node";
        let found = ((*handle).interface?)(handle, name.as_ptr(), &raw mut node) >= 0;
        if found { node.as_ref() } else { None }
    }
}

/// Sums stereo streams, `octets` of each.
pub fn mix(rings: Vec<Vec<u8>>, octets: usize, wide: bool) -> Option<Run> {
    const START: u32 = 2;
    if rings.len() < 2 || rings.iter().any(|ring| ring.len() < octets) {
        return None;
    }
    let node = node()?;
    let frame = if wide { 8 } else { 4 };
    let format = format(wide);
    let out = vec![0_u8; octets].leak();
    let sum = out.as_ptr();
    let inputs = rings
        .into_iter()
        .map(|ring| (INPUT, &mut ring.leak()[..octets]));
    let mut areas = Vec::new();
    // SAFETY: all that is handed over has the interface's types and stays where it is.
    unsafe {
        let (object, methods) = (node.object, &*node.methods);
        for (index, (side, octets)) in inputs.chain([(OUTPUT, out)]).enumerate() {
            let port = if side == INPUT { index as u32 } else { 0 };
            if side == INPUT && (methods.add_port)(object, side, port, ptr::null()) < 0 {
                return None;
            }
            let area = leak(Io {
                status: NEED_DATA,
                buffer: if side == INPUT { 0 } else { u32::MAX },
            });
            let mut buffer = buffer(octets, frame);
            let done = [
                (methods.set_param)(object, side, port, FORMAT, 0, format.as_ptr()),
                (methods.use_buffers)(object, side, port, 0, &raw mut buffer, 1),
                (methods.set_io)(object, side, port, BUFFERS, area, size_of::<Io>()),
            ];
            if done.iter().any(|&done| done < 0) {
                return None;
            }
            areas.push(area);
        }
        let start = self::object(0x3_0002, START, Vec::new());
        if (methods.command)(object, start.as_ptr()) < 0 {
            return None;
        }
        let (inputs, output) = areas.split_at(areas.len() - 1);
        let (inputs, output) = (inputs.to_vec(), output[0]);
        let run = move || {
            for &area in &inputs {
                (*area).status = HAVE_DATA;
            }
            // Its buffer is free again.
            (*output).status = NEED_DATA;
            (methods.process)(object)
        };
        // A plugin that does not mix is not a peer.
        let mixes = (0..2).all(|_| run() >= HAVE_DATA);
        let sum = std::slice::from_raw_parts(sum, octets);
        (mixes && sum.iter().any(|&octet| octet != 0)).then(|| {
            Box::new(move || {
                std::hint::black_box(run());
            }) as Run
        })
    }
}
