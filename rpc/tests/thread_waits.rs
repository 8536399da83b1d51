//! Promise: whoever waits on a thread is not kept waiting by a loop that is busy: the thread's own
//! clock ends the wait. A call that was started can be waited for later, and be cancelled from
//! anywhere; it has one outcome.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;
mod threads;

use common::{limits, millis, secs};
use peers_rpc::{Error, ErrorKind, Limits, Misuse, Overload, Started, SyncCancel};
use std::thread;
use std::time::Duration;
use threads::{Blocked, connect, heard, look, serve, serve_with};

/// Longer than any wait here, and much shorter than what a busy loop would make of it.
const SOON: Duration = secs(4);

fn is_timed_out(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut { .. })
}

#[test]
fn a_busy_loop_keeps_nobody_waiting() {
    let (server, address) = serve();
    let (client, node) = connect(&address, Limits::default());
    node.context().wait().unwrap();
    let busy = Blocked::of(&client.remote());
    let remote = client.remote();
    let begun = remote.now();
    let error = node.echo("dead").within(millis(100)).wait().unwrap_err();
    assert!(is_timed_out(&error), "{error}");
    let error = node.echo("dead").remaining(millis(100)).wait().unwrap_err();
    assert!(is_timed_out(&error), "{error}");
    let started = node.echo("dead").within(millis(100)).start();
    assert!(is_timed_out(&started.wait().unwrap_err()));
    let took = remote.now() - begun;
    assert!(took >= millis(300) && took < SOON, "{took:?}");
    busy.end();
    node.context().wait().unwrap();
    assert!(heard(&server).is_empty(), "nobody waited for them any more");
}

#[test]
fn no_time_left_fails_at_once_and_zero_within_is_for_ever() {
    let (server, address) = serve();
    let (client, node) = connect(&address, Limits::default());
    let error = node.echo("x").remaining(Duration::ZERO).wait().unwrap_err();
    assert!(is_timed_out(&error), "{error}");
    let error = node.echo("x").remaining(Duration::ZERO).start().wait().unwrap_err();
    assert!(is_timed_out(&error), "{error}");
    assert!(heard(&server).is_empty());
    let now = client.remote().now();
    assert_eq!(node.echo("y").remaining(now + secs(30) - now).wait().unwrap(), "y");
    assert_eq!(node.context().within(Duration::ZERO).wait().unwrap().remaining, None);
}

// ---- what was started

#[test]
fn several_calls_are_under_way_at_a_time() {
    let (server, address) = serve();
    let (_client, node) = connect(&address, Limits::default());
    let started: Vec<Started<String>> =
        (0..100).map(|n| node.hold(n.to_string()).start()).collect();
    while look(&server, |desk| desk.held.len()) < 100 {}
    assert!(!started[0].is_done());
    look(&server, |desk| desk.held.drain(..).for_each(|(text, reply)| reply.ok(text)));
    for (n, started) in started.into_iter().enumerate() {
        assert_eq!(started.wait().unwrap(), n.to_string());
    }
}

#[test]
fn waiting_for_a_while_leaves_the_call_alone() {
    let (server, address) = serve();
    let (_client, node) = connect(&address, Limits::default());
    let started = node.hold("x").start();
    let started = started.wait_for(millis(20)).unwrap_err();
    let started = started.wait_for(Duration::ZERO).unwrap_err();
    while look(&server, |desk| desk.held.is_empty()) {}
    look(&server, |desk| desk.held.drain(..).for_each(|(text, reply)| reply.ok(text)));
    assert_eq!(started.wait_for(secs(60)).unwrap().unwrap(), "x");
    let brief = node.hold("y").within(millis(20)).start();
    assert!(is_timed_out(&brief.wait_for(secs(60)).unwrap().unwrap_err()));
}

/// Waits until what the server holds is inert, once the cancel has come.
fn until_nothing_runs(server: &peers_rpc::Peers) {
    while server.with(|rpc| rpc.running()).unwrap() > 0 {}
}

