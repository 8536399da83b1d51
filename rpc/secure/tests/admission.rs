//! Promise: who may not come in is asked nothing, hears nothing and has nothing executed; who may
//! is known before anything is bound for it.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::identity;
use common::service::{
    Map, ask, client, end_of, everywhere, get, refused, run_until, secured, server, serves,
};
use peers_rpc::doc::LocalNode;
use peers_rpc::kernel::Stream;
use peers_rpc::{
    Allow, CloseReason, Cont, Endpoint, Kernel, Limits, Peer, Rpc, Security, SecurityError,
};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

#[test]
fn a_stranger_gets_in_nowhere() {
    everywhere("stranger", |kernel, at| {
        let (node, service) = serves(kernel, at, Allow::keys([client().key()]));
        let stranger = secured(kernel, identity(3));
        let endpoint = stranger.connect(service.address());
        let error = refused(get(kernel, &endpoint, "who"));
        assert_eq!(error, SecurityError::NotAdmitted { ours: identity(3).key() });
        run_until(kernel, "the end of it", || node.counters().strangers == 1);
        run_until(kernel, "its room", || node.endpoints().is_empty());
        assert_eq!(service.node().with(|map| map.calls), 0);

        let friend = secured(kernel, client());
        let endpoint = friend.connect(service.address());
        assert_eq!(get(kernel, &endpoint, "who"), Ok(client().key().to_string()));
    });
}

#[test]
fn the_policy_is_asked_once_the_key_is_proven_and_accept_runs_after_it() {
    everywhere("order", |kernel, at| {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let (asked, accepted) = (seen.clone(), seen.clone());
        let allow = Allow::when(move |key| {
            asked.borrow_mut().push(format!("asked about {key}"));
            true
        });
        let rpc = Rc::new(secured(kernel, server()));
        let (peek, node) = (Rc::downgrade(&rpc), kernel.node(Map::default()));
        let cx = node.cx();
        let listener = rpc
            .listen_with(Security::Sealed(allow), at, move |endpoint| {
                let peer = endpoint.peer();
                assert!(endpoint.peer_node().is_none(), "no hello was heard yet");
                assert!(peek.upgrade().unwrap().endpoints().contains(&endpoint));
                accepted.borrow_mut().push(format!("accepted {peer}"));
                LocalNode::bind(&cx, &endpoint)
            })
            .unwrap();
        let dialler = secured(kernel, client());
        let endpoint = dialler.connect(listener.address());
        get(kernel, &endpoint, "who").unwrap();
        let key = client().key();
        assert_eq!(*seen.borrow(), [format!("asked about {key}"), format!("accepted {key}")]);
    });
}

#[test]
fn who_has_not_been_let_in_is_no_endpoint() {
    everywhere("unseen", |kernel, at| {
        let (node, service) = serves(kernel, at, Allow::anyone());
        // It connects, and says nothing.
        let (handle, held) = (kernel.handle(), Rc::new(RefCell::new(None)));
        let slot = held.clone();
        let keep = move |stream: std::io::Result<_>| *slot.borrow_mut() = stream.ok();
        let to = service.address().without_key();
        handle.connect(&to, Cont::new(&handle, keep));
        run_until(kernel, "a connection", || {
            node.counters().accepted == 1 && held.borrow().is_some()
        });
        assert_eq!(node.endpoints(), []);
    });
}

#[test]
fn each_peer_is_given_what_is_bound_for_it() {
    everywhere("gate", |kernel, at| {
        let rpc = secured(kernel, server());
        let owner = client().key();
        let service = rpc
            .serve_with(
                Security::Sealed(Allow::anyone()),
                at,
                Map::default(),
                move |cx, endpoint| {
                    if endpoint.peer() == Peer::Key(owner) {
                        LocalNode::bind(cx, endpoint)
                    } else {
                        Ok(())
                    }
                },
            )
            .unwrap();
        let (friend, other) = (secured(kernel, client()), secured(kernel, identity(3)));
        let (one, two) = (friend.connect(service.address()), other.connect(service.address()));
        assert_eq!(get(kernel, &one, "who"), Ok(owner.to_string()));
        let error = get(kernel, &two, "who").unwrap_err();
        assert!(
            error.is_unexecuted() && error.to_string().contains("nobody there bound"),
            "{error}"
        );
        assert_eq!(service.node().with(|map| map.calls), 1);
    });
}

