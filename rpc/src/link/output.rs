//! The way out of a link: what the session says goes straight into the stream's output, and its next deadline to the
//! kernel's timer.

use super::{Link, PendingCall, Wire};
use crate::session::{CloseReason, Output, Session};
use peers_kernel::{Appender, Instant};

/// Where a session's words go.
pub(super) enum Out<'a, 'o> {
    /// Into memory: not connected yet, or no longer.
    Memory(&'a mut Vec<u8>),
    /// Into the stream's output.
    Stream(&'a mut Appender<'o>),
}

impl Output for Out<'_, '_> {
    #[inline]
    fn bytes(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Memory(bytes) => bytes,
            Self::Stream(appender) => appender.bytes(),
        }
    }

    fn chunk(&mut self, bytes: Vec<u8>) {
        match self {
            Self::Memory(all) => all.extend_from_slice(&bytes),
            Self::Stream(appender) => appender.chunk(bytes),
        }
    }
}

impl Link {
    /// Runs one step of the session and sets the timer, now or at the end of the batch. `None` if the link has ended.
    pub(super) fn drive<R>(
        &self,
        step: impl FnOnce(&mut Session<PendingCall>, &mut Out<'_, '_>) -> R,
    ) -> Option<R> {
        let result = self.step(step);
        if !self.batching.get() {
            self.arm();
            self.watch_drain();
        }
        result
    }

    /// Runs one step of the session. What it says is sent at the end of the turn. `None` if the link has ended.
    #[inline]
    pub(super) fn step<R>(
        &self,
        step: impl FnOnce(&mut Session<PendingCall>, &mut Out<'_, '_>) -> R,
    ) -> Option<R> {
        let mut session = self.session.borrow_mut();
        let session = session.as_mut()?;
        let mut wire = self.wire.borrow_mut();
        match &mut *wire {
            Wire::Open(outlet) => {
                let mut result = None;
                let taken = outlet
                    .append(|appender| result = Some(step(session, &mut Out::Stream(appender))));
                if taken.is_err() {
                    self.choke(&mut wire);
                }
                result
            }
            Wire::Dialling(backlog) => Some(step(session, &mut Out::Memory(backlog))),
            Wire::Choked(_) | Wire::Closed => {
                Some(step(session, &mut Out::Memory(&mut Vec::new())))
            }
        }
    }

    /// The peer does not read: nothing more is said to it, and the link ends.
    #[cold]
    fn choke(&self, wire: &mut Wire) {
        wire.choke();
        self.end_soon(CloseReason::SlowPeer);
    }

    /// Tells the session how much the socket has taken.
    pub(super) fn note_flushed(&self) {
        let taken = match &*self.wire.borrow() {
            Wire::Open(outlet) => outlet.written(),
            Wire::Dialling(_) => 0,
            Wire::Choked(_) | Wire::Closed => return,
        };
        let now = self.handle().now();
        self.drive(|session, out| session.flushed(now, taken, out));
    }

    /// Runs `steps` of the session and sets the timer after the last.
    pub(super) fn batch(&self, steps: impl FnOnce()) {
        self.batching.set(true);
        steps();
        self.batching.set(false);
        self.arm();
        self.watch_drain();
    }

    /// Requests may wait because the socket does not take what was written; then nothing else may tell that it has.
    pub(super) fn watch_drain(&self) {
        let waiting = self.session.borrow().as_ref().is_some_and(|session| session.waiting() > 0);
        if !waiting || self.watching_drain.get() {
            return;
        }
        if let Wire::Open(outlet) = &*self.wire.borrow()
            && outlet.buffered() > 0
        {
            self.watching_drain.set(true);
            let me = self.me.clone();
            outlet.on_drained(move || {
                if let Some(link) = me.upgrade() {
                    link.watching_drain.set(false);
                    link.note_flushed();
                }
            });
        }
    }

    /// Sets the timer for the session's next deadline.
    pub(super) fn arm(&self) {
        let next = self.session.borrow().as_ref().and_then(Session::next_deadline);
        if let Some(next) = next {
            self.arm_by(next);
        }
    }

    /// Sees to it that the timer fires at `next` or before. If that is too early, it looks again.
    #[inline]
    pub(super) fn arm_by(&self, next: Instant) {
        if self.timer.get().is_none_or(|(at, _)| at > next) {
            self.set_timer(next);
        }
    }

    fn set_timer(&self, at: Instant) {
        if let Some((_, timer)) = self.timer.take() {
            self.handle().cancel(timer);
        }
        let me = self.me.clone();
        let timer = self.handle().at(at, move || {
            if let Some(link) = me.upgrade() {
                link.timer.set(None);
                link.expire();
            }
        });
        self.timer.set(Some((at, timer)));
    }

    /// Fails what is overdue, sends pings that are due, ends the link if the session says so.
    fn expire(&self) {
        self.note_flushed();
        let now = self.handle().now();
        loop {
            match self.drive(|session, out| session.expire(now, out)) {
                None | Some(Ok(None)) => break,
                Some(Ok(Some((_, rejected)))) => self.reject(rejected),
                Some(Err(reason)) => return self.conclude(reason),
            }
        }
        self.arm();
    }
}
