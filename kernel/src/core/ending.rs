//! The end of a kernel: whatever waits is dropped, in an order that no panic and no depth of
//! nesting can hurt.

use crate::core::Core;
use crate::core::cause::Cause;
use crate::core::task::Action;
use crate::host::gone;
use std::rc::Rc;

impl Core {
    /// Ends everything: what waits is dropped, and from here on whatever is handed in is dropped
    /// too.
    pub(crate) fn close(&self) {
        // First: whatever is dropped below may hand in more, which is dropped as well.
        self.open.set(false);
        self.quietly(|| self.inbox.close(|posted| self.quietly(|| posted.discard(self))));
        self.drop_quietly(self.works.close());
        // Until nothing is left: what is dropped may have armed, opened or asked for more.
        loop {
            let timers = self.timers.borrow_mut().clear();
            let watches = self.watches.borrow_mut().clear();
            let flushes = self.flushes.take();
            let endings = self.endings.take();
            let works = self.works.clear();
            let lookups = self.lookups.clear();
            let nothing = timers.is_empty() && watches.is_empty() && flushes.is_empty();
            if nothing && endings.is_empty() && works.is_empty() && lookups.is_empty() {
                break;
            }
            // By the queue, which drops them one at a time on a flat stack.
            for task in timers {
                self.push(Cause::NONE, task);
            }
            // One by one: of two that panic in one unwinding, the second would end the process.
            for watch in watches {
                self.quietly(|| watch.end());
                self.drop_quietly(watch);
            }
            flushes.into_iter().for_each(|flush| self.drop_quietly(flush));
            endings.into_iter().for_each(|ending| self.drop_quietly(ending));
            works.into_iter().for_each(|work| self.drop_quietly(work));
            lookups.into_iter().for_each(|lookup| self.drop_quietly(lookup));
        }
        self.drop_queue();
        debug_assert!(self.queue.borrow().is_empty(), "nothing is kept after the end");
        self.throttle.finish();
        let last = self.now.get();
        drop(self.host.replace(Rc::new(gone::Gone(last, self.host().mode()))));
    }

    /// Drops what is queued. A dropped task may drop continuations, which queue their failure:
    /// hence a loop and not a recursion, which a long chain would turn into a stack overflow.
    #[cold]
    pub(crate) fn drop_queue(&self) {
        if self.dropping_queue.replace(true) {
            return;
        }
        loop {
            // Bound first: dropping the entry queues more, and must find nothing borrowed.
            let entry = self.queue.borrow_mut().pop_front();
            let Some(entry) = entry else { break };
            self.quietly(|| match entry.action {
                Action::Task(task) => self.let_go(task.born(), task),
                Action::Ready(_) => {}
            });
        }
        self.dropping_queue.set(false);
    }
}
