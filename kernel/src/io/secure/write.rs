//! The way out: what a turn has to say, sealed together in as few records as hold it, and kept
//! until it has left.
//!
//! Invariant: plain text is told to be written when the system has taken its record to the last
//! byte. Until then it is offered again, and skipped.

use super::{PLAIN, SecureSocket, State};
use crate::core::Core;
use crate::host::socket::Stage;
use std::io::{self, ErrorKind, IoSlice};

/// The most bytes of plain text that are sealed at a time, and after the socket took less than it
/// was offered.
const BATCH: usize = 256 << 10;
const SHORT_BATCH: usize = 64 << 10;

impl SecureSocket {
    /// Seals and sends what is behind the plain text that has been sealed before.
    pub(super) fn write_plain(
        &self,
        core: &Core,
        state: &mut State,
        parts: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        if state.stage != Stage::Open {
            self.push_queue(core, state)?;
            return Err(ErrorKind::WouldBlock.into());
        }
        if state.busy().queue.is_stuck() {
            self.push_queue(core, state)?;
        }
        if !state.busy().queue.is_stuck() {
            state.seal(core, parts)?;
            self.push_queue(core, state)?;
            let queue = &mut state.busy().queue;
            queue.short = queue.is_stuck();
        }
        match state.busy().queue.tell() {
            0 => Err(ErrorKind::WouldBlock.into()),
            gone => Ok(gone),
        }
    }

    /// Sends what waits, as far as the socket takes it.
    pub(super) fn push_queue(&self, core: &Core, state: &mut State) -> io::Result<()> {
        let Some(busy) = &mut state.busy else { return Ok(()) };
        let queue = &mut busy.queue;
        if queue.is_empty() {
            return Ok(());
        }
        let count = match self.socket.write(&[IoSlice::new(queue.waiting())]) {
            Ok(count) => count,
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                0
            }
            Err(error) => return Err(error),
        };
        let is_first = !queue.is_stuck();
        let spent = queue.advance(count);
        // The memory that all connections of the loop seal in is given back at once.
        let pooled = (spent.is_none() && is_first).then(|| queue.shrink(core.buffers.take()));
        if let Some(memory) = spent.or(pooled) {
            core.sealing.keep_sealed(memory)
        }
        Ok(())
    }

    /// Says that nothing follows, once all that was said before has left, and ends our half.
    pub(super) fn close(&self, core: &Core, state: &mut State) -> io::Result<()> {
        if matches!(state.stage, Stage::Handshake | Stage::Proven) {
            self.push_queue(core, state)?;
            return Err(ErrorKind::WouldBlock.into());
        }
        if state.stage == Stage::Open && !std::mem::replace(&mut state.closed, true) {
            let close = state.ask(core, |layer, busy| {
                layer.close(busy.queue.own());
                Ok(())
            });
            if let Err(error) = close {
                state.fail(error)
            }
        }
        self.push_queue(core, state)?;
        match state.busy().queue.is_empty() {
            true => self.socket.shutdown(),
            false => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

impl State {
    /// Seals what has not been sealed of what is offered, or as much as should be at a time.
    fn seal(&mut self, core: &Core, parts: &[IoSlice<'_>]) -> io::Result<()> {
        let queue = &mut self.busy().queue;
        let (mut from, batch) = (queue.sealed(), if queue.short { SHORT_BATCH } else { BATCH });
        let offered: usize = parts.iter().map(|part| part.len()).sum();
        debug_assert!(from <= offered, "what was offered once is offered again");
        let end = offered.min(from + batch);
        if from < end {
            queue.use_memory(|| core.sealing.take_sealed());
        }
        while from < end {
            let len = PLAIN.min(end - from);
            let sealed = self.ask(core, |layer, busy| {
                layer.seal(parts, from, len, busy.queue.own())?;
                busy.queue.note_record(len);
                Ok(())
            });
            if let Err(error) = sealed {
                self.fail(io::ErrorKind::BrokenPipe.into());
                return Err(error);
            }
            from += len;
        }
        Ok(())
    }
}
