//! Promise: a reply is bound softly to the endpoint that it is for. Holding it keeps nothing alive,
//! and resuming it after the caller has gone does nothing, and is counted.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Field, Peer, ProbeProxy, everywhere, in_other_worlds, millis, secs};
use peers_rpc::Error;

/// The server has let go of the connection.
fn until_gone(field: &mut Field, server: &Peer) {
    field.until(|| server.rpc().endpoints().is_empty());
}

everywhere! {
    fn resuming_after_the_caller_has_gone_is_harmless_and_counted(field: &mut Field) {
        let (client, server, node) = field.met_pair();
        let [value, error, dropped] = ["value", "error", "dropped"].map(|text| {
            field.start(&client, node.hold(text))
        });
        field.until(|| server.holds() == 3);
        let endpoint = node.caller().clone();
        field.on(&client, move || endpoint.close());
        until_gone(field, &server);
        assert_eq!(server.rpc().running(), 0);

        field.answer(&server, "value", Ok("too late"));
        field.answer(&server, "error", Err(Error::failed("too late")));
        let last = server.take_held("dropped");
        field.on(&server, move || drop(last));
        field.until(|| server.rpc().counters().inert_replies == 3);
        for got in [value, error, dropped] {
            assert!(got.take().is_err(), "each had its one outcome when the connection ended");
        }
    }
}

everywhere! {
    fn resuming_after_the_rpc_has_gone_is_harmless(field: &mut Field) {
        let (client, server, node) = field.met_pair();
        let got = field.start(&client, node.hold("x"));
        field.until(|| server.holds() == 1);
        drop(server.take_rpc());
        field.on(&server, || ());
        field.until(|| got.is_done());
        field.answer(&server, "x", Ok("too late"));
        assert!(got.take().is_err());
    }
}

everywhere! {
    fn holding_a_reply_keeps_no_connection_alive(field: &mut Field) {
        let (client, server, node) = field.met_pair();
        let _got = field.start(&client, node.hold("x"));
        field.until(|| server.holds() == 1);
        let there = server.watch(&server.accepted()[0]);
        drop(client.take_rpc());
        field.on(&client, || ());
        field.until(|| there.is_done());
        assert_eq!(server.holds(), 1);
        until_gone(field, &server);
    }
}

everywhere! {
    fn the_next_connection_of_the_same_caller_is_not_answered_by_mistake(field: &mut Field) {
        let (client, server, node) = field.met_pair();
        let _old = field.start(&client, node.hold("old"));
        field.until(|| server.holds() == 1);
        let endpoint = node.caller().clone();
        field.on(&client, move || endpoint.close());
        until_gone(field, &server);

        let again = field.dial(&client, &server);
        let new = field.start(&client, again.hold("new"));
        field.until(|| server.holds() == 2);
        field.answer(&server, "old", Ok("for nobody"));
        field.outcome(&client, again.context()).unwrap();
        assert!(!new.is_done());
        field.answer(&server, "new", Ok("for the new one"));
        field.until(|| new.is_done());
        assert_eq!(new.take().unwrap(), "for the new one");
    }
}

everywhere! {
    fn it_may_be_resumed_from_another_event_a_timer_or_a_worker(field: &mut Field) {
        let (client, server, node) = field.met_pair();
        server.when_asked(|_, cx, _, text, reply| match text.as_str() {
            "timer" => drop(cx.after(millis(1), move |_, _| reply.ok(text))),
            "worker" => cx.offload(move |_| Ok::<_, Error>(text), reply),
            _ => cx.schedule(move |_, cx| cx.schedule(move |_, _| reply.ok(text))),
        });
        for text in ["timer", "worker", "task"] {
            assert_eq!(field.outcome(&client, node.ask(text)).unwrap(), text);
        }
    }
}

#[test]
fn a_timer_that_answers_after_the_callers_death_finds_nobody() {
    let mut field = Field::simulated(1);
    let (client, server, node) = field.met_pair();
    server.when_asked(|_, cx, _, text, reply| {
        cx.after(secs(10), move |_, _| reply.ok(text));
    });
    let _got = field.start(&client, node.ask("x"));
    field.pass(secs(1));
    field.crash(&client);
    field.pass(secs(20));
    assert_eq!(server.rpc().counters().inert_replies, 1);
    let late: ProbeProxy = server.callers()[0].proxy();
    assert!(late.note("nobody").is_err());
}

in_other_worlds! {
    a_timer_that_answers_after_the_callers_death_finds_nobody;
}
