//! Promise: an unused connection is collected by the side that dialled it, a silent one is taken
//! for dead by either side, and whoever asked is told of the end exactly once, with the reason. All
//! in virtual time.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Field, Got, LocalProbe, Peer, ProbeProxy, in_other_worlds, limits, millis, secs};
use peers_rpc::wire::ByeCode;
use peers_rpc::{CloseReason, Endpoint};
use std::io::ErrorKind;
use std::time::Duration;

const MINUTE: Duration = secs(60);

/// Returns when and why an endpoint ends, if it does within a day.
fn end(field: &mut Field, got: &Got<CloseReason>) -> (Duration, CloseReason) {
    let before = field.now();
    field.until_within(secs(86400), || got.is_done());
    (field.now() - before, got.take().unwrap())
}

/// Returns whether it took that long, but for the time that bytes travel.
fn about(took: Duration, expected: Duration) -> bool {
    took + millis(50) > expected && took < expected + millis(50)
}

fn is_idle_bye(reason: &CloseReason) -> bool {
    matches!(reason, CloseReason::PeerBye { code: ByeCode::Idle, .. })
}

/// A client that serves nothing, a server, and the client's proxy; they have met.
fn plain_pair(field: &mut Field) -> (Peer, Peer, ProbeProxy) {
    let server = field.peer("server");
    let client = field.peer("client");
    let node = field.dial_only(&client, &server);
    field.outcome(&client, node.context()).unwrap();
    (client, server, node)
}

// ---- keep-alive

#[test]
fn the_dialler_hangs_up_after_five_minutes_without_a_call() {
    let mut field = Field::simulated(1);
    let (client, server, node) = plain_pair(&mut field);
    let (here, there) = (client.watch(node.caller()), server.watch(&server.accepted()[0]));
    let (took, reason) = end(&mut field, &here);
    assert!(about(took, 5 * MINUTE), "{took:?}");
    assert_eq!(reason, CloseReason::Unused);
    let (_, reason) = end(&mut field, &there);
    assert!(is_idle_bye(&reason), "{reason}");
}

#[test]
fn who_serves_is_in_use_although_nobody_calls() {
    let mut field = Field::simulated(1);
    let (client, server, node) = field.met_pair();
    field.pass(1_000 * MINUTE);
    assert!(node.caller().is_open() && server.accepted()[0].is_open());
    let caller = ProbeProxy::new(server.accepted()[0].clone());
    assert_eq!(field.outcome(&server, caller.echo("news")).unwrap(), "news");
    // What the program says for one endpoint holds.
    let got = client.watch(node.caller());
    let endpoint = node.caller().clone();
    field.on(&client, move || endpoint.set_keepalive(MINUTE));
    let (took, reason) = end(&mut field, &got);
    assert!(took <= MINUTE + secs(1), "{took:?}");
    assert_eq!(reason, CloseReason::Unused);
}

#[test]
fn who_begins_to_serve_later_is_in_use_from_then_on() {
    let mut field = Field::simulated(1);
    let (client, server, node) = plain_pair(&mut field);
    field.pass(4 * MINUTE);
    let (cx, endpoint) = (client.cx(), node.caller().clone());
    field.on(&client, move || LocalProbe::bind(&cx, &endpoint).unwrap());
    field.pass(100 * MINUTE);
    assert!(node.caller().is_open() && server.accepted()[0].is_open());
}

#[test]
fn zero_is_never() {
    let mut field = Field::simulated(1);
    let never = limits(|limits| limits.keep_alive = Duration::ZERO);
    let server = field.peer("server");
    let client = field.peer_with("client", never);
    let node = field.dial_only(&client, &server);
    field.outcome(&client, node.context()).unwrap();
    field.pass(1_000 * MINUTE);
    assert!(node.caller().is_open() && server.accepted()[0].is_open());
    assert_eq!(field.outcome(&client, node.echo("still there")).unwrap(), "still there");
}

#[test]
fn a_program_sets_it_for_each_endpoint() {
    let mut field = Field::simulated(1);
    let (client, server, short) = field.met_pair();
    let never = field.dial(&client, &server);
    field.outcome(&client, never.context()).unwrap();
    never.caller().set_keepalive(Duration::ZERO);
    short.caller().set_keepalive(secs(10));
    let got = client.watch(short.caller());
    let (took, reason) = end(&mut field, &got);
    assert!(took <= secs(11), "{took:?}");
    assert_eq!(reason, CloseReason::Unused);
    field.pass(100 * MINUTE);
    assert!(never.caller().is_open());
}

#[test]
fn the_side_that_accepted_does_not_collect() {
    let mut field = Field::simulated(1);
    let never = limits(|limits| limits.keep_alive = Duration::ZERO);
    let short = limits(|limits| limits.keep_alive = secs(1));
    let (client, server, node) = field.pair_with(never, short);
    field.outcome(&client, node.context()).unwrap();
    server.accepted()[0].set_keepalive(secs(1));
    field.pass(100 * MINUTE);
    assert!(node.caller().is_open());
}

