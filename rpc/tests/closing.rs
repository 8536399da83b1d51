//! Promise: what is closed is closed in good order. Nobody waits in vain, what was written still
//! leaves, and a process that ends lets what runs come to its end.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Field, Got, ProbeProxy, everywhere, in_other_worlds, limits, millis, secs};
use peers_rpc::wire::ByeCode;
use peers_rpc::{CloseReason, Drained, Error, ErrorKind, Limits, Refusal};

/// Starts to close a process's `Rpc`.
fn close(field: &mut Field, peer: &common::Peer) -> Got<Drained> {
    let (k, got) = Got::new(peer.handle());
    peer.rpc().close(k);
    field.on(peer, || ());
    got
}

fn is_bye(reason: &CloseReason) -> bool {
    matches!(reason, CloseReason::PeerBye { code: ByeCode::Closed, .. })
}

/// Of a client whose call has timed out while its server was being dialled.
#[test]
fn a_dial_that_nobody_waits_for_delays_no_end() {
    let mut field = Field::simulated(1);
    let (client, server) = (field.peer("client"), field.peer("server"));
    let (one, other) = (client.process(), server.process());
    field.world().partition(&[one], &[other]);
    let node = field.dial_only(&client, &server);
    let error = field.outcome_within(secs(3), &client, node.echo("x").within(secs(2))).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TimedOut { .. }), "{error}");
    let begun = field.now();
    let closed = close(&mut field, &client);
    field.until(|| closed.is_done());
    assert!(field.now() - begun < millis(10), "{:?}", field.now() - begun);
    assert_eq!(closed.take().unwrap(), Drained::default());
}

/// Of a client whose calls still wait for the connection: they fail with the end, and their answers
/// would reach nobody.
#[test]
fn a_dial_that_only_calls_wait_for_delays_no_end() {
    let mut field = Field::simulated(1);
    let (client, server) = (field.peer("client"), field.peer("server"));
    let (one, other) = (client.process(), server.process());
    field.world().partition(&[one], &[other]);
    let node = field.dial_only(&client, &server);
    // More than may be said before the other side's hello.
    let calls: Vec<_> = (0..100).map(|_| field.start(&client, node.echo("x"))).collect();
    field.pass(millis(100));
    let begun = field.now();
    let closed = close(&mut field, &client);
    field.until(|| closed.is_done());
    assert!(field.now() - begun < millis(10), "{:?}", field.now() - begun);
    let drained = closed.take().unwrap();
    assert_eq!((drained.unsent, drained.unconfirmed), (100, 0));
    for outcome in field.outcomes(&calls) {
        let error = outcome.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Disconnected(_)), "{error}");
    }
}

/// Of a client whose event still waits for the connection.
#[test]
fn a_dial_that_an_event_waits_for_is_waited_for() {
    let mut field = Field::simulated(1);
    let (client, server) = (field.peer("client"), field.peer("server"));
    let (one, other) = (client.process(), server.process());
    field.world().partition(&[one], &[other]);
    let node = field.dial_only(&client, &server);
    field.on(&client, move || node.note("still here").unwrap());
    let closed = close(&mut field, &client);
    field.pass(secs(2));
    assert!(!closed.is_done());
    field.world().heal();
    field.until(|| closed.is_done());
    assert_eq!(closed.take().unwrap(), Drained::default());
    assert_eq!(server.heard(), ["still here"]);
}

// ---- one endpoint

everywhere! {
    fn closing_an_endpoint_tells_both_sides(field: &mut Field) {
        let (client, server, node) = field.met_pair();
        let (here, there) = (client.watch(node.caller()), server.watch(&server.accepted()[0]));
        let endpoint = node.caller().clone();
        field.on(&client, move || endpoint.close());
        field.until(|| here.is_done() && there.is_done());
        assert_eq!(here.take().unwrap(), CloseReason::Local);
        assert!(is_bye(&there.take().unwrap()));
        assert!(!node.caller().is_open());
        assert_eq!(node.caller().to_string(), "closed endpoint");
        assert_eq!((client.rpc().endpoints().len(), server.rpc().endpoints().len()), (0, 0));
    }
}

everywhere! {
    fn closing_twice_is_harmless(field: &mut Field) {
        let (client, _server, node) = field.met_pair();
        let endpoint = node.caller().clone();
        let got = client.watch(&endpoint);
        field.on(&client, move || {
            endpoint.close();
            endpoint.close();
        });
        field.until(|| got.is_done());
        assert_eq!(got.take().unwrap(), CloseReason::Local);
    }
}

