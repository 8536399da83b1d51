//! Promise: whenever one side decides that a connection ends, the other is told why in words, also
//! before anything was served on it. And a process that reaches itself is told so, instead of
//! taking its own echo for a peer.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{
    Desk, Field, Got, LocalProbe, Peer, ProbeProxy, everywhere, in_other_worlds, limits, millis,
};
use peers_rpc::kernel::{Input, Stream};
use peers_rpc::wire::ByeCode;
use peers_rpc::{CloseReason, Endpoint, Error, ErrorKind, Limits, Rpc};
use std::rc::Rc;

/// Drives until the endpoint has ended.
fn end_of(field: &mut Field, peer: &Peer<impl Sized>, endpoint: &Endpoint) -> CloseReason {
    let ended = peer.watch(endpoint);
    field.on(peer, || ());
    field.until(|| ended.is_done());
    ended.take().unwrap()
}

fn bye(code: ByeCode, text: &str) -> CloseReason {
    CloseReason::PeerBye { code, text: text.to_owned() }
}

fn is_over(error: &Error, reason: &CloseReason) -> bool {
    matches!(error.kind(), ErrorKind::Disconnected(why) if why == reason)
}

// ---- while a connection is being accepted

everywhere! {
    fn a_peer_is_told_when_binding_panics(field: &mut Field) {
        field.lenient();
        let server = field.peer_serving("server", Limits::default(), Desk::default(), |cx, endpoint| {
            LocalProbe::bind(cx, endpoint)?;
            panic!("while it binds");
        });
        let client = field.peer("client");
        for n in 0..3 {
            let node = field.dial(&client, &server);
            let error = field.outcome(&client, node.echo("x")).unwrap_err();
            let told = bye(ByeCode::Internal, "nothing can be served here");
            assert!(is_over(&error, &told), "{error}");
            let reason = end_of(field, &server, &server.accepted()[n]);
            assert_eq!(reason, CloseReason::AcceptPanicked);
        }
        assert_eq!(server.heard(), [""; 0], "nothing was started");
        assert_eq!(server.rpc().endpoints().len(), 0);
    }
}

everywhere! {
    fn a_peer_is_told_when_its_connection_is_closed_while_it_is_accepted(field: &mut Field) {
        let server = field.peer_serving("server", Limits::default(), Desk::default(), |cx, endpoint| {
            LocalProbe::bind(cx, endpoint)?;
            endpoint.close();
            Ok(())
        });
        let client = field.peer("client");
        let node = field.dial(&client, &server);
        let error = field.outcome(&client, node.echo("x")).unwrap_err();
        assert!(is_over(&error, &bye(ByeCode::Closed, "")), "{error}");
        assert_eq!(end_of(field, &server, &server.accepted()[0]), CloseReason::Local);
        assert_eq!(server.heard(), [""; 0]);
    }
}

everywhere! {
    fn a_peer_for_whom_there_is_no_room_is_told(field: &mut Field) {
        let server = field.peer_with("server", limits(|l| l.connections = Some(2)));
        let client = field.peer("client");
        let nodes = [(); 2].map(|()| field.dial(&client, &server));
        for node in &nodes {
            assert_eq!(field.outcome(&client, node.echo("room")).unwrap(), "room");
        }
        let third = field.dial(&client, &server);
        let error = field.outcome(&client, third.echo("x")).unwrap_err();
        assert!(is_over(&error, &bye(ByeCode::Overloaded, "too many connections")), "{error}");
        for node in &nodes {
            assert_eq!(field.outcome(&client, node.echo("still")).unwrap(), "still");
        }
        nodes[0].caller().close();
        field.on(&client, || ());
        field.until(|| server.rpc().endpoints().len() == 1);
        let fourth = field.dial(&client, &server);
        assert_eq!(field.outcome(&client, fourth.echo("again")).unwrap(), "again");
        assert_eq!(server.rpc().counters().crowded, 1);
    }
}

everywhere! {
    fn a_peer_is_told_when_only_the_listener_is_left(field: &mut Field) {
        let (client, server, first) = field.met_pair();
        let rpc = server.take_rpc();
        field.on(&server, move || drop(rpc));
        let told = bye(ByeCode::Closed, "");
        assert_eq!(end_of(field, &client, first.caller()), told);
        let late = field.dial(&client, &server);
        let error = field.outcome(&client, late.echo("x")).unwrap_err();
        assert!(is_over(&error, &told), "{error}");
    }
}

