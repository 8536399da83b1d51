//! Tells who is calling: every implementation of a method receives it beside its arguments.

use crate::Error;
use crate::interface::Proxy;
use crate::link::Link;
use crate::link::endpoint::Endpoint;
use crate::link::name::EndpointName;
use crate::security::allow::Peer;
use peers_kernel::{Cause, Cont, Instant, Lost};
use peers_wire::Trace;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// The caller of a method, and the call being served.
///
/// It compares and hashes by the caller's endpoint alone, so it can be the key of a map of
/// long-standing interactions, and it makes proxies to call back on the same connection. Like
/// everything handed around it is weak: keeping one keeps no connection alive. And like a
/// [`Reply`](crate::Reply) it stays on the loop's thread:
///
/// ```compile_fail,E0277
/// # fn f(bd: peers_rpc::Binding, reply: peers_rpc::Reply<u64>) {
/// // `offload` takes work to other threads, and the result back.
/// std::thread::spawn(move || reply.ok(u64::from(bd.depth())));
/// # }
/// ```
#[derive(Clone)]
pub struct Binding {
    endpoint: Endpoint,
    cause: Cause,
}

impl Binding {
    pub(crate) fn new(endpoint: Endpoint, cause: Cause) -> Self {
        Self { endpoint, cause }
    }

    /// Makes a proxy for what the caller has bound on this same connection.
    pub fn proxy<P: Proxy<Endpoint>>(&self) -> P {
        P::new(self.endpoint.clone())
    }

    /// Returns the caller's endpoint.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Returns who calls, as far as that is proven: see [`Endpoint::peer`].
    pub fn peer(&self) -> Peer {
        self.endpoint.peer()
    }

    /// Returns the endpoint's printed name; `None` once it is gone.
    pub fn name(&self) -> Option<EndpointName> {
        self.endpoint.name()
    }

    /// Returns when the caller stops waiting; `None` is never, or the call is over.
    pub fn deadline(&self) -> Option<Instant> {
        self.served(|link| link.serving().borrow().deadline(self.cause))?
    }

    /// Returns how many calls stand above this one; 0 for a call that nobody's call led to.
    pub fn depth(&self) -> u16 {
        self.served(|link| link.serving().borrow().depth(self.cause)).unwrap_or(0)
    }

    /// Returns whether the answer to an `:async` call is still wanted: it was not given yet, its
    /// caller has neither cancelled nor gone. What takes many steps looks here before the next.
    pub fn is_waiting(&self) -> bool {
        self.served(|link| link.serving().borrow().is_running(self.cause)).unwrap_or(false)
    }

    /// Runs `task` once if the call being served is over before it is answered: its caller has
    /// cancelled it or has gone, or its time has passed. At once if that is so already; never, if
    /// it is answered. It runs through the queue, on nobody's behalf, so that what it starts is not
    /// cancelled with the call: it is the place for calls that clean up. Elsewhere a call made for
    /// one that is over fails at once, unless it is [`detached`](crate::Call::detached). A plain
    /// method is answered when it returns.
    ///
    /// ```
    /// use peers_rpc::{Binding, Context, Reply};
    /// use std::collections::BTreeMap;
    ///
    /// /// Who waits for a place, by the number of the request.
    /// struct Queue { next: u64, waiting: BTreeMap<u64, Reply<u64>> }
    ///
    /// impl Queue {
    ///     fn enter(&mut self, cx: &Context<'_, Self>, reply: Reply<u64>) {
    ///         let number = self.next;
    ///         self.next += 1;
    ///         self.waiting.insert(number, reply);
    ///         // Who has given up keeps nobody waiting.
    ///         cx.caller().on_cancel(cx.task(move |queue, _| drop(queue.waiting.remove(&number))));
    ///     }
    /// }
    /// ```
    #[track_caller]
    pub fn on_cancel(&self, task: impl FnOnce() + 'static) {
        let context = self.endpoint.context();
        let handle = context.handle.clone();
        let watcher = Cont::new(&context.handle, move |over: Result<(), Error>| {
            if over.is_ok() {
                handle.with_cause(Cause::NONE, task);
            }
        });
        let unwatched = context.serving.borrow_mut().watch(self.cause, watcher);
        match unwatched {
            Ok(()) => {}
            // It was over before anybody asked, and what cleans up must run all the same.
            Err(watcher) if context.serving.borrow().over(self.cause).is_some() => watcher.ok(()),
            Err(watcher) => watcher.err(Lost::Dropped),
        }
    }

    /// Returns the call tree that this call belongs to, and who stands above it there, when its
    /// caller traces.
    pub fn trace(&self) -> Option<Trace> {
        self.served(|link| link.serving().borrow().trace(self.cause))?
    }

    /// Returns this call's own number in its tree: the parent of every call made for it.
    pub fn span(&self) -> Option<u64> {
        self.served(|link| link.serving().borrow().span(self.cause))?
    }

    fn served<R>(&self, read: impl FnOnce(&Link) -> R) -> Option<R> {
        self.endpoint.link().map(|link| read(link))
    }
}

impl PartialEq for Binding {
    fn eq(&self, other: &Self) -> bool {
        self.endpoint == other.endpoint
    }
}

impl Eq for Binding {}

impl Hash for Binding {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.endpoint.hash(state);
    }
}

impl PartialOrd for Binding {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Binding {
    fn cmp(&self, other: &Self) -> Ordering {
        self.endpoint.cmp(&other.endpoint)
    }
}

impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Binding").field(&self.endpoint).finish()
    }
}

/// The endpoint's printed name.
impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.endpoint.fmt(f)
    }
}
