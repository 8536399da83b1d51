//! A generator of random numbers that depends on its seed alone.

use crate::host::Mode;
use chacha20::ChaCha12Rng;
use rand_core::{Infallible, SeedableRng, TryCryptoRng, TryRng};
use std::fmt;
use zeroize::Zeroizing;

/// A generator of its own, forked from a kernel's or seeded afresh: for work on other threads, and
/// for secrets. Its state is wiped when it is dropped.
pub struct ForkedRng {
    stream: ChaCha12Rng,
    simulated: bool,
}

impl ForkedRng {
    pub(crate) fn from_seed(seed: &[u8; 32], mode: Mode) -> Self {
        Self { stream: ChaCha12Rng::from_seed(*seed), simulated: mode == Mode::Simulated }
    }

    /// Returns whether its seed comes from a simulation, which should go the same way whenever it
    /// is run.
    pub fn is_simulated(&self) -> bool {
        self.simulated
    }

    /// Makes another generator, independent of what this one yields from here on.
    pub fn fork(&mut self) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        let Ok(()) = self.try_fill_bytes(&mut *seed);
        Self { stream: ChaCha12Rng::from_seed(*seed), simulated: self.simulated }
    }
}

impl TryRng for ForkedRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.stream.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.stream.try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.stream.try_fill_bytes(bytes)
    }
}

impl TryCryptoRng for ForkedRng {}

/// Shows nothing of its state.
impl fmt::Debug for ForkedRng {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ForkedRng(..)")
    }
}
