//! Requests that have arrived and wait for a turn of the loop, because the budget of theirs was
//! spent.
//!
//! They wait for this process's time, and for a peer that takes nothing of what it is owed, but for
//! that only as long as it is read. That is why reading may pause while too many bytes wait here,
//! and why two processes that call each other cannot wait for each other so.
//!
//! Invariants:
//! 1. Requests start in the order in which they came: while one waits, none overtakes it.
//! 2. The link is in the [backlog](super::backlog) iff a request waits.
//! 3. `bytes` counts the requests that wait; reading pauses above
//!    [`Limits::inbound_queue`](crate::Limits::inbound_queue) and goes on at half of it.
//! 4. `ending` is set iff the peer has ended the connection while events of it wait; no calls wait
//!    then.

use crate::link::deferred::OwnedRequest;
use crate::link::{Link, LinkExtras, Signs};
use crate::session::{CloseReason, Request};
use peers_kernel::{Instant, Outlet};
use peers_wire::{Body, RefusedCode};
use std::rc::Rc;
use std::time::Duration;

/// A peer that has taken nothing for so long of what waits for it has no use for more.
const STALLED: Duration = Duration::from_millis(50);

impl Link {
    /// Lets a request wait for the next turn, behind those that wait already.
    #[cold]
    #[inline(never)]
    pub(crate) fn defer(&self, request: &Request<'_>, body: Body<'_>) {
        self.show(Signs::DEFERS, true);
        self.with_rare(|rare| rare.deferred.push(OwnedRequest::new(request, body)));
        self.context().enlist(self);
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

    /// Starts what was left over, until the budget is spent again, or until `end` at the latest.
    pub(super) fn start_deferred(self: &Rc<Self>, end: Instant) {
        self.batch(|| self.start_while_budget_lasts(end));
        self.pause_or_resume();
        self.end_if_due();
        self.go_on_leaving();
    }

    fn start_while_budget_lasts(self: &Rc<Self>, end: Instant) {
        self.handle().clock();
        while let Some(mut next) = self.if_rare(|rare| rare.deferred.pop()) {
            let request = next.request();
            self.start(self.live.borrow_mut(), &request, next.body());
            let over = || end != Instant::FAR && self.handle().exact_clock() >= end;
            if self.is_deferring() && (!self.handle().spend() || over()) {
                return;
            }
        }
        self.show(Signs::DEFERS, false);
        self.drive(|session, out| session.return_credits(out));
    }

    /// Returns whether its requests had better wait: the peer has taken nothing of what it is owed
    /// for some time. But not if the peer is not read either, since then both could wait for each
    /// other; nor when it ends, since then what was taken is to be started.
    pub(super) fn waits_for_reader(&self, now: Instant) -> bool {
        let stalled = self.open_outlet().and_then(Outlet::stalled);
        let is_read = self.if_rare(|LinkExtras { deferred, .. }| {
            !deferred.is_empty() && !deferred.paused && deferred.ending.is_none()
        });
        let stays = !self.context().shutdown.closing.get() && !self.shows(Signs::LEAVES);
        stays && is_read && stalled.is_some_and(|since| now.since(since) >= STALLED)
    }

    /// Refuses the calls that wait.
    pub(super) fn turn_waiting_away(self: &Rc<Self>) {
        let calls: Vec<u64> = self.if_rare(|LinkExtras { deferred, .. }| {
            let calls = deferred.requests.iter().filter_map(|waiting| waiting.call).collect();
            deferred.retain(|waiting| waiting.call.is_none());
            calls
        });
        self.batch(|| {
            for call in calls {
                self.refuse(call, RefusedCode::Overloaded, "");
            }
        });
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
    )
}