#[test]
fn a_policy_that_panics_says_no() {
    everywhere("panics", |kernel, at| {
        kernel.set_strict(false);
        let (node, service) = serves(kernel, at, Allow::when(|_| panic!("as the test wants")));
        let rpc = secured(kernel, client());
        let endpoint = rpc.connect(service.address());
        let error = refused(get(kernel, &endpoint, "who"));
        assert_eq!(error, SecurityError::NotAdmitted { ours: client().key() });
        assert_eq!(node.counters().strangers, 1);
    });
}

#[test]
fn a_policy_that_closes_the_connection_lets_nobody_in() {
    everywhere("closes", |kernel, at| {
        let rpc = Rc::new(secured(kernel, server()));
        let (node, accepted) = (Rc::downgrade(&rpc), Rc::new(Cell::new(false)));
        let allow = Allow::when(move |_| {
            node.upgrade().unwrap().endpoints().iter().for_each(Endpoint::close);
            true
        });
        // Only the listener's endpoints are closed: the dialler has an `Rpc` of its own.
        let seen = accepted.clone();
        let accept = move |_| {
            seen.set(true);
            Ok(())
        };
        let listener = rpc.listen_with(Security::Sealed(allow), at, accept).unwrap();
        let dialler = secured(kernel, client());
        let endpoint = dialler.connect(listener.address());
        end_of(kernel, &endpoint);
        assert_eq!(rpc.endpoints(), []);
        assert!(!accepted.get(), "nothing is bound on a connection that has ended");
        assert_eq!(rpc.counters().strangers, 0);
    });
}

#[test]
fn an_accept_that_panics_is_no_refusal_of_the_key() {
    everywhere("accept", |kernel, at| {
        kernel.set_strict(false);
        let rpc = secured(kernel, server());
        let sealed = Security::Sealed(Allow::anyone());
        let listener = rpc.listen_with(sealed, at, |_| panic!("as the test wants")).unwrap();
        let dialler = secured(kernel, client());
        let endpoint = dialler.connect(listener.address());
        let end = end_of(kernel, &endpoint);
        let CloseReason::PeerBye { text, .. } = end else { panic!("{end}") };
        assert_eq!(text, "nothing can be served here");
    });
}

#[test]
fn who_says_nothing_is_ended_by_the_time_for_sealed_handshakes() {
    let mut kernel = Kernel::simulated(1);
    let (node, service) = serves(&kernel, &"sim:place".parse().unwrap(), Allow::anyone());
    let (handle, ended, begun) = (kernel.handle(), Rc::new(Cell::new(None)), Rc::default());
    let (slot, clock, since) = (ended.clone(), kernel.handle(), Rc::<Cell<_>>::clone(&begun));
    let keep = move |stream: std::io::Result<Stream>| {
        since.set(Some(clock.now()));
        stream.unwrap().start(move |_, _| slot.set(Some(clock.now())));
    };
    handle.connect(&service.address().without_key(), Cont::new(&handle, keep));
    run_until(&mut kernel, "its end", || ended.get().is_some());
    let took = ended.get().unwrap() - begun.get().unwrap();
    let (least, most) = (Duration::from_millis(9_900), Duration::from_millis(10_500));
    assert!(took >= least && took <= most, "{took:?}");
    assert_eq!(node.endpoints(), []);
}

#[test]
fn a_listener_that_closes_admits_nobody_whose_proof_comes_later() {
    let mut kernel = Kernel::simulated(1);
    let (node, service) = serves(&kernel, &"sim:place".parse().unwrap(), Allow::anyone());
    let dialler = Rpc::secured(&kernel, Limits::default(), client());
    let endpoint = dialler.connect(service.address());
    let outcome = ask(&kernel, &endpoint, "who");
    run_until(&mut kernel, "a connection", || node.counters().accepted == 1);
    drop(service);
    run_until(&mut kernel, "an outcome", || outcome.borrow().is_some());
    assert!(outcome.take().unwrap().is_err());
    assert_eq!(node.endpoints(), []);
}
