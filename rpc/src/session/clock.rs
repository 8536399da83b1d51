//! The times of one session: what has been waited for since when. Reads no clock; it is told.
//!
//! A point in time that does not apply is [`NEVER`], which is later than all others, so the next
//! deadline is a minimum. A quiet session waits only for something to come; what else may be waited
//! for is in a box, which [`release`](Clock::release) takes away when nothing of it applies.
//!
//! Invariants:
//! 1. `pinged` is set iff a ping was sent and nothing has come since; `pong_due` iff the last one
//!    has no pong yet. Kept by `each_silence_is_asked_about_anew`,
//!    `a_pong_that_was_asked_for_is_free_and_others_are_not`.
//! 2. `frame_since` is set iff a frame has begun and is not complete. Kept by
//!    `each_frame_that_comes_in_pieces_has_its_own_time`.
//! 3. `blocked_since` is set iff output waits; it moves with each byte that leaves. Kept by
//!    `output_that_is_blocked_again_is_waited_for_as_long_again`.
//! 4. `arrived` is set iff the input now being taken may have come before it was looked at. Kept by
//!    `tests/behind.rs`.

use crate::limits::Limits;
use peers_kernel::Instant;
use std::time::Duration;

/// No deadline.
pub(super) const NEVER: Instant = Instant::FAR;

/// Due already.
pub(super) const NOW: Instant = Instant::from_nanos(0);

/// A pause in looking at the session after which its overdue deadlines tell since when the process
/// stood still.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Clock {
    /// Says when the session was last looked at by its input or its timer.
    looked: Instant,
    /// Says when something came last; iff `pinged`, when the ping was sent.
    since: Instant,
    last_use: Instant,
    /// Pings sent; the number of the last.
    pings: u32,
    pinged: bool,
    pong_due: bool,
    /// A use without a known time: since `last_use`, and before whatever is next.
    used: bool,
    waits: Option<Box<Waits>>,
}

/// Holds what few sessions wait for at a time.
#[derive(Debug, PartialEq, Eq)]
struct Waits {
    /// Says when the input now being taken arrived, at the earliest.
    arrived: Instant,
    frame_since: Instant,
    blocked_since: Instant,
    /// The end of what the present state of the connection is given: the hello, or the linger time.
    until: Instant,
}

impl Default for Waits {
    fn default() -> Self {
        Self { arrived: NEVER, frame_since: NEVER, blocked_since: NEVER, until: NEVER }
    }
}

impl Waits {
    /// Returns when the first of them has lasted too long.
    fn next(&self, limits: &Limits) -> Instant {
        let frame = self.frame_since + limits.frame_timeout;
        let blocked = self.blocked_since + limits.write_stall_timeout;
        self.until.min(frame).min(blocked)
    }
}

impl Clock {
    pub(super) fn new(now: Instant, limits: &Limits) -> Self {
        let mut clock = Self {
            looked: now,
            since: now,
            last_use: now,
            pings: 0,
            pinged: false,
            pong_due: false,
            used: false,
            waits: None,
        };
        clock.set_until(now + limits.handshake_timeout);
        clock
    }

    fn waits(&mut self) -> &mut Waits {
        self.waits.get_or_insert_default()
    }

    /// Returns whether [`look`](Self::look) needs to know what is overdue.
    #[inline]
    pub(super) fn paused(&self, now: Instant) -> bool {
        now.since(self.looked) > PAUSE
    }

    /// Notes that the session is being looked at. If its timer is overdue, the process stood still
    /// since then, and input may have waited in the socket as long.
    #[inline]
    pub(super) fn look(&mut self, now: Instant, overdue: Option<Instant>) {
        if now == self.looked {
            return;
        }
        let arrived = overdue.map_or(NEVER, |due| due.max(self.looked));
        if arrived < now {
            self.waits().arrived = arrived;
        } else if let Some(waits) = &mut self.waits {
            waits.arrived = NEVER;
            self.release();
        }
        self.looked = now;
    }

    /// Notes that the input now being taken may have arrived at `since` already.
    #[cold]
    pub(super) fn arrived_by(&mut self, since: Instant) {
        let waits = self.waits();
        waits.arrived = waits.arrived.min(since);
    }

    /// Notes that something has arrived.
    #[inline]
    pub(super) fn heard(&mut self, now: Instant) {
        self.since = now;
        self.pinged = false;
    }

    /// Returns when something came last, or a ping was sent since.
    pub(super) fn heard_at(&self) -> Instant {
        self.since
    }

    /// Returns since when a frame that is complete now has been on its way, as far as that can be
    /// known.
    #[inline]
    pub(super) fn frame_began(&self) -> Instant {
        let Some(waits) = &self.waits else { return self.looked };
        waits.frame_since.min(waits.arrived).min(self.looked)
    }

    /// Notes that a frame is complete.
    #[inline]
    pub(super) fn frame_complete(&mut self) {
        if let Some(waits) = &mut self.waits {
            waits.frame_since = NEVER;
        }
    }

    /// Notes how many bytes of an unfinished frame are there.
    #[inline]
    pub(super) fn note_partial(&mut self, now: Instant, pending: usize) {
        if pending > 0 {
            let since = &mut self.waits().frame_since;
            *since = now.min(*since);
        } else if let Some(waits) = &mut self.waits {
            waits.frame_since = NEVER;
        }
    }

    /// Notes that the rest of an unfinished frame may be there, but is not read.
    pub(super) fn unread(&mut self, now: Instant) {
        if let Some(waits) = &mut self.waits
            && waits.frame_since != NEVER
        {
            waits.frame_since = now;
        }
    }

