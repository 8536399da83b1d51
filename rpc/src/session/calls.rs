//! The calls made on one session: from the moment they are made until the peer has answered.
//!
//! An id is a counter (40 bits, from 1) above a slot of the table (24 bits), so an answer finds its
//! call without a search, and an answer to a call that has ended cannot be mistaken for one to
//! another call.
//!
//! Invariants:
//! 1. An id is given out once. Kept by `ids_do_not_repeat_over_many_calls`,
//!    `the_last_id_is_given_out_and_then_none`.
//! 2. `live` counts the entries with something pending. Kept by `audit`.
//! 3. A call that was sent keeps its slot until the peer answers, also when nobody waits for it any
//!    more: the slot stands for the peer's credit. So there are never more of these than the peer
//!    granted. Kept by `a_slot_is_not_used_again_before_the_peer_has_answered`.
//! 4. No live call's deadline is before `earliest`, but for those in `due`. Looking through the
//!    table when that has come costs less than keeping all calls in order, since most are answered
//!    long before, and takes out all that are overdue. Of a large table, `earliest` is a little
//!    later than that, so that looking never takes most of the time. Kept by
//!    `the_next_deadline_is_never_too_late_and_seldom_too_early`.
//! 5. A table that is empty can be released; ids go on. Kept by
//!    `a_released_table_still_knows_forged_from_duplicate`.

use super::clock::{NEVER, NOW};
use super::event::CallId;
use peers_kernel::Instant;
use slab::Slab;
use std::time::Duration;

/// A table with more slots is not looked through as soon as the next deadline comes, but after this
/// long for each slot: looking takes a tenth of the time at most, and 70,000 pending calls end 3.5
/// ms late at most.
const MANY: usize = 1_024;

/// The time that is waited for each slot of such a table.
const PATIENCE: Duration = Duration::from_nanos(50);

const SLOT_BITS: u32 = 24;
const SLOTS: usize = 1 << SLOT_BITS;
const COUNTER_END: u64 = 1 << (u64::BITS - SLOT_BITS);

/// Says where a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallState {
    /// It waits in the queue, this many bytes of it.
    Queued(usize),
    /// It left the queue without being sent, and is about to be failed.
    Stranded,
    /// The peer has it.
    Sent,
}

#[derive(Debug)]
struct Entry<K> {
    id: CallId,
    phase: CallState,
    /// [`NEVER`] if it has none.
    deadline: Instant,
    /// None iff nobody waits any more; then it was sent.
    pending: Option<K>,
}

#[derive(Debug)]
struct Table<K> {
    entries: Slab<Entry<K>>,
    /// Calls found overdue and not given out yet, the earliest last.
    due: Vec<(Instant, CallId)>,
    earliest: Instant,
}

/// The calls of one session.
#[derive(Debug)]
pub(super) struct Calls<K> {
    table: Option<Box<Table<K>>>,
    /// The counter of the next call.
    next: u64,
    /// Slots that were ever used.
    slots: u32,
    live: u32,
}

/// Says what an answer answers.
pub(super) enum Answered<K> {
    /// A call that somebody waits for.
    Live(CallId, K),
    /// A call that nobody waits for any more.
    Late,
    /// A call that was answered before.
    Duplicate,
    /// No call that was ever sent.
    Forged,
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self { entries: Slab::new(), due: Vec::new(), earliest: NEVER }
    }
}

impl<K> Table<K> {
    fn get_mut(&mut self, id: CallId) -> Option<&mut Entry<K>> {
        self.entries.get_mut(slot(id)).filter(|entry| entry.id == id)
    }
}

const fn slot(id: CallId) -> usize {
    (id.0 as usize) & (SLOTS - 1)
}

impl<K> Calls<K> {
    pub(super) const fn new() -> Self {
        Self { table: None, next: 1, slots: 0, live: 0 }
    }

    /// Counts the calls that somebody waits for.
    pub(super) const fn live(&self) -> usize {
        self.live as usize
    }

    /// Returns whether all ids were given out.
    pub(super) const fn exhausted(&self) -> bool {
        self.next >= COUNTER_END
    }

