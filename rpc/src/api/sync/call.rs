//! Calls of other threads: described, sent, waited for, cancelled.
//!
//! Invariants:
//! 1. A call has one outcome: the channel between the loop and the thread has one place, and who
//!    comes first has it. Kept by `a_reply_and_a_cancel_that_cross_make_one_outcome`,
//!    `a_loop_that_ends_gives_every_call_its_outcome`.
//! 2. The thread's own clock ends a wait, whatever the loop does. The loop knows the same deadline,
//!    and sends nothing after it. Kept by `a_busy_loop_keeps_nobody_waiting`.

use super::endpoint::{Outside, SyncEndpoint};
use super::names::loop_gone;
use crate::call::{Call, Patience, Plan};
use crate::interface::error::Misuse;
use crate::interface::wrong_thread::CanContinue;
use crate::link::endpoint::Endpoint;
use crate::session::CallId;
use crate::{Error, ErrorKind};
use crossbeam_channel::{Receiver, Sender, bounded};
use peers_kernel::{Cont, Instant};
use peers_wire::DecodeOwned;
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The time after a deadline for the loop's own word, which says more: where the call
/// went, for example.
const GRACE: Duration = Duration::from_millis(10);

/// A thread that wakes so long after its deadline was stopped.
const OVERSLEPT: Duration = Duration::from_millis(100);

/// The time that the loop has then to tell what it finds.
const THAW: Duration = Duration::from_secs(1);

/// A call described but not sent, on a thread that is not the loop's. [`wait`](SyncCall::wait) and
/// [`start`](SyncCall::start) send it.
///
/// ```compile_fail,E0277
/// # fn f(node: peers_rpc::doc::NodeProxy<peers_rpc::SyncEndpoint>, k: peers_rpc::Reply<String>) {
/// // A continuation never leaves its loop: only calls of the loop have one.
/// node.get("arrakis").then(k);
/// # }
/// ```
#[must_use = "a call is sent by `wait` or `start`"]
pub struct SyncCall<T> {
    endpoint: SyncEndpoint,
    plan: Plan,
    result: PhantomData<fn() -> T>,
}

impl<T: DecodeOwned + Send + 'static> SyncCall<T> {
    pub(super) fn new(endpoint: SyncEndpoint, plan: Plan) -> Self {
        Self { endpoint, plan, result: PhantomData }
    }

    /// Waits at most this long for the reply; zero is for ever.
    pub fn within(mut self, wait: Duration) -> Self {
        self.plan.patience = Patience::Within(wait);
        self
    }

    /// Waits until `deadline`; fails at once if that is past.
    pub fn until(mut self, deadline: impl Into<Instant>) -> Self {
        self.plan.patience = Patience::Until(deadline.into());
        self
    }

    /// Waits for what is left of a time, as `deadline - now` gives it; unlike with
    /// [`within`](Self::within), zero fails at once.
    pub fn remaining(mut self, left: Duration) -> Self {
        self.plan.patience = Patience::Remaining(left);
        self
    }

    /// Waits until the endpoint dies.
    pub fn forever(mut self) -> Self {
        self.plan.patience = Patience::Forever;
        self
    }

    /// Does not compile: continuations run on the loop, and this call is another thread's. Write
    /// [`wait`](Self::wait) or [`start`](Self::start), or use a proxy of the loop.
    ///
    /// ```compile_fail,E0277
    /// # fn f(node: peers_rpc::doc::BlockingNode, k: peers_rpc::Reply<String>) {
    /// // error: a call of a thread that may wait has no continuation
    /// node.get("arrakis").then(k);
    /// # }
    /// ```
    pub fn then<K>(self, _: K)
    where
        Self: CanContinue,
    {
        self.never()
    }

    /// Does not compile, as [`then`](Self::then).
    pub fn then_or<K, E>(self, _: K, _: E)
    where
        Self: CanContinue,
    {
        self.never()
    }

    /// Does not compile, as [`then`](Self::then).
    pub fn then_cancellable<K>(self, _: K)
    where
        Self: CanContinue,
    {
        self.never()
    }

    /// Sends the call and blocks this thread until its outcome. If as many requests wait for the
    /// peer as may, this thread waits for a place first.
    ///
    /// # Errors
    /// Whatever the outcome is, and [`Misuse::SyncOnLoop`] at once on the loop's own thread.
    pub fn wait(self) -> Result<T, Error> {
        if self.endpoint.outside.remote.is_loop_thread() {
            return Err(ErrorKind::Misuse(Misuse::SyncOnLoop).into());
        }
        self.send(true)?.wait()
    }

    /// Sends the call and returns at once, with what its outcome can be waited for and the call be
    /// cancelled with. If as many requests wait for the peer as may, the outcome is
    /// [`ErrorKind::Overloaded`].
    ///
    /// ```
    /// # use peers_rpc::{Error, SyncEndpoint, doc::NodeProxy};
    /// /// Asks two nodes at a time.
    /// fn either(
    ///     one: &NodeProxy<SyncEndpoint>,
    ///     other: &NodeProxy<SyncEndpoint>,
    /// ) -> Result<String, Error> {
    ///     let (first, second) = (one.get("arrakis").start(), other.get("arrakis").start());
    ///     // The second is cancelled if the first has a value.
    ///     first.wait().or_else(|_| second.wait())
    /// }
    /// ```
    pub fn start(self) -> Started<T> {
        let (outside, method) = (self.endpoint.outside.clone(), self.plan.method.name);
        self.send(false).unwrap_or_else(|error| {
            let (tell, told) = bounded(1);
            drop(tell.try_send(Err(error)));
            let now = outside.remote.now();
            let hold =
                Hold { outside, tell, id: OnceLock::new(), cancelled: AtomicBool::new(true) };
            Started { told, hold: Arc::new(hold), method, begun: now, deadline: now, ended: false }
        })
    }

    fn send(self, patient: bool) -> Result<Started<T>, Error> {
        let Self { endpoint: SyncEndpoint { outside }, mut plan, .. } = self;
        let (begun, method) = (outside.remote.now(), plan.method.name);
        let deadline = plan.deadline(begun, outside.default_timeout);
        // Nothing may be posted after it: the loop's inbox is shared with calls that have time.
        if deadline <= begun {
            return Err(ErrorKind::TimedOut { method, after: Duration::ZERO, outer: None }.into());
        }
        plan.patience = Patience::Until(deadline);
        let bytes = plan.arguments.as_ref().map_err(Clone::clone)?.len();
        let places = outside.reserve(bytes, if patient { deadline } else { begun })?;
        let (tell, told) = bounded(1);
        let (id, cancelled) = (OnceLock::new(), AtomicBool::new(false));
        let hold = Arc::new(Hold { outside, tell, id, cancelled });
        let (me, teller) = (hold.clone(), Teller { tell: Some(hold.tell.clone()) });
        hold.outside.post(move || {
            // It is out of the inbox by now, and the next thread may have its place.
            drop(places.inbox);
            me.call_there(plan, teller, places.room);
        })?;
        Ok(Started { told, hold, method, begun, deadline, ended: false })
    }
}

