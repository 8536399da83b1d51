//! Promise: each call has exactly one outcome, whatever happens: a value, an exception, a time-out,
//! a cancel, the end of the connection, a refusal, an overload, a lost reply, a panic. And letting
//! go of what is handed around ends nothing.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{
    Field, Got, NoSuchKey, Peer, ProbeProxy, SideDoorProxy, everywhere, in_other_worlds, limits,
    secs,
};
use peers_rpc::{CloseReason, Error, ErrorKind, Limits, Refusal};

/// Gives anything that could still happen the time to happen, and looks whether something did.
fn nothing_more(field: &mut Field, client: &Peer, node: &ProbeProxy, got: &Got<String>) -> Error {
    for _ in 0..3 {
        field.outcome(client, node.context()).unwrap();
    }
    got.take().unwrap_err()
}

everywhere! {
    fn a_value(field: &mut Field) {
        let (client, _server, node) = field.pair();
        let got = field.start(&client, node.echo("dune"));
        field.until(|| got.is_done());
        field.outcome(&client, node.context()).unwrap();
        assert_eq!(got.take().unwrap(), "dune");
    }
}

everywhere! {
    fn a_declared_exception(field: &mut Field) {
        let (client, _server, node) = field.pair();
        let got = field.start(&client, node.raise("Muad'Dib"));
        assert!(nothing_more(field, &client, &node, &got).is::<NoSuchKey>());
    }
}

everywhere! {
    fn an_undeclared_failure(field: &mut Field) {
        let (client, _server, node) = field.pair();
        let got = field.start(&client, node.fail("the worm is coming"));
        let error = nothing_more(field, &client, &node, &got);
        assert_eq!(error.kind(), &ErrorKind::Failed("the worm is coming".to_owned()));
    }
}

everywhere! {
    fn a_panic(field: &mut Field) {
        field.lenient();
        let (client, _server, node) = field.pair();
        let got = field.start(&client, node.panic());
        let error = nothing_more(field, &client, &node, &got);
        assert_eq!(error.kind(), &ErrorKind::Panicked);
    }
}

everywhere! {
    fn a_panic_with_the_reply_in_its_hands(field: &mut Field) {
        field.lenient();
        let (client, _server, node) = field.pair();
        let got = field.start(&client, node.panic_holding());
        let error = nothing_more(field, &client, &node, &got);
        assert_eq!(error.kind(), &ErrorKind::Panicked);
    }
}

everywhere! {
    fn a_lost_reply(field: &mut Field) {
        let (client, _server, node) = field.pair();
        let got = field.start(&client, node.lose());
        let error = nothing_more(field, &client, &node, &got);
        assert_eq!(error.kind(), &ErrorKind::NoReply);
    }
}

everywhere! {
    fn a_refusal(field: &mut Field) {
        let (client, _server, node) = field.pair();
        let door = SideDoorProxy::new(node.caller().clone());
        let error = field.outcome(&client, door.knock(1)).unwrap_err();
        let refusal = Refusal::UnknownMethod("probe.side_door.knock");
        assert_eq!(error.kind(), &ErrorKind::Refused(refusal));
    }
}

everywhere! {
    fn the_end_of_the_object_behind_it(field: &mut Field) {
        let (client, server, node) = field.met_pair();
        let held = field.start(&client, node.hold("x"));
        field.until(|| server.holds() == 1);
        drop(server.take_node());
        field.on(&server, || ());
        field.until(|| held.is_done());
        assert_eq!(held.take().unwrap_err().kind(), &ErrorKind::NoReply);
        let error = field.outcome(&client, node.echo("x")).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::NoReply);
    }
}

everywhere! {
    fn the_end_of_the_connection_by_this_side(field: &mut Field) {
        let (client, server, node) = field.met_pair();
        let calls: Vec<_> = (0..10).map(|n| field.start(&client, node.hold(n.to_string()))).collect();
        field.until(|| server.holds() == 10);
        let endpoint = node.caller().clone();
        field.on(&client, move || endpoint.close());
        for outcome in field.outcomes(&calls) {
            assert_eq!(outcome.unwrap_err().kind(), &ErrorKind::Disconnected(CloseReason::Local));
        }
    }
}

everywhere! {
    fn the_end_of_the_connection_by_the_peer(field: &mut Field) {
        let (client, server, node) = field.met_pair();
        let calls: Vec<_> = (0..10).map(|n| field.start(&client, node.hold(n.to_string()))).collect();
        field.until(|| server.holds() == 10);
        server.accepted()[0].close();
        field.on(&server, || ());
        for outcome in field.outcomes(&calls) {
            let error = outcome.unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Disconnected(CloseReason::PeerBye { .. })), "{error}");
        }
    }
}

everywhere! {
    fn nobody_at_the_address(field: &mut Field) {
        let (client, server) = (field.peer("client"), field.peer("server"));
        drop(server.take_listener());
        let node = field.dial(&client, &server);
        let calls: Vec<_> = (0..100).map(|n| field.start(&client, node.echo(n.to_string()))).collect();
        for outcome in field.outcomes(&calls) {
            let error = outcome.unwrap_err();
            let ErrorKind::Disconnected(CloseReason::ConnectFailed { address, .. }) = error.kind() else {
                panic!("{error}");
            };
            assert_eq!(*address, server.address().to_string());
        }
    }
}

#[test]
fn a_time_out_and_the_late_reply_is_dropped() {
    let mut field = Field::simulated(1);
    let (client, server, node) = field.met_pair();
    let got = field.start(&client, node.hold_briefly("x"));
    field.until_within(secs(3), || got.is_done());
    field.answer(&server, "x", Ok("too late"));
    field.pass(secs(10));
    let error = got.take().unwrap_err();
    let method = "probe.probe.hold_briefly";
    let timed_out = ErrorKind::TimedOut { method, after: secs(2), outer: None };
    assert_eq!(error.kind(), &timed_out);
    assert!(node.caller().is_open());
}

