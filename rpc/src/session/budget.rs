//! Bounds what a peer may spend on frames that cost it nothing: a rate, with a burst.

use super::Violation;
use crate::limits::Limits;
use peers_kernel::Instant;
use std::time::Duration;

/// The spending of one peer, as the time until which what it sent so far would be paid for at the
/// steady rate.
#[derive(Debug, Default)]
pub(super) struct Budget {
    paid_until: Instant,
}

impl Budget {
    /// Charges one frame.
    pub(super) fn charge(&mut self, now: Instant, limits: &Limits) -> Result<(), Violation> {
        let price = Duration::from_secs(1) / limits.control_rate.max(1);
        // Time that was not used is not saved up beyond the burst.
        self.paid_until = self.paid_until.max(now) + price;
        if self.paid_until.since(now) > price * limits.control_burst {
            return Err(Violation::Calm);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spend(budget: &mut Budget, at: Duration, frames: u32) -> bool {
        let now = Instant::default() + at;
        (0..frames).all(|_| budget.charge(now, &Limits::default()).is_ok())
    }

    #[test]
    fn a_burst_is_free_and_one_frame_more_is_not() {
        let mut budget = Budget::default();
        assert!(spend(&mut budget, Duration::ZERO, 200));
        assert!(!spend(&mut budget, Duration::ZERO, 1));
    }

    #[test]
    fn the_steady_rate_can_be_kept_up_for_ever() {
        let mut budget = Budget::default();
        assert!(spend(&mut budget, Duration::ZERO, 200));
        for second in 1..1_000 {
            assert!(spend(&mut budget, Duration::from_secs(second), 100), "second {second}");
        }
        assert!(!spend(&mut budget, Duration::from_secs(999), 1));
    }
}