#[test]
fn a_call_that_is_pending_in_either_direction_is_use() {
    let mut field = Field::simulated(1);
    let (client, server, node) = field.met_pair();
    node.caller().set_keepalive(5 * MINUTE);
    let held = field.start(&client, node.hold("x").forever());
    field.pass(20 * MINUTE);
    assert!(node.caller().is_open());

    let caller = ProbeProxy::new(server.accepted()[0].clone());
    let back = field.start(&server, caller.hold("y").forever());
    field.answer(&server, "x", Ok("done"));
    field.until(|| held.is_done());
    field.pass(20 * MINUTE);
    assert!(node.caller().is_open());

    let got = client.watch(node.caller());
    field.answer(&client, "y", Ok("done"));
    field.until(|| back.is_done());
    let (took, reason) = end(&mut field, &got);
    assert!(about(took, 5 * MINUTE), "{took:?}");
    assert_eq!(reason, CloseReason::Unused);
}

#[test]
fn calls_and_events_of_either_side_are_use_and_pings_are_not() {
    let mut field = Field::simulated(1);
    let (client, server, node) = field.met_pair();
    node.caller().set_keepalive(5 * MINUTE);
    let caller = ProbeProxy::new(server.accepted()[0].clone());
    for round in 0..12 {
        field.pass(4 * MINUTE);
        match round % 3 {
            0 => node.note("used").unwrap(),
            1 => caller.note("used").unwrap(),
            _ => drop(field.outcome(&server, caller.echo("used")).unwrap()),
        }
        field.on(&client, || ());
        field.on(&server, || ());
    }
    assert!(node.caller().is_open());
    let got = client.watch(node.caller());
    let (took, reason) = end(&mut field, &got);
    assert!(about(took, 5 * MINUTE), "twenty pings have passed: {took:?}");
    assert_eq!(reason, CloseReason::Unused);
}

#[test]
fn what_is_dialled_again_works_again() {
    let mut field = Field::simulated(1);
    let (client, server, node) = plain_pair(&mut field);
    field.pass(6 * MINUTE);
    assert!(!node.caller().is_open());
    assert_eq!((client.rpc().endpoints().len(), server.rpc().endpoints().len()), (0, 0));
    let again = field.dial(&client, &server);
    assert_eq!(field.outcome(&client, again.echo("x")).unwrap(), "x");
}

// ---- liveness

/// Two sides that have met and never hang up by themselves.
fn lasting(field: &mut Field) -> (common::Peer, common::Peer, ProbeProxy) {
    let never = || limits(|limits| limits.keep_alive = Duration::ZERO);
    let (client, server, node) = field.pair_with(never(), never());
    field.outcome(&client, node.context()).unwrap();
    (client, server, node)
}

#[test]
fn a_peer_that_falls_silent_is_dead_after_forty_five_seconds() {
    let mut field = Field::simulated(1);
    let (client, server, node) = lasting(&mut field);
    let ends = [client.watch(node.caller()), server.watch(&server.accepted()[0])];
    let (one, other) = (client.process(), server.process());
    field.world().partition(&[one], &[other]);
    let call = field.start(&client, node.echo("x").forever());
    for got in &ends {
        field.until_within(secs(50), || got.is_done());
        assert_eq!(got.take().unwrap(), CloseReason::PeerTimeout);
    }
    assert!(about(field.now(), secs(45)), "{:?}", field.now());
    assert!(call.is_done(), "even a call that waits for ever hears of it");
}

#[test]
fn a_link_that_is_down_for_less_goes_on_as_if_nothing_had_been() {
    let mut field = Field::simulated(1);
    let (client, server, node) = lasting(&mut field);
    let (one, other) = (client.process(), server.process());
    for _ in 0..5 {
        field.world().partition(&[one], &[other]);
        let call = field.start(&client, node.echo("x").forever());
        field.pass(secs(40));
        assert!(!call.is_done(), "{call:?} at {:?}", field.now());
        field.world().heal();
        field.until(|| call.is_done());
        assert_eq!(call.take().unwrap(), "x");
    }
}

#[test]
fn a_process_that_stands_still_for_less_is_not_dead() {
    let mut field = Field::simulated(1);
    let (_client, server, node) = lasting(&mut field);
    for _ in 0..5 {
        let process = server.process();
        field.world().stall(process, secs(25));
        field.pass(MINUTE);
    }
    assert!(node.caller().is_open() && server.accepted()[0].is_open());
}

