//! Calls and events that go out over a link.

use crate::call::Plan;
use crate::interface::Method;
use crate::interface::error::{Outer, Overload};
use crate::link::context::LinkContext;
use crate::link::key::LinkKey;
use crate::link::output::Out;
use crate::link::served::{Nested, Over};
use crate::link::{Link, Live, PendingCall, timed_out};
use crate::session::{CallId, CloseReason, Head, Rejected, Why};
use crate::{Error, ErrorKind};
use peers_kernel::{Cause, Instant, Receiver};
use std::mem::take;
use std::rc::{Rc, Weak};
use std::time::Duration;

impl Link {
    /// Sends a call, or lets it wait for credit. Whatever goes wrong reaches `done`.
    pub(crate) fn call(self: &Rc<Self>, plan: &mut Plan, done: Receiver<Error>) -> Option<CallId> {
        let (method, now) = (plan.method, self.handle().now());
        let deadline = plan.deadline(now, self.context().limits.default_timeout);
        let arguments = match &mut plan.arguments {
            Ok(arguments) => arguments,
            Err(error) => {
                done.err(self.error(error.clone()));
                return None;
            }
        };
        if self.context().is_full() {
            done.err(self.error(ErrorKind::Overloaded(Overload::Process)));
            return None;
        }
        let cause = if plan.detached { Cause::NONE } else { self.handle().cause() };
        let pending = PendingCall { method, made: now, done };
        // Most calls are made for no other one.
        if !cause.is_none() || self.context().tracing.get() {
            return self.call_in_tree(cause, deadline, take(arguments), pending);
        }
        self.send_call(&Head { deadline, ..Head::new(method.id) }, arguments, pending)
    }

    /// Makes a call for another one, or the first of a tree of calls that is traced.
    #[inline(never)]
    fn call_in_tree(
        self: &Rc<Self>,
        cause: Cause,
        deadline: Instant,
        mut arguments: Vec<u8>,
        pending: PendingCall,
    ) -> Option<CallId> {
        let (head, pending) = self.place_in_tree(cause, deadline, pending)?;
        let id = self.send_call(&head, &mut arguments, pending)?;
        self.adopt(cause, id);
        Some(id)
    }

    /// Sends a call, or lets it wait.
    #[inline(always)]
    fn send_call(
        &self,
        head: &Head,
        arguments: &mut Vec<u8>,
        pending: PendingCall,
    ) -> Option<CallId> {
        let now = pending.made;
        let mut live = self.live.borrow_mut();
        let Live { session, said, .. } = live.as_mut()?;
        let sent = session.call(now, head, arguments, pending, &mut Out { link: self, said });
        let held_up = session.is_held_up();
        self.heed(said);
        drop(live);
        self.context().buffers.take_arguments_back(take(arguments));
        // A call makes nothing else due earlier than its own deadline.
        self.arm_by(head.deadline);
        if held_up {
            self.held_up();
        }
        match sent {
            Ok(id) => Some(id),
            Err(rejected) => {
                self.reject(*rejected);
                None
            }
        }
    }

    /// Counts what waits, or gathers for a stream that is not there yet, as memory that is held.
    #[inline(never)]
    fn held_up(&self) {
        self.tell_memory();
        self.watch_drain();
    }

    /// Gives a call its place in the tree of calls of the one that it is made for: its deadline,
    /// depth and trace. `None` if there is none for it: it has failed then.
    #[inline(never)]
    fn place_in_tree(
        &self,
        cause: Cause,
        deadline: Instant,
        mut pending: PendingCall,
    ) -> Option<(Head, PendingCall)> {
        // Another `Rpc` of this loop may serve that one.
        let other = self.context().sibling_that_knows(cause);
        let server = other.as_deref().unwrap_or(self.context());
        if let Some(error) = self.error_of_late(server, cause, &pending) {
            pending.done.err(error);
            return None;
        }
        let inherited = server.serving.borrow().inherit(cause);
        if inherited.depth > self.context().limits.call_depth {
            pending.done.err(self.error(ErrorKind::TooDeep { depth: inherited.depth }));
            return None;
        }
        let mut head = Head { deadline, ..Head::new(pending.method.id) };
        if inherited.deadline != Instant::FAR {
            let end = self.in_time_for_an_answer(pending.made, inherited.deadline);
            // Its own deadline counts if it is earlier; then nothing is told of the outer one's.
            if end < deadline {
                pending.done = tell_of_outer(server, cause, pending.done);
                head.deadline = end;
            }
        }
        head.depth = inherited.depth;
        head.trace = inherited.trace.or_else(|| self.context().new_trace());
        Some((head, pending))
    }

    /// Remembers that the call was made for the one that `cause` names.
    fn adopt(&self, cause: Cause, id: CallId) {
        let is_pending = |nested: &Nested| {
            let link = self.context().link(nested.link);
            link.is_some_and(|link| link.is_pending(nested.id))
        };
        self.serving().borrow_mut().adopt(cause, Nested { link: self.key(), id }, is_pending);
    }