    /// Makes a call. Gives `pending` back if there is neither an id nor a slot for it. Not inline,
    /// so that there is one place where an entry goes from registers into the table, and none where
    /// it is copied there.
    #[inline(never)]
    pub(super) fn open(
        &mut self,
        pending: K,
        deadline: Instant,
        phase: CallState,
    ) -> Result<CallId, K> {
        let table = self.table.get_or_insert_default();
        let slot = table.entries.vacant_key();
        if slot >= SLOTS || self.next >= COUNTER_END {
            return Err(pending);
        }
        let id = CallId(self.next << SLOT_BITS | slot as u64);
        self.next += 1;
        self.slots = self.slots.max(slot as u32 + 1);
        self.live += 1;
        table.earliest = table.earliest.min(deadline);
        table.entries.insert(Entry { id, phase, deadline, pending: Some(pending) });
        Ok(id)
    }

    /// Takes the peer's word that the call with this number has ended, if it was sent and somebody
    /// waits for it; else nothing has changed, and [`answer`](Self::answer) knows why.
    #[inline(always)]
    pub(super) fn end_sent(&mut self, number: u64) -> Option<K> {
        let id = CallId(number);
        let table = self.table.as_mut()?;
        let entry = table.entries.get(slot(id))?;
        // One that was given up has nobody who waits; one that was not sent cannot have ended.
        if entry.id != id || entry.phase != CallState::Sent || entry.pending.is_none() {
            return None;
        }
        let Entry { pending, .. } = table.entries.remove(slot(id));
        self.forget();
        pending
    }

    /// Takes the peer's word that the call with this number has ended.
    #[inline]
    pub(super) fn answer(&mut self, number: u64) -> Answered<K> {
        if let Some(pending) = self.end_sent(number) {
            return Answered::Live(CallId(number), pending);
        }
        let id = CallId(number);
        let counter = number >> SLOT_BITS;
        if counter == 0 || counter >= self.next || slot(id) >= self.slots as usize {
            return Answered::Forged;
        }
        let Some(table) = &mut self.table else { return Answered::Duplicate };
        match table.get_mut(id) {
            None => Answered::Duplicate,
            Some(entry) if entry.phase != CallState::Sent => Answered::Forged,
            Some(_) => {
                table.entries.remove(slot(id));
                Answered::Late
            }
        }
    }

    /// Ends a call from this side. `None` if it has ended; else what was pending, and where it
    /// stood.
    pub(super) fn end(&mut self, id: CallId) -> Option<(K, CallState)> {
        let table = self.table.as_mut()?;
        let entry = table.get_mut(id)?;
        let pending = entry.pending.take()?;
        let phase = entry.phase;
        if phase != CallState::Sent {
            table.entries.remove(slot(id));
        }
        self.forget();
        Some((pending, phase))
    }

    /// Accounts for a live call that has ended.
    #[inline]
    fn forget(&mut self) {
        debug_assert!(self.live > 0, "each pending entry is counted");
        self.live -= 1;
        // With nobody left nothing is looked for, however early the last one was due.
        if self.live == 0
            && let Some(table) = &mut self.table
        {
            table.earliest = NEVER;
        }
    }

    /// Returns whether somebody waits for it.
    pub(super) fn is_live(&self, id: CallId) -> bool {
        let entry = self.table.as_ref().and_then(|table| table.entries.get(slot(id)));
        entry.is_some_and(|entry| entry.id == id && entry.pending.is_some())
    }

    /// Says where a call stands that waits in the queue; `None` if it does not.
    #[inline]
    pub(super) fn queued(&mut self, id: CallId) -> Option<&mut CallState> {
        let entry = self.table.as_mut()?.get_mut(id)?;
        matches!(entry.phase, CallState::Queued(_)).then_some(&mut entry.phase)
    }

    /// Returns whether it waits in the queue.
    pub(super) fn is_queued(&self, id: CallId) -> bool {
        let entry = self.table.as_ref().and_then(|table| table.entries.get(slot(id)));
        entry.is_some_and(|entry| entry.id == id && matches!(entry.phase, CallState::Queued(_)))
    }

