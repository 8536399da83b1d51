//! Sends requests: calls and events, now or when the peer's credit and the output allow.
//!
//! ```text
//!   call, event -> goes_at_once ------------------> put
//!                  else: admit -> now  ------------> put
//!                              -> wait -> enqueue ... pump -> put
//!                              -> no
//! ```
//!
//! Invariants:
//! 1. A request is admitted once; what waits has its place, and keeps it until it leaves. Kept by
//!    `a_request_that_waits_keeps_its_place_and_one_that_does_not_gives_it_back`.
//! 2. While one waits, none overtakes it: only [`Session::pump`] sends then. Kept by
//!    `requests_start_in_the_order_in_which_they_were_made`,
//!    `a_request_behind_a_large_one_that_has_left_does_not_wait`.
//! 3. What is copied fits the frames of any peer, so that only the rest is asked for its size. Kept
//!    by `a_call_too_large_to_be_sent_blindly_waits_for_the_hello`.

use super::calls::CallState;
use super::event::{CallId, Head, Rejected, Why};
use super::queue::{Queue, Waiting};
use super::{Output, Phase, Session};
use peers_kernel::Instant;
use peers_wire::{Cancel, HEADER, limits as protocol, put_request};
use smallvec::SmallVec;
use std::num::NonZeroU32;

/// Arguments and values of at least this many bytes are moved into the output instead of being
/// copied.
pub(super) const CHUNK: usize = 2 << 10;

const _: () = assert!(
    32 + CHUNK <= protocol::LEAST_FRAME as usize,
    "all that is copied fits any peer's frames, behind any head"
);

/// Says whether a request may be made.
enum Admission {
    /// It is sent at once.
    Now,
    /// It has a place among those that wait.
    Wait,
    No(Why),
}

/// Arguments on their way out.
enum Args<'a> {
    Copied(&'a [u8]),
    Moved(Vec<u8>),
}

impl<'a> Args<'a> {
    #[inline]
    fn of(args: &'a mut Vec<u8>) -> Self {
        if args.len() < CHUNK { Self::Copied(args) } else { Self::Moved(std::mem::take(args)) }
    }

    #[inline]
    fn waiting(args: &'a mut SmallVec<[u8; 36]>) -> Self {
        if args.len() < CHUNK {
            Self::Copied(args)
        } else {
            Self::Moved(std::mem::take(args).into_vec())
        }
    }
}

impl<K> Session<K> {
    /// Makes a call. It is sent now, or waits in its place for the peer's credit or hello, or for
    /// the output to drain. What `args` holds afterwards is of no use any more; small arguments are
    /// copied out of it, so that its memory serves for the next call.
    ///
    /// # Errors
    /// `pending` comes back with the reason; nothing was sent.
    #[inline(always)]
    pub fn call(
        &mut self,
        now: Instant,
        head: &Head,
        args: &mut Vec<u8>,
        pending: K,
        out: &mut impl Output,
    ) -> Result<CallId, Box<Rejected<K>>> {
        if !self.goes_at_once(now, head, args.len()) {
            return self.call_other(now, head, args, pending, out);
        }
        match self.calls.open(pending, head.deadline, CallState::Sent) {
            Ok(id) => {
                let plain = Head { trace: None, ..*head };
                self.clock.used_at(now);
                self.put(now, Some(id), &plain, Args::Copied(args), out);
                Ok(id)
            }
            Err(pending) => Err(self.without_id(CallState::Sent, pending)),
        }
    }

    /// Makes any other call: one with many arguments or in a trace, one that waits, and one that
    /// may not be made.
    #[inline(never)]
    fn call_other(
        &mut self,
        now: Instant,
        head: &Head,
        args: &mut Vec<u8>,
        pending: K,
        out: &mut impl Output,
    ) -> Result<CallId, Box<Rejected<K>>> {
        let stage = match self.admit(now, head, args.len()) {
            Admission::Now => CallState::Sent,
            Admission::Wait => CallState::Queued(args.len()),
            Admission::No(why) => return Err(rejected(why, pending)),
        };
        let id = match self.calls.open(pending, head.deadline, stage) {
            Ok(id) => id,
            Err(pending) => return Err(self.without_id(stage, pending)),
        };
        self.clock.used_at(now);
        if stage == CallState::Sent {
            self.put(now, Some(id), head, Args::of(args), out);
        } else {
            self.enqueue(Some(id), head, args);
        }
        Ok(id)
    }