impl<T> fmt::Debug for SyncCall<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncCall").field("method", &self.plan.method.name).finish_non_exhaustive()
    }
}

/// The loop's end of a call: it tells the outcome, or that the loop has ended before there was one.
struct Teller<T> {
    /// `None` once it was told.
    tell: Option<Sender<Result<T, Error>>>,
}

impl<T> Teller<T> {
    fn tell(mut self, outcome: Result<T, Error>) {
        if let Some(tell) = self.tell.take() {
            drop(tell.try_send(outcome)); // there is one already, or nobody wants to know: fine
        }
    }
}

impl<T> Drop for Teller<T> {
    fn drop(&mut self) {
        if let Some(tell) = self.tell.take() {
            drop(tell.try_send(Err(loop_gone())));
        }
    }
}

/// Holds what all ends of a call know.
struct Hold<T> {
    outside: Arc<Outside>,
    tell: Sender<Result<T, Error>>,
    /// Its id, once it was sent.
    id: OnceLock<CallId>,
    cancelled: AtomicBool,
}

impl<T: DecodeOwned + Send + 'static> Hold<T> {
    /// Makes the call, on the loop's thread.
    fn call_there(&self, plan: Plan, teller: Teller<T>, place: crate::session::permits::Place) {
        let Some(link) = self.outside.link() else {
            return teller.tell(Err(crate::link::end::gone(&self.outside.end)));
        };
        if self.cancelled.load(Ordering::Acquire) {
            drop(place);
            return link.go_on_leaving(); // it may have waited for just this place
        }
        let k = Cont::new(link.handle(), move |outcome| teller.tell(outcome));
        let sent = place.land(|| Call::new(Endpoint::of(&link), plan).send_over(&link, k));
        if let Some(id) = sent {
            let first = self.id.set(id).is_ok();
            debug_assert!(first, "a call is made once");
        }
        link.go_on_leaving();
    }
}

trait Cancels: Send + Sync {
    fn cancel(self: Arc<Self>);
}

