//! Reads the system's monotonic clock. Instants of all real kernels of a process count from the
//! same origin.

use crate::host::time::Instant;
use std::sync::OnceLock;

/// Says where instants count from, on the system's clock.
static ORIGIN: OnceLock<u64> = OnceLock::new();

/// Returns an instant as the system's clock says it.
#[cfg(target_os = "linux")]
pub(crate) fn nanos_of_system(instant: Instant) -> u64 {
    instant.as_nanos().saturating_add(ORIGIN.get().copied().unwrap_or_default())
}

/// Reads the clock. This is one of the two places that do.
pub(crate) fn clock() -> Instant {
    instant(rustix::time::clock_gettime(rustix::time::ClockId::Monotonic))
}

/// Reads the clock as the system noted it at its last tick. This is the other place.
#[cfg(target_os = "linux")]
pub(crate) fn coarse_clock() -> Instant {
    instant(rustix::time::clock_gettime(rustix::time::ClockId::MonotonicCoarse))
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn coarse_clock() -> Instant {
    clock()
}

#[inline]
fn instant(time: rustix::time::Timespec) -> Instant {
    // Neither is ever negative, nor beyond what nanoseconds of 64 bits can say for five centuries.
    let now = (time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64);
    Instant::from_nanos(now.saturating_sub(*ORIGIN.get_or_init(|| now)))
}
