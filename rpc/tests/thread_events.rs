//! Promise: an event of another thread that was answered `Ok` is sent, within the limits that are
//! known. While there is no room for it the thread waits, and what cannot be sent is an error there
//! and then.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;
mod threads;

use common::{limits, millis, secs};
use peers_rpc::kernel::{Budget, Kernel};
use peers_rpc::{Address, CloseReason, Error, ErrorKind, Limits, Misuse, Overload, Peers};
use peers_rpc::{Rpc, spawn_loop_with};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use threads::{Blocked, SyncProbe, connect, heard, serve_with};

/// A server with this grant, and a client in whose process so many events may wait, for so long.
fn pair(grant: u32, waiting: usize, patience: u64) -> (Peers, Peers, SyncProbe) {
    let (server, address) = serve_with(limits(|limits| limits.request_window = grant));
    let small = limits(|limits| {
        limits.waiting = waiting;
        limits.default_timeout = millis(patience);
    });
    let (client, node) = connect(&address, small);
    node.context().forever().wait().unwrap();
    (server, client, node)
}

fn is_overloaded(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Overloaded(Overload::Endpoint))
}

#[test]
fn all_that_was_confirmed_arrives_though_the_peer_was_busy() {
    let (server, _client, node) = pair(64, 100, 30_000);
    let busy = Blocked::of(&server.remote());
    let there = node.clone();
    let events =
        thread::spawn(move || (0..5_000).filter(|n| there.note(n.to_string()).is_ok()).count());
    busy.after(millis(100)).end();
    assert_eq!(events.join().unwrap(), 5_000, "they waited for room");
    node.context().forever().wait().unwrap();
    let expected: Vec<String> = (0..5_000).map(|n| n.to_string()).collect();
    assert_eq!(heard(&server), expected);
}

#[test]
fn what_was_confirmed_arrives_though_the_process_holds_too_much_by_then() {
    let (server, address) = serve_with(Limits::default());
    let start = |kernel: &Kernel, _: &Rpc| {
        kernel.set_budget(Budget { tasks: 1_024, time: secs(60) }); // all in one turn
    };
    let client = spawn_loop_with(limits(|limits| limits.process_bytes = 400_000), start).unwrap();
    let node = || SyncProbe::new(client.connect(&address).unwrap());
    let (heavy, light) = (node(), node());
    heavy.context().wait().unwrap();
    light.context().wait().unwrap();
    let busy = Blocked::of(&client.remote());
    heavy.note("x".repeat(500_000)).unwrap();
    (0..100).for_each(|_| light.note("y").unwrap());
    busy.end();
    // As long as the heavy one is on its way, a new call may be refused.
    let refused = |error: &Error| matches!(error.kind(), ErrorKind::Overloaded(_));
    let answer = loop {
        match light.context().wait() {
            Err(error) if refused(&error) => thread::yield_now(),
            answer => break answer,
        }
    };
    answer.unwrap();
    assert_eq!(heard(&server).iter().filter(|text| *text == "y").count(), 100);
}

#[test]
fn several_threads_share_the_room() {
    let (server, client, node) = pair(64, 16, 30_000);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let node = node.clone();
            thread::spawn(move || (0..2_000).for_each(|_| node.note("x").unwrap()))
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    node.context().forever().wait().unwrap();
    assert_eq!(heard(&server).len(), 8_000);
    assert_eq!(client.with(|rpc| rpc.counters().unsent_events).unwrap(), 0);
}

/// As many as the peer's grant are sent, and as many as may wait; one more is refused, and there is
/// room again later.
#[test]
fn exactly_as_many_as_may_wait_are_confirmed() {
    let (server, _client, node) = pair(64, 100, 50);
    let busy = Blocked::of(&server.remote());
    for n in 0..64 + 100 {
        node.note(n.to_string()).unwrap();
    }
    let error = node.note("one too many").unwrap_err();
    assert!(is_overloaded(&error) && error.is_unexecuted(), "{error}");
    let error = node.echo("and a call").within(millis(50)).wait().unwrap_err();
    assert!(is_overloaded(&error), "{error}");
    busy.end();
    node.context().forever().wait().unwrap();
    node.note("room again").unwrap();
    node.context().forever().wait().unwrap();
    let heard = heard(&server);
    assert_eq!((heard.len(), heard[164].as_str()), (165, "room again"));
}

#[test]
fn exactly_as_many_bytes_as_may_wait_are_confirmed() {
    let (server, address) = serve_with(limits(|limits| limits.request_window = 64));
    let small = limits(|limits| {
        limits.waiting_bytes = 10_000;
        limits.default_timeout = millis(50);
    });
    let (_client, node) = connect(&address, small);
    node.context().forever().wait().unwrap();
    let busy = Blocked::of(&server.remote());
    (0..64).for_each(|_| node.note("").unwrap());
    node.note("x".repeat(6_000 - 4)).unwrap();
    node.note("x".repeat(4_000 - 4)).unwrap();
    assert!(is_overloaded(&node.note("").unwrap_err()), "its length takes four bytes");
    let error = node.note("x".repeat(10_000 - 3)).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::TooLarge { size: 10_001, limit: 10_000 });
    busy.end();
    node.context().forever().wait().unwrap();
    assert_eq!(heard(&server).len(), 66);
}

