//! Calls and events that go out over a link.

use super::{Link, PendingCall};
use crate::call::Plan;
use crate::error::Overload;
use crate::interface::Method;
use crate::serving::Inherited;
use crate::session::{CallId, CloseReason, Head, Rejected, Why};
use crate::{Error, ErrorKind};
use peers_kernel::{Cause, Instant, Receiver};
use std::rc::Rc;
use std::time::Duration;

impl Link {
    /// Sends a call, or lets it wait for credit. Whatever goes wrong reaches `done`.
    pub(crate) fn call(self: &Rc<Self>, plan: Plan, done: Receiver<Error>) -> Option<CallId> {
        let method = plan.method;
        let made = self.handle().now();
        let deadline = plan.deadline(made, self.shared().limits.default_timeout);
        let mut arguments = match plan.arguments {
            Ok(arguments) => arguments,
            Err(error) => {
                done.err(self.error(error));
                return None;
            }
        };
        let cause = if plan.detached { Cause::NONE } else { self.handle().cause() };
        let inherited = self.serving().borrow().inherit(cause);
        if inherited.depth > self.shared().limits.call_depth {
            done.err(self.error(ErrorKind::TooDeep { depth: inherited.depth }));
            return None;
        }
        let inherited_end = inherited.deadline.map(|end| in_time_for_an_answer(made, end));
        let head = self.head(method, earlier(deadline, inherited_end), inherited);
        let pending = PendingCall { method, made, done };
        let sent =
            self.step(|session, out| session.call(made, head, &mut arguments, pending, out))?;
        self.shared().take_memory_back(arguments);
        // A call makes nothing else due earlier than its own deadline.
        if let Some(deadline) = head.deadline {
            self.arm_by(deadline);
        }
        match sent {
            Ok(id) => {
                self.serving().borrow_mut().adopt(cause, self, id);
                self.watch_drain();
                Some(id)
            }
            Err(rejected) => {
                self.reject(rejected);
                None
            }
        }
    }

    /// Sends an event, or lets it wait for credit.
    pub(crate) fn event(
        &self,
        method: &'static Method,
        mut arguments: Vec<u8>,
    ) -> Result<(), Error> {
        let now = self.handle().now();
        let inherited = self.serving().borrow().inherit(self.handle().cause());
        let head = self.head(method, None, inherited);
        let sent = self.drive(|session, out| session.event(now, head, &mut arguments, out));
        self.shared().take_memory_back(arguments);
        match sent {
            Some(Ok(())) => Ok(()),
            Some(Err(rejected)) => Err(self.error(self.why(method, now, rejected.why))),
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
        let trace = inherited.trace.or_else(|| self.shared().new_trace());
        Head { method: method.id, deadline, depth: inherited.depth, trace }
    }

    /// Fails a call that will not be sent, or no longer be waited for.
    pub(super) fn reject(&self, rejected: Rejected<PendingCall>) {
        let Rejected { pending, why } = rejected;
        let error = self.error(self.why(pending.method, pending.made, why));
        pending.done.err(error);
    }

    fn why(&self, method: &'static Method, made: Instant, why: Why) -> ErrorKind {
        match why {
            Why::Overloaded => ErrorKind::Overloaded(Overload::Endpoint),
            Why::TooLarge { size, limit } => ErrorKind::TooLarge { size, limit },
            Why::Expired => {
                ErrorKind::TimedOut { method: method.name, after: self.handle().now() - made }
            }
            Why::Closing => ErrorKind::Disconnected(CloseReason::Local),
            Why::Exhausted => ErrorKind::Disconnected(CloseReason::Exhausted),
        }
    }
}

/// What a call for a call keeps of the outer one's time for telling how the inner one has ended: this fraction of what is
/// left, and at most so much. It is small, because calls nest deeply.
const ANSWERING: u32 = 32;
const MOST_ANSWERING: Duration = Duration::from_millis(10);

/// The deadline of a call made now for one that ends at `end`: early enough for that one to be answered.
fn in_time_for_an_answer(now: Instant, end: Instant) -> Instant {
    let left = end.since(now);
    now + (left - (left / ANSWERING).min(MOST_ANSWERING))
}

/// The earlier of two deadlines, `None` being never.
fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
