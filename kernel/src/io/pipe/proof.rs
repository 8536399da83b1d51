//! A connection that a secure layer covers: the proof of who the peer is, and the end when there is
//! none.
//!
//! Invariants:
//! 1. Nothing is heard or sealed before the listener has let the peer in, who is asked once. Kept
//!    by `who_is_not_let_in_gets_nothing_and_is_told`.
//! 2. What a layer ends is heard by the listener at once, and by the peer within the time to
//!    linger. Kept by `an_end_without_a_last_record_is_a_failure_wherever_it_comes`.

use crate::core::Core;
use crate::host::public_key::PublicKey;
use crate::host::socket::Stage;
use crate::io::pipe::closing::MOST_DISCARDED;
use crate::io::pipe::state::{Inward, Outward};
use crate::io::pipe::{LINGER, Pipe};
use crate::io::secure::SecureSocket;
use crate::io::secure_layer::SecureLayer;
use std::rc::Rc;

impl Pipe {
    /// Covers the socket: from now on it speaks cipher text.
    pub(crate) fn secure(&self, layer: Box<dyn SecureLayer>) {
        let (Some(core), Some(socket)) = (self.core.upgrade(), self.socket.take()) else { return };
        self.socket.set(Some(SecureSocket::cover(&core, socket, layer)));
        self.renew_interest(&core);
    }

    fn stage(&self) -> Stage {
        self.with_cover(|socket| socket.stage()).unwrap_or(Stage::Open)
    }

    /// Returns whether it is not yet decided who the peer is and whether it may come in.
    pub(super) fn is_unproven(&self) -> bool {
        matches!(self.stage(), Stage::Handshake | Stage::Proven)
    }

    /// Returns whether the secure layer has ended the connection, or has turned the peer away.
    pub(super) fn is_over(&self) -> bool {
        self.stage() == Stage::Over
    }

    /// Decides whether the peer may come in, if it is that which has to be known before anything
    /// can be read.
    pub(super) fn heed_proof(self: &Rc<Self>, core: &Rc<Core>) {
        if self.stage() != Stage::Proven {
            return;
        }
        match self.peer_key() {
            Some(key) => self.introduce(core, key),
            None => self.fail(core, std::io::Error::other("the secure layer panicked")),
        }
    }

    /// Asks whether the peer may come in. A panic is a no.
    fn introduce(self: &Rc<Self>, core: &Rc<Core>, key: PublicKey) {
        let judge = || self.if_rare(|rare| rare.judge.take());
        let Some(listener) = self.listener.take().or_else(judge) else { return self.abort() };
        let outlet = self.outlet();
        let admitted = core.catch(listener.born(), || listener.clone().proven(&outlet, key));
        let admitted = admitted.unwrap_or(false);
        if admitted && self.inward.get().may_hear() {
            self.listener.set(Some(listener));
        } else {
            core.let_go(listener.born(), listener);
        }
        if !admitted {
            return self.part(core);
        }
        self.with_cover(|socket| socket.admit(true));
        self.blocked.set(false);
        self.send(core);
        self.push(core);
        self.renew_interest(core);
        if self.holds() {
            self.note_readable(core)
        }
    }

    /// Lets the socket send on what it has made itself.
    pub(super) fn push(&self, core: &Rc<Core>) {
        if let Some(Err(error)) = self.with_cover(|socket| socket.push()) {
            self.break_off(core, error)
        }
    }

    /// Keeps the listener of a connection that is being closed until it has said whether the peer
    /// may have what was written. False if nothing was.
    pub(super) fn keep_judge(&self) -> bool {
        let waits = self.buffered() > 0;
        if waits && let Some(listener) = self.listener.take() {
            self.with_rare(|rare| rare.judge = Some(listener));
        }
        waits
    }

    /// Ends the connection for whoever uses it. What the layer has still to say leaves, and what
    /// comes is thrown away.
    pub(super) fn part(self: &Rc<Self>, core: &Rc<Core>) {
        self.with_cover(|socket| socket.admit(false));
        self.drop_output(core);
        self.tell_closed(core, false);
        self.outward.set(Outward::Finishing);
        if self.inward.get().may_hear() {
            self.inward.set(Inward::Discarded);
            self.with_rare(|rare| rare.discards = MOST_DISCARDED as u32);
            self.arm_linger(core, LINGER);
        }
        self.send(core);
        self.renew_interest(core);
    }
}
