//! Promise: two peers that know each other's keys talk, and nobody else does.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{between, identity, pair, settle};
use peers_rpc::SecurityError;

#[test]
fn both_sides_prove_their_keys_and_talk() {
    let (mut a, mut b) = pair(1);
    settle(&mut a, &mut b);
    assert!(a.error.is_none() && b.error.is_none(), "{:?} {:?}", a.error, b.error);
    assert_eq!(a.layer.peer(), Some(identity(2).key()));
    assert_eq!(b.layer.peer(), Some(identity(1).key()));
    a.say(b"hello");
    b.say(b"and hello to you");
    let (from_a, _) = settle(&mut a, &mut b);
    assert_eq!((&a.plain[..], &b.plain[..]), (&b"and hello to you"[..], &b"hello"[..]));
    assert!(!from_a.windows(5).any(|part| part == b"hello"));
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let run = |seed| {
        let (mut a, mut b) = pair(seed);
        let shaken = settle(&mut a, &mut b);
        a.say(b"a word");
        (shaken, settle(&mut a, &mut b))
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn another_key_than_the_expected_one_learns_nothing() {
    let (me, other) = (identity(1), identity(3));
    let (mut a, mut b) = between(&me, &other, identity(2).key(), 1);
    let (from_a, _) = settle(&mut a, &mut b);
    let wrong = SecurityError::WrongPeer { expected: identity(2).key(), found: identity(3).key() };
    assert_eq!(a.security(), Some(&wrong));
    assert!(b.error.is_some() && b.layer.peer().is_none());
    assert!(!from_a.windows(32).any(|part| part == me.key().0));
}
