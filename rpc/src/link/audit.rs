//! Checks what must hold of a connection between two turns.

use super::{Link, LinkExtras};
use crate::session::Ledger;

impl Link {
    /// Fails unless its counters are those of what it keeps.
    pub(crate) fn audit(&self) -> Result<(), String> {
        let serving = self.serving().borrow();
        let (counted, places) = (self.places(), serving.places_of(self.key()));
        if counted != places {
            return Err(format!("no place lost: {counted} are counted, its calls have {places}"));
        }
        let lost = |rare: &mut LinkExtras| {
            rare.owed.iter().find(|(call, cause)| !serving.owes(**cause, **call)).map(|(c, _)| *c)
        };
        if let Some(call) = self.if_rare(lost) {
            return Err(format!("no served call lost: {call} owes an answer, and has no record"));
        }
        let (owed, calls, events) = self.if_rare(|LinkExtras { owed, deferred, .. }| {
            let events = deferred.events();
            (owed.len(), deferred.len() - events, events)
        });
        let Some(unanswered) = self.ask(|session| Some(session.unanswered())) else {
            return Ok(());
        };
        if self.is_open() && unanswered != owed + calls {
            let known = format!("{owed} run, {calls} wait to be started");
            return Err(format!("no served call without answer: {unanswered} have none, {known}"));
        }
        self.ask(|session| Some(session.audit(events))).unwrap_or(Ok(()))?;
        self.audit_memory()
    }

    fn audit_memory(&self) -> Result<(), String> {
        let waiting = self.waiting_memory();
        let (held, told) = self.if_rare(|LinkExtras { deferred, partial, told, .. }| {
            (deferred.weighed() + *partial, *told)
        });
        if waiting + held != told {
            let held = waiting + held;
            return Err(format!("no memory that nothing holds: {told} bytes told, {held} held"));
        }
        Ok(())
    }

    /// Fails if anything is under way.
    pub(crate) fn audit_quiet(&self) -> Result<(), String> {
        // Answers that have left hold no credit, which is found out when something comes.
        self.note_flushed();
        let left = self.if_rare(|rare| rare.deferred.len());
        if left > 0 {
            return Err(format!("no served call without answer: {left} wait to be started"));
        }
        self.ask(|session| Some(session.audit_quiet())).unwrap_or(Ok(()))
    }

    /// Returns the credit of both directions, as this end sees it: what it may send, what the peer
    /// may.
    pub(crate) fn ledgers(&self) -> Option<(Ledger, Ledger)> {
        self.ask(|session| Some((session.ledger(), session.peers_ledger())))
    }

    /// Counts the bytes that the process was told it holds.
    pub(crate) fn told(&self) -> usize {
        self.if_rare(|rare| rare.told)
    }
}
