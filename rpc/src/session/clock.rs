//! The times of one session: what has been waited for since when. Reads no clock; it is told.
//!
//! A point in time that does not apply is [`NEVER`], which is later than all others, so the next deadline is a minimum.
//!
//! Invariants:
//! 1. `pinged` is set iff a ping was sent and nothing has come since.
//! 2. `frame_since` is set iff a frame has begun and is not complete.
//! 3. `blocked_since` is set iff output waits; it moves with each byte that leaves.

use crate::limits::Limits;
use peers_kernel::Instant;
use std::time::Duration;

/// No deadline.
pub(super) const NEVER: Instant = Instant::FAR;

/// Due already.
pub(super) const NOW: Instant = Instant::from_nanos(0);

/// A pause in looking at the session after which its overdue deadlines tell since when the process stood still.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Clock {
    /// When the session was last looked at by its input or its timer.
    looked: Instant,
    /// When the input now being taken arrived, at the earliest.
    arrived: Instant,
    last_input: Instant,
    pinged: Instant,
    last_use: Instant,
    /// A use without a known time: since `last_use`, and before whatever is next.
    used: bool,
    frame_since: Instant,
    blocked_since: Instant,
    /// The end of what the present state of the connection is given: the hello, or the linger time.
    pub(super) until: Instant,
}

impl Clock {
    pub(super) fn new(now: Instant, limits: &Limits) -> Self {
        Self {
            looked: now,
            arrived: now,
            last_input: now,
            pinged: NEVER,
            last_use: now,
            used: false,
            frame_since: NEVER,
            blocked_since: NEVER,
            until: now + limits.hello,
        }
    }

    /// Whether [`look`](Self::look) needs to know what is overdue.
    #[inline]
    pub(super) fn paused(&self, now: Instant) -> bool {
        now.since(self.looked) > PAUSE
    }

    /// The session is being looked at. If its timer is overdue, the process stood still since then, and input may have
    /// waited in the socket as long.
    #[inline]
    pub(super) fn look(&mut self, now: Instant, overdue: Option<Instant>) {
        if now != self.looked {
            self.arrived = overdue.map_or(now, |due| due.clamp(self.looked, now));
            self.looked = now;
        }
    }

    /// Something has arrived.
    #[inline]
    pub(super) fn heard(&mut self, now: Instant) {
        self.last_input = now;
        self.pinged = NEVER;
    }

    /// A frame is complete; returns since when it has been on its way, as far as that can be known.
    #[inline]
    pub(super) fn frame_complete(&mut self) -> Instant {
        let since = self.frame_since.min(self.arrived);
        self.frame_since = NEVER;
        since
    }

    /// So many bytes of an unfinished frame are there.
    #[inline]
    pub(super) fn note_partial(&mut self, now: Instant, pending: usize) {
        if pending == 0 {
            self.frame_since = NEVER;
        } else if self.frame_since == NEVER {
            self.frame_since = now;
        }
    }

    /// The rest of an unfinished frame may be there, but is not read.
    pub(super) fn unread(&mut self, now: Instant) {
        if self.frame_since != NEVER {
            self.frame_since = now;
        }
    }

    /// The connection was used for a call.
    #[inline]
    pub(super) fn used_at(&mut self, now: Instant) {
        self.last_use = now;
    }

    /// The same, by someone who does not know the time.
    #[inline]
    pub(super) fn used(&mut self) {
        self.used = true;
    }

    /// Gives uses without a time the latest time they can have had.
    #[inline]
    pub(super) fn settle(&mut self, now: Instant) {
        if std::mem::take(&mut self.used) {
            self.last_use = now;
        }
    }

    /// Output has moved on, or all of it has left.
    #[inline]
    pub(super) fn flushed(&mut self, now: Instant, moved: bool, waiting: bool) {
        if !waiting {
            self.blocked_since = NEVER;
        } else if moved || self.blocked_since == NEVER {
            self.blocked_since = now;
        }
    }

    /// A ping was sent.
    pub(super) fn pinged(&mut self, now: Instant) {
        self.pinged = now;
    }

    /// When to ping.
    #[inline]
    pub(super) fn ping_at(&self, limits: &Limits) -> Instant {
        if self.pinged == NEVER { self.last_input + limits.ping_idle } else { NEVER }
    }

    /// When to take the peer for dead. Counted from the ping, so that a process that stood still asks before it judges.
    #[inline]
    pub(super) fn dead_at(&self, limits: &Limits) -> Instant {
        self.pinged + limits.dead.saturating_sub(limits.ping_idle)
    }

    #[inline]
    pub(super) fn unused_at(&self, keep_alive: Duration) -> Instant {
        if keep_alive.is_zero() { NEVER } else { self.last_use + keep_alive }
    }

    #[inline]
    pub(super) fn frame_due(&self, limits: &Limits) -> Instant {
        self.frame_since + limits.frame_time
    }

    #[inline]
    pub(super) fn blocked_until(&self, limits: &Limits) -> Instant {
        self.blocked_since + limits.no_progress
    }
}
