//! The clock that is asked often, once for each request.
//!
//! Invariant: what is told of it is never before the clock of the turn.

use crate::core::Core;
use crate::host::time::Instant;

impl Core {
    /// Reads the time anew: up to ten milliseconds behind, but not behind the clock of this turn.
    #[inline]
    pub(crate) fn clock(&self) -> Instant {
        self.look_at_clock();
        self.latest()
    }

    /// Reads it likewise, which may be behind the clock of this turn.
    #[inline]
    pub(crate) fn look_at_clock(&self) -> Instant {
        let clock = self.coarse.coarse();
        self.latest.set(clock);
        clock
    }

    /// Returns the latest reading of the clock, by whomever.
    #[inline]
    pub(crate) fn latest(&self) -> Instant {
        // The cheap clock is a tick behind, and may say less than what the turn began with.
        self.latest.get().max(self.now())
    }
}
