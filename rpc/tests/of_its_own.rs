//! Promise: what a process does for itself goes on whatever becomes of the call in whose course it
//! began: deadlines, drains, the end, and looking after its memory are nobody's business but its
//! own.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Desk, Field, Got, Peer, ProbeProxy, in_other_worlds, limits, millis, secs};
use peers_rpc::{Cx, Drained, Error, ErrorKind, Limits, Reply};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// A client, a server that it asks, and one behind it.
struct Chain {
    field: Field,
    client: Peer,
    server: Peer,
    far: Peer,
    node: ProbeProxy,
    onward: ProbeProxy,
}

fn chain(server: Limits) -> Chain {
    let mut field = Field::simulated(1);
    let server = field.peer_with("server", server);
    let (client, far) = (field.peer("client"), field.peer("far"));
    let (node, onward) = (field.dial(&client, &server), field.dial(&server, &far));
    field.outcome(&client, node.context()).unwrap();
    field.outcome(&server, onward.context()).unwrap();
    Chain { field, client, server, far, node, onward }
}

impl Chain {
    /// Lets an `:async` method do something, and its caller cancel when it has begun.
    fn do_for_a_call_that_is_cancelled(&mut self, what: impl Fn(&Cx<Desk>) + 'static) {
        let replies: Rc<RefCell<Vec<Reply<String>>>> = Rc::default();
        let held = replies.clone();
        self.server.when_asked(move |_, cx, _, _, reply| {
            what(cx);
            held.borrow_mut().push(reply);
        });
        let (k, got) = Got::new(self.client.handle());
        let call = self.node.ask("x").forever();
        let cancel = self.field.on(&self.client, move || call.then_cancellable(k));
        self.field.until(|| !replies.borrow().is_empty());
        self.field.on(&self.client, move || cancel.now());
        self.field.until(|| got.is_done());
        self.field.pass(millis(100)); // it is heard of over there
        drop((got.take(), replies.take()));
    }
}

#[test]
fn other_calls_keep_their_deadlines() {
    let mut chain = chain(Limits::default());
    let far = chain.far.process();
    chain.field.world().stop(far); // else it tells of the deadline itself
    let (apart, outcome) = (chain.onward.clone(), Rc::new(RefCell::new(None)));
    let place = outcome.clone();
    chain.do_for_a_call_that_is_cancelled(move |cx| {
        let (k, got) = Got::new(cx.handle());
        apart.hold("apart").detached().within(secs(5)).then(k);
        place.replace(Some(got));
    });
    let got: Got<String> = outcome.take().unwrap();
    chain.field.until_within(secs(6), || got.is_done());
    let error = got.take().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TimedOut { .. }), "{error}");
}

#[test]
fn a_connection_that_is_being_closed_has_its_time_and_no_more() {
    let mut chain = chain(Limits::default());
    let far = chain.far.process();
    chain.field.world().stall(far, secs(60));
    let (onward, told) = (chain.onward.clone(), Rc::new(RefCell::new(None)));
    let place = told.clone();
    chain.do_for_a_call_that_is_cancelled(move |cx| {
        let (k, got) = Got::new(cx.handle());
        for n in 0..5_000 {
            onward.note(n.to_string()).unwrap();
        }
        onward.caller().close_then(k);
        place.replace(Some(got));
    });
    let got: Got<Drained> = told.take().unwrap();
    chain.field.until_within(secs(6), || got.is_done());
    assert!(!got.take().unwrap().is_complete());
}

#[test]
fn the_end_of_the_process_comes_in_its_time() {
    let mut chain = chain(Limits::default());
    let held = chain.field.start(&chain.client, chain.node.hold("held").forever());
    chain.field.until(|| chain.server.holds() == 1);
    let rpc = Cell::new(Some(chain.server.take_rpc()));
    let told = Rc::new(RefCell::new(None));
    let place = told.clone();
    chain.do_for_a_call_that_is_cancelled(move |cx| {
        let (k, got) = Got::new(cx.handle());
        rpc.take().unwrap().close(k);
        place.replace(Some(got));
    });
    let got: Got<Drained> = told.take().unwrap();
    chain.field.until_within(secs(6), || got.is_done() && held.is_done());
    assert!(got.take().unwrap().is_complete(), "and whoever closed it is told");
    assert!(matches!(held.take().unwrap_err().kind(), ErrorKind::Disconnected(_)));
}

#[test]
fn requests_go_on_when_there_is_memory_again() {
    let mut chain = chain(limits(|limits| limits.process_bytes = 2_000_000));
    let far = chain.far.process();
    chain.field.world().stop(far);
    let onward = chain.onward.clone();
    chain.do_for_a_call_that_is_cancelled(move |_| {
        for _ in 0..180 {
            onward.note("x".repeat(10_000)).unwrap();
        }
    });
    let held = chain.server.rpc().held_memory();
    assert!((1_500_000..2_000_000).contains(&held), "{held} bytes, from three quarters on");
    let waits = chain.field.start(&chain.server, chain.onward.echo("waits").forever());
    chain.field.pass(millis(500));
    assert!(!waits.is_done(), "there is none now");
    chain.field.world().resume(far);
    chain.field.until_within(secs(100), || waits.is_done());
    let echoed: Result<String, Error> = waits.take();
    assert_eq!(echoed.unwrap(), "waits");
}

in_other_worlds! {
    other_calls_keep_their_deadlines;
    a_connection_that_is_being_closed_has_its_time_and_no_more;
    the_end_of_the_process_comes_in_its_time;
    requests_go_on_when_there_is_memory_again,
        not SmallPieces: "its frames are larger";
}
