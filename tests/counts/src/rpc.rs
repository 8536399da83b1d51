//! Calls: the protocol alone, and whole calls between two simulated processes.

#[allow(dead_code, unreachable_pub, reason = "shared with a benchmark, which uses all of it")]
#[path = "../../../rpc/benches/ends/mod.rs"]
mod ends;
#[allow(unreachable_pub, reason = "shared with a benchmark")]
#[path = "../../../rpc/benches/star/mod.rs"]
mod star;

use ends::{End, round_trip};
use peers_rpc::Instant;
use peers_rpc::session::Role;
use star::Star;
use std::time::Duration;

fn round_trips(calls: u64, at_a_time: u64) {
    let (mut a, mut b) = (End::greeted(Role::Dialled), End::greeted(Role::Accepted));
    let mut now = Instant::default();
    for _ in 0..calls / at_a_time {
        now = now + Duration::from_micros(1);
        round_trip(&mut a, &mut b, now, at_a_time);
    }
    assert_eq!(a.answered, calls);
}

pub(crate) fn session(calls: u64) {
    round_trips(calls, 1);
}

pub(crate) fn session_64(calls: u64) {
    round_trips(calls, 64);
}

pub(crate) fn call(calls: u64) {
    Star::new(1).calls(calls, 1);
}

pub(crate) fn call_64(calls: u64) {
    Star::new(1).calls(calls, 64);
}

pub(crate) fn call_1024(calls: u64) {
    Star::new(1).calls(calls, 1024);
}
