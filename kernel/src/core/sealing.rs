//! Sealed connections of a loop share memory to seal and to open records in, and the number of
//! handshake steps that a turn may take.
//!
//! A step of a handshake takes the time of many calls. Strangers can ask for any number of them, so
//! those that are too many wait, in the order in which they came, and whoever is inside goes first.
//!
//! Invariants:
//! 1. A turn takes at most [`STEPS`] steps, one for each of those that waited longest. Kept by
//!    `four_steps_of_handshakes_are_taken_in_a_turn_and_all_come_to_an_end`.
//! 2. Memory is taken out while it is in use, and is empty or holds nothing that counts. Kept by
//!    `who_is_idle_holds_nothing`.

use crate::host::ready::Key;
use crate::host::time::Instant;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

/// Steps of handshakes in a turn.
pub(crate) const STEPS: u32 = 4;
/// Bytes of memory kept for what is read: of a larger read it is given back at once.
const KEPT: usize = 512 << 10;

#[derive(Default)]
pub(crate) struct Sealing {
    /// Memory for cipher text that is read: as long as it is large.
    read: Cell<Vec<u8>>,
    /// Memory for records that are sealed: empty.
    sealed: Cell<Vec<u8>>,
    /// Counts the steps of this turn, done or promised.
    steps: Cell<u32>,
    /// Holds whose handshakes wait, and since when what they are to read may have been there.
    waiting: RefCell<VecDeque<(Key, Instant)>>,
}

impl Sealing {
    /// Returns whether there were handshakes in this turn.
    #[inline]
    pub(crate) fn was_busy(&self) -> bool {
        self.steps.get() > 0
    }

    /// Returns whether somebody has to be told when the next turn begins.
    #[inline]
    pub(crate) fn somebody_waits(&self) -> bool {
        self.was_busy() && !self.waiting.borrow().is_empty()
    }

    /// Returns whose handshakes may take a step in the turn that begins.
    pub(crate) fn begin_turn(&self) -> Vec<(Key, Instant)> {
        let mut waiting = self.waiting.borrow_mut();
        let first = waiting.len().min(STEPS as usize);
        self.steps.set(first as u32);
        waiting.drain(..first).collect()
    }

    /// Returns whether somebody who has not waited may take a step now. If not, he waits.
    pub(crate) fn may_step(&self) -> bool {
        self.steps.get() < STEPS && self.waiting.borrow().is_empty()
    }

    /// Takes a step back that was promised to one who waited, since it is counted when it is done.
    pub(crate) fn keep_promise(&self) {
        self.steps.set(self.steps.get().saturating_sub(1));
    }

    pub(crate) fn count_step(&self) {
        self.steps.set(self.steps.get().saturating_add(1));
    }

    /// Lets a handshake wait for its turn.
    pub(crate) fn wait(&self, key: Key, since: Instant) {
        self.waiting.borrow_mut().push_back((key, since));
    }

    /// Lends memory that is as long as it is, whatever it holds: whoever needs more lengthens it.
    pub(crate) fn take_read(&self) -> Vec<u8> {
        self.read.take()
    }

    pub(crate) fn keep_read(&self, memory: Vec<u8>) {
        if memory.len() <= KEPT {
            self.read.set(memory);
        }
    }

    /// Lends empty memory for records.
    pub(crate) fn take_sealed(&self) -> Vec<u8> {
        self.sealed.take()
    }

    pub(crate) fn keep_sealed(&self, mut memory: Vec<u8>) {
        memory.clear();
        if memory.capacity() <= KEPT {
            self.sealed.set(memory);
        }
    }

    /// Gives all memory back.
    pub(crate) fn clear(&self) {
        drop((self.read.take(), self.sealed.take()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(slot: u32) -> Key {
        Key { slot, generation: 1 }
    }

    fn begin(sealing: &Sealing) -> Vec<u32> {
        sealing.begin_turn().into_iter().map(|(key, _)| key.slot).collect()
    }

    #[test]
    fn those_who_waited_longest_go_first_and_no_more_than_may_in_a_turn() {
        let sealing = Sealing::default();
        for _ in 0..STEPS {
            assert!(sealing.may_step());
            sealing.count_step();
        }
        for slot in 0..6 {
            assert!(!sealing.may_step());
            sealing.wait(key(slot), Instant::default());
        }
        assert!(sealing.somebody_waits());
        assert_eq!(begin(&sealing), [0, 1, 2, 3]);
        assert!(!sealing.may_step(), "all steps are promised");
        assert_eq!(begin(&sealing), [4, 5]);
        assert!(sealing.may_step(), "two are left");
        sealing.wait(key(6), Instant::default());
        assert!(!sealing.may_step(), "somebody came before");
        assert_eq!(begin(&sealing), [6]);
        assert_eq!(begin(&sealing), []);
        assert!(!sealing.was_busy() && !sealing.somebody_waits());
    }

    #[test]
    fn memory_is_lent_again_unless_it_is_large() {
        let sealing = Sealing::default();
        sealing.keep_read(vec![7; 100]);
        assert_eq!(sealing.take_read(), [7; 100], "it is not cleared for each read");
        sealing.keep_read(vec![0; KEPT + 1]);
        assert_eq!(sealing.take_read().len(), 0);
        sealing.keep_sealed(vec![1; 100]);
        let memory = sealing.take_sealed();
        assert_eq!((memory.len(), memory.capacity()), (0, 100));
        sealing.keep_sealed(memory);
        sealing.clear();
        assert_eq!(sealing.take_sealed().capacity(), 0);
    }
}
