//! A socket that covers another one: what goes through it is sealed and opened by a secure layer.
//!
//! Below a pipe it is a socket like others. What it adds are stages (nothing is taken or given
//! before the peer is proven and let in), records of its own, and memory. No cipher is known here,
//! and no system: cipher text goes to the socket underneath.
//!
//! Invariants:
//! 1. What is sealed is kept until it has left, and nothing is sealed twice. Kept by
//!    `what_goes_in_comes_out_and_is_sealed_once`.
//! 2. In the stage [`Open`](Stage::Open) alone plain text is taken or given. Kept by
//!    `who_is_not_let_in_gets_nothing_and_is_told`.
//! 3. After the layer has failed or panicked it is asked for nothing but the peer's key. Kept by
//!    `a_layer_that_panics_or_fails_ends_its_connection_and_no_other`.
//! 4. When nothing waits it holds no memory but itself. Kept by `who_is_idle_holds_nothing`.
//! 5. `counted` is what the loop's count of memory in use holds of it. Kept by
//!    `what_a_peer_does_not_read_is_bounded_and_counted`.

mod queue;
mod read;
mod write;

use crate::core::Core;
use crate::host::AnySocket;
use crate::host::public_key::PublicKey;
use crate::host::ready::{Key, Readiness, Resolved};
use crate::host::socket::{Credentials, Socket, Stage};
use crate::io::secure_layer::SecureLayer;
use queue::SealedQueue;
use std::cell::RefCell;
use std::fmt;
use std::io::{self, IoSlice};
use std::rc::{Rc, Weak};
use std::time::Duration;

/// The most bytes of cipher text in one record, with its head: what may be kept of one that has not
/// come whole.
const RECORD: usize = (16 << 10) + 261;
/// The most bytes of plain text in one record.
const PLAIN: usize = 16 << 10;
/// Bytes of a record that are no plain text, at least.
const OVERHEAD: usize = 22;
/// The most bytes that are kept before the peer is proven.
const HANDSHAKE: usize = 4 << 10;

pub(crate) struct SecureSocket {
    socket: AnySocket,
    core: Weak<Core>,
    state: RefCell<State>,
}

struct State {
    layer: Box<dyn SecureLayer>,
    stage: Stage,
    /// Iff we have said that nothing follows.
    closed: bool,
    /// Says what the pipe wants to be told of.
    wanted: Readiness,
    /// Says what the socket underneath was asked for, if it was.
    asked: Option<Readiness>,
    counted: u32,
    busy: Option<Box<Busy>>,
}

/// Holds what only a socket needs that is not idle.
#[derive(Default)]
struct Busy {
    queue: SealedQueue,
    /// Cipher text that could not be opened yet.
    wire: Vec<u8>,
    /// Plain text for which there was no room.
    plain: Vec<u8>,
    /// Bytes of it that were delivered.
    delivered: usize,
    /// Iff a whole record may lie in `wire`.
    unopened: bool,
    /// Iff the handshake waits for a turn that has time for it; it has come once it is read again.
    waits: bool,
    /// Says how input ends, behind the plain text, until that was told.
    end: Option<SealedEnd>,
}

enum SealedEnd {
    Orderly,
    Failed(io::Error),
}

impl Busy {
    fn is_needed(&self) -> bool {
        let Self { queue, wire, plain, delivered: _, unopened: _, waits, end } = self;
        !queue.is_idle() || !wire.is_empty() || !plain.is_empty() || *waits || end.is_some()
    }

    fn memory(&self) -> usize {
        self.queue.memory() + self.wire.capacity() + self.plain.capacity()
    }
}

impl SecureSocket {
    /// Covers a connected socket, and sends the layer's first flight.
    pub(crate) fn cover(
        core: &Rc<Core>,
        socket: AnySocket,
        layer: Box<dyn SecureLayer>,
    ) -> AnySocket {
        let state = State {
            layer,
            stage: Stage::Handshake,
            closed: false,
            wanted: Readiness::default(),
            asked: None,
            counted: 0,
            busy: None,
        };
        let this = Self { socket, core: Rc::downgrade(core), state: RefCell::new(state) };
        this.with(|core, state| {
            core.sealing.count_step();
            if let Err(error) = state.ask(core, |layer, busy| layer.begin(busy.queue.own())) {
                state.fail(error)
            }
            this.push_queue(core, state)
        })
        .ok(); // the error of a connection that is gone is met again when it is read
        AnySocket::Cover(Box::new(this))
    }

    /// Does something with the state, and sees to it that it is in order afterwards.
    fn with<R>(&self, f: impl FnOnce(&Rc<Core>, &mut State) -> io::Result<R>) -> io::Result<R> {
        let core = self.core.upgrade().ok_or(io::ErrorKind::NotConnected)?;
        let mut state = self.state.borrow_mut();
        let result = f(&core, &mut state);
        state.tidy(&core);
        self.renew_interest(&mut state).and(result)
    }

    /// Tells the socket underneath what to report: that it takes more only while cipher text waits,
    /// or if the pipe waits for it and may write.
    fn renew_interest(&self, state: &mut State) -> io::Result<()> {
        let busy = state.busy.as_ref();
        let waits = busy.is_some_and(|busy| busy.waits);
        let stuck = busy.is_some_and(|busy| busy.queue.is_stuck());
        let may_write = state.stage == Stage::Open && state.wanted.writable;
        let wanted =
            Readiness { readable: state.wanted.readable && !waits, writable: stuck || may_write };
        if state.asked != Some(wanted) {
            self.socket.interest(wanted)?;
            state.asked = Some(wanted);
        }
        Ok(())
    }
}

