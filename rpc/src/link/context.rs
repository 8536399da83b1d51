//! Holds what all connections of one process share: the table of links, the calls being served, the
//! limits.

use crate::limits::Limits;
use crate::link::Link;
use crate::link::admission::Admitted;
use crate::link::buffers::Buffers;
use crate::link::counters::Counters;
use crate::link::goodbye::Partings;
use crate::link::key::LinkKey;
use crate::link::memory::Memory;
use crate::link::name::EndpointName;
use crate::link::object::Object;
use crate::link::own_key::OwnKey;
use crate::link::reject::Farewell;
use crate::link::served::Serving;
use crate::link::shutdown::Shutdown;
use crate::link::timers::Timers;
use crate::session::CloseReason;
use crate::session::permits::Room;
use crate::session::text::Brief;
use peers_kernel::{Cause, Handle, Shares};
use peers_wire::{NodeId, RefusedCode, Trace};
use rand_core::Rng as _;
use slab::Slab;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::rc::{Rc, Weak};
use std::sync::Arc;

/// The most bytes of a line in the log.
const LOG_LINE: usize = 1_024;

pub(crate) struct LinkContext {
    pub(crate) handle: Handle,
    pub(crate) node: NodeId,
    /// Holds the key of this process, if it has one.
    pub(crate) own: OwnKey,
    /// Knows whose keys let them in, and by whose word.
    pub(crate) admitted: Admitted,
    pub(crate) limits: Rc<Limits>,
    pub(crate) me: Weak<Self>,
    pub(crate) links: RefCell<Slab<Rc<Link>>>,
    pub(crate) serving: RefCell<Serving>,
    /// Memory that links use in turn.
    pub(crate) buffers: Buffers,
    /// Holds what other threads have under way to this process; there iff they can reach it.
    pub(crate) inbox: OnceCell<Arc<Room>>,
    /// Objects that were bound lately. Connections that bind the same share it.
    pub(crate) bound: RefCell<VecDeque<Weak<dyn Object>>>,
    /// Says when links want to be looked at.
    pub(crate) timers: Timers,
    /// Says how far the process is on its way to its end.
    pub(crate) shutdown: Shutdown,
    pub(crate) tracing: Cell<bool>,
    /// Connections that have said goodbye, and whose peers may not have read it.
    pub(crate) partings: Partings,
    pub(crate) memory: Memory,
    pub(crate) counters: RefCell<Counters>,
    /// The most connections at a time.
    pub(crate) connections: usize,
    next_link: Cell<u64>,
    /// Holds what says goodbye to connections that are never used; listeners, which may live
    /// longer, share it.
    pub(crate) farewell: Rc<Farewell>,
}

impl LinkContext {
    pub(crate) fn new(handle: Handle, node: NodeId, limits: Limits, own: OwnKey) -> Rc<Self> {
        let three_quarters = |descriptors: usize| descriptors / 4 * 3;
        let connections = match limits.connections {
            Some(connections) => connections,
            // The rest is for the program's own files, and for dialling.
            None => handle.descriptor_limit().map_or(usize::MAX, three_quarters),
        };
        handle.set_log_rate(limits.log_rate);
        let limits = Rc::new(limits);
        let context = Rc::new_cyclic(|me: &Weak<Self>| Self {
            farewell: Rc::new(Farewell::new(handle.clone(), node, limits.clone())),
            serving: RefCell::new(Serving::starting_at(handle.rng().next_u32())),
            memory: Memory::new(limits.process_bytes),
            handle,
            node,
            own,
            admitted: Admitted::default(),
            limits,
            me: me.clone(),
            links: RefCell::default(),
            buffers: Buffers::default(),
            inbox: OnceCell::new(),
            bound: RefCell::default(),
            timers: Timers::default(),
            shutdown: Shutdown::default(),
            tracing: Cell::new(false),
            partings: Partings::default(),
            counters: RefCell::default(),
            connections,
            next_link: Cell::new(1),
        });
        context.handle.share_work(context.me.clone());
        context.meet_siblings();
        context
    }

