//! Promise: a loop on a thread of its own ends in good order. Dropping it, closing it and closing
//! one of its endpoints send what other threads were told would be sent, and tell what the peer did
//! not take.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;
mod threads;

use common::{limits, millis, secs};
use peers_rpc::wire::{CallHead, HalfClose, Hello, NodeId, PREAMBLE, put_call};
use peers_rpc::{CloseReason, Error, ErrorKind, Limits, Misuse, Rpc, spawn_loop};
use std::io::Write;
use std::net::TcpStream;
use std::thread;
use threads::{Blocked, connect, heard, serve, serve_with};

const EVENTS: usize = 3_000;

/// The most requests of threads that may be under way to a loop.
const UNDER_WAY: usize = 32_768;

#[test]
fn who_finds_the_inbox_full_delays_no_end() {
    let (server, address) = serve();
    let (client, node) = connect(&address, limits(|limits| limits.drain = secs(120)));
    node.context().wait().unwrap();
    let began = client.remote().now();
    let busy = Blocked::of(&client.remote());
    for _ in 0..UNDER_WAY {
        node.note("").unwrap();
    }
    for _ in 0..10 {
        let error = node.context().within(millis(1)).wait().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Overloaded(_)), "{error}");
    }
    let remote = client.remote();
    busy.end();
    assert!(client.close().unwrap().is_complete());
    assert!(remote.now() - began < secs(100), "it waits for nobody");
    assert_eq!(heard(&server).len(), UNDER_WAY);
}

/// Grants little, so that most events have to wait.
fn narrow() -> Limits {
    limits(|limits| limits.request_window = 64)
}

#[test]
fn a_loop_that_is_dropped_sends_what_was_confirmed() {
    for met in [true, false] {
        let (server, address) = serve_with(narrow());
        let (client, node) = connect(&address, Limits::default());
        if met {
            node.context().wait().unwrap();
        }
        (0..EVENTS).for_each(|n| node.note(n.to_string()).unwrap());
        drop(client);
        assert_eq!(heard(&server).len(), EVENTS, "met: {met}");
    }
}

#[test]
fn a_loop_that_is_closed_tells_that_all_was_taken() {
    let (server, address) = serve_with(narrow());
    let (client, node) = connect(&address, Limits::default());
    let busy = Blocked::of(&server.remote());
    (0..EVENTS).for_each(|n| node.note(n.to_string()).unwrap());
    let closes = thread::spawn(move || client.close());
    busy.after(millis(100)).end();
    assert!(closes.join().unwrap().unwrap().is_complete());
    assert_eq!(heard(&server).len(), EVENTS);
}

#[test]
fn an_endpoint_that_is_closed_tells_that_all_was_taken() {
    for met in [true, false] {
        let (server, address) = serve_with(narrow());
        let (_client, node) = connect(&address, Limits::default());
        if met {
            node.context().wait().unwrap();
        }
        (0..EVENTS).for_each(|n| node.note(n.to_string()).unwrap());
        assert!(node.caller().close().unwrap().is_complete());
        assert_eq!(heard(&server).len(), EVENTS, "met: {met}");
        let error = node.note("x").unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Disconnected(CloseReason::Local));
        assert!(node.caller().close().unwrap().is_complete(), "a second time changes nothing");
    }
}

/// While it leaves, the connection stands, since the peer still gives credit for what waits.
#[test]
fn an_endpoint_that_is_being_closed_takes_no_more_from_other_threads() {
    let (server, address) = serve_with(narrow());
    let (_client, node) = connect(&address, Limits::default());
    node.context().wait().unwrap();
    let busy = Blocked::of(&server.remote());
    (0..EVENTS).for_each(|n| node.note(n.to_string()).unwrap());
    let closing = node.clone();
    let closes = thread::spawn(move || closing.caller().close());
    let mut taken = EVENTS;
    let error = (0..100_000).find_map(|n| {
        thread::yield_now();
        let refused = node.note(n.to_string()).err();
        taken += usize::from(refused.is_none());
        refused
    });
    assert_eq!(
        *error.expect("it is being closed").kind(),
        ErrorKind::Disconnected(CloseReason::Local)
    );
    assert!(!closes.is_finished(), "the peer has not taken what waits");
    busy.end();
    assert!(closes.join().unwrap().unwrap().is_complete());
    assert_eq!(heard(&server).len(), taken);
}

#[test]
fn what_the_peer_does_not_take_in_time_is_told() {
    let (server, address) = serve_with(narrow());
    let brief = limits(|limits| limits.drain = millis(100));
    let (client, node) = connect(&address, brief.clone());
    let (other, its) = connect(&address, brief);
    node.context().wait().unwrap();
    its.context().wait().unwrap();
    let _busy = Blocked::of(&server.remote());
    for n in 0..EVENTS {
        node.note(n.to_string()).unwrap();
        its.note(n.to_string()).unwrap();
    }
    let drained = node.caller().close().unwrap();
    assert_eq!((drained.unsent, drained.unconfirmed), (EVENTS as u64 - 64, 64));
    let drained = other.close().unwrap();
    assert_eq!((drained.unsent, drained.unconfirmed), (EVENTS as u64 - 64, 64));
    drop(client);
}

