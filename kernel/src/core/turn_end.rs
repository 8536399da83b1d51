//! The end of a turn's tasks, as a place to finish what they have begun together.
//!
//! Many tasks of one turn often add to the same thing: bytes for one connection, entries of one
//! table. Whoever owns it asks here, once, to be called when the last of them has run, and does the
//! rest for all.
//!
//! Invariants:
//! 1. It comes after the tasks of the turn and before streams write, so that what it writes leaves
//!    in the same turn. Kept by
//!    `endings_come_after_all_tasks_of_the_turn_in_the_order_they_were_asked_for`.
//! 2. What asks again while it is called is called at the end of the next turn, so that a turn
//!    ends. Kept by `what_an_ending_schedules_or_asks_for_belongs_to_the_next_turn`.

use crate::core::Core;
use crate::core::cause::Cause;
use crate::core::handle::Handle;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::rc::Rc;

/// Something that is called when the tasks of a turn are over: see [`Handle::at_turn_end`].
pub trait TurnEnd {
    /// Finishes what tasks began together: they are over, and streams have not written yet. A panic
    /// is logged, like one of a task.
    fn turn_ends(self: Rc<Self>);
}

impl Handle {
    /// Calls `what` once, when the tasks of this turn are over and before streams write; outside of
    /// a turn, at the end of the next. It is kept alive until then, and dropped uncalled if the
    /// kernel ends.
    ///
    /// ```
    /// use peers_kernel::{Kernel, TurnEnd};
    /// use std::cell::Cell;
    /// use std::rc::Rc;
    ///
    /// struct Sum { parts: Cell<u32>, total: Cell<u32> }
    ///
    /// impl TurnEnd for Sum {
    ///     fn turn_ends(self: Rc<Self>) {
    ///         self.total.set(self.parts.get());
    ///     }
    /// }
    ///
    /// let mut kernel = Kernel::simulated(1);
    /// let sum = Rc::new(Sum { parts: Cell::new(0), total: Cell::new(0) });
    /// kernel.handle().at_turn_end(sum.clone());
    /// for part in 1..=3 {
    ///     let sum = sum.clone();
    ///     kernel.handle().schedule(move || sum.parts.set(sum.parts.get() + part));
    /// }
    /// kernel.run()?;
    /// assert_eq!(sum.total.get(), 6);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn at_turn_end(&self, what: Rc<dyn TurnEnd>) {
        self.core.at_turn_end(what)
    }
}

/// Calls all who asked.
pub(crate) fn end(core: &Core) {
    if !core.has_endings() {
        return;
    }
    // Taken out first: who asks again meanwhile is called at the end of the next turn.
    let mut endings = core.take_endings();
    for ending in endings.drain(..) {
        if core.has_failed() {
            // A strict kernel starts nothing after its first panic; it may be turned again.
            core.at_turn_end(ending);
            continue;
        }
        debug_assert!(core.is_unborrowed(), "it may use all of the kernel");
        core.cause.set(Cause::NONE);
        core.running(Location::caller());
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| ending.turn_ends())) {
            core.task_panicked(payload)
        }
    }
    core.recycle_endings(endings)
}
