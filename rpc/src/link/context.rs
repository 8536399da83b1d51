//! Holds what all connections of one process share: the table of links, the calls being served, the
//! limits.

use crate::api::rpc::Counters;
use crate::limits::Limits;
use crate::link::name::EndpointName;
use crate::link::reject::Farewell;
use crate::link::served::Serving;
use crate::link::timers::Alarms;
use crate::link::{Link, Partings};
use crate::process::close::Waiting;
use crate::process::memory::Memory;
use crate::serve::backlog::Backlog;
use crate::serve::start::Object;
use crate::session::permits::Room;
use crate::session::text::Brief;
use crate::session::{CloseReason, Inbound};
use peers_kernel::{Cause, Handle, Instant, Shares, TimerId};
use peers_wire::{NodeId, RefusedCode, Trace};
use rand_core::Rng as _;
use slab::Slab;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

/// Says how often overdue served calls are looked for. Callers time out by themselves; this only
/// frees what they left.
const SWEEP: Duration = Duration::from_secs(1);

/// Bytes of memory for arguments that are kept for the next call.
pub(crate) const MOST_FOR_ARGUMENTS: usize = 4 << 10;

/// The most bytes of a line in the log.
const LOG_LINE: usize = 1_024;

pub(crate) struct Shared {
    pub(crate) handle: Handle,
    pub(crate) node: NodeId,
    pub(crate) limits: Rc<Limits>,
    pub(crate) me: Weak<Self>,
    pub(crate) links: RefCell<Slab<Rc<Link>>>,
    pub(crate) serving: RefCell<Serving>,
    /// Memory for frames that arrive in pieces.
    pub(crate) spare: Cell<Vec<u8>>,
    /// Bytes of memory that frames were given ahead of their arrival.
    pub(crate) ahead: Cell<usize>,
    /// Memory for the arguments of the next call.
    arguments: Cell<Vec<u8>>,
    /// Holds what cuts the input of links into frames, when none of them is at it.
    pub(crate) inbound: Cell<Option<Box<Inbound>>>,
    /// Set iff the process takes no new requests.
    pub(crate) closing: Cell<bool>,
    /// Says how often the process is being closed just now.
    pub(crate) closings: Cell<u32>,
    /// Set iff the owner has gone; the end may still be waiting for what is being closed.
    pub(crate) abandoned: Cell<bool>,
    /// Holds what other threads have under way to this process; there iff they can reach it.
    pub(crate) inbox: OnceCell<Arc<Room>>,
    /// Set iff the [`Rpc`](crate::Rpc) that this is the inside of is gone: no connection is made
    /// any more.
    pub(crate) ended: Cell<bool>,
    /// Objects that were bound lately. Connections that bind the same share it.
    pub(crate) bound: RefCell<VecDeque<Weak<dyn Object>>>,
    alarms: RefCell<Alarms>,
    /// The timer for the earliest of them.
    timer: Cell<Option<(Instant, TimerId)>>,
    pub(crate) tracing: Cell<bool>,
    /// Connections that have said goodbye, and whose peers may not have read it.
    pub(crate) partings: Partings,
    pub(crate) memory: Memory,
    /// The links with requests that wait for a turn.
    pub(crate) backlog: Backlog,
    pub(crate) counters: RefCell<Counters>,
    /// The most connections at a time.
    pub(crate) connections: usize,
    next_link: Cell<u64>,
    sweep: Cell<Option<TimerId>>,
    /// Holds what says goodbye to connections that are never used; listeners, which may live
    /// longer, share it.
    pub(crate) farewell: Rc<Farewell>,
    /// Those that go on when nothing is running any more, while closing.
    pub(crate) idle: RefCell<Vec<Weak<Waiting>>>,
}

impl Shared {
    pub(crate) fn new(handle: Handle, node: NodeId, limits: Limits) -> Rc<Self> {
        let three_quarters = |descriptors: usize| descriptors / 4 * 3;
        let connections = match limits.connections {
            Some(connections) => connections,
            None => handle.descriptor_limit().map_or(usize::MAX, three_quarters),
        };
        handle.set_log_rate(limits.log_rate);
        let limits = Rc::new(limits);
        let shared = Rc::new_cyclic(|me: &Weak<Self>| Self {
            farewell: Rc::new(Farewell::new(handle.clone(), node, limits.clone())),
            serving: RefCell::new(Serving::starting_at(handle.rng().next_u32())),
            memory: Memory::new(limits.process_bytes),
            handle,
            node,
            limits,
            me: me.clone(),
            links: RefCell::default(),
            spare: Cell::default(),
            ahead: Cell::default(),
            arguments: Cell::default(),
            inbound: Cell::default(),
            closing: Cell::new(false),
            closings: Cell::new(0),
            abandoned: Cell::new(false),
            inbox: OnceCell::new(),
            ended: Cell::new(false),
            bound: RefCell::default(),
            alarms: RefCell::default(),
            timer: Cell::new(None),
            tracing: Cell::new(false),
            partings: Partings::default(),
            backlog: Backlog::default(),
            counters: RefCell::default(),
            connections,
            next_link: Cell::new(1),
            sweep: Cell::new(None),
            idle: RefCell::default(),
        });
        shared.handle.share_work(shared.me.clone());
        shared
    }

    /// Memory to encode arguments into. Given back when they were sent, so that most calls need
    /// none of their own.
    #[inline]
    pub(crate) fn lend_memory(&self) -> Vec<u8> {
        self.arguments.take()
    }

