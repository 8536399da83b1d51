//! Lets each connection be looked at when it is due, on one timer of the kernel.

use crate::link::Link;
use crate::link::context::LinkContext;
use peers_kernel::{Cause, Instant};
use std::rc::Rc;

impl LinkContext {
    /// Lets the link in that slot [`expire`](Link::expire) at that time, if it is due just then.
    pub(crate) fn wake(&self, slot: usize, at: Instant) {
        let slot = u32::try_from(slot).expect("fewer connections than descriptors fit a machine");
        let links = self.links.borrow();
        let mut queue = self.timers.queue.borrow_mut();
        queue.set(at, slot);
        queue.sweep(links.len(), |at, slot| {
            links.get(slot as usize).is_some_and(|link| link.is_due_at(at))
        });
        // Setting a timer on a kernel that is gone drops whatever waits there.
        drop((links, queue));
        // A later one is found when the earlier rings.
        if self.timers.next.get().is_none_or(|(next, _)| at < next) {
            self.start_timer(at);
        }
    }

    fn start_timer(&self, at: Instant) {
        self.stop_timer();
        let me = self.me.clone();
        let timer = self.handle.with_cause(Cause::NONE, || {
            self.handle.at(at, move || {
                if let Some(context) = me.upgrade() {
                    context.timers.next.set(None);
                    Ringing { context: &context }.ring();
                }
            })
        });
        self.timers.next.set(Some((at, timer)));
    }

    fn stop_timer(&self) {
        if let Some((_, timer)) = self.timers.next.take() {
            self.handle.cancel(timer);
        }
    }

    /// Finds the next link that is due at `now`.
    fn next_due(&self, now: Instant) -> Option<Rc<Link>> {
        let (links, mut queue) = (self.links.borrow(), self.timers.queue.borrow_mut());
        loop {
            let (at, slot) = queue.take_due(now)?;
            let link = links.get(slot as usize).filter(|link| link.is_due_at(at));
            if link.is_some() {
                return link.cloned();
            }
        }
    }

    /// Wakes nobody any more: there is no link.
    pub(crate) fn stop_waking(&self) {
        debug_assert!(self.links.borrow().is_empty(), "no link is waited for");
        self.timers.queue.take();
        self.stop_timer();
    }
}

/// The queue being gone through. However that ends, the timer is set for those that are left.
struct Ringing<'a> {
    context: &'a LinkContext,
}

impl Ringing<'_> {
    /// Wakes who is due, within the turn's budget.
    fn ring(self) {
        let now = self.context.handle.now();
        while let Some(link) = self.context.next_due(now) {
            link.expire();
            // The rest is done in a later turn: dropping this arms the timer for it.
            if !self.context.handle.spend() {
                return;
            }
        }
    }
}

impl Drop for Ringing<'_> {
    fn drop(&mut self) {
        let next = self.context.timers.queue.borrow().next();
        if let Some(next) = next
            && self.context.timers.next.get().is_none_or(|(at, _)| next < at)
        {
            self.context.start_timer(next);
        }
    }
}
