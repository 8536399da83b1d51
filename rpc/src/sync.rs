//! Calls from other threads: a loop on a thread of its own, proxies that are `Send`, calls that block their caller.
//!
//! A [`SyncEndpoint`] is a name, not a pointer: what it names lives on the loop's thread and is looked up there. No
//! lock is taken on the way.

use crate::call::{Call, Patience, Plan};
use crate::caller::Caller;
use crate::endpoint::{End, Endpoint, gone};
use crate::error::{Misuse, Overload};
use crate::interface::Method;
use crate::limits::Limits;
use crate::rpc::Rpc;
use crate::{Error, ErrorKind};
use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use peers_kernel::{Address, Cont, Instant, Kernel, LoopThread, PostError, Remote};
use peers_wire::DecodeOwned;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How much longer than a call's own deadline its thread waits for the loop to say so, before it gives up on the loop.
const GRACE: Duration = Duration::from_secs(5);

static NEXT: AtomicU64 = AtomicU64::new(1);

thread_local! {
    /// The processes (in the sense of [`Rpc`]) of this loop's thread that other threads may name.
    static HERE: RefCell<BTreeMap<u64, Named>> = const { RefCell::new(BTreeMap::new()) };
}

/// What a name stands for, and how other threads reach it.
struct Named {
    rpc: Weak<Rpc>,
    remote: Remote,
}

fn enlist(rpc: &Rc<Rpc>, remote: Remote) -> u64 {
    let name = NEXT.fetch_add(1, Ordering::Relaxed);
    HERE.with_borrow_mut(|here| {
        here.retain(|_, named| named.rpc.strong_count() > 0);
        here.insert(name, Named { rpc: Rc::downgrade(rpc), remote });
    });
    name
}

fn find(name: u64) -> Option<Rc<Rpc>> {
    HERE.with_borrow(|here| here.get(&name)?.rpc.upgrade())
}

impl Endpoint {
    /// The same endpoint for other threads. `None` if it has ended, or if its loop was not started by [`spawn_loop`]:
    /// then no other thread can reach it.
    pub fn to_sync(&self) -> Option<SyncEndpoint> {
        let link = self.link()?;
        HERE.with_borrow(|here| {
            let mine = |named: &Named| {
                named.rpc.upgrade().is_some_and(|rpc| Rc::ptr_eq(rpc.shared(), link.shared()))
            };
            let (name, named) = here.iter().find(|(_, named)| mine(named))?;
            let remote = named.remote.clone();
            Some(SyncEndpoint {
                remote,
                name: *name,
                slot: link.slot(),
                id: link.id(),
                end: link.end_for_others(),
                default_timeout: link.shared().limits.default_timeout,
            })
        })
    }
}

/// Starts a loop with an [`Rpc`] on a thread of its own.
///
/// # Errors
/// When the thread or its kernel cannot be made.
pub fn spawn_loop() -> io::Result<Peers> {
    spawn_loop_with(Limits::default(), |_, _| ())
}

/// The same with limits, and with a start that runs on the loop's thread; what it returns (nodes, listeners) lives as
/// long as the loop.
///
/// # Errors
/// When the thread or its kernel cannot be made.
pub fn spawn_loop_with<T: 'static>(
    limits: Limits,
    start: impl FnOnce(&Kernel, &Rpc) -> T + Send + 'static,
) -> io::Result<Peers> {
    let (tell, told) = bounded(1);
    let thread = peers_kernel::spawn_loop(move |kernel: &Kernel| {
        let rpc = Rc::new(Rpc::with_limits(&kernel.handle(), limits));
        let name = enlist(&rpc, kernel.remote());
        let owned = start(kernel, &rpc);
        if tell.send(name).is_err() {
            log::debug!("a loop started for nobody");
        }
        (owned, rpc)
    })?;
    let name = told.recv().map_err(|_| io::Error::other("the loop ended while it was starting"))?;
    Ok(Peers { remote: thread.remote(), thread, name })
}

/// A loop with an [`Rpc`] on a thread of its own. Dropping it ends both.
pub struct Peers {
    thread: LoopThread,
    remote: Remote,
    name: u64,
}

impl Peers {
    /// Dials. Returns at once: whether there is a connection shows in the first call.
    ///
    /// # Errors
    /// When the loop has ended.
    pub fn connect(&self, address: &Address) -> io::Result<SyncEndpoint> {
        let address = address.clone();
        let made = self.with(move |rpc| rpc.connect(&address).to_sync());
        let named = made.map_err(io::Error::other)?;
        named.ok_or_else(|| io::Error::other("the loop is closing"))
    }

    /// Runs `work` on the loop's thread and waits for what it returns.
    ///
    /// # Errors
    /// On the loop's own thread, and when the loop has ended or does not answer within 35 s.
    pub fn with<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Rpc) -> R + Send + 'static,
    ) -> Result<R, Error> {
        let name = self.name;
        let (tell, told) = bounded(1);
        post(&self.remote, move || {
            if let Some(rpc) = find(name) {
                drop(tell.send(work(&rpc))); // nobody listens any more: fine
            }
        })?;
        receive(&told, Some(Duration::from_secs(30)), "peers.with")
    }

    /// The loop as other threads reach it.
    pub fn remote(&self) -> Remote {
        self.thread.remote()
    }
}

impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peers").finish_non_exhaustive()
    }
}

/// An endpoint as other threads hold it: `Send`, `Sync`, `Clone`.
#[derive(Clone)]
pub struct SyncEndpoint {
    remote: Remote,
    name: u64,
    slot: usize,
    id: u64,
    end: End,
    default_timeout: Duration,
}

