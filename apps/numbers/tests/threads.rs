//! Background threads, for once real ones: the loop answers while they compute, and they stop when
//! nobody waits.
//!
//! Node and client live on one real kernel, which the test turns. Deadlines only bound what would
//! never end.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

use peers_numbers::{Client, Herd, HerdNodeProxy, Number};
use peers_rpc::kernel::Wait;
use peers_rpc::wire::DecodeOwned;
use peers_rpc::{Call, Cancel, Cont, Endpoint, Error, ErrorKind, Kernel, Listener, Node, Rpc};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// The longest of a turn's waits.
const STEP: Duration = Duration::from_millis(20);
/// A time that no working test ever reaches.
const PATIENCE: Duration = Duration::from_secs(60);
const LARGE: u32 = Number::MAX_MADE;

struct Ground {
    kernel: Kernel,
    _rpc: Rpc,
    client: Rpc,
    listener: Listener,
    _node: Node<Herd>,
    asked: Rc<Cell<usize>>,
}

type Outcome<T> = Rc<RefCell<Option<Result<T, Error>>>>;

impl Ground {
    fn new() -> Self {
        let kernel = Kernel::new().unwrap();
        let (rpc, client) = (Rpc::new(&kernel.handle()), Rpc::new(&kernel.handle()));
        let asked = Rc::new(Cell::new(0));
        let count = asked.clone();
        let herd = Herd::new(Box::new(move |_| count.set(count.get() + 1)));
        let (listener, node) = herd.serve(&kernel, &rpc, "inet:localhost:0", &[], None).unwrap();
        Self { kernel, _rpc: rpc, client, listener, _node: node, asked }
    }

    fn dial(&self) -> Endpoint {
        self.client.connect(&self.listener.address())
    }

    fn send<T: DecodeOwned + 'static>(&self, call: Call<T>) -> (Outcome<T>, Cancel) {
        let outcome: Outcome<T> = Rc::default();
        let seen = outcome.clone();
        let k = Cont::new(&self.kernel.handle(), move |result| {
            seen.replace(Some(result));
        });
        (outcome, call.then_cancellable(k))
    }

    fn turn_until(&mut self, what: &str, done: impl Fn() -> bool) {
        let handle = self.kernel.handle();
        let end = handle.now() + PATIENCE;
        while !done() {
            self.kernel.turn(Wait::Until(handle.now() + STEP)).unwrap();
            assert!(handle.now() < end, "waited for {PATIENCE:?}: {what}");
        }
    }

    fn ask<T: DecodeOwned + 'static>(&mut self, call: Call<T>) -> T {
        let (outcome, _) = self.send(call.forever());
        self.turn_until("an answer", || outcome.borrow().is_some());
        outcome.take().unwrap().unwrap()
    }
}

#[test]
fn quick_calls_are_answered_while_a_large_prime_is_being_computed() {
    let mut ground = Ground::new();
    let client = Client::new(ground.dial());
    // Now and then a prime is found at once; not five times in a row.
    let answered_meanwhile = (0..5).any(|_| {
        let asked = ground.asked.get();
        let (prime, cancel) = ground.send(client.get_prime(LARGE));
        let count = ground.asked.clone();
        ground.turn_until("the request is there", || count.get() > asked);
        for _ in 0..20 {
            // Not handed to the workers, so that it is answered on a machine with one core too.
            ground.ask(HerdNodeProxy::new(client.proxy().caller().clone()).add_peer());
        }
        let computing = prime.borrow().is_none();
        cancel.now();
        computing
    });
    assert!(answered_meanwhile, "the loop was busy with the prime");
}

/// Keeps the workers busy for minutes with searches for large primes, which have all been asked for
/// when this returns.
fn occupy(ground: &mut Ground, client: &Client) -> Vec<(Outcome<Number>, Cancel)> {
    let calls: Vec<_> = (0..100).map(|_| ground.send(client.get_prime(LARGE))).collect();
    let asked = ground.asked.clone();
    ground.turn_until("all requests are there", || asked.get() >= 100);
    calls
}

/// Small things wait in line behind large ones; with 100 of these in front only stopping them
/// helps.
fn workers_are_free(ground: &mut Ground) {
    let client = Client::new(ground.dial());
    assert_eq!(ground.ask(client.get_random(64)).bits(), 64);
}

#[test]
fn a_cancel_stops_the_work() {
    let mut ground = Ground::new();
    let client = Client::new(ground.dial());
    for (outcome, cancel) in occupy(&mut ground, &client) {
        cancel.now();
        ground.turn_until("cancelled", || outcome.borrow().is_some());
        let ended = outcome.take().unwrap();
        assert!(ended.is_ok() || ended.is_err_and(|e| *e.kind() == ErrorKind::Cancelled));
    }
    workers_are_free(&mut ground);
}

#[test]
fn the_end_of_the_connection_stops_the_work() {
    let mut ground = Ground::new();
    let client = Client::new(ground.dial());
    let calls = occupy(&mut ground, &client);
    client.proxy().caller().close();
    for (outcome, _) in calls {
        ground.turn_until("disconnected", || outcome.borrow().is_some());
    }
    workers_are_free(&mut ground);
}

#[test]
fn the_callers_deadline_stops_the_work() {
    let mut ground = Ground::new();
    let client = Client::new(ground.dial());
    let soon = Duration::from_millis(500);
    let calls: Vec<_> =
        (0..100).map(|_| ground.send(client.get_prime(LARGE).within(soon)).0).collect();
    for outcome in calls {
        ground.turn_until("timed out", || outcome.borrow().is_some());
    }
    workers_are_free(&mut ground);
}
