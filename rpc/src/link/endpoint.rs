//! One end of a connection, as programs hold it: cheap to clone, and the thing that calls go
//! through. It keeps nothing open.

use crate::call::{Call, Plan};
use crate::interface::caller::Caller;
use crate::interface::{Interface, Method};
use crate::link::context::{MOST_FOR_ARGUMENTS, Shared};
use crate::link::name::EndpointName;
use crate::link::{Drained, Link};
use crate::serve::start::Serve;
use crate::session::CloseReason;
use crate::{Error, ErrorKind, Reply};
use peers_kernel::{Cx, Handle};
use peers_wire::{DecodeOwned, Encode, NodeId, Writer};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::rc::{Rc, Weak};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// One end of a connection.
///
/// The connection belongs to its [`Rpc`](crate::Rpc). Dropping an endpoint closes nothing; it ends
/// by [`close`](Self::close), by keep-alive or liveness, by the peer, or with its `Rpc`. It
/// compares, hashes and orders by connection, in the order in which connections were made.
///
/// It stays on its loop's thread; other threads hold what [`to_sync`](Self::to_sync) gives:
///
/// ```compile_fail,E0277
/// # fn f(endpoint: peers_rpc::Endpoint) {
/// std::thread::spawn(move || endpoint.close());
/// # }
/// ```
#[derive(Clone)]
pub struct Endpoint {
    /// Once it has ended, a link is an empty shell that knows how.
    link: Rc<Link>,
}

/// Holds how an endpoint ended, once it has: also for other threads, which hold endpoints by name
/// only. In a box, since most endpoints live.
pub(crate) type End = Arc<OnceLock<Box<Ended>>>;

/// The end of an endpoint.
pub(crate) struct Ended {
    pub(crate) name: EndpointName,
    pub(crate) reason: CloseReason,
    /// Holds what the peer has not taken, once that is known.
    pub(crate) left: OnceLock<Drained>,
}

/// Returns what the peer of an endpoint that has ended did not take.
pub(crate) fn left(end: &End) -> Drained {
    end.get().and_then(|end| end.left.get().copied()).unwrap_or_default()
}

/// Returns what calls fail with when the endpoint has ended.
pub(crate) fn gone(end: &End) -> Error {
    match end.get().map(|end| &**end) {
        Some(Ended { name, reason, .. }) => {
            let error = Error::new(ErrorKind::Disconnected(reason.clone()));
            error.through(&name.to_string().into())
        }
        None => Error::new(ErrorKind::Disconnected(CloseReason::Local)),
    }
}

/// A method was bound twice on one endpoint: for two objects, or with the same interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlreadyBound {
    /// The first method that was bound before.
    pub method: &'static str,
}

impl fmt::Display for AlreadyBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = self.method;
        write!(
            f,
            "{method} is bound on this endpoint already: bind each interface once, and interfaces with a method in \
             common to one object"
        )
    }
}

impl std::error::Error for AlreadyBound {}

impl Endpoint {
    pub(crate) fn new(link: Rc<Link>) -> Self {
        Self { link }
    }

    /// Its link, as long as it lives.
    pub(crate) fn link(&self) -> Option<&Rc<Link>> {
        self.link.takes_requests().then_some(&self.link)
    }

    /// The process that it belongs to.
    pub(crate) fn shared(&self) -> &Rc<Shared> {
        self.link.shared()
    }

    pub(crate) fn weak(&self) -> Weak<Link> {
        Rc::downgrade(&self.link)
    }

    /// The error of calls on an endpoint that has ended.
    pub(crate) fn gone(&self) -> Error {
        self.link.gone()
    }

    /// The loop that it lives on.
    pub fn handle(&self) -> &Handle {
        self.link.handle()
    }

    /// Returns whether it still lives and takes requests: a connection being dialled does, one that
    /// was closed does not.
    pub fn is_open(&self) -> bool {
        self.link().is_some()
    }

    /// The printed name; `None` once it is gone.
    pub fn name(&self) -> Option<EndpointName> {
        self.link().map(|link| link.name())
    }

    /// The id of the node at the other end; `None` until it has said hello, and once this endpoint
    /// is gone. The id in the printed name is that of the node that listens, which on an accepted
    /// endpoint is this one.
    pub fn peer(&self) -> Option<NodeId> {
        self.link().and_then(|link| link.peer())
    }