everywhere! {
    fn what_was_sent_before_still_arrives(field: &mut Field) {
        field.large_frames();
        let (client, server, node) = field.met_pair();
        field.on(&client, move || {
            for n in 0..1_000 {
                node.note(n.to_string()).unwrap();
            }
            node.note("x".repeat(500_000)).unwrap();
            node.note("last").unwrap();
            node.caller().close();
        });
        field.until(|| server.heard().len() == 1_002);
        assert_eq!(server.heard()[1_001], "last");
    }
}

everywhere! {
    fn closing_before_the_connection_stands_fails_what_waits(field: &mut Field) {
        let (client, _server, node) = field.pair();
        let got = field.start(&client, node.echo("x"));
        node.caller().close();
        field.on(&client, || ());
        field.until(|| got.is_done());
        assert_eq!(got.take().unwrap_err().kind(), &ErrorKind::Disconnected(CloseReason::Local));
        let again = node.note("x").unwrap_err();
        assert_eq!(again.kind(), &ErrorKind::Disconnected(CloseReason::Local));
    }
}

everywhere! {
    fn a_handler_may_close_the_connection_that_it_is_called_on(field: &mut Field) {
        let (client, server, node) = field.met_pair();
        server.when_asked(|_, _, bd, text, reply| {
            bd.endpoint().close();
            reply.ok(text);
        });
        let error = field.outcome(&client, node.ask("x")).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Disconnected(reason) if is_bye(reason)), "{error}");
        assert_eq!(server.rpc().counters().inert_replies, 1);
    }
}

// ---- the whole Rpc

everywhere! {
    fn dropping_the_rpc_ends_its_connections(field: &mut Field) {
        let (client, server, node) = field.met_pair();
        let (here, there) = (client.watch(node.caller()), server.watch(&server.accepted()[0]));
        let got = field.start(&client, node.hold("x"));
        field.until(|| server.holds() == 1);
        drop(client.take_rpc());
        field.on(&client, || ());
        field.until(|| here.is_done() && there.is_done() && got.is_done());
        assert_eq!(here.take().unwrap(), CloseReason::RpcGone);
        assert!(is_bye(&there.take().unwrap()));
        assert_eq!(got.take().unwrap_err().kind(), &ErrorKind::Disconnected(CloseReason::RpcGone));
    }
}

everywhere! {
    fn closing_with_nothing_running_is_done_at_once(field: &mut Field) {
        let (client, server, node) = field.met_pair();
        let ended = client.watch(node.caller());
        let closed = close(field, &server);
        field.until(|| closed.is_done() && ended.is_done());
        assert!(closed.take().unwrap().is_complete());
        assert!(is_bye(&ended.take().unwrap()));
        assert_eq!(server.rpc().endpoints().len(), 0);
    }
}

everywhere! {
    fn closing_without_a_connection_is_done_at_once(field: &mut Field) {
        let server = field.peer("server");
        let closed = close(field, &server);
        field.until(|| closed.is_done());
        assert!(closed.take().unwrap().is_complete());
    }
}

everywhere! {
    fn running_replies_are_waited_for_and_new_calls_are_refused(field: &mut Field) {
        let (client, server, node) = field.met_pair();
        let runs = field.start(&client, node.hold("runs"));
        field.until(|| server.holds() == 1);
        let closed = close(field, &server);

        let error = field.outcome(&client, node.echo("new")).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Refused(Refusal::Closing));
        assert!(error.is_unexecuted());
        node.note("new").unwrap();
        field.outcome(&client, node.hold("held")).unwrap_err();
        assert_eq!(server.heard(), ["runs", "new"], "an event has no answer, so it is started");
        assert_eq!(server.rpc().counters().dropped_events, 0);
        assert!(!closed.is_done() && !runs.is_done());

        field.answer(&server, "runs", Ok("to its end"));
        field.until(|| runs.is_done() && closed.is_done());
        assert_eq!(runs.take().unwrap(), "to its end");
        assert!(closed.take().unwrap().is_complete());
    }
}

everywhere! {
    fn the_last_replies_leave_before_the_end(field: &mut Field) {
        field.large_frames();
        let (client, server, node) = field.met_pair();
        let large = "x".repeat(1_000_000);
        let calls: Vec<_> = (0..8).map(|n| field.start(&client, node.hold(n.to_string()))).collect();
        field.until(|| server.holds() == 8);
        let closed = close(field, &server);
        for n in 0..8 {
            field.answer(&server, &n.to_string(), Ok(&large));
        }
        for outcome in field.outcomes(&calls) {
            assert!(outcome.unwrap() == large);
        }
        field.until(|| closed.is_done());
        assert!(closed.take().unwrap().is_complete());
    }
}

