//! Calls that were over before they were answered: nothing is called for them any more.
//!
//! What was begun for a call may go on for a while after its reply was let go of: a continuation of
//! another call, a task in the queue. So the last of those that were over are remembered.
//!
//! Invariants:
//! 1. A call that is over is known as such until its reply has gone, and then until [`REMEMBERED`]
//!    others are. Kept by `so_many_are_remembered_and_not_one_more`.
//! 2. The kernel holds its cause for cancelled as long as it is known here. Kept by
//!    `so_many_are_remembered_and_not_one_more`,
//!    `the_kernel_forgets_the_calls_of_an_rpc_that_has_gone`.

use super::{Record, Serving};
use crate::interface::Method;
use crate::link::key::LinkKey;
use peers_kernel::{Cause, Instant};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How many calls are remembered that were over, and have no reply any more.
const REMEMBERED: usize = 1_024;

/// Deadlines travel in milliseconds, rounded up: a caller that gives up may be so much earlier than
/// its deadline here.
const ROUNDED: Duration = Duration::from_millis(1);

/// A way in which a call was over.
#[derive(Clone, Debug)]
pub(crate) enum Over {
    /// Its caller has cancelled it, or has gone.
    Cancelled,
    /// Its time has passed: the connection that it came by, and its method.
    Late(LinkKey, &'static Method),
}

/// Those that are over and have no reply any more, the last ones.
#[derive(Default)]
pub(super) struct Past {
    all: BTreeMap<Cause, Over>,
    /// Their causes, oldest first.
    order: VecDeque<Cause>,
}

impl Record {
    /// Notes that nobody waits for it any more: because its time has passed, if it has.
    pub(super) fn lapse(&mut self, now: Instant) {
        // Not late but cancelled: what is made for it must not be told of a time that was left.
        if self.deadline > now + ROUNDED {
            self.deadline = Instant::FAR;
        }
    }

    /// Returns how it was over, if it is.
    pub(crate) fn over(&self) -> Option<Over> {
        self.is_over().then(|| match self.deadline() {
            Some(_) => Over::Late(self.link, self.method),
            None => Over::Cancelled,
        })
    }
}

impl Serving {
    /// Returns how that call was over before it was answered, if it was.
    pub(crate) fn over(&self, cause: Cause) -> Option<Over> {
        let record = self.records.get(cause.slot() as usize);
        match record.filter(|record| record.is_of(cause)) {
            Some(record) => record.over(),
            None => self.past.all.get(&cause).cloned(),
        }
    }

    /// Returns whether that call is served here, or is remembered.
    pub(crate) fn knows(&self, cause: Cause) -> bool {
        let record = self.records.get(cause.slot() as usize);
        record.is_some_and(|record| record.is_of(cause)) || self.past.all.contains_key(&cause)
    }

    /// Remembers a call that was over, and has no reply any more. Gives the one that is forgotten
    /// for it.
    pub(crate) fn remember(&mut self, cause: Cause, over: Over) -> Option<Cause> {
        let Past { all, order } = &mut self.past;
        all.insert(cause, over);
        order.push_back(cause);
        debug_assert_eq!(all.len(), order.len(), "each is remembered once");
        let oldest = if order.len() > REMEMBERED { order.pop_front() } else { None };
        if let Some(oldest) = &oldest {
            all.remove(oldest);
        }
        oldest
    }

    /// Returns the causes of all calls that are known to be over.
    pub(crate) fn cancelled(&self) -> Vec<Cause> {
        let with_reply = self.records.iter().filter(|(_, record)| record.is_over());
        let with_reply =
            with_reply.map(|(slot, record)| Cause::from_parts(slot as u32, record.generation));
        with_reply.chain(self.past.order.iter().copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{LINK, until};
    use super::*;

    fn millis(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    /// Serves a call that has ten seconds, and lets it be over at that time.
    fn over_at(serving: &mut Serving, now: Instant) -> Cause {
        let cause = serving.begin(LINK, Some(1), &Method::NONE, until(10_000_000_000), 0);
        assert!(serving.keep(cause));
        assert!(serving.over(cause).is_none());
        assert!(serving.abandon(cause, now).is_some());
        cause
    }

    #[test]
    fn whose_time_has_passed_is_told_from_who_was_cancelled() {
        let mut serving = Serving::starting_at(0);
        for (now, late) in
            [(1, false), (9_998, false), (9_999, true), (10_000, true), (11_000, true)]
        {
            let cause = over_at(&mut serving, millis(now));
            let over = serving.over(cause).expect("nobody waits for it");
            assert_eq!(matches!(over, Over::Late(..)), late, "{now} ms");
            assert!(serving.end(cause).and_then(|record| record.over()).is_some());
        }
    }

    #[test]
    fn so_many_are_remembered_and_not_one_more() {
        // The generations begin anew on the way.
        let mut serving = Serving::starting_at(u32::MAX - 100);
        let mut end = |n: u64| {
            let cause = over_at(&mut serving, millis(n));
            let record = serving.end(cause).expect("it has a record until then");
            (cause, serving.remember(cause, record.over().expect("it is over")))
        };
        let all: Vec<_> = (0..2 * REMEMBERED as u64).map(&mut end).collect();
        for (at, (_, forgotten)) in all.iter().enumerate() {
            assert_eq!(*forgotten, at.checked_sub(REMEMBERED).map(|old| all[old].0), "{at}");
        }
        let (old, new) = all.split_at(REMEMBERED);
        assert!(old.iter().all(|(cause, _)| serving.over(*cause).is_none()));
        assert!(new.iter().all(|(cause, _)| serving.over(*cause).is_some()));
        assert_eq!(serving.cancelled().len(), REMEMBERED);
    }
}
