//! Counts what a search costs: requests counted at the nodes that receive them, on the graphs where
//! the tutorial's claim of "exactly N messages for N nodes" holds, and on those where it does not.
//!
//! The table in `docs/overlay.md` is compared with what is counted here.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::Net;
use common::graphs::{self, Links};
use std::collections::BTreeSet;
use std::path::Path;

struct Case {
    name: &'static str,
    nodes: usize,
    links: Links,
    /// Holds what the tutorial's algorithm sends at most, from the worst of its starting points.
    get_all: u64,
}

fn cases() -> Vec<Case> {
    let case = |name, nodes, links, get_all| Case { name, nodes, links, get_all };
    vec![
        case("path of 4", 4, graphs::path(4), 4),
        case("star of 5", 5, graphs::star(5), 5),
        case("triangle", 3, graphs::complete(3), 3),
        case("complete, 5", 5, graphs::complete(5), 5),
        case("diamond", 4, graphs::cycle(4), 5),
        case("cycle of 5", 5, graphs::cycle(5), 7),
        case("cycle of 6", 6, graphs::cycle(6), 9),
        case("2 by 3, bipartite", 5, graphs::bipartite(2, 3), 7),
        case("grid, 3 by 3", 9, graphs::grid(3), 25),
        case("grid, 4 by 4", 16, graphs::grid(4), 161),
    ]
}

/// Requests that arrived at all nodes so far: by `get_all`, and by `search`.
fn arrived(net: &Net) -> (u64, u64) {
    let requests = net.names().into_iter().map(|name| net.requests(&name));
    requests.fold((0, 0), |(all, ids), r| (all + r.get_all, ids + r.search))
}

/// Returns what both ways cost from one node: counted where the requests arrive, and checked
/// against what the answers say.
fn costs(net: &mut Net, nodes: usize, root: usize) -> (u64, u64) {
    let name = root.to_string();
    let everybody: BTreeSet<String> = (0..nodes).map(|node| node.to_string()).collect();
    let before = arrived(net);
    let values = net.ask(&name, |node| node.get_all("who")).unwrap();
    assert_eq!(values, everybody);
    let after = arrived(net);

    let found = net.ask(&name, |node| node.search("who")).unwrap();
    assert_eq!(found.values, everybody);
    assert!(!found.exhausted && !found.broken);
    let by_id = arrived(net).1 - after.1;
    assert_eq!(found.requests, by_id);

    let counted = net.ask(&name, |node| node.get_all_counted("who", [])).unwrap();
    assert!(counted.values == everybody && !counted.exhausted);
    let by_list = after.0 - before.0;
    assert_eq!(counted.requests, by_list);
    (by_list, by_id)
}

/// A network whose nodes have a value each: their number.
fn numbered(nodes: usize, links: &Links) -> Net {
    let mut net = Net::graph(7, nodes, links);
    for node in 0..nodes {
        net.send_put(&node.to_string(), "who", &node.to_string());
    }
    net.settle();
    net
}

fn row(name: &str, nodes: usize, links: usize, get_all: &str, search: u64) -> String {
    format!("| {name} | {nodes} | {links} | {get_all} | {search} |")
}

#[test]
fn a_network_of_n_nodes_costs_what_the_table_says() {
    let mut rows = Vec::new();
    for Case { name, nodes, links, get_all } in cases() {
        let mut net = numbered(nodes, &links);
        let all: Vec<_> = (0..nodes).map(|root| costs(&mut net, nodes, root)).collect();
        let (least, most) = (all.iter().min().unwrap().0, all.iter().max().unwrap().0);
        assert_eq!(most, get_all, "{name}");
        let flood = 2 * links.len() + 2 - nodes;
        assert!(all.iter().all(|(_, by_id)| *by_id == flood as u64), "{name}: {all:?}");
        let shown = if least == most { most.to_string() } else { format!("{least} to {most}") };
        rows.push(row(name, nodes, links.len(), &shown, flood as u64));
    }

    let links = graphs::grid(5);
    let (by_list, by_id) = costs(&mut numbered(25, &links), 25, 0);
    assert_eq!((by_list, by_id), (1_625, 57));
    rows.push(row("grid, 5 by 5, from a corner", 25, links.len(), "1,625", by_id));

    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/overlay.md");
    let page = std::fs::read_to_string(page).unwrap();
    let missing: Vec<&String> = rows.iter().filter(|row| !page.contains(*row)).collect();
    assert!(missing.is_empty(), "docs/overlay.md lacks\n{missing:#?}");
}

#[test]
fn exactly_n_messages_from_everywhere_iff_every_block_is_a_clique() {
    let mut kinds = [0, 0];
    for seed in 0..60 {
        let nodes = 3 + seed as usize % 5;
        let links = graphs::random(seed, nodes, seed % 5 * 15);
        let mut net = numbered(nodes, &links);
        let all: Vec<_> = (0..nodes).map(|root| costs(&mut net, nodes, root)).collect();
        let exact = all.iter().all(|(by_list, _)| *by_list == nodes as u64);
        assert_eq!(exact, is_block_graph(nodes, &links), "seed {seed}: {all:?} for {links:?}");
        let flood = (2 * links.len() + 2 - nodes) as u64;
        assert!(all.iter().all(|(_, by_id)| *by_id == flood), "seed {seed}: {all:?}");
        kinds[usize::from(exact)] += 1;
    }
    assert!(kinds.iter().all(|count| *count >= 15), "{kinds:?}");
}

/// Returns whether the graph, which is connected, consists of cliques that share single nodes: iff
/// each node that two strangers are linked to is the only way between them.
fn is_block_graph(nodes: usize, links: &Links) -> bool {
    let linked = |a: usize, b: usize| links.contains(&(a.min(b), a.max(b)));
    (0..nodes).all(|middle| {
        let near: Vec<usize> = (0..nodes).filter(|other| linked(middle, *other)).collect();
        let mut pairs = near.iter().flat_map(|a| near.iter().map(move |b| (*a, *b)));
        pairs.all(|(a, b)| a >= b || linked(a, b) || !connected(nodes, links, middle, a, b))
    })
}

fn connected(nodes: usize, links: &Links, without: usize, from: usize, to: usize) -> bool {
    let mut reached = vec![false; nodes];
    let mut open = vec![from];
    while let Some(node) = open.pop() {
        if node == without || std::mem::replace(&mut reached[node], true) {
            continue;
        }
        open.extend(links.iter().filter(|(a, _)| *a == node).map(|(_, b)| *b));
        open.extend(links.iter().filter(|(_, b)| *b == node).map(|(a, _)| *a));
    }
    reached[to]
}
