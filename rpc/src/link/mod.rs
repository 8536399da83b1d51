//! One connection at run time: a session, the stream under it, and the objects bound on it.
//!
//! The [`Session`] decides, this moves: bytes from the kernel's stream into the session, bytes out of it to the
//! stream, events to the continuations and objects they concern, and its next deadline to one kernel timer.
//!
//! Invariants:
//! 1. Only [`Shared`] holds a link strongly; it is removed there exactly once, by [`Link::end`].
//! 2. No borrow of a link's cells is held while a handler or a continuation's destructor runs, but that of `inbound`,
//!    which only input takes: a request is served out of the bytes that it arrived in.
//! 3. After `end` the session is gone: every pending call was failed, every served call made inert.
//! 4. All input goes through [`Link::input`], all output through [`Link::step`].

mod calls;
mod close;
mod deferred;
mod input;
mod output;
mod serve;

pub(crate) use serve::Serve;

use crate::endpoint::Endpoint;
use crate::interface::Method;
use crate::name::{EndpointName, Ends, Site};
use crate::serving::Serving;
use crate::session::{CallId, CloseReason, Inbound, Role, Session};
use crate::shared::Shared;
use crate::{Error, Reply};
use deferred::Deferred;
use peers_kernel::{Address, Cause, Handle, Instant, Outlet, Receiver, TimerId};
use serve::Object;
use smallvec::SmallVec;
use std::cell::{Cell, Ref, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;

/// A call of ours that waits for its outcome.
pub(crate) struct PendingCall {
    pub(crate) method: &'static Method,
    pub(crate) made: Instant,
    pub(crate) done: Receiver<Error>,
}

/// Where bytes go.
enum Wire {
    /// Not connected yet: what the session says gathers.
    Dialling,
    /// Connected.
    Open(Outlet),
    /// The peer has not read for so long that nothing more is said; about to be ended.
    Choked(Outlet),
    /// Over.
    Closed,
}

impl Wire {
    /// From now on, what is said goes nowhere.
    fn choke(&mut self) {
        *self = match std::mem::replace(self, Self::Closed) {
            Self::Open(outlet) => Self::Choked(outlet),
            other => other,
        };
    }

    /// The stream, if there is one.
    fn outlet(&self) -> Option<&Outlet> {
        match self {
            Self::Open(outlet) | Self::Choked(outlet) => Some(outlet),
            Self::Dialling | Self::Closed => None,
        }
    }
}

/// One connection.
pub(crate) struct Link {
    endpoint: Endpoint,
    shared: Rc<Shared>,
    me: Weak<Self>,
    slot: Cell<usize>,
    session: RefCell<Option<Session<PendingCall>>>,
    inbound: RefCell<Inbound>,
    wire: RefCell<Wire>,
    /// What the session has said since the stream was last given its words.
    said: RefCell<Vec<u8>>,
    /// Set iff the end of this turn will give them to it.
    speaking: Cell<bool>,
    ends: RefCell<Ends>,
    timer: Cell<Option<(Instant, TimerId)>>,
    /// Set iff the timer is looked after at the end of a batch.
    batching: Cell<bool>,
    /// Set iff the stream will tell when it has written everything.
    watching_drain: Cell<bool>,
    bound: RefCell<SmallVec<[Rc<dyn Object>; 1]>>,
    /// The peer's `:async` calls that still owe an answer, by the peer's id.
    owed: RefCell<HashMap<u64, Cause>>,
    /// Requests that the turn's budget had no room for, in order.
    deferred: RefCell<Deferred>,
    watchers: RefCell<Vec<Reply<CloseReason>>>,
}

impl Link {
    /// A link that is being dialled: calls may be made at once.
    pub(crate) fn dialled(shared: &Rc<Shared>, address: &Address) -> Rc<Self> {
        let ends = Ends::Dialled(Site(address.clone()));
        Self::new(shared, Role::Dialled, ends)
    }

    /// A link that was accepted from `dialler` at `listener`.
    pub(crate) fn accepted(shared: &Rc<Shared>, dialler: Address, listener: Address) -> Rc<Self> {
        Self::new(shared, Role::Accepted, Ends::Accepted(Site(dialler), Site(listener)))
    }

    fn new(shared: &Rc<Shared>, role: Role, ends: Ends) -> Rc<Self> {
        let mut hello = Vec::new();
        let now = shared.handle.now();
        let session = Session::new(role, shared.node, shared.limits.clone(), now, &mut hello);
        let link = Rc::new_cyclic(|me| Self {
            endpoint: Endpoint::new(shared.handle.clone(), me.clone(), shared.next_link()),
            shared: shared.clone(),
            me: me.clone(),
            slot: Cell::new(usize::MAX),
            inbound: RefCell::new(Inbound::new(&shared.limits)),
            session: RefCell::new(Some(session)),
            wire: RefCell::new(Wire::Dialling),
            said: RefCell::new(hello),
            speaking: Cell::new(false),
            ends: RefCell::new(ends),
            timer: Cell::new(None),
            batching: Cell::new(false),
            watching_drain: Cell::new(false),
            bound: RefCell::default(),
            owed: RefCell::default(),
            deferred: RefCell::default(),
            watchers: RefCell::default(),
        });
        link.slot.set(shared.links.borrow_mut().insert(link.clone()));
        link.arm();
        link
    }

    /// This end, as programs hold it.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The loop.
    pub(crate) fn handle(&self) -> &Handle {
        &self.shared.handle
    }

    /// The process that it belongs to.
    pub(crate) fn shared(&self) -> &Rc<Shared> {
        &self.shared
    }

    /// The calls being served by the process.
    pub(crate) fn serving(&self) -> &RefCell<Serving> {
        &self.shared.serving
    }

    /// Where it stands in the process's table.
    pub(crate) fn slot(&self) -> usize {
        self.slot.get()
    }

    /// Whether it lives.
    pub(crate) fn is_open(&self) -> bool {
        self.session.borrow().is_some()
    }

    /// Whether a call of ours has no outcome yet.
    pub(crate) fn is_pending(&self, id: CallId) -> bool {
        self.session.borrow().as_ref().is_some_and(|session| session.is_pending(id))
    }

    /// What its session has counted so far; nothing once it has ended.
    pub(crate) fn counters(&self) -> crate::session::Counters {
        self.session.borrow().as_ref().map_or_else(Default::default, Session::counters)
    }

    /// How many calls of ours have no outcome yet.
    pub(crate) fn pending(&self) -> usize {
        self.session.borrow().as_ref().map_or(0, Session::pending)
    }

    /// Whether the peer has said hello.
    pub(crate) fn has_met_peer(&self) -> bool {
        self.session.borrow().as_ref().is_some_and(|session| session.peer().is_some())
    }

    /// The host that it was accepted from, if it was accepted over a network.
    pub(crate) fn source(&self) -> Option<Ref<'_, str>> {
        let source = Ref::filter_map(self.ends.borrow(), |ends| match ends {
            Ends::Accepted(Site(Address::Inet { host, .. }), _) => Some(host.as_str()),
            _ => None,
        });
        source.ok()
    }

    /// The printed name.
    pub(crate) fn name(&self) -> EndpointName {
        let ends = self.ends.borrow().clone();
        let listener = match ends {
            Ends::Accepted(..) => Some(self.shared.node),
            Ends::Dialled(_) => {
                self.session.borrow().as_ref().and_then(|session| Some(session.peer()?.node))
            }
        };
        EndpointName { listener, ends }
    }

    /// An error that says it came through here.
    pub(crate) fn error(&self, error: impl Into<Error>) -> Error {
        let origin: Arc<str> = self.name().to_string().into();
        error.into().through(&origin)
    }

    /// Runs `k` with the reason when this link ends.
    pub(crate) fn on_close(&self, k: Reply<CloseReason>) {
        self.watchers.borrow_mut().push(k);
    }
}
