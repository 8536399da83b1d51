//! Checks what must hold of a session between two turns.

use super::{Phase, Session};

/// One direction of a connection's credit, as one of its ends sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ledger {
    /// Requests that may be on their way at a time.
    granted: u32,
    /// Requests that are.
    held: u32,
}

impl<K> Session<K> {
    /// Fails unless its counters are those of what it keeps. `events` of the peer have arrived and
    /// wait to be started.
    pub(crate) fn audit(&self, events: usize) -> Result<(), String> {
        self.calls.audit()?;
        let (mut waiting, mut bytes) = (0, 0);
        if let Some(queue) = self.rare.as_ref().and_then(|rare| rare.queue()) {
            (waiting, bytes) = queue.audit(&self.calls)?;
        }
        if let Some(room) = self.rare.as_ref().and_then(|rare| rare.room.as_ref()) {
            room.audit(waiting, bytes)?;
        }
        if self.phase != Phase::Open {
            return Ok(());
        }
        let (sent, held) = (self.calls.sent(), self.credit_held() - self.unconfirmed_events());
        if sent != held {
            return Err(format!("no credit missing: calls hold {held}, {sent} have no answer"));
        }
        self.incoming.audit(events)
    }

    /// Fails if a call has no outcome, a request waits, or a call that was given up still holds
    /// credit.
    pub(crate) fn audit_quiet(&self) -> Result<(), String> {
        let (pending, waiting, sent) = (self.pending(), self.waiting(), self.calls.sent());
        if pending > 0 {
            return Err(format!("no pending call without outcome: {pending} are"));
        }
        if waiting > 0 {
            return Err(format!("no request left in the queue: {waiting} are"));
        }
        if self.phase == Phase::Open && sent > 0 {
            return Err(format!("no credit missing: {sent} calls that were given up hold it"));
        }
        Ok(())
    }

    /// Returns the credit that the peer gives, as this side counts it.
    pub(crate) fn ledger(&self) -> Ledger {
        Ledger { granted: self.outgoing.granted(), held: self.outgoing.held() }
    }

    /// Returns the credit that this side gives.
    pub(crate) fn peers_ledger(&self) -> Ledger {
        Ledger { granted: self.limits.request_window, held: self.incoming.held() }
    }
}
