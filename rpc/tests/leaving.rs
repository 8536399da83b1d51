//! Promise: an orderly end drops nothing that was accepted. What waits leaves as the peer gives
//! credit, within [`Limits::drain`](peers_rpc::Limits::drain); what the peer did not take in that
//! time is told, and nobody waits longer.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{
    Field, Got, Peer, ProbeProxy, everywhere, in_other_worlds, left, limits, millis, notes,
    patient, secs, send_and_close,
};
use peers_rpc::wire::ByeCode;
use peers_rpc::{Address, CloseReason, Drained, ErrorKind, Limits, Refusal};

const EVENTS: usize = 5_000;

fn narrow() -> Limits {
    limits(|limits| limits.request_window = 64)
}

/// Sends and ends the whole process.
fn send_and_end(
    field: &mut Field,
    client: &Peer,
    node: &ProbeProxy,
    events: usize,
) -> Got<Drained> {
    let (k, closed) = Got::new(client.handle());
    let (node, rpc) = (node.clone(), client.take_rpc());
    field.on(client, move || {
        notes(&node, events);
        rpc.close(k);
    });
    closed
}

// ---- everything arrives

everywhere! {
    fn a_closed_endpoint_sends_what_it_has_accepted(field: &mut Field) {
        let (client, server, node) = field.pair_with(patient(), narrow());
        field.outcome(&client, node.context()).unwrap();
        let there = server.watch(&server.accepted()[0]);
        let closed = send_and_close(field, &client, &node, EVENTS);
        field.until(|| closed.is_done() && there.is_done());
        assert_eq!(left(closed.take()), (0, 0));
        assert_eq!(server.heard().len(), EVENTS);
        let bye = matches!(there.take().unwrap(), CloseReason::PeerBye { code: ByeCode::Closed, .. });
        assert!(bye);
    }
}

everywhere! {
    fn also_before_the_connection_stands(field: &mut Field) {
        let (client, server, node) = field.pair_with(patient(), narrow());
        let closed = send_and_close(field, &client, &node, EVENTS);
        field.until(|| closed.is_done());
        assert_eq!(left(closed.take()), (0, 0));
        assert_eq!(server.heard().len(), EVENTS);
    }
}

everywhere! {
    fn a_few_events_before_the_connection_stands_arrive_as_well(field: &mut Field) {
        let (client, server, node) = field.pair_with(patient(), Limits::default());
        let closed = send_and_close(field, &client, &node, 3);
        field.until(|| closed.is_done());
        assert_eq!(left(closed.take()), (0, 0));
        assert_eq!(server.heard(), ["0", "1", "2"]);
    }
}

everywhere! {
    fn a_closed_process_sends_what_it_has_accepted(field: &mut Field) {
        let (client, server, node) = field.pair_with(patient(), narrow());
        field.outcome(&client, node.context()).unwrap();
        let closed = send_and_end(field, &client, &node, EVENTS);
        field.until(|| closed.is_done());
        assert_eq!(left(closed.take()), (0, 0));
        assert_eq!(server.heard().len(), EVENTS, "though its owner was dropped at once");
        field.until(|| server.rpc().endpoints().is_empty());
    }
}

everywhere! {
    fn a_process_that_was_never_connected_does_so_too(field: &mut Field) {
        let (client, server, node) = field.pair_with(patient(), narrow());
        let closed = send_and_end(field, &client, &node, EVENTS);
        field.until(|| closed.is_done());
        assert_eq!(left(closed.take()), (0, 0));
        assert_eq!(server.heard().len(), EVENTS);
    }
}

everywhere! {
    fn large_events_leave_as_well(field: &mut Field) {
        field.large_frames();
        let (client, server, node) = field.pair_with(patient(), Limits::default());
        let (k, closed) = Got::new(client.handle());
        let here = node.clone();
        field.on(&client, move || {
            (0..5).for_each(|_| here.note("x".repeat(1_000_000)).unwrap());
            here.caller().close_then(k);
        });
        field.until(|| closed.is_done());
        assert_eq!(left(closed.take()), (0, 0));
        assert_eq!(server.heard().len(), 5);
    }
}

everywhere! {
    fn calls_that_wait_leave_too_and_each_has_one_outcome(field: &mut Field) {
        let (client, server, node) = field.pair_with(patient(), narrow());
        field.outcome(&client, node.context()).unwrap();
        let (ks, calls): (Vec<_>, Vec<_>) =
            (0..500).map(|_| Got::<String>::new(client.handle())).unzip();
        let (k, closed) = Got::new(client.handle());
        let here = node.clone();
        field.on(&client, move || {
            ks.into_iter().for_each(|k| here.echo("x").then(k));
            here.caller().close_then(k);
        });
        field.until(|| closed.is_done());
        assert_eq!(left(closed.take()), (0, 0));
        let answered = field.outcomes(&calls).into_iter().filter(Result::is_ok).count();
        assert!(answered >= 500 - 64, "{answered} of those that left are answered before the goodbye");
        assert!(server.heard().len() >= answered);
    }
}

// ---- promptly