    /// Serves `interface` here with an object; generated `bind` functions call it.
    ///
    /// Interfaces of one object may have methods in common, as those that extend the same one have:
    /// what was bound last answers these. An endpoint that is gone accepts the binding and does
    /// nothing.
    ///
    /// # Errors
    /// [`AlreadyBound`] if the interface is bound on this endpoint, or one of its methods with
    /// another object.
    pub fn bind<S: 'static>(
        &self,
        cx: &Cx<S>,
        interface: &'static Interface,
        serve: Serve<S>,
    ) -> Result<(), AlreadyBound> {
        self.link().map_or(Ok(()), |link| link.bind(cx, interface, serve))
    }

    /// Sets how long it may be unused, no call pending or sent in either direction, before the side
    /// that dialled closes it; [`Duration::ZERO`] is never. Accepted endpoints ignore it. Without
    /// this, one on which an object is bound is never closed as unused: who serves may only listen.
    pub fn set_keepalive(&self, unused: Duration) {
        if let Some(link) = self.link() {
            link.set_keep_alive(unused);
        }
    }

    /// Measures the way to the peer from now on, by a ping now and by others while calls are made
    /// for calls. Such a call, if it inherits its deadline, then ends a [round
    /// trip](Self::round_trip) earlier, so that a tree of calls across many nodes ends with the one
    /// at its root, however long the ways are: without that, each hop adds the time that its
    /// request travels. Worth it between nodes that ask each other, not for clients.
    pub fn measure(&self) {
        if let Some(link) = self.link() {
            link.measure();
        }
    }

    /// The time to the peer and back: the less of the two latest [measured](Self::measure). `None`
    /// if none is known.
    pub fn round_trip(&self) -> Option<Duration> {
        self.link()?.round_trip()
    }

    /// Resumes `k` with the reason, exactly once, when this endpoint ends, or at once if it has.
    pub fn on_close(&self, k: Reply<CloseReason>) {
        match self.link.end_reason() {
            Some(reason) => k.ok(reason),
            None => self.link.on_close(k),
        }
    }

    /// Closes it in good order: it takes no more requests, those that wait leave as the peer gives
    /// credit, and then it says goodbye and ends; at once if nothing waits, after
    /// [`Limits::drain`](crate::Limits::drain) in any case. Requests of the peer are refused as
    /// closing meanwhile. Calls without an outcome at the end fail as disconnected.
    pub fn close(&self) {
        self.leave(None);
    }

    /// Closes, and tells `k` how much the peer did not take in that time; if the
    /// connection has ended before, what was lost with it.
    pub fn close_then(&self, k: Reply<Drained>) {
        self.leave(Some(k));
    }

    fn leave(&self, k: Option<Reply<Drained>>) {
        let until = self.handle().now() + self.link.shared().limits.drain;
        self.link.leave(CloseReason::Local, until, k);
    }

    /// Arguments are encoded here, once, into memory that the process lends to one call after the
    /// other.
    #[inline(always)]
    fn encode(&self, arguments: impl Encode) -> Result<Vec<u8>, Error> {
        let mut memory = self.link.shared().lend_memory();
        let mut writer = Writer::with_limit(&mut memory, MOST_FOR_ARGUMENTS);
        arguments.encode(&mut writer);
        match writer.finish() {
            Ok(()) => Ok(memory),
            Err(peers_wire::Error::OutputTooLarge { size, .. }) => {
                self.link.shared().take_memory_back(memory);
                self.encode_many(size, &arguments)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Arguments of so many bytes, which will leave from the memory that they are encoded into.
    #[cold]
    fn encode_many(&self, size: usize, arguments: &impl Encode) -> Result<Vec<u8>, Error> {
        let mut memory = self.handle().pooled_buffer_for(size);
        peers_wire::append(&mut memory, arguments)?;
        Ok(memory)
    }

    /// Calls and events of ours without an outcome yet.
    pub fn pending(&self) -> usize {
        self.link().map_or(0, |link| link.pending())
    }
}

impl Caller for Endpoint {
    type Call<T: DecodeOwned + Send + 'static> = Call<T>;

    #[inline(always)]
    fn call<T: DecodeOwned + Send + 'static>(
        &self,
        method: &'static Method,
        arguments: impl Encode,
    ) -> Call<T> {
        Call::new(self.clone(), Plan::new(method, self.encode(arguments)))
    }

    fn event(&self, method: &'static Method, arguments: impl Encode) -> Result<(), Error> {
        let link = self.link().ok_or_else(|| self.gone())?;
        link.event(method, self.encode(arguments)?)
    }
}

impl PartialEq for Endpoint {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.link, &other.link)
    }
}

impl Eq for Endpoint {}

impl Hash for Endpoint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.link.id().hash(state);
    }
}

impl PartialOrd for Endpoint {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Endpoint {
    fn cmp(&self, other: &Self) -> Ordering {
        self.link.id().cmp(&other.link.id())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({}: {self})", self.link.id())
    }
}

/// The printed name, or `closed endpoint`.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => name.fmt(f),
            None => f.write_str("closed endpoint"),
        }
    }
}
