//! Promise: what has ended leaves nothing behind that later things meet: not its place in a table,
//! not its deadline, not its caller; and counts stay counted.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Context, Field, Got, Peer, ProbeProxy, in_other_worlds, limits, millis, secs};
use peers_rpc::{CloseReason, Collect, Cont, Error, ErrorKind, Limits, Reply};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

fn for_ever() -> Limits {
    limits(|l| l.keep_alive = Duration::ZERO)
}

/// A call that was made for another one and has ended gives its place to the next call. The end of
/// the outer one does not take that along.
#[test]
fn the_next_call_in_the_place_of_a_nested_one_is_not_cancelled_with_the_outer_one() {
    let mut field = Field::simulated(1);
    let (client, server, node) = field.met_pair();
    let far = field.peer("far");
    let onward = field.dial(&server, &far);
    field.outcome(&server, onward.echo("they have met")).unwrap();
    let (inner, held) = (onward.clone(), Rc::new(RefCell::new(Vec::new())));
    let holding = held.clone();
    server.when_asked(move |_, cx, _, text, reply| {
        let holding = holding.clone();
        let keep = move |_: &mut common::Desk, _: &_, _: String, reply: Reply<String>| {
            holding.borrow_mut().push(reply);
        };
        inner.echo(text).then(cx.on_ok(reply, keep));
    });
    for round in 0..3 {
        let call = node.ask("outer").forever();
        let (k, outer) = Got::new(client.handle());
        let cancel = field.on(&client, move || call.then_cancellable(k));
        field.until(|| held.borrow().len() == 1); // the nested call has been answered
        let mine = format!("mine {round}");
        let other = field.start(&server, onward.hold(&mine).forever());
        field.until(|| far.holds() == 1);
        field.on(&client, move || cancel.now());
        field.pass(secs(1));
        assert_eq!(outer.take().unwrap_err().kind(), &ErrorKind::Cancelled);
        assert!(!other.is_done(), "round {round}");
        field.answer(&far, &mine, Ok("unharmed"));
        field.until(|| other.is_done());
        assert_eq!(other.take().unwrap(), "unharmed");
        let reply = held.borrow_mut().pop().unwrap();
        field.on(&server, move || reply.ok("too late".to_owned()));
        field.until(|| server.rpc().counters().inert_replies == round + 1);
        assert_eq!(server.rpc().running(), 0);
    }
}

/// Many nested calls, more than are remembered in place: those that have ended are forgotten, those
/// that have not are still cancelled with the outer one.
#[test]
fn of_many_nested_calls_those_that_have_not_ended_end_with_the_outer_one() {
    let mut field = Field::simulated(1);
    let (client, server, node) = field.met_pair();
    let far = field.peer("far");
    let onward = field.dial(&server, &far);
    let inner = onward.clone();
    server.when_asked(move |_, cx, _, _, reply| {
        let done = cx.on_ok(reply, |_, _, _: Vec<Result<String, Error>>, reply: Reply<String>| {
            reply.ok("all".to_owned());
        });
        let all = Collect::all(done);
        for n in 0..200 {
            match n % 10 {
                0 => inner.hold(n.to_string()).forever().then(all.branch()),
                _ => inner.echo(n.to_string()).then(all.branch()),
            }
        }
    });
    let call = node.ask("outer").forever();
    let (k, outer) = Got::new(client.handle());
    let cancel = field.on(&client, move || call.then_cancellable(k));
    field.until(|| far.holds() == 20);
    field.pass(secs(1));
    assert_eq!((onward.caller().pending(), far.rpc().running()), (20, 20));
    field.on(&client, move || cancel.now());
    field.until(|| outer.is_done());
    field.pass(secs(1));
    assert_eq!((onward.caller().pending(), far.rpc().running()), (0, 0));
}

