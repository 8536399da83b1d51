//! Promise: a cancel overtakes what is queued, makes the reply of what is running inert, and goes
//! on to whatever was called on behalf of the call, however far away.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Field, Got, Peer, ProbeProxy, everywhere, in_other_worlds, limits, millis, secs};
use peers_rpc::kernel::Stop;
use peers_rpc::{Cancel, CloseReason, Error, ErrorKind, Limits};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Makes a call that can be cancelled.
fn start(field: &mut Field, from: &Peer, call: peers_rpc::Call<String>) -> (Got<String>, Cancel) {
    let (k, got) = Got::new(from.handle());
    let cancel = field.on(from, move || call.then_cancellable(k));
    (got, cancel)
}

fn is_cancelled(outcome: Result<String, Error>) -> bool {
    matches!(outcome.unwrap_err().kind(), ErrorKind::Cancelled)
}

everywhere! {
    fn the_caller_is_told_at_once(field: &mut Field) {
        let (client, server, node) = field.met_pair();
        let (got, cancel) = start(field, &client, node.hold("x"));
        field.until(|| server.holds() == 1);
        field.on(&client, move || cancel.now());
        field.until(|| got.is_done());
        assert!(is_cancelled(got.take()));
        assert_eq!(node.caller().pending(), 0);
    }
}

everywhere! {
    fn dropping_the_cancel_lets_the_call_go_on(field: &mut Field) {
        let (client, _server, node) = field.met_pair();
        let (got, cancel) = start(field, &client, node.echo("dune"));
        drop(cancel);
        field.until(|| got.is_done());
        assert_eq!(got.take().unwrap(), "dune");
    }
}

everywhere! {
    fn what_waits_for_credit_is_never_sent(field: &mut Field) {
        let few = limits(|limits| limits.request_window = 64);
        let (client, server, node) = field.pair_with(Limits::default(), few);
        let holds: Vec<_> = (0..64).map(|n| field.start(&client, node.hold(n.to_string()))).collect();
        field.until(|| server.holds() == 64);
        let (got, cancel) = start(field, &client, node.echo("cancelled"));
        let after = field.start(&client, node.echo("after"));
        field.on(&client, move || cancel.now());
        field.until(|| got.is_done());
        assert!(is_cancelled(got.take()));
        field.answer(&server, "0", Ok("done"));
        field.until(|| after.is_done());
        assert!(!server.heard().contains(&"cancelled".to_owned()));
        drop(holds);
    }
}

/// All of it arrives at once: more than a turn may start, and the cancel of the last behind it.
#[test]
fn it_overtakes_what_is_queued_at_the_server() {
    let mut field = Field::tcp();
    let (client, server, node) = field.met_pair();
    let (k, got) = Got::new(client.handle());
    field.on(&client, move || {
        for _ in 0..1_200 {
            node.note("n").unwrap();
        }
        node.echo("cancelled").then_cancellable(k).now();
        node.note("last").unwrap();
    });
    field.until(|| server.heard().last().is_some_and(|text| text == "last"));
    assert!(is_cancelled(got.take()));
    assert_eq!(server.heard().len(), 1_201, "all the others were started, in order");
}

everywhere! {
    fn what_runs_finds_its_reply_inert_and_that_is_counted(field: &mut Field) {
        let (client, server, node) = field.met_pair();
        let (got, cancel) = start(field, &client, node.hold("x"));
        field.until(|| server.holds() == 1);
        assert!(server.callers()[0].is_waiting());
        field.on(&client, move || cancel.now());
        field.until(|| server.rpc().running() == 0);
        assert!(!server.callers()[0].is_waiting());
        assert_eq!(server.rpc().counters().inert_replies, 0);
        field.answer(&server, "x", Ok("too late"));
        assert_eq!(field.outcome(&client, node.echo("alive")).unwrap(), "alive");
        assert_eq!(server.rpc().counters().inert_replies, 1);
        assert!(is_cancelled(got.take()));
    }
}

// ---- from hop to hop

/// A client, a server, one behind it, and one behind that, which holds the call made for the call
/// made for the client's.
struct Chain {
    client: Peer,
    middle: Peer,
    _next: Peer,
    far: Peer,
    node: ProbeProxy,
}

fn chain(field: &mut Field) -> Chain {
    let (client, middle, node) = field.met_pair();
    let (next, far) = (field.peer("next"), field.peer("far"));
    let (to_next, to_far) = (field.dial(&middle, &next), field.dial(&next, &far));
    middle.when_asked(move |_, _, _, text, reply| to_next.ask(text).then(reply));
    next.when_asked(move |_, _, _, text, reply| to_far.hold(text).then(reply));
    Chain { client, middle, _next: next, far, node }
}

impl Chain {
    /// The far end has let go, and so has everybody between.
    fn ends(&self, field: &mut Field) {
        field.until(|| self.far.rpc().running() == 0 && self.middle.rpc().running() == 0);
        assert!(!self.far.callers()[0].is_waiting());
        field.answer(&self.far, "x", Ok("too late"));
        field.until(|| self.far.rpc().counters().inert_replies == 1);
    }
}

everywhere! {
    fn it_cascades_over_hops(field: &mut Field) {
        let chain = chain(field);
        let (got, cancel) = start(field, &chain.client, chain.node.ask("x"));
        field.until(|| chain.far.holds() == 1);
        field.on(&chain.client, move || cancel.now());
        field.until(|| got.is_done());
        assert!(is_cancelled(got.take()));
        chain.ends(field);
    }
}

