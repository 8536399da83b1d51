//! The calls being served by this process: what a [`Cause`] means.
//!
//! A record lives from the start of a request until its outcome. A cause is the record's slot and generation, so a
//! cause that outlives its call means nothing, rather than another call.
//!
//! Invariants:
//! 1. A record is removed exactly once: when the call is answered, cancelled, overdue, or its connection ends.
//! 2. `nested` names calls made for this one that may still be pending; it is pruned before it doubles.

use crate::link::Link;
use crate::session::CallId;
use peers_kernel::{Cause, Instant};
use peers_wire::Trace;
use slab::Slab;
use smallvec::SmallVec;
use std::rc::Weak;

/// A call made for another one.
pub(crate) struct Nested {
    pub(crate) link: Weak<Link>,
    pub(crate) id: CallId,
}

/// One call being served.
pub(crate) struct Record {
    generation: u32,
    /// The connection that it came by.
    pub(crate) link: Weak<Link>,
    /// The caller's id for it; `None` for an event.
    pub(crate) call: Option<u64>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) depth: u16,
    pub(crate) trace: Option<Trace>,
    /// The parent of calls made for this one, iff it is traced.
    span: u64,
    /// Whether a reply is owed later: the handler has returned and the record lives on.
    pub(crate) running: bool,
    nested: SmallVec<[Nested; 1]>,
    prune_at: usize,
}

/// What a nested call takes over from the call that it is made for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Inherited {
    pub(crate) deadline: Option<Instant>,
    pub(crate) depth: u16,
    pub(crate) trace: Option<Trace>,
}

/// All calls being served.
#[derive(Default)]
pub(crate) struct Serving {
    records: Slab<Record>,
    next_generation: u32,
    running: usize,
}

impl Serving {
    /// Nothing is served yet. Causes of two tables on one kernel are told apart by where their generations start.
    pub(crate) fn starting_at(generation: u32) -> Self {
        Self { next_generation: generation, ..Self::default() }
    }

    /// Starts a record; the cause names it.
    pub(crate) fn begin(
        &mut self,
        link: Weak<Link>,
        call: Option<u64>,
        inherited: Inherited,
        span: u64,
    ) -> Cause {
        self.next_generation = self.next_generation.wrapping_add(1).max(1);
        let generation = self.next_generation;
        let Inherited { deadline, depth, trace } = inherited;
        let slot = self.records.insert(Record {
            generation,
            link,
            call,
            deadline,
            depth,
            trace,
            span,
            running: false,
            nested: SmallVec::new(),
            prune_at: 16,
        });
        Cause::from_parts(u32::try_from(slot).unwrap_or(u32::MAX), generation)
    }

    /// Notes that the handler has returned and owes a reply.
    pub(crate) fn keep(&mut self, cause: Cause) {
        if let Some(record) = self.get_mut(cause)
            && !record.running
        {
            record.running = true;
            self.running += 1;
        }
    }

    /// Ends a record. `None` if it has ended before.
    pub(crate) fn end(&mut self, cause: Cause) -> Option<Record> {
        self.get(cause)?;
        let record = self.records.try_remove(cause.slot() as usize)?;
        self.running -= usize::from(record.running);
        Some(record)
    }

    /// How many calls have returned from their handler and owe a reply.
    pub(crate) fn running(&self) -> usize {
        self.running
    }

    pub(crate) fn deadline(&self, cause: Cause) -> Option<Instant> {
        self.get(cause)?.deadline
    }

    pub(crate) fn depth(&self, cause: Cause) -> u16 {
        self.get(cause).map_or(0, |record| record.depth)
    }

    pub(crate) fn trace(&self, cause: Cause) -> Option<Trace> {
        self.get(cause)?.trace
    }

    pub(crate) fn span(&self, cause: Cause) -> Option<u64> {
        let record = self.get(cause)?;
        record.trace.map(|_| record.span)
    }

    /// What a call made under `cause` inherits.
    pub(crate) fn inherit(&self, cause: Cause) -> Inherited {
        match self.get(cause) {
            None => Inherited::default(),
            Some(record) => Inherited {
                deadline: record.deadline,
                depth: record.depth.saturating_add(1),
                trace: record.trace.map(|trace| Trace { parent: record.span, ..trace }),
            },
        }
    }

    /// Remembers a call made for the one that `cause` names, to be cancelled with it.
    pub(crate) fn adopt(&mut self, cause: Cause, link: &Weak<Link>, id: CallId) {
        let Some(record) = self.get_mut(cause) else { return };
        if record.nested.len() >= record.prune_at {
            record.nested.retain(|n| n.link.upgrade().is_some_and(|link| link.is_pending(n.id)));
            record.prune_at = (2 * record.nested.len()).max(16);
        }
        record.nested.push(Nested { link: link.clone(), id });
    }

    /// Whether the call's handler has returned and owes a reply.
    pub(crate) fn is_running(&self, cause: Cause) -> bool {
        self.get(cause).is_some_and(|record| record.running)
    }

    /// Where a call came from: its connection and the caller's id.
    pub(crate) fn origin(&self, cause: Cause) -> Option<(Weak<Link>, Option<u64>)> {
        self.get(cause).map(|record| (record.link.clone(), record.call))
    }

    /// The running calls whose deadline has come.
    pub(crate) fn overdue(&self, now: Instant) -> Vec<Cause> {
        let late = |record: &Record| record.running && record.deadline.is_some_and(|d| d <= now);
        let causes = self.records.iter().filter(|(_, record)| late(record));
        causes.map(|(slot, record)| Cause::from_parts(slot as u32, record.generation)).collect()
    }

    /// Whether a running call has a deadline at all.
    pub(crate) fn any_deadline(&self) -> bool {
        self.running > 0 && self.records.iter().any(|(_, r)| r.running && r.deadline.is_some())
    }

    fn get(&self, cause: Cause) -> Option<&Record> {
        let record = self.records.get(cause.slot() as usize)?;
        (record.generation == cause.generation()).then_some(record)
    }

    fn get_mut(&mut self, cause: Cause) -> Option<&mut Record> {
        let record = self.records.get_mut(cause.slot() as usize)?;
        (record.generation == cause.generation()).then_some(record)
    }
}

impl Record {
    /// The calls made for this one, to be cancelled.
    pub(crate) fn into_nested(self) -> impl Iterator<Item = Nested> {
        self.nested.into_iter()
    }
}