everywhere! {
    fn what_runs_may_make_calls_while_the_process_closes(field: &mut Field) {
        let (client, server, node) = field.met_pair();
        server.when_asked(|_, cx, bd, text, reply| {
            let caller: ProbeProxy = bd.proxy();
            cx.after(millis(20), move |_, _| caller.echo(text).then(reply));
        });
        let runs = field.start(&client, node.ask("needs its caller"));
        field.until(|| server.heard().len() == 1);
        let closed = close(field, &server);
        field.until(|| runs.is_done() && closed.is_done());
        assert_eq!(runs.take().unwrap(), "needs its caller");
    }
}

everywhere! {
    fn what_was_said_in_the_turn_of_the_close_leaves_before_the_goodbye(field: &mut Field) {
        field.large_frames();
        let (client, server, node) = field.met_pair();
        field.take_time();
        let there = server.watch(&server.accepted()[0]);
        let (rpc, large) = (client.take_rpc(), "x".repeat(500_000));
        let (closes, closed) = Got::new(client.handle());
        let (answered, got) = Got::<String>::new(client.handle());
        let notes = ["first".to_owned(), large, "last".to_owned()];
        let said = notes.clone();
        let rpc = field.on(&client, move || {
            said.into_iter().for_each(|text| node.note(text).unwrap());
            node.hold("a call").then(answered);
            rpc.close(closes);
            rpc
        });
        field.until(|| there.is_done() && closed.is_done() && got.is_done());
        assert!(server.heard()[..3] == notes);
        // The call has left as well; it is not begun if the goodbye behind it is read first.
        assert!(server.heard()[3..].iter().all(|text| text == "a call"));
        assert!(is_bye(&there.take().unwrap()));
        assert!(closed.take().unwrap().is_complete());
        assert_eq!(got.take().unwrap_err().kind(), &ErrorKind::Disconnected(CloseReason::RpcGone));
        drop(rpc);
    }
}

everywhere! {
    fn a_reply_given_in_the_turn_of_the_close_leaves_before_the_goodbye(field: &mut Field) {
        let (client, server, node) = field.met_pair();
        let runs = field.start(&client, node.hold("x"));
        field.until(|| server.holds() == 1);
        let (rpc, reply) = (server.take_rpc(), server.take_held("x"));
        let (closes, closed) = Got::new(server.handle());
        let rpc = field.on(&server, move || {
            reply.ok("to its end".to_owned());
            rpc.close(closes);
            rpc
        });
        field.until(|| runs.is_done() && closed.is_done());
        assert_eq!(runs.take().unwrap(), "to its end");
        assert!(closed.take().unwrap().is_complete());
        drop(rpc);
    }
}

everywhere! {
    fn what_still_waits_for_credit_when_the_process_closes_fails(field: &mut Field) {
        let narrow = limits(|limits| limits.request_window = 2);
        let (client, server, node) = field.pair_with(Limits::default(), narrow);
        field.outcome(&client, node.context()).unwrap();
        let rpc = client.take_rpc();
        let (closes, closed) = Got::new(client.handle());
        let (ks, calls): (Vec<_>, Vec<_>) =
            (0..50).map(|_| Got::<String>::new(client.handle())).unzip();
        let rpc = field.on(&client, move || {
            ks.into_iter().for_each(|k| node.hold("x").then(k));
            rpc.close(closes);
            rpc
        });
        field.until_within(secs(6), || closed.is_done() && server.rpc().endpoints().is_empty());
        for outcome in field.outcomes(&calls) {
            let gone = ErrorKind::Disconnected(CloseReason::RpcGone);
            assert_eq!(outcome.unwrap_err().kind(), &gone);
        }
        let heard = server.heard().len();
        assert!((1..50).contains(&heard), "the peer granted few, and heard {heard}");
        assert_eq!(closed.take().unwrap().unsent, 50 - heard as u64);
        drop(rpc);
    }
}

#[test]
fn what_never_ends_is_given_up_after_five_seconds() {
    let mut field = Field::simulated(1);
    let (client, server, node) = field.met_pair();
    let runs = field.start(&client, node.hold("for ever").forever());
    field.until(|| server.holds() == 1);
    let before = field.now();
    let closed = close(&mut field, &server);
    field.until_within(secs(6), || runs.is_done() && closed.is_done());
    let took = field.now() - before;
    assert!(took >= secs(5) && took < secs(6), "{took:?}");
    let error = runs.take().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Disconnected(reason) if is_bye(reason)), "{error}");
}

