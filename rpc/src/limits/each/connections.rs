//! Counts of connections: see the listener, which counts them.

use super::Limits;
use super::common::limits;
use crate::api::listener::counts;
use crate::doc::LocalNode;
use crate::session::CloseReason;
use crate::{Allow, Endpoint, Kernel, Rpc, SecureTransport, Security};
use peers_kernel::{ForkedRng, PublicKey, SecureLayer};
use std::rc::Rc;
use std::time::Duration;
use toy::{CLIENT, SERVER};

#[path = "../../../tests/toy/mod.rs"]
mod toy;

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

/// Proves keys that are no secret.
struct Toys(PublicKey);

impl SecureTransport for Toys {
    fn key(&self) -> PublicKey {
        self.0
    }

    fn dial(&self, _: PublicKey, _: ForkedRng) -> Box<dyn SecureLayer> {
        toy::dialling(&Rc::default(), 1)
    }

    fn accept(&self, _: ForkedRng) -> Box<dyn SecureLayer> {
        toy::accepting(&Rc::default(), 1)
    }
}

pub(super) fn per_key() {
    for most in [64, 2] {
        let mut kernel = Kernel::simulated(1);
        let few = limits(|l| l.per_key = most);
        let server = Rpc::secured(&kernel, few, Toys(SERVER));
        let sealed = Security::Sealed(Allow::anyone());
        let served = server.serve_with(sealed, "sim:place", counts::Nothing, LocalNode::bind);
        let served = served.expect("there is room for one");
        let client = Rpc::secured(&kernel, Limits::default(), Toys(CLIENT));
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
