//! Promise: while very much waits for its turn, whoever asks for little does not stand behind all
//! of it; and what is asked by a peer that takes nothing of what it is owed waits until it does. In
//! virtual time, where handlers say how long they take.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Desk, Field, Got, Peer, ProbeProxy, limits, millis, secs};
use peers_rpc::Limits;
use peers_rpc::kernel::{Cont, Outlet, Stream};
use peers_rpc::wire::{CallHead, Hello, NodeId, PREAMBLE, method_id, put_request, to_vec};
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

const SEEDS: std::ops::Range<u64> = 0..5;
/// Is what each call of those takes who ask for much.
const TAKES: Duration = Duration::from_millis(2);
/// Bytes of an answer to them.
const ANSWER: usize = 8_000;

const ASK: u64 = method_id("probe.probe.ask(string)->string");

/// A server that answers `much` with much, which takes long.
fn server(field: &mut Field, limits: Limits) -> Peer {
    let server = field.peer_with("server", limits);
    server.when_asked(move |_: &mut Desk, cx, _, text, reply| {
        let much = text == "much";
        if much {
            cx.handle().take_time(TAKES);
        }
        reply.ok(text + &"x".repeat(if much { ANSWER } else { 0 }));
    });
    server
}

fn honest(field: &mut Field, server: &Peer) -> (Peer, ProbeProxy) {
    let honest = field.peer("honest");
    let node = field.dial(&honest, server);
    field.outcome(&honest, node.context()).unwrap();
    (honest, node)
}

/// Asks for much at once, over each of so many connections.
fn crowd(field: &mut Field, server: &Peer, peers: usize, calls: usize) -> Vec<Got<String>> {
    let crowd = field.peer("crowd");
    let nodes: Vec<ProbeProxy> = (0..peers).map(|_| field.dial(&crowd, server)).collect();
    for node in &nodes {
        field.outcome(&crowd, node.context()).unwrap();
    }
    let asked = (0..calls).flat_map(|_| &nodes);
    asked.map(|node| field.start(&crowd, node.ask("much").forever())).collect()
}

#[test]
fn who_asks_for_little_is_answered_before_those_who_wait_since_long() {
    for seed in SEEDS {
        let mut field = Field::simulated(seed);
        let server = server(&mut field, Limits::default());
        let (honest, node) = honest(&mut field, &server);
        let calls = crowd(&mut field, &server, 50, 20);
        // They keep the server busy for two seconds, and each has its turn every 100 ms.
        field.pass(millis(300));
        for n in 0..40 {
            let began = field.now();
            let got = field.start(&honest, node.ask(n.to_string()));
            while !got.is_done() {
                field.pass(millis(1));
            }
            assert_eq!(got.take().unwrap(), n.to_string());
            let took = field.now() - began;
            // The way there and back takes 4 ms, and so do two turns of others.
            assert!(took <= millis(14), "seed {seed}: {took:?}");
        }
        assert!(calls.iter().any(|call| !call.is_done()), "seed {seed}: they wait still");
        field.outcomes_within(secs(10), &calls);
    }
}

/// A peer that asks for so much at once, and reads nothing until its outlet is told to.
fn one_that_does_not_read(
    field: &mut Field,
    server: &Peer,
    calls: u64,
) -> Rc<RefCell<Option<Outlet>>> {
    let (to, place) = (server.address().clone(), Rc::<RefCell<Option<Outlet>>>::default());
    let mut request = PREAMBLE.to_vec();
    Hello::new(NodeId::from_bits(7)).put(&mut request);
    let arguments = to_vec(&("much",)).unwrap();
    for call in 1..=calls {
        put_request(&mut request, Some(call), &CallHead::new(ASK), &arguments, 0);
    }
    let outlet = place.clone();
    field.world().process("deaf", move |kernel| {
        let k = Cont::new(&kernel.handle(), move |stream: io::Result<Stream>| {
            let stream = stream.unwrap().start(|_, _| ());
            stream.pause();
            stream.write(&request).unwrap();
            outlet.replace(Some(stream));
        });
        kernel.handle().connect(&to, k);
    });
    place
}

#[test]
fn what_a_peer_asks_that_does_not_read_waits_until_it_does() {
    for seed in SEEDS {
        let mut field = Field::simulated(seed);
        let server = server(&mut field, Limits::default());
        let deaf = one_that_does_not_read(&mut field, &server, 200);
        field.pass(secs(10));
        let executed = server.heard().len();
        // What the connection holds, and what is begun in the time after which it counts as full.
        assert!((8..80).contains(&executed), "seed {seed}: {executed}");
        deaf.borrow().as_ref().unwrap().resume();
        field.pass(secs(2));
        assert_eq!(server.heard().len(), 200, "seed {seed}");
        assert!(server.rpc().endpoints().iter().all(|endpoint| endpoint.is_open()));
    }
}

#[test]
fn that_delays_no_end() {
    let mut field = Field::simulated(1);
    let server = server(&mut field, Limits::default());
    let _deaf = one_that_does_not_read(&mut field, &server, 200);
    field.pass(secs(1));
    let executed = server.heard().len();
    server.rpc().endpoints()[0].close();
    field.pass(secs(12));
    // Calls are refused by then; what counts is that nothing waits for ever.
    assert_eq!(server.heard().len(), executed);
    assert_eq!(server.rpc().endpoints().len(), 0);
    assert_eq!(server.rpc().held_memory(), 0);
}

#[test]
fn while_memory_is_scarce_it_is_refused_and_others_are_served() {
    for seed in SEEDS {
        let mut field = Field::simulated(seed);
        // Of one who does not read some 300 KB wait here: that is more than three quarters.
        let server = server(&mut field, limits(|limits| limits.process_bytes = 360_000));
        let (honest, node) = honest(&mut field, &server);
        let deaf = one_that_does_not_read(&mut field, &server, 200);
        field.pass(secs(5));
        assert!(server.rpc().held_memory() > 270_000, "seed {seed}: it is scarce");
        let executed = server.heard().len();
        assert_eq!(field.outcome(&honest, node.ask("little")).unwrap(), "little");
        deaf.borrow().as_ref().unwrap().resume();
        field.pass(secs(5));
        assert_eq!(server.heard().len(), executed + 1, "seed {seed}: the rest was refused");
        assert_eq!(field.outcome(&honest, node.ask("little")).unwrap(), "little");
    }
}
