//! A generator of random numbers that depends on its seed alone.

use chacha20::ChaCha12Rng;
use rand_core::{Infallible, SeedableRng, TryCryptoRng, TryRng};
use std::fmt;
use zeroize::Zeroizing;

/// A generator of its own, forked from a kernel's or seeded afresh: for work on other threads, and
/// for secrets. Its state is wiped when it is dropped.
pub struct ForkedRng(ChaCha12Rng);

impl ForkedRng {
    pub(crate) fn from_seed(seed: &[u8; 32]) -> Self {
        Self(ChaCha12Rng::from_seed(*seed))
    }

    /// Makes another generator, independent of what this one yields from here on.
    pub fn fork(&mut self) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        let Ok(()) = self.try_fill_bytes(&mut *seed);
        Self::from_seed(&seed)
    }
}

impl TryRng for ForkedRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0.try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.try_fill_bytes(bytes)
    }
}

impl TryCryptoRng for ForkedRng {}

/// Shows nothing of its state.
impl fmt::Debug for ForkedRng {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ForkedRng(..)")
    }
}
