//! The core: what one kernel's parts share, and the only door to each of them.
//!
//! No user code runs here but in [`Core::catch`]; the turn is in [`crate::kernel`]. Invariants:
//! 1. No part is borrowed while user code runs or a user's value is dropped; it borrows the
//!    read buffer alone. Kept by `drain_queue`.
//! 2. After [`Core::close`] nothing is kept: what is handed in is dropped, one at a time, on a flat
//!    stack. Kept by `close`, `ending_a_kernel_with_deeply_nested_continuations_needs_no_stack`.
//! 3. `loss` is what a continuation dropped right now reports; `cause` is whose work runs right
//!    now. Kept by `a_panic_does_not_colour_the_losses_and_causes_of_later_tasks`.

pub(crate) mod budget;
pub(crate) mod buffer_pool;
pub(crate) mod cause;
pub(crate) mod clock;
pub(crate) mod cont;
pub(crate) mod dump;
mod ending;
pub(crate) mod fair;
pub(crate) mod handle;
pub(crate) mod heap;
pub(crate) mod lookups;
pub(crate) mod lost;
pub(crate) mod offload;
pub(crate) mod panics;
pub(crate) mod peer_cpu;
pub(crate) mod pending;
pub(crate) mod receiver;
pub(crate) mod remote;
pub(crate) mod rng;
pub(crate) mod sealing;
pub(crate) mod sources;
pub(crate) mod task;
pub(crate) mod timers;
pub(crate) mod turn_end;

use crate::core::budget::Meter;
use crate::core::buffer_pool::BufferPool;
use crate::core::cause::{Cancelled, Cause};
use crate::core::lookups::Lookups;
use crate::core::lost::Lost;
use crate::core::offload::Works;
use crate::core::panics::Panics;
use crate::core::peer_cpu::PeerCpu;
use crate::core::pending::{PendingConts, Ticket};
use crate::core::remote::Inbox;
use crate::core::sealing::Sealing;
use crate::core::sources::{Watch, Watches};
use crate::core::task::{Action, Entry, Queue, Task};
use crate::core::timers::{TimerId, Timers};
use crate::core::turn_end::TurnEnd;
use crate::host::gone;
use crate::host::ready::{Key, Readiness};
use crate::host::rng::ForkedRng;
use crate::host::throttle::Throttle;
use crate::host::time::Clock;
use crate::host::time::Instant;
use crate::host::{Host, Mode};
use std::cell::{Cell, RefCell, RefMut};
use std::io;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::rc::Rc;

/// Bytes of the buffer that all streams of a loop read into. One read should bring no more small
/// messages than a turn's budget lets run: what it leaves over has to be copied.
pub(crate) const READ_BUFFER: usize = 48 * 1024;

/// Holds what [`Kernel`](crate::Kernel) owns and every handle points to.
pub(crate) struct Core {
    queue: RefCell<Queue>,
    /// Says whose work runs right now.
    pub(crate) cause: Cell<Cause>,
    pub(crate) cancelled: Cancelled,
    /// Holds what a continuation reports that is dropped right now.
    pub(crate) loss: Cell<Lost>,
    /// True iff a node's handler is on the stack.
    pub(crate) inside: Cell<bool>,
    /// True iff the kernel lives.
    open: Cell<bool>,
    /// True iff the loop of [`Core::drop_queue`] is on the stack.
    dropping_queue: Cell<bool>,
    pub(crate) stopping: Cell<bool>,
    now: Cell<Instant>,
    pub(crate) latest: Cell<Instant>,
    /// Since when what the source has to give that runs right now may have been there.
    pub(crate) arrived: Cell<Instant>,
    pub(crate) meter: Meter,
    pub(crate) panics: Panics,
    pub(crate) throttle: Rc<Throttle>,
    host: RefCell<Rc<dyn Host>>,
    pub(crate) coarse: Box<dyn Clock>,
    timers: RefCell<Timers>,
    watches: RefCell<Watches>,
    flushes: RefCell<Vec<Rc<dyn Watch>>>,
    /// Holds what wants to know that the tasks of this turn are over.
    endings: RefCell<Vec<Rc<dyn TurnEnd>>>,
    read_buffer: RefCell<Vec<u8>>,
    /// Memory for outputs.
    pub(crate) buffers: BufferPool,
    pub(crate) peer_cpu: PeerCpu,
    pub(crate) sealing: Sealing,
    /// Continuations that nobody resumed yet.
    pub(crate) pending: PendingConts,
    pub(crate) works: Works,
    pub(crate) lookups: Lookups,
    pub(crate) inbox: Inbox,
    pub(crate) rng: RefCell<ForkedRng>,
}

