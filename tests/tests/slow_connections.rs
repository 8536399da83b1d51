//! Connections that say nothing, or too slowly, or something else, or come in masses, or vanish.
//! What waits, waits in virtual time; bytes and descriptors are real.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use peers_rpc::kernel::sim::World;
use peers_rpc::wire::{ByeCode, PREAMBLE};
use peers_rpc::{CloseReason, Endpoint, ErrorKind, Instant, Limits};
use peers_tests::raw::{ECHO, Raw, Said, call, frames, greeting, socket_addr};
use peers_tests::stage::{Actor, Line};
use peers_tests::victim::Victim;
use std::net::TcpStream;
use std::time::Duration;

const VICTIM: &str = env!("CARGO_BIN_EXE_victim");
const MIB: u64 = 1 << 20;

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn at(seconds: u64) -> Instant {
    Instant::default() + secs(seconds)
}

/// A world with a server, and so many lines to it that have just been connected.
fn lines(count: usize) -> (World, Actor, Vec<Line>) {
    let mut world = World::new(1);
    let server = Actor::enter(&mut world, "server", Limits::default());
    let crowd = world.process("crowd", |_| ());
    let dial = |_| world.with(crowd, |handle| Line::dial(handle, &server.address));
    let lines: Vec<Line> = (0..count).map(dial).collect();
    world.run_until(at(1));
    assert_eq!(server.rpc.endpoints().len(), count);
    (world, server, lines)
}

/// Everything that a line has heard.
fn heard(line: &Line) -> Vec<Said> {
    let bytes = line.heard();
    frames(bytes.strip_prefix(&PREAMBLE).expect("a preamble"))
}

fn bye(line: &Line) -> Option<ByeCode> {
    let last = heard(line).pop()?;
    peers_rpc::wire::Bye::decode(&last.body).ok().map(|bye| bye.code)
}

#[test]
fn who_says_nothing_is_dropped_after_five_seconds() {
    let (mut world, server, silent) = lines(500);
    world.run_until(at(5));
    assert!(silent.iter().all(|line| line.ended().is_none()), "they have five seconds");
    world.run_until(at(6) + Duration::from_millis(500));
    for line in &silent {
        assert!(line.ended().is_some_and(|end| end >= at(5)), "{line:?}");
        assert_eq!(bye(line), Some(ByeCode::TimedOut));
    }
    assert_eq!(server.rpc.endpoints().len(), 0);
}

#[test]
fn a_silent_connection_costs_less_than_four_kilobytes() {
    const SILENT: u64 = 2_000;
    let victim = Victim::start(VICTIM);
    let wave = || -> Vec<Raw> {
        let mut silent: Vec<Raw> = (0..SILENT).map(|_| victim.raw()).collect();
        assert!(silent.iter_mut().all(Raw::is_greeted));
        silent
    };
    let before = victim.memory();
    let first = wave();
    let during = victim.memory();
    let cost = (during - before) / SILENT;
    assert!(cost <= 4_096, "{cost} bytes for each silent connection");
    drop(first);
    victim.assert_well();
    drop(wave());
    victim.assert_well();
    let after = victim.memory();
    assert!(after <= during + MIB, "a second wave costs nothing more: {during} -> {after}");
}

#[test]
fn a_dripping_hello_has_five_seconds_in_all() {
    let (mut world, server, drips) = lines(200);
    let hello = greeting();
    for second in 1..20 {
        for line in drips.iter().filter(|line| line.ended().is_none()) {
            line.say(&hello[second..=second]);
        }
        world.run_until(at(second as u64 + 1));
    }
    for line in &drips {
        assert!(line.ended().is_some_and(|end| end <= at(7)), "the whole hello has 5 s: {line:?}");
    }
    assert_eq!(server.rpc.endpoints().len(), 0);
}

#[test]
fn a_dripping_frame_has_thirty_seconds_in_all() {
    let (mut world, server, drips) = lines(200);
    let slow = call(1, ECHO, &("a text that is long enough for a minute of dripping",));
    for line in &drips {
        line.say(&greeting());
    }
    for second in 0..60 {
        for line in drips.iter().filter(|line| line.ended().is_none()) {
            line.say(&slow[second..=second]);
        }
        world.run_until(at(second as u64 + 2));
        let open = server.rpc.endpoints().len();
        assert!(second > 28 || open == drips.len(), "{open} open after {second} s");
        assert!(second < 32 || open == 0, "{open} open after {second} s");
    }
    assert!(drips.iter().all(|line| bye(line) == Some(ByeCode::TimedOut)));
    assert_eq!(server.look(|trial| trial.heard.len()), 0);
}

