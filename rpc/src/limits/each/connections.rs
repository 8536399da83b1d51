//! Counts of connections: see the listener, which counts them.

use super::Limits;
use super::common::limits;
use crate::api::listener::counts;
use crate::doc::LocalNode;
use crate::session::CloseReason;
use crate::{Allow, Endpoint, Kernel, Rpc, SecureTransport, Security};
use peers_kernel::{ForkedRng, Opened, PublicKey, SecureLayer};
use std::io::{self, IoSlice};
use std::time::Duration;

pub(super) fn connections() {
    counts::connections_are_counted_whatever_they_are();
    assert_eq!(Limits::default().connections, None);
}

pub(super) fn half_open() {
    counts::only_so_many_may_be_silent();
    assert_eq!(Limits::default().half_open, 128);
}

pub(super) fn per_source() {
    counts::one_source_has_only_so_many();
    assert_eq!(Limits::default().per_source, 64);
}

const CLIENT: PublicKey = PublicKey([0xc1; 32]);
const SERVER: PublicKey = PublicKey([0x5e; 32]);

/// Believes whatever key the other side shows.
struct Believer(PublicKey);

impl SecureTransport for Believer {
    fn key(&self) -> PublicKey {
        self.0
    }

    fn dial(&self, _: PublicKey, _: ForkedRng) -> Box<dyn SecureLayer> {
        Box::new(Shown { own: self.0, peer: None })
    }

    fn accept(&self, _: ForkedRng) -> Box<dyn SecureLayer> {
        Box::new(Shown { own: self.0, peer: None })
    }
}

/// Shows the key first, and the plain text as it is.
struct Shown {
    own: PublicKey,
    peer: Option<PublicKey>,
}

impl SecureLayer for Shown {
    fn begin(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        out.extend_from_slice(&self.own.0);
        Ok(())
    }

    fn owed(&self, held: &[u8]) -> usize {
        let record = if self.peer.is_none() { 32 } else { 1 };
        record - held.len().min(record)
    }

    fn open(
        &mut self,
        wire: &mut [u8],
        plain: &mut Vec<u8>,
        _: &mut Vec<u8>,
    ) -> io::Result<Opened> {
        let taken = match (self.peer, wire.first_chunk()) {
            (None, Some(key)) => {
                self.peer = Some(PublicKey(*key));
                key.len()
            }
            (None, None) => 0,
            (Some(_), _) => {
                plain.extend_from_slice(wire);
                wire.len()
            }
        };
        Ok(Opened { taken, ended: false })
    }

    fn seal(
        &mut self,
        plain: &[IoSlice<'_>],
        from: usize,
        len: usize,
        out: &mut Vec<u8>,
    ) -> io::Result<()> {
        out.extend(plain.iter().flat_map(|part| part.iter()).skip(from).take(len));
        Ok(())
    }

    fn refuse(&mut self, _: &mut Vec<u8>) {}

    fn close(&mut self, _: &mut Vec<u8>) {}

    fn peer(&self) -> Option<PublicKey> {
        self.peer
    }
}

pub(super) fn per_key() {
    for most in [64, 2] {
        let mut kernel = Kernel::simulated(1);
        let few = limits(|l| l.per_key = most);
        let server = Rpc::secured(&kernel, few, Believer(SERVER));
        let sealed = Security::Sealed(Allow::anyone());
        let served = server.serve_with(sealed, "sim:place", counts::Nothing, LocalNode::bind);
        let served = served.expect("there is room for one");
        let client = Rpc::secured(&kernel, Limits::default(), Believer(CLIENT));
        let come = || client.connect(served.address());
        let pass = |kernel: &mut Kernel, span| {
            let end = kernel.handle().now() + span;
            kernel.run_until(end).expect("nobody panics");
        };
        let mut all: Vec<Endpoint> = (0..most).map(|_| come()).collect();
        pass(&mut kernel, Duration::from_secs(1));
        assert!(all.iter().all(|one| one.peer_node().is_some()), "{most} may come");
        let late = come();
        let ended = counts::ended(&kernel.handle(), &late);
        pass(&mut kernel, Duration::from_secs(1));
        let reason = ended.take().expect("one is too many");
        let CloseReason::PeerBye { code, text } = reason else { panic!("{reason}") };
        assert_eq!(code, peers_wire::ByeCode::Overloaded);
        assert_eq!(text, "too many with that key");
        // Who goes makes room.
        all.pop().expect("there were some").close();
        pass(&mut kernel, Duration::from_secs(1));
        let next = come();
        pass(&mut kernel, Duration::from_secs(1));
        assert!(next.peer_node().is_some());
    }
    assert_eq!(Limits::default().per_key, 64);
}
