//! The wide vector registers, where Xen gives them to this domain.

use core::arch::asm;

/// CPUID 1, ecx: the processor has XSAVE, and AVX.
const XSAVE_AND_AVX: u32 = 1 << 26 | 1 << 28;
/// CR4: the system uses XSAVE, so that XGETBV works and AVX may be enabled.
const OSXSAVE: u64 = 1 << 18;
/// XCR0: the states of x87, SSE and AVX.
const STATES: u32 = 7;

/// Enables AVX if this domain may use it; what is built for it asks the processor afterwards.
///
/// Xen carries out both privileged instructions for a PV domain, and saves the registers when it
/// runs another (Intel SDM 1, 13.3; `xen/arch/x86/pv/emul-priv-op.c`).
pub fn enable() {
    if offered() & XSAVE_AND_AVX != XSAVE_AND_AVX {
        return;
    }
    // SAFETY: Xen says that both instructions are to be had. No code before this used a vector
    // register wider than those that are on anyway, and what XCR0 had stays in it.
    unsafe {
        asm!(
            "mov {cr4}, cr4",
            "or {cr4}, {osxsave}",
            "mov cr4, {cr4}",
            "xsetbv",
            cr4 = out(reg) _,
            osxsave = const OSXSAVE,
            in("ecx") 0,
            in("eax") STATES,
            in("edx") 0,
            options(nostack),
        );
    }
}

/// The features in ecx of CPUID 1, as Xen lets this domain have them: the instruction alone may
/// show those of the machine (`xen/include/public/arch-x86/xen.h`, `XEN_CPUID`).
fn offered() -> u32 {
    let features: u32;
    // SAFETY: the prefix is an invalid instruction that Xen knows and skips. rbx is the
    // compiler's, so it is put back.
    unsafe {
        asm!(
            "mov {kept}, rbx",
            ".byte 0x0f, 0x0b, 0x78, 0x65, 0x6e",
            "cpuid",
            "mov rbx, {kept}",
            kept = out(reg) _,
            inout("eax") 1 => _,
            inout("ecx") 0 => features,
            out("edx") _,
            options(nostack),
        );
    }
    features
}