#[test]
fn without_descriptors_who_is_in_is_served() {
    let victim = Victim::with_descriptors(VICTIM, 64);
    let crowd: Vec<Raw> = (0..200).map(|_| victim.raw()).collect();
    for n in 0..100 {
        let text = n.to_string();
        assert_eq!(victim.honest().echo(text.as_str()).wait().as_ref(), Ok(&text));
    }
    drop(crowd);
    victim.assert_well_in_the_end();
    let lines = victim.log().lines().count();
    assert!(lines <= 30, "{lines} lines in the log:\n{}", victim.log());
}

#[test]
fn accepting_rests_until_there_are_descriptors() {
    let mut world = World::new(2);
    let server = Actor::enter(&mut world, "server", Limits::default());
    let client = Actor::enter(&mut world, "client", Limits::default());
    let old = client.dial(&mut world, &server);
    let first = client.call(&mut world, old.echo("before"));
    world.run_until(at(1));
    assert_eq!(first.take().as_deref(), Ok("before"));

    world.exhaust(server.process, true);
    let new = client.dial(&mut world, &server);
    let refused = client.call(&mut world, new.echo("nobody opens"));
    let served = client.call(&mut world, old.echo("during"));
    world.run_until(at(4));
    assert_eq!(served.take().as_deref(), Ok("during"), "who is in is served");
    assert_eq!(refused.count(), 0);

    world.exhaust(server.process, false);
    world.run_until(at(5) + Duration::from_millis(100));
    assert_eq!(refused.take().as_deref(), Ok("nobody opens"), "within a second");
}

#[test]
fn connections_that_die_in_the_queue_do_not_end_accepting() {
    let victim = Victim::start(VICTIM);
    for _ in 0..50 {
        for _ in 0..100 {
            let socket = TcpStream::connect(socket_addr(victim.address())).unwrap();
            socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO)).unwrap();
        }
        victim.assert_well();
    }
}

#[test]
fn a_foreign_protocol_is_named_and_dropped_at_once() {
    let victim = Victim::start(VICTIM);
    let openings: [(&[u8], &str); 8] = [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "an HTTP request"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "an HTTP/2 or gRPC client"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "a TLS hello"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "an SSH banner"),
        (b"*1\r\n$4\r\nPING\r\n", "like Redis"),
        (b"EHLO example.org\r\n", "SMTP or FTP"),
        (b"\x00\x01\x02\x03\x04\x05\x06\x07\x08garbage", "like garbage"),
        (b"\x89PEERS\x02\x09", "protocol version 521"),
    ];
    for (opening, _) in openings {
        let mut raw = victim.raw();
        raw.send(opening);
        raw.drain(); // it is closed at once: it would be found open until the hello's deadline
    }
    victim.assert_well();
    let log = victim.log();
    for (_, words) in openings {
        assert_eq!(log.matches(words).count(), 1, "{words} in\n{log}");
    }
    assert_eq!(log.lines().count(), openings.len(), "{log}");
}

/// The other process is there and its connection is open, but nothing passes any more.
#[test]
fn a_host_that_vanished_is_found_dead_within_46_seconds() {
    let mut world = World::new(3);
    let server = Actor::enter(&mut world, "server", Limits::default());
    let client = Actor::enter(&mut world, "client", Limits::default());
    let node = client.dial(&mut world, &server);
    let held: Vec<_> =
        (0..100).map(|_| client.call(&mut world, node.hold("x").forever())).collect();
    world.run_until(at(2));
    assert_eq!(server.look(|trial| trial.held.len()), 100);

    world.partition(&[client.process], &[server.process]);
    let accepted: Endpoint = server.rpc.endpoints().remove(0);
    let ends = [client.end_of(node.caller()), server.end_of(&accepted)];
    world.run_until(at(31));
    assert!(ends.iter().all(|end| end.borrow().is_none()), "not before 30 s");
    world.run_until(at(48));
    for end in ends {
        let end = end.borrow_mut().take();
        let (when, why) = end.expect("found out within 46 s");
        assert_eq!(why, CloseReason::PeerTimeout, "{when:?}");
    }
    for call in held {
        let error = call.take().unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Disconnected(CloseReason::PeerTimeout));
    }
}