everywhere! {
    fn a_time_out_cascades_over_hops(field: &mut Field) {
        let chain = chain(field);
        let got = field.start(&chain.client, chain.node.ask("x").within(millis(300)));
        field.until(|| chain.far.holds() == 1);
        field.until(|| got.is_done());
        assert!(got.take().is_err());
        chain.ends(field);
    }
}

everywhere! {
    fn the_end_of_the_callers_endpoint_cascades_over_hops(field: &mut Field) {
        let chain = chain(field);
        let got = field.start(&chain.client, chain.node.ask("x"));
        field.until(|| chain.far.holds() == 1);
        let endpoint = chain.node.caller().clone();
        field.on(&chain.client, move || endpoint.close());
        field.until(|| got.is_done());
        assert_eq!(got.take().unwrap_err().kind(), &ErrorKind::Disconnected(CloseReason::Local));
        chain.ends(field);
    }
}

#[test]
fn the_death_of_the_callers_process_cascades_over_hops() {
    let mut field = Field::simulated(1);
    let chain = chain(&mut field);
    let _got = field.start(&chain.client, chain.node.ask("x"));
    field.until(|| chain.far.holds() == 1);
    field.crash(&chain.client);
    chain.ends(&mut field);
}

everywhere! {
    fn a_detached_call_is_not_cancelled_with_its_parent(field: &mut Field) {
        let (client, middle, node) = field.met_pair();
        let far = field.peer("far");
        let onward = field.dial(&middle, &far);
        middle.when_asked(move |_, _, _, text, reply| onward.hold(text).detached().then(reply));
        let (got, cancel) = start(field, &client, node.ask("x"));
        field.until(|| far.holds() == 1);
        field.on(&client, move || cancel.now());
        field.until(|| got.is_done() && middle.rpc().running() == 0);
        let onward = ProbeProxy::new(middle.rpc().endpoints()[0].clone());
        field.outcome(&middle, onward.context()).unwrap();
        assert!(far.callers()[0].is_waiting(), "nobody has told the far end to stop");
        field.answer(&far, "x", Ok("finished all the same"));
        field.until(|| middle.rpc().counters().inert_replies == 1);
        assert_eq!(far.rpc().counters().inert_replies, 0);
    }
}

// ---- background work

/// In the simulated world work takes no time, so this is for the real ones.
#[test]
fn offloaded_work_is_told_to_stop() {
    for mut field in [Field::tcp(), Field::unix()] {
        let (client, server, node) = field.met_pair();
        let [started, stopped] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
        let (begins, ends) = (started.clone(), stopped.clone());
        server.when_asked(move |_, cx, _, text, reply| {
            let (begins, ends) = (begins.clone(), ends.clone());
            let work = move |stop: &Stop| {
                begins.store(true, Ordering::Release);
                while !stop.is_set() {
                    thread::yield_now();
                }
                ends.store(true, Ordering::Release);
                Ok::<_, Error>(text)
            };
            cx.offload(work, reply);
        });
        let (got, cancel) = start(&mut field, &client, node.ask("x"));
        field.until(|| started.load(Ordering::Acquire));
        assert!(!stopped.load(Ordering::Acquire));
        field.on(&client, move || cancel.now());
        field.until(|| got.is_done() && stopped.load(Ordering::Acquire));
        assert!(is_cancelled(got.take()));
    }
}

#[test]
fn offloaded_work_whose_caller_has_text_up_is_not_started() {
    let mut field = Field::simulated(1);
    let (client, server, node) = field.met_pair();
    let started = Arc::new(AtomicBool::new(false));
    let begins = started.clone();
    server.when_asked(move |_, cx, _, text, reply| {
        let begins = begins.clone();
        cx.after(secs(5), move |_, cx| {
            let work = move |_: &Stop| {
                begins.store(true, Ordering::Release);
                Ok::<_, Error>(text)
            };
            cx.offload(work, reply);
        });
    });
    let (got, cancel) = start(&mut field, &client, node.ask("x"));
    field.until(|| server.heard().len() == 1);
    field.pass(secs(5));
    field.on(&client, move || cancel.now());
    field.pass(secs(1));
    assert!(is_cancelled(got.take()));
    assert!(!started.load(Ordering::Acquire));
}

// ---- what it costs

everywhere! {
    fn cancelling_each_call_once_is_no_offence(field: &mut Field) {
        let (client, _server, node) = field.met_pair();
        for _ in 0..20 {
            let calls: Vec<_> = (0..100).map(|_| Got::new(client.handle())).collect();
            let (mut ks, mut gots) = (Vec::new(), Vec::new());
            calls.into_iter().for_each(|(k, got)| { ks.push(k); gots.push(got); });
            let proxy = node.clone();
            field.on(&client, move || {
                for k in ks {
                    proxy.hold("x").then_cancellable(k).now();
                }
            });
            field.outcomes(&gots).into_iter().for_each(|outcome| assert!(is_cancelled(outcome)));
        }
        assert_eq!(field.outcome(&client, node.echo("alive")).unwrap(), "alive");
    }
}

in_other_worlds! {
    the_death_of_the_callers_process_cascades_over_hops;
    offloaded_work_whose_caller_has_text_up_is_not_started;
}