impl<T: Send + 'static> Cancels for Hold<T> {
    fn cancel(self: Arc<Self>) {
        // First the outcome, so that the loop, which may look meanwhile, has no other to tell.
        if self.tell.try_send(Err(ErrorKind::Cancelled.into())).is_err() {
            return;
        }
        // Before the post: the call may not have been made yet, and need not be any more.
        self.cancelled.store(true, Ordering::Release);
        let remote = self.outside.remote.clone();
        // There are no more of these than calls that were made; and where the loop has ended, so
        // has the call.
        let _unless_gone = remote.post_always(move |_| {
            if let (Some(id), Some(link)) = (self.id.get(), self.outside.link()) {
                link.cancel(*id);
            }
        });
    }
}

/// A call that was sent from a thread that is not the loop's: its outcome can be waited for, and it
/// can be cancelled. It has one outcome, whatever happens at the same time.
///
/// Dropping it cancels the call: nobody would ever hear of its outcome.
#[must_use = "dropping it cancels the call"]
pub struct Started<T: Send + 'static> {
    told: Receiver<Result<T, Error>>,
    hold: Arc<Hold<T>>,
    method: &'static str,
    begun: Instant,
    deadline: Instant,
    /// Set iff nothing is left to be cancelled.
    ended: bool,
}

impl<T: Send + 'static> Started<T> {
    /// Blocks this thread until the outcome: at the call's deadline there is one, also if the loop
    /// is busy.
    ///
    /// # Errors
    /// Whatever the outcome is. On the loop's own thread [`Misuse::SyncOnLoop`], unless there is an
    /// outcome already.
    pub fn wait(mut self) -> Result<T, Error> {
        let outcome = match self.told.try_recv() {
            Ok(outcome) => outcome,
            Err(_) if self.hold.outside.remote.is_loop_thread() => {
                return Err(ErrorKind::Misuse(Misuse::SyncOnLoop).into());
            }
            Err(_) if self.deadline == Instant::FAR => {
                self.told.recv().unwrap_or_else(|_| Err(loop_gone()))
            }
            Err(_) => self.wait_until_deadline(),
        };
        self.ended = true;
        outcome
    }

    fn wait_until_deadline(&self) -> Result<T, Error> {
        // The loop's word is waited for a little longer, since it says more than the clock.
        let left = self.deadline.since(self.hold.outside.remote.now());
        let told = self.told.recv_timeout(left + GRACE).or_else(|silence| {
            // A thread that wakes so late was stopped, and the loop with it: a reply may lie there.
            let woken = self.hold.outside.remote.now();
            let stopped = woken.since(self.deadline) >= OVERSLEPT;
            if stopped { self.told.recv_timeout(THAW) } else { Err(silence) }
        });
        told.unwrap_or_else(|_| {
            let after = self.hold.outside.remote.now() - self.begun;
            Err(ErrorKind::TimedOut { method: self.method, after, outer: None }.into())
        })
    }

    /// Blocks this thread for at most this long, or until the call's deadline.
    ///
    /// # Errors
    /// Itself, if there is no outcome yet: the call goes on.
    pub fn wait_for(self, longest: Duration) -> Result<Result<T, Error>, Self> {
        let now = self.hold.outside.remote.now();
        if now + longest >= self.deadline && self.deadline != Instant::FAR {
            return Ok(self.wait());
        }
        if self.hold.outside.remote.is_loop_thread() {
            return if self.is_done() { Ok(self.wait()) } else { Err(self) };
        }
        match self.told.recv_timeout(longest) {
            Ok(outcome) => {
                let mut me = self;
                me.ended = true;
                Ok(outcome)
            }
            Err(_) => Err(self),
        }
    }

    /// Tells whether there is an outcome: then [`wait`](Self::wait) returns at once.
    pub fn is_done(&self) -> bool {
        !self.told.is_empty()
    }

    /// Cancels the call: its outcome is [`ErrorKind::Cancelled`], at once, and the other side stops
    /// what can be stopped. Nothing happens if it has an outcome already.
    pub fn cancel(&self) {
        self.hold.clone().cancel();
    }

    /// Returns what cancels the call from another thread, while this one waits.
    pub fn canceller(&self) -> SyncCancel {
        SyncCancel { hold: self.hold.clone() }
    }
}

impl<T: Send + 'static> Drop for Started<T> {
    fn drop(&mut self) {
        if !self.ended {
            self.cancel();
        }
    }
}

impl<T: Send + 'static> fmt::Debug for Started<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Started")
            .field("method", &self.method)
            .field("is_done", &self.is_done())
            .finish_non_exhaustive()
    }
}

/// Cancels a call that was [started](SyncCall::start), from any thread. Dropping it lets the call
/// go on.
#[derive(Clone)]
pub struct SyncCancel {
    hold: Arc<dyn Cancels>,
}

impl SyncCancel {
    /// Cancels the call, as [`Started::cancel`] does.
    pub fn cancel(&self) {
        self.hold.clone().cancel();
    }
}

impl fmt::Debug for SyncCancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncCancel").finish_non_exhaustive()
    }
}
