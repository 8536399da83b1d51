//! Answers that lie: to calls that were never made, too late, twice, of another type. No call hears
//! what was meant for another.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use peers_rpc::kernel::sim::World;
use peers_rpc::wire::{ByeCode, Hello, Kind, NodeId, PREAMBLE, method_id, put_reply};
use peers_rpc::{Error, ErrorKind, Limits};
use peers_tests::raw::{Raw, Said, call, frame, frames, greeting};
use peers_tests::stage::{Actor, Line};
use peers_tests::trial::TrialProxy;
use peers_tests::victim::Victim;
use std::time::Duration;

const VICTIM: &str = env!("CARGO_BIN_EXE_victim");
const BOUNCE: u64 = method_id("trial.trial.bounce()->u16");
const REPLY: u8 = Kind::Reply.number();

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A connection on which the victim waits for an answer of ours, and the id of its call.
fn called_back(victim: &Victim) -> (Raw, u64) {
    let mut raw = victim.greeted();
    raw.send(&call(1, BOUNCE, &()));
    let said = raw.read().unwrap();
    assert_eq!(said.kind, Kind::Call);
    (raw, said.call)
}

#[test]
fn a_reply_to_a_call_that_was_never_made_ends_the_connection() {
    let victim = Victim::start(VICTIM);
    let (_, id) = called_back(&victim);
    let next = id + (1 << 24);
    let mut random = 0x2005_u64;
    let randoms = (0..500).map(|_| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        random | 1 << 50 // the counter of no call that is made here
    });
    for forged in [0, 1, id + 1, next, next + 1, u64::MAX - 1, u64::MAX].into_iter().chain(randoms)
    {
        let (mut raw, _) = called_back(&victim);
        raw.send(&frame(2, REPLY, 0, forged, &[0, 5]));
        assert_eq!(raw.bye(), Some(ByeCode::Protocol), "{forged:#x}");
    }
    let (mut honest, id) = called_back(&victim);
    honest.send(&frame(2, REPLY, 0, id, &[0, 5]));
    assert_eq!(honest.answer_to(1).body, [0, 5]);
    victim.assert_well();
}

#[test]
fn a_reply_to_a_call_that_still_waits_for_credit_ends_the_connection() {
    let victim = Victim::start(VICTIM);
    let mut raw = victim.raw();
    let mut bytes = PREAMBLE.to_vec();
    Hello { window: 1, ..Hello::new(NodeId::from_bits(1)) }.put(&mut bytes);
    bytes.extend(call(1, BOUNCE, &()));
    bytes.extend(call(2, BOUNCE, &()));
    raw.send(&bytes);
    raw.read_greeting();
    let first = raw.read().unwrap().call;
    let second = first + (1 << 24) + 1;
    raw.send(&frame(2, REPLY, 0, second, &[0, 5]));
    assert_eq!(raw.bye(), Some(ByeCode::Protocol), "it was not sent yet");
}

/// A server that was dialled by a line, and a proxy to call that line.
fn reverse(world: &mut World) -> (Actor, Line, TrialProxy) {
    let server = Actor::enter(world, "server", Limits::default());
    let process = world.process("line", |_| ());
    let line = world.with(process, |handle| Line::dial(handle, &server.address));
    world.run_for(Duration::from_millis(100));
    line.say(&greeting());
    world.run_for(Duration::from_millis(100));
    let endpoint = server.rpc.endpoints().remove(0);
    (server, line, TrialProxy::new(endpoint))
}

/// The calls that have come by a line since `read` bytes.
fn calls(line: &Line, read: &mut usize) -> Vec<Said> {
    let bytes = line.heard();
    let start = if *read == 0 { PREAMBLE.len() } else { *read };
    *read = bytes.len();
    frames(&bytes[start..]).into_iter().filter(|said| said.kind == Kind::Call).collect()
}

/// Each reply carries what its call carried; each comes twice, and every other one too late.
#[test]
fn late_and_duplicate_replies_reach_no_other_call() {
    let mut world = World::new(22);
    let (server, line, node) = reverse(&mut world);
    let (mut read, mut late) = (0, Vec::new());
    for round in 0..200 {
        let names: Vec<String> = (0..20).map(|n| format!("call {round}.{n}")).collect();
        let outcomes: Vec<_> = names
            .iter()
            .map(|name| server.call(&mut world, node.echo(name.as_str()).within(secs(1))))
            .collect();
        world.run_for(Duration::from_millis(500));
        let asked = calls(&line, &mut read);
        assert_eq!(asked.len(), names.len());
        let mut replies: Vec<u8> = std::mem::take(&mut late);
        for (n, said) in asked.iter().enumerate() {
            let replies = if n % 2 == 0 { &mut replies } else { &mut late };
            let reply = frame(said.body.len() as u32 - 16, REPLY, 0, said.call, &said.body[16..]);
            replies.extend(reply.repeat(2));
        }
        line.say(&replies);
        world.run_for(secs(1));
        for (n, (name, outcome)) in names.iter().zip(outcomes).enumerate() {
            match outcome.take() {
                Ok(text) => assert_eq!((&text, n % 2), (name, 0), "another call's reply"),
                Err(error) => {
                    assert!(matches!(error.kind(), ErrorKind::TimedOut { .. }) && n % 2 == 1);
                }
            }
        }
    }
    assert!(node.caller().is_open() && node.caller().pending() == 0);
    assert_eq!(line.ended(), None);
}

#[test]
fn a_reply_of_the_wrong_type_is_one_callers_error_with_both_types() {
    let mut world = World::new(23);
    let (server, line, node) = reverse(&mut world);
    let sum = server.call(&mut world, node.sum(vec![1, 2]));
    let echo = server.call(&mut world, node.echo("one"));
    let fine = server.call(&mut world, node.echo("two"));
    world.run_for(secs(1));
    let asked = calls(&line, &mut 0);
    let ids: Vec<u64> = asked.iter().map(|said| said.call).collect();
    let mut replies = Vec::new();
    put_reply(&mut replies, u32::MAX, ids[0], &"three").unwrap();
    put_reply(&mut replies, u32::MAX, ids[1], &3_i64).unwrap();
    put_reply(&mut replies, u32::MAX, ids[2], &"two").unwrap();
    line.say(&replies);
    world.run_for(secs(1));
    let wrong = |error: Error, name: &str, of_type: &str| match error.kind() {
        ErrorKind::BadReply { method, expected, reason } => {
            assert!(method.ends_with(name) && expected.contains(of_type), "{method} {expected}");
            assert!(!reason.is_empty());
        }
        other => panic!("{other}"),
    };
    wrong(sum.take().unwrap_err(), "sum", "i64");
    wrong(echo.take().unwrap_err(), "echo", "String");
    assert_eq!(fine.take().as_deref(), Ok("two"), "nobody else is hurt");
    assert!(node.caller().is_open());
}
