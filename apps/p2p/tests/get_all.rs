//! `get_all`: everybody at once, with a barrier, among peers that come, go and die.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Net, graphs};
use std::time::Duration;

fn numbered(seed: u64, nodes: usize, links: &[(usize, usize)]) -> Net {
    let mut net = Net::graph(seed, nodes, links);
    for node in 0..nodes {
        net.send_put(&node.to_string(), "who", &node.to_string());
    }
    net.settle();
    net.take_lines();
    net
}

#[test]
fn every_reachable_node_is_asked_while_all_links_live() {
    for seed in 0..100 {
        let nodes = 3 + seed as usize % 7;
        let mut net = numbered(seed, nodes, &graphs::random(seed, nodes, seed % 4 * 20));
        let all: Vec<String> = (0..nodes).map(|node| node.to_string()).collect();
        assert_eq!(net.get_all("0", "who"), all, "seed {seed}");
    }
}

#[test]
fn values_are_a_set() {
    let mut net = Net::graph(1, 3, &graphs::path(3));
    for (node, value) in [("0", "b"), ("1", "a"), ("2", "b")] {
        net.put(node, "k", value);
    }
    assert_eq!(net.get_all("1", "k"), ["a", "b"]);
    assert!(net.get_all("1", "nothing").is_empty());
}

#[test]
fn no_unvisited_peer_is_an_answer_at_once() {
    let mut net = Net::graph(1, 2, &graphs::path(2));
    net.put("0", "k", "v");
    let visited = ["sim:1".to_owned()];
    let values = net.ask("0", |node| node.get_all_from("k", &visited)).unwrap();
    assert!(values.iter().eq(["v"]), "a list that names all my peers does not silence me");
    assert_eq!(net.requests("1").get_all, 0);
    let found = net.ask("0", |node| node.search("k")).unwrap();
    assert_eq!(found.requests, 2, "and a search by id trusts no list");
}

#[test]
fn a_list_that_is_too_long_is_answered_for_the_node_alone() {
    let mut net = numbered(1, 2, &graphs::path(2));
    for visited in [vec![String::new(); 4_097], vec!["x".repeat((64 << 10) + 1)]] {
        let values = net.ask("0", |node| node.get_all_from("who", &visited)).unwrap();
        assert!(values.iter().eq(["0"]));
        let found = net.ask("0", |node| node.get_all_counted("who", &visited)).unwrap();
        assert!(found.exhausted && found.requests == 1);
    }
    assert_eq!(net.requests("1").get_all, 0);
}

#[test]
fn dead_peers_contribute_nothing_and_are_removed_by_whoever_asks_them() {
    let mut net = numbered(1, 4, &graphs::star(4));
    net.crash("1");
    net.crash("3");
    assert_eq!(net.get_all("0", "who"), ["0", "2"]);
    assert_eq!(
        net.take_lines(),
        ["[sim:0]: removed dead peer: sim:1", "[sim:0]: removed dead peer: sim:3"]
    );
    assert_eq!(net.get_all("0", "who"), ["0", "2"]);
    assert!(net.take_lines().is_empty());
}

#[test]
fn behind_a_dead_link_the_list_hides_a_living_node_and_a_search_by_id_finds_it() {
    // n1 has a link to n2 that is dead: n2 is on n1's list all the same, so n4 does not ask it
    // either.
    let mut net = Net::diamond(1);
    for node in ["n1", "n2", "n3", "n4"] {
        net.put(node, "who", node);
    }
    let (n1, n2) = (net.process("n1"), net.process("n2"));
    net.world.refuse(n1, true); // n2 dialled; now it cannot come back
    net.world.cut(n1, n2);
    net.settle();
    assert_eq!(net.get_all("n1", "who"), ["n1", "n3", "n4"]);
    // Now that the dead link is known, the list no longer names it.
    assert_eq!(net.get_all("n1", "who"), ["n1", "n2", "n3", "n4"]);

    let (n2, n4) = (net.process("n2"), net.process("n4"));
    net.world.refuse(n2, true);
    net.world.cut(n2, n4);
    net.world.refuse(n1, false);
    net.world.run_for(Duration::from_secs(60)); // n2 is back at n1
    let found = net.ask("n4", |node| node.search("who")).unwrap();
    assert!(found.values.iter().eq(["n1", "n2", "n3", "n4"]), "{found:?}");
}

#[test]
fn one_peer_that_hangs_does_not_keep_the_answers_of_others_back() {
    let mut net = numbered(1, 4, &graphs::star(4));
    let (hub, hung) = (net.process("0"), net.process("2"));
    net.world.partition(&[hub], &[hung]);
    let soon = Duration::from_secs(5);
    let values = net.ask("0", |node| node.get_all("who").within(soon)).unwrap();
    assert!(values.iter().eq(["0", "1", "3"]));
    assert!(net.take_lines().is_empty(), "silence removes nobody");
    let found = net.ask("0", |node| node.search("who").within(soon)).unwrap();
    assert!(found.values.iter().eq(["0", "1", "3"]) && found.exhausted);
}

#[test]
fn a_peer_that_joins_during_a_query_is_asked_by_the_next() {
    let mut net = numbered(1, 2, &graphs::path(2));
    net.slow_motion("0");
    let answer = net.begin("0", |node| node.get_all("who"));
    net.world.run_for(Duration::from_millis(5));
    net.start("2", &["0"]);
    net.send_put("2", "who", "2");
    assert!(net.finish(&answer).unwrap().iter().eq(["0", "1"]));
    net.settle();
    assert_eq!(net.get_all("0", "who"), ["0", "1", "2"]);
}

#[test]
fn a_value_put_during_a_query_counts() {
    let mut net = numbered(1, 2, &graphs::path(2));
    net.slow_motion("0");
    let answer = net.begin("0", |node| node.get_all("new"));
    net.world.run_for(Duration::from_millis(15));
    net.send_put("0", "new", "here");
    assert!(net.finish(&answer).unwrap().iter().eq(["here"]));
}

#[test]
fn many_queries_at_once_have_an_answer_each() {
    let mut net = numbered(3, 9, &graphs::grid(3));
    let all: Vec<String> = (0..9).map(|node| node.to_string()).collect();
    let answers: Vec<_> =
        (0..90).map(|n| net.begin(&(n % 9).to_string(), |node| node.get_all("who"))).collect();
    for answer in answers {
        assert!(net.finish(&answer).unwrap().iter().eq(&all));
    }
    assert!((0..9).all(|node| net.running(&node.to_string()) == 0));
}
