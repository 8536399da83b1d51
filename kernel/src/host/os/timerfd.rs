//! Waits for deadlines by a timer descriptor, so that most waits need no time-out of their own.
//!
//! A wait with a time-out makes the system arm a timer and disarm it again, each time, which costs
//! more than many calls. Most deadlines are far away and hardly move. So they are given to a timer
//! descriptor once, and waits are for ever until it rings.
//!
//! Invariants:
//! 1. It never rings later than it was last asked to; earlier, it wakes the loop for nothing. Kept
//!    by `the_timer_is_set_again_only_for_an_earlier_instant`.
//! 2. `rings` is when it will ring; [`Instant::FAR`] iff it is not set. Kept by
//!    `the_timer_rings_once_each_time_it_is_set`.

use crate::host::os::clock::nanos_of_system;
use crate::host::os::poller::Registered;
use crate::host::os::selector::Selector;
use crate::host::ready::{Key, Readiness};
use crate::host::time::Instant;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use std::cell::Cell;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

/// Waits that are shorter have a time-out of their own: setting the timer would cost more.
const SHORT: Duration = Duration::from_millis(10);

/// The key that the poller reports when it rings.
const KEY: Key = Key { slot: u32::MAX, generation: u32::MAX - 1 };

const READ: Readiness = Readiness { readable: true, writable: false };

#[derive(Debug)]
pub(crate) struct Alarm {
    timer: Registered<OwnedFd>,
    rings: Cell<Instant>,
}

impl Alarm {
    pub(crate) fn new(selector: &Rc<Selector>) -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        let timer = Registered::new(selector, timer, KEY, READ)?;
        Ok(Self { timer, rings: Cell::new(Instant::FAR) })
    }

    /// Returns how long a wait until `until` is to last; `None` is for ever, because there is no
    /// end or this one will ring. `now` reads the clock.
    pub(crate) fn time_out(
        &self,
        until: Option<Instant>,
        now: impl FnOnce() -> Instant,
    ) -> Option<Duration> {
        let until = until.filter(|until| *until < self.rings.get())?;
        // If it cannot be set, the wait has a time-out of its own: never later than asked for.
        let wait = until.since(now());
        if wait < SHORT || self.set(until).is_err() {
            return Some(wait);
        }
        self.rings.set(until);
        None
    }

    /// Sets it to a point in time, not for a while: however long this takes, it rings when it
    /// should.
    fn set(&self, rings: Instant) -> io::Result<()> {
        let none = Timespec { tv_sec: 0, tv_nsec: 0 };
        let at = Duration::from_nanos(nanos_of_system(rings));
        let it_value = Timespec::try_from(at).map_err(io::Error::other)?;
        let once = Itimerspec { it_interval: none, it_value };
        let set = timerfd_settime(self.timer.io(), TimerfdTimerFlags::ABSTIME, &once);
        set.map(|_| ()).map_err(io::Error::from)
    }

    /// Returns whether it is its own ringing that was reported as `key`; then it is silent again.
    pub(crate) fn rang(&self, key: Key) -> bool {
        if key != KEY {
            return false;
        }
        self.rings.set(Instant::FAR);
        // If it has been set anew since it rang, there is nothing to read.
        let _count = rustix::io::read(self.timer.io(), &mut [0_u8; 8]);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::os::clock::clock;

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(0) + Duration::from_millis(millis)
    }

    fn alarm() -> (Rc<Selector>, Alarm) {
        let selector = Rc::new(Selector::new().unwrap());
        let alarm = Alarm::new(&selector).unwrap();
        (selector, alarm)
    }

    #[test]
    fn a_short_wait_has_a_time_out_and_a_long_one_an_alarm() {
        let (_selector, alarm) = alarm();
        assert_eq!(alarm.time_out(None, || at(0)), None);
        assert_eq!(alarm.rings.get(), Instant::FAR);
        assert_eq!(alarm.time_out(Some(at(9)), || at(0)), Some(Duration::from_millis(9)));
        assert_eq!(alarm.rings.get(), Instant::FAR);
        assert_eq!(alarm.time_out(Some(at(60_000)), || at(0)), None);
        assert_eq!(alarm.rings.get(), at(60_000));
    }

    #[test]
    fn the_timer_is_set_again_only_for_an_earlier_instant() {
        let (_selector, alarm) = alarm();
        alarm.time_out(Some(at(60_000)), || at(0));
        let unread = || -> Instant { panic!("no need to know the time") };
        assert_eq!(alarm.time_out(Some(at(60_000)), unread), None);
        assert_eq!(alarm.time_out(Some(at(90_000)), unread), None);
        assert_eq!(alarm.rings.get(), at(60_000));
        assert_eq!(alarm.time_out(Some(at(30_000)), || at(1)), None);
        assert_eq!(alarm.rings.get(), at(30_000));
    }

    #[test]
    fn an_overdue_timer_ends_an_endless_wait_at_once() {
        let (selector, alarm) = alarm();
        let soon = clock() + Duration::from_millis(11);
        assert_eq!(alarm.time_out(Some(soon), clock), None);
        while clock() < soon {
            std::thread::yield_now();
        }
        assert_eq!(alarm.time_out(Some(clock()), clock), None);
        let mut ready = Vec::new();
        selector.wait(None, &mut ready).unwrap();
        assert_eq!(ready, [(KEY, READ)]);
    }

    #[test]
    fn the_timer_rings_once_each_time_it_is_set() {
        let (selector, alarm) = alarm();
        for _ in 0..2 {
            let soon = clock() + Duration::from_millis(20);
            assert_eq!(alarm.time_out(Some(soon), clock), None);
            let mut ready = Vec::new();
            selector.wait(Some(Duration::from_secs(10)), &mut ready).unwrap();
            assert!(clock() >= soon, "not early");
            assert_eq!(ready, [(KEY, READ)]);
            assert!(alarm.rang(KEY) && alarm.rings.get() == Instant::FAR);
            ready.clear();
            selector.wait(Some(Duration::ZERO), &mut ready).unwrap();
            assert_eq!(ready, []);
        }
        assert!(!alarm.rang(Key { slot: 1, generation: 1 }));
    }
}