    /// Sends an event, now or when it may; else like [`call`](Self::call).
    ///
    /// # Errors
    /// The reason; nothing was sent.
    #[inline]
    pub fn event(
        &mut self,
        now: Instant,
        head: &Head,
        args: &mut Vec<u8>,
        out: &mut impl Output,
    ) -> Result<(), Why> {
        if !self.goes_at_once(now, head, args.len()) {
            return self.event_other(now, *head, args, out);
        }
        let plain = Head { trace: None, ..*head };
        self.clock.used_at(now);
        self.put(now, None, &plain, Args::Copied(args), out);
        Ok(())
    }

    #[inline(never)]
    fn event_other(
        &mut self,
        now: Instant,
        mut head: Head,
        args: &mut Vec<u8>,
        out: &mut impl Output,
    ) -> Result<(), Why> {
        // One that fits without it does not fail for its place in a tree.
        if head.trace.is_some() && head.size(args.len()) > self.frame_limit() as usize {
            head.trace = None;
        }
        let admission = self.admit(now, &head, args.len());
        if let Admission::No(why) = admission {
            return Err(why);
        }
        self.clock.used_at(now);
        if matches!(admission, Admission::Now) {
            self.put(now, None, &head, Args::of(args), out);
        } else {
            self.enqueue(None, &head, args);
        }
        Ok(())
    }

    /// Returns whether all is as it is most often, so that a request is sent at once: nothing
    /// waits, credit and room are there, and what is sent is little and in no trace.
    #[inline(always)]
    fn goes_at_once(&self, now: Instant, head: &Head, args: usize) -> bool {
        let may_send = self.outgoing.is_available() && self.has_room_for_output();
        let is_first = self.phase == Phase::Open && self.waiting() == 0;
        let is_plain = args < CHUNK && head.trace.is_none();
        is_first && may_send && is_plain && head.deadline > now
    }

    /// Returns whether a request may be made, and if so, whether it may be sent at once.
    fn admit(&self, now: Instant, head: &Head, args: usize) -> Admission {
        match self.phase {
            Phase::Opening | Phase::Open => {}
            Phase::HalfClosed => return Admission::No(Why::Finished),
            Phase::Ended => return Admission::No(Why::Closing),
        }
        // Nobody would wait for its answer by the time it is there.
        if head.deadline <= now {
            return Admission::No(Why::Expired);
        }
        let (size, limit) = (head.size(args), self.frame_limit());
        if size > limit as usize {
            return Admission::No(Why::TooLarge { size: size as u64, limit: limit.into() });
        }
        // One that could leave waits all the same behind those that wait already.
        if self.waiting() == 0 && self.may_send(size) {
            Admission::Now
        } else if self.take_room(args) {
            Admission::Wait
        } else {
            Admission::No(Why::Overloaded)
        }
    }

    /// Rejects a call that was admitted: there is neither an id nor a slot for it.
    #[cold]
    #[inline(never)]
    fn without_id(&self, stage: CallState, pending: K) -> Box<Rejected<K>> {
        // The place that it was given is for another one.
        if let CallState::Queued(args) = stage {
            self.give_room_back(args);
        }
        let why = if self.calls.exhausted() { Why::Exhausted } else { Why::Overloaded };
        rejected(why, pending)
    }

    /// Returns whether a request with so many bytes of arguments may wait; in a room that is
    /// shared, it has its place then.
    #[cold]
    fn take_room(&self, args: usize) -> bool {
        let Some(rare) = &self.rare else {
            return Queue::default().take_room(args, &self.limits);
        };
        match (rare.queue(), &rare.room) {
            (Some(queue), _) => queue.take_room(args, &self.limits),
            (None, Some(room)) => room.take(args),
            (None, None) => Queue::default().take_room(args, &self.limits),
        }
    }

    #[cold]
    fn give_room_back(&self, args: usize) {
        if let Some(room) = self.rare.as_ref().and_then(|rare| rare.room.as_ref()) {
            room.give_back(1, args);
        }
    }

    /// Returns the largest body that is sent: what the peer takes, which is not known before its
    /// hello, and no more than we would take, since that is what the output has room for.
    #[inline]
    pub(super) fn frame_limit(&self) -> u32 {
        // The lesser of both: what is larger would be refused, or could never be buffered.
        let theirs = self.greeting.max_frame.map_or(u32::MAX, NonZeroU32::get);
        theirs.min(self.own_frame_limit())
    }

