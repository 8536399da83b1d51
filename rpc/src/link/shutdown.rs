//! Says how far a process is on its way to its end.

use std::cell::{Cell, RefCell};
use std::rc::Weak;

/// A close that goes on when nothing is running any more.
pub(crate) trait WhenQuiet {
    /// Goes on from a fresh task, unless it has before.
    fn go_on_soon(&self);
}

/// How far a process is on its way to its end.
#[derive(Default)]
pub(crate) struct Shutdown {
    /// Set iff the process takes no new requests.
    pub(crate) closing: Cell<bool>,
    /// Says how often the process is being closed just now.
    pub(crate) closings: Cell<u32>,
    /// Set iff the owner has gone; the end may still be waiting for what is being closed.
    pub(crate) abandoned: Cell<bool>,
    /// Set iff the [`Rpc`](crate::Rpc) whose connections these are is gone: no connection is made
    /// any more.
    pub(crate) ended: Cell<bool>,
    /// Those that go on when nothing is running any more, while closing.
    pub(crate) waiting: RefCell<Vec<Weak<dyn WhenQuiet>>>,
}

impl Shutdown {
    /// Returns whether no connection is made any more.
    pub(crate) fn has_begun(&self) -> bool {
        self.closing.get() || self.ended.get()
    }
}
