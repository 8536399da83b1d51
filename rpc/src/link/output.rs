//! The way out of a link: what the session says gathers during a turn and goes to the stream at its
//! end, and its next deadline to the process's timer.
//!
//! Invariant: a turn's words are written once, or twice if they are many and the peer can work on
//! the first of them meanwhile.

use super::{Link, Live, PendingCall, Signs, Speech, Wire};
use crate::session::{CloseReason, Output, Session};
use peers_kernel::{Instant, Outlet, TurnEnd};
use std::cell::Cell;
use std::rc::Rc;

/// Bytes that gather in a link before it hands them over to its stream within a turn.
const MOST_GATHERED: usize = 64 << 10;

/// Bytes that make a beginning: they are sent before the turn ends if the peer works beside us. A
/// power of two, so that what is said has grown beyond a multiple of it iff its length has changed
/// there or above.
const BEGINNING: usize = 4 << 10;

const _: () = assert!(BEGINNING.is_power_of_two() && MOST_GATHERED.is_multiple_of(BEGINNING));

/// Bytes that take long to say: a turn says few things so large.
const LARGE: usize = 64 << 10;

/// Says where a session's words go.
pub(crate) struct Out<'a> {
    link: &'a Link,
    said: &'a mut Vec<u8>,
}

impl Output for Out<'_> {
    #[inline]
    fn bytes(&mut self) -> &mut Vec<u8> {
        if self.said.capacity() == 0 {
            *self.said = self.link.handle().pooled_buffer();
        }
        self.said
    }

    fn chunk(&mut self, bytes: Vec<u8>) {
        if bytes.len() >= LARGE {
            self.link.context().takes_long();
        }
        self.link.hand_over(self.said);
        if self.said.is_empty() {
            *self.said = bytes;
            self.link.hand_over(self.said);
        } else {
            self.said.extend_from_slice(&bytes); // not connected yet
        }
    }
}

