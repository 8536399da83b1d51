//! Promise: a connection that floods delays neither timers nor other connections by more than a few
//! turns. Turns are counted here, not time.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Desk, LocalProbe, ProbeProxy, limits, secs};
use peers_rpc::kernel::{Budget, Kernel, Wait};
use peers_rpc::{Address, Cont, Error, Limits, Rpc};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// A server on its own kernel, and clients on another.
struct Scene {
    server: Kernel,
    clients: Kernel,
    rpc: Rpc,
    address: Address,
    _owners: Box<dyn std::any::Any>,
}

fn scene() -> Scene {
    let (server, clients) = (Kernel::new().unwrap(), Kernel::new().unwrap());
    [&server, &clients].iter().for_each(|kernel| kernel.set_strict(true));
    // By tasks alone, so that the count is the same on a machine that is busy with something else.
    let by_tasks = Budget { time: secs(60), ..Budget::default() };
    server.set_budget(by_tasks);
    clients.set_budget(by_tasks);
    let roomy = || limits(|limits| limits.waiting = 1_000_000);
    let serving = Rpc::with_limits(&server.handle(), Limits::default());
    let node = server.node(Desk::default());
    let cx = node.cx();
    let listener = serving
        .listen("inet:localhost:0", move |endpoint| LocalProbe::bind(&cx, &endpoint))
        .unwrap();
    let rpc = Rpc::with_limits(&clients.handle(), roomy());
    let address = listener.address();
    Scene { server, clients, rpc, address, _owners: Box::new((serving, node, listener)) }
}

impl Scene {
    fn dial(&mut self) -> ProbeProxy {
        let node = ProbeProxy::new(self.rpc.connect(&self.address));
        let met = Rc::new(Cell::new(false));
        let set = met.clone();
        let meet = move |outcome: Result<_, Error>| set.set(outcome.is_ok());
        node.context().then(Cont::new(&self.clients.handle(), meet));
        self.until(|| met.get());
        node
    }

    /// Turns both until `condition` holds; how many turns of the server that took.
    fn until(&mut self, condition: impl Fn() -> bool) -> u32 {
        let end = self.clients.remote().now() + secs(30);
        let mut turns = 0;
        while !condition() {
            self.clients.turn(Wait::No).unwrap();
            self.server.turn(Wait::No).unwrap();
            turns += 1;
            assert!(self.clients.remote().now() < end, "it does not happen");
        }
        turns
    }

    /// Keeps four thousand calls under way on a connection.
    fn flood(&mut self, node: &ProbeProxy) -> Rc<Cell<u32>> {
        let answered = Rc::new(Cell::new(0));
        for _ in 0..4_000 {
            flood_one(node.clone(), answered.clone());
        }
        answered
    }
}

fn flood_one(node: ProbeProxy, answered: Rc<Cell<u32>>) {
    let handle = node.caller().handle().clone();
    let again = node.clone();
    let k = Cont::new(&handle, move |outcome: Result<_, Error>| {
        if outcome.is_ok() {
            answered.set(answered.get() + 1);
            flood_one(again, answered);
        }
    });
    node.context().forever().then(k);
}

/// Enough for a request to be read behind one budget of the flood, answered, and the answer to be
/// read.
const SOME_TURNS: u32 = 6;

#[test]
fn another_connections_call_is_answered_within_some_turns() {
    let mut scene = scene();
    let (loud, quiet) = (scene.dial(), scene.dial());
    let answered = scene.flood(&loud);
    scene.until(|| answered.get() > 10_000);
    for _ in 0..20 {
        let before = answered.get();
        let done = Rc::new(Cell::new(false));
        let set = done.clone();
        let k = Cont::new(&scene.clients.handle(), move |outcome: Result<String, Error>| {
            set.set(outcome.is_ok());
        });
        quiet.echo("x").then(k);
        let turns = scene.until(|| done.get());
        assert!(turns <= SOME_TURNS, "{turns} turns");
        assert!(answered.get() > before, "the flood goes on");
    }
}

#[test]
fn a_timer_of_the_flooded_process_fires_within_some_turns() {
    let mut scene = scene();
    let loud = scene.dial();
    let answered = scene.flood(&loud);
    scene.until(|| answered.get() > 10_000);
    for _ in 0..20 {
        let done = Rc::new(Cell::new(false));
        let set = done.clone();
        scene.server.handle().after(std::time::Duration::ZERO, move || set.set(true));
        let turns = scene.until(|| done.get());
        assert!(turns <= SOME_TURNS, "{turns} turns");
    }
}

#[test]
fn two_that_flood_share_the_process() {
    let mut scene = scene();
    let (one, other) = (scene.dial(), scene.dial());
    let (first, second) = (scene.flood(&one), scene.flood(&other));
    scene.until(|| first.get() + second.get() > 60_000);
    let (most, least) = (first.get().max(second.get()), first.get().min(second.get()));
    assert!(least * 3 > most, "{least} to {most}");
}

/// A burst that arrives as one segment is started in portions, between which others have their
/// turn.
#[test]
fn one_turn_starts_no_more_than_its_budget() {
    let mut scene = scene();
    let node = scene.dial();
    let heard: Rc<RefCell<Vec<u32>>> = Rc::default();
    for n in 0..1_500 {
        let heard = heard.clone();
        let k = Cont::new(&scene.clients.handle(), move |_: Result<String, Error>| {
            heard.borrow_mut().push(n);
        });
        node.echo("").then(k);
    }
    scene.clients.turn(Wait::No).unwrap();
    for _ in 0..2 {
        scene.server.turn(Wait::No).unwrap();
    }
    scene.clients.turn(Wait::No).unwrap();
    scene.clients.turn(Wait::No).unwrap();
    let begun = heard.borrow().len();
    assert!(begun <= 1_024, "{begun} in one turn");
    scene.until(|| heard.borrow().len() == 1_500);
    assert!(heard.borrow().is_sorted());
}
