//! Randomness: one ChaCha generator per kernel, seeded by the host.
//!
//! Nothing else draws entropy. On a simulated kernel the seed is the world's, so the same seed
//! gives the same run.

use crate::core::handle::Handle;
use rand_core::{Infallible, TryCryptoRng, TryRng};
use std::fmt;

/// The kernel's generator, drawn from wherever a [`Handle`] is. Implements the traits of
/// `rand_core`.
///
/// ```
/// use peers_kernel::{Kernel, rand_core::Rng as _};
///
/// let kernel = Kernel::simulated(7);
/// let dice = kernel.handle().rng().next_u32() % 6 + 1;
/// assert!((1..=6).contains(&dice));
/// ```
#[derive(Clone)]
pub struct Rng(pub(crate) Handle);

impl TryRng for Rng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0.core.rng.borrow_mut().try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0.core.rng.borrow_mut().try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.core.rng.borrow_mut().try_fill_bytes(bytes)
    }
}

impl TryCryptoRng for Rng {}

/// Shows nothing of its state.
impl fmt::Debug for Rng {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rng(..)")
    }
}
