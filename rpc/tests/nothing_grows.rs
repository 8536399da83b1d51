//! Promise: what is used up is given back. After a hundred thousand posts, calls and events and ten
//! thousand connections, or a million calls and as many connections where the tests are built for
//! release, nothing is left of them, neither here nor at the peer, and the process holds no more
//! memory than after a tenth of them.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;
mod threads;

use common::{Context, Field, limits, millis, secs};
use peers_rpc::{Cont, Error};
use std::cell::Cell;
use std::fs;
use std::rc::Rc;
use threads::{connect, heard, serve_with};

/// Crowds of a hundred connections, and batches of a thousand calls.
const CROWDS: usize = if cfg!(debug_assertions) { 100 } else { 10_000 };
const BATCHES: usize = if cfg!(debug_assertions) { 100 } else { 1_000 };

/// KiB that other tests of this file may hold more at one time than at another.
const OTHERS: u64 = 16 << 10;

/// Returns how many KiB of memory this process has; none where the system does not tell.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.map_or(0, |line| line.trim().trim_end_matches(" kB").parse().unwrap())
}

/// What the process has after a tenth of something.
#[derive(Default)]
struct Tenth(u64);

impl Tenth {
    /// `done` of `all` are over: after the last one it has hardly more.
    fn look(&mut self, done: usize, all: usize) {
        if done == all / 10 {
            self.0 = resident();
        }
        if done == all {
            let (before, after) = (self.0, resident());
            assert!(after < before + OTHERS, "{before} KiB after a tenth, {after} after all");
        }
    }
}

/// Returns what a process holds.
fn pending(field: &mut Field, peer: &common::Peer) -> (usize, usize, usize) {
    let dump = field.on(peer, {
        let handle = peer.handle().clone();
        move || handle.dump()
    });
    (dump.continuations(), dump.timers(), peer.rpc().endpoints().len())
}

#[test]
fn a_thousand_connections_that_come_and_go_leave_nothing() {
    let mut field = Field::simulated(1);
    let (server, client) = (field.peer("server"), field.peer("client"));
    let mut before = None;
    for round in 0..1_000 {
        let node = field.dial(&client, &server);
        field.outcome(&client, node.echo("x")).unwrap();
        let endpoint = node.caller().clone();
        field.on(&client, move || endpoint.close());
        field.until(|| server.rpc().endpoints().is_empty());
        field.pass(secs(6));
        let now = (pending(&mut field, &client), pending(&mut field, &server));
        if round == 10 {
            before = Some(now);
        } else if round > 10 {
            assert_eq!(Some(now), before, "round {round}");
        }
    }
}

/// A hundred at a time: they are dialled, used and closed in the same turns.
#[test]
fn connections_in_crowds_leave_nothing() {
    let mut field = Field::simulated(2);
    let (server, client) = (field.peer("server"), field.peer("client"));
    let (mut before, mut tenth) = (None, Tenth::default());
    for round in 0..CROWDS {
        let nodes: Vec<_> = (0..100).map(|_| field.dial_only(&client, &server)).collect();
        let calls: Vec<_> = nodes.iter().map(|node| field.start(&client, node.context())).collect();
        for outcome in field.outcomes(&calls) {
            outcome.unwrap();
        }
        let endpoints: Vec<_> = nodes.iter().map(|node| node.caller().clone()).collect();
        field.on(&client, move || endpoints.iter().for_each(|endpoint| endpoint.close()));
        field.until(|| server.rpc().endpoints().is_empty());
        server.forget_accepted();
        field.pass(secs(6));
        let now = (pending(&mut field, &client), pending(&mut field, &server));
        assert_eq!(*before.get_or_insert(now), now, "round {round}");
        tenth.look(round + 1, CROWDS);
    }
}

/// The audit at the end of the run looks for their records and credits.
#[test]
fn very_many_calls_leave_nothing() {
    let mut field = Field::simulated(3);
    let (client, server, node) = field.met_pair();
    field.pass(secs(20));
    let before = (pending(&mut field, &client), pending(&mut field, &server));
    let (answered, mut tenth) = (Rc::new(Cell::new(0)), Tenth::default());
    for batch in 1..=BATCHES {
        let (line, handle, done) = (node.clone(), client.handle().clone(), answered.clone());
        field.on(&client, move || {
            for _ in 0..1_000 {
                let done = done.clone();
                let count = move |outcome: Result<Context, Error>| {
                    outcome.unwrap();
                    done.set(done.get() + 1);
                };
                line.context().then(Cont::new(&handle, count));
            }
        });
        field.until(|| answered.get() == batch * 1_000);
        assert_eq!((node.caller().pending(), server.rpc().running()), (0, 0), "batch {batch}");
        tenth.look(batch, BATCHES);
    }
    field.pass(secs(20));
    assert_eq!((pending(&mut field, &client), pending(&mut field, &server)), before);
}

#[test]
fn ten_thousand_calls_cancelled_or_timed_out_leave_nothing() {
    let mut field = Field::simulated(1);
    let (client, server, node) = field.met_pair();
    field.pass(secs(6));
    let before = (pending(&mut field, &client), pending(&mut field, &server));
    for _ in 0..100 {
        let calls: Vec<_> = (0..100)
            .map(|n| field.start(&client, node.hold(n.to_string()).within(millis(20))))
            .collect();
        field.outcomes(&calls).into_iter().for_each(|outcome| assert!(outcome.is_err()));
        field.until_within(secs(3), || server.rpc().running() == 0);
        for n in 0..100 {
            drop(server.take_held(&n.to_string()));
        }
    }
    field.pass(secs(6));
    assert_eq!(node.caller().pending(), 0);
    assert_eq!((pending(&mut field, &client), pending(&mut field, &server)), before);
}

#[test]
fn a_hundred_thousand_events_of_a_thread_leave_their_places() {
    let (server, address) = serve_with(limits(|limits| limits.request_window = 64));
    let (client, node) = connect(&address, limits(|limits| limits.waiting = 32));
    for _ in 0..100_000 {
        node.note("").unwrap();
    }
    node.context().forever().wait().unwrap();
    assert_eq!(heard(&server).len(), 100_000);
    // All 32 places are there again: as many fit at once.
    let busy = threads::Blocked::of(&server.remote());
    for _ in 0..64 + 32 {
        node.note("").unwrap();
    }
    busy.end();
    assert!(client.close().unwrap().is_complete());
}