    /// Notes where a call stands now that it has left the queue.
    pub(super) fn set_phase(&mut self, id: CallId, phase: CallState) {
        if let Some(entry) = self.table.as_mut().and_then(|table| table.get_mut(id)) {
            entry.phase = phase;
        }
    }

    /// Returns a time before which no live call's deadline comes; `None` if none has one. It may be
    /// the deadline of a call that has ended.
    #[inline]
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let table = self.table.as_ref()?;
        let next = if table.due.is_empty() { table.earliest } else { NOW };
        (next != NEVER).then_some(next)
    }

    /// Finds a live call whose deadline has come, earliest first.
    pub(super) fn overdue(&mut self, now: Instant) -> Option<CallId> {
        let table = self.table.as_mut()?;
        if table.due.is_empty() && table.earliest <= now {
            table.earliest = table.find_due(now);
        }
        while let Some((_, id)) = table.due.pop() {
            if table.get_mut(id).is_some_and(|entry| entry.pending.is_some()) {
                return Some(id);
            }
        }
        table.due = Vec::new();
        None
    }

    /// Gives up everything, in the order in which the calls were made.
    pub(super) fn drain(&mut self) -> Vec<(CallId, K)> {
        let table = self.table.take().unwrap_or_default();
        self.live = 0;
        let live = |(_, entry): (usize, Entry<K>)| Some((entry.id, entry.pending?));
        let mut calls: Vec<_> = table.entries.into_iter().filter_map(live).collect();
        // By their ids, which grow: they fail in the order in which they were made.
        calls.sort_unstable_by_key(|(id, _)| *id);
        calls
    }

    /// Counts the calls that were sent and not answered, whether or not somebody waits.
    pub(super) fn sent(&self) -> usize {
        self.entries().filter(|entry| entry.phase == CallState::Sent).count()
    }

    /// Fails unless those that somebody waits for are counted.
    pub(super) fn audit(&self) -> Result<(), String> {
        let (counted, live) = (self.live, self.entries().filter(|e| e.pending.is_some()).count());
        if counted as usize == live {
            return Ok(());
        }
        Err(format!("no pending call without outcome: {counted} are counted, {live} pending"))
    }

    fn entries(&self) -> impl Iterator<Item = &Entry<K>> {
        self.table.iter().flat_map(|table| table.entries.iter().map(|(_, entry)| entry))
    }

    #[cfg(test)]
    pub(super) fn holds_memory(&self) -> bool {
        self.table.is_some()
    }

    /// Gives the table's memory back if it is empty.
    pub(super) fn release(&mut self) {
        if self.table.as_ref().is_some_and(|table| table.entries.is_empty()) {
            self.table = None;
        }
    }
}