impl Core {
    pub(crate) fn new(host: Rc<dyn Host>) -> io::Result<Rc<Self>> {
        let rng = ForkedRng::from_seed(&*host.entropy()?, host.mode());
        Ok(Rc::new(Self {
            queue: RefCell::default(),
            cause: Cell::default(),
            cancelled: Cancelled::default(),
            loss: Cell::new(Lost::Dropped),
            inside: Cell::new(false),
            open: Cell::new(true),
            dropping_queue: Cell::new(false),
            stopping: Cell::new(false),
            now: Cell::new(host.now()),
            latest: Cell::new(host.now()),
            arrived: Cell::default(),
            meter: Meter::new(),
            panics: Panics::default(),
            throttle: Throttle::new(host.clock()),
            timers: RefCell::default(),
            watches: RefCell::default(),
            flushes: RefCell::default(),
            endings: RefCell::default(),
            read_buffer: RefCell::default(),
            buffers: BufferPool::default(),
            peer_cpu: PeerCpu::default(),
            sealing: Sealing::default(),
            pending: PendingConts::default(),
            works: Works::new(host.mode() == Mode::Real),
            lookups: Lookups::default(),
            inbox: Inbox::new(host.waker()),
            rng: RefCell::new(rng),
            coarse: host.clock(),
            host: RefCell::new(host),
        }))
    }

    /// Returns the clock of this turn.
    #[inline]
    pub(crate) fn now(&self) -> Instant {
        self.now.get()
    }

    /// Reads the host's clock. Once a turn, and only by the turn.
    pub(crate) fn read_clock(&self) {
        let now = self.host.borrow().now();
        self.now.set(now);
        self.latest.set(now);
    }

    /// Returns the outside; after the end of the kernel, one where everything fails.
    pub(crate) fn host(&self) -> Rc<dyn Host> {
        self.host.borrow().clone()
    }

    /// Returns whether the kernel lives.
    pub(crate) fn is_open(&self) -> bool {
        self.open.get()
    }

    /// Fails if the kernel has ended: for what cannot be done without one and is able to say so.
    pub(crate) fn check_open(&self) -> io::Result<()> {
        if self.is_open() { Ok(()) } else { gone::gone() }
    }

    // ---- the ready queue

    /// Queues a task.
    #[inline(always)]
    pub(crate) fn push(&self, cause: Cause, task: Box<dyn Task>) {
        self.queue.borrow_mut().push_back(Entry { cause, action: Action::Task(task) });
        // Nobody runs the queue of a kernel that has ended, so what it holds is dropped here.
        if !self.open.get() {
            self.drop_queue()
        }
    }

    /// Queues the handler of a continuation, which nobody waits for any more.
    #[inline(always)]
    pub(crate) fn resume(&self, ticket: Ticket, cause: Cause, handler: Box<dyn Task>) {
        self.pending.leave(ticket);
        self.push(cause, handler)
    }

    /// Takes the next entry, if the turn's budget allows to run one.
    #[inline]
    pub(crate) fn next_entry(&self) -> Option<Entry> {
        // In this order: looking at the budget may read the clock.
        let is_empty = self.queue.borrow().is_empty();
        if !is_empty && (self.meter.tick() || self.check_budget()) {
            self.queue.borrow_mut().pop_front()
        } else {
            None
        }
    }

    #[cold]
    #[inline(never)]
    fn check_budget(&self) -> bool {
        !self.panics.has_failed() && self.meter.check(&**self.host.borrow())
    }

    /// Charges one unit to the turn; see [`Handle::spend`](crate::Handle::spend).
    #[inline]
    pub(crate) fn spend(&self) -> bool {
        if self.meter.has_time(self.look_at_clock()) {
            self.meter.tick() || self.spend_more()
        } else {
            self.meter.interrupt(); // whoever looks next looks exactly
            false
        }
    }

    #[cold]
    fn spend_more(&self) -> bool {
        !self.panics.has_failed() && self.meter.spend(&**self.host.borrow())
    }

    /// Ends the turn's tasks.
    pub(crate) fn finish_tasks(&self) {
        self.meter.finish(&**self.host.borrow())
    }

    /// Returns whether no part is borrowed: so it must be wherever user code begins.
    pub(crate) fn is_unborrowed(&self) -> bool {
        let lists = self.queue.try_borrow_mut().is_ok()
            && self.flushes.try_borrow_mut().is_ok()
            && self.endings.try_borrow_mut().is_ok();
        let tables = self.timers.try_borrow_mut().is_ok() && self.watches.try_borrow_mut().is_ok();
        lists && tables && self.read_buffer.try_borrow_mut().is_ok()
    }

