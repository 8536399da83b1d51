//! Tells whether the peer of a busy connection runs on another processor while we run on this one.
//!
//! Where it does, what is written before the end of a turn is worked on while the turn goes on.
//! Where both share a processor, each extra write wakes somebody who cannot run.
//!
//! Invariant: the system is asked now and then, so that the answer costs next to nothing and still
//! follows a process that moves.

use crate::host::ready::Key;
use std::cell::Cell;

/// Says how often an answer is good.
const GOOD_FOR: u8 = 32;

/// The last answer of a loop: about one connection, because few are so busy that anybody asks.
#[derive(Default)]
pub(crate) struct PeerCpu {
    last: Cell<Option<Reading>>,
}

const _: () = assert!(size_of::<PeerCpu>() <= 8, "it lies among what each task looks at");

#[derive(Clone, Copy)]
struct Reading {
    /// The generation of the source that it is about: no other one of this loop has it, until
    /// billions have come.
    about: u32,
    on_other_cpu: bool,
    left: u8,
}

impl PeerCpu {
    /// Returns the last answer, if it was about `key` and is not used up; else what `look` finds.
    pub(crate) fn ask(&self, key: Key, look: impl FnOnce() -> bool) -> bool {
        // By generation, so that a new connection in an old slot is asked about anew.
        let about = key.generation;
        let known = self.last.get().filter(|last| last.about == about && last.left > 0);
        let answer =
            known.unwrap_or_else(|| Reading { about, on_other_cpu: look(), left: GOOD_FOR });
        self.last.set(Some(Reading { left: answer.left - 1, ..answer }));
        answer.on_other_cpu
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_is_reused_for_a_while_and_for_one_connection() {
        let (peer_cpu, looks) = (PeerCpu::default(), Cell::new(0));
        let ask = |generation, found| {
            peer_cpu.ask(Key { slot: 1, generation }, || {
                looks.set(looks.get() + 1);
                found
            })
        };
        assert!((0..GOOD_FOR).all(|n| ask(1, n == 0)), "the first answer, again and again");
        assert_eq!(looks.get(), 1);
        assert!(!ask(1, false), "and then a new one");
        assert!(ask(2, true), "another connection has another peer");
        assert!(!ask(3, false));
        assert_eq!(looks.get(), 4);
    }
}
