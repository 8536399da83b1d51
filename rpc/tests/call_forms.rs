//! Promise: a call is a value, so one generated method gives all of the tutorial's calling
//! conventions, and each waits as long as it says.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Field, Got, everywhere, in_other_worlds, millis, secs};
use peers_rpc::doc::{LocalNode, NodeProxy};
use peers_rpc::{
    Cont, Context, Error, ErrorKind, Instant, Rpc, spawn_loop, spawn_loop_with, wrap_left,
};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// Returns how long was waited for, if that is how the call ended.
fn waited(outcome: Result<String, Error>) -> Duration {
    match outcome.unwrap_err().kind() {
        ErrorKind::TimedOut { after, .. } => *after,
        other => panic!("{other}"),
    }
}

// ---- the six rows of the table

everywhere! {
    fn an_asynchronous_call_with_a_continuation(field: &mut Field) {
        let (client, _server, node) = field.pair();
        assert_eq!(field.outcome(&client, node.echo("dune")).unwrap(), "dune");
    }
}

everywhere! {
    fn an_asynchronous_call_with_a_time_out(field: &mut Field) {
        let (client, _server, node) = field.pair();
        for call in [
            node.echo("dune").within(secs(20)),
            node.echo("dune").until(client.handle().now() + secs(20)),
            node.echo("dune").forever(),
        ] {
            assert_eq!(field.outcome(&client, call).unwrap(), "dune");
        }
    }
}

everywhere! {
    fn an_asynchronous_call_with_two_functions(field: &mut Field) {
        let (client, _server, node) = field.pair();
        let lines = Rc::new(RefCell::new(Vec::new()));
        let (said, complained) = (lines.clone(), lines.clone());
        let my_cc = move |key: &str, value: String| said.borrow_mut().push(format!("Got: {key} -> {value}"));
        let my_error = move |error: Error| complained.borrow_mut().push(format!("Oops: {error}"));
        field.on(&client, move || {
            node.echo("dune").forever().then_or(wrap_left(my_cc, "arrakis"), my_error);
        });
        field.until(|| !lines.borrow().is_empty());
        assert_eq!(*lines.borrow(), ["Got: arrakis -> dune"]);
    }
}

everywhere! {
    fn two_functions_joined_to_a_continuation(field: &mut Field) {
        let (client, _server, node) = field.pair();
        let values = Rc::new(Cell::new(0));
        let errors = Rc::new(Cell::new(0));
        let (value, error) = (values.clone(), errors.clone());
        let handle = client.handle().clone();
        field.on(&client, move || {
            let k = Cont::pair(
                &handle,
                move |_: String| value.set(value.get() + 1),
                move |_: Error| error.set(error.get() + 1),
            );
            node.raise("Muad'Dib").then(k);
        });
        field.until(|| errors.get() > 0);
        assert_eq!((values.get(), errors.get()), (0, 1));
    }
}

everywhere! {
    fn an_event_returns_at_once_and_is_heard(field: &mut Field) {
        let (_client, server, node) = field.pair();
        node.note("the spice must flow").unwrap();
        assert_eq!(server.heard().len(), 0, "nothing runs inline");
        field.until(|| !server.heard().is_empty());
        assert_eq!(server.heard(), ["the spice must flow"]);
    }
}

struct Shelf(Option<String>);

impl LocalNode for Shelf {
    fn put(&mut self, _: &Context<'_, Self>, key: String, value: String) {
        self.0 = Some(format!("{key}: {value}"));
    }

    fn get(&mut self, _: &Context<'_, Self>, _: String) -> Result<String, Error> {
        self.0.clone().ok_or_else(|| Error::failed("empty"))
    }
}

#[test]
fn a_synchronous_call_with_and_without_a_time_out() -> Result<(), Box<dyn std::error::Error>> {
    let (tell, told) = std::sync::mpsc::channel();
    let _server = spawn_loop_with(peers_rpc::Limits::default(), move |kernel, rpc: &Rpc| {
        let node = kernel.node(Shelf(None));
        let cx = node.cx();
        let listener = rpc
            .listen("inet:localhost:0", move |endpoint| LocalNode::bind(&cx, &endpoint))
            .unwrap();
        tell.send(listener.address()).unwrap();
        (node, listener)
    })?;
    let peers = spawn_loop()?;
    let n = NodeProxy::new(peers.connect(&told.recv()?)?);

    n.put("arrakis", "dune")?;
    assert_eq!(n.get("arrakis").wait()?, "arrakis: dune");
    assert_eq!(n.get("arrakis").within(secs(20)).wait()?, "arrakis: dune");
    assert_eq!(n.get("arrakis").forever().wait()?, "arrakis: dune");
    assert_eq!(n.get("arrakis").within(Duration::MAX).wait()?, "arrakis: dune");
    assert_eq!(n.get("arrakis").until(Instant::FAR).wait()?, "arrakis: dune");
    Ok(())
}