    pub(crate) fn is_ready(&self) -> bool {
        !self.queue.borrow().is_empty()
            || !self.flushes.borrow().is_empty()
            || !self.endings.borrow().is_empty()
            || self.sealing.somebody_waits()
    }

    pub(crate) fn queued(&self) -> usize {
        self.queue.borrow().len()
    }

    // ---- timers

    /// Arms a timer of the kernel's own, on nobody's behalf.
    pub(crate) fn at(&self, at: Instant, task: Box<dyn Task>) -> TimerId {
        self.at_for(Cause::NONE, at, task)
    }

    /// Arms a timer.
    pub(crate) fn at_for(&self, cause: Cause, at: Instant, task: Box<dyn Task>) -> TimerId {
        if !self.open.get() {
            // Dropped by the queue, on a flat stack: the task may own timers of its own.
            self.push(Cause::NONE, task);
            return TimerId::NEVER;
        }
        self.timers.borrow_mut().insert(at, cause, task)
    }

    /// Disarms all timers of that cause.
    pub(crate) fn cancel_timers_of(&self, cause: Cause) -> Vec<Box<dyn Task>> {
        self.timers.borrow_mut().cancel_caused_by(cause)
    }

    /// Disarms a timer; true if it would have fired.
    pub(crate) fn cancel(&self, id: TimerId) -> bool {
        // Bound first, so that nothing is borrowed when the task is dropped: it may own anything.
        let task = self.timers.borrow_mut().cancel(id);
        let Some(task) = task else { return false };
        self.let_go(task.born(), task);
        true
    }

    /// Returns when the next timer is due; one at [`Instant::FAR`] never is.
    pub(crate) fn next_timer(&self) -> Option<Instant> {
        self.timers.borrow_mut().next().filter(|due| *due < Instant::FAR)
    }

    pub(crate) fn timers(&self) -> usize {
        self.timers.borrow().len()
    }

    /// Queues the timers that are due, `limit` at most: the others wait for the next turn.
    pub(crate) fn expire(&self, limit: u32) {
        // No user code runs or is dropped in here, so both may be borrowed throughout.
        let (mut timers, mut queue) = (self.timers.borrow_mut(), self.queue.borrow_mut());
        for _ in 0..limit {
            let Some(entry) = timers.pop_due(self.now.get()) else { return };
            queue.push_back(entry);
        }
    }

    // ---- sources

    /// Makes a fresh key, for a host that must know it before the source exists. Ends by
    /// [`Core::unregister`].
    pub(crate) fn reserve(&self) -> Key {
        self.watches.borrow_mut().reserve()
    }

    /// Lets `watch` be called for `key`. The kernel holds it until [`Core::unregister`].
    pub(crate) fn fill(&self, key: Key, watch: Rc<dyn Watch>) {
        // Dropped when nothing is borrowed, since it may own anything.
        let earlier = self.watches.borrow_mut().fill(key, watch);
        drop(earlier);
    }

    /// Forgets the source of that key, and drops it unless someone else holds it.
    pub(crate) fn unregister(&self, key: Key) {
        let watch = self.watches.borrow_mut().remove(key);
        drop(watch);
    }

    /// Queues a source, as if the host had reported `readiness`, which may have been there since
    /// that instant.
    pub(crate) fn note(&self, key: Key, readiness: Readiness, since: Instant) {
        // Only the first readiness makes an entry: a source is queued once at a time.
        if self.watches.borrow_mut().note(key, readiness, since) {
            self.queue
                .borrow_mut()
                .push_back(Entry { cause: Cause::NONE, action: Action::Ready(key) });
        }
    }

    /// Returns what the loop calls for a queued source.
    pub(crate) fn take_noted(&self, key: Key) -> Option<(Rc<dyn Watch>, Readiness)> {
        let (watch, readiness, since) = self.watches.borrow_mut().take(key)?;
        self.arrived.set(since);
        Some((watch, readiness))
    }

    pub(crate) fn sources(&self) -> Vec<Rc<dyn Watch>> {
        self.watches.borrow().all()
    }

    /// Calls `ending` once when the tasks of this turn are over.
    pub(crate) fn at_turn_end(&self, ending: Rc<dyn TurnEnd>) {
        if self.open.get() {
            self.endings.borrow_mut().push(ending);
        }
    }

    pub(crate) fn has_endings(&self) -> bool {
        !self.endings.borrow().is_empty()
    }

    pub(crate) fn take_endings(&self) -> Vec<Rc<dyn TurnEnd>> {
        self.endings.take()
    }

