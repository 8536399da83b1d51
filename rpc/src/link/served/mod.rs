//! The calls being served by this process: what a [`Cause`] means.
//!
//! A record lives from the start of a request until its outcome. A cause is the record's slot and
//! generation, so a cause that outlives its call means nothing, rather than another call.
//!
//! Invariants:
//! 1. A record ends exactly once: when the call is answered, or its reply dropped. One that has
//!    ended may stay, without a generation, to be filled anew: most calls end before the next one
//!    starts. No cause names it, and what it keeps is the memory of the link that it came by, which
//!    holds nothing once it has ended. Kept by `nothing_finds_a_record_that_has_ended_and_stays`,
//!    `audit`.
//! 2. A call whose caller has cancelled, given up or gone is over: it means nothing any more, but
//!    keeps its place until the work for it has ended, so that nobody makes a process run more than
//!    it may by letting go of calls. Kept by
//!    `a_cancelled_call_keeps_its_place_until_its_work_has_ended`.
//! 3. A call takes a place from when it is started until its reply is given or dropped, or for no
//!    time if that is done before its method returns. Each connection knows how many of the places
//!    its calls have. Kept by `places_are_counted_for_all_and_for_each_connection`, `audit`.
//! 4. Only a call that owes its reply later bounds what is made for it: a plain method has answered
//!    before anybody can answer what it has started, so what that does is nobody's business but its
//!    own. Kept by `only_a_call_that_owes_its_reply_later_bounds_what_is_made_for_it`.
//! 5. `nested` names calls made for this one that may still be pending; it is pruned before it
//!    doubles. Kept by `adopt`,
//!    `of_many_nested_calls_those_that_have_not_ended_end_with_the_outer_one`.

mod audit;
mod over;
mod record;

pub(crate) use over::Over;

use crate::Reply;
use crate::interface::Method;
use crate::link::key::LinkKey;
use over::Past;
use peers_kernel::{Cause, Instant};
use peers_wire::Trace;
use record::{Extras, NestedCalls, Stage, Traced};
pub(crate) use record::{Nested, Record};
use slab::Slab;

/// Holds what a nested call takes over from the call that it is made for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inherited {
    /// [`Instant::FAR`] is never.
    pub(crate) deadline: Instant,
    pub(crate) depth: u16,
    pub(crate) trace: Option<Trace>,
}

/// From none.
impl Default for Inherited {
    fn default() -> Self {
        Self { deadline: Instant::FAR, depth: 0, trace: None }
    }
}

/// All calls being served.
#[derive(Default)]
pub(crate) struct Serving {
    records: Slab<Record>,
    next_generation: u32,
    /// Says where the next record goes: one that has ended, and waits to be filled anew.
    vacant: Option<u32>,
    /// Records of calls that take a place, and those that somebody waits for.
    held: usize,
    running: usize,
    past: Past,
}

impl Serving {
    /// Makes an empty table. Causes of two tables on one kernel are told apart by where their
    /// generations start.
    pub(crate) fn starting_at(generation: u32) -> Self {
        Self { next_generation: generation, ..Self::default() }
    }

    /// Starts a record; the cause names it.
    pub(crate) fn begin(
        &mut self,
        link: LinkKey,
        call: Option<u64>,
        method: &'static Method,
        inherited: Inherited,
        span: u64,
    ) -> Cause {
        // Never zero, which stands for a record that has ended.
        self.next_generation = self.next_generation.wrapping_add(1).max(1);
        let generation = self.next_generation;
        let slot = self.vacant.take().unwrap_or_else(|| self.add_empty());
        let record = &mut self.records[slot as usize];
        let Inherited { deadline, depth, trace } = inherited;
        record.generation = generation;
        record.depth = depth;
        record.stage = Stage::Started;
        record.is_event = call.is_none();
        record.id = call.unwrap_or_default();
        record.method = method;
        record.deadline = deadline;
        record.link = link;
        if let Some(trace) = trace {
            record.extras.get_or_insert_default().traced = Some(Traced { trace, span });
        }
        Cause::from_parts(slot, generation)
    }

    /// Adds a place for one record more.
    #[cold]
    fn add_empty(&mut self) -> u32 {
        let slot = self.records.insert(Record::ended());
        u32::try_from(slot).expect("a table of so many records does not fit a machine")
    }

    /// Returns whether there is a place for one call more of a connection that has so many, of
    /// `most` for all: if it has fewer than half of what the others leave. Each connection may have
    /// one in any case, so that nobody can keep it from being served.
    pub(crate) fn has_place(&self, own: usize, most: usize) -> bool {
        let left = most.saturating_sub(self.held - own);
        // One for each connection in any case; of many, fewer than half of what others leave.
        own == 0 || 2 * own < left
    }