#[test]
fn leaving_takes_no_longer_than_the_way_of_what_waits() {
    let mut field = Field::simulated(1);
    let (client, server, node) = field.pair_with(Limits::default(), narrow());
    field.outcome(&client, node.context()).unwrap();
    let before = field.now();
    let closed = send_and_close(&mut field, &client, &node, 64);
    field.until(|| closed.is_done() && server.rpc().endpoints().is_empty());
    let took = field.now() - before;
    assert!(took < millis(100), "there and back: {took:?}");
}

#[test]
fn where_nothing_waits_the_end_is_at_once() {
    let mut field = Field::simulated(1);
    let (client, _server, node) = field.met_pair();
    let ends = client.watch(node.caller());
    let before = field.now();
    let closed = send_and_close(&mut field, &client, &node, 0);
    assert!(!node.caller().is_open());
    field.until(|| closed.is_done() && ends.is_done());
    assert_eq!(ends.take().unwrap(), CloseReason::Local);
    assert_eq!(left(closed.take()), (0, 0));
    assert!(field.now() - before < millis(1), "{:?}", field.now() - before);
}

#[test]
fn nobody_waits_for_an_address_where_nobody_is() {
    let mut field = Field::simulated(1);
    let client = field.peer("client");
    let nowhere: Address = "sim:nowhere".parse().unwrap();
    let node = ProbeProxy::new(client.rpc().connect(&nowhere));
    let before = field.now();
    let closed = send_and_close(&mut field, &client, &node, 100);
    field.until(|| closed.is_done());
    assert!(field.now() - before < secs(1));
    assert_eq!(left(closed.take()), (36, 64), "64 were said to a connection that never was");
}

// ---- what the peer does not take

/// The peer stands still: it has what it had granted, and nothing else is sent.
fn stalled(
    close: fn(&mut Field, &Peer, &ProbeProxy, usize) -> Got<Drained>,
) -> (Got<Drained>, std::time::Duration) {
    let mut field = Field::simulated(1);
    let (client, server, node) = field.pair_with(Limits::default(), narrow());
    field.outcome(&client, node.context()).unwrap();
    let process = server.process();
    field.world().stall(process, secs(3_600));
    let before = field.now();
    let closed = close(&mut field, &client, &node, 1_000);
    field.until_within(secs(6), || closed.is_done());
    (closed, field.now() - before)
}

#[test]
fn what_a_peer_does_not_take_in_time_is_told() {
    for close in [send_and_close, send_and_end] {
        let (closed, took) = stalled(close);
        assert_eq!(left(closed.take()), (1_000 - 64, 64));
        assert!(took >= secs(5) && took < secs(5) + millis(1), "{took:?}");
    }
}

#[test]
fn whoever_is_not_connected_in_time_is_told_as_well() {
    let mut field = Field::simulated(1);
    let (client, server, node) = field.pair_with(Limits::default(), narrow());
    let process = server.process();
    field.world().stall(process, secs(3_600));
    let before = field.now();
    let closed = send_and_close(&mut field, &client, &node, 1_000);
    field.until_within(secs(6), || closed.is_done());
    assert!(field.now() - before < secs(5) + millis(1));
    let (unsent, unconfirmed) = left(closed.take());
    assert_eq!(unsent + unconfirmed, 1_000);
}

#[test]
fn the_second_who_closes_cannot_prolong_it() {
    let mut field = Field::simulated(1);
    let (client, server, node) = field.pair_with(Limits::default(), narrow());
    field.outcome(&client, node.context()).unwrap();
    let process = server.process();
    field.world().stall(process, secs(3_600));
    let before = field.now();
    let first = send_and_close(&mut field, &client, &node, 1_000);
    field.pass(secs(4));
    let (k, second) = Got::new(client.handle());
    let endpoint = node.caller().clone();
    field.on(&client, move || endpoint.close_then(k));
    field.until_within(secs(6), || first.is_done() && second.is_done());
    let took = field.now() - before;
    assert!(took >= secs(5) && took < secs(5) + millis(1), "{took:?}");
    assert_eq!(left(first.take()), (1_000 - 64, 64));
    assert_eq!(left(second.take()), (1_000 - 64, 64));
}

#[test]
fn a_peer_that_dies_meanwhile_ends_the_waiting() {
    let mut field = Field::simulated(1);
    let (client, server, node) = field.pair_with(Limits::default(), narrow());
    field.outcome(&client, node.context()).unwrap();
    let process = server.process();
    field.world().stall(process, secs(3_600));
    let closed = send_and_close(&mut field, &client, &node, 1_000);
    field.pass(secs(1));
    assert!(!closed.is_done());
    let before = field.now();
    field.crash(&server);
    field.until(|| closed.is_done());
    assert!(field.now() - before < secs(1));
    assert_eq!(left(closed.take()), (1_000 - 64, 64));
    assert_eq!(client.rpc().counters().unsent_events, 1_000 - 64);
}

