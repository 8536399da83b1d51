//! The way out of a link: what the session says goes to the stream, and its next deadline to the kernel's timer.

use super::{Link, PendingCall, Wire};
use crate::session::{CloseReason, Output, Session};
use peers_kernel::{Instant, Outlet};

/// Output of one session call on its way to a stream: small things in one buffer, large ones as they are.
#[derive(Default)]
pub(crate) struct Scratch {
    bytes: Vec<u8>,
    /// Large chunks, each with the length of `bytes` that goes before it.
    chunks: Vec<(usize, Vec<u8>)>,
}

/// What the buffer may keep between uses.
const KEEP: usize = 256 * 1024;

impl Output for Scratch {
    fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    fn chunk(&mut self, bytes: Vec<u8>) {
        self.chunks.push((self.bytes.len(), bytes));
    }
}

impl Scratch {
    fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.chunks.is_empty()
    }

    fn len(&self) -> u64 {
        let chunks: usize = self.chunks.iter().map(|(_, chunk)| chunk.len()).sum();
        (self.bytes.len() + chunks) as u64
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEEP);
        self.chunks.clear();
    }

    fn append_to(&mut self, backlog: &mut Vec<u8>) {
        let mut from = 0;
        for (until, chunk) in self.chunks.drain(..) {
            backlog.extend_from_slice(&self.bytes[from..until]);
            backlog.extend_from_slice(&chunk);
            from = until;
        }
        backlog.extend_from_slice(&self.bytes[from..]);
    }

    fn write_to(&mut self, outlet: &Outlet) -> Result<(), peers_kernel::Full> {
        if self.chunks.is_empty() {
            return outlet.write(&self.bytes);
        }
        let mut from = 0;
        for (until, chunk) in self.chunks.drain(..) {
            outlet.write(&self.bytes[from..until])?;
            outlet.write_chunk(chunk)?;
            from = until;
        }
        outlet.write(&self.bytes[from..])
    }
}

impl Link {
    /// Runs one step of the session and sends what it said, at once or at the end of the batch. `None` if the link has
    /// ended.
    pub(super) fn drive<R>(
        &self,
        step: impl FnOnce(&mut Session<PendingCall>, &mut Scratch) -> R,
    ) -> Option<R> {
        if self.batching.get() {
            let mut session = self.session.borrow_mut();
            return session.as_mut().map(|session| step(session, &mut self.scratch.borrow_mut()));
        }
        self.begin_batch();
        let result = {
            let mut session = self.session.borrow_mut();
            session.as_mut().map(|session| step(session, &mut self.scratch.borrow_mut()))
        };
        self.end_batch();
        result
    }

    /// From here on, what the session says is gathered.
    pub(super) fn begin_batch(&self) {
        self.batching.set(true);
        self.scratch.swap(&self.shared.scratch);
    }

    /// Sends what was gathered, and sets the timer.
    pub(super) fn end_batch(&self) {
        self.batching.set(false);
        let sent = self.transmit(&mut self.scratch.borrow_mut());
        self.scratch.swap(&self.shared.scratch);
        if sent.is_err() {
            self.end_soon(CloseReason::SlowPeer);
        }
        self.arm();
        self.watch_drain();
    }

    /// Requests may wait because the socket does not take what was written; then nothing else may tell that it has.
    fn watch_drain(&self) {
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

    /// Sends what a batch has gathered so far: before the stream is let go.
    pub(super) fn flush_batch(&self) {
        if self.transmit(&mut self.scratch.borrow_mut()).is_err() {
            log::debug!("the last words to {} found no room", self.name());
        }
    }

    fn transmit(&self, scratch: &mut Scratch) -> Result<(), peers_kernel::Full> {
        if scratch.is_empty() {
            return Ok(());
        }
        self.given.set(self.given.get() + scratch.len());
        let sent = self.pass_on(scratch);
        scratch.clear();
        sent
    }

    fn pass_on(&self, scratch: &mut Scratch) -> Result<(), peers_kernel::Full> {
        match &mut *self.wire.borrow_mut() {
            Wire::Dialling(backlog) => scratch.append_to(backlog),
            Wire::Open(outlet) => return scratch.write_to(outlet),
            Wire::Closed => {}
        }
        Ok(())
    }

    /// Tells the session how much the socket has taken.
    pub(super) fn note_flushed(&self) {
        let held = match &*self.wire.borrow() {
            Wire::Open(outlet) => outlet.buffered() as u64,
            Wire::Dialling(backlog) => backlog.len() as u64,
            Wire::Closed => return,
        };
        let (now, taken) = (self.handle().now(), self.given.get().saturating_sub(held));
        self.drive(|session, out| session.flushed(now, taken, out));
    }

    /// Sets the timer for the session's next deadline.
    pub(super) fn arm(&self) {
        if let Some(session) = self.session.borrow().as_ref() {
            self.rearm(session);
        }
    }

    fn rearm(&self, session: &Session<PendingCall>) {
        let Some(next) = session.next_deadline() else { return };
        match self.timer.get() {
            Some((at, _)) if at <= next => {} // fires too early at worst, and looks again
            Some((_, timer)) => {
                self.handle().cancel(timer);
                self.set_timer(next);
            }
            None => self.set_timer(next),
        }
    }

    fn set_timer(&self, at: Instant) {
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
                Some(Err(reason)) => return self.end(reason),
            }
        }
        self.arm();
    }
}