impl Link {
    /// Runs one step of the session and sets the timer, now or at the end of the batch. `None` if
    /// the link has ended.
    pub(crate) fn drive<R>(
        &self,
        step: impl FnOnce(&mut Session<PendingCall>, &mut Out<'_>) -> R,
    ) -> Option<R> {
        let result = self.step(step);
        if !self.batching.get() {
            self.arm();
            self.watch_drain();
            self.tell_memory();
            self.context().weigh();
        }
        result
    }

    /// Runs one step of the session. What it says gathers here and is sent at the end of the turn.
    /// `None` if the link has ended.
    #[inline]
    pub(crate) fn step<R>(
        &self,
        step: impl FnOnce(&mut Session<PendingCall>, &mut Out<'_>) -> R,
    ) -> Option<R> {
        let mut live = self.live.borrow_mut();
        let Live { session, said, .. } = live.as_mut()?;
        let before = said.len();
        let result = step(session, &mut Out { link: self, said });
        let silent = self.speech.get() == Speech::Silent;
        if !said.is_empty() && (silent || (before ^ said.len()) >= BEGINNING) {
            self.speak(said);
        }
        Some(result)
    }

    /// Sees to it that what was said is sent: once a turn, and whenever much has gathered.
    #[cold]
    fn speak(&self, said: &mut Vec<u8>) {
        if self.speech.get() == Speech::Silent {
            self.speech.set(Speech::Gathers);
            if let Some(me) = self.me() {
                self.handle().at_turn_end(me);
            }
        }
        if self.speech.get() == Speech::Gathers && said.len() >= BEGINNING {
            self.begin_early(said);
        }
        if said.len() >= MOST_GATHERED {
            self.hand_over(said);
        }
    }

    /// Sends the first words of this turn, so that a peer who works beside us need not wait for the
    /// last.
    fn begin_early(&self, said: &mut Vec<u8>) {
        self.speech.set(Speech::Decided);
        if let Some(outlet) = self.open_outlet()
            && outlet.is_peer_on_other_cpu()
        {
            self.hand_over(said);
            outlet.flush();
        }
    }

    /// Gives what was said to the stream, if there is one yet.
    pub(crate) fn hand_over(&self, said: &mut Vec<u8>) {
        match (self.wire.get(), self.outlet.get()) {
            (Wire::Open, Some(outlet)) => {
                if outlet.write_vec(said).is_err() {
                    self.choke();
                }
            }
            (Wire::Choked | Wire::Ending | Wire::Closed, _) => said.clear(),
            (Wire::Dialling | Wire::Open, _) => {}
        }
    }

    /// Gives all that was said to the stream now, for those who want to know how much of it waits
    /// there.
    pub(crate) fn flush(&self) {
        if let Some(Live { said, .. }) = self.live.borrow_mut().as_mut() {
            self.hand_over(said);
        }
    }

    /// The peer does not read: nothing more is said to it, and the link ends.
    #[cold]
    fn choke(&self) {
        self.wire.set(Wire::Choked);
        self.end_soon(CloseReason::SlowPeer);
    }

    /// Tells the session how much the socket has taken.
    pub(crate) fn note_flushed(&self) {
        let taken = match self.wire.get() {
            Wire::Open => self.outlet.get().map_or(0, Outlet::written),
            Wire::Dialling => 0,
            Wire::Choked | Wire::Ending | Wire::Closed => return,
        };
        let now = self.handle().now();
        self.drive(|session, out| session.flushed(now, taken, out));
        self.go_on_leaving();
    }

    /// Runs `steps` of the session and sets the timer after the last.
    pub(crate) fn batch(&self, steps: impl FnOnce()) {
        let batch = Batch::of(&self.batching);
        steps();
        drop(batch);
        self.arm();
        self.watch_drain();
        self.tell_memory();
        self.context().weigh();
        if self.context().is_full() {
            self.context().relieve();
        }
    }

    /// Requests may wait because the socket does not take what was written; then nothing else may
    /// tell that it has.
    #[inline]
    pub(crate) fn watch_drain(&self) {
        if self.ask(Session::waits_for_output) && !self.shows(Signs::WATCHES_DRAIN) {
            self.watch_drain_now();
        }
    }

    #[cold]
    fn watch_drain_now(&self) {
        self.flush();
        let Some(outlet) = self.open_outlet() else { return };
        if outlet.buffered() == 0 {
            // The socket has taken everything since the session was last told.
            return self.note_flushed();
        }
        self.show(Signs::WATCHES_DRAIN, true);
        let me = self.weak();
        outlet.on_drained(move || {
            if let Some(link) = me.upgrade() {
                link.show(Signs::WATCHES_DRAIN, false);
                link.note_flushed();
            }
        });
    }

    /// Sets the timer for the session's next deadline.
    pub(crate) fn arm(&self) {
        let next = self.ask(Session::next_deadline);
        if let Some(next) = next {
            self.arm_by(next);
        }
    }

    /// Sees to it that the timer fires at `next` or before. If that is too early, it looks again.
    #[inline]
    pub(crate) fn arm_by(&self, next: Instant) {
        if next < self.due.get() {
            self.due.set(next);
            self.context().wake(self.slot(), next);
        }
    }

    /// Fails what is overdue, sends pings that are due, ends the link if the session says so.
    pub(crate) fn expire(&self) {
        self.due.set(Instant::FAR);
        self.release();
        self.note_flushed();
        if let Some(since) = self.open_outlet().and_then(Outlet::stalled) {
            self.step(|session, _| session.stalled(since));
        }
        let now = self.handle().now();
        if self.ask(|session| session.misses_input(now))
            && self.open_outlet().is_some_and(Outlet::is_behind)
        {
            // What lies in the socket came in time. A timer that is due rings behind the next read.
            return self.arm_by(now);
        }
        self.batch(|| self.expire_all(now));
        self.go_on_leaving();
    }

    fn expire_all(&self, now: Instant) {
        loop {
            match self.drive(|session, out| session.expire(now, out)) {
                None | Some(Ok(None)) => break,
                Some(Ok(Some((_, rejected)))) => self.reject(rejected),
                Some(Err(reason)) => return self.conclude(reason),
            }
        }
    }
}

/// While it lives, the timer is left alone. It ends with a panic as well: deadlines are looked
/// after again.
struct Batch<'a>(&'a Cell<bool>);

impl<'a> Batch<'a> {
    fn of(batching: &'a Cell<bool>) -> Self {
        batching.set(true);
        Self(batching)
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl TurnEnd for Link {
    fn turn_ends(self: Rc<Self>) {
        self.speech.set(Speech::Silent);
        self.flush();
        self.go_on_leaving();
    }
}
