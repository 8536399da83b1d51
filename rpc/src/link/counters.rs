//! Counts what happened in a process, for tools and tests.

use crate::session;

/// Holds what happened in a process so far, for tools and tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Replies resumed after their caller had gone or cancelled.
    pub inert_replies: u64,
    /// Events of others that were not started: unknown, too late, too deep, or waiting for a turn
    /// when their connection ended.
    pub dropped_events: u64,
    /// Our events that were accepted and not sent: too large for the peer, as its hello then said,
    /// or their connection ended first.
    pub unsent_events: u64,
    /// Replies of others to calls that had their outcome already.
    pub late_replies: u64,
    /// Connections accepted.
    pub accepted: u64,
    /// Connections turned away because there were too many.
    pub crowded: u64,
    /// Connections turned away because their keys are not on the list, or other users' processes on
    /// Unix sockets.
    pub strangers: u64,
    /// Connections ended because the process held too much.
    pub relieved: u64,
}

impl Counters {
    /// Adds what one connection has counted.
    pub(crate) fn add(&mut self, session: &session::SessionCounters) {
        self.dropped_events += u64::from(session.unstarted_events);
        self.unsent_events += u64::from(session.unsent_events);
        self.late_replies += u64::from(session.late_replies) + u64::from(session.duplicate_replies);
    }
}
