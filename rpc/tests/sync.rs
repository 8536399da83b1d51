//! Promise: other threads call through proxies that are `Send`, wait for the outcome, and never
//! hang: not on the loop's own thread, not after the loop has ended.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;
mod threads;

use common::{Desk, LocalProbe, NoSuchKey, limits, millis, secs};
use peers_rpc::kernel::Kernel;
use peers_rpc::{
    CloseReason, Error, ErrorKind, Limits, Misuse, Peers, Refusal, Rpc, SyncEndpoint, spawn_loop,
    spawn_loop_with,
};
use std::sync::mpsc;
use std::thread;
use threads::{SyncProbe, serve};

fn pair() -> (Peers, Peers, SyncProbe) {
    let (server, address) = serve();
    let client = spawn_loop().unwrap();
    let node = SyncProbe::new(client.connect(&address).unwrap());
    (server, client, node)
}

#[test]
fn a_call_waits_for_its_value_or_its_error() {
    let (_server, _client, node) = pair();
    assert_eq!(node.echo("dune").wait().unwrap(), "dune");
    let error = node.raise("Muad'Dib").wait().unwrap_err();
    assert_eq!(error.get::<NoSuchKey>().unwrap().key, "Muad'Dib");
    assert_eq!(node.lose().wait().unwrap_err().kind(), &ErrorKind::NoReply);
}

#[test]
fn an_explicit_time_out_ends_the_wait() {
    let (_server, _client, node) = pair();
    node.echo("met").wait().unwrap();
    let error = node.hold("x").within(millis(50)).wait().unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::TimedOut { method: "probe.probe.hold", .. }),
        "{error}"
    );
}

#[test]
fn a_deadline_in_the_past_fails_at_once() {
    let (_server, client, node) = pair();
    let past = client.remote().now();
    let error = node.hold("x").until(past).wait().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TimedOut { .. }), "{error}");
}

#[test]
fn the_default_of_the_loops_limits_counts_here_too() {
    let (_server, address) = serve();
    let brief = limits(|limits| limits.default_timeout = millis(50));
    let client = spawn_loop_with(brief, |_, _| ()).unwrap();
    let node = SyncProbe::new(client.connect(&address).unwrap());
    let error = node.hold("x").wait().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TimedOut { .. }), "{error}");
}

#[test]
fn a_default_longer_than_thirty_seconds_is_not_cut_short() {
    let (_server, address) = serve();
    let patient = limits(|limits| limits.default_timeout = secs(3_600));
    let client = spawn_loop_with(patient, |_, _| ()).unwrap();
    let node = SyncProbe::new(client.connect(&address).unwrap());
    let context = node.context().wait().unwrap();
    assert!(context.remaining.is_some_and(|left| left > 3_000_000), "{context:?}");
}

