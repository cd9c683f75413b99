//! Who runs: domains by name and number.

use crate::store::Store;
use anyhow::Result;
use ring_backend::xenstore::index;

const ROOT: &str = "/local/domain";

/// A running domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// Its number.
    pub id: u32,
    /// Its name, as `xl list` shows it.
    pub name: String,
}

/// The directory of a domain.
#[must_use]
pub fn directory(id: u32) -> String {
    format!("{ROOT}/{id}")
}

/// Every running domain.
///
/// # Errors
/// xenstored refused.
pub fn all(store: &mut Store) -> Result<Vec<Domain>> {
    let mut domains = Vec::new();
    for id in store.list(ROOT)?.iter().filter_map(|id| index(id)) {
        // One without a name is just being made, or going.
        if let Some(name) = store.read(&format!("{}/name", directory(id)))? {
            domains.push(Domain { id, name });
        }
    }
    Ok(domains)
}

/// Watches that tell of domains that come and go.
pub const COMING_AND_GOING: [&str; 2] = ["@introduceDomain", "@releaseDomain"];
