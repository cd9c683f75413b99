//! Memory: the linear map, and the pages that are free.
//!
//! The domain builder maps page frame `n` at `BASE + n * PAGE` for the first 4 MiB; `init` maps
//! the rest of the domain's memory the same way, adds one page table for the [`window`],
//! write-protects the image and unmaps the page under the stack. Page tables change nowhere
//! else, but for the window's, and by hypercall only, so Xen checks every entry.
//!
//! Free pages are a range: the heap grows at its lower end, whole pages come off its upper end.

use crate::abi::DOMID_SELF;
use crate::hypercall::{self, Errno};
use crate::window;
use core::ptr;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use heapless::Vec;
use spin::{Mutex, Once};
use xen_sys as xen;

/// Octets of a page.
pub const PAGE: usize = 4096;
/// Where page frame 0 is mapped; `linker.ld` and `boot/notes.S` say the same.
const BASE: usize = 0xffff_ffff_8000_0000;
/// Entries of a page table.
pub const ENTRIES: usize = 512;
/// Most memory that is used: one page directory's worth below the window.
const MAX_PAGES: usize = (window::BASE - BASE) / PAGE;
/// Xen's machine-to-physical table, readable by every PV guest.
const M2P: *const u64 = 0xffff_8000_0000_0000_usize as *const u64;

const PRESENT: u64 = 1;
const WRITE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
const ACCESSED_DIRTY: u64 = 1 << 5 | 1 << 6;
const NO_EXECUTE: u64 = 1 << 63;
const READ_ONLY_DATA: u64 = PRESENT | ACCESSED_DIRTY | NO_EXECUTE;
/// Rights of a page that is read and written.
pub const DATA: u64 = READ_ONLY_DATA | WRITE;
const CODE: u64 = PRESENT | ACCESSED_DIRTY;
const TABLE: u64 = PRESENT | WRITE | USER | ACCESSED_DIRTY;
/// The machine frame of an entry.
const FRAME: u64 = 0x000f_ffff_ffff_f000;

unsafe extern "C" {
    static image_start: u8;
    static rodata_start: u8;
    static data_start: u8;
    static stack_guard: u8;
    static stack_top: u8;
    static image_end: u8;
}

/// Machine frame of each of the domain's page frames.
static FRAMES: Once<&'static [AtomicU64]> = Once::new();
/// The page directory of the linear map and the window.
static DIRECTORY: AtomicUsize = AtomicUsize::new(0);
static FREE: Mutex<Free> = Mutex::new(Free {
    low: 0,
    high: 0,
    returned: Vec::new(),
});

/// What the domain builder left.
pub struct Handover {
    /// Pages of the domain.
    pub pages: usize,
    /// Address of the list of their machine frames.
    pub p2m: usize,
    /// Address of the topmost page table.
    pub tables: usize,
    /// First address that the builder does not use.
    pub free_from: usize,
}

/// The free pages.
struct Free {
    low: usize,
    high: usize,
    returned: Vec<usize, 64>,
}

/// Takes over the builder's memory.
///
/// # Safety
/// Called once, first, with the builder's own values.
pub unsafe fn init(from: &Handover) {
    let pages = from.pages.min(MAX_PAGES);
    // SAFETY: the builder's list has an entry for every page and is used by nothing else.
    let frames = unsafe { core::slice::from_raw_parts(from.p2m as *const AtomicU64, pages) };
    FRAMES.call_once(|| frames);
    let directory = table_below(table_below(from.tables, BASE, 39), BASE, 30);
    DIRECTORY.store(directory, Ordering::Relaxed);
    let built = (0..ENTRIES)
        .find(|&index| entry(directory, index) & PRESENT == 0)
        .unwrap_or(ENTRIES);
    {
        let mut free = FREE.lock();
        free.low = from.free_from;
        free.high = BASE + (built * ENTRIES).min(pages) * PAGE;
    }
    for index in built..pages.div_ceil(ENTRIES) {
        let first = index * ENTRIES;
        let last = (first + ENTRIES).min(pages);
        let Some(table) = take_low(PAGE) else { break };
        for (slot, frame) in frames.iter().enumerate().take(last).skip(first) {
            set_unhooked(
                table,
                slot - first,
                frame.load(Ordering::Relaxed) << 12 | DATA,
            );
        }
        if hook(table, index).is_err() {
            break;
        }
        FREE.lock().high = BASE + last * PAGE;
    }
    if let Some(table) = take_low(PAGE) {
        // Without it every mapping is refused, and start-up says so.
        let _ = hook(table, (window::BASE - BASE) / PAGE / ENTRIES);
    }
    protect(BASE + (built * ENTRIES).min(pages) * PAGE);
}

