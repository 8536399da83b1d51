//! Promise: what is used up is given back. After a hundred thousand of each, nothing is left of
//! posts, calls, events, timers and connections, neither here nor at the peer.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;
mod threads;

use common::{Field, limits, millis, secs};
use threads::{connect, heard, serve_with};

/// Returns what a process holds.
fn pending(field: &mut Field, peer: &common::Peer) -> (usize, usize, usize) {
    let dump = field.on(peer, {
        let handle = peer.handle().clone();
        move || handle.dump()
    });
    (dump.continuations(), dump.timers(), peer.rpc().endpoints().len())
}

#[test]
fn a_thousand_connections_that_come_and_go_leave_nothing() {
    let mut field = Field::simulated(1);
    let (server, client) = (field.peer("server"), field.peer("client"));
    let mut before = None;
    for round in 0..1_000 {
        let node = field.dial(&client, &server);
        field.outcome(&client, node.echo("x")).unwrap();
        let endpoint = node.caller().clone();
        field.on(&client, move || endpoint.close());
        field.until(|| server.rpc().endpoints().is_empty());
        field.pass(secs(6));
        let now = (pending(&mut field, &client), pending(&mut field, &server));
        if round == 10 {
            before = Some(now);
        } else if round > 10 {
            assert_eq!(Some(now), before, "round {round}");
        }
    }
}

#[test]
fn ten_thousand_calls_cancelled_or_timed_out_leave_nothing() {
    let mut field = Field::simulated(1);
    let (client, server, node) = field.met_pair();
    field.pass(secs(6));
    let before = (pending(&mut field, &client), pending(&mut field, &server));
    for _ in 0..100 {
        let calls: Vec<_> = (0..100)
            .map(|n| field.start(&client, node.hold(n.to_string()).within(millis(20))))
            .collect();
        field.outcomes(&calls).into_iter().for_each(|outcome| assert!(outcome.is_err()));
        field.until_within(secs(3), || server.rpc().running() == 0);
        for n in 0..100 {
            drop(server.take_held(&n.to_string()));
        }
    }
    field.pass(secs(6));
    assert_eq!(node.caller().pending(), 0);
    assert_eq!((pending(&mut field, &client), pending(&mut field, &server)), before);
}

#[test]
fn a_hundred_thousand_events_of_a_thread_leave_their_places() {
    let (server, address) = serve_with(limits(|limits| limits.grant = 64));
    let (client, node) = connect(&address, limits(|limits| limits.waiting = 32));
    for _ in 0..100_000 {
        node.note("").unwrap();
    }
    node.context().forever().wait().unwrap();
    assert_eq!(heard(&server).len(), 100_000);
    // All 32 places are there again: as many fit at once.
    let busy = threads::Blocked::of(&server.remote());
    for _ in 0..64 + 32 {
        node.note("").unwrap();
    }
    busy.end();
    assert!(client.close().unwrap().is_complete());
}
