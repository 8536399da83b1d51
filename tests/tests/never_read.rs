//! Promise: peers that ask and never read, however many, cost a process no more memory than it was
//! given for all its peers; each is gone as soon as it has taken nothing for its time, also if all
//! that it is owed lies with the system; then the memory is back with the system too, and honest
//! callers are answered all the while.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "it looks at another process now and then")]

use peers_rpc::wire::method_id;
use peers_tests::raw::{Raw, call};
use peers_tests::victim::Victim;
use socket2::{Domain, Socket, Type};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

const VICTIM: &str = env!("CARGO_BIN_EXE_victim");
const LOAD: u64 = method_id("trial.trial.load(u32)->string");
const MIB: u64 = 1 << 20;
/// What the victim may hold for its peers.
const BUDGET: u64 = 32 * MIB;
const GREEDY: u64 = 60;
/// Peers that are owed little enough for the system to hold all of it.
const MODEST: u64 = 40;
/// Long after the two seconds that a peer may take nothing, and long before it is taken for dead.
const SOON: Duration = Duration::from_secs(20);

/// A peer that asks for so many values of so many bytes, for which the system has little room.
fn deaf(victim: &Victim, count: u64, bytes: u32) -> Raw {
    let address = peers_tests::raw::socket_addr(victim.address());
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.connect(&address.into()).unwrap();
    let mut raw = Raw::over(TcpStream::from(socket));
    let mut words = peers_tests::raw::greeting();
    words.extend((1..=count).flat_map(|id| call(id, LOAD, &(bytes,))));
    raw.send(&words);
    raw
}

#[test]
fn peers_that_never_read_are_gone_in_time_and_so_is_what_was_held_for_them() {
    let environment = format!("VICTIM_BYTES={BUDGET} VICTIM_PATIENCE=2");
    let victim = Victim::with_environment(VICTIM, 8_192, &environment);
    // What is needed for the first of its kind is no peer's.
    assert_eq!(victim.honest().load(500_000).wait().unwrap().len(), 500_000);
    let (before, descriptors) = (victim.memory(), victim.descriptors());
    let began = Instant::now();
    // Values of two sizes, so that the smaller ones lie among the larger ones.
    let crowd: Vec<Raw> = (0..GREEDY)
        .map(|n| if n % 2 == 0 { deaf(&victim, 60, 500_000) } else { deaf(&victim, 600, 20_000) })
        .chain((0..MODEST).map(|_| deaf(&victim, 40, 1_000)))
        .collect();
    while victim.descriptors() > descriptors {
        victim.assert_well();
        let left = victim.descriptors() - descriptors;
        assert!(began.elapsed() < SOON, "{left} are still there");
        thread::sleep(Duration::from_millis(50));
    }
    let worst = victim.peak_memory() - before;
    assert!(worst > BUDGET / 2, "they asked for enough: {worst} bytes");
    assert!(worst <= BUDGET + BUDGET / 10, "{worst} bytes at the worst");
    let kept = || victim.memory().saturating_sub(before);
    while kept() > BUDGET / 10 {
        victim.assert_well();
        assert!(began.elapsed() < 2 * SOON, "{} bytes are not given back", kept());
        thread::sleep(Duration::from_millis(50));
    }
    drop(crowd);
}