    /// Takes such memory back.
    #[inline(always)]
    pub(crate) fn take_memory_back(&self, mut memory: Vec<u8>) {
        if memory.capacity() <= MOST_FOR_ARGUMENTS {
            memory.clear();
            self.arguments.set(memory);
        }
    }

    /// Gives back what was kept for connections to come: endpoints may be held for long after there
    /// are none.
    pub(crate) fn give_memory_back(&self) {
        drop((self.spare.take(), self.arguments.take(), self.inbound.take()));
    }

    pub(crate) fn next_link(&self) -> u64 {
        self.next_link.replace(self.next_link.get() + 1)
    }

    /// Forgets a link that has ended.
    pub(crate) fn remove(&self, link: &Link) {
        let gone = self.links.borrow_mut().try_remove(link.slot());
        drop(gone); // after the borrow: the last count of a link may own anything
        if self.links.borrow().is_empty() {
            self.alarms.take();
            self.stop_timer();
            self.settle_now();
        }
        self.call_finished();
    }

    /// Lets the link in that slot [`expire`](Link::expire) at that time, if it is due just then.
    pub(crate) fn wake(&self, slot: usize, at: Instant) {
        let slot = u32::try_from(slot).expect("fewer connections than descriptors fit a machine");
        let links = self.links.borrow();
        let mut alarms = self.alarms.borrow_mut();
        alarms.set(at, slot);
        alarms.sweep(links.len(), |at, slot| {
            links.get(slot as usize).is_some_and(|link| link.is_due_at(at))
        });
        // Setting a timer on a kernel that is gone drops whatever waits there.
        drop((links, alarms));
        if self.timer.get().is_none_or(|(next, _)| at < next) {
            self.start_timer(at);
        }
    }

    fn start_timer(&self, at: Instant) {
        self.stop_timer();
        let me = self.me.clone();
        let timer = self.handle.with_cause(Cause::NONE, || {
            self.handle.at(at, move || {
                if let Some(shared) = me.upgrade() {
                    shared.timer.set(None);
                    Ringing { shared: &shared }.ring();
                }
            })
        });
        self.timer.set(Some((at, timer)));
    }

    fn stop_timer(&self) {
        if let Some((_, timer)) = self.timer.take() {
            self.handle.cancel(timer);
        }
    }

    /// The next link that is due at `now`.
    fn next_due(&self, now: Instant) -> Option<Rc<Link>> {
        let (links, mut alarms) = (self.links.borrow(), self.alarms.borrow_mut());
        loop {
            let (at, slot) = alarms.take_due(now)?;
            let link = links.get(slot as usize).filter(|link| link.is_due_at(at));
            if link.is_some() {
                return link.cloned();
            }
        }
    }

    /// All links, for doing something to each: what that ends is removed from the table meanwhile.
    pub(crate) fn all_links(&self) -> Vec<Rc<Link>> {
        self.links.borrow().iter().map(|(_, link)| link.clone()).collect()
    }

    /// The place of a new call tree, when this process traces.
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

    /// Looks for overdue calls every second as long as there may be any.
    pub(crate) fn watch_deadlines(&self) {
        if self.sweep.get().is_some() {
            return;
        }
        let me = self.me.clone();
        let timer = self.handle.with_cause(Cause::NONE, || {
            self.handle.after(SWEEP, move || {
                if let Some(shared) = me.upgrade() {
                    shared.sweep();
                }
            })
        });
        self.sweep.set(Some(timer));
    }

    fn sweep(&self) {
        self.sweep.set(None);
        let overdue = self.serving.borrow().overdue(self.handle.now());
        for cause in overdue {
            let found = self.serving.borrow().origin(cause);
            if let Some((link, call)) = found
                && let Some(link) = link.upgrade()
            {
                link.overdue(cause, call);
            }
        }
        if self.serving.borrow().any_deadline() {
            self.watch_deadlines();
        }
        self.call_finished();
    }

    /// Something that was running is over: whoever waits for silence may go on.
    pub(crate) fn call_finished(&self) {
        if self.closing.get() && self.serving.borrow().running() == 0 {
            for waiting in self.idle.take().iter().filter_map(Weak::upgrade) {
                waiting.go_on_soon();
            }
        }
    }

    /// One line in the log, unless there were too many this second.
    pub(crate) fn log(&self, line: fmt::Arguments<'_>) {
        if self.handle.may_log() {
            log::warn!("{}", Brief(&line.to_string(), LOG_LINE));
        }
    }

    /// A line about the end of a connection, if somebody should look at it.
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
impl Drop for Shared {
    fn drop(&mut self) {
        for cause in self.serving.get_mut().cancelled() {
            self.handle.forget_cause(cause);
        }
        if self.memory.is_tight() {
            self.handle.save_memory(false);
        }
    }
}

/// Work offloaded for a call is done on account of the connection that the call came by.
impl Shares for Shared {
    fn share(&self, cause: Cause) -> Option<u64> {
        self.serving.borrow().share(cause)
    }
}

/// The alarms being gone through. However that ends, the timer is set for those that are left.
struct Ringing<'a> {
    shared: &'a Shared,
}

impl Ringing<'_> {
    /// Wakes who is due, within the turn's budget.
    fn ring(self) {
        let now = self.shared.handle.now();
        while let Some(link) = self.shared.next_due(now) {
            link.expire();
            if !self.shared.handle.spend() {
                return;
            }
        }
    }
}

impl Drop for Ringing<'_> {
    fn drop(&mut self) {
        let next = self.shared.alarms.borrow().next();
        if let Some(next) = next
            && self.shared.timer.get().is_none_or(|(at, _)| next < at)
        {
            self.shared.start_timer(next);
        }
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