/// More calls than a turn starts: those that wait for the second turn have their own deadlines.
#[test]
fn calls_of_the_second_turn_keep_what_is_theirs() {
    let mut field = Field::simulated(1);
    let (client, _server, node) = field.met_pair();
    let spans: Vec<u64> = (0..3_000).map(|n| 10 + n % 7).collect();
    let (ks, gots): (Vec<_>, Vec<Got<Context>>) =
        spans.iter().map(|_| Got::new(client.handle())).unzip();
    let asked = spans.clone();
    field.on(&client, move || {
        for (span, k) in asked.into_iter().zip(ks) {
            node.context().within(secs(span)).then(k);
        }
    });
    for (span, context) in spans.iter().zip(field.outcomes(&gots)) {
        let left = context.unwrap().remaining.unwrap();
        assert!(left <= span * 1_000 && left > span * 1_000 - 500, "{left} of {span} s");
    }
}

/// The places of connections are taken again; their alarms are not.
#[test]
fn an_older_connection_keeps_its_deadlines_when_younger_ones_come_and_go() {
    let mut field = Field::simulated(1);
    let server = field.peer_with("server", for_ever());
    let client = field.peer_with("client", for_ever());
    let older = field.dial(&client, &server);
    field.outcome(&client, older.context()).unwrap();
    let begun = field.now();
    let late = field.start(&client, older.hold("older").within(secs(60)));
    for round in 1..10 {
        let younger = field.dial(&client, &server);
        let lost = field.start(&client, younger.hold("younger").within(secs(2)));
        field.pass(secs(1));
        younger.caller().close();
        field.on(&client, || ());
        field.until(|| lost.is_done());
        let reason = lost.take().unwrap_err();
        assert_eq!(reason.kind(), &ErrorKind::Disconnected(CloseReason::Local));
        // In its place is another one, which is quiet.
        let quiet = field.dial(&client, &server);
        field.pass(secs(3));
        assert!(quiet.caller().is_open() && !late.is_done(), "round {round}");
        quiet.caller().close();
        assert_eq!(field.outcome(&client, older.echo("still")).unwrap(), "still");
    }
    field.until_within(secs(30), || late.is_done());
    let took = field.now() - begun;
    assert!(took >= secs(60) && took < secs(60) + millis(100), "{took:?}");
    assert!(matches!(late.take().unwrap_err().kind(), ErrorKind::TimedOut { .. }));
    assert_eq!((client.rpc().endpoints().len(), server.rpc().endpoints().len()), (1, 1));
}

/// Does things that are counted on a connection: at the server, an event that nobody bound and a
/// reply that comes too late; at the client, a late reply.
fn count_something(field: &mut Field, client: &Peer, server: &Peer, node: &ProbeProxy) {
    let door = common::SideDoorProxy::new(node.caller().clone());
    field.outcome(client, door.knock(1)).unwrap_err();
    let call = node.hold("held").within(secs(1));
    let lost = field.start(client, call);
    field.until(|| lost.is_done());
    assert!(matches!(lost.take().unwrap_err().kind(), ErrorKind::TimedOut { .. }));
    field.pass(secs(3));
    field.answer(server, "held", Ok("too late"));
    field.pass(secs(1));
}

#[test]
fn what_was_counted_stays_counted_when_its_connection_has_ended() {
    let mut field = Field::simulated(1);
    let server = field.peer_with("server", for_ever());
    let client = field.peer_with("client", for_ever());
    for round in 1..4 {
        let node = field.dial(&client, &server);
        count_something(&mut field, &client, &server, &node);
        let counted = (client.rpc().counters(), server.rpc().counters());
        assert_eq!(counted.1.inert_replies, round);
        assert_eq!(counted.0.late_replies, round, "the refusal of what had expired");
        assert_eq!(counted.1.accepted, round);
        node.caller().close();
        field.on(&client, || ());
        field.until(|| server.rpc().endpoints().is_empty());
        assert_eq!((client.rpc().counters(), server.rpc().counters()), counted, "not twice");
        assert_eq!(server.rpc().running(), 0);
    }
}

