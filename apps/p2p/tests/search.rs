//! `search`: by query id, each node once, all living links, and no more work than a node allows
//! others to cause.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::graphs::{self, Links};
use common::{Net, start_client};
use peers_p2p::{Bounds, Findings, P2pNodeProxy, QueryId};
use std::collections::BTreeSet;
use std::time::Duration;

fn numbered(seed: u64, nodes: usize, links: &Links, bounds: Bounds) -> Net {
    let mut net = Net::bounded_graph(seed, nodes, links, bounds);
    for node in 0..nodes {
        net.send_put(&node.to_string(), "who", &node.to_string());
    }
    net.settle();
    net.take_lines();
    net
}

fn everybody(nodes: usize) -> BTreeSet<String> {
    (0..nodes).map(|node| node.to_string()).collect()
}

fn search(net: &mut Net, root: usize) -> Findings {
    net.ask(&root.to_string(), |node| node.search("who")).unwrap()
}

/// Returns how many nodes, and how often, passed a query on.
fn searched(net: &Net) -> Vec<u64> {
    net.names().iter().map(|name| net.requests(name).searched).collect()
}

fn arrived(net: &Net) -> u64 {
    net.names().iter().map(|name| net.requests(name).search).sum()
}

#[test]
fn in_a_clique_of_fifty_each_node_searches_once() {
    let nodes = 50;
    let mut net = numbered(1, nodes, &graphs::complete(nodes), Bounds::default());
    let found = search(&mut net, 17);
    assert_eq!(found.values, everybody(nodes));
    assert_eq!(searched(&net), vec![1; nodes]);
    assert_eq!(found.requests, 2 * 1_225 + 2 - 50);
}

#[test]
fn whoever_can_be_reached_over_living_links_is_found() {
    for seed in 0..80 {
        let nodes = 4 + seed as usize % 6;
        let links = graphs::random(seed, nodes, 15 + seed % 3 * 20);
        let mut net = numbered(seed, nodes, &links, Bounds::default());
        // Some nodes die; nobody has noticed when the search begins.
        let dead: BTreeSet<usize> = (1..nodes).filter(|n| (seed >> (n % 5)) & 1 == 1).collect();
        for node in dead.iter().skip(1) {
            net.crash(&node.to_string());
        }
        let dead: BTreeSet<usize> = dead.into_iter().skip(1).collect();
        let found = search(&mut net, 0);
        assert!(!found.exhausted && !found.broken, "seed {seed}: {found:?}");
        let reached = reachable(&links, &dead);
        assert_eq!(found.values, reached, "seed {seed}: without {dead:?} of {links:?}");
        assert_eq!(found.requests, arrived(&net), "seed {seed}: dead peers cost nothing");
    }
}

fn reachable(links: &Links, dead: &BTreeSet<usize>) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut open = vec![0];
    while let Some(node) = open.pop() {
        if dead.contains(&node) || !reached.insert(node) {
            continue;
        }
        open.extend(links.iter().filter(|(a, _)| *a == node).map(|(_, b)| *b));
        open.extend(links.iter().filter(|(_, b)| *b == node).map(|(a, _)| *a));
    }
    reached.into_iter().map(|node| node.to_string()).collect()
}

#[test]
fn a_node_that_dies_in_the_middle_does_not_take_others_with_it() {
    // 0 asks 1 and 2; 1 is on the way to 3, which 2 then asks in vain: 3 was asked before, for a
    // node that died.
    let links = vec![(0, 1), (0, 2), (1, 3), (2, 3)];
    let mut lost = 0;
    for seed in 0..40 {
        let mut net = numbered(seed, 4, &links, Bounds::default());
        net.slow_motion("0");
        let answer = net.begin("0", |node| node.search("who"));
        net.world.run_for(Duration::from_millis(15 + seed));
        let died = net.process("1");
        net.world.crash(died);
        let found = net.finish(&answer).unwrap();
        for survivor in ["0", "2", "3"] {
            assert!(found.values.contains(survivor), "seed {seed}: {found:?}");
        }
        assert!(!found.broken && !found.exhausted, "seed {seed}: {found:?}");
        lost += u64::from(net.requests("3").searched > 1);
    }
    assert!(lost > 5, "the search was begun again only {lost} times");
}