/// The head of a request takes 16 bytes of its frame, the length of the text four.
#[test]
fn exactly_the_peers_frame_is_confirmed() {
    let (server, address) = serve_with(limits(|limits| limits.frame = 10_000));
    let (client, node) = connect(&address, Limits::default());
    node.context().wait().unwrap();
    node.note("x".repeat(10_000 - 20)).unwrap();
    let error = node.note("x".repeat(10_000 - 19)).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::TooLarge { size: 10_001, limit: 10_000 });
    node.context().wait().unwrap();
    client.with(|rpc| rpc.set_tracing(true)).unwrap();
    node.note("y".repeat(10_000 - 20)).unwrap();
    node.context().wait().unwrap();
    assert_eq!(heard(&server).len(), 2, "its place in a tree of calls is left out");
    assert_eq!(client.with(|rpc| rpc.counters().unsent_events).unwrap(), 0);
}

#[test]
fn what_only_some_peers_take_waits_for_the_peers_hello() {
    let (server, address) = serve_with(limits(|limits| limits.frame = 10_000));
    let busy = Blocked::of(&server.remote());
    let (_client, node) = connect(&address, Limits::default());
    node.note("x".repeat(4_096 - 20)).unwrap(); // fits any peer's frames
    let send = |len: usize| {
        let node = node.clone();
        thread::spawn(move || node.note("x".repeat(len)))
    };
    let (fits, does_not) = (send(9_000), send(11_000));
    busy.after(millis(50)).end();
    fits.join().unwrap().unwrap();
    let error = does_not.join().unwrap().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TooLarge { limit: 10_000, .. }), "{error}");
    node.context().wait().unwrap();
    assert_eq!(heard(&server).len(), 2);
}

#[test]
fn a_hello_that_does_not_come_is_waited_for_as_long_as_a_call() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let address: Address = format!("inet:127.0.0.1:{port}").parse().unwrap();
    let brief = limits(|limits| (limits.default_timeout, limits.drain) = (millis(50), millis(50)));
    let (_client, node) = connect(&address, brief);
    node.note("small").unwrap();
    let error = node.note("x".repeat(5_000)).unwrap_err();
    let timed_out = matches!(error.kind(), ErrorKind::TimedOut { method: "probe.probe.note", .. });
    assert!(timed_out, "{error}");
}

#[test]
fn whoever_waits_for_room_is_told_of_the_end() {
    let (server, _client, node) = pair(64, 8, 600_000);
    let busy = Blocked::of(&server.remote());
    let fills = node.clone();
    let waits = thread::spawn(move || {
        loop {
            if let Err(error) = fills.note("x") {
                return error;
            }
        }
    });
    let closer = node.caller().clone();
    let closes = thread::spawn(move || closer.close());
    let error = waits.join().unwrap();
    assert_eq!(error.kind(), &ErrorKind::Disconnected(CloseReason::Local));
    busy.end();
    closes.join().unwrap().unwrap();
}

/// Accepted, and then the connection broke: nobody can be told any more, so it is counted.
#[test]
fn what_a_broken_connection_did_not_take_is_counted() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let (client, node) = connect(
        &format!("inet:127.0.0.1:{port}").parse().unwrap(),
        limits(|limits| limits.waiting = 100),
    );
    let (peer, _) = silent.accept().unwrap();
    for n in 0..64 + 100 {
        node.note(n.to_string()).unwrap(); // 64 may be sent before the peer's hello
    }
    client.with(|_| ()).unwrap();
    drop(peer);
    while node.caller().set_keepalive(secs(9)).is_ok() {}
    let unsent = client.with(|rpc| rpc.counters().unsent_events).unwrap();
    assert_eq!(unsent, 100);
}

#[test]
fn after_the_end_of_the_loop_nothing_is_confirmed() {
    let (_server, client, node) = pair(64, 8, 50);
    drop(client);
    let error = node.note("x").unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Misuse(Misuse::LoopGone));
}

/// Lines of warnings and errors in this process's log.
static LINES: AtomicU32 = AtomicU32::new(0);

struct Counts;

impl log::Log for Counts {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Warn
    }

    fn log(&self, record: &log::Record<'_>) {
        // The kernel tells of slow handlers, which there are in these tests.
        if self.enabled(record.metadata()) && !record.target().starts_with("peers_kernel") {
            LINES.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn flush(&self) {}
}

#[test]
fn what_is_refused_fills_no_log() {
    assert!(log::set_logger(&Counts).is_ok());
    log::set_max_level(log::LevelFilter::Warn);
    let (_server, address) = serve_with(limits(|limits| limits.frame = 10_000));
    let (client, node) = connect(&address, Limits::default());
    node.context().wait().unwrap();
    let large = "x".repeat(11_000);
    assert!((0..1_000).all(|_| node.note(&large).is_err()));
    client.with(|_| ()).unwrap();
    let lines = LINES.load(Ordering::Relaxed);
    assert!(lines < 20, "{lines} lines");
}
