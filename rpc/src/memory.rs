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

use crate::link::Link;
use crate::session::CloseReason;
use crate::shared::Shared;
use peers_kernel::{Cause, Instant, Outlet, TimerId};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// Says how soon it is looked at again while it is tight.
const SOON: Duration = Duration::from_millis(10);

/// A connection that has made no progress for so long is ended before others that have.
const STUCK: Duration = Duration::from_secs(1);

/// Says how long after a tight time what is kept for the next time is given back.
const SETTLED: Duration = Duration::from_secs(3);

/// Bytes from which on it is worth asking the system how much it lets the process have, and how
/// often.
const WORTH_ASKING: usize = 2 << 20;
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// Connections that are ended at a time, at most.
const AT_ONCE: usize = 64;

/// Holds what is held, and by whom.
pub(crate) struct Memory {
    most: Cell<usize>,
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
            stated: most,
            asked: Cell::default(),
            attention: Cell::new(tight_from(most)),
            told,
            tight,
            relieving,
            timer: Cell::default(),
            leaving: RefCell::default(),
        }
    }

    fn set_most(&self, most: usize) {
        self.most.set(most);
        let early = if self.asked.get().is_some() { WORTH_ASKING } else { usize::MAX };
        self.attention.set(tight_from(most).min(early));
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
        self.held() >= self.memory.most.get()
    }

    /// Keeps to half of what the system lets the process have, if that is less than what was
    /// stated, from now on. It is asked again when there is something to hold: limits change, and
    /// processes are put under them after their start.
    pub(crate) fn follow_system(&self) {
        let half = |bytes: u64| usize::try_from(bytes / 2).unwrap_or(usize::MAX);
        let system = self.handle.memory_limit().map_or(usize::MAX, half);
        self.memory.asked.set(Some(self.handle.now()));
        self.memory.set_most(self.memory.stated.min(system));
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
        if self.held() < tight_from(self.memory.most.get()) {
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
        if self.held() > self.memory.most.get() / 2 && !self.ended.get() {
            return self.look_soon();
        }
        self.memory.tight.set(false);
        self.handle.save_memory(false);
        for link in self.all_links() {
            link.restrain(false);
        }
        let me = self.me.clone();
        self.handle.with_cause(Cause::NONE, || {
            self.handle.after(SETTLED, move || {
                if let Some(shared) = me.upgrade().filter(|shared| !shared.memory.is_tight()) {
                    shared.give_memory_back();
                    shared.handle.release_memory();
                }
            })
        });
    }

    /// Ends who holds most of those that make no progress, else who holds most, until there is
    /// room.
    pub(crate) fn relieve(&self) {
        self.memory.relieving.set(false);
        for _ in 0..AT_ONCE {
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
                    outlet.abort();
                }
            }
        }
    }

    /// Returns who is to be ended first; `None` if most of what is held is other streams' of the
    /// program.
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
        let (mut all, mut worst) = (0, None);
        for (key, holder) in leaving.chain(links) {
            all += key.1;
            if key.1 > 0 && worst.as_ref().is_none_or(|(most, _)| key > *most) {
                worst = Some((key, holder));
            }
        }
        worst.filter(|_| all >= self.memory.most.get() / 2).map(|(_, holder)| holder)
    }
}

/// From how much on new requests wait.
const fn tight_from(most: usize) -> usize {
    most / 4 * 3
}

/// Returns whether nothing has gone on since then for so long that it counts.
fn is_stuck(since: Option<Instant>, now: Instant) -> bool {
    since.is_some_and(|since| now.since(since) >= STUCK)
}
