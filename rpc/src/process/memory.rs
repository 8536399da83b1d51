//! Sees to it that this process does not hold more for its peers than it may.
//!
//! Invariants:
//! 1. Sessions are restrained iff it is tight: from three quarters of
//!    [`Limits::process_bytes`](crate::Limits::process_bytes) on, until it is half again. Kept by
//!    `from_three_quarters_on_our_requests_wait_and_at_all_of_it_they_are_refused`.
//! 2. While it is tight, it is looked at again every few milliseconds. Requests that wait are let
//!    go then if it is they that make it so. Kept by `tests/process_memory.rs`.
//! 3. There is a second timer iff much was held and what was kept for it has not been given back.
//!    Kept by `give_back_later`.

use crate::link::Link;
use crate::link::context::LinkContext;
use crate::link::memory::{attention, tight_from};
use crate::session::{CloseReason, Session};
use peers_kernel::{Cause, Instant, Outlet};
use std::rc::Rc;
use std::time::Duration;

/// Says how soon it is looked at again while it is tight.
const SOON: Duration = Duration::from_millis(10);

/// A connection that has made no progress for so long is ended before others that have.
const STUCK: Duration = Duration::from_secs(1);

/// Says how often the system is asked.
const ASK_AGAIN: Duration = Duration::from_millis(250);
/// Says how often it is looked whether there is little again.
const LITTLE_AGAIN: Duration = Duration::from_secs(1);

/// Says how often it is found out how much is held that is not ours, while that matters.
const SORT_AGAIN: Duration = Duration::from_millis(100);

/// Names the part of what may be held that may have been freed and not be back with the system. It
/// lies in holes, which what comes next need not fit into.
const IN_HOLES: usize = 16;

/// Connections that are ended at a time, at most.
const AT_ONCE: usize = 64;

/// Says who holds most.
enum Holder {
    Link(Rc<Link>),
    Leaving(usize),
}

impl LinkContext {
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

    /// Sees to it that there is room again, or will be.
    #[cold]
    pub(crate) fn look_closely(&self) {
        let now = self.handle.now();
        if self.memory.asked.get().is_some_and(|asked| now.since(asked) >= ASK_AGAIN) {
            self.follow_system();
        }
        let most = self.memory.most.get();
        if self.holds(tight_from(most)) || self.memory.foreign.get() > 0 {
            self.sort(now);
        }
        if self.memory.giving_back.get().is_none() && self.holds(attention(most)) {
            self.give_back_later();
        }
        // Below that, being looked at is all that happens.
        if !self.holds(tight_from(most)) {
            return;
        }
        if !self.memory.tight.replace(true) {
            for link in self.all_links() {
                link.restrain(true);
            }
            self.buffers.give_back();
            self.handle.save_memory(true);
            self.look_soon();
        }
        // In a task of its own: whoever counts here may be in the middle of a connection's step.
        if self.is_full() && !self.memory.relieving.replace(true) {
            let me = self.me.clone();
            self.handle.with_cause(Cause::NONE, || {
                self.handle.schedule(move || {
                    if let Some(context) = me.upgrade() {
                        context.relieve();
                    }
                })
            });
        }
    }

    fn look_soon(&self) {
        let me = self.me.clone();
        let timer = self.handle.with_cause(Cause::NONE, || {
            self.handle.after(SOON, move || {
                if let Some(context) = me.upgrade() {
                    context.look_again();
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
        // Down to half, so that it does not become tight again with the next frame.
        if self.holds(self.memory.most.get() / 2 + 1) && !self.shutdown.ended.get() {
            self.let_some_go();
            return self.look_soon();
        }
        self.memory.tight.set(false);
        self.handle.save_memory(false);
        for link in self.all_links() {
            link.restrain(false);
        }
    }

    /// Lets requests go that wait, as far as there is room for them in the output, if without them
    /// there would be little: then letting them wait on makes no room, for ever.
    fn let_some_go(&self) {
        let links = self.all_links();
        let waiting: usize = links.iter().map(|link| link.ask(Session::waiting_memory)).sum();
        if !self.holds(self.memory.most.get() / 2 + 1 + waiting) {
            for link in links {
                link.restrain(false);
                link.restrain(true);
            }
        }
    }

    fn give_back_later(&self) {
        debug_assert!(self.memory.giving_back.get().is_none(), "one timer is enough");
        let me = self.me.clone();
        let timer = self.handle.with_cause(Cause::NONE, || {
            self.handle.after(LITTLE_AGAIN, move || {
                if let Some(context) = me.upgrade() {
                    context.look_whether_little();
                }
            })
        });
        self.memory.giving_back.set(Some(timer));
    }

    fn look_whether_little(&self) {
        self.memory.giving_back.take();
        if self.memory.is_tight() || self.holds(attention(self.memory.most.get()) / 2 + 1) {
            return self.give_back_later();
        }
        self.give_back();
    }

    /// Gives back what was kept.
    fn give_back(&self) {
        self.memory.freed.set(0);
        self.buffers.give_back();
        self.handle.release_memory();
    }

    /// Gives back what was kept at once, since the last connection has gone: nothing is to wait for
    /// a timer of ours.
    pub(crate) fn give_back_now(&self) {
        if let Some(timer) = self.memory.giving_back.take() {
            self.handle.cancel(timer);
            self.give_back();
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
            // Those that take nothing first, and of these whoever holds most.
            if key.1 > 0 && worst.as_ref().is_none_or(|(most, _)| key > *most) {
                worst = Some((key, holder));
            }
        }
        worst.map(|(_, holder)| holder)
    }
}

/// Returns whether nothing has gone on since then for so long that it counts.
fn is_stuck(since: Option<Instant>, now: Instant) -> bool {
    since.is_some_and(|since| now.since(since) >= STUCK)
}