#[test]
fn a_link_that_always_breaks_ends_the_rounds_and_is_told() {
    // A neighbour that claims, again and again, that a link of his broke.
    let found = Findings { broken: true, ..Findings::default() };
    let mut net = Net::new(1);
    net.start("0", &[]);
    let liar = liar::start(&mut net, "liar", "0", found);
    let found = net.ask("0", |node| node.search("who")).unwrap();
    assert!(found.broken);
    assert_eq!(liar.asked(), 3);
}

#[test]
fn what_a_liar_claims_to_have_found_stays_within_bounds() {
    let values: BTreeSet<String> = (0..10_000).map(|n| format!("value {n}")).collect();
    let many = Findings { values, requests: u64::MAX, ..Findings::default() };
    let long: BTreeSet<String> = ["a", "b"].iter().map(|c| c.repeat(40 << 10)).collect();
    let long = Findings { values: long, requests: u64::MAX, ..Findings::default() };
    for (claim, fits) in [(many, 100), (long, 2)] {
        let mut net = Net::new(1);
        net.start("0", &[]);
        net.put("0", "who", "me");
        let _liar = liar::start(&mut net, "liar", "0", claim);
        let found = net.ask("0", |node| node.search("who")).unwrap();
        assert!(found.exhausted && found.values.contains("me"));
        assert_eq!((found.values.len(), found.requests), (fits, u64::MAX));
        assert!(found.values.iter().map(String::len).sum::<usize>() <= 64 << 10);
    }
}

#[test]
fn hops_and_fan_out_bound_what_one_query_sends() {
    let mut bounds = Bounds::default();
    (bounds.hops, bounds.fan_out) = (4, 4);
    let nodes = 100;
    let tree: Links = (1..nodes).map(|node| ((node - 1) / 3, node)).collect();
    let networks = [
        ("ring", graphs::cycle(nodes)),
        ("tree", tree),
        ("clique", graphs::complete(nodes)),
        ("random", graphs::random(5, nodes, 6)),
    ];
    let by_fan_out: u64 = (0..=4).map(|hop| 4_u64.pow(hop)).sum();
    for (name, links) in networks {
        let mut net = numbered(3, nodes, &links, bounds.clone());
        let found = search(&mut net, 50);
        let (sent, edges) = (arrived(&net), links.len() as u64);
        assert!(sent <= by_fan_out.min(2 * edges + 1), "{name}: {sent} requests");
        assert_eq!(found.requests, sent, "{name}");
        assert!(found.exhausted, "{name}: a hundred nodes are more than four hops allow");
        assert!(searched(&net).iter().all(|times| *times <= 1), "{name}");
    }
}

#[test]
fn hops_asked_for_are_hops_allowed_at_most() {
    let mut bounds = Bounds::default();
    bounds.hops = 2;
    let mut net = numbered(1, 6, &graphs::path(6), bounds);
    let query = QueryId { high: 1, low: 2 };
    let found = net.ask("0", |node| node.search_from("who", &query, u32::MAX)).unwrap();
    assert!(found.exhausted && found.values.iter().eq(["0", "1", "2"]), "{found:?}");
    let again = net.ask("0", |node| node.search_from("who", &query, u32::MAX)).unwrap();
    assert_eq!((again.values.len(), again.requests), (0, 1), "the same query is answered once");
    let query = QueryId { high: 1, low: 3 };
    let found = net.ask("5", |node| node.search_from("who", &query, 0)).unwrap();
    assert!(found.exhausted && found.values.iter().eq(["5"]), "{found:?}");
}

#[test]
fn a_neighbour_sends_fifty_at_once_and_ten_a_second() {
    let mut net = numbered(1, 2, &graphs::path(2), Bounds::default());
    net.proxy("0");
    net.settle();
    let mut served = |n: usize| {
        let answers: Vec<_> = (0..n).map(|_| net.begin("0", |node| node.search("who"))).collect();
        let found: Vec<_> = answers.iter().map(|answer| net.finish(answer).unwrap()).collect();
        net.world.run_for(Duration::from_secs(1));
        found.iter().filter(|found| !found.exhausted && !found.values.is_empty()).count()
    };
    assert_eq!(served(200), 50);
    assert!((9..=12).contains(&served(100)));
    assert!((9..=12).contains(&served(100)));
}

