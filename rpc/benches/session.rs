//! Measures what the protocol itself costs for each call, without sockets, loop or handlers: two
//! sessions in one thread, and each side alone. Run with
//! `cargo bench -p peers-rpc --bench session`.

mod ends;
#[path = "../../kernel/benches/harness/mod.rs"]
mod harness;

use ends::{ARGS, End, VALUE, round_trip};
use harness::{report, say, timed};
use peers_rpc::Instant;
use peers_rpc::session::{Inbound, Role, Session};
use peers_rpc::wire::{CallHead, Encoded, put_call, put_event, put_reply};
use std::hint::black_box;
use std::time::Duration;

/// Calls in each round.
const CALLS: u64 = 64_000;

/// Times rounds of [`CALLS`] operations.
fn measure(name: &str, mut round: impl FnMut()) {
    report(name, "-", CALLS, || timed(&mut round));
}

/// Full calls between two ends, so many of them in each segment.
fn round_trips(name: &str, depth: u64, pending: u64) {
    let (mut a, mut b) = (End::greeted(Role::Dialled), End::greeted(Role::Accepted));
    let mut now = Instant::default();
    for _ in 0..pending {
        a.call(now);
    }
    a.sent(now); // never read by the other end
    let mut made = 0;
    measure(name, || {
        for _ in 0..CALLS / depth {
            now = now + Duration::from_micros(1);
            round_trip(&mut a, &mut b, now, depth);
            made += depth;
        }
    });
    assert_eq!(a.answered, made);
}

fn calling_side() {
    let mut end = End::greeted(Role::Dialled);
    let now = Instant::default();
    let mut answers = Vec::new();
    measure("calling side: call, and its answer taken (64 at a time)", || {
        for _ in 0..CALLS / 64 {
            answers.clear();
            for _ in 0..64 {
                let id = end.call(now);
                let put = put_reply(&mut answers, u32::MAX, id.number(), &VALUE);
                put.expect("an answer fits");
            }
            end.sent(now);
            end.read(now, &answers);
        }
    });
}

fn serving_side() {
    let head = CallHead { remaining_ms: 30_000, ..CallHead::new(7) };
    let (mut calls, mut events) = (Vec::new(), Vec::new());
    for n in 0..64 {
        put_call(&mut calls, u32::MAX, n, &head, &Encoded(ARGS)).expect("a call fits");
        put_event(&mut events, u32::MAX, &head, &Encoded(ARGS)).expect("an event fits");
    }
    for (what, batch) in [("call, and its answer given", calls), ("event", events)] {
        let mut end = End::greeted(Role::Accepted);
        let now = Instant::default();
        measure(&format!("serving side: {what} (64 at a time)"), || {
            for _ in 0..CALLS / 64 {
                end.read(now, black_box(&batch));
                end.sent(now);
            }
        });
    }
}

fn main() {
    round_trips("both sides: one call at a time", 1, 0);
    round_trips("both sides: 64 at a time", 64, 0);
    round_trips("both sides: 1,000 at a time", 1_000, 0);
    round_trips("both sides: 64 at a time, 4,000 others pending", 64, 4_000);
    calling_side();
    serving_side();
    say("a session", &format!("{} bytes", size_of::<Session<Box<dyn Fn()>>>()));
    say("its input", &format!("{} bytes", size_of::<Inbound>()));
}
