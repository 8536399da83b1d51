//! Knows when each connection of a process wants to be looked at, on one timer of the kernel.
//!
//! A connection notes when it is due, and may change its mind: what it noted before stays in the
//! queue as an entry that nobody wants any more, until its time comes or such entries are too many.
//! An entry is wanted iff its connection is due just then.
//!
//! Invariants:
//! 1. Each connection that is due has an entry for that time, so none is looked at late. Kept by
//!    `entries_are_bounded_however_often_connections_change_their_minds`.
//! 2. Entries are at most twice as many as the connections, and [`SLACK`]. Kept by `sweep`.

use peers_kernel::{Instant, TimerId};
use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Unwanted entries that are not worth a sweep.
const SLACK: usize = 64;

/// When the connections of a process are looked at.
#[derive(Default)]
pub(crate) struct Timers {
    pub(crate) queue: RefCell<TimerQueue>,
    /// The kernel's timer for the earliest entry, and when it fires.
    pub(crate) next: Cell<Option<(Instant, TimerId)>>,
    /// The timer that looks for overdue calls of peers.
    pub(crate) sweep: Cell<Option<TimerId>>,
}

/// The times at which connections, by their slots, are due.
#[derive(Debug, Default)]
pub(crate) struct TimerQueue {
    entries: BinaryHeap<Reverse<(Instant, u32)>>,
}

impl TimerQueue {
    /// Notes when the connection in that slot is due.
    pub(crate) fn set(&mut self, at: Instant, slot: u32) {
        self.entries.push(Reverse((at, slot)));
    }

    /// Returns the earliest entry, wanted or not.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.entries.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes the earliest entry if its time has come at `now`.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<(Instant, u32)> {
        if self.next()? > now {
            return None;
        }
        self.entries.pop().map(|Reverse(entry)| entry)
    }

    /// Throws out what is not wanted, if that is much beside so many connections.
    pub(crate) fn sweep(&mut self, connections: usize, wanted: impl Fn(Instant, u32) -> bool) {
        // At least half of what is swept is not wanted, so each entry pays for one look.
        if self.entries.len() <= 2 * connections + SLACK {
            return;
        }
        let mut entries = std::mem::take(&mut self.entries).into_vec();
        entries.retain(|Reverse((at, slot))| wanted(*at, *slot));
        entries.sort_unstable();
        // A connection that changes its mind and back has two entries for one time.
        entries.dedup();
        debug_assert!(entries.len() <= connections, "a connection is due at one time");
        entries.shrink_to(2 * connections + SLACK);
        self.entries = BinaryHeap::from(entries);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    #[test]
    fn entries_are_taken_in_order_of_time_and_none_before_it() {
        let mut queue = TimerQueue::default();
        for (time, slot) in [(30, 1), (10, 2), (20, 3), (10, 1)] {
            queue.set(at(time), slot);
        }
        assert_eq!(queue.take_due(at(9)), None);
        let taken: Vec<_> = std::iter::from_fn(|| queue.take_due(at(20))).collect();
        assert_eq!(taken, [(at(10), 1), (at(10), 2), (at(20), 3)]);
        assert_eq!(queue.next(), Some(at(30)));
    }

    #[test]
    fn entries_are_bounded_however_often_connections_change_their_minds() {
        let mut queue = TimerQueue::default();
        for time in (0..10_000).rev() {
            for slot in 0..10 {
                queue.set(at(time), slot);
                queue.set(at(time), slot);
                queue.sweep(10, |due, _| due == at(time));
                assert!(queue.entries.len() <= 2 * 10 + SLACK);
            }
        }
        let due: Vec<_> = std::iter::from_fn(|| queue.take_due(at(0))).collect();
        assert!((0..10).all(|slot| due.contains(&(at(0), slot))), "none was lost");
    }
}
