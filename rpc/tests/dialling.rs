//! Promise: dialling and the hello have each their own time, and whoever waits is told which of
//! them did not come.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

use peers_rpc::kernel::sim::{ProcessId, World};
use peers_rpc::kernel::{Listener, Stream};
use peers_rpc::{Address, CloseReason, Cont, Endpoint, Error, Kernel, Limits, Rpc};
use std::cell::RefCell;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn place(name: &str) -> Address {
    Address::sim(name)
}

/// Says when an endpoint ended and why.
type End = Rc<RefCell<Option<(Duration, CloseReason)>>>;

/// A world with a client that dials `to`.
fn dial(world: &mut World, limits: Limits, to: Address) -> (ProcessId, End) {
    let end = End::default();
    let told = end.clone();
    let client = world.process("client", move |kernel: &Kernel| {
        let (handle, began) = (kernel.handle(), kernel.handle().now());
        let rpc = Rpc::with_limits(&handle, limits);
        let endpoint: Endpoint = rpc.connect(&to);
        let timers = handle.clone();
        endpoint.on_close(Cont::new(&handle, move |reason: Result<CloseReason, Error>| {
            *told.borrow_mut() = Some((timers.now() - began, reason.unwrap()));
        }));
        (rpc, endpoint)
    });
    (client, end)
}

fn ended(end: &End) -> (Duration, CloseReason) {
    end.borrow().clone().expect("it has ended")
}

/// A process that accepts connections and says nothing.
fn mute(world: &mut World, name: &'static str) -> ProcessId {
    world.process(name, move |kernel: &Kernel| {
        let streams: Rc<RefCell<Vec<Stream>>> = Rc::default();
        let kept = streams.clone();
        let keep = move |stream| kept.borrow_mut().push(stream);
        let listener: Listener = kernel.handle().listen(&place(name), keep).unwrap();
        (listener, streams)
    })
}

fn node(world: &mut World, name: &'static str) -> ProcessId {
    world.process(name, move |kernel: &Kernel| {
        let rpc = Rpc::new(&kernel.handle());
        (rpc.listen(&place(name), |_| Ok(())).unwrap(), rpc)
    })
}

#[test]
fn an_address_that_never_answers_is_named_when_the_time_for_connecting_is_over() {
    let mut world = World::new(1);
    let server = node(&mut world, "a");
    let (client, end) = dial(&mut world, Limits::default(), place("a"));
    world.partition(&[client], &[server]);
    world.run_for(60 * SECOND);
    let (took, reason) = ended(&end);
    assert_eq!(took, Limits::default().connect);
    let text = reason.to_string();
    assert_eq!(text, "cannot reach sim:a: nothing answers at sim:a within 8s");
    assert!(matches!(reason, CloseReason::ConnectFailed { kind: ErrorKind::TimedOut, .. }));
}

#[test]
fn the_time_for_the_hello_counts_from_the_connection() {
    let mut world = World::new(1);
    let server = mute(&mut world, "a");
    let (client, end) = dial(&mut world, Limits::default(), place("a"));
    world.partition(&[client], &[server]);
    world.run_for(7 * SECOND);
    assert!(end.borrow().is_none(), "it is still being dialled, for longer than a hello may take");
    world.heal();
    world.run_for(4_900 * Duration::from_millis(1));
    assert!(end.borrow().is_none(), "the hello is given all of its time");
    world.run_for(SECOND);
    let (took, reason) = ended(&end);
    assert_eq!(reason, CloseReason::HelloTimeout);
    assert!((12 * SECOND..12 * SECOND + SECOND / 10).contains(&took), "{took:?}");
    assert_eq!(
        reason.to_string(),
        "connected, but no hello in time; is it a peer, and is it overloaded?"
    );
}

#[test]
fn a_slow_way_to_a_second_address_still_leads_to_a_hello() {
    for seed in 0..10 {
        let mut world = World::new(seed);
        let silent = node(&mut world, "a");
        node(&mut world, "b");
        world.name("db", ["sim:a", "sim:b"]);
        world.slow_name("db", 4 * SECOND);
        let mut limits = Limits::default();
        limits.handshake_timeout = SECOND;
        let (client, end) = dial(&mut world, limits, place("db"));
        world.partition(&[client], &[silent]);
        world.run_for(60 * SECOND);
        assert_eq!(*end.borrow(), None, "seed {seed}");
    }
}

#[test]
fn an_accepted_connection_has_the_time_for_a_hello_and_no_more() {
    let mut world = World::new(1);
    node(&mut world, "a");
    let ended = Rc::new(RefCell::new(None));
    let told = ended.clone();
    world.process("mute", move |kernel: &Kernel| {
        let (handle, timers) = (kernel.handle(), kernel.handle());
        let connected = move |stream: std::io::Result<Stream>| {
            stream.unwrap().start(move |_, input| {
                if !matches!(input, peers_rpc::kernel::Input::Bytes(_)) {
                    told.borrow_mut().get_or_insert(timers.now());
                }
            });
        };
        handle.connect(&place("a"), Cont::new(&handle, connected));
    });
    world.run_for(60 * SECOND);
    let at = ended.borrow().expect("it was cut off");
    let took = at - peers_rpc::Instant::default();
    assert!((5 * SECOND..6 * SECOND).contains(&took), "{took:?}");
}

#[test]
fn what_is_wrong_is_said_as_it_is() {
    for (prepare, text) in [
        (refuse as fn(&mut World), "cannot reach sim:a: connection refused; does it listen?"),
        (no_address, "cannot reach sim:a: the name a has no address"),
        (
            hang,
            "cannot reach sim:a: the look-up of a did not end in 5s; does this machine's name service answer?",
        ),
    ] {
        let mut world = World::new(1);
        prepare(&mut world);
        let (_, end) = dial(&mut world, Limits::default(), place("a"));
        world.run_for(60 * SECOND);
        assert_eq!(ended(&end).1.to_string(), text);
    }
}

fn refuse(_: &mut World) {}

fn no_address(world: &mut World) {
    world.name("a", []);
}

fn hang(world: &mut World) {
    world.name("a", ["sim:b"]);
    world.slow_name("a", 3_600 * SECOND);
}
