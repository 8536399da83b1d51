//! A call as a value: described by a proxy, given a time-out, sent by `then`.
//!
//! Deadlines: the default of the interface or of the limits, an explicit one, or none. A call that
//! is made while a call is being served inherits that one's deadline if it is earlier, is one level
//! deeper, and is cancelled with it; if that one is over already, it fails at once.
//! [`Call::detached`] opts out of all four.

mod endpoint;
mod send;

use crate::interface::Method;
use crate::interface::wrong_thread::CanWait;
use crate::link::Link;
use crate::link::endpoint::Endpoint;
use crate::session::CallId;
use crate::{Error, ErrorKind, Reply};
use peers_kernel::{Cont, FromBytes, Instant};
use peers_wire::{Body, DecodeOwned};
use std::fmt;
use std::marker::PhantomData;
use std::rc::{Rc, Weak};
use std::time::Duration;

/// Says how long a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// The interface's `:timeout`, else the default of the limits.
    Default,
    /// This long from when it is made; zero is for ever.
    Within(Duration),
    /// This long from when it is made; zero is not at all.
    Remaining(Duration),
    /// Until this instant, even if it is past.
    Until(Instant),
    /// Until the endpoint dies.
    Forever,
}

/// Holds what every kind of call has: what to call, with which arguments, for how long.
pub(crate) struct Plan {
    pub(crate) method: &'static Method,
    pub(crate) arguments: Result<Vec<u8>, Error>,
    pub(crate) patience: Patience,
    pub(crate) detached: bool,
}

impl Plan {
    pub(crate) fn new(method: &'static Method, arguments: Result<Vec<u8>, Error>) -> Self {
        Self { method, arguments, patience: Patience::Default, detached: false }
    }

    /// Returns the deadline of a call made at `now`; [`Instant::FAR`] is never.
    #[inline]
    pub(crate) fn deadline(&self, now: Instant, default: Duration) -> Instant {
        let wait = match self.patience {
            Patience::Until(instant) => return instant,
            Patience::Remaining(left) => return now + left,
            Patience::Forever => Duration::ZERO,
            Patience::Within(wait) => wait,
            Patience::Default => self.method.timeout.unwrap_or(default),
        };
        if wait.is_zero() { Instant::FAR } else { now + wait }
    }
}

/// A call described but not sent, on the loop. [`then`](Call::then) sends it.
///
/// ```compile_fail,E0277
/// # fn f(node: peers_rpc::doc::NodeProxy) {
/// // error: a call that is made on the loop cannot be waited for
/// node.get("arrakis").wait();
/// # }
/// ```
///
/// ```compile_fail
/// # #![deny(unused_must_use)]
/// # fn f(node: peers_rpc::doc::NodeProxy) {
/// node.get("arrakis"); // never sent
/// # }
/// ```
#[must_use = "a call is sent by `then`"]
pub struct Call<T> {
    endpoint: Endpoint,
    plan: Plan,
    result: PhantomData<fn() -> T>,
}

impl<T: DecodeOwned + 'static> Call<T> {
    pub(crate) fn new(endpoint: Endpoint, plan: Plan) -> Self {
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

    /// Makes it independent of the call being served: no deadline, depth or cancel is inherited,
    /// and it is made although that call is over. So is what cleans up after a call that was
    /// cancelled, unless it is called from [`Binding::on_cancel`](crate::Binding::on_cancel).
    pub fn detached(mut self) -> Self {
        self.plan.detached = true;
        self
    }

    /// Sends the call; `k` is resumed with its one outcome, through the queue, whatever goes wrong.
    pub fn then(self, k: Reply<T>) {
        self.send(k);
    }

    /// Sends the call with a continuation and an error handler, the tutorial's two functions. One
    /// of them runs, once.
    #[track_caller]
    pub fn then_or(self, ok: impl FnOnce(T) + 'static, err: impl FnOnce(Error) + 'static) {
        let k = Cont::pair(self.endpoint.handle(), ok, err);
        self.send(k);
    }

    /// Sends the call like [`then`](Self::then), with a way to end it early. Dropping the
    /// [`Cancel`] lets the call go on.
    pub fn then_cancellable(self, k: Reply<T>) -> Cancel {
        let link = self.endpoint.weak();
        Cancel { link, id: self.send(k) }
    }

    /// Does not compile: a call that is made on the loop cannot be waited for there. Write
    /// [`then`](Self::then), or use a proxy of another thread.
    ///
    /// # Errors
    /// None, as it cannot be called.
    pub fn wait(self) -> Result<T, Error>
    where
        Self: CanWait,
    {
        self.never()
    }

    /// Sends it over the endpoint's link even if that takes no other requests any more.
    pub(crate) fn send_over(mut self, link: &Rc<Link>, k: Reply<T>) -> Option<CallId> {
        let pending =
            k.receiver(&const { FromBytes { borrowed: read::<T>, owned: read_run::<T> } });
        link.call(&mut self.plan, pending)
    }

    fn send(mut self, k: Reply<T>) -> Option<CallId> {
        let pending =
            k.receiver(&const { FromBytes { borrowed: read::<T>, owned: read_run::<T> } });
        match self.endpoint.link() {
            Some(link) => link.call(&mut self.plan, pending),
            None => {
                pending.err(self.endpoint.gone());
                None
            }
        }
    }
}

/// Reads the result of `method` out of the bytes of its reply.
fn read<T: DecodeOwned>(bytes: &[u8], method: &'static str) -> Result<T, Error> {
    peers_wire::from_slice(bytes).map_err(|error| bad_reply::<T>(error, method))
}

#[cold]
fn bad_reply<T>(error: peers_wire::Error, method: &'static str) -> Error {
    let expected = std::any::type_name::<T>();
    ErrorKind::BadReply { method, expected, reason: error.to_string() }.into()
}

/// Reads a reply that is the length of `run` and these bytes, whose memory it may keep.
#[cold]
fn read_run<T: DecodeOwned>(run: &mut Vec<u8>, method: &'static str) -> Result<T, Error> {
    T::from_body(Body::Owned(run)).map_err(|error| bad_reply::<T>(error, method))
}

impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("method", &self.plan.method.name)
            .field("patience", &self.plan.patience)
            .field("detached", &self.plan.detached)
            .finish_non_exhaustive()
    }
}

/// Ends a call early. Dropping it lets the call go on.
#[must_use = "dropping it lets the call go on"]
pub struct Cancel {
    link: Weak<Link>,
    id: Option<CallId>,
}

impl Cancel {
    /// Cancels: the continuation is resumed with [`ErrorKind::Cancelled`], the other side stops
    /// what can be stopped. Nothing happens if the call has ended already.
    pub fn now(self) {
        if let (Some(link), Some(id)) = (self.link.upgrade(), self.id) {
            link.cancel(id);
        }
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancel").field("id", &self.id).finish_non_exhaustive()
    }
}