    /// Takes a place for a call that owes a reply from now on. Its connection is to count that, if
    /// this says so.
    #[must_use]
    pub(crate) fn keep(&mut self, cause: Cause) -> bool {
        let started = self.get_mut(cause).filter(|record| record.stage == Stage::Started);
        let Some(record) = started else { return false };
        record.stage = Stage::Running;
        self.running += 1;
        self.held += 1;
        true
    }

    /// Gives the place of a call back whose reply was given before its handler returned. Its
    /// connection is to count that, if this says so.
    #[must_use]
    pub(crate) fn answered_at_once(&mut self, cause: Cause) -> bool {
        let running = self.get_mut(cause).filter(|record| record.stage == Stage::Running);
        let Some(record) = running else { return false };
        record.stage = Stage::Answered;
        debug_assert!(self.held > 0, "a running call has a place");
        self.held -= 1;
        true
    }

    /// Ends the record of a call whose handler has returned, unless it owes a reply. What it gives
    /// is to be dropped when nothing is borrowed.
    #[inline]
    pub(crate) fn end_unless_running(&mut self, cause: Cause) -> Option<Box<Extras>> {
        let slot = cause.slot();
        let record = self.records.get_mut(slot as usize)?;
        if !record.is_of(cause) || record.stage != Stage::Started {
            return None;
        }
        let extras = record.extras.take();
        // One empty record is kept, with its memory: most calls end before the next one starts.
        if self.vacant.is_some() {
            self.records.remove(slot as usize);
        } else {
            record.generation = Record::ENDED;
            self.vacant = Some(slot);
        }
        extras
    }

    /// Ends a record. `None` if it has ended before. If it [has a place](Record::has_place), its
    /// connection is to count that.
    pub(crate) fn end(&mut self, cause: Cause) -> Option<Record> {
        let record = self.records.get(cause.slot() as usize)?;
        if !record.is_of(cause) {
            return None;
        }
        let record = self.records.try_remove(cause.slot() as usize)?;
        if record.stage.has_place() {
            debug_assert!(self.held > 0, "the place of a record was counted");
            self.held -= 1;
        }
        self.running -= usize::from(record.stage.is_awaited());
        Some(record)
    }

    /// Notes that nobody waits for a running call any more, and gives the calls made for it, to be
    /// cancelled, and who wants to hear of it. `None` if it does not run, or that was known.
    pub(crate) fn abandon(
        &mut self,
        cause: Cause,
        now: Instant,
    ) -> Option<(NestedCalls, Vec<Reply<()>>)> {
        let record = self.get_mut(cause).filter(|record| record.stage.is_awaited())?;
        // Its place stays taken until the work has ended, or letting go of calls would be a way to
        // make a process run more than it may.
        record.stage = if record.stage.has_place() { Stage::Over } else { Stage::Past };
        record.lapse(now);
        let nested = std::mem::take(&mut record.nested);
        let watchers = record.extras.as_mut().map(|rare| std::mem::take(&mut rare.watchers));
        self.running -= 1;
        Some((nested, watchers.unwrap_or_default()))
    }

    /// Lets `watcher` be resumed when nobody waits for the call any more. Given back if that is so,
    /// or it was answered.
    pub(crate) fn watch(&mut self, cause: Cause, watcher: Reply<()>) -> Result<(), Reply<()>> {
        match self.get_mut(cause) {
            Some(record) => {
                record.extras.get_or_insert_default().watchers.push(watcher);
                Ok(())
            }
            None => Err(watcher),
        }
    }

    /// Returns the connection and the method of a call whose deadline bounds what is made for it.
    pub(crate) fn bound(&self, cause: Cause) -> Option<(LinkKey, &'static Method)> {
        let record = self.get(cause).filter(|record| record.stage.is_awaited())?;
        Some((record.link, record.method))
    }

    /// Returns how many calls owe a reply.
    pub(crate) fn running(&self) -> usize {
        self.running
    }

    pub(crate) fn deadline(&self, cause: Cause) -> Option<Instant> {
        self.get(cause)?.deadline()
    }

    pub(crate) fn depth(&self, cause: Cause) -> u16 {
        self.get(cause).map_or(0, |record| record.depth)
    }

    pub(crate) fn trace(&self, cause: Cause) -> Option<Trace> {
        Some(self.get(cause)?.traced()?.trace)
    }

    pub(crate) fn span(&self, cause: Cause) -> Option<u64> {
        Some(self.get(cause)?.traced()?.span)
    }

    /// Returns what a call made under `cause` inherits.
    pub(crate) fn inherit(&self, cause: Cause) -> Inherited {
        match self.get(cause) {
            None => Inherited::default(),
            Some(record) => Inherited {
                deadline: if record.stage.is_awaited() { record.deadline } else { Instant::FAR },
                depth: record.depth.saturating_add(1),
                trace: record.traced().map(|t| Trace { parent: t.span, ..t.trace }),
            },
        }
    }

