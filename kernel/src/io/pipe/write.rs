//! The way out of a connection: one write a turn, or another if somebody asks for it, and what
//! follows once everything is written or nothing can be.
//!
//! What is buffered, and what the halves do, is the [`Pipe`]'s.
//!
//! Invariant: nothing here runs user code, since it happens in flushes, outside of any task or in
//! the middle of one.

use crate::core::Core;
use crate::core::cause::Cause;
use crate::core::task::{Plain, Task};
use crate::host::socket::Socket;
use crate::host::time::Instant;
use crate::io::outlet::Full;
use crate::io::pipe::output::Output;
use crate::io::pipe::read::is_passing;
use crate::io::pipe::state::{Inward, Outward};
use crate::io::pipe::{Held, Pipe};
use std::io;
use std::panic::Location;
use std::rc::Rc;

impl Pipe {
    /// Returns how many bytes of memory the output holds.
    pub(crate) fn memory(&self) -> usize {
        let output = self.look_at_held(|held| held.output.memory()).unwrap_or_default();
        output + self.with_cover(|socket| socket.memory()).unwrap_or_default()
    }

    /// Returns since when the socket has taken nothing, iff something waits that it has refused to
    /// take.
    pub(crate) fn stalled(&self) -> Option<Instant> {
        let since = self.look_at_held(|held| held.since)?;
        self.blocked.get().then_some(since)
    }

    /// Puts `len` bytes into the output by `put`, if they fit. What is written to a closed
    /// connection is gone.
    pub(crate) fn write(
        self: &Rc<Self>,
        len: usize,
        put: impl FnOnce(&mut Output),
    ) -> Result<(), Full> {
        if len == 0 || !self.is_open() {
            return Ok(()); // an empty output holds no memory
        }
        let (buffered, limit) = (self.buffered(), self.limit.get() as usize);
        // All or nothing: a message of which a part was refused would end the protocol.
        if buffered.saturating_add(len) > limit {
            return Err(Full { buffered, limit });
        }
        let (before, after) = self.with_held(|Held { output, .. }| {
            let before = output.memory();
            put(output);
            (before, output.memory())
        });
        if let Some(core) = self.core.upgrade() {
            core.buffers.count_used(before, after);
        }
        self.request_flush();
        Ok(())
    }

    /// Takes all of `bytes` into the output, also beyond the limit.
    pub(crate) fn take(self: &Rc<Self>, bytes: &mut Vec<u8>) -> Result<(), Full> {
        if !self.is_open() {
            bytes.clear();
            return Ok(());
        }
        let bytes = std::mem::take(bytes);
        let Some(core) = self.core.upgrade() else { return Ok(()) };
        let (spent, buffered) = match bytes.is_empty() {
            true => (Some(bytes), self.buffered()),
            false => self.with_held(|Held { output, .. }| {
                let before = output.memory();
                let spent =
                    output.push_vec(bytes, |address, head| self.sends_slowly(address, head));
                core.buffers.count_used(before, output.memory());
                (spent, output.len())
            }),
        };
        let limit = self.limit.get() as usize;
        if let Some(spent) = spent {
            core.buffers.keep(spent);
        }
        if buffered > 0 {
            self.request_flush();
        }
        if buffered > limit { Err(Full { buffered, limit }) } else { Ok(()) }
    }

    /// Returns memory for the output.
    #[cold]
    pub(crate) fn room(&self) -> Vec<u8> {
        self.core.upgrade().map_or_else(Vec::new, |core| core.buffers.take())
    }

    #[inline]
    pub(super) fn request_flush(self: &Rc<Self>) {
        if !self.blocked.get() && !self.flush_due.replace(true) {
            self.join_flush()
        }
    }

    /// Asks the core for a flush, once a turn.
    #[inline(never)]
    fn join_flush(self: &Rc<Self>) {
        if let Some(core) = self.core.upgrade() {
            core.want_flush(self.clone());
        }
    }

    /// Writes what is buffered, unless the socket has said that it takes no more.
    pub(crate) fn flush_now(self: &Rc<Self>) {
        if !self.blocked.get()
            && let Some(core) = self.core.upgrade()
        {
            self.send(&core)
        }
    }