/// The table that `table`'s entry for `va` points to.
fn table_below(table: usize, va: usize, shift: u32) -> usize {
    let mfn = (entry(table, va >> shift & (ENTRIES - 1)) & FRAME) >> 12;
    va_of_own(mfn).unwrap_or(table)
}

/// One entry of a page table of the linear map.
fn entry(table: usize, index: usize) -> u64 {
    // SAFETY: `table` is a mapped page and the index is masked to it.
    unsafe { ptr::read_volatile((table as *const u64).add(index & (ENTRIES - 1))) }
}

/// Fills in an entry of a page that is not a page table yet.
fn set_unhooked(table: usize, index: usize, value: u64) {
    // SAFETY: `table` is a free page taken for this, and the index is masked to it.
    unsafe { ptr::write_volatile((table as *mut u64).add(index & (ENTRIES - 1)), value) };
}

/// Makes the page `table` the page table of the directory's entry `index`.
fn hook(table: usize, index: usize) -> Result<(), Errno> {
    let mfn = mfn_of(table).ok_or(Errno(0))?;
    // SAFETY: the page stays mapped, read-only, which is all that anyone does with it from here.
    unsafe { hypercall::update_va_mapping(table, mfn << 12 | READ_ONLY_DATA) }?;
    let directory = mfn_of(DIRECTORY.load(Ordering::Relaxed)).ok_or(Errno(0))?;
    let update = xen::mmu_update {
        ptr: directory << 12 | (index * 8) as u64,
        val: mfn << 12 | TABLE,
    };
    // SAFETY: the entry was empty: no address it translates was mapped.
    unsafe { hypercall::mmu_update(&[update]) }
}

/// Makes code unwritable, everything else that the builder mapped unexecutable, and the page
/// under the stack absent.
fn protect(built: usize) {
    let code = ptr::addr_of!(image_start) as usize;
    let constants = ptr::addr_of!(rodata_start) as usize;
    let data = ptr::addr_of!(data_start) as usize;
    let guard = ptr::addr_of!(stack_guard) as usize;
    let mut batch: Vec<xen::mmu_update, 64> = Vec::new();
    let directory = DIRECTORY.load(Ordering::Relaxed);
    for va in (code..built).step_by(PAGE) {
        let index = (va - BASE) / PAGE;
        let mfn = (entry(directory, index / ENTRIES) & FRAME) >> 12;
        let Some(table) = va_of_own(mfn) else { return };
        let old = entry(table, index % ENTRIES);
        let value = match va {
            _ if va == guard || old & PRESENT == 0 => 0,
            _ if va < constants => old & FRAME | CODE,
            _ if va < data => old & FRAME | READ_ONLY_DATA,
            // Page tables are among these, and stay unwritable.
            _ => old | NO_EXECUTE,
        };
        let update = xen::mmu_update {
            ptr: mfn << 12 | (index % ENTRIES * 8) as u64,
            val: value,
        };
        if batch.is_full() {
            flush(&mut batch);
        }
        let _ = batch.push(update);
    }
    flush(&mut batch);
}

/// Carries out and forgets a batch of page table updates of the image.
fn flush(batch: &mut Vec<xen::mmu_update, 64>) {
    // Refused protection leaves the image as the builder mapped it: working.
    // SAFETY: the entries only take away rights that no code of ours uses.
    let _ = unsafe { hypercall::mmu_update(batch) };
    batch.clear();
}

/// The machine frame behind an address of the linear map.
pub fn mfn_of(va: usize) -> Option<u64> {
    let pfn = va.checked_sub(BASE)? / PAGE;
    let frame = FRAMES.get()?.get(pfn)?;
    Some(frame.load(Ordering::Relaxed))
}