    /// Returns the error of a call that is made for one that was over before it was answered.
    fn error_of_late(
        &self,
        server: &LinkContext,
        cause: Cause,
        pending: &PendingCall,
    ) -> Option<Error> {
        let over = server.serving.borrow().over(cause);
        match over {
            Some(Over::Late(link, method)) => {
                let error = self.error(pending.timed_out(pending.made));
                Some(OuterCall::of(server, link, method).tell(error))
            }
            Some(Over::Cancelled) => Some(self.error(ErrorKind::Cancelled)),
            // One that a program of another kind has cancelled.
            None => {
                let cancelled = self.handle().is_cancelled(cause);
                cancelled.then(|| self.error(ErrorKind::Cancelled))
            }
        }
    }

    /// Returns the deadline of a call made now for one that ends at `end`: early enough for that
    /// one to be answered.
    fn in_time_for_an_answer(&self, now: Instant, end: Instant) -> Instant {
        let left = end.since(now);
        let end = now + (left - (left / ANSWERING).min(MOST_ANSWERING));
        self.step(|session, out| session.end_within(now, end, out)).unwrap_or(end)
    }

    /// Sends an event, or lets it wait for credit.
    pub(crate) fn event(&self, method: &'static Method, arguments: Vec<u8>) -> Result<(), Error> {
        if self.context().is_full() {
            return Err(self.error(ErrorKind::Overloaded(Overload::Process)));
        }
        self.promised_event(method, arguments)
    }

    /// Sends an event that has its place already, however much the process holds.
    pub(crate) fn promised_event(
        &self,
        method: &'static Method,
        mut arguments: Vec<u8>,
    ) -> Result<(), Error> {
        let now = self.handle().now();
        let cause = self.handle().cause();
        let mut head = Head::new(method.id);
        // An event has no deadline, and is made for a call that is over as well.
        if !cause.is_none() || self.context().tracing.get() {
            let inherited = self.serving().borrow().inherit(cause);
            head.depth = inherited.depth;
            head.trace = inherited.trace.or_else(|| self.context().new_trace());
        }
        let sent = self.drive(|session, out| session.event(now, &head, &mut arguments, out));
        self.context().buffers.take_arguments_back(arguments);
        match sent {
            Some(Ok(())) => Ok(()),
            Some(Err(why)) => Err(self.error(self.why(why, || timed_out(method, now, now)))),
            None => Err(self.gone()),
        }
    }

    /// Ends a call of ours early.
    pub(crate) fn cancel(&self, id: CallId) {
        let cancelled = self.drive(|session, out| session.cancel(id, out)).flatten();
        if let Some(call) = cancelled {
            call.done.err(self.error(ErrorKind::Cancelled));
        }
    }

    /// Fails a call that will not be sent, or no longer be waited for.
    #[cold]
    #[inline(never)]
    pub(crate) fn reject(&self, rejected: Rejected<PendingCall>) {
        let Rejected { pending, why } = rejected;
        let kind = self.why(why, || pending.timed_out(self.handle().now()));
        pending.done.err(self.error(kind));
    }

    /// Returns why something of ours was not sent.
    fn why(&self, why: Why, expired: impl FnOnce() -> ErrorKind) -> ErrorKind {
        match why {
            Why::Overloaded => ErrorKind::Overloaded(Overload::Endpoint),
            Why::TooLarge { size, limit } => ErrorKind::TooLarge { size, limit },
            Why::Expired => expired(),
            Why::Closing => {
                let reason = self.end_reason().unwrap_or(CloseReason::Local);
                ErrorKind::Disconnected(reason)
            }
            Why::Finished => ErrorKind::Disconnected(CloseReason::Finished),
            Why::Exhausted => ErrorKind::Disconnected(CloseReason::Exhausted),
        }
    }
}

/// A call being served that another one was made for: whose it is, and which method.
struct OuterCall {
    link: Weak<Link>,
    method: &'static Method,
}

impl OuterCall {
    fn of(server: &LinkContext, link: LinkKey, method: &'static Method) -> Self {
        let link = server.link(link).as_ref().map(Rc::downgrade);
        Self { link: link.unwrap_or_default(), method }
    }

    /// Says in the error of a call made for this one that the time that has passed was this one's.
    fn tell(&self, error: Error) -> Error {
        let caller = self.link.upgrade().map(|link| link.name().to_string());
        error.in_time_of(Outer { method: self.method.name, caller })
    }
}

/// Says what a call for a call keeps of the outer one's time for telling how the inner one has
/// ended: this fraction of what is left, and at most so much. It is small, because calls nest
/// deeply.
const ANSWERING: u32 = 32;
const MOST_ANSWERING: Duration = Duration::from_millis(10);

/// Lets the error of a call that ends with the one that it is made for say whose that is.
fn tell_of_outer(server: &LinkContext, cause: Cause, done: Receiver<Error>) -> Receiver<Error> {
    match server.serving.borrow().bound(cause) {
        Some((link, method)) => {
            let outer = OuterCall::of(server, link, method);
            done.map_err(move |error| outer.tell(error))
        }
        None => done,
    }
}