#[test]
fn what_was_lost_with_the_connection_is_told_to_who_closes_it_later() {
    let mut field = Field::simulated(1);
    let (client, server, node) = field.pair_with(Limits::default(), narrow());
    field.outcome(&client, node.context()).unwrap();
    field.world().stall(server.process(), secs(3_600));
    let here = node.clone();
    field.on(&client, move || notes(&here, 1_000));
    field.pass(secs(1));
    let gone = client.watch(node.caller());
    field.crash(&server);
    field.until(|| gone.is_done());
    let closed = send_and_close(&mut field, &client, &node, 0);
    field.until(|| closed.is_done());
    assert_eq!(left(closed.take()), (1_000 - 64, 64));
}

#[test]
fn the_end_of_the_process_waits_for_who_was_closed_shortly_before() {
    for (stall, expected) in [(2, (0, 0)), (3_600, (0, 40))] {
        let mut field = Field::simulated(1);
        let (client, server, node) = field.pair_with(Limits::default(), narrow());
        field.outcome(&client, node.context()).unwrap();
        field.world().stall(server.process(), secs(stall));
        let before = field.now();
        let endpoint = node.caller().clone();
        let here = node.clone();
        field.on(&client, move || {
            notes(&here, 40);
            endpoint.close();
        });
        field.pass(secs(1));
        assert!(client.rpc().endpoints().is_empty(), "it has said goodbye");
        let rpc = client.take_rpc();
        let (ks, ended): (Vec<_>, Vec<_>) = (0..3).map(|_| Got::new(client.handle())).unzip();
        field.on(&client, move || ks.into_iter().for_each(|k| rpc.close(k)));
        field.until_within(secs(6), || ended.iter().all(Got::is_done));
        assert!(field.now() - before <= secs(5) + millis(1));
        for each in ended {
            assert_eq!(left(each.take()), expected);
        }
        assert_eq!(server.heard().len(), if stall == 2 { 40 } else { 0 });
    }
}

/// What has no orderly end: it says so, and counts.
#[test]
fn an_owner_that_is_dropped_without_closing_leaves_behind_what_waits() {
    let mut field = Field::simulated(1);
    let (client, server, node) = field.pair_with(Limits::default(), narrow());
    field.outcome(&client, node.context()).unwrap();
    let (rpc, here) = (client.take_rpc(), node.clone());
    field.on(&client, move || {
        notes(&here, 1_000);
        drop(rpc);
    });
    field.until(|| server.rpc().endpoints().is_empty());
    assert_eq!(server.heard().len(), 64, "as many as the peer had granted");
}

// ---- meanwhile

everywhere! {
    fn a_leaving_endpoint_takes_no_new_requests_from_either_side(field: &mut Field) {
        let (client, server, node) = field.pair_with(patient(), narrow());
        field.outcome(&client, node.context()).unwrap();
        let (k, closed) = Got::new(client.handle());
        let here = node.clone();
        // 64 calls that are held use up the credit, so that the event has to wait.
        let held: Vec<_> = (0..64).map(|n| field.start(&client, node.hold(n.to_string()))).collect();
        field.until(|| server.holds() == 64);
        field.on(&client, move || {
            here.note("waits").unwrap();
            here.caller().close_then(k);
        });
        let error = node.note("too late").unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Disconnected(CloseReason::Local));
        let error = field.outcome(&client, node.echo("too late")).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Disconnected(CloseReason::Local));
        let caller = ProbeProxy::new(server.accepted()[0].clone());
        let error = field.outcome(&server, caller.echo("too late")).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Refused(Refusal::Closing));
        assert!(!closed.is_done() && server.rpc().endpoints().len() == 1);

        field.answer(&server, "7", Ok("done"));
        field.until(|| closed.is_done());
        assert_eq!(left(closed.take()), (0, 0));
        assert!(server.heard().contains(&"waits".to_owned()));
        let outcomes = field.outcomes(&held);
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    }
}

everywhere! {
    fn closing_an_endpoint_that_is_gone_is_done_at_once(field: &mut Field) {
        let (client, _server, node) = field.met_pair();
        let first = send_and_close(field, &client, &node, 0);
        field.until(|| first.is_done());
        let (k, second) = Got::new(client.handle());
        node.caller().close_then(k);
        field.on(&client, || ());
        field.until(|| second.is_done());
        assert_eq!(left(second.take()), (0, 0));
    }
}

in_other_worlds! {
    leaving_takes_no_longer_than_the_way_of_what_waits;
    where_nothing_waits_the_end_is_at_once;
    nobody_waits_for_an_address_where_nobody_is,
        not LittleRoom: "fewer may be said before the hello";
    what_a_peer_does_not_take_in_time_is_told;
    whoever_is_not_connected_in_time_is_told_as_well;
    the_second_who_closes_cannot_prolong_it;
    a_peer_that_dies_meanwhile_ends_the_waiting;
    what_was_lost_with_the_connection_is_told_to_who_closes_it_later;
    the_end_of_the_process_waits_for_who_was_closed_shortly_before;
    an_owner_that_is_dropped_without_closing_leaves_behind_what_waits,
        not LittleRoom: "fewer are granted";
}
