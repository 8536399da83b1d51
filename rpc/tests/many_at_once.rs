//! Promise: however much arrives at once, all of it is taken, each thing once and in order, and
//! what is said about it stays small: frames of one segment, connections that are ready in one
//! turn.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;
mod session_harness;

use common::{Field, Got, in_other_worlds, limits, millis};
use peers_rpc::session::Head;
use peers_wire::Kind;
use session_harness::{End, Manner, Pair, Seen, frames};

const MANY: u32 = 100_000;

/// Two sessions of which either may have so many requests under way.
fn wide() -> Pair {
    let wide = || {
        limits(|limits| {
            limits.request_window = 2 * MANY;
            limits.output_low_water = 64 << 20;
            limits.waiting_bytes = 64 << 20;
            limits.waiting = 2 * MANY as usize;
        })
    };
    let mut pair = Pair::open_with(wide(), wide());
    pair.b.manner = Manner::Echo;
    pair
}

#[test]
fn a_hundred_thousand_events_in_one_segment_are_all_started() {
    let mut pair = wide();
    for method in 0..MANY {
        pair.a.event(pair.now, method.into());
    }
    assert_eq!(pair.a.session.credit_held(), MANY as usize, "all are on their way");
    pair.a_to_b(usize::MAX);
    let credits = frames(&pair.b.out, false);
    assert!(credits.iter().all(|(kind, ..)| *kind == Kind::Credit), "nothing else is to be said");
    assert!(credits.len() <= MANY as usize / 64 + 1, "credit is returned in batches");
    pair.exchange();
    pair.a.assert_settled();
    pair.b.assert_settled();
}

#[test]
fn a_hundred_thousand_calls_in_one_segment_are_all_answered_in_order() {
    let mut pair = wide();
    for key in 0..MANY {
        pair.a.call(pair.now, Head::new(1), &key.to_be_bytes(), key);
    }
    pair.a_to_b(usize::MAX);
    pair.b_to_a(usize::MAX);
    for key in 0..MANY {
        let answer = Seen::Answer(key, End::Value(key.to_be_bytes().to_vec()));
        assert_eq!(pair.a.next(), Some(answer));
    }
    pair.exchange();
    pair.a.assert_settled();
    pair.b.assert_settled();
}

fn connections_at_once(mut field: Field) {
    let server = field.peer("server");
    let clients: Vec<_> = (0..5).map(|n| field.peer(&format!("client {n}"))).collect();
    let lines: Vec<_> = (0..500).map(|n| (n % 5, field.dial(&clients[n % 5], &server))).collect();
    let greeted: Vec<Got<_>> =
        lines.iter().map(|(of, line)| field.start(&clients[*of], line.context())).collect();
    for outcome in field.outcomes(&greeted) {
        outcome.unwrap();
    }

    field.world().stop(server.process());
    let said = |n: usize, word: &str| format!("{n} says {word}");
    let calls: Vec<Got<String>> = (lines.iter().enumerate())
        .flat_map(|(n, (of, line))| ["one", "two"].map(|word| (n, *of, line, word)))
        .map(|(n, of, line, word)| field.start(&clients[of], line.echo(said(n, word))))
        .collect();
    field.pass(millis(100));
    assert!(calls.iter().all(|call| !call.is_done()), "it stands still");
    field.world().resume(server.process());
    let told: Vec<String> = field.outcomes(&calls).into_iter().map(Result::unwrap).collect();
    let expected: Vec<_> = (0..500).flat_map(|n| [said(n, "one"), said(n, "two")]).collect();
    assert_eq!(told, expected, "each has its own answers");
    // Whoever comes first varies; what one connection says stays in order.
    let heard = server.heard();
    assert_eq!(heard.len(), 1_000, "each was heard once");
    let place = |text: String| heard.iter().position(|one| *one == text).unwrap();
    assert!((0..500).all(|n| place(said(n, "one")) < place(said(n, "two"))));
}

#[test]
fn five_hundred_connections_that_are_ready_in_one_turn_are_all_heard() {
    connections_at_once(Field::simulated(1));
}

#[test]
fn and_so_they_are_one_task_a_turn_and_in_small_pieces() {
    connections_at_once(Field::simulated(2).one_task_a_turn());
    connections_at_once(Field::simulated(3).in_small_pieces());
}

in_other_worlds! {
    five_hundred_connections_that_are_ready_in_one_turn_are_all_heard;
    and_so_they_are_one_task_a_turn_and_in_small_pieces;
}
