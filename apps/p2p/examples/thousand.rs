//! A thousand nodes in one process and one thread: a random overlay whose nodes crash and come back
//! while a client asks.
//!
//! ```text
//! cargo run --release -p peers-p2p --example thousand [NODES [SEED]]
//! ```
//!
//! The nodes are those of the binary `p2p`; only the host under them is simulated. The same seed
//! gives the same run.

#![allow(clippy::print_stdout, reason = "an example prints")]

use peers_p2p::{Findings, P2pNode, P2pNodeProxy, limits};
use peers_rpc::kernel::rand_core::Rng as _;
use peers_rpc::kernel::sim::{ProcessId, World};
use peers_rpc::wire::DecodeOwned;
use peers_rpc::{Address, Call, Cont, Error, Kernel, Rpc};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
/// Peers that a new node is given.
const PEERS: usize = 3;
/// Nodes that have a value of their own; few enough for one answer.
const KNOWING: usize = 50;
/// Rounds of churn, and nodes that die in each. They come back one round later.
const ROUNDS: usize = 30;

type Outcome<T> = Rc<RefCell<Option<Result<T, Error>>>>;

/// The world, its nodes, and who they dial when they start.
struct Net {
    world: World,
    dials: Vec<Vec<usize>>,
    nodes: Vec<Option<ProcessId>>,
    client: (ProcessId, Rc<Rpc>),
}

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|word| word.parse().ok());
    let count = usize::try_from(numbers.next().unwrap_or(1_000)).unwrap_or(1_000);
    let seed = numbers.next().unwrap_or(1);
    let started = wall_clock();

    let mut net = Net::new(seed, count);
    let links: usize = net.dials.iter().map(Vec::len).sum();
    net.world.run_for(5 * SECOND);
    report(&net, &format!("{count} nodes, {links} links"), started);

    let found = net.search(0);
    let (values, requests) = (found.values.len(), found.requests);
    report(&net, &format!("search: {values} values in {requests} requests"), started);

    let (mut answered, mut complete) = (0, 0);
    for round in 0..ROUNDS {
        let dying = net.choose(count / 100);
        for node in &dying {
            net.crash(*node);
        }
        net.world.run_for(SECOND);
        answered += usize::from(net.get(round * 7 % count).is_ok());
        let values = net.search(round * 13 % count).values;
        let mut living = (0..KNOWING).filter(|node| net.nodes[*node].is_some());
        complete += usize::from(living.all(|node| values.contains(&node.to_string())));
        for node in dying {
            net.start(node);
        }
        net.world.run_for(SECOND);
    }
    report(&net, &format!("{ROUNDS} rounds, {} nodes dying in each", count / 100), started);
    println!(
        "gets answered: {answered} of {ROUNDS}; searches that found all living values: {complete} of {ROUNDS}"
    );
    println!("trace: {:016x}", net.world.trace_hash());
}

impl Net {
    fn new(seed: u64, count: usize) -> Self {
        let mut world = World::new(seed);
        let mut made = None;
        let process = world.process("client", |kernel| {
            let rpc = Rc::new(Rpc::with_limits(&kernel.handle(), limits()));
            made = Some(rpc.clone());
            rpc
        });
        let client = (process, made.expect("a process boots at once"));
        let mut net = Self { world, dials: Vec::new(), nodes: vec![None; count], client };
        for node in 0..count {
            let peers: BTreeSet<usize> = (0..PEERS.min(node)).map(|_| net.below(node)).collect();
            net.dials.push(peers.into_iter().collect());
            net.start(node);
            if node % 50 == 0 {
                net.world.run_for(SECOND / 10);
            }
        }
        net
    }

    /// Starts a node with nothing but its peers' names, and the value that it always had.
    fn start(&mut self, node: usize) {
        let peers: Vec<Address> = self.dials[node].iter().map(|peer| address(*peer)).collect();
        let boot = |kernel: &Kernel| {
            let rpc = Rpc::with_limits(&kernel.handle(), limits());
            let silent = P2pNode::new(Box::new(|_, _| {}));
            let served = silent.serve(kernel, &rpc, &address(node), &peers, None);
            (rpc, served.expect("its name is free"))
        };
        self.nodes[node] = Some(self.world.process(&node.to_string(), boot));
        if node < KNOWING {
            let proxy = self.proxy(node);
            let put = self.world.with(self.client.0, |_| proxy.put("arrakis", node.to_string()));
            put.expect("a new connection takes an event");
        }
    }

    fn crash(&mut self, node: usize) {
        if let Some(process) = self.nodes[node].take() {
            self.world.crash(process);
        }
    }

    fn get(&mut self, node: usize) -> Result<String, Error> {
        self.ask(node, |node| node.get("arrakis"))
    }

    /// Returns what a search from there finds; nothing, if the node is dead.
    fn search(&mut self, node: usize) -> Findings {
        self.ask(node, |node| node.search("arrakis")).unwrap_or_default()
    }

    fn ask<T: DecodeOwned + 'static>(
        &mut self,
        node: usize,
        call: impl FnOnce(&P2pNodeProxy) -> Call<T>,
    ) -> Result<T, Error> {
        let node = (node..).find(|node| self.nodes[node % self.nodes.len()].is_some());
        let proxy = self.proxy(node.unwrap_or_default() % self.nodes.len());
        let outcome: Outcome<T> = Rc::default();
        let told = outcome.clone();
        self.world.with(self.client.0, |handle| {
            call(&proxy).then(Cont::new(handle, move |result| drop(told.replace(Some(result)))));
        });
        loop {
            if let Some(result) = outcome.take() {
                proxy.caller().close();
                return result;
            }
            assert!(self.world.step(), "a call has no outcome");
        }
    }

    fn proxy(&mut self, node: usize) -> P2pNodeProxy {
        let rpc = self.client.1.clone();
        P2pNodeProxy::new(self.world.with(self.client.0, |_| rpc.connect(&address(node))))
    }

    fn choose(&mut self, count: usize) -> BTreeSet<usize> {
        let all = self.nodes.len();
        (0..count).map(|_| self.below(all)).collect()
    }

    fn below(&mut self, n: usize) -> usize {
        let drawn = self.world.with(self.client.0, |handle| handle.rng().next_u64());
        usize::try_from(drawn % n as u64).unwrap_or_default()
    }
}

fn address(node: usize) -> Address {
    Address::sim(node.to_string())
}

fn report(net: &Net, what: &str, started: std::time::Instant) {
    let virtual_time = Duration::from_nanos(net.world.now().as_nanos());
    let wall = wall_clock() - started;
    let memory = memory().map_or_else(String::new, |mib| format!(", {mib} MiB at most"));
    println!("{what}: {virtual_time:.1?} of virtual time, {wall:.2?} of real time{memory}");
}

#[allow(clippy::disallowed_methods, reason = "it measures how long the simulation itself takes")]
fn wall_clock() -> std::time::Instant {
    std::time::Instant::now()
}

/// The most memory that this process has used, where the system tells.
fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? / 1_024)
}
