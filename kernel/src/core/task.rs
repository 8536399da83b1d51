//! Defines tasks, which the loop runs, and the one queue they wait in.
//!
//! Nothing here calls a handler; [`crate::kernel`] does. Invariants:
//! 1. First in, first out, whatever made the task: a handler, a timer, a descriptor, another
//!    thread. Kept by `continuations_tasks_and_nodes_share_one_queue`.
//! 2. A task is one box, and the box that waits elsewhere (in a continuation, in a timer) is the
//!    box that is queued. Kept by the types.
//! 3. A source that became ready is an entry without a box; it has at most one entry at a time.
//!    Kept by `take`.

use crate::core::Core;
use crate::core::cause::Cause;
use crate::host::ready::Key;
use std::collections::VecDeque;
use std::panic::Location;
use std::rc::Rc;

/// Something to run once, on the loop's clean stack.
pub(crate) trait Task {
    /// Runs it. The core is handed in so that no task needs to carry it.
    fn run(self: Box<Self>, core: &Rc<Core>);

    /// Returns where it was made.
    fn born(&self) -> &'static Location<'static>;
}

/// Says what one entry of the queue asks for.
pub(crate) enum Action {
    Task(Box<dyn Task>),
    /// The source of this name is ready; its slot holds what for.
    Ready(Key),
}

/// One entry of the queue: what to run and on whose behalf.
pub(crate) struct Entry {
    pub(crate) cause: Cause,
    pub(crate) action: Action,
}

const _: () = assert!(
    size_of::<Entry>() == 24,
    "a million queued tasks should cost 24 MB besides their boxes"
);

/// The ready queue.
pub(crate) type Queue = VecDeque<Entry>;

/// A task made of a closure.
pub(crate) struct Plain<F> {
    f: F,
    born: &'static Location<'static>,
}

impl<F: FnOnce(&Rc<Core>) + 'static> Plain<F> {
    /// Makes the box first and then fills it field by field. `Box::new` would build the value on
    /// the stack and copy it in wider portions than it was stored in, for which a processor must
    /// wait until its stores have left.
    #[inline]
    pub(crate) fn boxed(born: &'static Location<'static>, f: F) -> Box<dyn Task> {
        let room = Box::<Self>::new_uninit();
        let task: Box<Self> = Box::write(room, Self { f, born });
        task
    }
}

impl<F: FnOnce(&Rc<Core>)> Task for Plain<F> {
    fn run(self: Box<Self>, core: &Rc<Core>) {
        let Self { f, born } = unbox(self);
        core.running(born);
        f(core)
    }

    fn born(&self) -> &'static Location<'static> {
        self.born
    }
}

/// Moves a value out of its box and frees the box first, so that what the value does next can use
/// the same memory.
#[inline]
#[expect(clippy::boxed_local, reason = "unboxing is what it is for")]
pub(crate) fn unbox<T>(boxed: Box<T>) -> T {
    *boxed
}
