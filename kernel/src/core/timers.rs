//! Timers: a heap of instants over a slab of tasks.
//!
//! Cancelling empties the slab's entry and leaves the heap's behind; when more than half of the
//! heap is stale it is rebuilt, so a stale entry costs a few nanoseconds, once. Invariants:
//! 1. Order is by instant, then by creation: ties fire in the order they were made. Kept by
//!    `timers_fire_by_instant_and_ties_by_creation`.
//! 2. A [`TimerId`] never names two timers. Kept by
//!    `a_cancelled_timer_does_not_fire_and_cancelling_again_does_nothing`.
//! 3. No clock is read and no task is run here. Kept by the types.
//! 4. A timer made on somebody's behalf is found by its cause as long as it is armed. Kept by
//!    `forget_caused`.

use crate::core::cause::Cause;
use crate::core::heap::Heap;
use crate::core::task::{Action, Entry, Task};
use crate::host::time::Instant;
use slab::Slab;
use std::collections::BTreeMap;

/// Names a timer for [`Handle::cancel`](crate::Handle::cancel). Keeping it keeps nothing alive; it
/// is never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TimerId {
    sequence: u64,
    slot: u32,
}

impl TimerId {
    /// Names no timer: what a kernel that is gone hands out.
    pub(crate) const NEVER: Self = Self { sequence: 0, slot: u32::MAX };
}

/// A place in the heap. Compared field by field, in this order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    at: Instant,
    sequence: u64,
    slot: u32,
}

struct ArmedTimer {
    sequence: u64,
    cause: Cause,
    task: Box<dyn Task>,
}

/// All timers of one kernel.
#[derive(Default)]
pub(crate) struct Timers {
    heap: Heap<Due>,
    armed: Slab<ArmedTimer>,
    sequence: u64,
    /// The slots of those with a cause, by that and their sequence.
    caused: BTreeMap<(Cause, u64), u32>,
}

/// Below this size a heap is not worth rebuilding.
const SMALL: usize = 64;

impl Timers {
    /// Arms a timer.
    pub(crate) fn insert(&mut self, at: Instant, cause: Cause, task: Box<dyn Task>) -> TimerId {
        // Never used again, so that an id of a timer that has fired names no later one.
        self.sequence += 1;
        let sequence = self.sequence;
        let slot = u32::try_from(self.armed.insert(ArmedTimer { sequence, cause, task }))
            .expect("four billion timers do not fit in memory");
        self.heap.push(Due { at, sequence, slot });
        if !cause.is_none() {
            self.remember(cause, sequence, slot);
        }
        TimerId { sequence, slot }
    }

    /// Disarms a timer; its task is returned, to be dropped when nothing is borrowed.
    pub(crate) fn cancel(&mut self, id: TimerId) -> Option<Box<dyn Task>> {
        // The slot may be another timer's by now.
        if !self.is_armed(id.slot, id.sequence) {
            return None;
        }
        let ArmedTimer { cause, task, .. } = self.armed.remove(id.slot as usize);
        self.forget(cause, id.sequence);
        // At least half of what is rebuilt is stale, so each cancelled timer pays for one entry.
        if self.heap.len() > SMALL && self.heap.len() / 2 > self.armed.len() {
            self.rebuild()
        }
        Some(task)
    }

    /// Takes the earliest timer if it is due at `now`.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Entry> {
        if self.next()? > now {
            return None;
        }
        let due = self.heap.pop()?;
        let ArmedTimer { cause, task, .. } = self.armed.remove(due.slot as usize);
        self.forget(cause, due.sequence);
        Some(Entry { cause, action: Action::Task(task) })
    }

    /// Disarms all timers of that cause, in the order in which they were made; their tasks are
    /// returned likewise.
    pub(crate) fn cancel_caused_by(&mut self, cause: Cause) -> Vec<Box<dyn Task>> {
        let caused = self.caused.range((cause, 0)..=(cause, u64::MAX));
        let ids: Vec<TimerId> =
            caused.map(|(&(_, sequence), &slot)| TimerId { sequence, slot }).collect();
        ids.into_iter().filter_map(|id| self.cancel(id)).collect()
    }

    #[inline(never)]
    fn remember(&mut self, cause: Cause, sequence: u64, slot: u32) {
        self.caused.insert((cause, sequence), slot);
    }

    #[inline]
    fn forget(&mut self, cause: Cause, sequence: u64) {
        if !cause.is_none() {
            self.forget_caused(cause, sequence)
        }
    }

    #[inline(never)]
    fn forget_caused(&mut self, cause: Cause, sequence: u64) {
        let slot = self.caused.remove(&(cause, sequence));
        debug_assert!(slot.is_some(), "a timer with a cause is found by it as long as it is armed");
    }

    /// Returns when the earliest timer is due.
    pub(crate) fn next(&mut self) -> Option<Instant> {
        while let Some(due) = self.heap.peek() {
            // What is cancelled leaves a stale place behind, which goes when it comes up.
            if self.is_armed(due.slot, due.sequence) {
                return Some(due.at);
            }
            self.heap.pop();
        }
        None
    }

    pub(crate) fn len(&self) -> usize {
        self.armed.len()
    }

    /// Disarms everything.
    pub(crate) fn clear(&mut self) -> Vec<Box<dyn Task>> {
        self.heap.clear();
        self.caused.clear();
        self.armed.drain().map(|armed| armed.task).collect()
    }

    fn is_armed(&self, slot: u32, sequence: u64) -> bool {
        self.armed.get(slot as usize).is_some_and(|armed| armed.sequence == sequence)
    }

    fn rebuild(&mut self) {
        let armed = &self.armed;
        self.heap
            .retain(|due| armed.get(due.slot as usize).is_some_and(|a| a.sequence == due.sequence));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::task::Plain;
    use std::panic::Location;

    #[test]
    fn what_is_cancelled_leaves_no_more_places_than_there_are_timers() {
        let mut timers = Timers::default();
        let far = |n: u64| Instant::from_nanos(1_000_000 + n);
        let task = || Plain::boxed(Location::caller(), |_: &std::rc::Rc<crate::core::Core>| ());
        for n in 0..10 {
            timers.insert(far(n), Cause::NONE, task());
        }
        for n in 0..100_000 {
            let id = timers.insert(far(n), Cause::NONE, task());
            assert!(timers.cancel(id).is_some());
            assert!(timers.heap.len() <= SMALL + 2 * timers.len(), "{} places", timers.heap.len());
        }
    }
}
