//! Not too many log lines: a peer that misbehaves all day fills no disk.

use crate::text::Brief;
use peers_kernel::Instant;
use std::fmt;
use std::time::Duration;

/// Lets a number of warnings a second through and counts the rest.
#[derive(Debug)]
pub(crate) struct Throttle {
    per_second: u32,
    since: Instant,
    passed: u32,
    withheld: u64,
}

/// The most bytes of one line.
const LINE: usize = 1_024;

impl Throttle {
    pub(crate) fn new(per_second: u32) -> Self {
        Self { per_second, since: Instant::default(), passed: 0, withheld: 0 }
    }

    /// Logs a warning, or counts it.
    pub(crate) fn warn(&mut self, now: Instant, line: fmt::Arguments<'_>) {
        if now - self.since >= Duration::from_secs(1) {
            if self.withheld > 0 {
                log::warn!("{} more warnings were withheld", self.withheld);
            }
            *self = Self { since: now, ..Self::new(self.per_second) };
        }
        if self.passed < self.per_second {
            self.passed += 1;
            log::warn!("{}", Brief(&line.to_string(), LINE));
        } else {
            self.withheld += 1;
        }
    }

    /// How many warnings were withheld since the last one.
    #[cfg(test)]
    fn withheld(&self) -> u64 {
        self.withheld
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_warnings_is_counted_not_written() {
        let mut throttle = Throttle::new(10);
        let start = Instant::default() + Duration::from_secs(5);
        for _ in 0..1_000 {
            throttle.warn(start, format_args!("again"));
        }
        assert_eq!(throttle.withheld(), 990);
        throttle.warn(start + Duration::from_secs(1), format_args!("again"));
        assert_eq!(throttle.withheld(), 0);
    }
}