#[test]
fn a_quiet_hour_changes_nothing() {
    let mut field = Field::simulated(1);
    let (client, server, node) = field.pair_with(for_ever(), for_ever());
    for round in 0..3 {
        node.note(format!("round {round}")).unwrap();
        let held = field.start(&client, node.hold("held").forever());
        assert_eq!(field.outcome(&client, node.echo("x")).unwrap(), "x");
        assert!(field.outcome(&client, node.raise("key")).is_err());
        let gone = field.outcome(&client, node.hold("never").within(secs(1)));
        assert!(matches!(gone.unwrap_err().kind(), ErrorKind::TimedOut { .. }));
        field.pass(secs(3_600));
        assert!(!held.is_done());
        field.answer(&server, "held", Ok("after an hour"));
        field.until(|| held.is_done());
        assert_eq!(held.take().unwrap(), "after an hour");
        drop(server.take_held("never"));
        field.pass(secs(3_600));
        assert_eq!((node.caller().pending(), server.rpc().running()), (0, 0));
        assert!(node.caller().is_open());
    }
    let heard: Vec<String> =
        server.heard().into_iter().filter(|h| h.starts_with("round")).collect();
    assert_eq!(heard, ["round 0", "round 1", "round 2"]);
}

/// A reply that was given too late is not taken for that to the next call, whatever their ids.
#[test]
fn a_reply_that_comes_too_late_answers_nobody_else() {
    let mut field = Field::simulated(1);
    let (client, server, node) = field.met_pair();
    for round in 0..5 {
        let call = node.hold("first").forever();
        let (k, first) = Got::new(client.handle());
        let cancel = field.on(&client, move || call.then_cancellable(k));
        field.until(|| server.holds() == 1);
        let stale = server.take_held("first");
        field.on(&client, move || cancel.now());
        field.pass(secs(1));
        assert_eq!(first.take().unwrap_err().kind(), &ErrorKind::Cancelled);
        let second = field.start(&client, node.hold("second").forever());
        field.until(|| server.holds() == 1);
        field.on(&server, move || stale.ok("for the first".to_owned()));
        field.pass(secs(1));
        assert!(!second.is_done(), "round {round}");
        field.answer(&server, "second", Ok("for the second"));
        field.until(|| second.is_done());
        assert_eq!(second.take().unwrap(), "for the second");
    }
    assert_eq!(server.rpc().counters().inert_replies, 5);
}

/// Watchers are told once, also if they ask again when it is over.
#[test]
fn an_end_is_told_once_to_each_who_asked_before_and_after() {
    let mut field = Field::simulated(1);
    let (client, server, node) = field.met_pair();
    let told = Rc::new(Cell::new(0));
    let watch = |told: &Rc<Cell<i32>>| -> Reply<CloseReason> {
        let told = told.clone();
        Cont::new(client.handle(), move |_| told.set(told.get() + 1))
    };
    for _ in 0..3 {
        node.caller().on_close(watch(&told));
    }
    server.accepted()[0].close();
    field.on(&server, || ());
    field.until(|| told.get() == 3);
    for _ in 0..2 {
        node.caller().on_close(watch(&told));
    }
    field.on(&client, || ());
    field.pass(secs(600));
    assert_eq!(told.get(), 5);
}

in_other_worlds! {
    the_next_call_in_the_place_of_a_nested_one_is_not_cancelled_with_the_outer_one;
    of_many_nested_calls_those_that_have_not_ended_end_with_the_outer_one;
    calls_of_the_second_turn_keep_what_is_theirs;
    an_older_connection_keeps_its_deadlines_when_younger_ones_come_and_go;
    what_was_counted_stays_counted_when_its_connection_has_ended;
    a_quiet_hour_changes_nothing;
    a_reply_that_comes_too_late_answers_nobody_else;
    an_end_is_told_once_to_each_who_asked_before_and_after;
}