/// Threads that send while the loop ends: each event was refused or arrives, and nobody waits for
/// one that was refused.
#[test]
fn what_is_confirmed_while_the_loop_ends_arrives() {
    for _ in 0..10 {
        let (server, address) = serve_with(narrow());
        let patient = limits(|limits| (limits.drain, limits.waiting) = (secs(60), 500));
        let (client, node) = connect(&address, patient);
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let node = node.clone();
                thread::spawn(move || {
                    (0..).take_while(|n: &u32| node.note(n.to_string()).is_ok()).count()
                })
            })
            .collect();
        thread::yield_now();
        let (remote, begun) = (server.remote(), server.remote().now());
        let drained = client.close().unwrap();
        assert!(remote.now() - begun < secs(30), "it waited for nothing");
        let confirmed: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert!(drained.is_complete());
        assert_eq!(heard(&server).len(), confirmed);
    }
}

#[test]
fn calls_without_an_outcome_at_the_end_fail() {
    let (_server, address) = serve();
    let (client, node) = connect(&address, Limits::default());
    node.context().wait().unwrap();
    let waits = node.hold("x").forever().start();
    node.context().wait().unwrap();
    drop(client);
    let error: Error = waits.wait().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Disconnected(CloseReason::RpcGone));
}

// ---- on the loop's own thread

#[test]
fn a_loop_may_be_dropped_by_itself() {
    let (server, address) = serve_with(narrow());
    let (client, node) = connect(&address, Limits::default());
    (0..EVENTS).for_each(|n| node.note(n.to_string()).unwrap());
    let remote = client.remote();
    remote.post(move |_| drop(client)).unwrap();
    while remote.post(|_| ()).is_ok() {
        thread::yield_now();
    }
    assert_eq!(heard(&server).len(), EVENTS);
}

#[test]
fn a_call_that_is_cancelled_before_the_loop_makes_it_delays_no_end() {
    // Nothing else makes the link look again.
    let patient = limits(|limits| {
        (limits.drain, limits.handshake_timeout, limits.ping_idle) = (secs(60), secs(60), secs(0));
    });
    let (_server, address) = serve();
    let (client, node) = connect(&address, patient);
    node.context().wait().unwrap();
    let (remote, endpoint) = (client.remote(), node.caller().clone());
    let busy = Blocked::of(&remote);
    let closes = thread::spawn(move || endpoint.close());
    let busy = busy.after(millis(100)); // the end lies in the inbox by now, before the call
    drop(node.context().start());
    let begun = remote.now();
    busy.end();
    assert!(closes.join().unwrap().unwrap().is_complete());
    assert!(remote.now() < begun + secs(10), "it waited for a call that will not be made");
}

#[test]
fn what_would_wait_for_its_own_loop_says_so() {
    let (_server, address) = serve();
    let (client, node) = connect(&address, Limits::default());
    let there = node.clone();
    let error = client.with(move |_| there.caller().close()).unwrap().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Misuse(Misuse::CloseOnLoop));
    assert!(error.to_string().contains("close"), "{error}");
    node.context().wait().unwrap();
}

#[test]
fn what_needs_no_waiting_works_there() {
    let (_server, address) = serve();
    let client = std::sync::Arc::new(spawn_loop().unwrap());
    let here = client.clone();
    let made = client.with(move |_| {
        let node = threads::SyncProbe::new(here.connect(&address)?);
        node.caller().set_keepalive(secs(0)).unwrap();
        assert!(here.with(|rpc| rpc.endpoints().len()).unwrap() == 1);
        std::io::Result::Ok(node)
    });
    let node = made.unwrap().unwrap();
    assert_eq!(node.echo("dune").wait().unwrap(), "dune");
}

#[test]
fn a_closure_that_panics_is_named_and_the_loop_lives_on() {
    let client = spawn_loop().unwrap();
    for words in ["mine", "and mine too"] {
        let error = client.with(move |_| -> u32 { panic!("{words}") }).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::ClosurePanicked(words.to_owned()));
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(client.with(|_| 7).unwrap(), 7);
    }
}

/// A peer that has announced that it sends nothing more still waits for an answer, so the
/// connection stands; but it would not give credit any more.
#[test]
fn who_has_announced_a_half_close_is_told_nothing_by_other_threads() {
    let (server, address) = serve_with(limits(|limits| limits.linger = secs(600)));
    let socket = address.to_string().replace("inet:", "").replace("localhost", "127.0.0.1");
    let mut peer = TcpStream::connect(socket).unwrap();
    let mut bytes = PREAMBLE.to_vec();
    Hello::new(NodeId::from_bits(7)).put(&mut bytes);
    let mut methods = common::probe::PROBE.methods.iter();
    let hold = methods.find(|method| method.name == "probe.probe.hold").unwrap();
    put_call(&mut bytes, u32::MAX, 1, &CallHead::new(hold.id), &("owed",)).unwrap();
    peer.write_all(&bytes).unwrap();
    while heard(&server).is_empty() {
        thread::yield_now();
    }
    let endpoint = server.with(|rpc: &Rpc| rpc.endpoints()[0].to_sync()).unwrap().unwrap();
    let node = threads::SyncProbe::new(endpoint);
    node.note("taken").unwrap();
    bytes.clear();
    HalfClose.put(&mut bytes);
    peer.write_all(&bytes).unwrap();
    // It takes a moment to get there.
    let error = (0..100_000).find_map(|_| {
        thread::yield_now();
        node.note("taken").err()
    });
    let finished = ErrorKind::Disconnected(CloseReason::Finished);
    assert_eq!(*error.expect("nobody takes it").kind(), finished);
    assert_eq!(*node.echo("x").wait().unwrap_err().kind(), finished);
    assert_eq!(server.with(|rpc: &Rpc| rpc.endpoints().len()).unwrap(), 1, "the connection stands");
}