impl<K> Table<K> {
    /// Takes down all live calls whose deadline has come. Returns the earliest deadline of the
    /// others.
    #[cold]
    fn find_due(&mut self, now: Instant) -> Instant {
        let mut next = NEVER;
        for (_, entry) in &self.entries {
            if entry.pending.is_none() {
                continue;
            }
            if entry.deadline <= now {
                self.due.push((entry.deadline, entry.id));
            } else {
                next = next.min(entry.deadline);
            }
        }
        // Taken from the end, so that what was due first expires first, on every run.
        self.due.sort_unstable_by(|a, b| b.cmp(a));
        let slots = self.entries.capacity();
        if slots > MANY {
            next.max(now + PATIENCE * u32::try_from(slots).unwrap_or(u32::MAX))
        } else {
            next
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: u64) -> Option<Instant> {
        Some(Instant::from_nanos(nanos))
    }

    #[test]
    fn the_last_id_is_given_out_and_then_none() {
        let mut calls = Calls::new();
        calls.next = COUNTER_END - 1;
        let last = calls.open("last", NEVER, CallState::Sent).expect("one id is left");
        assert_eq!(last.0 >> SLOT_BITS, COUNTER_END - 1);
        assert!(calls.exhausted());
        assert_eq!(calls.open("one too many", NEVER, CallState::Sent), Err("one too many"));
        assert!(matches!(calls.answer(last.0), Answered::Live(id, "last") if id == last));
    }

    #[test]
    fn what_is_overdue_is_found_earliest_first_and_once() {
        let mut calls = Calls::new();
        let mut open =
            |nanos| calls.open((), Instant::from_nanos(nanos), CallState::Sent).expect("room");
        let (late, early, far) = (open(30), open(10), open(1_000));
        let forever = calls.open((), NEVER, CallState::Sent).expect("room");
        assert_eq!(calls.next_deadline(), at(10));
        assert_eq!(calls.overdue(Instant::from_nanos(9)), None);
        let now = Instant::from_nanos(30);
        assert_eq!(calls.overdue(now), Some(early));
        assert!(calls.next_deadline() <= at(30), "another one is due");
        assert!(calls.end(early).is_some());
        assert_eq!(calls.overdue(now), Some(late));
        assert!(calls.end(late).is_some());
        assert_eq!((calls.overdue(now), calls.next_deadline()), (None, at(1_000)));
        assert!(calls.end(far).is_some());
        assert_eq!(calls.overdue(Instant::from_nanos(1_000)), None);
        assert_eq!((calls.next_deadline(), calls.is_live(forever)), (None, true));
    }

    #[test]
    fn a_call_that_is_answered_after_it_was_found_overdue_is_not_given_out() {
        let mut calls = Calls::new();
        let first = calls.open((), Instant::from_nanos(1), CallState::Sent).expect("room");
        let second = calls.open((), Instant::from_nanos(2), CallState::Sent).expect("room");
        let now = Instant::from_nanos(5);
        assert_eq!(calls.overdue(now), Some(first));
        assert!(calls.end(first).is_some());
        assert!(matches!(calls.answer(second.0), Answered::Live(..)));
        assert_eq!((calls.overdue(now), calls.next_deadline()), (None, None));
    }

    #[test]
    fn a_table_without_live_calls_has_no_deadline() {
        let mut calls = Calls::new();
        for n in 1..1_000 {
            let id = calls.open((), Instant::from_nanos(n), CallState::Sent).expect("room");
            assert!(matches!(calls.answer(id.0), Answered::Live(..)));
            assert_eq!(calls.next_deadline(), None);
        }
    }

    #[test]
    fn calls_that_have_ended_do_not_hide_those_behind_them() {
        let mut calls = Calls::new();
        let ended = calls.open(1, Instant::from_nanos(10), CallState::Sent).expect("room");
        let overdue = calls.open(2, Instant::from_nanos(20), CallState::Sent).expect("room");
        assert_eq!(calls.end(ended), Some((1, CallState::Sent)));
        assert_eq!(calls.next_deadline(), at(10), "early, but never late");
        assert_eq!(calls.overdue(Instant::from_nanos(20)), Some(overdue));
    }

    #[test]
    fn a_slot_is_not_used_again_before_the_peer_has_answered() {
        let mut calls = Calls::new();
        let first = calls.open(1, NEVER, CallState::Sent).expect("room");
        assert_eq!(calls.end(first), Some((1, CallState::Sent)));
        let second = calls.open(2, NEVER, CallState::Sent).expect("room");
        assert_ne!(slot(first), slot(second));
        assert!(matches!(calls.answer(first.0), Answered::Late));
        assert!(matches!(calls.answer(first.0), Answered::Duplicate));
        let third = calls.open(3, NEVER, CallState::Sent).expect("room");
        assert_eq!(slot(first), slot(third));
        assert!(matches!(calls.answer(first.0), Answered::Duplicate));
    }

    #[test]
    fn a_released_table_still_knows_forged_from_duplicate() {
        let mut calls = Calls::new();
        let id = calls.open((), NEVER, CallState::Sent).expect("room");
        assert!(matches!(calls.answer(id.0), Answered::Live(..)));
        calls.release();
        assert!(calls.table.is_none());
        assert!(matches!(calls.answer(id.0), Answered::Duplicate));
        assert!(matches!(calls.answer(id.0 + 1), Answered::Forged));
        assert!(matches!(calls.answer(id.0 + (1 << SLOT_BITS)), Answered::Forged));
        assert!(matches!(calls.answer(0), Answered::Forged));
    }
}
