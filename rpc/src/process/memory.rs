//! Counts what this process holds for its peers, all connections together, and what is done when
//! that is much.
//!
//! Counted are the memory of outputs, which the kernel knows at any time, and what links tell at
//! the end of each batch: requests that wait on either side, and frames that have begun. So asking
//! how much there is costs two additions.
//!
//! Invariants:
//! 1. `told` is the sum of what living links have told last.
//! 2. Sessions are restrained iff it is tight: from three quarters of
//!    [`Limits::process_bytes`](crate::Limits::process_bytes) on, until it is half again.
//! 3. While it is tight, it is looked at again every few milliseconds.
//! 4. There is a second timer iff much was held and what was kept for it has not been given back.

use crate::link::Link;
use crate::link::context::Shared;
use crate::session::CloseReason;
use peers_kernel::{Cause, Instant, Outlet, TimerId};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// Says how soon it is looked at again while it is tight.
const SOON: Duration = Duration::from_millis(10);

/// A connection that has made no progress for so long is ended before others that have.
const STUCK: Duration = Duration::from_secs(1);

/// Is much, in bytes: it is worth asking the system how much it lets the process have, and giving
/// back what was kept once they are half of it again.
const MUCH: usize = 2 << 20;
/// Says how often the system is asked.
const ASK_AGAIN: Duration = Duration::from_millis(250);
/// Says how often it is looked whether there is little again.
const SETTLED: Duration = Duration::from_secs(1);

/// Says how often it is found out how much is held that is not ours, while that matters.
const SORT_AGAIN: Duration = Duration::from_millis(100);

/// Names the part of what may be held that may have been freed and not be back with the system. It
/// lies in holes, which what comes next need not fit into.
const IN_HOLES: usize = 16;

/// Connections that are ended at a time, at most.
const AT_ONCE: usize = 64;

/// Holds what is held, and by whom.
pub(crate) struct Memory {
    most: Cell<usize>,
    /// Holds the bytes of outputs of this loop that are not ours, as far as was worth finding out:
    /// other streams of the program, another `Rpc`.
    foreign: Cell<usize>,
    /// Some iff that was found out: then when.
    sorted: Cell<Option<Instant>>,
    /// Holds how much it is, that of others included, from which on no request is started or made.
    full: Cell<usize>,
    /// Holds the limit as it was stated, which applies if the system lets the process have enough.
    stated: usize,
    /// Some iff half of what the system lets the process have is the most: when it was asked last.
    asked: Cell<Option<Instant>>,
    /// From so much on it is looked at closely.
    attention: Cell<usize>,
    told: Cell<usize>,
    tight: Cell<bool>,
    /// Set iff a task will see to it that there is room.
    relieving: Cell<bool>,
    timer: Cell<Option<TimerId>>,
    /// Some iff much was held: then when it is to be seen whether there is little again.
    settling: Cell<Option<TimerId>>,
    /// Holds the bytes that have been freed by ending connections while it was tight, and may not
    /// be back with the system.
    freed: Cell<usize>,
    /// The outputs of links that have ended, which may be leaving still.
    leaving: RefCell<Vec<Outlet>>,
}

/// Says who holds most.
enum Holder {
    Link(Rc<Link>),
    Leaving(usize),
}

impl Memory {
    pub(crate) fn new(most: usize) -> Self {
        let (told, tight, relieving) = (Cell::default(), Cell::default(), Cell::default());
        Self {
            most: Cell::new(most),
            foreign: Cell::default(),
            sorted: Cell::default(),
            full: Cell::new(most),
            stated: most,
            asked: Cell::default(),
            attention: Cell::new(attention(most)),
            told,
            tight,
            relieving,
            timer: Cell::default(),
            settling: Cell::default(),
            freed: Cell::default(),
            leaving: RefCell::default(),
        }
    }

    /// Allows so much, besides so much that is not ours.
    fn allow(&self, most: usize, foreign: usize) {
        self.most.set(most);
        self.foreign.set(foreign);
        self.full.set(most.saturating_add(foreign));
        // What is not ours may go without a word, so it is looked at again and again.
        self.attention.set(if foreign > 0 { 0 } else { attention(most) });
    }