impl State {
    fn busy(&mut self) -> &mut Busy {
        self.busy.get_or_insert_default()
    }

    /// Asks the layer for something. A panic in it is an error like others.
    fn ask<R>(
        &mut self,
        core: &Core,
        f: impl FnOnce(&mut dyn SecureLayer, &mut Busy) -> io::Result<R>,
    ) -> io::Result<R> {
        let (layer, busy) = (&mut *self.layer, self.busy.get_or_insert_default());
        core.survive(|| f(layer, busy))
            .unwrap_or_else(|| Err(io::Error::other("the secure layer panicked")))
    }

    /// Ends it, as the layer says: what that has said meanwhile still leaves, and what comes is
    /// thrown away.
    fn fail(&mut self, error: io::Error) {
        self.stage = Stage::Over;
        let busy = self.busy();
        busy.wire = Vec::new();
        busy.unopened = false;
        busy.end = Some(SealedEnd::Failed(error));
    }

    /// Gives back what is not needed, and counts the rest.
    fn tidy(&mut self, core: &Core) {
        if let Some(busy) = self.busy.take_if(|busy| !busy.is_needed()) {
            core.buffers.keep(busy.queue.into_memory());
        }
        let memory = self.busy.as_ref().map_or(0, |busy| busy.memory());
        core.buffers.count_used(self.counted as usize, memory);
        self.counted = memory as u32;
    }
}

impl Socket for SecureSocket {
    fn key(&self) -> Key {
        self.socket.key()
    }

    fn connected(&self) -> io::Result<()> {
        self.socket.connected()
    }

    fn read(&self, into: &mut Vec<u8>) -> io::Result<usize> {
        self.with(|core, state| self.read_plain(core, state, into))
    }

    /// Returns how many bytes have arrived and can be read; those of a record that has not come
    /// whole cannot.
    fn unread(&self) -> io::Result<usize> {
        let state = self.state.borrow();
        let plain = state.busy.as_ref().map_or(0, |busy| busy.plain.len() - busy.delivered);
        Ok(self.socket.unread()? + plain)
    }

    fn write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.with(|core, state| self.write_plain(core, state, parts))
    }

    /// Returns false: where the plain text lies does not matter, since it is sealed elsewhere.
    fn sends_slowly(&self, _: usize, _: usize) -> bool {
        false
    }

    fn is_peer_on_other_cpu(&self) -> bool {
        self.socket.is_peer_on_other_cpu()
    }

    fn shutdown(&self) -> io::Result<()> {
        self.with(|core, state| self.close(core, state))
    }

    fn reset_on_close(&self) -> io::Result<()> {
        self.socket.reset_on_close()
    }

    fn interest(&self, wanted: Readiness) -> io::Result<()> {
        let mut state = self.state.borrow_mut();
        state.wanted = wanted;
        self.renew_interest(&mut state)
    }

    fn set_buffers(&self, bytes: usize) -> io::Result<()> {
        self.socket.set_buffers(bytes)
    }

    fn set_patience(&self, patience: Duration) -> io::Result<()> {
        self.socket.set_patience(patience)
    }

    fn local(&self) -> io::Result<Resolved> {
        self.socket.local()
    }

    fn peer(&self) -> io::Result<Resolved> {
        self.socket.peer()
    }

    fn credentials(&self) -> Option<Credentials> {
        self.socket.credentials()
    }

    fn stage(&self) -> Stage {
        self.state.borrow().stage
    }

    fn peer_key(&self) -> Option<PublicKey> {
        let (core, state) = (self.core.upgrade()?, self.state.borrow());
        core.survive(|| state.layer.peer()).flatten()
    }

    fn admit(&self, admitted: bool) {
        let admit = |core: &Rc<Core>, state: &mut State| {
            match (state.stage, admitted) {
                (Stage::Proven, true) => state.stage = Stage::Open,
                (Stage::Proven, false) => {
                    let refuse = |layer: &mut dyn SecureLayer, busy: &mut Busy| {
                        layer.refuse(busy.queue.own());
                        Ok(())
                    };
                    state.ask(core, refuse).ok(); // then it is refused without a word
                    state.stage = Stage::Over;
                    state.busy().wire = Vec::new();
                }
                _ => {}
            }
            if state.stage == Stage::Over {
                state.busy().end = None; // whoever says so knows why
            }
            Ok(())
        };
        self.with(admit).ok();
    }

    fn holds(&self) -> bool {
        let state = self.state.borrow();
        let Some(busy) = &state.busy else { return false };
        let may_open = busy.unopened && state.stage != Stage::Proven;
        !busy.plain.is_empty() || busy.end.is_some() || may_open || busy.waits
    }

    fn push(&self) -> io::Result<()> {
        self.with(|core, state| self.push_queue(core, state))
    }

    fn memory(&self) -> usize {
        self.state.borrow().counted as usize
    }
}

impl Drop for SecureSocket {
    fn drop(&mut self) {
        if let Some(core) = self.core.upgrade() {
            core.buffers.count_used(self.state.get_mut().counted as usize, 0);
        }
    }
}

impl fmt::Debug for SecureSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecureSocket").field("stage", &self.stage()).finish_non_exhaustive()
    }
}
