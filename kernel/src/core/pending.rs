//! Knows which continuations wait, where they were made, since when.
//!
//! Invariants:
//! 1. An entry lives exactly as long as nobody resumed or dropped its continuation. Kept by
//!    `leave`.
//! 2. `watched` is that of an entry that lives, [`Ticket::ENDED`], or none. The same holds for all
//!    of `outer`, and if there is any, `watched` is not none. Kept by `watch`,
//!    `hand_to_reports_the_end_at_each_depth_of_nesting`.

use crate::host::time::Instant;
use slab::Slab;
use std::cell::{Cell, RefCell};
use std::panic::Location;

/// One waiting continuation.
#[derive(Clone, Copy)]
pub(crate) struct PendingCont {
    pub(crate) born: &'static Location<'static>,
    pub(crate) since: Instant,
}

/// Names an entry.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket(usize);

impl Ticket {
    /// Stands for no entry.
    pub(crate) const NONE: Self = Self(usize::MAX);
    /// Stands for an entry that has ended while somebody watched it.
    const ENDED: Self = Self(usize::MAX - 1);
}

/// All waiting continuations of one kernel.
pub(crate) struct PendingConts {
    all: RefCell<Slab<PendingCont>>,
    /// Says whose end somebody wants to know of.
    watched: Cell<Ticket>,
    /// Holds the entries that are watched further down the stack, outermost first.
    outer: RefCell<Vec<Ticket>>,
}

/// While it lives, the end of an entry is noted.
pub(crate) struct EndWatch<'a> {
    pending: &'a PendingConts,
    /// True iff another one was watched before.
    nested: bool,
}

impl EndWatch<'_> {
    /// Returns whether it has ended since.
    pub(crate) fn has_ended(&self) -> bool {
        self.pending.watched.get() == Ticket::ENDED
    }
}

/// However the stack was left: the one before is watched again.
impl Drop for EndWatch<'_> {
    fn drop(&mut self) {
        let before = if self.nested { self.pending.outer.borrow_mut().pop() } else { None };
        self.pending.watched.set(before.unwrap_or(Ticket::NONE));
    }
}

impl Default for PendingConts {
    fn default() -> Self {
        let (all, outer) = (RefCell::default(), RefCell::default());
        Self { all, watched: Cell::new(Ticket::NONE), outer }
    }
}

impl PendingConts {
    #[inline]
    pub(crate) fn enter(&self, born: &'static Location<'static>, since: Instant) -> Ticket {
        Ticket(self.all.borrow_mut().insert(PendingCont { born, since }))
    }

    #[inline]
    pub(crate) fn leave(&self, ticket: Ticket) {
        if self.watched.get() != Ticket::NONE {
            self.note_end(ticket);
        }
        let entry = self.all.borrow_mut().try_remove(ticket.0);
        debug_assert!(entry.is_some(), "a continuation ends once");
    }

    /// Notes that a watched entry has ended, since its place may be another's soon.
    #[cold]
    #[inline(never)]
    fn note_end(&self, ticket: Ticket) {
        if self.watched.get() == ticket {
            self.watched.set(Ticket::ENDED);
        }
        // One may be handed on again inside its own hand-over, and is watched at each depth.
        for outer in &mut *self.outer.borrow_mut() {
            if *outer == ticket {
                *outer = Ticket::ENDED;
            }
        }
    }

    /// Notes the end of that one until it is told to stop. Watches end in the reverse order of
    /// their beginning.
    pub(crate) fn watch(&self, ticket: Ticket) -> EndWatch<'_> {
        let before = self.watched.replace(ticket);
        let nested = before != Ticket::NONE;
        debug_assert!(nested || self.outer.borrow().is_empty(), "the innermost is in `watched`");
        if nested {
            self.outer.borrow_mut().push(before);
        }
        EndWatch { pending: self, nested }
    }

    pub(crate) fn all(&self) -> Vec<PendingCont> {
        self.all.borrow().iter().map(|(_, waiting)| *waiting).collect()
    }
}