    /// Remembers a call made for the one that `cause` names, to be cancelled with it.
    pub(crate) fn adopt(
        &mut self,
        cause: Cause,
        nested: Nested,
        is_pending: impl Fn(&Nested) -> bool,
    ) {
        let running = self.get_mut(cause).filter(|record| record.stage.is_awaited());
        if let Some(record) = running {
            record.adopt(nested, is_pending);
        }
    }

    /// Returns whether the call's handler has returned and owes a reply.
    pub(crate) fn is_running(&self, cause: Cause) -> bool {
        self.get(cause).is_some_and(|record| record.stage.is_awaited())
    }

    /// Returns on whose account work for a call is done: its connection's, also when nobody waits
    /// for it any more.
    pub(crate) fn share(&self, cause: Cause) -> Option<u64> {
        let record = self.records.get(cause.slot() as usize);
        record.filter(|record| record.is_of(cause)).map(|record| record.link.to_bits())
    }

    /// Returns where a call came from: its connection and the caller's id.
    pub(crate) fn origin(&self, cause: Cause) -> Option<(LinkKey, Option<u64>)> {
        self.get(cause).map(|record| (record.link, record.call()))
    }

    /// Lists the running calls whose deadline has come.
    pub(crate) fn overdue(&self, now: Instant) -> Vec<Cause> {
        let late = |record: &Record| record.stage == Stage::Running && record.deadline <= now;
        let causes = self.records.iter().filter(|(_, record)| late(record));
        causes.map(|(slot, record)| Cause::from_parts(slot as u32, record.generation)).collect()
    }

    /// Returns whether a running call has a deadline at all.
    pub(crate) fn any_deadline(&self) -> bool {
        self.running > 0
            && self.records.iter().any(|(_, r)| r.stage == Stage::Running && r.deadline().is_some())
    }

    fn get(&self, cause: Cause) -> Option<&Record> {
        let record = self.records.get(cause.slot() as usize)?;
        (record.is_of(cause) && !record.is_over()).then_some(record)
    }

