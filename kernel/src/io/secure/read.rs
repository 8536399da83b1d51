//! The way in: cipher text from the socket underneath, opened into the memory that the pipe reads
//! into.
//!
//! Invariants:
//! 1. The system is asked for no more than there is room for, or than the record begun needs. What
//!    does not fit is kept, and `holds` tells so. Kept by
//!    `what_is_kept_while_paused_is_heard_afterwards`.
//! 2. Nothing behind the record that proves the peer is opened before the peer is let in. Kept by
//!    `what_comes_with_the_proof_is_heard_after_the_answer`.
//! 3. Of a record that has not come whole, and of a handshake, only so much is kept. Kept by
//!    `kernel/tests/sealed_limits.rs`.

use super::{Busy, HANDSHAKE, OVERHEAD, PLAIN, RECORD, SealedEnd, SecureSocket, State};
use crate::core::Core;
use crate::host::socket::Stage;
use std::io::{self, ErrorKind};

/// The most bytes of cipher text asked for at a time.
const MOST: usize = 256 << 10;

impl SecureSocket {
    /// Appends plain text to `into`, as far as it has room.
    pub(super) fn read_plain(
        &self,
        core: &Core,
        state: &mut State,
        into: &mut Vec<u8>,
    ) -> io::Result<usize> {
        if let Some(told) = state.give_kept(into) {
            return told;
        }
        let may_open = match state.stage {
            Stage::Over => return self.socket.read(into),
            Stage::Handshake => self.may_step(core, state),
            Stage::Proven => false,
            Stage::Open => true,
        };
        if !may_open {
            return Err(ErrorKind::WouldBlock.into());
        }
        let (before, room) = (into.len(), into.capacity() - into.len());
        let mut held = std::mem::take(&mut state.busy().wire);
        if std::mem::take(&mut state.busy().unopened) {
            self.open(core, state, &mut held, into);
            core.buffers.keep(held);
        } else {
            let mut wire = core.sealing.take_read();
            let filled = self.fill(core, state, &held, room, &mut wire);
            match filled {
                Ok(count) => self.open(core, state, &mut wire[..held.len() + count], into),
                Err(_) => state.keep_wire(core, &held),
            }
            core.sealing.keep_read(wire);
            core.buffers.keep(held);
            if let Err(error) = filled {
                return state.give_kept(into).unwrap_or(Err(error));
            }
        }
        state.keep_excess(into, before, room);
        if state.stage != Stage::Proven
            && let Err(error) = self.push_queue(core, state)
        {
            state.busy().end.get_or_insert(SealedEnd::Failed(error));
        }
        match into.len() - before {
            0 => state.give_kept(into).unwrap_or_else(|| Err(ErrorKind::WouldBlock.into())),
            count => Ok(count),
        }
    }

    /// Returns whether a step of the handshake may be taken now. If not, it waits, unless it has
    /// waited: then its turn has come.
    fn may_step(&self, core: &Core, state: &mut State) -> bool {
        let has_waited = state.busy.as_mut().is_some_and(|busy| std::mem::take(&mut busy.waits));
        if has_waited {
            core.sealing.keep_promise();
        }
        if has_waited || core.sealing.may_step() {
            return true;
        }
        core.sealing.wait(self.socket.key(), core.arrived.get());
        state.busy().waits = true;
        false
    }

