//! Promise: a deadline travels with its call as the time that remains. What is called on behalf of
//! a call inherits it, work whose time has passed is not started, and an inner call runs out early
//! enough for the outer one to be answered.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Context, Field, Got, Peer, ProbeProxy, in_other_worlds, millis, secs};
use peers_rpc::{Call, Error, ErrorKind, Instant};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// A client, a server and one behind it; whoever asks the server makes it call the one behind.
struct Chain {
    field: Field,
    client: Peer,
    middle: Peer,
    far: Peer,
    node: ProbeProxy,
    /// Holds what the far end knew about the calls that were made for us.
    seen: Rc<RefCell<Vec<Context>>>,
}

/// `call` is what the server asks the one behind it.
fn chain(call: impl Fn(&ProbeProxy) -> Call<Context> + 'static) -> Chain {
    let common::Chain { field, client, middle, far, node, onward } = common::chain();
    let seen = Rc::new(RefCell::new(Vec::new()));
    let log = seen.clone();
    middle.when_asked(move |_, cx, _, text, reply| {
        let log = log.clone();
        let k = cx.on_ok(reply, move |_, _, context, reply| {
            log.borrow_mut().push(context);
            reply.ok(text);
        });
        call(&onward).then(k);
    });
    Chain { field, client, middle, far, node, seen }
}

impl Chain {
    fn context(&mut self, call: Call<String>) -> Context {
        self.field.outcome(&self.client, call).unwrap();
        self.seen.borrow_mut().pop().unwrap()
    }
}

/// Returns whether `left` is what may remain of `of` after a few milliseconds on the way.
fn nearly(left: Option<u64>, of: u64) -> bool {
    left.is_some_and(|left| left <= of && left + 50 > of)
}

#[test]
fn the_time_that_remains_crosses_the_wire() {
    let mut field = Field::simulated(1);
    let (client, _server, node) = field.met_pair();
    for (call, expected) in [
        (node.context(), 30_000),
        (node.context().within(secs(5)), 5_000),
        (node.context().within(millis(100)), 100),
    ] {
        let context = field.outcome(&client, call).unwrap();
        assert!(nearly(context.remaining, expected), "{context:?}");
    }
}

#[test]
fn what_never_comes_is_no_deadline_on_the_wire() {
    let mut field = Field::simulated(1);
    let (client, _server, node) = field.met_pair();
    for call in [
        node.context().forever(),
        node.context().within(Duration::MAX),
        node.context().until(Instant::FAR),
    ] {
        assert_eq!(field.outcome(&client, call).unwrap().remaining, None);
    }
    let mut chain = chain(|far| far.context().until(Instant::FAR));
    let call = chain.node.ask("x").within(secs(5));
    let context = chain.context(call);
    assert!(nearly(context.remaining, 5_000), "{context:?}");
    let call = chain.node.ask("x").within(Duration::MAX);
    assert_eq!(chain.context(call).remaining, None);
}

#[test]
fn clocks_need_not_agree() {
    let mut field = Field::simulated(1);
    field.pass(secs(1_000));
    let (client, _server, node) = field.met_pair();
    let context = field.outcome(&client, node.context().within(secs(5))).unwrap();
    assert!(nearly(context.remaining, 5_000), "{context:?}");
}

#[test]
fn a_nested_call_inherits_a_smaller_deadline() {
    let mut chain = chain(|far| far.context());
    let call = chain.node.ask("x").within(secs(5));
    let context = chain.context(call);
    assert!(nearly(context.remaining, 5_000), "{context:?}");
}

#[test]
fn a_nested_call_that_would_wait_for_ever_inherits_it_too() {
    let mut chain = chain(|far| far.context().forever());
    let call = chain.node.ask("x").within(secs(5));
    let context = chain.context(call);
    assert!(nearly(context.remaining, 5_000), "{context:?}");
}

#[test]
fn a_nested_call_keeps_its_own_deadline_if_that_is_smaller() {
    let mut chain = chain(|far| far.context().within(secs(1)));
    let call = chain.node.ask("x").within(secs(5));
    let context = chain.context(call);
    assert!(nearly(context.remaining, 1_000), "{context:?}");
    let call = chain.node.ask("x").forever();
    let context = chain.context(call);
    assert!(nearly(context.remaining, 1_000), "{context:?}");
}

#[test]
fn a_detached_call_inherits_nothing() {
    let mut chain = chain(|far| far.context().detached());
    let call = chain.node.ask("x").within(secs(5));
    let context = chain.context(call);
    assert!(nearly(context.remaining, 30_000), "{context:?}");
    assert_eq!(context.depth, 0);
}

