//! Gives the peer its credit back, and notes what has left: both let requests go on.

use super::{Output, Phase, Session};
use peers_kernel::Instant;
use peers_wire::Credit;

impl<K> Session<K> {
    /// Reports that an event of the peer was started, or dropped: the peer gets its credit back,
    /// with others.
    #[inline]
    pub fn event_started(&mut self, out: &mut impl Output) {
        if let Some(amount) = self.incoming.event_started() {
            self.put_credit(amount, out);
        }
    }

    /// Returns the credit of events that were started, if it is time: with whatever else is being
    /// sent, or when the peer uses more than half of its grant. To be called at the end of each
    /// batch of requests that were started. What stays goes with the next ping at the latest; a
    /// frame for each batch would wake the peer as often as it sends.
    #[inline]
    pub fn return_credits(&mut self, out: &mut impl Output) {
        // With something that leaves anyway a credit frame costs no write of its own.
        let leaving = self.meter.waiting() > 0;
        if self.incoming.is_return_due(self.limits.request_window, leaving) {
            self.flush_credits(out);
        }
    }

    /// Returns the credit of all events that were started.
    pub fn flush_credits(&mut self, out: &mut impl Output) {
        if let Some(amount) = self.incoming.take_started() {
            self.put_credit(amount, out);
        }
    }

    #[cold]
    fn put_credit(&mut self, amount: u32, out: &mut impl Output) {
        // After a goodbye nothing more is said.
        if self.phase != Phase::Ended {
            self.meter.put(out, |bytes| Credit { amount }.put(bytes));
        }
    }

    /// Tells how many bytes the socket has taken since the connection was made. Requests that
    /// waited for the output to drain are put into `out`, which is then to be written as well.
    ///
    /// To be called after writing, in particular when output that was blocked has drained.
    #[inline]
    pub fn flushed(&mut self, now: Instant, written: u64, out: &mut impl Output) {
        // A socket takes no more than was put, and takes nothing back.
        let written = written.min(self.meter.queued);
        let moved = written > self.meter.written;
        self.meter.written = self.meter.written.max(written);
        self.incoming.written(written);
        self.clock.note_uses(now);
        self.clock.flushed(now, moved, self.meter.waiting() > 0);
        self.pump(now, out);
    }

    /// Tells since when the socket has taken nothing of what waits for it, if it does not take all:
    /// it is looked at by input and timers only, and the last of what it took may have left long
    /// before.
    pub fn stalled(&mut self, since: Instant) {
        self.clock.stalled(since);
    }
}