/// Returns what 200 connections at one time were told.
fn told_of_a_crowd(field: &mut Field) -> usize {
    let server = field.peer_with("server", limits(|l| l.connections = Some(0)));
    let client = field.peer("client");
    let mut told = 0;
    let nodes: Vec<ProbeProxy> = (0..200).map(|_| field.dial_only(&client, &server)).collect();
    let ends: Vec<Got<CloseReason>> =
        nodes.iter().map(|node| client.watch(node.caller())).collect();
    field.until(|| ends.iter().all(Got::is_done));
    for end in ends {
        match end.take().unwrap() {
            CloseReason::PeerBye { code: ByeCode::Overloaded, .. } => told += 1,
            CloseReason::EndOfStream | CloseReason::Io(..) => {}
            other => panic!("{other}"),
        }
    }
    // A quiet while later there is time for words again.
    field.pass(millis(5_001));
    let node = field.dial_only(&client, &server);
    let reason = end_of(field, &client, node.caller());
    assert_eq!(reason, bye(ByeCode::Overloaded, "too many connections"));
    told
}

#[test]
fn a_crowd_is_not_held_for_its_goodbyes() {
    assert_eq!(told_of_a_crowd(&mut Field::simulated(1)), 64);
}

// ---- while a connection is being dialled

everywhere! {
    fn a_peer_is_told_when_its_dialler_has_changed_its_mind(field: &mut Field) {
        let (client, server) = (field.peer("client"), field.peer("server"));
        let (dialler, address) = (client.rpc().dialler(), server.address().clone());
        field.on(&client, move || dialler.connect(&address).unwrap().close());
        field.until(|| !server.accepted().is_empty());
        let reason = end_of(field, &server, &server.accepted()[0]);
        assert_eq!(reason, bye(ByeCode::Closed, ""));
    }
}

// ---- who reaches itself

everywhere! {
    fn a_process_that_dials_itself_is_told_so(field: &mut Field) {
        let loner = field.peer("loner");
        let node = field.dial(&loner, &loner);
        let held = field.start(&loner, node.hold("held").forever());
        let error = field.outcome(&loner, node.echo("x")).unwrap_err();
        assert!(is_over(&error, &CloseReason::Myself), "{error}");
        let words = "this process has reached itself: the address is its own, or what answers there is an echo";
        assert!(error.to_string().ends_with(words), "{error}");
        field.until(|| held.is_done());
        assert!(is_over(&held.take().unwrap_err(), &CloseReason::Myself));
        assert_eq!(end_of(field, &loner, &loner.accepted()[0]), CloseReason::Myself);
        assert_eq!(loner.heard(), [""; 0], "nothing was started");
        assert_eq!(loner.rpc().endpoints().len(), 0);
    }
}

everywhere! {
    fn a_client_does_not_take_its_own_echo_for_a_peer(field: &mut Field) {
        let (client, place) = (field.peer("client"), field.peer("place"));
        let rpc = place.take_rpc();
        field.on(&place, move || drop(rpc));
        drop(place.take_listener());
        let echo = move |stream: Stream| {
            stream.start(|outlet, input| match input {
                Input::Bytes(bytes) => outlet.write(bytes).unwrap(),
                _ => outlet.close(),
            });
        };
        let (handle, at) = (place.handle().clone(), place.address().clone());
        let listener = field.on(&place, move || handle.listen(&at, echo).unwrap());
        let node = field.dial(&client, &place);
        node.note("to the echo").unwrap();
        let error = field.outcome(&client, node.echo("x")).unwrap_err();
        assert!(is_over(&error, &CloseReason::Myself), "{error}");
        assert_eq!(client.heard(), [""; 0], "it serves nothing of its own");
        drop(listener);
    }
}

everywhere! {
    fn two_of_one_process_may_talk_to_each_other(field: &mut Field) {
        let server = field.peer("server");
        let (handle, address) = (server.handle().clone(), server.address().clone());
        let (rpc, endpoint) = field.on(&server, move || {
            let rpc = Rc::new(Rpc::new(&handle));
            let endpoint = rpc.connect(&address);
            (rpc, endpoint)
        });
        let node = ProbeProxy::new(endpoint);
        assert_eq!(field.outcome(&server, node.echo("neighbour")).unwrap(), "neighbour");
        assert_ne!(rpc.node(), server.rpc().node());
    }
}

in_other_worlds! {
    a_crowd_is_not_held_for_its_goodbyes;
}
