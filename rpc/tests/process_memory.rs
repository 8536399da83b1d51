//! Promise: all peers together can make a process hold no more memory than it may. Who does not
//! read is ended first, and the others are served.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Field, Got, Peer, ProbeProxy, limits, millis, secs};
use peers_rpc::kernel::sim::ProcessId;
use peers_rpc::kernel::{Cont, Input, Outlet, Stream};
use peers_rpc::wire::{CallHead, Hello, NodeId, PREAMBLE, method_id, put_request, to_vec};
use peers_rpc::{CloseReason, Endpoint, ErrorKind, Overload};
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;

const BUDGET: usize = 8 << 20;
/// Bytes of an answer to the crowd.
const ANSWER: usize = 8_000;
/// The number of answers that a peer asks for that does not read.
const ASKED: u64 = 40;

/// The most that the process has held, as its methods have seen it.
type Peak = Rc<Cell<usize>>;

/// A server that answers with much, and has `budget`.
fn server(field: &mut Field, budget: usize) -> (Peer, Peak) {
    let server = field.peer_with("server", limits(|limits| limits.process_bytes = budget));
    let peak = Peak::default();
    let seen = peak.clone();
    server.when_asked(move |_, cx, _, text, reply| {
        seen.set(seen.get().max(cx.handle().output_memory()));
        let length = if text == "much" { ANSWER } else { 0 };
        reply.ok(text + &"x".repeat(length));
    });
    (server, peak)
}

const ASK: u64 = method_id("probe.probe.ask(string)->string");

/// Peers that say hello, ask, and read nothing.
fn crowd(field: &mut Field, server: &Peer, peers: usize) -> (ProcessId, Rc<RefCell<Vec<Outlet>>>) {
    crowd_of("crowd", field, server, peers)
}

/// Such a crowd by that name.
fn crowd_of(
    name: &str,
    field: &mut Field,
    server: &Peer,
    peers: usize,
) -> (ProcessId, Rc<RefCell<Vec<Outlet>>>) {
    let (to, outlets) = (server.address().clone(), Rc::<RefCell<Vec<Outlet>>>::default());
    let all = outlets.clone();
    let mut request = PREAMBLE.to_vec();
    Hello::new(NodeId::from_bits(7)).put(&mut request);
    let arguments = to_vec(&("much",)).unwrap();
    for call in 1..=ASKED {
        put_request(&mut request, Some(call), &CallHead::new(ASK), &arguments, 0);
    }
    let process = field.world().process(name, move |kernel| {
        for _ in 0..peers {
            let (all, request) = (all.clone(), request.clone());
            let k = Cont::new(&kernel.handle(), move |stream: io::Result<Stream>| {
                let outlet = stream.unwrap().start(|_, input| if let Input::Bytes(_) = input {});
                outlet.pause();
                outlet.write(&request).unwrap();
                all.borrow_mut().push(outlet);
            });
            kernel.handle().connect(&to, k);
        }
    });
    (process, outlets)
}

#[test]
fn a_thousand_peers_that_never_read_cost_no_more_than_the_budget_and_nobody_else() {
    let mut field = Field::simulated(1);
    let (server, peak) = server(&mut field, BUDGET);
    let honest = field.peer("honest");
    let node = field.dial(&honest, &server);
    field.outcome(&honest, node.context()).unwrap();
    crowd(&mut field, &server, 1_000);
    // They ask for 320 MB, most of which would wait here.
    for n in 0..200 {
        let got = field.outcome(&honest, node.ask(n.to_string()).within(secs(2)));
        assert_eq!(got.unwrap(), n.to_string());
        let held = server.rpc().held_memory();
        assert!(held <= BUDGET + BUDGET / 10, "{held} bytes");
        field.pass(millis(10));
    }
    assert!(peak.get() > BUDGET / 2, "it was a crowd: {} bytes", peak.get());
    assert!(peak.get() <= BUDGET + BUDGET / 10, "{} bytes", peak.get());
    assert!(server.rpc().counters().relieved > 0);
    assert!(node.caller().is_open());
    // Whoever was not in the way is ended for not reading, or, if all was refused, for not
    // answering.
    field.pass(secs(50));
    assert_eq!(server.rpc().endpoints().len(), 1);
    assert_eq!(server.rpc().held_memory(), 0);
    assert_eq!(field.outcome(&honest, node.ask("after")).unwrap(), "after");
}

/// Makes the server hold answers for `client`, which reads or does not.
fn owe(field: &mut Field, client: &Peer, node: &ProbeProxy, count: usize) -> Vec<Got<String>> {
    (0..count).map(|_| field.start(client, node.ask("much").forever())).collect()
}

