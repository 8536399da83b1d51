//! Counts what this process holds for its peers, all connections together.
//!
//! Counted are the memory of outputs, which the kernel knows at any time, and what links tell at
//! the end of each batch: requests that wait on either side, and frames that have begun. So asking
//! how much there is costs two additions. `process::memory` acts on it.
//!
//! Invariant: `told` is the sum of what living links have told last.

use peers_kernel::{Instant, Outlet, TimerId};
use std::cell::{Cell, RefCell};

/// Is much, in bytes: it is worth asking the system how much it lets the process have, and giving
/// back what was kept once they are half of it again.
const MUCH: usize = 2 << 20;
/// Holds what is held, and by whom.
pub(crate) struct Memory {
    pub(crate) most: Cell<usize>,
    /// Holds the bytes of outputs of this loop that are not ours, as far as was worth finding out:
    /// other streams of the program, another `Rpc`.
    pub(crate) foreign: Cell<usize>,
    /// Some iff that was found out: then when.
    pub(crate) sorted: Cell<Option<Instant>>,
    /// Holds how much it is, that of others included, from which on no request is started or made.
    pub(crate) full: Cell<usize>,
    /// Holds the limit as it was stated, which applies if the system lets the process have enough.
    pub(crate) stated: usize,
    /// Some iff half of what the system lets the process have is the most: when it was asked last.
    pub(crate) asked: Cell<Option<Instant>>,
    /// From so much on it is looked at closely.
    pub(crate) attention: Cell<usize>,
    pub(crate) told: Cell<usize>,
    pub(crate) tight: Cell<bool>,
    /// Set iff a task will see to it that there is room.
    pub(crate) relieving: Cell<bool>,
    pub(crate) timer: Cell<Option<TimerId>>,
    /// Some iff much was held: then when it is to be seen whether there is little again.
    pub(crate) giving_back: Cell<Option<TimerId>>,
    /// Holds the bytes that have been freed by ending connections while it was tight, and may not
    /// be back with the system.
    pub(crate) freed: Cell<usize>,
    /// The outputs of links that have ended, which may be leaving still.
    pub(crate) leaving: RefCell<Vec<Outlet>>,
}

impl Memory {
    pub(crate) fn new(most: usize) -> Self {
        let (told, tight, relieving) = (Cell::default(), Cell::default(), Cell::default());
        Self {
            most: Cell::new(most),
            foreign: Cell::default(),
            sorted: Cell::default(),
            full: Cell::new(most),
            stated: most,
            asked: Cell::default(),
            attention: Cell::new(attention(most)),
            told,
            tight,
            relieving,
            timer: Cell::default(),
            giving_back: Cell::default(),
            freed: Cell::default(),
            leaving: RefCell::default(),
        }
    }

    /// Allows so much, besides so much that is not ours.
    pub(crate) fn allow(&self, most: usize, foreign: usize) {
        self.most.set(most);
        self.foreign.set(foreign);
        self.full.set(most.saturating_add(foreign));
        // What is not ours may go without a word, so it is looked at again and again.
        self.attention.set(if foreign > 0 { 0 } else { attention(most) });
    }

    /// Notes that a link tells something else than before.
    pub(crate) fn tell(&self, before: usize, now: usize) {
        debug_assert!(self.told.get() >= before, "what a link tells less of, it has told before");
        self.told.set(self.told.get() + now - before);
    }

    /// Returns what living links have told.
    pub(crate) fn told(&self) -> usize {
        self.told.get()
    }

    /// Returns whether new requests of ours are to wait.
    pub(crate) fn is_tight(&self) -> bool {
        self.tight.get()
    }

    /// Notes that a connection that is ended holds so much.
    pub(crate) fn frees(&self, bytes: usize) {
        if self.tight.get() {
            self.freed.set(self.freed.get() + bytes);
        }
    }

    /// Minds the output of a link that has ended.
    pub(crate) fn leave(&self, outlet: &Outlet) {
        if outlet.memory() == 0 {
            return;
        }
        let mut leaving = self.leaving.borrow_mut();
        if leaving.len() == leaving.capacity() {
            leaving.retain(|outlet| outlet.memory() > 0);
        }
        leaving.push(outlet.clone());
    }
}

/// Returns from how much on new requests wait.
pub(crate) const fn tight_from(most: usize) -> usize {
    most / 4 * 3
}

/// Returns from how much on it is looked at closely.
pub(crate) fn attention(most: usize) -> usize {
    tight_from(most).min(MUCH)
}
