//! Knows which continuations wait, where they were made, since when.
//!
//! Invariants:
//! 1. An entry lives exactly as long as nobody resumed or dropped its continuation.
//! 2. `watched` is the place of an entry that lives, or none.

use crate::time::Instant;
use slab::Slab;
use std::cell::{Cell, RefCell};
use std::panic::Location;

/// One waiting continuation.
#[derive(Clone, Copy)]
pub(crate) struct Waiting {
    pub(crate) born: &'static Location<'static>,
    pub(crate) since: Instant,
}

/// Names an entry.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket(usize);

impl Ticket {
    /// Stands for no entry.
    pub(crate) const NONE: Self = Self(usize::MAX);
}

/// All waiting continuations of one kernel.
pub(crate) struct Registry {
    all: RefCell<Slab<Waiting>>,
    /// Says whose end somebody wants to know of.
    watched: Cell<Ticket>,
}

impl Default for Registry {
    fn default() -> Self {
        Self { all: RefCell::default(), watched: Cell::new(Ticket::NONE) }
    }
}

impl Registry {
    #[inline]
    pub(crate) fn enter(&self, born: &'static Location<'static>, since: Instant) -> Ticket {
        Ticket(self.all.borrow_mut().insert(Waiting { born, since }))
    }

    #[inline]
    pub(crate) fn leave(&self, ticket: Ticket) {
        if self.watched.get() == ticket {
            self.watched.set(Ticket::NONE);
        }
        self.all.borrow_mut().try_remove(ticket.0);
    }

    /// From now on, the end of that one is noted instead of that of another, which is given back.
    pub(crate) fn watch(&self, ticket: Ticket) -> Ticket {
        self.watched.replace(ticket)
    }

    pub(crate) fn all(&self) -> Vec<Waiting> {
        self.all.borrow().iter().map(|(_, waiting)| *waiting).collect()
    }
}
