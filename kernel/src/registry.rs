//! Which continuations wait, where they were made, since when.
//!
//! Invariant: an entry lives exactly as long as nobody resumed or dropped its continuation.

use crate::time::Instant;
use slab::Slab;
use std::cell::RefCell;
use std::panic::Location;

/// One waiting continuation.
#[derive(Clone, Copy)]
pub(crate) struct Waiting {
    pub(crate) born: &'static Location<'static>,
    pub(crate) since: Instant,
}

/// Names an entry.
#[derive(Clone, Copy)]
pub(crate) struct Ticket(usize);

/// All waiting continuations of one kernel.
#[derive(Default)]
pub(crate) struct Registry(RefCell<Slab<Waiting>>);

impl Registry {
    #[inline]
    pub(crate) fn enter(&self, born: &'static Location<'static>, since: Instant) -> Ticket {
        Ticket(self.0.borrow_mut().insert(Waiting { born, since }))
    }

    #[inline]
    pub(crate) fn leave(&self, ticket: Ticket) {
        self.0.borrow_mut().try_remove(ticket.0);
    }

    pub(crate) fn all(&self) -> Vec<Waiting> {
        self.0.borrow().iter().map(|(_, waiting)| *waiting).collect()
    }
}
