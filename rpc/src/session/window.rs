//! Credit, in both directions: how many requests may be on their way.
//!
//! A request holds one credit from being sent until its answer has left the other process (a call)
//! or the other side has said so (an event). Answers, cancels and credits need none, so they can
//! always be sent, and two sides that are both at their limit cannot wait for each other for ever.
//!
//! Invariants:
//! 1. What we hold of the peer's credit is at most what it granted, or what may be sent before its
//!    hello; unless that was more, and then it only shrinks. Kept by
//!    `sixty_four_requests_may_be_sent_before_the_hello`,
//!    `a_grant_smaller_than_what_was_sent_is_no_fault_of_the_sender`.
//! 2. What the peer holds of ours is never counted higher than the peer itself counts it: a call is
//!    taken off when its answer begins to leave, before the peer can know. So only a peer that
//!    breaks the rule is accused. Kept by `each_call_ends_exactly_once`,
//!    `an_answer_in_the_output_does_not_make_room_before_it_leaves`.

use super::Violation;
use std::collections::VecDeque;

/// Answers within this many bytes of output share an entry of `leaving`.
const STRIDE: u64 = 16 << 10;

/// At most this many started events wait for the credit frame that returns them.
const BATCH: u32 = 64;

/// The peer's credit, which our requests hold.
#[derive(Debug)]
pub(super) struct OutgoingWindow {
    granted: u32,
    calls: u32,
    events: u32,
}

impl OutgoingWindow {
    /// Starts with what may be sent before the peer's hello.
    pub(super) const fn new(granted: u32) -> Self {
        Self { granted, calls: 0, events: 0 }
    }

    /// Takes the grant of the peer's hello, which counts from the start of the connection.
    pub(super) const fn open(&mut self, granted: u32) {
        self.granted = granted;
    }

    #[inline]
    pub(super) const fn is_available(&self) -> bool {
        self.held() < self.granted
    }

    /// Counts the requests that may hold credit.
    pub(super) const fn granted(&self) -> u32 {
        self.granted
    }

    /// Counts the requests that hold credit.
    pub(super) const fn held(&self) -> u32 {
        self.calls + self.events
    }

    /// Events that hold credit.
    pub(super) const fn events(&self) -> u32 {
        self.events
    }

    #[inline]
    pub(super) const fn take(&mut self, is_call: bool) {
        if is_call {
            self.calls += 1;
        } else {
            self.events += 1;
        }
    }

    /// Notes that the answer to a call has come.
    #[inline]
    pub(super) const fn answered(&mut self) {
        debug_assert!(self.calls > 0, "an answer of a call that was sent");
        self.calls -= 1;
    }

    /// Takes credit that the peer gives: back for events that it has started, and what is more
    /// enlarges the window. Returns whether all of it was for events.
    pub(super) fn returned(&mut self, amount: u32) -> bool {
        // More than events are out enlarges the window: so a peer may grant more as it goes.
        let back = amount.min(self.events);
        self.events -= back;
        self.granted = self.granted.saturating_add(amount - back);
        back == amount && amount > 0
    }
}

/// Our credit, which the peer's requests hold.
#[derive(Debug)]
pub(super) struct IncomingWindow {
    granted: u32,
    held: u32,
    /// Calls without an answer.
    owed: u32,
    /// Started events whose credit was not returned yet.
    started: u32,
    /// Cancels that are free: one for each call, no more saved up than calls can be unanswered.
    free_cancels: u32,
    /// Answers that have not begun to leave: how many begin within [`STRIDE`] bytes of `start`.
    leaving: u32,
    start: u64,
    /// Answers that begin to leave after those, in order. In a box, since few connections have any.
    later: Option<Box<Later>>,
}

/// Answers that begin to leave after others.
#[derive(Debug, Default)]
struct Later {
    answers: VecDeque<(u64, u32)>,
}

impl IncomingWindow {
    pub(super) const fn new(granted: u32) -> Self {
        let (held, owed, started, free_cancels) = (0, 0, 0, 0);
        Self { granted, held, owed, started, free_cancels, leaving: 0, start: 0, later: None }
    }