    fn get_mut(&mut self, cause: Cause) -> Option<&mut Record> {
        let record = self.records.get_mut(cause.slot() as usize)?;
        (record.is_of(cause) && !record.is_over()).then_some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::Method;
    use crate::session::{CallId, Head, Role, Session};
    use peers_wire::{NodeId, Trace};
    use std::rc::Rc;

    const NOW: Instant = Instant::from_nanos(1);

    pub(super) const LINK: LinkKey = LinkKey::new(7, 70);
    const ANOTHER: LinkKey = LinkKey::new(8, 80);

    /// As if nothing but the call itself were pending.
    fn adopt(serving: &mut Serving, cause: Cause) {
        serving.adopt(cause, Nested { link: LINK, id: some_call() }, |_| false);
    }

    fn some_call() -> CallId {
        let (node, now, mut out) = (NodeId::from_bits(1), Instant::from_nanos(1), Vec::new());
        let mut session = Session::new(Role::Dialled, node, Rc::default(), now, &mut out);
        let made = session.call(now, &Head::new(1), &mut Vec::new(), (), &mut out);
        made.expect("there is room for one call")
    }

    pub(super) fn until(nanos: u64) -> Inherited {
        Inherited { deadline: Instant::from_nanos(nanos), depth: 7, trace: None }
    }

    fn names_nothing(serving: &mut Serving, cause: Cause) {
        assert!(!serving.keep(cause));
        adopt(serving, cause);
        serving.end_unless_running(cause);
        assert!(serving.origin(cause).is_none() && !serving.is_running(cause));
        assert_eq!((serving.depth(cause), serving.deadline(cause)), (0, None));
        let Inherited { deadline, depth, trace } = serving.inherit(cause);
        assert_eq!((deadline, depth, trace), (Instant::FAR, 0, None));
        assert!(serving.abandon(cause, NOW).is_none() && serving.end(cause).is_none());
        assert_eq!((serving.held, serving.running()), (0, 0));
    }

    #[test]
    fn nothing_finds_a_record_that_has_ended_and_stays() {
        let mut serving = Serving::starting_at(0);
        // Two at a time, so that another place than the first stays.
        let other = serving.begin(LINK, Some(1), &Method::NONE, until(9), 0);
        let ended = serving.begin(LINK, Some(2), &Method::NONE, until(9), 0);
        assert_eq!((other.slot(), ended.slot()), (0, 1));
        serving.end_unless_running(ended);
        serving.end_unless_running(other);
        assert_eq!((serving.vacant, serving.records.len()), (Some(1), 1));
        for slot in 0..3 {
            for cause in [other, ended, Cause::from_parts(slot, 0), Cause::from_parts(slot, 3)] {
                names_nothing(&mut serving, cause);
            }
        }
        names_nothing(&mut serving, Cause::NONE);
        assert_eq!((serving.vacant, serving.records.len()), (Some(1), 1));
    }

    #[test]
    fn a_record_that_is_filled_anew_knows_nothing_of_the_last_one() {
        let mut serving = Serving::starting_at(0);
        let first = serving.begin(LINK, Some(1), &Method::NONE, until(9), 0);
        serving.end_unless_running(first);
        let second = serving.begin(ANOTHER, None, &Method::NONE, Inherited::default(), 0);
        assert_eq!((first.slot(), serving.vacant), (second.slot(), None));
        assert_eq!((serving.depth(second), serving.deadline(second)), (0, None));
        let (came_by, call) = serving.origin(second).expect("it is being served");
        assert!(came_by == ANOTHER && call.is_none());
        assert!(serving.keep(second));
        names_nothing_but(&mut serving, first);
        assert!(serving.is_running(second) && serving.end(second).is_some());
        assert!(serving.end(second).is_none() && serving.records.is_empty());
    }

    /// A cause of the last call in its place does not end the one that runs there.
    fn names_nothing_but(serving: &mut Serving, stale: Cause) {
        serving.end_unless_running(stale);
        assert!(serving.abandon(stale, NOW).is_none() && serving.end(stale).is_none());
        assert_eq!((serving.held, serving.running()), (1, 1));
    }

    #[test]
    fn places_are_counted_for_all_and_for_each_connection() {
        let mut serving = Serving::starting_at(0);
        let start = |link, serving: &mut Serving| {
            let cause = serving.begin(link, Some(1), &Method::NONE, until(9), 0);
            assert!(serving.keep(cause) && !serving.keep(cause), "it takes one place");
            cause
        };
        let first = start(LINK, &mut serving);
        let second = start(LINK, &mut serving);
        let third = start(ANOTHER, &mut serving);
        let places =
            |serving: &Serving| (serving.held, serving.places_of(LINK), serving.places_of(ANOTHER));
        assert_eq!(places(&serving), (3, 2, 1));
        assert!(serving.answered_at_once(first) && !serving.answered_at_once(first));
        assert_eq!((places(&serving), serving.running()), ((2, 1, 1), 3));
        assert!(serving.abandon(first, NOW).is_some() && serving.abandon(second, NOW).is_some());
        assert_eq!((places(&serving), serving.running()), ((2, 1, 1), 1));
        for (cause, had) in [(first, false), (second, true), (third, true)] {
            assert_eq!(serving.end(cause).map(|record| record.has_place()), Some(had));
        }
        assert_eq!((places(&serving), serving.running()), ((0, 0, 0), 0));
    }

    #[test]
    fn a_connection_has_fewer_than_half_of_what_others_leave_or_one() {
        let serving = |held| Serving { held, ..Serving::default() };
        let most = |others| {
            let mut own = 0;
            while serving(others + own).has_place(own, 16) {
                own += 1;
            }
            own
        };
        let expected = [(0, 8), (1, 8), (8, 4), (12, 2), (13, 2), (14, 1), (16, 1), (99, 1)];
        for (others, own) in expected {
            assert_eq!(most(others), own, "{others} others");
        }
    }

    #[test]
    fn a_record_of_a_traced_call_is_filled_anew_as_well() {
        let mut serving = Serving::starting_at(0);
        let (trace, method) = (Some(Trace { root: 1, parent: 2 }), &Method::NONE);
        let traced = serving.begin(LINK, Some(1), method, Inherited { trace, ..until(9) }, 3);
        assert_eq!((serving.trace(traced), serving.span(traced)), (trace, Some(3)));
        assert!(serving.end_unless_running(traced).is_some());
        let next = serving.begin(LINK, Some(2), method, until(9), 0);
        assert_eq!((serving.trace(next), serving.span(next)), (None, None));
        assert_eq!(next.slot(), traced.slot());
    }

    #[test]
    fn only_a_call_that_owes_its_reply_later_bounds_what_is_made_for_it() {
        let mut serving = Serving::starting_at(0);
        let call = serving.begin(LINK, Some(1), &Method::NONE, until(9), 0);
        adopt(&mut serving, call);
        assert_eq!(
            (serving.inherit(call).deadline, serving.inherit(call).depth),
            (Instant::FAR, 8)
        );
        assert!(serving.deadline(call).is_some(), "it has one of its own");
        assert!(serving.keep(call));
        assert_eq!(serving.inherit(call).deadline, until(9).deadline);
        adopt(&mut serving, call);
        let (nested, _) = serving.abandon(call, NOW).expect("it runs");
        assert_eq!(nested.len(), 1, "what was made for it since it owes a reply");
    }
}
