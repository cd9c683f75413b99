//! What follows from the promise of AVX2. Nothing here is unsafe, but what is called relies on it.
#![deny(unsafe_code)]

use super::Avx2;

/// A promise that there is AVX-VNNI beside AVX2; made by [`Avx2::vnni`] alone.
#[derive(Clone, Copy, Debug)]
pub struct Vnni(());

impl Avx2 {
    /// The promise of AVX-VNNI, if it is there.
    #[must_use]
    pub fn vnni(self) -> Option<Vnni> {
        self.vnni.then_some(Vnni(()))
    }

    /// The same without AVX-VNNI; `None` where there is none.
    #[must_use]
    pub fn without_vnni(self) -> Option<Self> {
        self.vnni.then_some(Self { vnni: false })
    }
}
