//! Calls and events that go out over a link.

use crate::call::Plan;
use crate::interface::Method;
use crate::interface::error::{Outer, Overload};
use crate::link::key::LinkKey;
use crate::link::served::{Inherited, Nested, Over};
use crate::link::{Link, PendingCall, timed_out};
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
        if !cause.is_none() || self.context().tracing.get() {
            return self.call_in_tree(cause, deadline, take(arguments), pending);
        }
        let sent = self.step(|session, out| {
            session.call_now(now, method.id, deadline, arguments, pending, out)
        })?;
        match sent {
            Ok(id) => {
                self.context().buffers.take_arguments_back(take(arguments));
                self.arm_by(deadline);
                Some(id)
            }
            Err(pending) => self.call_in_tree(cause, deadline, take(arguments), pending),
        }
    }

    /// Makes a call likewise that is made for another one, or that cannot be sent at once.
    #[inline(never)]
    fn call_in_tree(
        self: &Rc<Self>,
        cause: Cause,
        deadline: Instant,
        mut arguments: Vec<u8>,
        mut pending: PendingCall,
    ) -> Option<CallId> {
        let PendingCall { method, made, .. } = pending;
        if let Some(error) = self.error_of_late(cause, &pending) {
            pending.done.err(error);
            return None;
        }
        let inherited = self.serving().borrow().inherit(cause);
        if inherited.depth > self.context().limits.call_depth {
            pending.done.err(self.error(ErrorKind::TooDeep { depth: inherited.depth }));
            return None;
        }
        let inherited_end = inherited.deadline.map(|end| self.in_time_for_an_answer(made, end));
        let deadline = match inherited_end {
            Some(end) if end < deadline => {
                pending.done = self.tell_of_outer(cause, pending.done);
                end
            }
            _ => deadline,
        };
        let wanted = Some(deadline).filter(|deadline| *deadline != Instant::FAR);
        let head = self.head(method, wanted, inherited);
        let sent =
            self.step(|session, out| session.call(made, head, &mut arguments, pending, out))?;
        self.context().buffers.take_arguments_back(arguments);
        // A call makes nothing else due earlier than its own deadline.
        self.arm_by(deadline);
        self.tell_memory();
        match sent {
            Ok(id) => {
                self.adopt(cause, id);
                self.watch_drain();
                Some(id)
            }
            Err(rejected) => {
                self.reject(rejected);
                None
            }
        }
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
    fn error_of_late(&self, cause: Cause, pending: &PendingCall) -> Option<Error> {
        let over = self.serving().borrow().over(cause);
        match over {
            Some(Over::Late(link, method)) => {
                let error = self.error(pending.timed_out(pending.made));
                Some(self.outer(link, method).tell(error))
            }
            Some(Over::Cancelled) => Some(self.error(ErrorKind::Cancelled)),
            // One that another `Rpc` serves.
            None => {
                let cancelled = self.handle().is_cancelled(cause);
                cancelled.then(|| self.error(ErrorKind::Cancelled))
            }
        }
    }

    /// The deadline of a call made now for one that ends at `end`: early enough for that one to be
    /// answered.
    fn in_time_for_an_answer(&self, now: Instant, end: Instant) -> Instant {
        let left = end.since(now);
        let end = now + (left - (left / ANSWERING).min(MOST_ANSWERING));
        self.step(|session, out| session.end_within(now, end, out)).unwrap_or(end)
    }

    fn outer(&self, link: LinkKey, method: &'static Method) -> OuterCall {
        let link = self.context().link(link).as_ref().map(Rc::downgrade);
        OuterCall { link: link.unwrap_or_default(), method }
    }

    /// Lets the error of a call that ends with the one that it is made for say whose that is.
    fn tell_of_outer(&self, cause: Cause, done: Receiver<Error>) -> Receiver<Error> {
        match self.serving().borrow().bound(cause) {
            Some((link, method)) => {
                let outer = self.outer(link, method);
                done.map_err(move |error| outer.tell(error))
            }
            None => done,
        }
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
        let inherited = self.serving().borrow().inherit(self.handle().cause());
        let head = self.head(method, None, inherited);
        let sent = self.drive(|session, out| session.event(now, head, &mut arguments, out));
        self.context().buffers.take_arguments_back(arguments);
        match sent {
            Some(Ok(())) => Ok(()),
            Some(Err(rejected)) => {
                Err(self.error(self.why(rejected.why, || timed_out(method, now, now))))
            }
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

    fn head(
        &self,
        method: &'static Method,
        deadline: Option<Instant>,
        inherited: Inherited,
    ) -> Head {
        let trace = inherited.trace.or_else(|| self.context().new_trace());
        Head { method: method.id, deadline, depth: inherited.depth, trace }
    }

    /// Fails a call that will not be sent, or no longer be waited for.
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
