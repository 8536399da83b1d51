//! One end of a connection, as programs hold it: cheap to clone, and the thing that calls go
//! through. It keeps nothing open.

use crate::link::Link;
use crate::link::context::LinkContext;
use crate::link::end::Drained;
use crate::link::name::EndpointName;
use crate::security::allow::Peer;
use crate::session::CloseReason;
use crate::{Error, Reply};
use peers_kernel::Handle;
use peers_wire::NodeId;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::rc::{Rc, Weak};
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

impl Endpoint {
    /// Makes the handle by which programs hold this end of the connection.
    pub(crate) fn of(link: &Rc<Link>) -> Self {
        Self { link: link.clone() }
    }

    /// Its link, as long as it lives.
    pub(crate) fn link(&self) -> Option<&Rc<Link>> {
        self.link.takes_requests().then_some(&self.link)
    }

    /// Returns the process that it belongs to.
    pub(crate) fn context(&self) -> &Rc<LinkContext> {
        self.link.context()
    }

    pub(crate) fn weak(&self) -> Weak<Link> {
        Rc::downgrade(&self.link)
    }

    /// Returns the error of calls on an endpoint that has ended.
    pub(crate) fn gone(&self) -> Error {
        self.link.gone()
    }

    /// Returns the loop that it lives on.
    pub fn handle(&self) -> &Handle {
        self.link.handle()
    }

    /// Returns whether it still lives and takes requests: a connection being dialled does, one that
    /// was closed does not.
    pub fn is_open(&self) -> bool {
        self.link().is_some()
    }

    /// Returns the printed name; `None` once it is gone.
    pub fn name(&self) -> Option<EndpointName> {
        self.link().map(|link| link.name())
    }

    /// Returns the id of the node at the other end; `None` until it has said hello, and once this
    /// endpoint is gone. The id in the printed name is that of the node that listens, which on an
    /// accepted endpoint is this one.
    pub fn peer_node(&self) -> Option<NodeId> {
        self.link().and_then(|link| link.peer())
    }

    /// Returns who is at the other end, as far as that is proven: on a sealed connection the key.
    /// [`Peer::Unknown`] until there is a connection, and once this endpoint is gone.
    pub fn peer(&self) -> Peer {
        self.link.whom()
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

    /// Returns the time to the peer and back: the less of the two latest [measured](Self::measure).
    /// `None` if none is known.
    pub fn round_trip(&self) -> Option<Duration> {
        self.link()?.round_trip()
    }

    /// Returns why it has ended; `None` while it lives.
    pub(crate) fn why_ended(&self) -> Option<CloseReason> {
        self.link.end_reason()
    }

    /// Resumes `k` with the reason, exactly once, when this endpoint ends, or at once if it has.
    pub fn on_close(&self, k: Reply<CloseReason>) {
        match self.why_ended() {
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
        let until = self.handle().now() + self.link.context().limits.drain;
        self.link.leave(CloseReason::Local, until, k);
    }

    /// Counts calls and events of ours without an outcome yet.
    pub fn pending(&self) -> usize {
        self.link().map_or(0, |link| link.pending())
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