// ---- how long each waits: in virtual time, to the millisecond

#[test]
fn without_a_word_a_call_waits_thirty_seconds() {
    let mut field = Field::simulated(1);
    let (client, _server, node) = field.met_pair();
    assert_eq!(waited(field.outcome_within(secs(31), &client, node.hold("x"))), secs(30));
}

#[test]
fn the_default_of_the_limits_replaces_thirty_seconds() {
    let mut field = Field::simulated(1);
    let five = common::limits(|limits| limits.default_timeout = secs(5));
    let (client, _server, node) = field.pair_with(five, peers_rpc::Limits::default());
    assert_eq!(waited(field.outcome_within(secs(6), &client, node.hold("x"))), secs(5));
}

#[test]
fn the_time_out_of_the_interface_replaces_the_default() {
    let mut field = Field::simulated(1);
    let (client, _server, node) = field.met_pair();
    assert_eq!(waited(field.outcome_within(secs(3), &client, node.hold_briefly("x"))), secs(2));
}

#[test]
fn an_explicit_time_out_always_wins() {
    let mut field = Field::simulated(1);
    let (client, _server, node) = field.met_pair();
    let long = node.hold_briefly("x").within(secs(40));
    assert_eq!(waited(field.outcome_within(secs(41), &client, long)), secs(40));
    let short = node.hold_for_ever("x").within(millis(250));
    assert_eq!(waited(field.outcome(&client, short)), millis(250));
    let until = node.hold("x").until(client.handle().now() + secs(7));
    assert_eq!(waited(field.outcome_within(secs(8), &client, until)), secs(7));
}

#[test]
fn zero_and_for_ever_wait_until_the_endpoint_dies() {
    let mut field = Field::simulated(1);
    let (client, server, node) = field.met_pair();
    let calls = [
        field.start(&client, node.hold("within").within(Duration::ZERO)),
        field.start(&client, node.hold_briefly("for ever").forever()),
        field.start(&client, node.hold_for_ever("by the interface")),
        field.start(&client, node.hold("longer than a clock can say").within(Duration::MAX)),
        field.start(&client, node.hold("until the end of time").until(Instant::FAR)),
    ];
    field.pass(secs(40_000));
    assert!(!calls.iter().any(Got::is_done), "{calls:?}");
    assert_eq!(server.holds(), 5);

    field.answer(&server, "for ever", Ok("at last"));
    field.until(|| calls[1].is_done());
    assert_eq!(calls[1].take().unwrap(), "at last");

    let endpoint = node.caller().clone();
    field.on(&client, move || endpoint.close());
    for call in [&calls[0], &calls[2], &calls[3], &calls[4]] {
        field.until(|| call.is_done());
        let error = call.take().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Disconnected(_)), "{error}");
    }
}

everywhere! {
    fn a_deadline_in_the_past_fails_at_once_through_the_queue(field: &mut Field) {
        let (client, server, node) = field.met_pair();
        let past = client.handle().now();
        let (k, got) = Got::new(client.handle());
        let inline = got.clone();
        let late = node.echo("too late").until(past);
        let ran_inline = field.on(&client, move || {
            late.then(k);
            inline.is_done()
        });
        assert!(!ran_inline, "a continuation never runs inline");
        field.until(|| got.is_done());
        let error = got.take().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::TimedOut { .. }), "{error}");
        field.outcome(&client, node.echo("in time")).unwrap();
        assert_eq!(server.heard(), ["in time"], "it was not sent");
    }
}

everywhere! {
    fn a_call_on_a_dead_endpoint_fails_through_the_queue(field: &mut Field) {
        let (client, _server, node) = field.met_pair();
        node.caller().close();
        let (k, got) = Got::new(client.handle());
        let inline = got.clone();
        let ran_inline = field.on(&client, move || {
            node.echo("nobody").then(k);
            inline.is_done()
        });
        assert!(!ran_inline, "a continuation never runs inline");
        field.until(|| got.is_done());
        let error = got.take().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Disconnected(_)), "{error}");
    }
}

#[test]
fn a_call_that_is_only_described_does_nothing() {
    let mut field = Field::simulated(1);
    let (_client, server, node) = field.met_pair();
    let described = node.echo("x").within(secs(1));
    assert!(format!("{described:?}").contains("probe.probe.echo"));
    drop(described);
    field.pass(secs(10));
    assert_eq!(server.heard(), [""; 0]);
}

in_other_worlds! {
    without_a_word_a_call_waits_thirty_seconds;
    the_default_of_the_limits_replaces_thirty_seconds;
    the_time_out_of_the_interface_replaces_the_default;
    an_explicit_time_out_always_wins;
    zero_and_for_ever_wait_until_the_endpoint_dies;
    a_call_that_is_only_described_does_nothing;
}