    /// Gives the list of endings its memory back.
    pub(crate) fn recycle_endings(&self, spent: Vec<Rc<dyn TurnEnd>>) {
        recycle(&self.endings, spent)
    }

    /// Calls [`Watch::flush`] once at the end of this turn, for each call made here.
    pub(crate) fn want_flush(&self, watch: Rc<dyn Watch>) {
        if self.open.get() {
            self.flushes.borrow_mut().push(watch);
        }
    }

    pub(crate) fn wants_flush(&self) -> bool {
        !self.flushes.borrow().is_empty()
    }

    pub(crate) fn take_flushes(&self) -> Vec<Rc<dyn Watch>> {
        self.flushes.take()
    }

    /// Gives the list of flushes its memory back.
    pub(crate) fn recycle_flushes(&self, spent: Vec<Rc<dyn Watch>>) {
        recycle(&self.flushes, spent)
    }

    /// Returns the buffer all streams read into, empty, with room for [`READ_BUFFER`] bytes. The
    /// handler that gets the bytes borrows it: whoever holds it may run user code, because only the
    /// loop reads, one source at a time.
    pub(crate) fn read_buffer(&self) -> RefMut<'_, Vec<u8>> {
        let mut buffer = self.read_buffer.borrow_mut();
        buffer.clear();
        buffer.reserve_exact(READ_BUFFER);
        buffer
    }

    /// Returns whether anything is left that could ever make a task.
    pub(crate) fn is_alive(&self) -> bool {
        !self.watches.borrow().is_empty()
            || self.timers.borrow().len() > 0
            || self.is_ready()
            || !self.works.is_empty()
            || self.inbox.is_alive()
    }

    /// Gives memory back that is kept for what is to come.
    pub(crate) fn release_memory(&self) {
        self.buffers.clear();
        self.sealing.clear();
        // A handler that asks for this may hold the buffer, since its input lies in there.
        if let Ok(mut buffer) = self.read_buffer.try_borrow_mut() {
            *buffer = Vec::new();
        }
        self.host().give_pages_back();
    }

    // ---- panics and losses

    /// Notes where the code that runs from here on was made: for panics and slow handlers.
    #[inline]
    pub(crate) fn running(&self, born: &'static Location<'static>) {
        self.meter.running(born)
    }

    /// Runs user code made at `born`; a panic is logged, and is `None`. After the first one a
    /// strict kernel runs nothing.
    pub(crate) fn catch<R>(
        &self,
        born: &'static Location<'static>,
        f: impl FnOnce() -> R,
    ) -> Option<R> {
        if self.panics.has_failed() {
            self.drop_quietly(f);
            return None;
        }
        self.running(born);
        self.attempt(f)
    }

    /// Runs code of a user's that belongs to no handler, such as a secure layer's, as
    /// [`catch`](Self::catch) does.
    pub(crate) fn survive<R>(&self, f: impl FnOnce() -> R) -> Option<R> {
        if self.panics.has_failed() { None } else { self.attempt(f) }
    }

    #[inline]
    fn attempt<R>(&self, f: impl FnOnce() -> R) -> Option<R> {
        // A panic must not colour what runs behind it: not its cause, not its losses.
        let outer = (self.cause.get(), self.loss.get(), self.inside.get());
        match catch_unwind(AssertUnwindSafe(f)) {
            Ok(value) => Some(value),
            Err(payload) => {
                self.cause.set(outer.0);
                self.loss.set(outer.1);
                self.inside.set(outer.2);
                self.report(self.meter.last(), payload);
                None
            }
        }
    }

    /// Drops `value`; continuations it owns report `why`.
    pub(crate) fn lose<V>(&self, why: Lost, value: V) {
        let _restore = Restore { cell: &self.loss, outer: self.loss.replace(why) };
        drop(value)
    }

    /// Runs `f` with another cause.
    pub(crate) fn with_cause<R>(&self, cause: Cause, f: impl FnOnce() -> R) -> R {
        let _restore = Restore { cell: &self.cause, outer: self.cause.replace(cause) };
        f()
    }
}

/// Lets a list that is empty again use its former memory.
fn recycle<V>(list: &RefCell<Vec<V>>, mut spent: Vec<V>) {
    spent.clear();
    let mut list = list.borrow_mut();
    // What was added meanwhile stays, and with it the memory that it came to.
    if list.is_empty() {
        *list = spent;
    }
}

/// Puts a former value back, after a panic as well.
struct Restore<'a, V: Copy> {
    cell: &'a Cell<V>,
    outer: V,
}

impl<V: Copy> Drop for Restore<'_, V> {
    fn drop(&mut self) {
        self.cell.set(self.outer)
    }
}
