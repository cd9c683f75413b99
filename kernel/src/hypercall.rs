//! Typed hypercalls; the only file that calls Xen.
//!
//! Every argument structure lives on the caller's stack for the whole call, and Xen reads and
//! writes nothing else of this domain except where a function says so and is `unsafe`.

use crate::abi::{self, GrantCopy, MapGrantRef, MemoryExchange, SetupTable, UnmapGrantRef};
use core::arch::asm;
use core::fmt;
use xen_sys as xen;

/// A negative errno from Xen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub i32);

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Xen error {}", self.0)
    }
}

/// Why the domain goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// For good.
    PowerOff,
    /// To be started again.
    Reboot,
    /// On a fault of ours.
    Crash,
}

/// Calls Xen: the number in rax, at most four arguments in rdi, rsi, rdx and r10.
///
/// # Safety
/// What this call does with memory that `arguments` name is sound.
#[inline(always)]
unsafe fn call<const N: usize>(number: u32, arguments: [u64; N]) -> Result<(), Errno> {
    const { assert!(N <= 4) };
    let argument = |n: usize| arguments.get(n).copied().unwrap_or(0);
    let result: i64;
    // SAFETY: Xen leaves this domain's stack alone, and of the registers all but those that
    // `syscall` destroys and, if built for debugging, the arguments. The rest is the caller's promise.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") u64::from(number) => result,
            inlateout("rdi") argument(0) => _,
            inlateout("rsi") argument(1) => _,
            inlateout("rdx") argument(2) => _,
            inlateout("r10") argument(3) => _,
            out("rcx") _,
            out("r11") _,
            options(nostack),
        );
    }
    if result < 0 {
        return Err(Errno(result as i32));
    }
    Ok(())
}

/// An argument structure's address, as Xen takes it.
fn handle<T>(argument: &mut T) -> u64 {
    core::ptr::from_mut(argument) as u64
}

/// Sleeps until one of `ports` (at most 128) is pending or Xen's clock reaches `deadline`
/// (nanoseconds); for ever if `None`. May return early.
pub fn poll(ports: &[u32], deadline: Option<u64>) -> Result<(), Errno> {
    let mut argument = xen::sched_poll {
        ports: ports.as_ptr().cast_mut(),
        nr_ports: ports.len() as u32,
        // 0 would mean for ever.
        timeout: deadline.map_or(0, |deadline| deadline.max(1)),
    };
    // SAFETY: Xen only reads the argument and the ports, which are borrowed for the call.
    unsafe {
        call(
            xen::__HYPERVISOR_sched_op,
            [u64::from(xen::SCHEDOP_poll), handle(&mut argument)],
        )
    }
}

/// Lets others run, and stays ready to.
pub fn give_way() {
    // SAFETY: no memory is named.
    let _ = unsafe { call(xen::__HYPERVISOR_sched_op, [u64::from(xen::SCHEDOP_yield)]) };
}

/// Ends the domain.
pub fn shutdown(why: Shutdown) -> ! {
    let mut argument = xen::sched_shutdown {
        reason: match why {
            Shutdown::PowerOff => xen::SHUTDOWN_poweroff,
            Shutdown::Reboot => xen::SHUTDOWN_reboot,
            Shutdown::Crash => xen::SHUTDOWN_crash,
        },
    };
    loop {
        // SAFETY: nothing of this domain runs after it.
        let _ = unsafe {
            call(
                xen::__HYPERVISOR_sched_op,
                [u64::from(xen::SCHEDOP_shutdown), handle(&mut argument)],
            )
        };
    }
}

/// Has Xen end the domain in so many seconds, if it has not ended by itself.
pub fn watchdog(seconds: u32) {
    let mut argument = xen::sched_watchdog {
        id: 0,
        timeout: seconds,
    };
    // SAFETY: Xen only reads the argument. A refusal (none is left) leaves things as they were.
    let _ = unsafe {
        call(
            xen::__HYPERVISOR_sched_op,
            [u64::from(xen::SCHEDOP_watchdog), handle(&mut argument)],
        )
    };
}

/// Stops the periodic tick of vCPU 0.
pub fn stop_periodic_timer() -> Result<(), Errno> {
    // SAFETY: no memory is named.
    unsafe {
        call(
            xen::__HYPERVISOR_vcpu_op,
            [abi::VCPUOP_STOP_PERIODIC_TIMER, 0],
        )
    }
}

/// Writes to the hypervisor's own console; a domain other than dom0 may be refused.
pub fn console_write(text: &[u8]) -> Result<(), Errno> {
    // SAFETY: Xen only reads `text`.
    unsafe {
        call(
            xen::__HYPERVISOR_console_io,
            [
                u64::from(xen::CONSOLEIO_write),
                text.len() as u64,
                text.as_ptr() as u64,
            ],
        )
    }
}

/// Installs exception handlers; `table` ends with an entry of address 0.
///
/// # Safety
/// Every address is an exception stub.
pub unsafe fn set_trap_table(table: &[xen::trap_info]) -> Result<(), Errno> {
    // SAFETY: Xen only reads the table; its entries are the caller's promise.
    unsafe { call(xen::__HYPERVISOR_set_trap_table, [table.as_ptr() as u64]) }
}

/// Replaces the page table entry of one virtual address.
///
/// # Safety
/// Nothing refers to memory at `va` under its old mapping, unless the new one keeps it valid.
pub unsafe fn update_va_mapping(va: usize, entry: u64) -> Result<(), Errno> {
    // SAFETY: Xen checks the entry; what it means for `va` is the caller's promise.
    unsafe {
        call(
            xen::__HYPERVISOR_update_va_mapping,
            [va as u64, entry, abi::UVMF_INVLPG],
        )
    }
}

