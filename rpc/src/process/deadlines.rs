//! Ends calls of peers whose deadline has come.

use crate::link::context::LinkContext;
use peers_kernel::Cause;
use std::time::Duration;

/// Says how often overdue served calls are looked for. Callers time out by themselves; this only
/// frees what they left.
const SWEEP: Duration = Duration::from_secs(1);

impl LinkContext {
    /// Looks for overdue calls every second as long as there may be any.
    pub(crate) fn watch_deadlines(&self) {
        // One timer for all calls that run: a deadline each would cost as much as the call.
        if self.timers.sweep.get().is_some() {
            return;
        }
        let me = self.me.clone();
        let timer = self.handle.with_cause(Cause::NONE, || {
            self.handle.after(SWEEP, move || {
                if let Some(context) = me.upgrade() {
                    context.sweep();
                }
            })
        });
        self.timers.sweep.set(Some(timer));
    }

    /// Looks for none any more: there is no link, and nothing is to wait for a timer of ours.
    pub(crate) fn stop_sweeping(&self) {
        if let Some(timer) = self.timers.sweep.take() {
            self.handle.cancel(timer);
        }
    }

    fn sweep(&self) {
        self.timers.sweep.set(None);
        // Collected first, since ending one may end others, and take the table.
        let overdue = self.serving.borrow().overdue(self.handle.now());
        for cause in overdue {
            let found = self.serving.borrow().origin(cause);
            if let Some((link, call)) = found
                && let Some(link) = self.link(link)
            {
                link.overdue(cause, call);
            }
        }
        if self.serving.borrow().any_deadline() {
            self.watch_deadlines();
        }
        self.call_finished();
    }
}
