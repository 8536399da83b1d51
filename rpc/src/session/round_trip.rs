//! Knows how long the way to the peer and back takes, on a connection where somebody wants to know:
//! measured by pings.
//!
//! A busy moment at either end lengthens what is measured, so the less of the two latest counts:
//! one busy moment changes nothing, and a way that has become longer is known as that after two
//! pings.

use super::{Output, Phase, Session};
use peers_kernel::Instant;
use std::time::Duration;

/// A ping later than this after the last one measures again.
const AGAIN: Duration = Duration::from_secs(1);

/// So long an answer may take before the ping is taken for one that will have none.
const LONGEST: Duration = Duration::from_secs(30);

/// Holds what is known of the way. Default is nothing.
#[derive(Debug, Default)]
pub(super) struct Way {
    /// Says when the last ping left.
    asked: Option<Instant>,
    /// Set iff it has no answer yet.
    due: bool,
    latest: Option<Duration>,
    before: Option<Duration>,
}

impl Way {
    /// Notes that a ping leaves.
    pub(super) fn asks(&mut self, now: Instant) {
        (self.asked, self.due) = (Some(now), true);
    }

    /// Notes that the last ping is answered.
    pub(super) fn answered(&mut self, now: Instant) {
        self.due = false;
        if let Some(asked) = self.asked {
            self.before = self.latest.replace(now.since(asked));
        }
    }

    fn round_trip(&self) -> Option<Duration> {
        let latest = self.latest?;
        Some(self.before.map_or(latest, |before| before.min(latest)))
    }

    fn is_old(&self, now: Instant) -> bool {
        // While a pong is missing another ping would measure the same silence.
        let wait = if self.due { LONGEST } else { AGAIN };
        self.asked.is_none_or(|asked| now.since(asked) >= wait)
    }
}

impl<K> Session<K> {
    /// Measures the way to the peer from now on, at first as soon as the connection is open.
    pub fn measure(&mut self, now: Instant, out: &mut impl Output) {
        self.rare.get_or_insert_default().way.get_or_insert_default();
        self.measure_again(now, out);
    }

    /// Returns the time to the peer and back, if that is measured and known.
    pub fn round_trip(&self) -> Option<Duration> {
        self.rare.as_ref()?.way.as_ref()?.round_trip()
    }

    /// Sends a ping if the way is measured and the last one was long ago.
    #[inline]
    pub(super) fn measure_again(&mut self, now: Instant, out: &mut impl Output) {
        let way = self.rare.as_ref().and_then(|rare| rare.way.as_ref());
        if way.is_some_and(|way| way.is_old(now)) && self.phase == Phase::Open {
            self.ping(now, out);
        }
    }

    /// Returns the deadline of a call made at `now` for one that can be answered until `end`, over
    /// this connection: a round trip earlier, and a whole number of milliseconds away, which no
    /// rounding on the wire can make longer. Unchanged where the way is not measured.
    pub fn end_within(&mut self, now: Instant, end: Instant, out: &mut impl Output) -> Instant {
        self.measure_again(now, out);
        let Some(way) = self.round_trip() else { return end };
        let left = end.since(now).saturating_sub(way).as_nanos();
        now + Duration::from_millis(u64::try_from(left / 1_000_000).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is known after pings that took so many milliseconds.
    fn known(took: &[u64]) -> Option<u128> {
        let (mut way, mut now) = (Way::default(), Instant::from_nanos(0));
        for took in took {
            way.asks(now);
            now = now + Duration::from_millis(*took);
            way.answered(now);
        }
        way.round_trip().map(|way| way.as_millis())
    }

    #[test]
    fn one_busy_moment_changes_nothing_and_a_longer_way_is_known_after_two_pings() {
        assert_eq!(known(&[]), None);
        assert_eq!(known(&[10]), Some(10));
        assert_eq!(known(&[10, 500]), Some(10));
        assert_eq!(known(&[500, 10]), Some(10));
        assert_eq!(known(&[10, 500, 500]), Some(500));
        assert_eq!(known(&[10, 500, 20]), Some(20));
    }
}