    pub(crate) fn next_link(&self) -> u64 {
        self.next_link.replace(self.next_link.get() + 1)
    }

    /// Finds the link with this key, as long as it lives.
    pub(crate) fn link(&self, key: LinkKey) -> Option<Rc<Link>> {
        let links = self.links.borrow();
        links.get(key.slot as usize).filter(|link| link.key() == key).cloned()
    }

    /// Forgets a link that has ended.
    pub(crate) fn remove(&self, link: &Link) {
        let gone = self.links.borrow_mut().try_remove(link.slot());
        debug_assert!(gone.is_some(), "a link is in the table until it ends, and ends once");
        drop(gone); // after the borrow: the last count of a link may own anything
        if self.links.borrow().is_empty() {
            self.stop_waking();
            self.stop_sweeping();
            self.give_back_now();
        }
        self.call_finished();
    }

    /// Counts the bytes that the process holds for its peers.
    #[inline]
    pub(crate) fn held(&self) -> usize {
        self.handle.output_memory() + self.memory.told.get()
    }

    /// Returns whether no request may be started or made.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.held() >= self.memory.full.get()
    }

    /// Looks whether there is much, after something was added.
    #[inline]
    pub(crate) fn weigh(&self) {
        if self.held() >= self.memory.attention.get() {
            self.look_closely();
        }
    }

    /// Lists all links, for doing something to each: what that ends is removed from the table
    /// meanwhile.
    pub(crate) fn all_links(&self) -> Vec<Rc<Link>> {
        self.links.borrow().iter().map(|(_, link)| link.clone()).collect()
    }

    /// Begins a new call tree, when this process traces.
    pub(crate) fn new_trace(&self) -> Option<Trace> {
        self.tracing.get().then(|| {
            let root = self.handle.rng().next_u64();
            Trace { root, parent: root }
        })
    }

    pub(crate) fn count_inert_reply(&self) {
        self.counters.borrow_mut().inert_replies += 1;
    }

    pub(crate) fn count_dropped_event(&self, method: u64, code: RefusedCode) {
        self.counters.borrow_mut().dropped_events += 1;
        self.log(format_args!("dropped an event: {code} (id {method:#018x})"));
    }

    /// Logs a line, unless there were too many this second.
    pub(crate) fn log(&self, line: fmt::Arguments<'_>) {
        if self.handle.may_log() {
            log::warn!("{}", Brief(&line.to_string(), LOG_LINE));
        }
    }

    /// Logs the end of a connection, if somebody should look at it.
    pub(crate) fn log_close(&self, name: &EndpointName, reason: &CloseReason) {
        if is_ordinary(reason) {
            log::debug!("{name}: closed: {reason}");
        } else {
            let reason = reason.to_string();
            self.log(format_args!("{name}: closed: {}", Brief(&reason, self.limits.log_field)));
        }
    }
}

/// Nobody can ask for the calls that were served any more: the kernel need not remember which of
/// them were over. Nor is it memory of ours that is scarce.
impl Drop for LinkContext {
    fn drop(&mut self) {
        // The kernel outlives this, and would remember causes that nobody makes any more.
        for cause in self.serving.get_mut().cancelled() {
            self.handle.forget_cause(cause);
        }
        if self.memory.is_tight() {
            self.handle.save_memory(false);
        }
    }
}

/// Work offloaded for a call is done on account of the connection that the call came by.
impl Shares for LinkContext {
    fn share(&self, cause: Cause) -> Option<u64> {
        self.serving.borrow().share(cause)
    }
}

/// Returns whether an end is part of everyday life, rather than something to look at.
fn is_ordinary(reason: &CloseReason) -> bool {
    match reason {
        CloseReason::PeerBye { code, .. } => {
            matches!(code, peers_wire::ByeCode::Closed | peers_wire::ByeCode::Idle)
        }
        CloseReason::Local
        | CloseReason::RpcGone
        | CloseReason::EndOfStream
        | CloseReason::Unused
        | CloseReason::ConnectFailed { .. } => true,
        _ => false,
    }
}
