//! Processor exceptions: all of them are bugs, and end the domain with its registers on show.

use crate::hypercall;
use crate::shared::Shared;
use core::ptr;
use xen_sys as xen;

/// Exceptions with a stub in `boot/entry.S`, 16 octets apart.
const VECTORS: usize = 22;
const STUB_OCTETS: usize = 16;
/// `vcpu_info[0].arch.cr2`: the address of a page fault.
const CR2: usize = 16;

unsafe extern "C" {
    static trap_stubs: u8;
}

static INFO: spin::Once<&'static Shared> = spin::Once::new();

/// What the stubs leave on the stack, lowest address first.
#[repr(C)]
pub struct Frame {
    r15: u64,
    r14: u64,
    r13: u64,
    r12: u64,
    r11: u64,
    r10: u64,
    r9: u64,
    r8: u64,
    rbp: u64,
    rdi: u64,
    rsi: u64,
    rdx: u64,
    rcx: u64,
    rbx: u64,
    rax: u64,
    vector: u64,
    error: u64,
    rip: u64,
    cs: u64,
    rflags: u64,
    rsp: u64,
    ss: u64,
}

/// Installs the handlers.
///
/// # Errors
/// Xen's; then an exception ends the domain without a word.
pub fn init(shared_info: &'static Shared) -> Result<(), hypercall::Errno> {
    INFO.call_once(|| shared_info);
    let stubs = ptr::addr_of!(trap_stubs) as u64;
    let none = xen::trap_info {
        vector: 0,
        flags: 0,
        cs: 0,
        address: 0,
    };
    let mut table = [none; VECTORS + 1];
    for (vector, entry) in table.iter_mut().take(VECTORS).enumerate() {
        entry.vector = vector as u8;
        entry.cs = xen::FLAT_KERNEL_CS as u16;
        entry.address = stubs + (vector * STUB_OCTETS) as u64;
    }
    // SAFETY: the addresses are those of the stubs, in the order they are written.
    unsafe { hypercall::set_trap_table(&table) }
}

/// Called by the stubs, on whatever stack there was.
#[unsafe(no_mangle)]
extern "C" fn trap(frame: &Frame) -> ! {
    let cr2 = INFO.get().map_or(0, |info| {
        let mut octets = [0; 8];
        info.copy_out(CR2, &mut octets);
        u64::from_ne_bytes(octets)
    });
    let Frame {
        vector,
        error,
        rip,
        rsp,
        rflags,
        ..
    } = *frame;
    crate::panic::fail(format_args!(
        "fatal: exception {vector} error {error:#x} at rip {rip:#x}, rsp {rsp:#x}, \
         flags {rflags:#x}, cr2 {cr2:#x}, cs {:#x}, ss {:#x}\r\n\
         rax {:#x} rbx {:#x} rcx {:#x} rdx {:#x} rsi {:#x} rdi {:#x} rbp {:#x}\r\n\
         r8 {:#x} r9 {:#x} r10 {:#x} r11 {:#x} r12 {:#x} r13 {:#x} r14 {:#x} r15 {:#x}",
        frame.cs & 0xffff,
        frame.ss & 0xffff,
        frame.rax,
        frame.rbx,
        frame.rcx,
        frame.rdx,
        frame.rsi,
        frame.rdi,
        frame.rbp,
        frame.r8,
        frame.r9,
        frame.r10,
        frame.r11,
        frame.r12,
        frame.r13,
        frame.r14,
        frame.r15,
    ))
}
