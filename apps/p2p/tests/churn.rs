//! A hundred nodes that crash and come back while somebody asks: every query has an answer, and the
//! answer is right.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::Net;
use common::graphs::{self, Links};
use std::collections::BTreeSet;
use std::time::Duration;

const NODES: usize = 100;
const SECOND: Duration = Duration::from_secs(1);

fn peers_of(node: usize, links: &Links) -> Vec<String> {
    links.iter().filter(|(_, b)| *b == node).map(|(a, _)| a.to_string()).collect()
}

/// Rounds of deaths and returns; the trace of all of it.
fn run(seed: u64, rounds: u64) -> u64 {
    let links = graphs::random(seed, NODES, 5);
    let mut net = Net::graph(seed, NODES, &links);
    for round in 0..rounds {
        let dead: BTreeSet<usize> =
            (0..4).map(|n| (seed + 31 * round + 17 * n) as usize % NODES).collect();
        for node in &dead {
            net.crash(&node.to_string());
        }
        net.world.run_for(SECOND);
        let asked = (0..NODES).find(|node| !dead.contains(node)).unwrap().to_string();
        let key = format!("key {round}");
        for holder in (0..NODES).filter(|node| node % 7 == 3 && !dead.contains(node)) {
            net.send_put(&holder.to_string(), &key, "here");
        }
        net.settle();
        let found = net.ask(&asked, |node| node.search(&key)).unwrap();
        assert!(found.values.iter().eq(["here"]), "seed {seed}, round {round}: {found:?}");
        assert_eq!(net.get(&asked, &key).unwrap(), "here", "seed {seed}, round {round}");
        for node in dead {
            let peers = peers_of(node, &links);
            net.start(&node.to_string(), &peers.iter().map(String::as_str).collect::<Vec<_>>());
        }
        net.world.run_for(SECOND);
    }
    assert!(net.names().iter().all(|name| net.running(name) == 0), "nobody owes an answer");
    net.world.trace_hash()
}

#[test]
fn queries_are_answered_while_nodes_die_and_return() {
    for seed in 0..3 {
        run(seed, 8);
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    assert_eq!(run(9, 2), run(9, 2));
}
