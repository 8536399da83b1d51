//! Requests that wait: for the peer's credit, for its hello, or for the output to drain. First in,
//! first out.
//!
//! A call that ends while it waits stays here as a cancelled entry until its turn or the next
//! sweep; whoever takes entries out asks the table of calls whether they are still wanted.
//!
//! Invariants:
//! 1. `live` and `live_bytes` count the entries that are wanted, `entries` and `bytes` all. Kept by
//!    `audit`.
//! 2. Husks are never more than the wanted entries (or [`SLACK`]), nor hold more bytes (or
//!    [`SLACK_BYTES`]). Kept by `cancelled_entries_are_swept_before_they_outnumber_what_is_wanted`,
//!    `large_cancelled_entries_are_swept_before_they_weigh_more_than_what_is_wanted`.

use super::calls::Calls;
use super::event::{CallId, Head};
use crate::limits::Limits;
use crate::session::permits::Room;
use peers_kernel::Instant;
use peers_wire::Trace;
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::sync::Arc;

const SLACK: usize = 64;

/// Entries for which an empty queue keeps room.
const KEEP: usize = 64;

const SLACK_BYTES: usize = 1 << 20;

/// A request on its way out. Many may wait, and small ones should need no memory but this.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Zero, which no call has, for an event.
    number: u64,
    method: u64,
    /// [`Instant::FAR`] if it has none.
    deadline: Instant,
    depth: u16,
    trace: Option<Box<Trace>>,
    pub(super) args: SmallVec<[u8; 36]>,
}

const _: () = assert!(size_of::<Waiting>() <= 96, "tens of thousands may wait");

impl Waiting {
    /// Makes a request that waits; `id` is `None` for an event.
    pub(super) fn new(id: Option<CallId>, head: &Head, args: SmallVec<[u8; 36]>) -> Self {
        let Head { method, deadline, depth, trace } = *head;
        let number = id.map_or(0, CallId::number);
        Self { number, method, deadline, depth, trace: trace.map(Box::new), args }
    }

    pub(super) fn id(&self) -> Option<CallId> {
        (self.number != 0).then_some(CallId(self.number))
    }

    /// Says until when it is waited for.
    #[inline]
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    #[inline]
    pub(super) fn head(&self) -> Head {
        let Self { method, deadline, depth, .. } = *self;
        Head { method, deadline, depth, trace: self.trace.as_deref().copied() }
    }

    /// Counts the bytes of the frame after its header.
    #[inline]
    pub(super) fn size(&self) -> usize {
        self.args.len() + if self.trace.is_some() { 32 } else { 16 }
    }
}

/// The requests that wait on one session.
#[derive(Debug, Default)]
pub(super) struct Queue {
    entries: VecDeque<Waiting>,
    bytes: usize,
    live: usize,
    live_bytes: usize,
    /// Calls that the peer's hello has made impossible, with the size of their frames; to be
    /// failed.
    pub(super) oversized: VecDeque<(CallId, usize)>,
    /// Some iff other threads make requests too. It counts what waits here as well.
    room: Option<Arc<Room>>,
}

impl Queue {
    /// Returns whether a request with `bytes` of arguments may wait as well. In a room that is
    /// shared, it has its place then.
    pub(super) fn take_room(&self, bytes: usize, limits: &Limits) -> bool {
        match &self.room {
            Some(room) => room.take(bytes),
            None => {
                let left = limits.waiting_bytes.saturating_sub(self.live_bytes);
                self.live < limits.waiting && bytes <= left
            }
        }
    }

    /// Gives back what [`take_room`](Self::take_room) gave and nobody used.
    pub(super) fn give_room_back(&self, bytes: usize) {
        if let Some(room) = &self.room {
            room.give_back(1, bytes);
        }
    }

    /// Lets a room count what waits here, from now on.
    pub(super) fn share_room(&mut self, room: Arc<Room>) {
        room.add(self.live, self.live_bytes);
        self.room = Some(room);
    }

    /// Counts one less that is wanted: it has left, or is not wanted any more.
    fn one_less(&mut self, bytes: usize) {
        debug_assert!(
            self.live > 0 && self.live_bytes >= bytes,
            "it was counted when it was pushed"
        );
        self.live -= 1;
        self.live_bytes -= bytes;
        self.give_room_back(bytes);
    }

    /// Returns how many of those that wait are events.
    pub(super) fn events(&self) -> usize {
        self.entries.iter().filter(|request| request.id().is_none()).count()
    }

    /// Returns whether anything wanted waits.
    pub(super) fn is_empty(&self) -> bool {
        self.live == 0
    }

    pub(super) fn len(&self) -> usize {
        self.live
    }

    /// Counts the bytes of memory that it holds, cancelled entries included.
    pub(super) fn memory(&self) -> usize {
        self.bytes + self.entries.len() * size_of::<Waiting>()
    }

    /// Fails unless those that are wanted are counted, and their bytes; gives both.
    pub(super) fn audit<K>(&self, calls: &Calls<K>) -> Result<(usize, usize), String> {
        let wanted = self.entries.iter().filter(|request| is_wanted(request, calls));
        let size = |request: &Waiting| request.args.len();
        let all = wanted.fold((0, 0), |(n, bytes), request| (n + 1, bytes + size(request)));
        let counted = (self.live, self.live_bytes);
        if counted == all && self.bytes == self.entries.iter().map(size).sum::<usize>() {
            return Ok(all);
        }
        Err(format!("no request lost in the queue: {counted:?} are counted, {all:?} wait"))
    }