/// Replaces page table entries named by machine address.
///
/// # Safety
/// As for [`update_va_mapping`], for every address that the entries translate.
pub unsafe fn mmu_update(updates: &[xen::mmu_update]) -> Result<(), Errno> {
    // SAFETY: Xen only reads the list; what it means is the caller's promise.
    unsafe {
        call(
            xen::__HYPERVISOR_mmu_update,
            [
                updates.as_ptr() as u64,
                updates.len() as u64,
                0,
                u64::from(abi::DOMID_SELF),
            ],
        )
    }
}

/// One event channel operation on its own argument structure.
pub fn event_channel<T: EventArgument>(argument: &mut T) -> Result<(), Errno> {
    // SAFETY: `T` is the structure that Xen defines for its own `OPERATION`.
    unsafe {
        call(
            xen::__HYPERVISOR_event_channel_op,
            [u64::from(T::OPERATION), handle(argument)],
        )
    }
}

/// An argument of an event channel operation.
///
/// # Safety
/// The layout is Xen's for [`EventArgument::OPERATION`].
pub unsafe trait EventArgument {
    /// `EVTCHNOP_*`.
    const OPERATION: u32;
}

// SAFETY: generated from `event_channel.h`, as all below.
unsafe impl EventArgument for xen::evtchn_bind_interdomain {
    const OPERATION: u32 = xen::EVTCHNOP_bind_interdomain;
}
// SAFETY: as above.
unsafe impl EventArgument for xen::evtchn_bind_pirq {
    const OPERATION: u32 = xen::EVTCHNOP_bind_pirq;
}
// SAFETY: as above.
unsafe impl EventArgument for xen::evtchn_alloc_unbound {
    const OPERATION: u32 = xen::EVTCHNOP_alloc_unbound;
}
// SAFETY: as above.
unsafe impl EventArgument for xen::evtchn_close {
    const OPERATION: u32 = xen::EVTCHNOP_close;
}
// SAFETY: as above.
unsafe impl EventArgument for xen::evtchn_send {
    const OPERATION: u32 = xen::EVTCHNOP_send;
}

/// Tells Xen that an interrupt was served.
pub fn end_of_interrupt(mut pirq: u32) {
    // SAFETY: `struct physdev_eoi` is one u32; Xen only reads it.
    let _ = unsafe {
        call(
            xen::__HYPERVISOR_physdev_op,
            [abi::PHYSDEVOP_EOI, handle(&mut pirq)],
        )
    };
}

/// `grant_table_op` on a list of `T`.
///
/// # Safety
/// `T` is the structure of `operation`, and what it asks for is sound.
unsafe fn grant_table<T>(operation: u64, list: &mut [T]) -> Result<(), Errno> {
    // SAFETY: the list is exclusively borrowed; the rest is the caller's promise.
    unsafe {
        call(
            xen::__HYPERVISOR_grant_table_op,
            [operation, list.as_mut_ptr() as u64, list.len() as u64],
        )
    }
}

/// Maps one grant; look at its status.
///
/// # Safety
/// Nothing is mapped or referred to at `host_addr`.
pub unsafe fn map_grant(argument: &mut MapGrantRef) -> Result<(), Errno> {
    // SAFETY: the matching structure; the address is the caller's promise.
    unsafe { grant_table(abi::GNTTABOP_MAP_GRANT_REF, core::slice::from_mut(argument)) }
}

/// Unmaps one grant; look at its status.
///
/// # Safety
/// Nothing refers to the mapping any more.
pub unsafe fn unmap_grant(argument: &mut UnmapGrantRef) -> Result<(), Errno> {
    // SAFETY: the matching structure; the rest is the caller's promise.
    unsafe {
        grant_table(
            abi::GNTTABOP_UNMAP_GRANT_REF,
            core::slice::from_mut(argument),
        )
    }
}

/// Finds the first `frames.len()` machine frames of this domain's grant table.
pub fn setup_grant_table(frames: &mut [u64]) -> Result<(), Errno> {
    let mut argument = SetupTable {
        dom: abi::DOMID_SELF,
        nr_frames: frames.len() as u32,
        status: 0,
        frame_list: frames.as_mut_ptr(),
    };
    // SAFETY: the matching structure; Xen writes `nr_frames` numbers, which `frames` has room for.
    unsafe {
        grant_table(
            abi::GNTTABOP_SETUP_TABLE,
            core::slice::from_mut(&mut argument),
        )
    }?;
    match argument.status {
        0 => Ok(()),
        status => Err(Errno(i32::from(status))),
    }
}

/// Copies between pages; look at every status.
///
/// # Safety
/// Every page of this domain named as a destination may be overwritten where it is named.
pub unsafe fn copy_grants(list: &mut [GrantCopy]) -> Result<(), Errno> {
    // SAFETY: the matching structure; the destinations are the caller's promise.
    unsafe { grant_table(abi::GNTTABOP_COPY, list) }
}

/// Exchanges pages for others.
///
/// # Safety
/// Nothing refers to or maps the pages given back, and the extent lists are as long as they say.
pub unsafe fn exchange_memory(argument: &mut MemoryExchange) -> Result<(), Errno> {
    // SAFETY: the matching structure; the rest is the caller's promise.
    unsafe {
        call(
            xen::__HYPERVISOR_memory_op,
            [abi::XENMEM_EXCHANGE, handle(argument)],
        )
    }
}
