//! The way into a connection: one read for each readable event, to the handler or to whoever gave
//! memory for it.
//!
//! What a half may still do, and the end of a connection, are the [`Pipe`]'s.
//!
//! Invariant: a block is given to its owner once, with something appended, or dropped.

use crate::core::Core;
use crate::io::pipe::Pipe;
use crate::io::pipe::state::{Inward, Outward};
use crate::io::stream::Input;
use std::io::{self, ErrorKind};
use std::panic::Location;
use std::rc::Rc;

/// Memory for the next bytes, and who gets it then.
pub(crate) struct Block {
    pub(crate) memory: Vec<u8>,
    pub(crate) born: &'static Location<'static>,
    pub(crate) then: Box<dyn FnOnce(Vec<u8>)>,
}

impl Pipe {
    /// Lets what arrives next go to `block` instead of the handler.
    pub(crate) fn read_into(&self, block: Block) {
        if self.inward.get().may_hear() {
            let earlier = self.with_rare(|rare| rare.block.replace(block));
            drop(earlier);
        }
    }

    pub(super) fn read(self: &Rc<Self>, core: &Rc<Core>) {
        let rare = self.if_rare(|rare| {
            let counts = rare.rest.is_some() || rare.behind.is_some();
            Some((rare.block.take(), rare.rest, counts))
        });
        let (block, rest, counts) = rare.unwrap_or_default();
        let told = Self::date(core, rest);
        let note = |count, filled| {
            if filled || counts {
                self.renew_rest(count, filled, told)
            }
        };
        match block {
            None => self.read_bytes(core, note),
            Some(block) => self.read_block(core, block, note),
        }
        // Whoever heard it took long, so what lies in the socket by now has waited as well.
        if core.latest() > core.now() {
            self.renew_rest(0, true, told)
        }
    }

    fn read_bytes(self: &Rc<Self>, core: &Rc<Core>, note: impl FnOnce(usize, bool)) {
        let mut buffer = core.read_buffer();
        let (result, holds) = self.read_socket(&mut buffer);
        match result {
            Ok(count @ 1..) => {
                note(count, buffer.len() == buffer.capacity());
                self.deliver(core, Input::Bytes(&buffer));
                self.tell_if_broken(core, holds)
            }
            other => {
                drop(buffer);
                self.read_nothing(core, other)
            }
        }
    }

    #[cold]
    fn read_block(
        self: &Rc<Self>,
        core: &Rc<Core>,
        mut block: Block,
        note: impl FnOnce(usize, bool),
    ) {
        let (result, holds) = self.read_socket(&mut block.memory);
        match result {
            Ok(count @ 1..) => {
                note(count, block.memory.len() == block.memory.capacity());
                let Block { memory, born, then } = block;
                // If it panics, the bytes are lost to it, not to the peer.
                let _caught = core.catch(born, || then(memory));
                self.tell_if_broken(core, holds)
            }
            other => {
                // Nothing came, so the block waits on; at the end it is dropped.
                if other.as_ref().is_err_and(is_passing) {
                    self.read_into(block)
                }
                self.read_nothing(core, other)
            }
        }
    }

    /// Reads once; returns also whether the socket has more to give, of which the system knows
    /// nothing. A call that was interrupted says nothing about what is there, so it is made again
    /// before anybody judges by a clock what has not come.
    #[inline]
    fn read_socket(&self, into: &mut Vec<u8>) -> (io::Result<usize>, bool) {
        let Some(socket) = self.socket.take() else {
            return (Err(ErrorKind::NotConnected.into()), false);
        };
        let result = loop {
            match socket.read(into) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        let holds = socket.cover().is_some_and(|socket| socket.holds());
        self.socket.set(Some(socket));
        (result, holds)
    }

    /// Tells of a way out that has broken: once all that came in has been heard, that is heard as
    /// well. What the socket holds is asked for again.
    fn tell_if_broken(&self, core: &Core, holds: bool) {
        if holds || self.outward.get() == Outward::Broken {
            self.note_readable(core)
        }
    }

    #[cold]
    fn read_nothing(self: &Rc<Self>, core: &Rc<Core>, result: io::Result<usize>) {
        match result {
            Ok(_) => self.end(core),
            // The first failure is the one to be told: later ones are its consequence.
            Err(error) => match self.take_broken() {
                Some(broken) => self.fail(core, broken),
                None if is_passing(&error) => self.heed_proof(core),
                None => self.fail(core, error),
            },
        }
    }

    /// Notes that the peer will send no more.
    fn end(self: &Rc<Self>, core: &Rc<Core>) {
        if let Some(error) = self.take_broken() {
            return self.fail(core, error);
        }
        self.inward.set(Inward::Ended);
        if self.both_halves_ended() {
            self.shut(core);
        } else {
            self.renew_interest(core);
        }
        self.deliver(core, Input::End); // to nobody, if input is discarded
    }

    pub(super) fn fail(self: &Rc<Self>, core: &Rc<Core>, error: io::Error) {
        // One that its secure layer has ended still says so to its peer.
        if self.is_over() && self.inward.get().may_hear() {
            self.part(core)
        } else {
            self.shut(core)
        }
        self.deliver(core, Input::Failed(error));
    }

    pub(super) fn deliver(self: &Rc<Self>, core: &Rc<Core>, input: Input<'_>) {
        let Some(listener) = self.listener.take() else { return self.discard(core, &input) };
        let outlet = self.outlet();
        // After a panic the connection lives on: the bytes are lost to the listener, not to the
        // peer.
        let heard = core.catch(listener.born(), || listener.clone().hear(&outlet, input));
        let wanted = heard.unwrap_or(true);
        match self.inward.get() {
            Inward::Open | Inward::Paused if wanted => self.listener.set(Some(listener)),
            Inward::Open | Inward::Paused => self.close(),
            _ => {}
        }
    }
}

/// Returns whether a socket has nothing to give or to take now, and nothing is wrong.
pub(super) fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
