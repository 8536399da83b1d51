//! The mark that travels from task to task: which piece of work this one belongs to.
//!
//! The kernel copies it, compares it, and is told which ones are cancelled, no more. What a slot
//! and a generation mean is for the layer above to say: rpc keeps there the call that is being
//! served, with its deadline and everything to cancel along with it.
//!
//! Invariant: eight bytes, and all zero is [`Cause::NONE`].

use crate::core::Core;
use crate::core::task::{Plain, Task};
use crate::core::timers::TimerId;
use crate::host::time::Instant;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::panic::Location;
use std::rc::Rc;

/// On whose behalf a task runs: copied from the running task into whatever it makes, restored when
/// that runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cause(u64);

impl Cause {
    /// On nobody's behalf: what a task made outside the loop carries.
    pub const NONE: Self = Self(0);

    /// Names entry `slot` of a table, as long as `generation` lives there. Use no generation 0 in
    /// slot 0: that is [`Cause::NONE`].
    pub const fn from_parts(slot: u32, generation: u32) -> Self {
        Self((generation as u64) << 32 | slot as u64)
    }

    /// Returns the index in the table that made it.
    pub const fn slot(self) -> u32 {
        self.0 as u32
    }

    /// Returns which of the successive owners of that index is meant.
    pub const fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Returns whether there is none.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// Causes that were cancelled, as long as whoever made them remembers them.
#[derive(Default)]
pub(crate) struct Cancelled {
    causes: RefCell<BTreeSet<Cause>>,
}

impl Core {
    /// Arms a timer under the running task's cause, unless that was cancelled.
    #[inline]
    pub(crate) fn at_for_running(&self, at: Instant, task: Box<dyn Task>) -> TimerId {
        let cause = self.cause.get();
        if cause.is_none() {
            self.at_for(cause, at, task)
        } else {
            self.at_unless_cancelled(at, task)
        }
    }

    #[inline(never)]
    fn at_unless_cancelled(&self, at: Instant, task: Box<dyn Task>) -> TimerId {
        let cause = self.cause.get();
        // Not dropped here: whoever arms a timer may be in the middle of something.
        if self.is_cancelled(cause) {
            self.drop_later(vec![task]);
            return TimerId::NEVER;
        }
        self.at_for(cause, at, task)
    }

    /// Cancels what was made under `cause`, and what will be until that is forgotten.
    pub(crate) fn cancel_cause(&self, cause: Cause) {
        if cause.is_none() || !self.is_open() {
            return;
        }
        // Noted first, so that what the work's end makes finds its cause cancelled.
        self.cancelled.causes.borrow_mut().insert(cause);
        self.works.stop_caused_by(self, cause);
        let tasks = self.cancel_timers_of(cause);
        if !tasks.is_empty() {
            self.drop_later(tasks);
        }
    }

    pub(crate) fn forget_cause(&self, cause: Cause) {
        self.cancelled.causes.borrow_mut().remove(&cause);
    }

    /// Returns whether that cause was cancelled, and not forgotten.
    pub(crate) fn is_cancelled(&self, cause: Cause) -> bool {
        !cause.is_none() && self.cancelled.causes.borrow().contains(&cause)
    }

    /// Drops tasks that will not run: by the queue, since they may own anything.
    fn drop_later(&self, tasks: Vec<Box<dyn Task>>) {
        let dropping = move |_: &Rc<Self>| drop(tasks);
        self.push(Cause::NONE, Plain::boxed(Location::caller(), dropping));
    }
}
