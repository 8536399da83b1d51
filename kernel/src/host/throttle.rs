//! Not too many log lines: a peer that misbehaves all day, or makes a handler panic all day, fills
//! no disk.
//!
//! All lines that others can cause share one count a loop, whatever their kind and level, since a
//! disk is filled by their sum; threads without a loop share one for the process. Invariants:
//! 1. In a second at most so many lines pass, the one with the number of those withheld before
//!    included. Kept by `take`.
//! 2. Each line either passes or is in a number that is logged with the next line that passes, or
//!    at the end of the loop. Kept by `the_number_is_said_once_and_counts_as_a_line`.

use crate::host::time::{Clock, Instant};
use std::cell::Cell;
use std::rc::{Rc, Weak};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Lines a second unless a program says otherwise.
const PER_SECOND: u32 = 10;

/// The lines of the present second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    since: Instant,
    passed: u32,
    withheld: u64,
}

/// The decision about a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Verdict {
    /// Withheld lines of which to say the number first; none if zero.
    say: u64,
    passes: bool,
}

impl Count {
    /// Counts a line at `now`.
    fn take(&mut self, now: Instant, per_second: u32) -> Verdict {
        let mut say = 0;
        if self.passed == 0 || now.since(self.since) >= Duration::from_secs(1) {
            say = if per_second > 0 { std::mem::take(&mut self.withheld) } else { 0 };
            self.since = now;
            self.passed = u32::from(say > 0);
        }
        // The line with the number of those withheld counts as one, or it would be one too many.
        let passes = self.passed < per_second;
        if passes {
            self.passed += 1
        } else {
            self.withheld += 1
        }
        debug_assert!(!passes || self.passed <= per_second, "no more pass in a second");
        Verdict { say, passes }
    }
}

/// The lines that one loop may still write.
pub(crate) struct Throttle {
    per_second: Cell<u32>,
    count: Cell<Count>,
    clock: Box<dyn Clock>,
}

impl Throttle {
    /// Makes a throttle that goes by `clock`.
    pub(crate) fn new(clock: Box<dyn Clock>) -> Rc<Self> {
        Rc::new(Self { per_second: Cell::new(PER_SECOND), count: Cell::default(), clock })
    }

    pub(crate) fn set_rate(&self, per_second: u32) {
        self.per_second.set(per_second)
    }

    /// Returns whether a line may be written now. If not, it is counted.
    pub(crate) fn admits(&self) -> bool {
        let mut count = self.count.get();
        let now = self.clock.coarse();
        let verdict = count.take(now, self.per_second.get());
        self.count.set(count);
        say(verdict.say);
        verdict.passes
    }

    /// Says how many lines are withheld that nobody was told of.
    pub(crate) fn finish(&self) {
        let count = self.count.take();
        say(count.withheld)
    }
}

fn say(withheld: u64) {
    if withheld > 0 {
        let lines = if withheld == 1 { "line was" } else { "lines were" };
        log::warn!("{withheld} more log {lines} withheld");
    }
}

thread_local! {
    /// The throttle of the loop that runs on this thread.
    static CURRENT: Cell<Weak<Throttle>> = const { Cell::new(Weak::new()) };
}

/// The lines of threads on which no loop runs.
static OTHERS: Mutex<Option<Count>> = Mutex::new(None);

/// Counts the lines of this thread with `throttle` for as long as what it returns lives.
pub(crate) fn enter(throttle: &Rc<Throttle>) -> Entered {
    Entered(CURRENT.replace(Rc::downgrade(throttle)))
}

/// Puts back the loop that ran on this thread before.
pub(crate) struct Entered(Weak<Throttle>);

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(std::mem::take(&mut self.0));
    }
}

/// Returns whether a loop runs on this thread just now.
pub(crate) fn is_on_a_loop() -> bool {
    current().is_some()
}

/// Returns the throttle of the loop that runs on this thread, unless it has ended.
fn current() -> Option<Rc<Throttle>> {
    let look = |current: &Cell<Weak<Throttle>>| {
        let weak = current.take();
        let throttle = weak.upgrade();
        current.set(weak);
        throttle
    };
    CURRENT.try_with(look).ok().flatten()
}

/// Returns whether a line that others can cause may be written to the log; to be asked right before
/// it is. If not, it is counted, and the count is logged with the next line that may.
///
/// Code that runs on a loop shares that loop's lines, ten a second unless
/// [`Handle::set_log_rate`](crate::Handle::set_log_rate) says otherwise; all other threads of a
/// process together have ten.
pub fn may_log() -> bool {
    if let Some(throttle) = current() {
        return throttle.admits();
    }
    let mut others = OTHERS.lock().unwrap_or_else(PoisonError::into_inner);
    let verdict = others.get_or_insert_default().take(crate::host::os::clock::clock(), PER_SECOND);
    drop(others); // the logger may ask again
    say(verdict.say);
    verdict.passes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::default() + Duration::from_millis(millis)
    }

    #[test]
    fn so_many_pass_and_the_rest_is_counted() {
        let mut count = Count::default();
        let passed = (0..1_000).filter(|_| count.take(at(5_000), 10).passes).count();
        assert_eq!((passed, count.withheld), (10, 990));
    }

    #[test]
    fn the_number_is_said_once_and_counts_as_a_line() {
        let mut count = Count::default();
        for _ in 0..13 {
            count.take(at(5_000), 10);
        }
        assert_eq!(count.take(at(5_999), 10), Verdict { say: 0, passes: false });
        assert_eq!(count.take(at(6_000), 10), Verdict { say: 4, passes: true });
        let passed = (0..100).filter(|_| count.take(at(6_999), 10).passes).count();
        assert_eq!(passed, 8, "with the number and the line before they are ten");
        assert_eq!(count.take(at(7_000), 10).say, 92);
    }

    #[test]
    fn one_a_second_is_the_number_alone_when_there_is_one() {
        let mut count = Count::default();
        assert!(count.take(at(0), 1).passes);
        assert!(!count.take(at(1), 1).passes);
        assert_eq!(count.take(at(1_000), 1), Verdict { say: 1, passes: false });
        assert_eq!(count.take(at(2_000), 1), Verdict { say: 1, passes: false });
    }

    #[test]
    fn none_a_second_is_none() {
        let mut count = Count::default();
        for second in 0..3 {
            assert_eq!(count.take(at(second * 1_000), 0), Verdict { say: 0, passes: false });
        }
    }

    #[test]
    fn a_quiet_second_has_nothing_to_say() {
        let mut count = Count::default();
        for second in 0..100 {
            assert_eq!(count.take(at(second * 100), 10), Verdict { say: 0, passes: true });
        }
    }
}
