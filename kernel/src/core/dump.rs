//! Describes what a loop is waiting for: for the moment when a program hangs and nobody knows
//! why.
//!
//! A dump is a copy; making one changes nothing. Invariant: the same state gives the same text.

use crate::core::handle::Handle;
use crate::host::time::Instant;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::Location;
use std::time::Duration;

/// Says what a loop waits for, when it is printed.
///
/// ```
/// use peers_kernel::{Cont, Kernel, Lost};
///
/// let kernel = Kernel::simulated(1);
/// let forgotten = Cont::new(&kernel.handle(), |_: Result<(), Lost>| ());
/// let dump = kernel.handle().dump();
/// assert_eq!(dump.continuations(), 1);
/// assert!(dump.to_string().contains(file!()), "{dump}");
/// # drop(forgotten);
/// ```
#[derive(Clone, Debug)]
pub struct Dump {
    now: Instant,
    queued: usize,
    continuations: Vec<Group>,
    work: Vec<Group>,
    timers: usize,
    next_timer: Option<Instant>,
    sources: Vec<String>,
}

/// Counts what was made at one place and still waits.
#[derive(Clone, Copy, Debug)]
struct Group {
    born: &'static Location<'static>,
    count: usize,
    oldest: Instant,
}

impl Handle {
    /// Returns what the loop is waiting for: continuations and offloaded work by birth place and
    /// age, timers, sources.
    pub fn dump(&self) -> Dump {
        let core = &self.core;
        let names = core.lookups.names().into_iter().map(|name| format!("looking {name} up"));
        Dump {
            now: core.now(),
            queued: core.queued(),
            continuations: groups(
                core.pending.all().into_iter().map(|waiting| (waiting.born, waiting.since)),
            ),
            work: groups(core.works.all().into_iter()),
            timers: core.timers(),
            next_timer: core.next_timer(),
            sources: core.sources().iter().map(|watch| watch.describe()).chain(names).collect(),
        }
    }
}

impl Dump {
    /// Counts the tasks that are ready to run.
    pub fn queued(&self) -> usize {
        self.queued
    }

    /// Counts the continuations that nobody has resumed yet.
    pub fn continuations(&self) -> usize {
        self.continuations.iter().map(|group| group.count).sum()
    }

    /// Counts the timers that have not fired.
    pub fn timers(&self) -> usize {
        self.timers
    }

    /// Streams, listeners and other sources of readiness.
    pub fn sources(&self) -> usize {
        self.sources.len()
    }

    /// Counts the pieces of offloaded work under way.
    pub fn offloaded(&self) -> usize {
        self.work.iter().map(|group| group.count).sum()
    }
}

/// Sorts by birth place, so that the text does not depend on where things lie in memory.
fn groups(all: impl Iterator<Item = (&'static Location<'static>, Instant)>) -> Vec<Group> {
    let mut groups: BTreeMap<_, Group> = BTreeMap::new();
    for (born, since) in all {
        let place = (born.file(), born.line(), born.column());
        let group = groups.entry(place).or_insert(Group { born, count: 0, oldest: since });
        group.count += 1;
        group.oldest = group.oldest.min(since);
    }
    groups.into_values().collect()
}

impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "at {:?}: {} tasks ready", self.now, self.queued)?;
        writeln!(f, "{} continuations", self.continuations())?;
        self.list(f, &self.continuations)?;
        writeln!(f, "{} pieces of offloaded work", self.offloaded())?;
        self.list(f, &self.work)?;
        write!(f, "{} timers", self.timers)?;
        if let Some(due) = self.next_timer {
            write!(f, ", the next in {:?}", due.since(self.now))?;
        }
        writeln!(f, "\n{} sources", self.sources.len())?;
        self.sources.iter().try_for_each(|source| writeln!(f, "  {source}"))
    }
}

impl Dump {
    fn list(&self, f: &mut fmt::Formatter<'_>, groups: &[Group]) -> fmt::Result {
        groups.iter().try_for_each(|Group { born, count, oldest }| {
            let age: Duration = self.now.since(*oldest);
            writeln!(f, "  {count} made at {born}, the oldest {age:?} ago")
        })
    }
}
