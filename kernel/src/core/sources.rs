//! Sources of readiness by key: what the host's events name, and what the loop calls when they
//! come.
//!
//! Invariants:
//! 1. A key is a slot and the generation that lives in it; an event for an earlier generation is
//!    ignored. Kept by `tests/stale_events.rs`.
//! 2. A source has at most one entry in the ready queue; readiness that comes meanwhile is added to
//!    it. Kept by `take`.
//! 3. No table is borrowed while a source runs. Kept by `drain_queue`.

use crate::core::Core;
use crate::host::ready::{Key, Readiness};
use crate::host::time::Instant;
use slab::Slab;
use std::rc::Rc;

/// Something that waits for readiness, or for the end of the turn.
pub(crate) trait Watch {
    /// Handles readiness that the host reports. Runs as a task: alone, on a clean stack, within the
    /// budget.
    fn ready(self: Rc<Self>, core: &Rc<Core>, readiness: Readiness);
    /// Writes what is buffered: the turn's tasks are over and [`Core::want_flush`] was called. Runs
    /// no user code.
    fn flush(self: Rc<Self>, core: &Rc<Core>);
    /// Lets go, as the kernel ends, of user code that may own, by way of a listener or the like,
    /// this very source; what only the kernel owns needs nothing.
    fn end(&self) {}
    /// Returns one line for the dump: what it is, and what it holds.
    fn describe(&self) -> String;
}

struct Slot {
    generation: u32,
    /// Noted by the host and not yet run: iff not empty, an entry is queued.
    noted: Readiness,
    /// Since when what was noted first may have been there.
    since: Instant,
    watch: Option<Rc<dyn Watch>>,
}

/// The table of sources.
#[derive(Default)]
pub(crate) struct Watches {
    slots: Slab<Slot>,
    generation: u32,
}

impl Watches {
    /// Makes a key nobody else has. What it names is filled in by [`fill`](Self::fill).
    pub(crate) fn reserve(&mut self) -> Key {
        // A late event for the slot's former owner carries another one.
        self.generation = self.generation.wrapping_add(1);
        let slot = Slot {
            generation: self.generation,
            noted: Readiness::default(),
            since: Instant::default(),
            watch: None,
        };
        let index = u32::try_from(self.slots.insert(slot))
            .expect("fewer sources than descriptors fit a machine");
        Key { slot: index, generation: self.generation }
    }

    pub(crate) fn fill(&mut self, key: Key, watch: Rc<dyn Watch>) -> Option<Rc<dyn Watch>> {
        match self.slot(key) {
            Some(slot) => slot.watch.replace(watch),
            None => Some(watch),
        }
    }

    /// Forgets a source. What it was is returned, to be dropped when nothing is borrowed.
    pub(crate) fn remove(&mut self, key: Key) -> Option<Rc<dyn Watch>> {
        self.slot(key)?;
        self.slots.remove(key.slot as usize).watch
    }

    /// Adds readiness to what is noted; true if the source must be queued.
    pub(crate) fn note(&mut self, key: Key, readiness: Readiness, since: Instant) -> bool {
        let Some(slot) = self.slot(key) else { return false };
        let queued = slot.noted != Readiness::default();
        // What came first decides how old the source's news is.
        if !queued {
            slot.since = since;
        }
        slot.noted.readable |= readiness.readable;
        slot.noted.writable |= readiness.writable;
        !queued && slot.noted != Readiness::default()
    }

    /// Takes what is noted about a source, and returns since when that may have been so.
    pub(crate) fn take(&mut self, key: Key) -> Option<(Rc<dyn Watch>, Readiness, Instant)> {
        let slot = self.slot(key)?;
        let noted = std::mem::take(&mut slot.noted);
        debug_assert_ne!(noted, Readiness::default(), "an entry is queued iff something is noted");
        Some((slot.watch.clone()?, noted, slot.since))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub(crate) fn all(&self) -> Vec<Rc<dyn Watch>> {
        self.slots.iter().filter_map(|(_, slot)| slot.watch.clone()).collect()
    }

    /// Empties the table.
    pub(crate) fn clear(&mut self) -> Vec<Rc<dyn Watch>> {
        self.slots.drain().filter_map(|slot| slot.watch).collect()
    }

    fn slot(&mut self, key: Key) -> Option<&mut Slot> {
        self.slots.get_mut(key.slot as usize).filter(|slot| slot.generation == key.generation)
    }
}