    pub(super) fn push(&mut self, request: Waiting) {
        self.bytes += request.args.len();
        self.live_bytes += request.args.len();
        self.live += 1;
        self.entries.push_back(request);
    }

    /// Returns the first request, which may be wanted no more.
    #[inline]
    pub(super) fn first(&mut self) -> Option<&mut Waiting> {
        self.entries.front_mut()
    }

    /// Takes the first one out, with `bytes` of arguments, which was wanted until now.
    #[inline]
    pub(super) fn pop(&mut self, bytes: usize) {
        self.entries.pop_front();
        self.bytes -= bytes;
        self.one_less(bytes);
        // After a burst the memory goes back; a little is kept for the next wait.
        if self.entries.is_empty() {
            self.entries.shrink_to(KEEP);
        }
    }

    /// Takes the first one out, which was wanted no more.
    #[cold]
    pub(super) fn pop_cancelled(&mut self) {
        if let Some(cancelled) = self.entries.pop_front() {
            self.bytes -= cancelled.args.len();
        }
    }

    /// Notes that a call with `bytes` of arguments, which waited here, has ended. To be told after
    /// the table of calls.
    pub(super) fn forget<K>(&mut self, bytes: usize, calls: &Calls<K>) {
        self.one_less(bytes);
        let cancelled = self.entries.len() - self.live;
        let cancelled_bytes = self.bytes - self.live_bytes;
        // More of these than of the others: at least half of what is swept goes.
        if cancelled > self.live.max(SLACK) || cancelled_bytes > self.live_bytes.max(SLACK_BYTES) {
            self.entries.retain(|request| is_wanted(request, calls));
            self.bytes = self.live_bytes;
        }
    }

    /// Takes out what is larger than `limit`: calls go to `oversized`, events are dropped. Returns
    /// all ids taken, and the number of events.
    pub(super) fn remove_oversized<K>(
        &mut self,
        limit: usize,
        calls: &Calls<K>,
    ) -> (Vec<CallId>, u32) {
        let (mut ids, mut events) = (Vec::new(), 0);
        let mut gone = (0, 0);
        self.entries.retain(|request| {
            if !is_wanted(request, calls) {
                return false;
            }
            if request.size() <= limit {
                return true;
            }
            gone = (gone.0 + 1, gone.1 + request.args.len());
            match request.id() {
                Some(id) => {
                    self.oversized.push_back((id, request.size()));
                    ids.push(id);
                }
                None => events += 1,
            }
            false
        });
        self.live -= gone.0;
        self.live_bytes -= gone.1;
        self.bytes = self.live_bytes;
        if let Some(room) = &self.room {
            room.give_back(gone.0, gone.1);
        }
        (ids, events)
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        if let Some(room) = &self.room {
            room.give_back(self.live, self.live_bytes);
        }
    }
}

fn is_wanted<K>(request: &Waiting, calls: &Calls<K>) -> bool {
    request.id().is_none_or(|id| calls.is_queued(id))
}

#[cfg(test)]
mod tests {
    use super::super::calls::CallState;
    use super::*;

    fn fill(queue: &mut Queue, calls: &mut Calls<()>, requests: usize, size: usize) -> Vec<CallId> {
        let mut wait = |_| {
            let id = calls.open((), Instant::FAR, CallState::Queued(size)).expect("room");
            let args = vec![0; size].into();
            queue.push(Waiting::new(Some(id), &Head::new(1), args));
            id
        };
        (0..requests).map(&mut wait).collect()
    }

    #[test]
    fn what_is_too_large_gives_its_place_back() {
        let (mut queue, mut calls) = (Queue::default(), Calls::new());
        let room = Arc::new(Room::new(10, 10_000));
        queue.share_room(room.clone());
        for size in [10, 1_000] {
            assert!(queue.take_room(size, &Limits::default()));
            assert!(queue.take_room(size, &Limits::default()));
            fill(&mut queue, &mut calls, 1, size);
            queue.push(Waiting::new(None, &Head::new(1), vec![0; size].into()));
        }
        assert_eq!(room.audit(4, 2_020), Ok(()));
        let (ids, events) = queue.remove_oversized(500, &calls);
        assert_eq!((ids.len(), events), (1, 1));
        assert_eq!(room.audit(2, 20), Ok(()), "only what still waits has a place");
    }

    #[test]
    fn cancelled_entries_are_swept_before_they_outnumber_what_is_wanted() {
        let (mut queue, mut calls) = (Queue::default(), Calls::new());
        for id in fill(&mut queue, &mut calls, 10_000, 4).into_iter().skip(1) {
            assert!(calls.end(id).is_some());
            queue.forget(4, &calls);
            assert!(queue.entries.len() - queue.live <= queue.live.max(SLACK));
            assert_eq!(queue.live_bytes, 4 * queue.live);
        }
        assert!(queue.entries.len() <= 1 + SLACK);
    }

    #[test]
    fn large_cancelled_entries_are_swept_before_they_weigh_more_than_what_is_wanted() {
        let (mut queue, mut calls) = (Queue::default(), Calls::new());
        for id in fill(&mut queue, &mut calls, 40, 100_000) {
            assert!(calls.end(id).is_some());
            queue.forget(100_000, &calls);
            assert!(queue.bytes - queue.live_bytes <= queue.live_bytes.max(SLACK_BYTES));
            let held: usize = queue.entries.iter().map(|request| request.args.len()).sum();
            assert_eq!(held, queue.bytes);
        }
    }
}
