//! The orderly end of a whole process: its running calls, then its connections.
//!
//! Invariants:
//! 1. The kernel owns what waits here, and nothing that the process itself owns leads to it: a
//!    kernel that ends meanwhile drops it, and with it what is left of a process that nobody owns
//!    any more. Kept by `nothing_is_left_of_a_process_whose_kernel_ends_while_it_closes`.
//! 2. `closings` counts the [`Closing`]s; the last of them ends a process whose owner has gone.
//!    Kept by `an_owner_that_is_dropped_without_closing_leaves_behind_what_waits`,
//!    `nothing_is_left_of_a_process_whose_kernel_ends_while_it_closes`.

use crate::link::context::LinkContext;
use crate::link::end::Drained;
use crate::link::shutdown::WhenQuiet;
use crate::session::CloseReason;
use crate::{Error, Reply};
use peers_kernel::{Cause, Collect, Cont, TimerId};
use std::cell::Cell;
use std::rc::{Rc, Weak};

/// A process that is being closed. It is dropped when that is over, or will never be.
struct Closing {
    context: Rc<LinkContext>,
}

/// A close that waits until no call is running any more.
struct WaitingClose {
    /// None once it goes on.
    next: Cell<Option<(Closing, Reply<Drained>)>>,
    /// The timer that owns it.
    overtime: Cell<Option<TimerId>>,
}

impl Closing {
    fn begin(context: &Rc<LinkContext>) -> Self {
        context.shutdown.closings.set(context.shutdown.closings.get() + 1);
        Self { context: context.clone() }
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        let others = self.context.shutdown.closings.get() - 1;
        self.context.shutdown.closings.set(others);
        if others == 0 && self.context.shutdown.abandoned.get() {
            self.context.end();
        }
    }
}

impl WhenQuiet for WaitingClose {
    fn go_on_soon(&self) {
        // Whichever comes first, quiet or the end of its time, goes on; the other finds nothing.
        let Some((closing, k)) = self.next.take() else { return };
        let handle = closing.context.handle.clone();
        if let Some(overtime) = self.overtime.take() {
            handle.cancel(overtime);
        }
        handle.with_cause(Cause::NONE, || {
            handle.schedule(move || leave_all(closing, k));
        });
    }
}

impl LinkContext {
    /// Notes that something that was running is over: whoever waits for silence may go on.
    pub(crate) fn call_finished(&self) {
        if self.shutdown.closing.get() && self.serving.borrow().running() == 0 {
            for waiting in self.shutdown.waiting.take().iter().filter_map(Weak::upgrade) {
                waiting.go_on_soon();
            }
        }
    }

    /// Ends the process, since its owner has gone.
    pub(crate) fn end(&self) {
        self.shutdown.ended.set(true);
        for link in self.all_links() {
            link.close(CloseReason::RpcGone);
        }
        self.buffers.give_back();
    }

    /// Closes all connections in good order: see [`Rpc::close`](crate::Rpc::close). What is left of
    /// the process ends with it if its owner has gone meanwhile.
    pub(crate) fn close(self: &Rc<Self>, k: Reply<Drained>) {
        self.shutdown.closing.set(true);
        // No thread gets a place from here on, so what waits grows no more.
        if let Some(inbox) = self.inbox.get() {
            inbox.shut();
        }
        let (handle, until) = (&self.handle, self.handle.now() + self.limits.drain);
        let next = Cell::new(Some((Closing::begin(self), k)));
        let waiting = Rc::new(WaitingClose { next, overtime: Cell::new(None) });
        let weak: Weak<dyn WhenQuiet> = Rc::<WaitingClose>::downgrade(&waiting);
        self.shutdown.waiting.borrow_mut().push(weak);
        let owned = waiting.clone();
        handle.with_cause(Cause::NONE, || {
            let overtime = handle.at(until, move || owned.go_on_soon());
            waiting.overtime.set(Some(overtime));
        });
        self.call_finished();
    }
}

/// Lets every link leave, and resumes `k` when all have. That has a time of its own: else a reply
/// that never comes would leave none for what was accepted.
fn leave_all(closing: Closing, k: Reply<Drained>) {
    let context = closing.context.clone();
    let handle = context.handle.clone();
    let until = handle.now() + context.limits.drain;
    // When that time is over, so is what the links have to do.
    let owner = handle.with_cause(Cause::NONE, || handle.at(until, move || drop(closing)));
    let all = Collect::all(Cont::new(&handle.clone(), move |all: Result<Vec<_>, Error>| {
        handle.cancel(owner);
        k.ok(all.into_iter().flatten().map(Result::unwrap_or_default).sum());
    }));
    context.partings.tell_too(|| all.branch());
    for link in context.all_links() {
        link.leave(CloseReason::RpcGone, until, Some(all.branch()));
    }
}