    /// Returns whether the socket takes long to send what lies at `address` behind so many bytes
    /// from elsewhere.
    pub(crate) fn sends_slowly(&self, address: usize, head: usize) -> bool {
        self.with_socket(|socket| socket.sends_slowly(address, head)).unwrap_or_default()
    }

    /// Returns whether the peer works on another processor, as far as is known.
    pub(crate) fn is_peer_on_other_cpu(&self) -> bool {
        let Some(core) = self.core.upgrade() else { return false };
        let ask =
            |socket: &dyn Socket| core.peer_cpu.ask(socket.key(), || socket.is_peer_on_other_cpu());
        self.with_socket(ask).unwrap_or_default()
    }

    /// Writes once, and takes the steps that wait for an empty output.
    pub(super) fn send(self: &Rc<Self>, core: &Rc<Core>) {
        let drained = match self.write_once(core) {
            Ok(drained) => drained,
            Err(error) if is_passing(&error) => false,
            Err(error) => return self.break_off(core, error),
        };
        let was_blocked = self.blocked.replace(!drained);
        if drained {
            self.all_sent(core)
        }
        // Only where it changes: telling the host is a system call.
        if was_blocked == drained {
            self.renew_interest(core)
        }
    }

    /// Writes what the socket takes; returns whether nothing waits any more.
    fn write_once(&self, core: &Core) -> io::Result<bool> {
        let result = self.if_held(|Held { output, since, .. }| {
            if output.is_empty() {
                return None;
            }
            let before = output.memory();
            let wrote = self.ask(|socket| socket.write(&output.parts()));
            // It stalls from when it last took something, not from when it was last asked.
            if !self.blocked.get() || wrote.as_ref().is_ok_and(|count| *count > 0) {
                *since = core.now();
            }
            Some(wrote.map(|count| {
                output.advance(count, |spent| core.buffers.keep(spent));
                core.buffers.count_used(before, output.memory());
                self.written.set(self.written.get() + count as u64);
                output.is_empty()
            }))
        });
        result.unwrap_or(Ok(true))
    }

    fn all_sent(self: &Rc<Self>, core: &Rc<Core>) {
        for (cause, task) in self.take_drained() {
            core.push(cause, task)
        }
        if self.outward.get() == Outward::Finishing {
            match self.with_socket(|socket| socket.shutdown()) {
                Some(Ok(())) => self.outward.set(Outward::Finished),
                // The last record has not left yet.
                Some(Err(error)) if is_passing(&error) => {
                    self.blocked.set(true);
                    return self.renew_interest(core);
                }
                Some(Err(error)) => return self.break_off(core, error),
                None => return,
            }
        }
        if self.both_halves_ended() {
            self.shut(core)
        }
    }

    /// Ends the way out, since the socket takes no more. What the peer sent before is still
    /// delivered, then the failure: by the queue, since a flush runs no user code.
    pub(super) fn break_off(&self, core: &Rc<Core>, error: io::Error) {
        if self.outward.replace(Outward::Broken) == Outward::Broken {
            return;
        }
        self.drop_output(core);
        if matches!(self.inward.get(), Inward::Ended | Inward::Discarded | Inward::Spent) {
            return self.shut(core);
        }
        self.with_rare(|rare| rare.broken = Some(error));
        self.note_readable(core)
    }

    /// Forgets what was to be written, and who waits for it to have left.
    pub(super) fn drop_output(&self, core: &Core) {
        self.blocked.set(false);
        self.if_held(|held| {
            core.buffers.count_used(held.output.memory(), 0);
            held.output = Output::default();
            Some(())
        });
        self.discard_drained(core);
    }

    /// Drops what waits for an empty output that will never be: by the queue, since a flush runs no
    /// user code.
    fn discard_drained(&self, core: &Core) {
        let drained = self.take_drained();
        if !drained.is_empty() {
            let discard = Plain::boxed(Location::caller(), move |_: &Rc<Core>| drop(drained));
            core.push(Cause::NONE, discard)
        }
    }

    fn take_drained(&self) -> Vec<(Cause, Box<dyn Task>)> {
        self.if_rare(|rare| Some(std::mem::take(&mut rare.drained))).unwrap_or_default()
    }
}
