//! Draws the diamond of four nodes, and in each node how many requests one search put to it: by the
//! tutorial's list of visited nodes, and by query id. The figures come from the searches, run in a
//! simulated world.
//!
//! `cargo run -p peers-p2p --example diamond`
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use peers_p2p::{P2pNode, P2pNodeProxy, Requests};
use peers_rpc::kernel::sim::World;
use peers_rpc::{Address, Cx, Rpc};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

const LINKS: [(u32, &[u32]); 4] = [(1, &[]), (2, &[1]), (3, &[1]), (4, &[2, 3])];

fn address(n: u32) -> Address {
    Address::sim(format!("n{n}"))
}

/// A diamond in a world of its own, and who its nodes are.
fn diamond() -> (World, Vec<Cx<P2pNode>>) {
    let mut world = World::new(1);
    let nodes = Rc::new(RefCell::new(Vec::new()));
    for (n, peers) in LINKS {
        let (known, peers) =
            (nodes.clone(), peers.iter().copied().map(address).collect::<Vec<_>>());
        world.process(&format!("n{n}"), move |kernel| {
            let rpc = Rpc::with_limits(&kernel.handle(), peers_p2p::limits());
            let node = P2pNode::new(Box::new(|_, _| {}));
            let served =
                node.serve(kernel, &rpc, &address(n), &peers, None).expect("nobody else is there");
            known.borrow_mut().push(served.1.cx());
            (rpc, served)
        });
    }
    world.run_for(Duration::from_secs(1));
    let nodes = nodes.take();
    (world, nodes)
}

/// Searches from the node at the bottom, and draws how often each node was asked.
fn draw(title: &str, search: fn(&P2pNodeProxy), count: fn(&Requests) -> u64) {
    let (mut world, nodes) = diamond();
    world.process("client", move |kernel| {
        let rpc = Rpc::new(&kernel.handle());
        search(&P2pNodeProxy::new(rpc.connect(&address(4))));
        rpc
    });
    world.run_for(Duration::from_secs(10));
    let asked: Vec<u64> = nodes
        .iter()
        .map(|cx| cx.enter(|node, _| count(&node.requests())).expect("the node lives"))
        .collect();
    println!("{title}: {} requests\n", asked.iter().sum::<u64>());
    println!("        n1: {}", asked[0]);
    println!("       /     \\");
    println!("   n2: {}     n3: {}", asked[1], asked[2]);
    println!("       \\     /");
    println!("        n4: {}  <-- the client\n", asked[3]);
}

fn main() {
    let by_list = |n4: &P2pNodeProxy| n4.get_all("arrakis").then_or(|_| {}, peers_rpc::warn);
    draw("by visited nodes", by_list, |requests| requests.get_all);
    let by_id = |n4: &P2pNodeProxy| n4.search("arrakis").then_or(|_| {}, peers_rpc::warn);
    draw("by query id", by_id, |requests| requests.search);
}
