//! The rig: a whole Xen machine under QEMU, without KVM, root or anything installed.
//!
//! Debian's own Xen, dom0 kernel and toolstack boot once and are saved; every run goes on from
//! there in about two seconds, in a directory of its own. QEMU counts instructions instead of
//! seconds unless asked otherwise, so a run hears the same samples on any host.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! let outcome = tests::rig::Run::new("audiodom; guest one 'speaker-test -l 1'; wait_guest one").go()?;
//! assert_eq!(outcome.status, 0, "{outcome}");
//! # Ok(())
//! # }
//! ```

mod apt;
mod archive;
mod build;
mod console;
mod debs;
mod extra;
mod images;
mod machine;
mod microphone;
mod outcome;
mod place;
mod qmp;
mod run;
mod shell;
mod snapshot;
mod sources;
mod tree;

pub use build::{card_watch, image};
pub use console::heed_interrupts;
pub use extra::Extra;
pub use outcome::{Line, Outcome};
pub use place::root;
pub use run::Run;
pub use shell::shell;

/// Fetches, builds and saves everything `run` needs, and boots nothing else.
///
/// # Errors
/// Something cannot be had; says what.
pub fn prepare(run: &Run) -> anyhow::Result<()> {
    snapshot::snapshot(&place::root()?, run.kind()).map(|_| ())
}

/// A version of Xen the rig can boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Xen {
    /// 4.17, of Debian 12.
    #[default]
    V4_17,
    /// 4.20, of Debian 13.
    V4_20,
}

impl Xen {
    /// As Debian's packages are called: `4.17`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::V4_17 => "4.17",
            Self::V4_20 => "4.20",
        }
    }

    fn set(self) -> &'static debs::Set {
        match self {
            Self::V4_17 => &debs::XEN_4_17,
            Self::V4_20 => &debs::XEN_4_20,
        }
    }
}

impl std::str::FromStr for Xen {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> anyhow::Result<Self> {
        let all = [Self::V4_17, Self::V4_20];
        all.into_iter()
            .find(|xen| xen.name() == name)
            .ok_or_else(|| anyhow::anyhow!("4.17 or 4.20, not {name}"))
    }
}

/// What the machine is made of; each kind has its own saved state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kind {
    /// The hypervisor and its toolstack.
    pub xen: Xen,
    /// Time is the host's instead of the count of instructions.
    pub realtime: bool,
    /// The card can record as well.
    pub duplex: bool,
    /// The processor helps guests that are not paravirtual (SVM with nested paging).
    pub hvm: bool,
    /// The processor has AVX2; otherwise nothing that not every one has.
    pub avx2: bool,
}