    /// Reads cipher text into `scratch`, behind a copy of what is `held`.
    fn fill(
        &self,
        core: &Core,
        state: &mut State,
        held: &[u8],
        room: usize,
        scratch: &mut Vec<u8>,
    ) -> io::Result<usize> {
        let in_handshake = state.stage == Stage::Handshake;
        let limit = if in_handshake { HANDSHAKE } else { RECORD };
        let owed = match state.ask(core, |layer, _| Ok(layer.owed(held).max(1))) {
            Ok(owed) if owed <= limit.saturating_sub(held.len()) => owed,
            Ok(_) => {
                let (what, more) = match in_handshake {
                    true => ("a handshake", HANDSHAKE),
                    false => ("a record", RECORD),
                };
                let text = format!("{what} of more than {more} bytes");
                state.fail(io::Error::new(ErrorKind::InvalidData, text));
                return Err(ErrorKind::InvalidData.into());
            }
            Err(error) => {
                state.fail(error);
                return Err(ErrorKind::InvalidData.into());
            }
        };
        let fits = if in_handshake { HANDSHAKE } else { room + OVERHEAD * room.div_ceil(PLAIN) };
        let end = held.len() + fits.min(MOST).saturating_sub(held.len()).max(owed);
        if scratch.len() < end {
            scratch.resize(end, 0);
        }
        scratch[..held.len()].copy_from_slice(held);
        match self.socket.receive(&mut scratch[held.len()..end])? {
            0 => {
                let text = "the connection ended without a last record";
                Err(io::Error::new(ErrorKind::UnexpectedEof, text))
            }
            count => Ok(count),
        }
    }

    /// Opens the records at the front of `wire`, and keeps what is left.
    fn open(&self, core: &Core, state: &mut State, wire: &mut [u8], into: &mut Vec<u8>) {
        let room = into.capacity() - into.len();
        let fits = wire.len() <= room + OVERHEAD * room.div_ceil(PLAIN);
        let mut at = 0;
        while at < wire.len() {
            let in_handshake = state.stage == Stage::Handshake;
            if in_handshake && at > 0 && !self.may_step(core, state) {
                break;
            }
            let opened = state.ask(core, |layer, Busy { queue, plain, .. }| {
                layer.open(&mut wire[at..], if fits { into } else { plain }, queue.own())
            });
            if in_handshake && opened.as_ref().map_or(true, |opened| opened.taken > 0) {
                core.sealing.count_step();
            }
            let opened = match opened {
                Ok(opened) => opened,
                Err(error) => return state.fail(error),
            };
            if opened.ended {
                state.busy().end = Some(SealedEnd::Orderly);
                return;
            }
            at += opened.taken;
            if in_handshake {
                match state.ask(core, |layer, _| Ok(layer.peer().is_some())) {
                    Ok(true) => state.stage = Stage::Proven,
                    Ok(false) => {}
                    Err(error) => return state.fail(error),
                }
            }
            if state.stage == Stage::Proven {
                break;
            }
            if opened.taken == 0 {
                return state.keep_wire(core, &wire[at.min(wire.len())..]);
            }
        }
        let rest = wire.get(at..).unwrap_or_default();
        state.busy().unopened = !rest.is_empty();
        state.keep_wire(core, rest);
    }
}

impl State {
    /// Gives what was kept, plain text first.
    fn give_kept(&mut self, into: &mut Vec<u8>) -> Option<io::Result<usize>> {
        let busy = self.busy.as_mut()?;
        if !busy.plain.is_empty() {
            let rest = &busy.plain[busy.delivered..];
            let count = rest.len().min(into.capacity() - into.len());
            into.extend_from_slice(&rest[..count]);
            busy.delivered += count;
            if busy.delivered == busy.plain.len() {
                (busy.plain, busy.delivered) = (Vec::new(), 0);
            }
            return Some(Ok(count));
        }
        match busy.end.take()? {
            SealedEnd::Orderly => Some(Ok(0)),
            SealedEnd::Failed(error) => Some(Err(error)),
        }
    }

    fn keep_wire(&mut self, core: &Core, rest: &[u8]) {
        if !rest.is_empty() {
            let mut wire = core.buffers.take();
            wire.extend_from_slice(rest);
            self.busy().wire = wire;
        }
    }

    /// Keeps plain text for which there was no room after all.
    fn keep_excess(&mut self, into: &mut Vec<u8>, before: usize, room: usize) {
        if into.len() - before > room {
            let excess = into.split_off(before + room);
            into.shrink_to(before + room);
            self.busy().plain.extend(excess);
        }
    }
}
