//! Notes how far a card is, and what ALSA says of it at that moment.
//!
//! `card-watch ADDRESS STATUS FRAME` reads the register at that machine address, then ALSA's STATUS
//! file, then the register again, until the stream does not run any more; FRAME is how many octets
//! of the register's count are a frame. Its guest must have been given the page (`iomem` in xl.cfg).
//! At the end it prints a line for each look:
//!
//! ```text
//! LOOK <frames before> <frames after> <hw_ptr> <appl_ptr> <delay>
//! ```

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::ptr::{self, NonNull};
use std::thread::sleep;
use std::time::Duration;

const PAGE: usize = 4096;
/// Of Linux: `PROT_READ`, `MAP_SHARED`.
const READ: i32 = 1;
const SHARED: i32 = 1;

unsafe extern "C" {
    fn mmap(
        at: *mut u8,
        length: usize,
        protection: i32,
        flags: i32,
        file: i32,
        from: i64,
    ) -> *mut u8;
}

/// A register of 32 bits.
struct Register(NonNull<u32>);

impl Register {
    fn at(address: usize) -> Result<Self, String> {
        if !address.is_multiple_of(4) {
            return Err(format!("{address:#x} is no register's address"));
        }
        let memory = File::open("/dev/mem").map_err(|error| format!("/dev/mem: {error}"))?;
        let page = i64::try_from(address - address % PAGE).map_err(|error| error.to_string())?;
        // SAFETY: a new mapping of one page, wherever the kernel has room.
        let base = unsafe {
            mmap(
                ptr::null_mut(),
                PAGE,
                READ,
                SHARED,
                memory.as_raw_fd(),
                page,
            )
        };
        if base.is_null() || base.addr() == usize::MAX {
            let error = std::io::Error::last_os_error();
            return Err(format!("mapping {page:#x}: {error}"));
        }
        // SAFETY: the offset lies in the page, which stays mapped as long as the program runs.
        let register = unsafe { base.add(address % PAGE) };
        NonNull::new(register.cast())
            .map(Self)
            .ok_or_else(String::new)
    }

    fn read(&self) -> u32 {
        // SAFETY: it is aligned and mapped to be read.
        unsafe { self.0.read_volatile() }
    }
}

/// The value of a line `name : value`.
fn field<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    lines
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim())
}

fn watch() -> Result<(), String> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [address, status, frame] = words.as_slice() else {
        return Err("card-watch ADDRESS STATUS FRAME".to_string());
    };
    let address = address.trim_start_matches("0x");
    let address = usize::from_str_radix(address, 16).map_err(|error| error.to_string())?;
    let frame: u32 = frame.parse().map_err(|_| format!("{frame} octets"))?;
    let register = Register::at(address)?;
    let mut looks = Vec::new();
    loop {
        let before = register.read();
        let text = fs::read_to_string(status).map_err(|error| format!("{status}: {error}"))?;
        let after = register.read();
        if field(&text, "state") != Some("RUNNING") {
            break;
        }
        let told = ["hw_ptr", "appl_ptr", "delay"].map(|name| field(&text, name).unwrap_or("-"));
        looks.push(format!(
            "LOOK {} {} {}",
            before.checked_div(frame).unwrap_or(0),
            after.checked_div(frame).unwrap_or(0),
            told.join(" ")
        ));
        // Out of step with every timer.
        sleep(Duration::from_micros(
            5_000 + looks.len() as u64 * 1_700 % 13_000,
        ));
    }
    println!("{}", looks.join("\n"));
    Ok(())
}

fn main() {
    if let Err(error) = watch() {
        println!("LOOKS end: {error}");
    }
}
