//! Memory that the links of a process use in turn, so that an idle one holds none.

use crate::session::Inbound;
use std::cell::Cell;

/// Bytes of memory for arguments that are kept for the next call.
pub(crate) const MOST_FOR_ARGUMENTS: usize = 4 << 10;

/// Bytes of memory for frames in pieces that are kept for the next one.
const MOST_FOR_PIECES: usize = 2 << 20;

/// Bytes of memory that frames may hold ahead of their arrival.
pub(crate) const MOST_AHEAD: usize = 2 << 20;

/// Memory that links use in turn.
#[derive(Default)]
pub(crate) struct Buffers {
    /// Memory for frames that arrive in pieces.
    pieces: Cell<Vec<u8>>,
    /// Memory for the arguments of the next call.
    arguments: Cell<Vec<u8>>,
    /// Cuts the input of links into frames, when none of them is at it.
    inbound: Cell<Option<Box<Inbound>>>,
    /// Bytes of memory that frames were given ahead of their arrival.
    ahead: Cell<usize>,
}

impl Buffers {
    /// Lends memory to encode arguments into. It is given back when they were sent, so that most
    /// calls need none of their own.
    #[inline]
    pub(crate) fn lend_for_arguments(&self) -> Vec<u8> {
        self.arguments.take()
    }

    /// Takes such memory back.
    #[inline(always)]
    pub(crate) fn take_arguments_back(&self, mut memory: Vec<u8>) {
        if memory.capacity() <= MOST_FOR_ARGUMENTS {
            memory.clear();
            self.arguments.set(memory);
        }
    }

    /// Lends memory to put frames together in that arrive in pieces.
    #[inline]
    pub(crate) fn lend_for_pieces(&self) -> Vec<u8> {
        self.pieces.take()
    }

    /// Takes such memory back.
    #[inline]
    pub(crate) fn take_pieces_back(&self, memory: Vec<u8>) {
        if memory.capacity() <= MOST_FOR_PIECES {
            self.pieces.set(memory);
        }
    }

    /// Lends what cuts input into frames, if one is kept.
    #[inline]
    pub(crate) fn lend_inbound(&self) -> Option<Box<Inbound>> {
        self.inbound.take()
    }

    /// Keeps one that is between two frames for the next link.
    #[inline]
    pub(crate) fn take_inbound_back(&self, inbound: Box<Inbound>) {
        debug_assert!(inbound.is_between_frames(), "the next link begins with a frame");
        self.inbound.set(Some(inbound));
    }

    /// Lets a frame hold so much memory ahead of its arrival, unless that is too much.
    pub(crate) fn hold_ahead(&self, bytes: usize) -> bool {
        let ahead = self.ahead.get().checked_add(bytes).filter(|all| *all <= MOST_AHEAD);
        ahead.inspect(|ahead| self.ahead.set(*ahead)).is_some()
    }

    /// Counts such memory as given back.
    pub(crate) fn let_go_ahead(&self, bytes: usize) {
        debug_assert!(bytes <= self.ahead.get(), "what is given back was held");
        self.ahead.set(self.ahead.get().saturating_sub(bytes));
    }

    /// Counts the bytes of memory that frames hold ahead of their arrival.
    #[cfg(test)]
    pub(crate) fn held_ahead(&self) -> usize {
        self.ahead.get()
    }

    /// Gives back what was kept for connections to come: endpoints may be held for long after there
    /// are none.
    pub(crate) fn give_back(&self) {
        drop((self.pieces.take(), self.arguments.take(), self.inbound.take()));
    }
}
