//! Promise: where the peer works beside us, much that is said in one turn is written in two parts,
//! and little in one; what is said, its order and what becomes of it are the same.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Field, Got, in_other_worlds, limits};
use peers_rpc::{CloseReason, Limits};

/// Calls `many` times in one turn, and says what came of it and what the world's trace is then.
fn called(seed: u64, many: usize, early: bool) -> (Vec<String>, u64) {
    let mut field = Field::simulated(seed);
    let (client, server, node) = field.met_pair();
    field.speak_early(&client, early);
    field.speak_early(&server, early);
    let calls = field.on(&client, move || {
        let started = (0..many).map(|n| {
            let (k, got) = Got::new(node.caller().handle());
            node.echo(n.to_string()).then(k);
            got
        });
        started.collect::<Vec<Got<String>>>()
    });
    let outcomes = field.outcomes(&calls).into_iter().map(Result::unwrap).collect();
    assert!(server.heard().into_iter().eq((0..many).map(|n| n.to_string())), "in the order sent");
    (outcomes, field.world().trace_hash())
}

#[test]
fn much_is_written_in_two_parts_and_means_the_same() {
    for seed in 0..10 {
        let (early, late) = (called(seed, 1_000, true), called(seed, 1_000, false));
        assert!(early.0.iter().cloned().eq((0..1_000).map(|n| n.to_string())));
        assert_eq!(early.0, late.0);
        assert_ne!(early.1, late.1, "written in two parts");
    }
}

#[test]
fn little_is_written_once_whoever_the_peer_is() {
    assert_eq!(called(1, 20, true), called(1, 20, false));
}

#[test]
fn credit_comes_back_for_what_was_said_early() {
    let few = limits(|limits| limits.request_window = 64);
    let mut field = Field::simulated(3);
    let (client, server, node) = field.pair_with(Limits::default(), few);
    let text = |n: usize| format!("{n}:{}", "x".repeat(200));
    let calls: Vec<_> = (0..1_000)
        .map(|n| {
            let (k, got) = Got::new(client.handle());
            node.echo(text(n)).then(k);
            got
        })
        .collect();
    field.on(&client, || ());
    for (n, outcome) in field.outcomes(&calls).into_iter().enumerate() {
        assert_eq!(outcome.unwrap(), text(n));
    }
    assert_eq!(server.heard().len(), 1_000);
}

#[test]
fn a_goodbye_comes_behind_all_that_was_said_before_it() {
    for seed in 0..10 {
        let mut field = Field::simulated(seed);
        let (client, server, node) = field.met_pair();
        let ends = server.watch(&server.accepted()[0]);
        field.on(&client, move || {
            (0..1_000).for_each(|n| node.note(n.to_string()).unwrap());
            node.caller().close();
        });
        field.until(|| ends.is_done());
        assert!(server.heard().into_iter().eq((0..1_000).map(|n| n.to_string())));
        assert!(matches!(ends.take(), Ok(CloseReason::PeerBye { .. })));
    }
}

in_other_worlds! {
    much_is_written_in_two_parts_and_means_the_same,
        not LittleRoom: "what waits for credit is written later anyway";
    little_is_written_once_whoever_the_peer_is;
    credit_comes_back_for_what_was_said_early;
    a_goodbye_comes_behind_all_that_was_said_before_it;
}
