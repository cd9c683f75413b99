//! Grants: pages of guests mapped or copied, and pages of ours lent out.
//!
//! Only ring pages are mapped; samples are copied by Xen, page piece by page piece, and every
//! piece has its own status. Copies name our side by machine frame.

use crate::abi::{
    CopyEnd, DOMID_SELF, GNTCOPY_DEST_GREF, GNTCOPY_SOURCE_GREF, GNTMAP_HOST_MAP,
    GTF_PERMIT_ACCESS, GrantCopy, GrantEntry, MapGrantRef, UnmapGrantRef,
};
use crate::hypercall::{self, Errno};
use crate::mm::{self, PAGE};
use crate::shared::Shared;
use crate::window::{MapError, Window};
use core::sync::atomic::{AtomicU32, Ordering};
use heapless::Vec;
use ring_backend::world::{ClaimedRef, DomId, GrantFault, SharedPage};
use spin::Mutex;

/// `GNTST_general_error`: what a fault of no better name is reported as.
const GENERAL_ERROR: i16 = -1;
/// `GNTST_no_space`: no mapping slot is left.
const NO_SPACE: i16 = -7;
/// Pieces that one hypercall copies.
const BATCH: usize = 32;
/// References below this are the toolstack's.
const FIRST_OWN_REF: usize = 8;
/// Entries of one frame of the table, all that we use.
const OWN_REFS: usize = PAGE / size_of::<GrantEntry>();

/// Pages of guests that are mapped.
static MAPPED: AtomicU32 = AtomicU32::new(0);

/// How many pages of guests are mapped.
pub fn mapped() -> u32 {
    MAPPED.load(Ordering::Relaxed)
}

/// A guest's page, mapped read-write; dropping it unmaps.
pub struct MappedPage {
    page: Shared,
    handle: u32,
    window: Window,
}

/// Maps one page that `dom` granted.
///
/// # Errors
/// Xen's status.
pub fn map(dom: DomId, gref: ClaimedRef) -> Result<MappedPage, GrantFault> {
    let window = Window::take(1).ok_or(GrantFault { status: NO_SPACE })?;
    let mut argument = MapGrantRef {
        host_addr: window.va() as u64,
        flags: GNTMAP_HOST_MAP,
        gref: gref.0,
        dom: dom.0,
        ..MapGrantRef::default()
    };
    // SAFETY: the address is the window's own and not mapped.
    let called = unsafe { hypercall::map_grant(&mut argument) };
    match called.map_or(GENERAL_ERROR, |()| argument.status) {
        0 => {
            MAPPED.fetch_add(1, Ordering::Relaxed);
            Ok(MappedPage {
                // SAFETY: mapped until the drop below, and used through this only.
                page: unsafe { Shared::new(window.va(), PAGE) },
                handle: argument.handle,
                window,
            })
        }
        status => Err(GrantFault { status }),
    }
}

impl Drop for MappedPage {
    fn drop(&mut self) {
        let mut argument = UnmapGrantRef {
            host_addr: self.window.va() as u64,
            handle: self.handle,
            ..UnmapGrantRef::default()
        };
        // SAFETY: `page` goes with this value, and nothing else refers to the mapping.
        let called = unsafe { hypercall::unmap_grant(&mut argument) };
        if called.is_ok() && argument.status == 0 {
            MAPPED.fetch_sub(1, Ordering::Relaxed);
        } else {
            // The page is there still, whatever Xen has against it: its address must not be used
            // again, and it goes on to be counted. Everybody else is served on.
            self.window.keep();
        }
    }
}

impl SharedPage for MappedPage {
    fn load(&self, offset: usize) -> u32 {
        self.page.load(offset)
    }

    fn store(&mut self, offset: usize, value: u32) {
        self.page.store(offset, value);
    }

    fn fence(&self) {
        self.page.fence();
    }

    fn copy_out(&self, offset: usize, into: &mut [u8]) {
        self.page.copy_out(offset, into);
    }

    fn copy_in(&mut self, offset: usize, from: &[u8]) {
        self.page.copy_in(offset, from);
    }
}

/// Which way a copy goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    FromGuest,
    ToGuest,
}