    /// Notes that the connection was used for a call.
    #[inline]
    pub(super) fn used_at(&mut self, now: Instant) {
        self.last_use = now;
    }

    /// Notes use by someone who does not know the time.
    #[inline]
    pub(super) fn used(&mut self) {
        self.used = true;
    }

    /// Gives uses without a time the latest time they can have had.
    #[inline]
    pub(super) fn note_uses(&mut self, now: Instant) {
        if std::mem::take(&mut self.used) {
            self.last_use = now;
        }
    }

    /// Notes that output has moved on, or that all of it has left.
    #[inline]
    pub(super) fn flushed(&mut self, now: Instant, moved: bool, waiting: bool) {
        if waiting {
            let since = &mut self.waits().blocked_since;
            *since = if moved { now } else { now.min(*since) };
        } else if let Some(waits) = &mut self.waits {
            waits.blocked_since = NEVER;
        }
    }

    /// Notes that nothing of the output that waits has left since `since`.
    pub(super) fn stalled(&mut self, since: Instant) {
        if let Some(waits) = &mut self.waits
            && waits.blocked_since != NEVER
        {
            waits.blocked_since = since;
        }
    }

    /// Returns when the session was last looked at by its input or its timer.
    pub(super) fn looked_at(&self) -> Instant {
        self.looked
    }

    /// Notes that a ping is sent, and returns its number.
    pub(super) fn ping(&mut self, now: Instant) -> u64 {
        self.since = now;
        self.pings = self.pings.wrapping_add(1);
        (self.pinged, self.pong_due) = (true, true);
        self.pings.into()
    }

    /// Returns whether a pong answers the last ping, and is the first to do so.
    pub(super) fn pong(&mut self, number: u64) -> bool {
        // A pong of an earlier ping, or one that nobody asked for, says nothing about now.
        let is_due = self.pong_due && number == u64::from(self.pings);
        self.pong_due &= !is_due;
        is_due
    }

    /// Returns until when the present state of the connection may last.
    pub(super) fn until(&self) -> Instant {
        self.waits.as_ref().map_or(NEVER, |waits| waits.until)
    }

    pub(super) fn set_until(&mut self, until: Instant) {
        self.waits().until = until;
    }

    /// Notes that the connection has come about: from now on the peer is waited for.
    pub(super) fn connected(&mut self, now: Instant, allowed: Duration) {
        (self.looked, self.since) = (now, now);
        self.set_until(now + allowed);
    }

    /// Lets the present state of the connection last for ever.
    pub(super) fn lift_deadline(&mut self) {
        if let Some(waits) = &mut self.waits {
            waits.until = NEVER;
        }
        self.release();
    }

    /// Returns when to ping.
    #[inline]
    pub(super) fn ping_at(&self, limits: &Limits) -> Instant {
        if self.pinged { NEVER } else { self.since + limits.ping_idle }
    }

    /// Returns when to take the peer for dead. Counted from the ping, so that a process that stood
    /// still asks before it judges.
    #[inline]
    pub(super) fn peer_timeout_at(&self, limits: &Limits) -> Instant {
        let allowed = limits.peer_timeout.saturating_sub(limits.ping_idle);
        if self.pinged { self.since + allowed } else { NEVER }
    }

    /// Returns when an open connection is to be looked at for what has not come or not left.
    #[inline]
    pub(super) fn open_until(&self, limits: &Limits) -> Instant {
        let silent = if self.pinged { self.peer_timeout_at(limits) } else { self.ping_at(limits) };
        match &self.waits {
            None => silent,
            Some(waits) => silent.min(waits.next(limits)),
        }
    }

    /// Lets all that the peer is waited for begin anew, as far as it should have come long ago:
    /// this process stood still, and so may the peer. The present state of the connection is
    /// `allowed` so long; a silent peer is asked once more.
    pub(super) fn forgive(&mut self, now: Instant, allowed: Duration, limits: &Limits) {
        // We were stopped, not the peer: it gets as much time as it would have had.
        let stood_still = |due: Instant| due <= now && now.since(due) >= PAUSE;
        if stood_still(self.peer_timeout_at(limits)) {
            self.pinged = false;
        }
        let Some(waits) = &mut self.waits else { return };
        if stood_still(waits.frame_since + limits.frame_timeout) {
            waits.frame_since = now;
        }
        if stood_still(waits.blocked_since + limits.write_stall_timeout) {
            waits.blocked_since = now;
        }
        if stood_still(waits.until) {
            waits.until = now + allowed;
        }
    }

    #[inline]
    pub(super) fn unused_at(&self, keep_alive: Duration) -> Instant {
        if keep_alive.is_zero() { NEVER } else { self.last_use + keep_alive }
    }

    #[inline]
    pub(super) fn frame_due(&self, limits: &Limits) -> Instant {
        self.waits.as_ref().map_or(NEVER, |waits| waits.frame_since + limits.frame_timeout)
    }

    #[inline]
    pub(super) fn blocked_until(&self, limits: &Limits) -> Instant {
        self.waits.as_ref().map_or(NEVER, |waits| waits.blocked_since + limits.write_stall_timeout)
    }

    /// Gives memory back that nothing needs.
    pub(super) fn release(&mut self) {
        self.waits.take_if(|waits| **waits == Waits::default());
    }

    #[cfg(test)]
    pub(super) fn holds_memory(&self) -> bool {
        self.waits.is_some()
    }
}