#[test]
fn a_deadline_survives_timers_and_tasks_of_the_handler() {
    let mut field = Field::simulated(1);
    let (client, middle, node) = field.met_pair();
    let far = field.peer("far");
    let onward = field.dial(&middle, &far);
    let seen: Rc<RefCell<Vec<Context>>> = Rc::default();
    let log = seen.clone();
    middle.when_asked(move |_, cx, _, text, reply| {
        let (onward, log) = (onward.clone(), log.clone());
        cx.after(secs(2), move |_, cx| {
            let (onward, log, text) = (onward.clone(), log.clone(), text.clone());
            cx.schedule(move |_, cx| {
                let k = cx.on_ok(reply, move |_, _, context, reply| {
                    log.borrow_mut().push(context);
                    reply.ok(text);
                });
                onward.context().then(k);
            });
        });
    });
    field.outcome_within(secs(6), &client, node.ask("x").within(secs(5))).unwrap();
    let context = seen.borrow_mut().pop().unwrap();
    assert!(nearly(context.remaining, 3_000), "{context:?}");
    assert_eq!(context.depth, 1);
}

/// More than one turn may start, and then the process stands still before the next turn.
#[test]
fn work_whose_time_has_passed_is_not_started() {
    let mut field = Field::simulated(1);
    let (client, server, node) = field.met_pair();
    let calls: Vec<Got<String>> = (0..3_000)
        .map(|n| {
            let (k, got) = Got::new(client.handle());
            node.echo(n.to_string()).within(secs(5)).then(k);
            got
        })
        .collect();
    field.on(&client, || ());
    field.until(|| !server.heard().is_empty());
    let process = server.process();
    field.world().stop(process);
    field.pass(secs(10));
    field.world().resume(process);
    let outcomes = field.outcomes_within(secs(15), &calls);
    field.pass(secs(20));
    let heard = server.heard().len();
    assert!((1..3_000).contains(&heard), "{heard} were started");
    let answered = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert!(answered <= heard);
    for error in outcomes.into_iter().filter_map(Result::err) {
        assert!(matches!(error.kind(), ErrorKind::TimedOut { .. }), "{error}");
    }
    assert_eq!(field.outcome(&client, node.echo("alive")).unwrap(), "alive");
}

#[test]
fn a_call_that_waits_for_credit_beyond_its_deadline_is_never_sent() {
    let mut field = Field::simulated(1);
    let one = common::limits(|limits| limits.request_window = 64);
    let (client, server, node) = field.pair_with(peers_rpc::Limits::default(), one);
    let holds: Vec<_> =
        (0..64).map(|n| field.start(&client, node.hold(n.to_string()).within(secs(25)))).collect();
    let waits = field.start(&client, node.echo("waits").within(secs(5)));
    field.until_within(secs(6), || waits.is_done());
    assert!(matches!(waits.take().unwrap_err().kind(), ErrorKind::TimedOut { .. }));
    field.outcomes_within(secs(31), &holds).into_iter().for_each(|held| assert!(held.is_err()));
    field.outcome(&client, node.context()).unwrap();
    assert_eq!(server.heard().len(), 64);
}

/// The tutorial's trouble: both have the same default, so both run out at once and nobody learns
/// what was wrong.
#[test]
fn the_inner_call_expires_first_and_the_outer_is_still_answered() {
    for budget in [millis(200), secs(1), secs(30)] {
        let mut field = Field::simulated(1);
        let (client, middle, node) = field.met_pair();
        let far = field.peer("far");
        let onward = field.dial(&middle, &far);
        middle.when_asked(move |_, cx, _, text, reply| {
            let k = cx.on_err(reply, |_, _, error: Error, reply| {
                assert!(matches!(error.kind(), ErrorKind::TimedOut { .. }), "{error}");
                reply.err(Error::failed("the one behind me does not answer"));
            });
            onward.hold(text).then(k);
        });
        let error =
            field.outcome_within(secs(31), &client, node.ask("x").within(budget)).unwrap_err();
        let expected = ErrorKind::Failed("the one behind me does not answer".to_owned());
        assert_eq!(error.kind(), &expected, "within {budget:?}");
    }
}

#[test]
fn a_served_call_whose_deadline_passes_lets_go_of_what_it_holds() {
    let mut chain = chain(|far| far.context());
    let Chain { field, client, middle, node, .. } = &mut chain;
    let got: Got<String> = field.start(client, node.hold("x").within(secs(1)));
    field.until(|| got.is_done());
    assert!(got.take().is_err());
    field.pass(secs(2));
    assert_eq!(middle.rpc().running(), 0);
    assert_eq!(chain.far.rpc().running(), 0);
}

in_other_worlds! {
    the_time_that_remains_crosses_the_wire;
    what_never_comes_is_no_deadline_on_the_wire;
    clocks_need_not_agree;
    a_nested_call_inherits_a_smaller_deadline;
    a_nested_call_that_would_wait_for_ever_inherits_it_too;
    a_nested_call_keeps_its_own_deadline_if_that_is_smaller;
    a_detached_call_inherits_nothing;
    a_deadline_survives_timers_and_tasks_of_the_handler;
    work_whose_time_has_passed_is_not_started;
    a_call_that_waits_for_credit_beyond_its_deadline_is_never_sent;
    the_inner_call_expires_first_and_the_outer_is_still_answered;
    a_served_call_whose_deadline_passes_lets_go_of_what_it_holds;
}