    /// Returns whether a request with a body of `size` bytes may leave now, if it is its turn.
    #[inline]
    fn may_send(&self, size: usize) -> bool {
        let fits = self.greeting.max_frame.is_some() || size <= protocol::LEAST_FRAME as usize;
        fits && self.outgoing.is_available() && self.has_room_for_output()
    }

    /// Returns whether so little waits for the socket that requests may join it.
    #[inline]
    pub(super) fn has_room_for_output(&self) -> bool {
        !self.restrained && self.meter.waiting() <= self.limits.output_low_water as u64
    }

    #[inline(never)]
    fn enqueue(&mut self, id: Option<CallId>, head: &Head, args: &mut Vec<u8>) {
        let args = match Args::of(args) {
            Args::Copied(args) => SmallVec::from_slice(args),
            Args::Moved(args) => args.into(),
        };
        let queue = self.rare.get_or_insert_default().make_queue();
        // Its place was taken when it was admitted.
        queue.push(Waiting::new(id, head, args));
    }

    /// Puts a request into the output: the one place where that is done.
    #[inline(always)]
    fn put(
        &mut self,
        now: Instant,
        id: Option<CallId>,
        head: &Head,
        args: Args<'_>,
        out: &mut impl Output,
    ) {
        debug_assert!(self.outgoing.is_available(), "a request holds credit of the peer");
        self.outgoing.take(id.is_some());
        let (id, head) = (id.map(CallId::number), head.wire_head(now));
        let (copied, moved) = match &args {
            Args::Copied(args) => (*args, 0),
            Args::Moved(args) => (&[][..], args.len()),
        };
        put_request(out.bytes(), id, &head, copied, moved);
        self.meter.queued += (HEADER + head.size() + copied.len()) as u64;
        if let Args::Moved(args) = args {
            self.meter.chunk(out, args);
        }
    }

    /// Sends what waits, as far as credit and output allow.
    #[inline]
    pub(super) fn pump(&mut self, now: Instant, out: &mut impl Output) {
        if self.rare.as_ref().is_some_and(|rare| rare.queue.is_some()) {
            self.pump_queue(now, out);
        }
    }

    #[inline(never)]
    fn pump_queue(&mut self, now: Instant, out: &mut impl Output) {
        let Some(mut queue) = self.rare.as_mut().and_then(|rare| rare.queue.take()) else { return };
        while let Some(first) = queue.first() {
            let expired = first.deadline() <= now;
            let may_leave = expired || self.may_send(first.size());
            let id = first.id();
            if let Some(id) = id {
                // One that was cancelled while it waited has left the table of calls, or soon will.
                let Some(stage) = self.calls.queued(id) else {
                    queue.pop_cancelled();
                    continue;
                };
                if may_leave && self.phase != Phase::Ended {
                    *stage = if expired { CallState::Stranded } else { CallState::Sent };
                }
            }
            // Whatever stands behind the first waits with it: none overtakes another.
            if !may_leave || self.phase == Phase::Ended {
                break;
            }
            let bytes = first.args.len();
            if !expired {
                let head = first.head();
                self.put(now, id, &head, Args::waiting(&mut first.args), out);
            } else if id.is_none() {
                self.count_unsent_events(1);
            }
            queue.pop(bytes);
        }
        if let Some(rare) = &mut self.rare {
            rare.queue = Some(queue);
        }
    }

    pub(super) fn count_unsent_events(&mut self, events: u32) {
        if events > 0 {
            self.count(|counters| &mut counters.unsent_events, events);
        }
    }

    /// Ends a call of ours early and gives back what was kept for it; `None` if it has ended
    /// already. If it was sent, the peer is told.
    pub fn cancel(&mut self, id: CallId, out: &mut impl Output) -> Option<K> {
        let (pending, stage) = self.calls.end(id)?;
        self.clock.used();
        match stage {
            // After a goodbye nothing more is said.
            CallState::Sent if self.phase != Phase::Ended => {
                self.meter.put(out, |bytes| Cancel { call: id.number() }.put(bytes));
            }
            // It never left, so the peer need not hear of it, and its place is free.
            CallState::Queued(args) => {
                if let Some(queue) = self.rare.as_mut().and_then(|rare| rare.queue_mut()) {
                    queue.forget(args, &self.calls);
                }
            }
            CallState::Sent | CallState::Stranded => {}
        }
        Some(pending)
    }
}

#[cold]
#[inline(never)]
fn rejected<K>(why: Why, pending: K) -> Box<Rejected<K>> {
    Box::new(Rejected { why, pending })
}
