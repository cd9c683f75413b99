//! The parts of Xen's ABI that `xen-sys` lacks.
//!
//! Layouts and numbers are those of `xen/include/public/{grant_table,memory,physdev,vcpu}.h`.

use core::mem::{offset_of, size_of};

/// This domain, wherever a domain's number is asked for.
pub const DOMID_SELF: u16 = 0x7ff0;

/// Stops the 100 Hz tick that every PV vCPU starts with (`vcpu.h`).
pub const VCPUOP_STOP_PERIODIC_TIMER: u64 = 7;

/// Exchanges memory for memory elsewhere (`memory.h`).
pub const XENMEM_EXCHANGE: u64 = 11;

/// `update_va_mapping`: flush this address only, on this vCPU (`xen.h`, `UVMF_INVLPG | UVMF_LOCAL`).
pub const UVMF_INVLPG: u64 = 2;

/// Lets the next interrupt of a PIRQ through; the argument is its number (`physdev.h`).
pub const PHYSDEVOP_EOI: u64 = 12;

/// `grant_table_op` commands.
pub const GNTTABOP_MAP_GRANT_REF: u64 = 0;
/// Undoes [`GNTTABOP_MAP_GRANT_REF`].
pub const GNTTABOP_UNMAP_GRANT_REF: u64 = 1;
/// Gets the frames of this domain's own grant table.
pub const GNTTABOP_SETUP_TABLE: u64 = 2;
/// Copies between pages of two domains.
pub const GNTTABOP_COPY: u64 = 5;

/// Map into this domain's page tables.
pub const GNTMAP_HOST_MAP: u32 = 2;
/// The source of a copy is a grant.
pub const GNTCOPY_SOURCE_GREF: u16 = 1;
/// The destination of a copy is a grant.
pub const GNTCOPY_DEST_GREF: u16 = 2;

/// Flag of a grant entry that lets the named domain use the page.
pub const GTF_PERMIT_ACCESS: u16 = 1;

/// Argument of [`GNTTABOP_MAP_GRANT_REF`].
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct MapGrantRef {
    /// Virtual address to map at.
    pub host_addr: u64,
    /// `GNTMAP_*`.
    pub flags: u32,
    /// The granting domain's reference.
    pub gref: u32,
    /// The granting domain.
    pub dom: u16,
    /// Result: `GNTST_*`.
    pub status: i16,
    /// Result: what to unmap by.
    pub handle: u32,
    /// Result: machine address.
    pub dev_bus_addr: u64,
}

/// Argument of [`GNTTABOP_UNMAP_GRANT_REF`].
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct UnmapGrantRef {
    /// As in the map.
    pub host_addr: u64,
    /// 0: no device mapping.
    pub dev_bus_addr: u64,
    /// From the map.
    pub handle: u32,
    /// Result: `GNTST_*`.
    pub status: i16,
}

/// Argument of [`GNTTABOP_SETUP_TABLE`].
#[repr(C)]
pub struct SetupTable {
    /// [`DOMID_SELF`].
    pub dom: u16,
    /// Frames wanted.
    pub nr_frames: u32,
    /// Result: `GNTST_*`.
    pub status: i16,
    /// Where the machine frame numbers go.
    pub frame_list: *mut u64,
}

/// One end of a copy.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct CopyEnd {
    /// A grant reference, or a machine frame of this domain.
    pub page: u64,
    /// Whose page.
    pub dom: u16,
    /// Octet in the page.
    pub offset: u16,
}

/// Argument of [`GNTTABOP_COPY`].
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct GrantCopy {
    /// From.
    pub source: CopyEnd,
    /// To.
    pub dest: CopyEnd,
    /// Octets, within one page at both ends.
    pub len: u16,
    /// `GNTCOPY_*`.
    pub flags: u16,
    /// Result: `GNTST_*`.
    pub status: i16,
}

/// One entry of a version 1 grant table.
#[repr(C)]
pub struct GrantEntry {
    /// `GTF_*`; the last field to be written.
    pub flags: u16,
    /// Who may use the page.
    pub dom: u16,
    /// The page's machine frame.
    pub frame: u32,
}

/// A list of extents of memory.
#[repr(C)]
pub struct MemoryReservation {
    /// Frame numbers, one an extent.
    pub extent_start: *mut u64,
    /// How many.
    pub nr_extents: u64,
    /// Log 2 of the pages of an extent.
    pub extent_order: u32,
    /// Number of address bits the memory may use; 0 for no limit.
    pub mem_flags: u32,
    /// [`DOMID_SELF`].
    pub domid: u16,
}

/// Argument of [`XENMEM_EXCHANGE`].
#[repr(C)]
pub struct MemoryExchange {
    /// What is given back: machine frames.
    pub input: MemoryReservation,
    /// What is wanted: page frame numbers, replaced by machine frames.
    pub output: MemoryReservation,
    /// Result: extents exchanged.
    pub nr_exchanged: u64,
}

const _: () = {
    assert!(size_of::<MapGrantRef>() == 32);
    assert!(offset_of!(MapGrantRef, dom) == 16);
    assert!(offset_of!(MapGrantRef, status) == 18);
    assert!(offset_of!(MapGrantRef, handle) == 20);
    assert!(size_of::<UnmapGrantRef>() == 24);
    assert!(offset_of!(UnmapGrantRef, handle) == 16);
    assert!(size_of::<SetupTable>() == 24);
    assert!(offset_of!(SetupTable, status) == 8);
    assert!(offset_of!(SetupTable, frame_list) == 16);
    assert!(size_of::<CopyEnd>() == 16);
    assert!(offset_of!(CopyEnd, offset) == 10);
    assert!(size_of::<GrantCopy>() == 40);
    assert!(offset_of!(GrantCopy, len) == 32);
    assert!(offset_of!(GrantCopy, status) == 36);
    assert!(size_of::<GrantEntry>() == 8);
    assert!(size_of::<MemoryReservation>() == 32);
    assert!(offset_of!(MemoryReservation, domid) == 24);
    assert!(size_of::<MemoryExchange>() == 72);
};