#[test]
fn the_drain_time_is_a_limit() {
    let mut field = Field::simulated(1);
    let patient = limits(|limits| limits.drain = secs(60));
    let (client, server, node) = field.pair_with(Limits::default(), patient);
    let runs = field.start(&client, node.hold("slow").forever());
    field.until(|| server.holds() == 1);
    let closed = close(&mut field, &server);
    field.pass(secs(50));
    assert!(!closed.is_done());
    field.answer(&server, "slow", Ok("done"));
    field.until(|| runs.is_done() && closed.is_done());
    assert_eq!(runs.take().unwrap(), "done");
}

#[test]
fn a_reply_that_is_waited_for_in_vain_leaves_what_was_accepted_its_own_time() {
    let mut field = Field::simulated(1);
    let narrow = limits(|limits| limits.request_window = 64);
    let (client, server, node) = field.pair_with(Limits::default(), narrow);
    field.outcome(&client, node.context()).unwrap();
    let back = ProbeProxy::new(server.accepted()[0].clone());
    let runs = field.start(&server, back.hold("for ever").forever());
    field.until(|| client.holds() == 1);
    let process = server.process();
    field.world().stall(process, secs(7)); // no credit comes as long as the reply is waited for
    field.on(&client, move || (0..500).for_each(|n| node.note(n.to_string()).unwrap()));
    let before = field.now();
    let closed = close(&mut field, &client);
    field.until_within(secs(9), || closed.is_done() && runs.is_done());
    assert!(field.now() - before >= secs(5), "the reply was waited for");
    assert!(closed.take().unwrap().is_complete());
    assert_eq!(server.heard().len(), 500);
}

#[test]
fn a_peer_that_does_not_read_does_not_keep_a_process_from_ending() {
    let mut field = Field::simulated(1);
    field.leaves_work_behind("the client is stalled for an hour, with a call pending");
    let (client, server, node) = field.met_pair();
    let runs = field.start(&client, node.hold("x").forever());
    field.until(|| server.holds() == 1);
    let process = client.process();
    field.world().stall(process, secs(3_600));
    field.answer(&server, "x", Ok(&"x".repeat(3_000_000)));
    let before = field.now();
    let closed = close(&mut field, &server);
    field.until_within(secs(6), || closed.is_done());
    let took = field.now() - before;
    assert!(took < secs(30), "{took:?}");
    drop(runs);
}

everywhere! {
    fn whoever_closes_dials_no_more(field: &mut Field) {
        let (client, server, _node) = field.met_pair();
        let dialler = client.rpc().dialler();
        let closed = close(field, &client);
        assert!(dialler.connect(server.address()).is_none());
        field.until(|| closed.is_done());
        drop(client.take_rpc());
        assert!(dialler.connect(server.address()).is_none());
    }
}

everywhere! {
    fn an_rpc_that_is_gone_dials_no_more_whoever_keeps_its_endpoints(field: &mut Field) {
        let (client, server, node) = field.met_pair();
        let (dialler, kept) = (client.rpc().dialler(), node.caller().clone());
        drop(client.take_rpc());
        assert!(!kept.is_open() && kept.name().is_none());
        assert!(dialler.connect(server.address()).is_none());
    }
}

everywhere! {
    fn closing_twice_tells_both_who_asked(field: &mut Field) {
        let (client, server, node) = field.met_pair();
        let runs = field.start(&client, node.hold("x"));
        field.until(|| server.holds() == 1);
        let (first, second) = (close(field, &server), close(field, &server));
        field.answer(&server, "x", Ok("done"));
        field.until(|| first.is_done() && second.is_done() && runs.is_done());
        assert!(first.take().unwrap().is_complete());
        assert!(second.take().unwrap().is_complete());
    }
}

everywhere! {
    fn a_cancel_ends_the_waiting_for_what_runs(field: &mut Field) {
        let (client, server, node) = field.met_pair();
        let (k, got) = Got::<String>::new(client.handle());
        let call = node.hold("x");
        let cancel = field.on(&client, move || call.then_cancellable(k));
        field.until(|| server.holds() == 1);
        let closed = close(field, &server);
        field.on(&client, move || cancel.now());
        field.until(|| closed.is_done() && got.is_done());
        let outcome: Result<String, Error> = got.take();
        assert_eq!(outcome.unwrap_err().kind(), &ErrorKind::Cancelled);
        assert_eq!(server.rpc().endpoints().len(), 0);
    }
}

in_other_worlds! {
    a_dial_that_nobody_waits_for_delays_no_end;
    a_dial_that_only_calls_wait_for_delays_no_end;
    a_dial_that_an_event_waits_for_is_waited_for;
    what_never_ends_is_given_up_after_five_seconds;
    the_drain_time_is_a_limit;
    a_reply_that_is_waited_for_in_vain_leaves_what_was_accepted_its_own_time;
    a_peer_that_does_not_read_does_not_keep_a_process_from_ending;
}