/// Where one of the domain's own machine frames is mapped.
pub fn va_of_own(mfn: u64) -> Option<usize> {
    // SAFETY: Xen maps the table for every guest, sparse only where there is no memory at all;
    // callers ask for frames that Xen or the builder named.
    let pfn = unsafe { ptr::read_volatile(M2P.add(mfn as usize)) };
    let frame = FRAMES.get()?.get(usize::try_from(pfn).ok()?)?;
    (frame.load(Ordering::Relaxed) == mfn).then_some(BASE + pfn as usize * PAGE)
}

/// Takes `octets` (whole pages) off the lower end of free memory, for good.
pub fn take_low(octets: usize) -> Option<usize> {
    let mut free = FREE.lock();
    let low = free.low;
    let end = low.checked_add(octets).filter(|&end| end <= free.high)?;
    free.low = end;
    Some(low)
}

/// Takes one page off the upper end of free memory.
pub fn take_page() -> Option<usize> {
    let mut free = FREE.lock();
    if let Some(page) = free.returned.pop() {
        return Some(page);
    }
    let page = free
        .high
        .checked_sub(PAGE)
        .filter(|&page| page >= free.low)?;
    free.high = page;
    Some(page)
}

/// Gives a page of [`take_page`] back.
pub fn give_page(page: usize) {
    // One more than the list holds is lost: only start-up gives pages back, and few.
    let _ = FREE.lock().returned.push(page);
}

/// Octets that nobody has taken.
pub fn free_octets() -> usize {
    let free = FREE.lock();
    free.high - free.low + free.returned.len() * PAGE
}

/// Octets of the image in memory, stack included.
pub fn image_octets() -> usize {
    ptr::addr_of!(image_end) as usize - ptr::addr_of!(image_start) as usize
}

/// Octets of the stack that were ever used, in words: what start-up left zero it never reached.
pub fn stack_octets() -> usize {
    let top = ptr::addr_of!(stack_top) as usize;
    let bottom = ptr::addr_of!(stack_guard) as usize + PAGE;
    let reached = (bottom..top).step_by(8).find(|&at| {
        // SAFETY: inside the stack, aligned; nothing below the stack pointer is anyone's.
        unsafe { ptr::read_volatile(at as *const u64) != 0 }
    });
    top - reached.unwrap_or(top)
}

/// Pages of the domain.
pub fn pages() -> usize {
    FRAMES.get().map_or(0, |frames| frames.len())
}

/// Replaces the machine frame behind a page by one below 4 GiB.
///
/// # Safety
/// `page` came from [`take_page`] and nothing refers to it.
pub unsafe fn exchange_low(page: usize) -> Result<(), Errno> {
    let frame = (page.checked_sub(BASE))
        .and_then(|offset| FRAMES.get()?.get(offset / PAGE))
        .ok_or(Errno(0))?;
    let mut old = frame.load(Ordering::Relaxed);
    let mut new = ((page - BASE) / PAGE) as u64;
    // SAFETY: nothing refers to the page.
    unsafe { hypercall::update_va_mapping(page, 0) }?;
    let extent = |start: &mut u64, bits: u32| crate::abi::MemoryReservation {
        extent_start: start,
        nr_extents: 1,
        extent_order: 0,
        mem_flags: bits,
        domid: DOMID_SELF,
    };
    let mut argument = crate::abi::MemoryExchange {
        input: extent(&mut old, 0),
        output: extent(&mut new, 32),
        nr_exchanged: 0,
    };
    // SAFETY: the page is unmapped just above, and each list is one number.
    let result = unsafe { hypercall::exchange_memory(&mut argument) };
    let exchanged = argument.nr_exchanged == 1;
    let mfn = if exchanged { new } else { old };
    frame.store(mfn, Ordering::Relaxed);
    // SAFETY: the address is unmapped and the frame is this domain's.
    unsafe { hypercall::update_va_mapping(page, mfn << 12 | DATA) }?;
    if exchanged {
        Ok(())
    } else {
        result.and(Err(Errno(0)))
    }
}
