//! Calls of the peer that run here and owe their answer: from when they take a place until they are
//! answered, or nobody waits for them any more.

use crate::Error;
use crate::link::Link;
use crate::link::context::LinkContext;
use crate::session::{CloseReason, Violation};
use peers_kernel::Cause;
use peers_wire::{Encode, RefusedCode};

/// The words of a refusal as expired of a call that had begun; one that had not has none.
const HAD_BEGUN: &str = "it had begun";

impl Link {
    /// Takes a place for an `:async` call, which may be answered later; answers "overloaded" if
    /// there is none.
    pub(crate) fn admit(&self, cause: Cause, call: u64) -> bool {
        // Two calls with one number could not both be answered.
        if self.if_rare(|rare| rare.owed.contains_key(&call)) {
            self.repeated(call);
            return false;
        }
        let own = self.places();
        let mut serving = self.serving().borrow_mut();
        if !serving.has_place(own, self.context().limits.running) {
            drop(serving);
            self.refuse(call, RefusedCode::Overloaded, "");
            return false;
        }
        let kept = serving.keep(cause);
        drop(serving);
        debug_assert!(kept, "a call that has just begun owes nothing yet");
        self.count_place(1);
        self.with_rare(|rare| rare.owed.insert(call, cause));
        self.context().watch_deadlines();
        true
    }

    /// Ends the connection: the peer uses the id of a call that still runs for another one.
    #[cold]
    fn repeated(&self, call: u64) {
        let reason = CloseReason::from(Violation::RepeatedCall { call });
        self.drive(|session, out| session.bye_for(&reason, out));
        self.decide(reason.clone());
        self.end_soon(reason);
    }

    /// Cancels a call whose answer the peer no longer wants.
    pub(crate) fn cancelled(&self, call: u64) {
        let waited = self.forget_deferred(call);
        let owed = self.if_rare(|rare| rare.owed.remove(&call));
        let record = owed.and_then(|cause| self.abandon(cause));
        // Answered in any case: the peer's credit comes back with it. Unless that has left already.
        if record.is_some() || waited {
            self.refuse(call, RefusedCode::Cancelled, "");
        }
        self.context().call_finished();
    }

    /// Makes the reply of a running call inert, stops its timers and background work, cancels the
    /// calls made for it. It keeps its place among those that run until its reply is given or
    /// dropped. `None` if it was over before.
    pub(crate) fn abandon(&self, cause: Cause) -> Option<()> {
        let now = self.handle().latest();
        let (nested, watchers) = self.serving().borrow_mut().abandon(cause, now)?;
        // The kernel first, so that what the watchers set off finds the cause cancelled.
        self.handle().cancel_cause(cause);
        for watcher in watchers {
            watcher.ok(());
        }
        for nested in nested {
            if let Some(link) = self.context().link(nested.link) {
                link.cancel(nested.id);
            }
        }
        Some(())
    }

    /// Ends a running call whose deadline has come: its caller has given up.
    pub(crate) fn overdue(&self, cause: Cause, call: Option<u64>) {
        if let Some(call) = call {
            self.if_rare(|rare| rare.owed.remove(&call));
        }
        if self.abandon(cause).is_some()
            && let Some(call) = call
        {
            self.refuse(call, RefusedCode::Expired, HAD_BEGUN);
        }
    }
}

impl LinkContext {
    /// Answers an `:async` call, unless it is over: its caller has gone, or cancelled, or its time
    /// has passed.
    pub(crate) fn finish<T: Encode>(&self, cause: Cause, result: Result<T, Error>) {
        let record = self.serving.borrow_mut().end(cause);
        let Some(record) = record else { return self.count_inert_reply() };
        let link = self.link(record.came_by());
        if let Some(link) = link.as_ref().filter(|_| record.has_place()) {
            link.count_place(-1);
        }
        if let Some(over) = record.over() {
            // What was begun for it may go on for a while, and must be known to be for nobody.
            let forgotten = self.serving.borrow_mut().remember(cause, over);
            forgotten.into_iter().for_each(|cause| self.handle.forget_cause(cause));
            return self.count_inert_reply();
        }
        self.call_finished(); // first, since writing the answer may panic
        if let (Some(link), Some(call)) = (link, record.call()) {
            link.if_rare(|rare| rare.owed.remove(&call));
            link.answer(call, result);
        }
    }
}
