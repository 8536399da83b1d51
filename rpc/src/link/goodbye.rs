//! Who waits for the end of a connection that leaves, or has said goodbye.

use crate::Reply;
use crate::link::end::Drained;
use crate::session::CloseReason;
use peers_kernel::{Handle, Instant, TimerId};
use std::cell::RefCell;
use std::rc::{Rc, Weak};

/// A link that is leaving.
pub(crate) struct Leaving {
    pub(super) reason: CloseReason,
    pub(super) until: Instant,
    pub(super) timer: TimerId,
    pub(super) told: Vec<Reply<Drained>>,
}

/// Says who is told when a link that has said goodbye is over. Dropped before that, it tells the
/// worst.
pub(super) struct Parting {
    pub(super) handle: Handle,
    pub(super) timer: Option<TimerId>,
    pub(super) left: Drained,
    /// None once they were told.
    pub(super) told: Option<Vec<Reply<Drained>>>,
}

/// The partings of a process, for whoever waits for all of them.
#[derive(Default)]
pub(crate) struct Partings(RefCell<Vec<Weak<RefCell<Parting>>>>);

impl Partings {
    pub(super) fn add(&self, parting: &Rc<RefCell<Parting>>) {
        let mut all = self.0.borrow_mut();
        // Only before it would grow, so that each one pays for one look.
        if all.len() == all.capacity() {
            all.retain(|parting| parting.strong_count() > 0);
        }
        all.push(Rc::downgrade(parting));
    }

    /// Has one more told of each that is not over, as `k` makes it.
    pub(crate) fn tell_too(&self, k: impl Fn() -> Reply<Drained>) {
        for parting in self.0.take().iter().filter_map(Weak::upgrade) {
            if let Some(told) = &mut parting.borrow_mut().told {
                told.push(k());
            }
            self.add(&parting);
        }
    }
}

impl Parting {
    pub(super) fn tell(&mut self, left: Drained) {
        if let Some(timer) = self.timer.take() {
            self.handle.cancel(timer);
        }
        for k in self.told.take().into_iter().flatten() {
            k.ok(left);
        }
    }
}

impl Drop for Parting {
    fn drop(&mut self) {
        self.tell(self.left);
    }
}