impl SyncEndpoint {
    /// The endpoint itself; on the loop's thread only.
    fn endpoint(&self) -> Option<Endpoint> {
        let rpc = find(self.name)?;
        let link = rpc.shared().links.borrow().get(self.slot)?.clone();
        (link.id() == self.id).then(|| link.endpoint())
    }

    /// Sets the keep-alive, as [`Endpoint::set_keepalive`] does.
    ///
    /// # Errors
    /// When the loop has ended.
    pub fn set_keepalive(&self, unused: Duration) -> Result<(), Error> {
        self.on_loop(move |endpoint| endpoint.set_keepalive(unused))
    }

    /// Closes it, as [`Endpoint::close`] does.
    ///
    /// # Errors
    /// When the loop has ended.
    pub fn close(&self) -> Result<(), Error> {
        self.on_loop(Endpoint::close)
    }

    fn on_loop(&self, work: impl FnOnce(&Endpoint) + Send + 'static) -> Result<(), Error> {
        let me = self.clone();
        post(&self.remote, move || {
            if let Some(endpoint) = me.endpoint() {
                work(&endpoint);
            }
        })
    }
}

impl Caller for SyncEndpoint {
    type Call<T: DecodeOwned + Send + 'static> = SyncCall<T>;

    fn call<T: DecodeOwned + Send + 'static>(
        &self,
        method: &'static Method,
        arguments: impl peers_wire::Encode,
    ) -> SyncCall<T> {
        let plan = Plan::new(method, peers_wire::to_vec(&arguments).map_err(Error::from));
        SyncCall { endpoint: self.clone(), plan, result: PhantomData }
    }

    /// Posts the event to the loop; it is sent before any call that this thread makes later.
    fn event(
        &self,
        method: &'static Method,
        arguments: impl peers_wire::Encode,
    ) -> Result<(), Error> {
        let arguments = peers_wire::to_vec(&arguments)?;
        let ended = self.end.get().is_some();
        let me = self.clone();
        post(&self.remote, move || {
            let endpoint = me.endpoint();
            let Some(link) = endpoint.as_ref().and_then(Endpoint::link) else { return };
            if let Err(error) = link.event(method, arguments) {
                crate::warn(error);
            }
        })?;
        if ended { Err(gone(&self.end)) } else { Ok(()) }
    }
}

impl fmt::Debug for SyncEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncEndpoint").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A call described but not sent, on a thread that is not the loop's. [`wait`](SyncCall::wait) sends it.
///
/// ```compile_fail,E0599
/// # fn f(node: peers_rpc::doc::NodeProxy<peers_rpc::SyncEndpoint>, k: peers_rpc::Reply<String>) {
/// node.get("arrakis").then(k); // a continuation never leaves its loop: only loop proxies have `then`
/// # }
/// ```
#[must_use = "a call is sent by `wait`"]
pub struct SyncCall<T> {
    endpoint: SyncEndpoint,
    plan: Plan,
    result: PhantomData<fn() -> T>,
}

impl<T: DecodeOwned + Send + 'static> SyncCall<T> {
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

    /// Waits until the endpoint dies.
    pub fn forever(mut self) -> Self {
        self.plan.patience = Patience::Forever;
        self
    }

    /// Sends the call and blocks this thread until its outcome.
    ///
    /// # Errors
    /// Whatever the outcome is, and [`Misuse::SyncOnLoop`] at once on the loop's own thread.
    pub fn wait(self) -> Result<T, Error> {
        let Self { endpoint, plan, .. } = self;
        let (now, method) = (endpoint.remote.now(), plan.method.name);
        let deadline = plan.deadline(now, endpoint.default_timeout);
        let longest = (deadline != Instant::FAR).then(|| deadline - now);
        let (tell, told) = bounded(1);
        post(&endpoint.remote.clone(), move || {
            let Some(found) = endpoint.endpoint() else {
                return drop(tell.send(Err(gone(&endpoint.end)))); // a waiter that gave up hears nothing
            };
            let k = Cont::new(found.handle(), move |result| drop(tell.send(result)));
            Call::new(found.clone(), plan).then(k);
        })?;
        receive(&told, longest, method)?
    }
}

impl<T> fmt::Debug for SyncCall<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncCall").field("method", &self.plan.method.name).finish_non_exhaustive()
    }
}

fn post(remote: &Remote, work: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    if remote.is_loop_thread() {
        return Err(ErrorKind::Misuse(Misuse::SyncOnLoop).into());
    }
    remote.post(move |_| work()).map_err(|error| match error {
        PostError::Full => ErrorKind::Overloaded(Overload::Inbox).into(),
        _ => ErrorKind::Misuse(Misuse::LoopGone).into(),
    })
}

/// Waits for the loop's word: as long as the call may take and a little more, or until the loop ends.
fn receive<T>(
    told: &Receiver<T>,
    longest: Option<Duration>,
    method: &'static str,
) -> Result<T, Error> {
    let gone = || Error::new(ErrorKind::Misuse(Misuse::LoopGone));
    let Some(longest) = longest else { return told.recv().map_err(|_| gone()) };
    told.recv_timeout(longest + GRACE).map_err(|error| match error {
        RecvTimeoutError::Disconnected => gone(),
        RecvTimeoutError::Timeout => {
            ErrorKind::TimedOut { method, after: longest + GRACE, outer: None }.into()
        }
    })
}
