//! Promise: what was written before the end has the time to leave, and what had come before it is
//! started; what is not is counted at both ends.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{
    Field, Got, ProbeProxy, everywhere, in_other_worlds, left, limits, millis, notes, patient,
    secs, send_and_close,
};
use peers_rpc::{ErrorKind, Limits, Refusal};

// ---- what was written

/// The peer stands still for longer than a closed connection lingers, but not as long as it may
/// take to leave.
#[test]
fn what_was_written_has_all_of_the_time_to_drain() {
    for size in [1, 1_000_000] {
        let mut field = Field::simulated(1);
        let (client, server, node) = field.pair_with(patient(), Limits::default());
        field.outcome(&client, node.context()).unwrap();
        let process = server.process();
        field.world().stall(process, secs(20));
        let (k, closed) = Got::new(client.handle());
        let before = field.now();
        let here = node.clone();
        field.on(&client, move || {
            (0..4).for_each(|_| here.note("x".repeat(size)).unwrap());
            here.caller().close_then(k);
        });
        field.until_within(secs(21), || closed.is_done());
        assert_eq!(left(closed.take()), (0, 0), "{size} bytes each");
        assert!(field.now() - before >= secs(20));
        field.until(|| server.heard().len() == 4);
    }
}

#[test]
fn afterwards_it_lingers_and_no_longer() {
    let mut field = Field::simulated(1);
    let short = limits(|limits| (limits.drain, limits.linger) = (secs(7), secs(2)));
    let (client, server, node) = field.pair_with(short, Limits::default());
    field.outcome(&client, node.context()).unwrap();
    let process = server.process();
    field.world().stall(process, secs(60));
    let closed = send_and_close(&mut field, &client, &node, 4);
    let streams = || client.handle().dump().to_string().matches("stream to").count();
    field.pass(secs(9) - millis(10));
    assert_eq!(left(closed.take()), (0, 4), "told when the time to drain was over");
    assert_eq!(streams(), 1);
    field.pass(millis(20));
    assert_eq!(streams(), 0, "it is cut");
}

// ---- what the peer has sent

/// They wait for turns of their server, which is being closed, or its whole process.
#[test]
fn events_that_came_before_the_end_are_started() {
    for whole in [false, true] {
        let mut field = Field::simulated(1).one_task_a_turn();
        let (client, server, node) = field.met_pair();
        let here = node.clone();
        field.on(&client, move || notes(&here, 200));
        field.until(|| server.heard().len() >= 10);
        assert!(server.heard().len() < 100, "most of them wait");
        let (k, closed) = Got::new(server.handle());
        let endpoint = server.accepted()[0].clone();
        let rpc = whole.then(|| server.take_rpc());
        let ended = client.watch(node.caller());
        field.on(&server, move || match rpc {
            Some(rpc) => rpc.close(k),
            None => endpoint.close_then(k),
        });
        field.until(|| closed.is_done() && ended.is_done());
        assert_eq!(left(closed.take()), (0, 0));
        assert_eq!(server.heard().len(), 200);
    }
}

everywhere! {
    fn events_are_started_as_long_as_the_connection_stands(field: &mut Field) {
        let (client, server, node) = field.pair_with(patient(), patient());
        let held = field.start(&client, node.hold("held").forever());
        field.until(|| server.holds() == 1);
        let (k, closed) = Got::new(server.handle());
        server.rpc().close(k);
        field.on(&server, || ());
        let here = node.clone();
        field.on(&client, move || notes(&here, 100));
        let refused = field.outcome(&client, node.echo("too late")).unwrap_err();
        assert_eq!(*refused.kind(), ErrorKind::Refused(Refusal::Closing));
        assert_eq!(server.heard().len(), 101, "nobody could tell that they were not");
        field.answer(&server, "held", Ok("done"));
        field.until(|| closed.is_done() && held.is_done());
        assert_eq!(server.rpc().counters().dropped_events, 0);
    }
}

/// They are lost if there is no time at all, and that is counted.
#[test]
fn events_that_wait_when_a_process_is_dropped_are_counted() {
    let mut field = Field::simulated(1).one_task_a_turn();
    let (client, server, node) = field.met_pair();
    let here = node.clone();
    field.on(&client, move || notes(&here, 200));
    field.until(|| server.heard().len() >= 10);
    let endpoint = server.accepted()[0].clone();
    let rpc = server.take_rpc();
    field.on(&server, move || drop(rpc));
    let ended = client.watch(node.caller());
    field.until(|| ended.is_done());
    let heard = server.heard().len();
    assert!(heard < 200 && !endpoint.is_open());
    let (k, closed) = Got::new(client.handle());
    let here = node.clone();
    field.on(&client, move || here.caller().close_then(k));
    field.until(|| closed.is_done());
    let (unsent, unconfirmed) = left(closed.take());
    assert!(unsent + unconfirmed >= 200 - heard as u64, "told to who sent them: {unconfirmed}");
}

/// We stand still when the time is over; the credit that we wait for came before.
#[test]
fn credit_that_came_in_time_is_used() {
    let mut field = Field::simulated(1);
    let narrow = limits(|limits| limits.request_window = 64);
    let (client, server, node) = field.pair_with(Limits::default(), narrow);
    field.outcome(&client, node.context()).unwrap();
    field.world().stall(server.process(), millis(4_800));
    let closed = send_and_close(&mut field, &client, &node, 100);
    field.pass(millis(4_500));
    field.world().stall(client.process(), secs(1));
    field.until_within(secs(3), || closed.is_done() && server.heard().len() == 100);
    let (unsent, unconfirmed) = left(closed.take());
    assert_eq!(unsent, 0, "{unconfirmed} unconfirmed");
}

// ---- both at once

everywhere! {
    fn of_events_that_cross_two_goodbyes_none_is_reported_as_taken_that_is_lost(field: &mut Field) {
        const SENT: usize = 300;
        let (client, server, node) = field.pair_with(patient(), patient());
        field.outcome(&client, node.context()).unwrap();
        let back = ProbeProxy::new(server.accepted()[0].clone());
        let ends = [(&client, &server, node), (&server, &client, back)].map(|(from, to, proxy)| {
            let (k, closed) = Got::new(from.handle());
            from.handle().schedule(move || {
                notes(&proxy, SENT);
                proxy.caller().close_then(k);
            });
            (to, closed)
        });
        field.on(&client, || ());
        field.on(&server, || ());
        field.until_within(secs(10), || ends.iter().all(|(_, closed)| closed.is_done()));
        for (to, closed) in ends {
            let (unsent, unconfirmed) = left(closed.take());
            let (heard, in_doubt) = (to.heard().len(), (unsent + unconfirmed) as usize);
            assert!(heard <= SENT && in_doubt <= SENT);
            assert!(heard + in_doubt >= SENT, "{heard} were heard, {in_doubt} are in doubt");
        }
    }
}

in_other_worlds! {
    credit_that_came_in_time_is_used,
        not LittleRoom: "it takes more turns of theirs";
    what_was_written_has_all_of_the_time_to_drain,
        not SmallPieces: "its values are larger";
    afterwards_it_lingers_and_no_longer;
    events_that_came_before_the_end_are_started,
        not LittleRoom: "most have not come when the end does",
        not SmallPieces: "likewise";
    events_that_wait_when_a_process_is_dropped_are_counted;
}