    /// Counts the calls of the peer without an answer.
    pub(super) const fn owed(&self) -> u32 {
        self.owed
    }

    /// Counts the requests of the peer that hold credit.
    pub(super) const fn held(&self) -> u32 {
        self.held
    }

    /// Fails unless all credit that is held is that of a request: `events` wait to be started.
    pub(super) fn audit(&self, events: usize) -> Result<(), String> {
        let Self { held, owed, started, leaving, .. } = *self;
        let later = self.later.iter().flat_map(|later| &later.answers).map(|(_, count)| *count);
        let leaving = leaving + later.sum::<u32>();
        if held as usize == (owed + started + leaving) as usize + events {
            return Ok(());
        }
        let known = format!("{owed} calls have no answer, {leaving} answers are leaving");
        let events = format!("{events} events wait, {started} were started");
        Err(format!("no credit missing: the peer holds {held}, but {known}, {events}"))
    }

    /// Returns whether the peer has credit for a request.
    #[inline]
    pub(super) const fn has_room(&self) -> bool {
        self.held < self.granted
    }

    /// Returns what a peer does that sends more than it has credit for.
    #[cold]
    pub(super) const fn beyond_window(&self) -> Violation {
        Violation::BeyondWindow { window: self.granted }
    }

    /// Lets a request in, for which there is room.
    #[inline]
    pub(super) fn admit(&mut self, is_call: bool) {
        self.held += 1;
        if is_call {
            self.owed += 1;
            self.free_cancels = (self.free_cancels + 1).min(self.granted);
        }
    }

    /// Notes that an answer was put into the output at `position`.
    #[inline(always)]
    pub(super) fn answered(&mut self, position: u64) {
        self.owed = self.owed.saturating_sub(1);
        let last = match self.later.as_mut().and_then(|later| later.answers.back_mut()) {
            Some((start, count)) => (*start, count),
            None => (self.start, &mut self.leaving),
        };
        match last {
            (_, 0) => (self.start, self.leaving) = (position, 1),
            // Answers that lie close leave together, and are counted as one.
            (start, count) if position - start < STRIDE => *count += 1,
            _ => self.later.get_or_insert_default().answers.push_back((position, 1)),
        }
    }

    /// Notes how much the socket has taken.
    #[inline]
    pub(super) fn written(&mut self, written: u64) {
        while self.leaving > 0 && self.start < written {
            self.held = self.held.saturating_sub(self.leaving);
            let next = self.later.as_mut().and_then(|later| later.answers.pop_front());
            (self.start, self.leaving) = next.unwrap_or_default();
        }
    }

    /// Notes that an event was started, and returns how many credits go back now, if it is time.
    #[inline]
    pub(super) fn event_started(&mut self) -> Option<u32> {
        self.started += 1;
        // A small window must not run dry while credits are gathered for one frame.
        let batch = (self.granted / 2).clamp(1, BATCH);
        (self.started >= batch).then(|| self.take_started()).flatten()
    }

    /// Returns whether credits of started events are to be returned now: when something else leaves
    /// that they can go with, or when the peer uses more than half of the `announced` grant. Until
    /// then it does not miss them.
    #[inline]
    pub(super) const fn is_return_due(&self, announced: u32, leaving: bool) -> bool {
        self.started > 0 && (leaving || self.held > announced / 2)
    }

    /// Takes the credits of started events that have gathered, if any.
    #[inline]
    pub(super) fn take_started(&mut self) -> Option<u32> {
        let amount = std::mem::take(&mut self.started);
        self.held = self.held.saturating_sub(amount);
        (amount > 0).then_some(amount)
    }

    /// Takes one more cancel, if one is free; returns whether it was.
    pub(super) const fn take_free_cancel(&mut self) -> bool {
        let free = self.free_cancels > 0;
        self.free_cancels = self.free_cancels.saturating_sub(1);
        free
    }

    #[cfg(test)]
    pub(super) fn holds_memory(&self) -> bool {
        self.later.is_some()
    }

    /// Gives memory back that nothing needs.
    pub(super) fn release(&mut self) {
        self.later.take_if(|later| later.answers.is_empty());
    }
}