#[test]
fn one_neighbours_flood_makes_nobody_forget_a_query_of_another() {
    let mut bounds = Bounds::default();
    bounds.query_interval = Duration::ZERO; // so that only the memory is between him and his aim
    (bounds.remembered, bounds.remembered_share) = (800, 100);
    let mut net = numbered(1, 1, &vec![], bounds);
    let old = QueryId { high: 7, low: 7 };
    assert_eq!(net.ask("0", |node| node.search_from("who", &old, 5)).unwrap().values.len(), 1);
    let (process, attacker) = start_client(&mut net.world, "attacker");
    let proxy = P2pNodeProxy::new(attacker.connect(&common::address("0")));
    for low in 0..10_000 {
        let query = QueryId { high: 1, low };
        net.world.with(process, |_| {
            proxy.search_from("who", &query, 5).then_or(|_| {}, |_| {});
        });
        if low % 1_000 == 0 {
            net.settle();
        }
    }
    net.settle();
    assert_eq!(net.requests("0").search, 10_001);
    assert_eq!(net.requests("0").searched, 101, "his share, and not one more");
    let again = net.ask("0", |node| node.search_from("who", &old, 5)).unwrap();
    assert!(again.values.is_empty() && !again.exhausted, "the old query is still known");
    net.world.run_for(Duration::from_secs(121));
    let again = net.ask("0", |node| node.search_from("who", &old, 5)).unwrap();
    assert_eq!(again.values.len(), 1, "after two minutes it is forgotten");
}

/// A peer that answers every search with the same claim.
mod liar {
    use super::{Findings, Net};
    use crate::common::address;
    use peers_p2p::{LocalP2pNode, P2pNodeProxy, QueryId};
    use peers_rpc::{Cont, Context, Error, Node, Reply, Rpc};
    use std::cell::Cell;
    use std::collections::BTreeSet;
    use std::rc::Rc;

    struct Liar {
        claim: Findings,
        asked: Rc<Cell<u32>>,
    }

    pub(super) struct Running {
        asked: Rc<Cell<u32>>,
    }

    impl Running {
        pub(super) fn asked(&self) -> u32 {
            self.asked.get()
        }
    }

    /// Starts one that makes itself a peer of `node`.
    pub(super) fn start(net: &mut Net, name: &str, node: &str, claim: Findings) -> Running {
        let asked = Rc::new(Cell::new(0));
        let state = Liar { claim, asked: asked.clone() };
        net.world.process(name, |kernel| -> (Rpc, Node<Liar>) {
            let rpc = Rpc::new(&kernel.handle());
            let liar = kernel.node(state);
            let endpoint = rpc.connect(&address(node));
            LocalP2pNode::bind(&liar.cx(), &endpoint).unwrap();
            let peer = P2pNodeProxy::new(endpoint);
            let told = Cont::new(&kernel.handle(), |id: Result<String, _>| drop(id.unwrap()));
            peer.add_peer("sim:liar").then(told);
            (rpc, liar)
        });
        net.settle();
        Running { asked }
    }

    impl LocalP2pNode for Liar {
        fn put(&mut self, _: &Context<'_, Self>, _: String, _: String) {}

        fn get(&mut self, _: &Context<'_, Self>, _: String, _: Reply<String>) {}

        fn get_from(&mut self, _: &Context<'_, Self>, _: String, _: Vec<String>, _: Reply<String>) {
        }

        fn get_all(&mut self, _: &Context<'_, Self>, _: String, _: Reply<BTreeSet<String>>) {}

        fn get_all_from(
            &mut self,
            _: &Context<'_, Self>,
            _: String,
            _: Vec<String>,
            _: Reply<BTreeSet<String>>,
        ) {
        }

        fn get_all_counted(
            &mut self,
            _: &Context<'_, Self>,
            _: String,
            _: Vec<String>,
            _: Reply<Findings>,
        ) {
        }

        fn search(&mut self, _: &Context<'_, Self>, _: String, _: Reply<Findings>) {}

        fn search_from(
            &mut self,
            _: &Context<'_, Self>,
            _: String,
            _: QueryId,
            _: u32,
            reply: Reply<Findings>,
        ) {
            self.asked.set(self.asked.get() + 1);
            reply.ok(self.claim.clone());
        }

        fn add_peer(&mut self, _: &Context<'_, Self>, id: String) -> Result<String, Error> {
            Ok(id)
        }
    }
}