everywhere! {
    fn a_cancel(field: &mut Field) {
        let (client, server, node) = field.met_pair();
        let (k, got) = Got::new(client.handle());
        let (call, again) = (node.hold("x"), node.clone());
        let cancel = field.on(&client, move || call.then_cancellable(k));
        field.until(|| server.holds() == 1);
        field.on(&client, move || cancel.now());
        field.until(|| got.is_done());
        field.answer(&server, "x", Ok("too late"));
        let error = nothing_more(field, &client, &again, &got);
        assert_eq!(error.kind(), &ErrorKind::Cancelled);
    }
}

everywhere! {
    fn a_cancel_that_comes_after_the_reply_changes_nothing(field: &mut Field) {
        let (client, _server, node) = field.met_pair();
        let (k, got) = Got::new(client.handle());
        let call = node.echo("dune");
        let cancel = field.on(&client, move || call.then_cancellable(k));
        field.until(|| got.is_done());
        field.on(&client, move || cancel.now());
        field.outcome(&client, node.context()).unwrap();
        assert_eq!(got.take().unwrap(), "dune");
    }
}

everywhere! {
    fn an_argument_that_is_too_large_for_the_peer(field: &mut Field) {
        field.large_frames();
        let small = limits(|limits| limits.frame = 64 << 10);
        let (client, server, node) = field.pair_with(Limits::default(), small);
        let huge = "x".repeat(100_000);
        let early = field.outcome(&client, node.echo(&huge)).unwrap_err();
        let late = field.outcome(&client, node.echo(&huge)).unwrap_err();
        for error in [early, late] {
            assert!(matches!(error.kind(), ErrorKind::TooLarge { limit: 65_536, .. }), "{error}");
        }
        assert_eq!(field.outcome(&client, node.echo("small")).unwrap(), "small");
        assert_eq!(server.heard(), ["small"]);
    }
}

everywhere! {
    fn a_result_that_is_too_large_for_the_caller(field: &mut Field) {
        field.large_frames();
        let small = limits(|limits| limits.frame = 64 << 10);
        let (client, server, node) = field.pair_with(small, Limits::default());
        server.when_asked(|_, _, _, _, reply| reply.ok("x".repeat(100_000)));
        let error = field.outcome(&client, node.ask("for too much")).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::TooLarge { size: 100_004, limit: 64 << 10 });
        assert_eq!(field.outcome(&client, node.echo("small")).unwrap(), "small");
    }
}

/// Every kind of call at once, and then the server dies in the middle of it.
#[test]
fn a_thousand_calls_and_a_crash() {
    for seed in 0..20 {
        let mut field = Field::simulated(seed);
        let (client, server, node) = field.met_pair();
        server.when_asked(|_, _, bd, text, reply| bd.proxy::<ProbeProxy>().echo(text).then(reply));
        let log: Vec<Got<String>> = (0..1_000)
            .map(|n| {
                let (k, got) = Got::new(client.handle());
                let text = n.to_string();
                match n % 7 {
                    0 => node.echo(text).then(k),
                    1 => node.raise(text).then(k),
                    2 => node.lose().then(k),
                    3 => node.hold(text).then(k),
                    4 => node.ask(text).then(k),
                    5 => node.hold_briefly(text).within(common::millis(1)).then(k),
                    _ => node.hold(text).then_cancellable(k).now(),
                }
                got
            })
            .collect();
        field.on(&client, || ());
        field.until(|| log.iter().filter(|got| got.is_done()).count() > 300);
        field.crash(&server);
        field.pass(secs(120));
        let mut disconnected = 0;
        for (n, got) in log.iter().enumerate() {
            match got.take() {
                Ok(value) => assert_eq!(value, n.to_string()),
                Err(error) => {
                    disconnected += usize::from(matches!(error.kind(), ErrorKind::Disconnected(_)))
                }
            }
        }
        assert!(disconnected > 0, "it died too late to matter");
    }
}

// ---- letting go

everywhere! {
    fn dropping_endpoints_and_proxies_closes_nothing(field: &mut Field) {
        let (client, server, node) = field.met_pair();
        let got = field.start(&client, node.hold("x"));
        field.until(|| server.holds() == 1);
        drop(node.caller().clone());
        drop(node);
        field.answer(&server, "x", Ok("still here"));
        field.until(|| got.is_done());
        assert_eq!(got.take().unwrap(), "still here");
        assert_eq!(client.rpc().endpoints().len(), 1);
        let again = ProbeProxy::new(client.rpc().endpoints()[0].clone());
        assert_eq!(field.outcome(&client, again.echo("x")).unwrap(), "x");
    }
}

everywhere! {
    fn dropping_bindings_and_replies_closes_nothing(field: &mut Field) {
        let (client, server, node) = field.met_pair();
        let got = field.start(&client, node.hold("x"));
        field.until(|| server.holds() == 1);
        server.cx().enter(|desk, _| desk.callers.clear()).unwrap();
        drop(server.take_held("x"));
        field.on(&server, || ());
        field.until(|| got.is_done());
        assert_eq!(got.take().unwrap_err().kind(), &ErrorKind::NoReply);
        assert_eq!(field.outcome(&client, node.echo("x")).unwrap(), "x");
    }
}

in_other_worlds! {
    a_time_out_and_the_late_reply_is_dropped;
    a_thousand_calls_and_a_crash;
}