#[test]
fn who_makes_no_progress_is_ended_although_others_hold_more() {
    let mut field = Field::simulated(2);
    let (server, _) = server(&mut field, 2 << 20);
    // Twenty that do not read, each of which holds a little; nothing is said of them for two
    // seconds.
    let (_, stuck) = crowd(&mut field, &server, 5);
    field.pass(secs(2));
    let before = server.rpc().held_memory();
    assert!((1 << 20..(2 << 20) - 200_000).contains(&before), "{before} bytes");
    // One that reads, and is owed more than any of them.
    let reader = field.peer("reader");
    let node = field.dial(&reader, &server);
    field.outcome(&reader, node.context()).unwrap();
    let watched: Vec<Got<CloseReason>> =
        server.accepted().iter().map(|endpoint| server.watch(endpoint)).collect();
    let calls = owe(&mut field, &reader, &node, 200);
    field.until(|| calls.iter().all(Got::is_done));
    // What came while there was no room was refused, and can be asked again.
    let mut served = 0;
    for call in calls {
        match call.take() {
            Ok(_) => served += 1,
            Err(error) => assert_eq!(error.kind(), &ErrorKind::Overloaded(Overload::Remote)),
        }
    }
    assert!(served * ANSWER > 300_000, "{served} of 200");
    assert!(field.outcome(&reader, node.ask("much")).is_ok());
    assert!(node.caller().is_open());
    let ended = watched.iter().filter(|got| got.is_done()).count();
    assert!((1..=5).contains(&ended), "{ended} of them");
    drop(stuck);
}

#[test]
fn where_all_make_progress_the_largest_is_ended() {
    let mut field = Field::simulated(3);
    let (server, _) = server(&mut field, 1 << 20);
    let clients = ["small", "large"].map(|name| field.peer(name));
    let nodes = [0, 1].map(|n| {
        let node = field.dial(&clients[n], &server);
        field.outcome(&clients[n], node.context()).unwrap();
        node
    });
    let few = owe(&mut field, &clients[0], &nodes[0], 10);
    let many = owe(&mut field, &clients[1], &nodes[1], 200);
    field.until(|| few.iter().chain(&many).all(Got::is_done));
    assert!(nodes[0].caller().is_open() && !nodes[1].caller().is_open());
    assert!(few.into_iter().all(|call| call.take().is_ok()));
    drop(many);
}

#[test]
fn from_three_quarters_on_our_requests_wait_and_at_all_of_it_they_are_refused() {
    let mut field = Field::simulated(4);
    let (server, _) = server(&mut field, 1_050_000);
    let far = field.peer("far");
    let node = field.dial(&server, &far);
    field.outcome(&server, node.context()).unwrap();
    // Three that hold 256,000 bytes each, less what is on its way to them.
    let (crowd, _) = crowd(&mut field, &server, 4);
    field.pass(millis(500));
    let held = server.rpc().held_memory();
    assert!((787_500..1_050_000).contains(&held), "{held} bytes");
    let waiting = field.start(&server, node.echo("waits").forever());
    field.pass(millis(200));
    assert!(!waiting.is_done());
    assert!(!far.heard().contains(&"waits".to_owned()));
    // When there is room again, it goes.
    field.world().crash(crowd);
    field.until(|| waiting.is_done());
    assert_eq!(waiting.take().unwrap(), "waits");

    // What waits is counted, too, and does not grow beyond what may be held.
    let (_crowd, _) = self::crowd(&mut field, &server, 4);
    field.pass(millis(500));
    let calls: Vec<_> =
        (0..100).map(|_| field.start(&server, node.echo("y".repeat(10_000)).forever())).collect();
    field.pass(millis(1));
    let refused: Vec<_> = calls.into_iter().filter(Got::is_done).collect();
    assert!(!refused.is_empty());
    for call in refused {
        let error = call.take().unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Overloaded(Overload::Process));
        assert!(error.is_unexecuted());
    }
}

#[test]
fn requests_that_wait_leave_though_it_is_they_that_hold_the_memory() {
    let mut field = Field::simulated(6);
    let (server, _) = server(&mut field, 2_000_000);
    let far = field.peer_with("far", limits(|limits| limits.request_window = 16));
    let node = field.dial(&server, &far);
    field.outcome(&server, node.context()).unwrap();
    let here = node.clone();
    field.on(&server, move || (0..180).for_each(|_| here.note("x".repeat(10_000)).unwrap()));
    let held = server.rpc().held_memory();
    assert!((1_500_000..2_000_000).contains(&held), "{held} bytes, from three quarters on");
    field.until_within(secs(30), || far.heard().len() == 180);
    assert_eq!(field.outcome(&server, node.echo("next")).unwrap(), "next");
}

