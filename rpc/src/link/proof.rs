//! Who is at the other end, as far as that is proven, and what a link does until then.
//!
//! A link whose stream has a secure layer is like one that is being dialled until its peer has
//! proven its key: what the session says gathers, and nothing of it leaves.
//!
//! Invariant: of a sealed connection nothing is given to its stream before the peer has proven its
//! key and, if it came to a listener, was let in. Kept by
//! `the_right_address_with_another_key_gets_nothing`, `a_stranger_gets_in_nowhere`.

use super::{Admits, Link, Signs, Wire, with};
use crate::link::own_key::node_of;
use crate::security::SecurityError;
use crate::security::allow::Peer;
use crate::session::text::Brief;
use crate::session::{CloseReason, Session};
use peers_kernel::{Credentials, Instant, Outlet, PublicKey, SecureLayer, Stream};
use peers_wire::NodeId;
use std::io;
use std::net::IpAddr;
use std::rc::{Rc, Weak};

/// The most bytes of somebody's words about a handshake.
const TEXT: usize = 256;

impl Link {
    /// Takes the stream and lets the layer find out who is there. A link that has ended meanwhile
    /// says nothing: nobody knows to whom.
    pub(crate) fn attach_sealed(self: &Rc<Self>, stream: Stream, layer: Box<dyn SecureLayer>) {
        if !self.is_open() {
            return;
        }
        self.show(Signs::SEALED, true);
        let now = self.handle().now();
        self.drive(|session, _| {
            session.seal();
            session.connected(now);
        });
        self.take_stream(stream.secure(layer));
    }

    /// Notes who decides whether the peer may come in.
    pub(crate) fn wait_for(&self, admission: Weak<dyn Admits>) {
        self.with_rare(|rare| rare.admission = Some(admission));
    }

    /// Returns whether its peer has come to a listener and was not let in yet.
    pub(crate) fn is_unadmitted(&self) -> bool {
        self.shows(Signs::SEALED)
            && self.wire.get() == Wire::Dialling
            && self.if_rare(|rare| rare.admission.is_some())
    }

    /// The peer has proven its key. Returns whether it is let in.
    pub(super) fn peer_proven(self: &Rc<Self>, peer: PublicKey) -> bool {
        if !self.is_open() {
            return false;
        }
        match self.if_rare(|rare| rare.admission.take()) {
            None => self.go_on_with(peer),
            Some(admission) => match admission.upgrade() {
                Some(admission) => return admission.admit(self, peer),
                // The listener was closed meanwhile.
                None => {
                    self.end_soon(CloseReason::Local);
                    return false;
                }
            },
        }
        true
    }

    /// From now on what is said goes to this peer.
    pub(crate) fn go_on_with(self: &Rc<Self>, peer: PublicKey) {
        self.drive(|session, _| session.expect(node_of(&peer)));
        self.wire.set(Wire::Open);
        self.flush();
        self.go_on_leaving();
    }

    /// Returns the key that the peer has proven.
    pub(crate) fn peer_key(&self) -> Option<PublicKey> {
        if self.shows(Signs::SEALED) { self.last_outlet().and_then(Outlet::peer_key) } else { None }
    }

    /// Returns who is there, as far as that is proven.
    pub(crate) fn whom(&self) -> Peer {
        if self.shows(Signs::SEALED) {
            return self.peer_key().map_or(Peer::Unknown, Peer::Key);
        }
        let Some(outlet) = self.last_outlet() else { return Peer::Unknown };
        if let Some(Credentials { uid, gid, pid }) = outlet.credentials() {
            return Peer::User { uid, gid, pid };
        }
        let is_local = with(&self.route, |route| route.as_ref().is_some_and(|r| r.is_local()));
        if is_local { Peer::Local } else { Peer::Unknown }
    }

    /// Returns whether the peer has said hello.
    pub(crate) fn has_met_peer(&self) -> bool {
        self.ask(|session| session.peer().is_some())
    }

    /// Returns the id of the node at the other end, once it has said hello.
    pub(crate) fn peer(&self) -> Option<NodeId> {
        self.ask(|session| Some(session.peer()?.node))
    }

    /// Returns the host that it was accepted from, if it was accepted over a network.
    pub(crate) fn source(&self) -> Option<IpAddr> {
        with(&self.route, |route| route.as_ref()?.source())
    }

    /// Returns since when the peer's hello has been waited for, if it is.
    pub(crate) fn waits_for_hello_since(&self) -> Option<Instant> {
        self.ask(Session::waits_for_hello_since)
    }

    /// Returns why a connection has ended of which its stream says this.
    pub(super) fn failure(&self, error: &io::Error) -> CloseReason {
        if let Some(error) = SecurityError::of(error) {
            return CloseReason::Security(error.clone());
        }
        if self.shows(Signs::SEALED) {
            if self.peer_key().is_none() && self.wire.get() == Wire::Dialling {
                let text = match error.kind() {
                    io::ErrorKind::UnexpectedEof => "the connection ended first".to_owned(),
                    _ => error.to_string(),
                };
                let text = Brief(&text, TEXT).to_string();
                return CloseReason::Security(SecurityError::Handshake(text));
            }
            if error.kind() == io::ErrorKind::UnexpectedEof {
                return CloseReason::Security(SecurityError::Cut);
            }
        }
        CloseReason::Io(error.kind(), error.to_string())
    }
}