#[test]
fn several_threads_call_through_one_proxy() {
    let (_server, _client, node) = pair();
    let threads: Vec<_> = (0..8)
        .map(|t| {
            let node = node.clone();
            thread::spawn(move || {
                for n in 0..200 {
                    let text = format!("{t}:{n}");
                    assert_eq!(node.echo(&text).wait().unwrap(), text);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

/// Compares what the server heard, by way of a script that tells.
#[test]
fn events_and_calls_of_one_thread_arrive_in_order() {
    let (tell, told) = mpsc::channel();
    let (heard, hears) = mpsc::channel();
    let _server = spawn_loop_with(Limits::default(), move |kernel: &Kernel, rpc: &Rpc| {
        let node = kernel.node(Desk::default());
        let cx = node.cx();
        let script = move |desk: &mut Desk, _: &_, _: &_, text, reply: peers_rpc::Reply<String>| {
            heard.send(desk.heard.clone()).unwrap();
            reply.ok(text);
        };
        cx.enter(|desk, _| desk.script = Some(std::rc::Rc::new(script))).unwrap();
        let listener = rpc
            .listen("inet:localhost:0", move |endpoint| LocalProbe::bind(&cx, &endpoint))
            .unwrap();
        tell.send(listener.address()).unwrap();
        (node, listener)
    })
    .unwrap();
    let client = spawn_loop().unwrap();
    let node = SyncProbe::new(client.connect(&told.recv().unwrap()).unwrap());
    for n in 0..1_000 {
        node.note(n.to_string()).unwrap();
    }
    node.ask("1000").wait().unwrap();
    let expected: Vec<String> = (0..=1_000).map(|n| n.to_string()).collect();
    assert_eq!(hears.recv().unwrap(), expected);
}

// ---- what can never work

#[test]
fn waiting_on_the_loops_own_thread_is_an_error_and_no_hang() {
    let (_server, client, node) = pair();
    let there = node.clone();
    let error = client.with(move |_| there.echo("x").wait()).unwrap().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Misuse(Misuse::SyncOnLoop));
    assert!(error.to_string().contains("then()"), "it says what to do: {error}");
    assert_eq!(node.echo("x").wait().unwrap(), "x");
}

/// In order with those of the loop's own proxies, since it is sent at once.
#[test]
fn an_event_from_the_loops_own_thread_is_sent() {
    let (server, client, node) = pair();
    let there = node.clone();
    client.with(move |_| (0..100).try_for_each(|n| there.note(n.to_string()))).unwrap().unwrap();
    node.echo("met").wait().unwrap();
    let taken = |rpc: &Rpc| (rpc.counters().dropped_events, rpc.counters().unsent_events);
    assert_eq!(server.with(taken).unwrap(), (0, 0));
}

#[test]
fn after_the_loop_has_ended_every_use_says_so() {
    let (_server, client, node) = pair();
    node.echo("x").wait().unwrap();
    drop(client);
    let gone = ErrorKind::Misuse(Misuse::LoopGone);
    assert_eq!(node.echo("x").wait().unwrap_err().kind(), &gone);
    assert_eq!(node.echo("x").forever().wait().unwrap_err().kind(), &gone);
    assert_eq!(node.note("x").unwrap_err().kind(), &gone);
    assert_eq!(node.caller().close().unwrap_err().kind(), &gone);
}

#[test]
fn a_loop_that_ends_while_a_thread_waits_wakes_it() {
    let (_server, client, node) = pair();
    node.echo("met").wait().unwrap();
    let waits = thread::spawn(move || node.hold("x").forever().wait());
    client.with(|rpc| rpc.endpoints()[0].pending()).unwrap();
    drop(client);
    let error = waits.join().unwrap().unwrap_err();
    let kind = error.kind();
    let told = matches!(
        kind,
        ErrorKind::Misuse(Misuse::LoopGone)
            | ErrorKind::Disconnected(CloseReason::RpcGone)
            | ErrorKind::Lost(_)
    );
    assert!(told, "{error}");
}

// ---- the endpoint, from other threads

#[test]
fn an_address_where_nobody_is_shows_in_the_first_call_and_in_every_later_one() {
    let client = spawn_loop().unwrap();
    let (server, address) = serve();
    drop(server);
    let node = SyncProbe::new(client.connect(&address).unwrap());
    for _ in 0..3 {
        let error: Error = node.echo("x").wait().unwrap_err();
        let kind = error.kind();
        assert!(
            matches!(kind, ErrorKind::Disconnected(CloseReason::ConnectFailed { .. })),
            "{error}"
        );
    }
    let error = node.note("x").unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Disconnected(CloseReason::ConnectFailed { .. })),
        "{error}"
    );
}

#[test]
fn it_is_closed_from_any_thread() {
    let (_server, _client, node) = pair();
    node.echo("x").wait().unwrap();
    node.caller().set_keepalive(secs(0)).unwrap();
    node.caller().close().unwrap();
    let error = node.echo("x").wait().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Disconnected(CloseReason::Local));
}

#[test]
fn a_loop_that_calls_itself_is_told_so() {
    let (peers, address) = serve();
    let node = SyncProbe::new(peers.connect(&address).unwrap());
    let error = node.echo("to myself").wait().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Disconnected(CloseReason::Myself));
    let neighbour = spawn_loop().unwrap();
    let node = SyncProbe::new(neighbour.connect(&address).unwrap());
    assert_eq!(node.echo("to another").wait().unwrap(), "to another");
}

#[test]
fn what_start_returns_lives_as_long_as_the_loop_and_dies_on_its_thread() {
    struct Owner(mpsc::Sender<thread::ThreadId>);
    impl Drop for Owner {
        fn drop(&mut self) {
            self.0.send(thread::current().id()).unwrap();
        }
    }
    let (tell, told) = mpsc::channel();
    let peers = spawn_loop_with(Limits::default(), move |_, _| Owner(tell)).unwrap();
    let there = peers.with(|_| thread::current().id()).unwrap();
    assert!(told.try_recv().is_err());
    drop(peers);
    assert_eq!(told.recv().unwrap(), there);
    assert_ne!(there, thread::current().id());
}

#[test]
fn a_start_that_panics_is_an_error() {
    let failed = spawn_loop_with(Limits::default(), |_, _| panic!("no start"));
    assert!(failed.is_err());
}

#[test]
fn a_refusal_names_the_method_here_too() {
    let (_server, _client, node) = pair();
    let door = common::SideDoorProxy::new(node.caller().clone());
    let error = door.knock(1).wait().unwrap_err();
    let refusal = Refusal::UnknownMethod("probe.side_door.knock");
    assert_eq!(error.kind(), &ErrorKind::Refused(refusal));
}

#[test]
fn proxies_calls_and_errors_go_to_other_threads() {
    fn is_shared<T: Send + Sync + Clone>() {}
    fn is_sent<T: Send>() {}
    is_shared::<SyncProbe>();
    is_shared::<SyncEndpoint>();
    is_shared::<Error>();
    is_sent::<peers_rpc::SyncCall<String>>();
}
