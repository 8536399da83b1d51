//! Time as the kernel counts it: nanoseconds on a clock that never goes back.
//!
//! Nothing here reads a clock. The host does ([`crate::host`]), once a turn; everybody else asks
//! the handle.

use std::fmt::{self, Debug};
use std::ops::{Add, Sub};
use std::time::Duration;

/// A point on the kernel's monotonic clock.
///
/// Real kernels of one process share an origin, so their instants compare; a simulated world starts
/// at zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// Further away than any wait: half a millennium after the origin. A timer set for it never
    /// fires.
    pub const FAR: Self = Self(u64::MAX);

    /// Returns the instant `nanos` nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Returns how long after `earlier` this is; zero if it is not after.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Saturates at [`Instant::FAR`].
impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, wait: Duration) -> Self {
        let nanos = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

/// The time between, zero if the right side is later.
impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}s", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

/// A clock that is cheaper than the host's own, and up to ten milliseconds behind. It outlives the
/// host, and holds nothing of the system.
pub(crate) trait Clock: Debug {
    /// Reads it.
    fn coarse(&self) -> Instant;
}
