//! A buffer's page directory: a chain of guest pages that name the buffer's pages.
//!
//! Each directory page is copied once (`GNTTABOP_copy`) and read from the copy. The walk asks for
//! exactly as many references as the buffer has pages, so neither an endless chain nor a cyclic
//! one makes it longer. Layout: `struct xensnd_page_directory` in `sndif.h`.

use crate::world::{ClaimedRef, DomId, PAGE_OCTETS, World};

/// References on one directory page: the page less the link to the next one.
pub const REFS_PER_PAGE: usize = PAGE_OCTETS / 4 - 1;
/// Directory pages that one buffer may have; enough for 16 MiB.
const DIRECTORY_PAGES: usize = 4;

/// Why a directory is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirectoryFault {
    /// A directory page's grant is not good.
    Grant,
    /// A reference is 0, which is never a grant.
    ZeroRef,
    /// The chain ends before the buffer does, or goes on after it.
    WrongLength,
    /// A directory page comes twice.
    Cyclic,
}

/// Reads the references of `into.len()` buffer pages.
///
/// # Errors
/// See [`DirectoryFault`]; `into` is then unspecified.
pub fn walk<W: World>(
    world: &mut W,
    dom: DomId,
    directory: ClaimedRef,
    into: &mut [ClaimedRef],
    scratch: &mut [u8; PAGE_OCTETS],
) -> Result<(), DirectoryFault> {
    let mut seen = heapless::Vec::<ClaimedRef, DIRECTORY_PAGES>::new();
    let mut page = directory;
    for refs in into.chunks_mut(REFS_PER_PAGE) {
        if page == ClaimedRef(0) {
            return Err(match seen.is_empty() {
                true => DirectoryFault::ZeroRef,
                false => DirectoryFault::WrongLength,
            });
        }
        if seen.contains(&page) {
            return Err(DirectoryFault::Cyclic);
        }
        seen.push(page).map_err(|_| DirectoryFault::WrongLength)?;
        let octets = scratch
            .get_mut(..4 + 4 * refs.len())
            .ok_or(DirectoryFault::WrongLength)?;
        world
            .copy_from(dom, &[page], 0, octets)
            .map_err(|_| DirectoryFault::Grant)?;
        let mut words = octets
            .chunks_exact(4)
            .map(|word| ClaimedRef(u32::from_le_bytes(word.try_into().unwrap_or_default())));
        page = words.next().unwrap_or_default();
        for (slot, word) in refs.iter_mut().zip(words) {
            if word == ClaimedRef(0) {
                return Err(DirectoryFault::ZeroRef);
            }
            *slot = word;
        }
    }
    match page {
        ClaimedRef(0) => Ok(()),
        next if seen.contains(&next) => Err(DirectoryFault::Cyclic),
        _ => Err(DirectoryFault::WrongLength),
    }
}
