//! The way out of a link: what the session says gathers during a turn and goes to the stream at its
//! end, and its next deadline to the process's timer.
//!
//! Invariant: a turn's words are written once, or twice if they are many and the peer can work on
//! the first of them meanwhile.

use super::{Link, Live, PendingCall, Signs, Wire};
use crate::session::{CloseReason, Needs, Output, Session};
use peers_kernel::{Instant, Outlet, TurnEnd};
use std::rc::Rc;

/// KiB that gather in a link before it hands them over to its stream within a turn.
const MOST_GATHERED: u16 = 64;

/// KiB that make a beginning: they are sent before the turn ends if the peer works beside us.
const BEGINNING: u16 = 4;

/// Of a link that has said nothing in this turn: any byte is heeded.
pub(super) const SILENT: u16 = 0;

const _: () = assert!(SILENT < BEGINNING && BEGINNING < MOST_GATHERED);

/// Says where a session's words go.
pub(crate) struct Out<'a> {
    pub(crate) link: &'a Link,
    pub(crate) said: &'a mut Vec<u8>,
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
    /// Runs one step of the session and sees to what it needs, now or at the end of the batch.
    /// `None` if the link has ended.
    pub(crate) fn drive<R>(
        &self,
        step: impl FnOnce(&mut Session<PendingCall>, &mut Out<'_>) -> R,
    ) -> Option<R> {
        let result = self.step(step);
        if !self.shows(Signs::BATCHES) {
            self.see_to_needs();
        }
        result
    }

    /// Runs one step of the session. What it says gathers here and is sent at the end of the turn.
    /// `None` if the link has ended.
    #[inline(always)]
    pub(crate) fn step<R>(
        &self,
        step: impl FnOnce(&mut Session<PendingCall>, &mut Out<'_>) -> R,
    ) -> Option<R> {
        let mut live = self.live.borrow_mut();
        let Live { session, said, .. } = live.as_mut()?;
        let result = step(session, &mut Out { link: self, said });
        self.heed(said);
        Some(result)
    }

    /// Sees to it that what the session may have said leaves: at the end of the turn, or before if
    /// it is much.
    #[inline(always)]
    pub(crate) fn heed(&self, said: &mut Vec<u8>) {
        if said.len() > usize::from(self.heeded.get()) << 10 {
            self.speak(said);
        }
    }

    /// Sees to it that what was said is sent: once a turn, and whenever much has gathered.
    #[cold]
    #[inline(never)]
    fn speak(&self, said: &mut Vec<u8>) {
        if self.heeded.get() == SILENT {
            self.heeded.set(BEGINNING);
            if let Some(me) = self.me() {
                self.handle().at_turn_end(me);
            }
        }
        // The first bytes are sent early once a turn, or not at all.
        if self.heeded.get() == BEGINNING && said.len() > usize::from(BEGINNING) << 10 {
            self.heeded.set(MOST_GATHERED);
            self.begin_early(said);
        }
        if said.len() > usize::from(MOST_GATHERED) << 10 {
            self.hand_over(said);
            // What cannot be handed over yet is looked at again when it has grown.
            let left = u16::try_from(said.len() >> 10).unwrap_or(u16::MAX);
            self.heeded.set(MOST_GATHERED.max(left.saturating_add(BEGINNING)));
        }
    }

    /// Sends the first words of this turn, so that a peer who works beside us need not wait for the
    /// last.
    fn begin_early(&self, said: &mut Vec<u8>) {
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

    /// Ends the link, since the peer does not read: nothing more is said to it.
    #[cold]
    fn choke(&self) {
        self.wire.set(Wire::Choked);
        self.end_soon(CloseReason::SlowPeer);
    }

    /// Tells the session how much the socket has taken.
    pub(crate) fn note_flushed(&self) {
        let Some(written) = self.written() else { return };
        let now = self.handle().now();
        self.drive(|session, out| session.flushed(now, written, out));
        self.go_on_leaving();
    }

    /// Returns how much the socket has taken; `None` if nothing more is said to the peer.
    #[inline]
    pub(super) fn written(&self) -> Option<u64> {
        match self.wire.get() {
            Wire::Open => Some(self.outlet.get().map_or(0, Outlet::written)),
            Wire::Dialling => Some(0),
            Wire::Choked | Wire::Ending | Wire::Closed => None,
        }
    }

    /// Runs `steps` of the session and sees to what it needs after the last: they may know.
    #[inline]
    pub(crate) fn batch(&self, steps: impl FnOnce() -> Option<Needs>) {
        let batch = Batch::of(self);
        let needs = steps();
        drop(batch);
        match needs {
            Some(needs) => self.see_to(needs),
            None => self.see_to_needs(),
        }
        if self.context().is_full() {
            self.context().relieve();
        }
    }

    /// Sets the timer for the session's next deadline, lets the stream tell when requests can go on
    /// that wait for it, and tells the process what the session holds.
    pub(crate) fn see_to_needs(&self) {
        // One that has ended needs nothing.
        let ended = Needs { deadline: Instant::FAR, waiting_memory: 0 };
        let needs = self.live.borrow().as_ref().map_or(ended, |live| live.session.needs());
        self.see_to(needs);
    }

    #[inline]
    fn see_to(&self, needs: Needs) {
        self.arm_by(needs.deadline);
        // Only requests that wait need more than that.
        if needs.waiting_memory > 0 {
            self.watch_drain();
        }
        if needs.waiting_memory > 0 || self.may_hold_more() {
            self.tell_memory();
        }
        self.context().weigh();
    }

    /// Watches whether the socket takes what was written. Requests may wait for that; then nothing
    /// else may tell that it has.
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
        self.batch(|| {
            self.expire_all(now);
            None
        });
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
struct Batch<'a>(&'a Link);

impl<'a> Batch<'a> {
    fn of(link: &'a Link) -> Self {
        link.show(Signs::BATCHES, true);
        Self(link)
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.0.show(Signs::BATCHES, false);
    }
}

impl TurnEnd for Link {
    fn turn_ends(self: Rc<Self>) {
        self.heeded.set(SILENT);
        self.flush();
        self.go_on_leaving();
    }
}