/// Copies `into.len()` octets out of a buffer of granted pages.
///
/// # Errors
/// The first bad status.
pub fn copy_from(
    dom: DomId,
    buffer: &[ClaimedRef],
    offset: usize,
    into: &mut [u8],
) -> Result<(), GrantFault> {
    let local = into.as_mut_ptr() as usize;
    // SAFETY: `into` is exclusively borrowed until the copy is done.
    unsafe { copy(dom, buffer, offset, local, into.len(), Way::FromGuest) }
}

/// Copies `from` into a buffer of granted pages.
///
/// # Errors
/// The first bad status.
pub fn copy_to(
    dom: DomId,
    buffer: &[ClaimedRef],
    offset: usize,
    from: &[u8],
) -> Result<(), GrantFault> {
    let local = from.as_ptr() as usize;
    // SAFETY: nothing of this domain is written.
    unsafe { copy(dom, buffer, offset, local, from.len(), Way::ToGuest) }
}

/// Copies piece by piece, none across a page boundary at either end.
///
/// # Safety
/// For [`Way::FromGuest`], `octets` from `local` on may be written.
unsafe fn copy(
    dom: DomId,
    buffer: &[ClaimedRef],
    mut offset: usize,
    mut local: usize,
    octets: usize,
    way: Way,
) -> Result<(), GrantFault> {
    let fault = GrantFault {
        status: GENERAL_ERROR,
    };
    let end = offset.checked_add(octets).ok_or(fault)?;
    let mut batch: Vec<GrantCopy, BATCH> = Vec::new();
    while offset < end {
        let gref = buffer.get(offset / PAGE).ok_or(fault)?;
        let len = (end - offset)
            .min(PAGE - offset % PAGE)
            .min(PAGE - local % PAGE);
        let theirs = CopyEnd {
            page: u64::from(gref.0),
            dom: dom.0,
            offset: (offset % PAGE) as u16,
        };
        let ours = CopyEnd {
            page: mm::mfn_of(local).ok_or(fault)?,
            dom: DOMID_SELF,
            offset: (local % PAGE) as u16,
        };
        let (source, dest, flags) = match way {
            Way::FromGuest => (theirs, ours, GNTCOPY_SOURCE_GREF),
            Way::ToGuest => (ours, theirs, GNTCOPY_DEST_GREF),
        };
        let piece = GrantCopy {
            source,
            dest,
            len: len as u16,
            flags,
            status: 0,
        };
        let _ = batch.push(piece);
        offset += len;
        local += len;
        if batch.is_full() || offset == end {
            // SAFETY: the caller's promise; each piece lies in the range given.
            let called = unsafe { hypercall::copy_grants(&mut batch) };
            called.map_err(|_| fault)?;
            if let Some(bad) = batch.iter().find(|piece| piece.status != 0) {
                return Err(GrantFault { status: bad.status });
            }
            batch.clear();
        }
    }
    Ok(())
}

/// This domain's own grant table.
struct Table {
    base: usize,
    next: usize,
}

static TABLE: Mutex<Option<Table>> = Mutex::new(None);

/// Maps this domain's grant table.
///
/// # Errors
/// Xen's.
pub fn init() -> Result<(), MapError> {
    let mut frames = [0];
    hypercall::setup_grant_table(&mut frames).map_err(MapError::Refused)?;
    let base = Window::map_shared(frames[0])?;
    *TABLE.lock() = Some(Table {
        base,
        next: FIRST_OWN_REF,
    });
    Ok(())
}

/// Lends a page of ours to `dom`, read-write and for good; returns the reference.
///
/// # Errors
/// The table is full, or the page lies beyond what it can name.
pub fn lend(dom: DomId, page: usize) -> Result<u32, Errno> {
    let full = Errno(0);
    let mut table = TABLE.lock();
    let table = table.as_mut().ok_or(full)?;
    let index = table.next;
    if index >= OWN_REFS {
        return Err(full);
    }
    let frame = mm::mfn_of(page).and_then(|mfn| u32::try_from(mfn).ok());
    let entry = table.base + index * size_of::<GrantEntry>();
    // SAFETY: inside the mapped frame; Xen reads entries, and writes only those in use.
    let entry = unsafe { Shared::new(entry, size_of::<GrantEntry>()) };
    entry.store(4, frame.ok_or(full)?);
    // Domain and flags in one store, after the frame: the entry is live from here.
    entry.store(0, u32::from(GTF_PERMIT_ACCESS) | u32::from(dom.0) << 16);
    table.next = index + 1;
    Ok(index as u32)
}