#[test]
fn what_leaves_after_the_end_of_a_connection_is_ended_too_if_there_is_too_much() {
    let mut field = Field::simulated(7);
    let (server, _) = server(&mut field, 1_000_000);
    let _crowd = crowd(&mut field, &server, 3);
    field.pass(millis(300));
    let held = server.rpc().held_memory();
    assert!((500_000..1_000_000).contains(&held), "{held} bytes");
    for endpoint in server.rpc().endpoints() {
        endpoint.close();
    }
    field.pass(millis(100));
    assert_eq!(server.rpc().endpoints().len(), 0, "they have said goodbye");
    assert!(server.rpc().held_memory() > 500_000, "what they said has not left");
    // More comes: of those that are stuck, who holds most is ended.
    field.pass(secs(1));
    let _more = crowd_of("more", &mut field, &server, 3);
    field.pass(millis(300));
    let left = server.rpc().endpoints().len();
    assert_eq!(left, 3, "and not those that are there");
    assert!(server.rpc().held_memory() <= 1_100_000, "{} bytes", server.rpc().held_memory());
}

#[test]
fn frames_that_never_end_are_counted() {
    let mut field = Field::simulated(5);
    let (server, _) = server(&mut field, 4 << 20);
    let to = server.address().clone();
    field.world().process("crowd", move |kernel| {
        for _ in 0..100 {
            let k = Cont::new(&kernel.handle(), move |stream: io::Result<Stream>| {
                let outlet = stream.unwrap().start(|_, _| {});
                let mut said = PREAMBLE.to_vec();
                Hello::new(NodeId::from_bits(7)).put(&mut said);
                put_request(&mut said, Some(1), &CallHead::new(ASK), &vec![0; 900_000], 0);
                said.truncate(800_000);
                outlet.write(&said).unwrap();
            });
            kernel.handle().connect(&to, k);
        }
    });
    for _ in 0..100 {
        field.pass(millis(20));
        let held = server.rpc().held_memory();
        assert!(held <= (4 << 20) + (4 << 20) / 10, "{held} bytes");
    }
    assert!(server.rpc().counters().relieved > 50);
}

#[test]
fn what_is_told_comes_back_when_everything_has_ended() {
    for seed in 1..6 {
        let mut field = Field::simulated(seed);
        let (server, _) = server(&mut field, 1 << 20);
        let (crowd, _) = crowd(&mut field, &server, 30);
        field.pass(millis(10 * seed));
        field.world().crash(crowd);
        field.pass(secs(10));
        assert_eq!(server.rpc().held_memory(), 0);
        assert_eq!(server.rpc().endpoints(), Vec::<Endpoint>::new());
    }
}

#[test]
fn what_other_streams_of_the_loop_hold_is_not_counted_against_it() {
    let mut field = Field::simulated(6);
    let (server, _) = server(&mut field, 1 << 20);
    let honest = field.peer("honest");
    let node = field.dial(&honest, &server);
    field.outcome(&honest, node.context()).unwrap();
    // A stream of the program's own, whose peer reads nothing.
    let place = "sim:wall".parse().unwrap();
    let (at, streams) = (Clone::clone(&place), Rc::new(RefCell::new(Vec::new())));
    let wall = field.world().process("wall", move |kernel| {
        let keep = move |stream: Stream| streams.borrow_mut().push(stream);
        kernel.handle().listen(&at, keep).unwrap()
    });
    let (handle, foreign) = (server.handle().clone(), Rc::<RefCell<Option<Outlet>>>::default());
    let kept = foreign.clone();
    field.on(&server, move || {
        let k = Cont::new(&handle, move |stream: io::Result<Stream>| {
            let outlet = stream.unwrap().start(|_, _| {});
            outlet.set_limit(8 << 20);
            outlet.write_chunk(vec![0; 4 << 20]).unwrap();
            *kept.borrow_mut() = Some(outlet);
        });
        handle.connect(&place, k);
    });
    field.pass(millis(200));
    assert!(server.rpc().held_memory() > 3 << 20, "all outputs of the loop");
    for n in 0..50 {
        assert_eq!(field.outcome(&honest, node.ask(n.to_string())).unwrap(), n.to_string());
        field.pass(millis(10));
    }
    // Its own limit holds as ever, beside that and when it has gone.
    for beside in [4 << 20, 0] {
        let (crowd, _) = crowd(&mut field, &server, 100);
        for _ in 0..50 {
            field.pass(millis(10));
            let held = server.rpc().held_memory();
            assert!(held <= beside + (1 << 20) + (1 << 20) / 10, "{held} bytes beside {beside}");
        }
        field.world().crash(crowd);
        let outlet = foreign.borrow().clone().unwrap();
        field.on(&server, move || outlet.abort());
        field.pass(secs(1));
    }
    assert!(server.rpc().counters().relieved > 0);
    let _wall = wall;
}
