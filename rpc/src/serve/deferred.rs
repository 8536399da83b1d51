//! Requests that have arrived and wait for a turn of the loop, because the budget of theirs was
//! spent.
//!
//! They wait for this process's time only, never for the peer. That is why reading may pause while
//! too many bytes wait here, and why two processes that call each other cannot wait for each other
//! so.
//!
//! Invariants:
//! 1. Requests start in the order in which they came: while one waits, none overtakes it. Kept by
//!    `tests/inbound_queue.rs`.
//! 2. A task that starts more is queued iff a request waits. Kept by `tests/inbound_queue.rs`,
//!    `a_flood_of_events_keeps_its_order_and_nobody_waiting`.
//! 3. `bytes` counts the requests that wait; reading pauses above
//!    [`Limits::inbound_queue`](crate::Limits::inbound_queue) and goes on at half of it. Kept by
//!    `bytes_are_those_of_what_waits`, `what_waits_is_bounded_by_bytes`.
//! 4. `ending` is set iff the peer has ended the connection while events of it wait; no calls wait
//!    then. Kept by `tests/bare_end.rs`.

use crate::link::deferred::OwnedRequest;
use crate::link::{Link, LinkExtras, Signs};
use crate::security::SecurityError;
use crate::session::{CloseReason, Request};
use peers_kernel::Cause;
use peers_wire::Body;
use std::rc::Rc;

impl Link {
    /// Lets a request wait for the next turn, behind those that wait already.
    #[cold]
    #[inline(never)]
    pub(crate) fn defer(&self, request: &Request<'_>, body: Body<'_>) {
        if !self.is_deferring() {
            self.continue_soon();
        }
        self.show(Signs::DEFERS, true);
        self.with_rare(|rare| rare.deferred.push(OwnedRequest::new(request, body)));
        self.pause_or_resume();
    }

    /// Returns whether a request waits for a turn.
    pub(crate) fn is_deferring(&self) -> bool {
        self.if_rare(|rare| !rare.deferred.is_empty())
    }

    /// Removes a call that its caller has cancelled. Whether it was there.
    pub(crate) fn forget_deferred(&self, call: u64) -> bool {
        self.if_rare(|LinkExtras { deferred, .. }| {
            let before = deferred.requests.len();
            if before == 0 {
                return false;
            }
            deferred.retain(|waiting| waiting.call != Some(call));
            before > deferred.requests.len()
        })
    }

    /// Lets the next turn go on with what waits, in its place among all tasks.
    fn continue_soon(&self) {
        // One task at a time: it is queued for the first that waits, and by itself.
        let me = self.weak();
        self.handle().with_cause(Cause::NONE, || {
            self.handle().schedule(move || {
                if let Some(link) = me.upgrade() {
                    link.start_deferred();
                }
            });
        });
    }

    /// Starts what was left over, until the budget is spent again.
    fn start_deferred(self: &Rc<Self>) {
        self.batch(|| {
            self.start_while_budget_lasts();
            None
        });
        self.pause_or_resume();
        self.end_if_due();
        self.go_on_leaving();
    }

    fn start_while_budget_lasts(self: &Rc<Self>) {
        self.handle().clock();
        while let Some(mut next) = self.if_rare(|rare| rare.deferred.pop()) {
            let request = next.request();
            self.start(self.live.borrow_mut(), &request, next.body());
            // What is left has a task that goes on with it, so nothing waits for ever.
            if self.is_deferring() && !self.handle().spend() {
                return self.continue_soon();
            }
        }
        self.show(Signs::DEFERS, false);
        self.drive(|session, out| session.return_credits(out));
    }

    /// Reads no more while too much waits. As long as that lasts, the peer's silence is not its
    /// own.
    fn pause_or_resume(&self) {
        let limit = self.context().limits.inbound_queue;
        let (change, paused) = self.if_rare(|LinkExtras { deferred, .. }| {
            let change = deferred.turn_of_reading(limit);
            (change, deferred.paused)
        });
        if let (Some(pause), Some(outlet)) = (change, self.open_outlet()) {
            if pause { outlet.pause() } else { outlet.resume() }
        }
        if paused || change.is_some() {
            let now = self.handle().now();
            self.drive(|session, _| session.input_left_unread(now));
        }
    }

    /// Ends the link. If the peer has ended it, the events that it sent before are started first;
    /// its calls have nobody left who waits for them.
    pub(crate) fn conclude(&self, reason: CloseReason) {
        if is_of_peer(&reason) {
            self.if_rare(|rare| rare.deferred.retain(|waiting| waiting.call.is_none()));
            if self.is_deferring() {
                self.with_rare(|rare| {
                    rare.deferred.ending.get_or_insert_with(|| reason.clone());
                });
                return self.decide(reason);
            }
        }
        self.end(reason);
    }

    fn end_if_due(&self) {
        let due = self.if_rare(
            |LinkExtras { deferred, .. }| {
                if deferred.is_empty() { deferred.ending.take() } else { None }
            },
        );
        if let Some(reason) = due {
            self.end(reason);
        }
    }
}

/// Returns whether the peer has ended the connection, or its end of it is gone.
fn is_of_peer(reason: &CloseReason) -> bool {
    matches!(
        reason,
        CloseReason::PeerBye { .. }
            | CloseReason::EndOfStream
            | CloseReason::Finished
            | CloseReason::Io(..)
            | CloseReason::Security(SecurityError::Cut)
    )
}