#[test]
fn another_thread_cancels_what_one_waits_for() {
    let (server, address) = serve();
    let (_client, node) = connect(&address, Limits::default());
    let started = node.hold("x").forever().start();
    let canceller: SyncCancel = started.canceller();
    let waits = thread::spawn(move || started.wait());
    while look(&server, |desk| desk.held.is_empty()) {}
    canceller.cancel();
    canceller.cancel();
    assert_eq!(waits.join().unwrap().unwrap_err().kind(), &ErrorKind::Cancelled);
    until_nothing_runs(&server);
}

#[test]
fn dropping_what_was_started_cancels_it() {
    let (server, address) = serve();
    let (_client, node) = connect(&address, Limits::default());
    let started = node.hold("x").forever().start();
    while look(&server, |desk| desk.held.is_empty()) {}
    drop(started);
    until_nothing_runs(&server);
    let error = node.hold("y").within(millis(20)).wait().unwrap_err();
    assert!(is_timed_out(&error), "{error}");
}

#[test]
fn what_is_cancelled_before_the_loop_has_seen_it_is_never_sent() {
    let (server, address) = serve();
    let (client, node) = connect(&address, Limits::default());
    node.context().wait().unwrap();
    let busy = Blocked::of(&client.remote());
    let started = node.echo("dead").forever().start();
    started.cancel();
    assert!(started.is_done(), "whatever the loop does");
    assert_eq!(started.wait().unwrap_err().kind(), &ErrorKind::Cancelled);
    busy.end();
    node.context().wait().unwrap();
    assert!(heard(&server).is_empty());
}

#[test]
fn a_cancel_that_comes_too_late_changes_nothing() {
    let (_server, address) = serve();
    let (_client, node) = connect(&address, Limits::default());
    let started = node.echo("x").start();
    while !started.is_done() {}
    started.cancel();
    assert_eq!(started.wait().unwrap(), "x");
}

/// One outcome, whoever is first.
#[test]
fn a_reply_and_a_cancel_that_cross_make_one_outcome() {
    let (_server, address) = serve();
    let (_client, node) = connect(&address, Limits::default());
    for n in 0..500 {
        let started = node.echo("x").start();
        let canceller = started.canceller();
        let cancels = thread::spawn(move || {
            (0..n % 7).for_each(|_| thread::yield_now());
            canceller.cancel();
        });
        let told = match started.wait() {
            Ok(text) => text == "x",
            Err(error) => error.kind() == &ErrorKind::Cancelled,
        };
        assert!(told);
        cancels.join().unwrap();
    }
}

#[test]
fn what_has_no_room_is_refused_and_does_not_wait() {
    let (server, address) = serve_with(limits(|limits| limits.request_window = 64));
    let (client, node) = connect(&address, limits(|limits| limits.waiting = 10));
    node.context().wait().unwrap();
    let start = |n: usize| {
        let started = node.hold(n.to_string()).forever().start();
        client.with(|_| ()).unwrap(); // it is sent now, or waits in its place
        started
    };
    let held: Vec<_> = (0..64 + 10).map(start).collect();
    while look(&server, |desk| desk.held.len()) < 64 {}
    let refused = node.echo("one too many").forever().start();
    let error = refused.wait().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Overloaded(Overload::Endpoint));
    drop(held);
    assert_eq!(node.echo("room again").wait().unwrap(), "room again");
}

#[test]
fn a_loop_that_ends_gives_every_call_its_outcome() {
    let (_server, address) = serve();
    let (client, node) = connect(&address, Limits::default());
    node.context().wait().unwrap();
    let started: Vec<_> = (0..10).map(|_| node.hold("x").forever().start()).collect();
    drop(client);
    assert!(started.into_iter().all(|started| started.wait().is_err()));
    let error = node.echo("x").forever().start().wait().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Misuse(Misuse::LoopGone));
}

#[test]
fn on_the_loops_own_thread_a_call_may_be_started_and_not_be_waited_for() {
    let (_server, address) = serve();
    let (client, node) = connect(&address, Limits::default());
    let there = node.clone();
    let started = client.with(move |_| there.echo("x").start()).unwrap();
    assert_eq!(started.wait().unwrap(), "x");
    let error = client.with(move |_| node.hold("x").start().wait()).unwrap().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Misuse(Misuse::SyncOnLoop));
}
