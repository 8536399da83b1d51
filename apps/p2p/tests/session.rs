//! The tutorial's session on the diamond, line by line, and what holds whichever way chance takes
//! it.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::Net;
use peers_p2p::NoSuchKey;

/// With this seed n2 sees n4 before n3 does, and n4 asks n2 first, as in the tutorial.
fn tutorial_seed() -> u64 {
    let as_told = |seed: &u64| {
        let mut net = Net::diamond(*seed);
        let greeted = net.take_lines()[2].starts_with("[sim:n2]");
        net.put("n1", "arrakis", "dune");
        net.take_lines();
        net.get("n4", "arrakis").unwrap();
        greeted && net.take_lines()[0].starts_with("[sim:n2]")
    };
    (0..40).find(as_told).expect("a quarter of all seeds is like that")
}

#[test]
fn the_whole_session_of_the_tutorial() {
    let mut net = Net::diamond(tutorial_seed());
    assert_eq!(
        net.take_lines(),
        [
            "[sim:n1]: add peer sim:n2",
            "[sim:n1]: add peer sim:n3",
            "[sim:n2]: add peer sim:n4",
            "[sim:n3]: add peer sim:n4",
        ]
    );

    assert!(net.get_all("n1", "arrakis").is_empty());
    net.put("n1", "arrakis", "dune");
    assert_eq!(net.take_lines(), ["[sim:n1]: put arrakis -> dune"]);

    assert_eq!(net.get("n4", "arrakis").unwrap(), "dune");
    assert_eq!(
        net.take_lines(),
        ["[sim:n2]: cached value: arrakis -> dune", "[sim:n4]: cached value: arrakis -> dune"]
    );

    net.put("n2", "arrakis", "atreides territory");
    net.put("n3", "arrakis", "harkonnen territory");
    assert_eq!(
        net.take_lines(),
        [
            "[sim:n2]: put arrakis -> atreides territory",
            "[sim:n3]: put arrakis -> harkonnen territory"
        ]
    );
    let territories = [
        ("n2", "atreides territory"),
        ("n3", "harkonnen territory"),
        ("n1", "dune"),
        ("n4", "dune"),
    ];
    for (node, value) in territories {
        assert_eq!(net.get(node, "arrakis").unwrap(), value, "{node}");
    }
    assert_eq!(net.get_all("n4", "arrakis"), ["atreides territory", "dune", "harkonnen territory"]);
    assert!(net.take_lines().is_empty(), "a node that answers from its own store prints nothing");

    net.put("n4", "arrakis", "fremen territory");
    net.crash("n3");
    assert_eq!(net.take_lines(), ["[sim:n4]: put arrakis -> fremen territory"]);
    let without_n3 = ["atreides territory", "dune", "fremen territory"];
    for node in ["n1", "n4"] {
        assert_eq!(net.get_all(node, "arrakis"), without_n3);
        assert_eq!(net.take_lines(), [format!("[sim:{node}]: removed dead peer: sim:n3")]);
    }
    net.put("n2", "arrakis", "fremen territory");
    assert_eq!(net.take_lines(), ["[sim:n2]: put arrakis -> fremen territory"]);
    assert_eq!(net.get_all("n1", "arrakis"), ["dune", "fremen territory"]);
    assert!(net.take_lines().is_empty());
}

#[test]
fn chance_chooses_the_way_and_nothing_else() {
    let mut ways = [0, 0];
    for seed in 0..40 {
        let mut net = Net::diamond(seed);
        net.put("n1", "arrakis", "dune");
        net.take_lines();
        assert_eq!(net.get("n4", "arrakis").unwrap(), "dune", "seed {seed}");
        let lines = net.take_lines();
        let by = |node: &str| format!("[sim:{node}]: cached value: arrakis -> dune");
        let way = ["n2", "n3"].iter().position(|node| lines[0] == by(node));
        ways[way.unwrap_or_else(|| panic!("seed {seed}: {lines:?}"))] += 1;
        assert_eq!(lines[1..], [by("n4")], "seed {seed}");
    }
    assert!(ways.iter().all(|count| *count >= 10), "{ways:?}");
}

#[test]
fn one_seed_one_run() {
    let run = |seed| {
        let mut net = Net::diamond(seed);
        net.put("n1", "arrakis", "dune");
        net.get("n4", "arrakis").unwrap();
        (net.world.trace_hash(), net.take_lines())
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3).0, run(4).0);
}

#[test]
fn nobody_has_it() {
    let mut net = Net::diamond(1);
    net.take_lines();
    let error = net.get("n4", "Muad'Dib").unwrap_err();
    assert_eq!(error.get::<NoSuchKey>().unwrap().key, "Muad'Dib");
    assert!(error.to_string().ends_with("::no_such_key: Muad'Dib"), "{error}");
    assert!(net.take_lines().is_empty());
}

#[test]
fn a_copy_is_kept_until_a_put_overwrites_it() {
    let mut net = Net::diamond(1);
    net.put("n1", "arrakis", "dune");
    net.get("n4", "arrakis").unwrap();
    net.put("n1", "arrakis", "rakis");
    assert_eq!(net.get("n4", "arrakis").unwrap(), "dune");
    net.put("n4", "arrakis", "the desert");
    assert_eq!(net.get("n4", "arrakis").unwrap(), "the desert");
    assert_eq!(net.get("n1", "arrakis").unwrap(), "rakis");
}
