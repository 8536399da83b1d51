//! Background work for calls: connections take turns, overflow is told as such, and it goes with
//! whoever asked for it.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Field, Got, Peer, ProbeProxy, everywhere, in_other_worlds, limits, secs};
use peers_rpc::{Error, ErrorKind, Limits, Overload, kernel::Stop};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// Places in the queue of work.
const PLACES: usize = 1_024;

/// Lets `ask` do work that takes as long as the gate is closed.
fn work_behind_a_gate(server: &Peer, open: &Arc<AtomicBool>, done: &Arc<AtomicUsize>) {
    let (open, done) = (open.clone(), done.clone());
    server.when_asked(move |_, cx, _, text, reply| {
        let (open, done) = (open.clone(), done.clone());
        let work = move |stop: &Stop| {
            while !open.load(Ordering::Acquire) && !stop.is_set() {
                thread::yield_now();
            }
            if !stop.is_set() {
                done.fetch_add(1, Ordering::AcqRel);
            }
            Ok::<_, Error>(text)
        };
        cx.offload(work, reply);
    });
}

fn flood(field: &mut Field, from: &Peer, node: &ProbeProxy) -> Vec<Got<String>> {
    (0..PLACES).map(|n| field.start(from, node.ask(n.to_string()).forever())).collect()
}

everywhere! {
    fn one_connection_does_not_block_the_workers_for_others(field: &mut Field) {
        let (open, done) = (Arc::new(AtomicBool::new(field.is_simulated())), Arc::default());
        // Enough credits for all that come at once.
        let many = limits(|limits| limits.request_window = 4_095);
        let (flooder, server, node) = field.pair_with(Limits::default(), many);
        field.outcome(&flooder, node.context()).unwrap();
        work_behind_a_gate(&server, &open, &done);
        let honest = field.peer("honest");
        let far = field.dial(&honest, &server);
        field.outcome(&honest, far.context()).unwrap();

        let calls = flood(field, &flooder, &node);
        field.until(|| server.heard().len() == PLACES);
        open.store(true, Ordering::Release);
        let before = done.load(Ordering::Acquire);
        assert_eq!(field.outcome(&honest, far.ask("mine").within(secs(5))).unwrap(), "mine");
        if field.is_simulated() {
            let meanwhile = done.load(Ordering::Acquire) - before;
            assert!(meanwhile < 20, "{meanwhile} of the others came first");
        }

        field.until(|| calls.iter().all(Got::is_done));
        let outcomes: Vec<_> = calls.into_iter().map(|got| got.take()).collect();
        let overloaded = |outcome: &Result<String, Error>| match outcome {
            Ok(_) => false,
            Err(error) => {
                assert_eq!(error.kind(), &ErrorKind::Overloaded(Overload::Remote), "{error}");
                assert!(error.is_unexecuted());
                true
            }
        };
        let refused = outcomes.iter().filter(|outcome| overloaded(outcome)).count();
        // Half of the places are for the others.
        let most = PLACES / 2;
        assert!(refused <= most && refused + 64 > most, "{refused} were refused");
    }
}

everywhere! {
    fn what_was_queued_for_a_connection_goes_with_it(field: &mut Field) {
        let (open, done) = (Arc::new(AtomicBool::new(field.is_simulated())), Arc::default());
        let (flooder, server, node) = field.met_pair();
        work_behind_a_gate(&server, &open, &done);
        let calls = flood(field, &flooder, &node);
        field.until_within(secs(6), || server.heard().len() == PLACES);
        node.caller().close();
        field.on(&flooder, || ());
        // What waits for credit leaves first, if there is any in time.
        field.until_within(secs(6), || server.rpc().running() == 0);
        // All of its places are free, and nothing of it is done any more.
        let before = done.load(Ordering::Acquire);
        let again = field.dial(&flooder, &server);
        let more: Vec<_> =
            (0..PLACES / 2 - 8).map(|n| field.start(&flooder, again.ask(n.to_string()).forever())).collect();
        field.until(|| server.heard().len() == PLACES + PLACES / 2 - 8);
        open.store(true, Ordering::Release);
        field.until(|| more.iter().all(Got::is_done));
        assert!(more.into_iter().all(|got| got.take().is_ok()));
        assert_eq!(done.load(Ordering::Acquire) - before, PLACES / 2 - 8);
        drop(calls);
    }
}

/// A node that has asked another one and was told that that one is overloaded has done its own
/// part.
#[test]
fn that_another_process_is_overloaded_is_no_refusal_of_ours() {
    let mut field = Field::simulated(1);
    let few = common::limits(|limits| limits.running = 1);
    let (far, near) = (field.peer_with("far", few), field.peer("near"));
    let client = field.peer("client");
    let next = field.dial(&near, &far);
    let held = field.start(&near, next.hold("the only one"));
    field.until(|| far.holds() == 1);
    near.when_asked(move |_, _, _, text, reply| next.hold(text).then(reply));
    let node = field.dial(&client, &near);
    let error = field.outcome(&client, node.ask("x")).unwrap_err();
    let told = "overloaded: the other process has as much to do as it may";
    assert!(matches!(error.kind(), ErrorKind::Failed(text) if text.contains(told)), "{error}");
    assert!(!error.is_unexecuted());
    drop(held);
}

in_other_worlds! {
    that_another_process_is_overloaded_is_no_refusal_of_ours;
}