#[test]
fn two_that_have_nothing_to_say_stay_connected_for_a_day() {
    let mut field = Field::simulated(1);
    let (client, _server, node) = lasting(&mut field);
    field.pass(24 * 60 * MINUTE);
    assert_eq!(field.outcome(&client, node.echo("x")).unwrap(), "x");
}

#[test]
fn an_address_that_swallows_everything_is_given_up() {
    let mut field = Field::simulated(1);
    let (client, server) = (field.peer("client"), field.peer("server"));
    let (one, other) = (client.process(), server.process());
    field.world().partition(&[one], &[other]);
    let node = field.dial(&client, &server);
    let got = client.watch(node.caller());
    let call = field.start(&client, node.echo("x").forever());
    let (took, reason) = end(&mut field, &got);
    assert!(took <= secs(9), "{took:?}");
    let silent = matches!(reason, CloseReason::ConnectFailed { kind: ErrorKind::TimedOut, .. });
    assert!(silent, "{reason}");
    field.until(|| call.is_done());
}

// ---- being told

#[test]
fn everybody_who_asked_is_told_once() {
    let mut field = Field::simulated(1);
    let (client, server, node) = field.met_pair();
    let watched: Vec<Got<CloseReason>> = (0..5).map(|_| client.watch(node.caller())).collect();
    server.accepted()[0].close();
    field.on(&server, || ());
    field.pass(100 * MINUTE);
    for got in watched {
        let reason = got.take().unwrap();
        assert!(matches!(reason, CloseReason::PeerBye { code: ByeCode::Closed, .. }), "{reason}");
    }
}

#[test]
fn the_reason_is_remembered_after_the_end() {
    let mut field = Field::simulated(1);
    let (client, _server, node) = plain_pair(&mut field);
    field.pass(6 * MINUTE);
    for _ in 0..2 {
        let got = client.watch(node.caller());
        assert!(!got.is_done(), "nothing runs inline");
        field.on(&client, || ());
        field.until(|| got.is_done());
        assert_eq!(got.take().unwrap(), CloseReason::Unused);
    }
}

#[test]
fn a_crash_is_told_at_once() {
    let mut field = Field::simulated(1);
    let (client, server, node) = field.met_pair();
    let got = client.watch(node.caller());
    field.crash(&server);
    let (took, reason) = end(&mut field, &got);
    assert!(took < millis(10), "{took:?}");
    assert!(matches!(reason, CloseReason::Io(..) | CloseReason::EndOfStream), "{reason}");
}

#[test]
fn a_handler_of_the_end_may_dial_again_and_again() {
    let mut field = Field::simulated(1);
    let (client, server) = (field.peer("client"), field.peer("server"));
    let dialler = client.rpc().dialler();
    let (address, handle) = (server.address().clone(), client.handle().clone());
    fn redial(
        left: u32,
        dialler: peers_rpc::Dialler,
        address: peers_rpc::Address,
        handle: peers_rpc::Handle,
    ) -> Endpoint {
        let endpoint = dialler.connect(&address).unwrap();
        if left > 0 {
            let again = (dialler, address, handle.clone());
            endpoint.on_close(peers_rpc::Cont::new(&handle, move |_| {
                redial(left - 1, again.0, again.1, again.2);
            }));
        }
        endpoint
    }
    field.on(&client, move || redial(5, dialler, address, handle));
    for n in 1..=5 {
        field.until(|| server.accepted().len() == n);
        server.accepted()[n - 1].close();
        field.on(&server, || ());
    }
    field.until(|| server.accepted().len() == 6);
}

in_other_worlds! {
    the_dialler_hangs_up_after_five_minutes_without_a_call;
    who_serves_is_in_use_although_nobody_calls,
        not OneTask: "an answer of a later turn is dated by what comes next, a ping at the latest";
    who_begins_to_serve_later_is_in_use_from_then_on;
    zero_is_never;
    a_program_sets_it_for_each_endpoint;
    the_side_that_accepted_does_not_collect;
    a_call_that_is_pending_in_either_direction_is_use;
    calls_and_events_of_either_side_are_use_and_pings_are_not,
        not OneTask: "an answer of a later turn is dated by what comes next";
    what_is_dialled_again_works_again;
    a_peer_that_falls_silent_is_dead_after_forty_five_seconds,
        not OneTask: "calls fail in the turns after it";
    a_link_that_is_down_for_less_goes_on_as_if_nothing_had_been,
        not OtherSeed: "a frame of which a part has come has thirty seconds",
        not SmallPieces: "likewise";
    a_process_that_stands_still_for_less_is_not_dead;
    two_that_have_nothing_to_say_stay_connected_for_a_day;
    an_address_that_swallows_everything_is_given_up;
    everybody_who_asked_is_told_once;
    the_reason_is_remembered_after_the_end;
    a_crash_is_told_at_once;
    a_handler_of_the_end_may_dial_again_and_again;
}