    /// A link tells something else than before.
    pub(crate) fn tell(&self, before: usize, now: usize) {
        self.told.set(self.told.get() + now - before);
    }

    /// Returns what living links have told.
    pub(crate) fn told(&self) -> usize {
        self.told.get()
    }

    /// Returns whether new requests of ours are to wait.
    pub(crate) fn is_tight(&self) -> bool {
        self.tight.get()
    }

    /// Notes that a connection that is ended holds so much.
    pub(crate) fn frees(&self, bytes: usize) {
        if self.tight.get() {
            self.freed.set(self.freed.get() + bytes);
        }
    }

    /// Minds the output of a link that has ended.
    pub(crate) fn leave(&self, outlet: &Outlet) {
        if outlet.memory() == 0 {
            return;
        }
        let mut leaving = self.leaving.borrow_mut();
        if leaving.len() == leaving.capacity() {
            leaving.retain(|outlet| outlet.memory() > 0);
        }
        leaving.push(outlet.clone());
    }
}

impl Shared {
    /// Bytes that the process holds for its peers.
    #[inline]
    pub(crate) fn held(&self) -> usize {
        self.handle.output_memory() + self.memory.told.get()
    }

    /// Returns whether no request may be started or made.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.held() >= self.memory.full.get()
    }

    /// Returns whether so much is held of our own.
    fn holds(&self, bytes: usize) -> bool {
        self.held() >= bytes.saturating_add(self.memory.foreign.get())
    }

    /// Finds out how much is held that is not ours, unless that was done just now.
    fn sort(&self, now: Instant) {
        if self.memory.sorted.get().is_some_and(|sorted| now.since(sorted) < SORT_AGAIN) {
            return;
        }
        self.memory.sorted.set(Some(now));
        let leaving: usize = self.memory.leaving.borrow().iter().map(Outlet::memory).sum();
        let links: usize = self.links.borrow().iter().map(|(_, link)| link.output_memory()).sum();
        let foreign = self.handle.output_memory().saturating_sub(leaving + links);
        self.memory.allow(self.memory.most.get(), foreign);
    }

    /// Keeps to half of what the system lets the process have, if that is less than what was
    /// stated, from now on. It is asked again when there is something to hold: limits change, and
    /// processes are put under them after their start.
    pub(crate) fn follow_system(&self) {
        let half = |bytes: u64| usize::try_from(bytes / 2).unwrap_or(usize::MAX);
        let system = self.handle.memory_limit().map_or(usize::MAX, half);
        self.memory.asked.set(Some(self.handle.now()));
        self.memory.allow(self.memory.stated.min(system), self.memory.foreign.get());
    }

    /// Looks whether there is much, after something was added.
    #[inline]
    pub(crate) fn weigh(&self) {
        if self.held() >= self.memory.attention.get() {
            self.look_closely();
        }
    }

    #[cold]
    fn look_closely(&self) {
        let now = self.handle.now();
        if self.memory.asked.get().is_some_and(|asked| now.since(asked) >= ASK_AGAIN) {
            self.follow_system();
        }
        let most = self.memory.most.get();
        if self.holds(tight_from(most)) || self.memory.foreign.get() > 0 {
            self.sort(now);
        }
        if self.memory.settling.get().is_none() && self.holds(attention(most)) {
            self.settle_later();
        }
        if !self.holds(tight_from(most)) {
            return;
        }
        if !self.memory.tight.replace(true) {
            for link in self.all_links() {
                link.restrain(true);
            }
            self.give_memory_back();
            self.handle.save_memory(true);
            self.look_soon();
        }
        if self.is_full() && !self.memory.relieving.replace(true) {
            let me = self.me.clone();
            self.handle.with_cause(Cause::NONE, || {
                self.handle.schedule(move || {
                    if let Some(shared) = me.upgrade() {
                        shared.relieve();
                    }
                })
            });
        }
    }

    fn look_soon(&self) {
        let me = self.me.clone();
        let timer = self.handle.with_cause(Cause::NONE, || {
            self.handle.after(SOON, move || {
                if let Some(shared) = me.upgrade() {
                    shared.look_again();
                }
            })
        });
        if let Some(earlier) = self.memory.timer.replace(Some(timer)) {
            self.handle.cancel(earlier);
        }
    }

    fn look_again(&self) {
        self.memory.timer.take();
        self.relieve();
        self.fill_holes(IN_HOLES * 4);
        if self.holds(self.memory.most.get() / 2 + 1) && !self.ended.get() {
            return self.look_soon();
        }
        self.memory.tight.set(false);
        self.handle.save_memory(false);
        for link in self.all_links() {
            link.restrain(false);
        }
    }

    fn settle_later(&self) {
        let me = self.me.clone();
        let timer = self.handle.with_cause(Cause::NONE, || {
            self.handle.after(SETTLED, move || {
                if let Some(shared) = me.upgrade() {
                    shared.look_whether_settled();
                }
            })
        });
        self.memory.settling.set(Some(timer));
    }

    fn look_whether_settled(&self) {
        self.memory.settling.take();
        if self.memory.is_tight() || self.holds(attention(self.memory.most.get()) / 2 + 1) {
            return self.settle_later();
        }
        self.settle();
    }

    /// Gives back what was kept.
    fn settle(&self) {
        self.memory.freed.set(0);
        self.give_memory_back();
        self.handle.release_memory();
    }

    /// Gives back what was kept at once, since the last connection has gone: nothing is to wait for
    /// a timer of ours.
    pub(crate) fn settle_now(&self) {
        if let Some(timer) = self.memory.settling.take() {
            self.handle.cancel(timer);
            self.settle();
        }
    }

    /// Gives freed memory back to the system, if it is more than this part of what may be held:
    /// what comes next may not fit into the holes that it has left.
    fn fill_holes(&self, part: usize) {
        if self.memory.freed.get() > self.memory.most.get() / part {
            self.memory.freed.set(0);
            self.handle.give_pages_back();
        }
    }

    /// Ends who holds most of those that make no progress, else who holds most, until there is
    /// room.
    pub(crate) fn relieve(&self) {
        self.memory.relieving.set(false);
        self.sort(self.handle.now());
        for _ in 0..AT_ONCE {
            self.fill_holes(IN_HOLES);
            if !self.is_full() {
                return;
            }
            match self.worst(self.handle.now()) {
                None => return, // what is held is not ours
                Some(Holder::Link(link)) => {
                    self.counters.borrow_mut().relieved += 1;
                    link.end(CloseReason::SlowPeer);
                }
                Some(Holder::Leaving(at)) => {
                    let outlet = self.memory.leaving.borrow_mut().swap_remove(at);
                    self.memory.frees(outlet.memory());
                    outlet.abort();
                }
            }
        }
    }

    /// Returns who is to be ended first; `None` if nothing is held that is ours to end.
    fn worst(&self, now: Instant) -> Option<Holder> {
        self.memory.leaving.borrow_mut().retain(|outlet| outlet.memory() > 0);
        let leaving = self.memory.leaving.borrow();
        let leaving = leaving.iter().enumerate().map(|(at, outlet)| {
            ((is_stuck(outlet.stalled(), now), outlet.memory()), Holder::Leaving(at))
        });
        let links = self.links.borrow();
        let links = links.iter().map(|(_, link)| {
            ((is_stuck(link.stalled(), now), link.weight()), Holder::Link(link.clone()))
        });
        let mut worst = None;
        for (key, holder) in leaving.chain(links) {
            if key.1 > 0 && worst.as_ref().is_none_or(|(most, _)| key > *most) {
                worst = Some((key, holder));
            }
        }
        worst.map(|(_, holder)| holder)
    }
}

/// From how much on new requests wait.
const fn tight_from(most: usize) -> usize {
    most / 4 * 3
}

/// Returns from how much on it is looked at closely.
fn attention(most: usize) -> usize {
    tight_from(most).min(MUCH)
}

/// Returns whether nothing has gone on since then for so long that it counts.
fn is_stuck(since: Option<Instant>, now: Instant) -> bool {
    since.is_some_and(|since| now.since(since) >= STUCK)
}
