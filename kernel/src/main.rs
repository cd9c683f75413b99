//! The audio domain: a paravirtual Xen guest that owns the sound card.
#![no_std]
#![no_main]

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
