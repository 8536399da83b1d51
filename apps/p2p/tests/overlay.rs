//! The overlay: how nodes meet, over how many connections, and how they find each other again.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Net, address, graphs, start_client};
use peers_p2p::P2pNodeProxy;
use peers_rpc::{Cont, ErrorKind};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

#[test]
fn a_link_is_one_connection_that_serves_calls_both_ways() {
    let mut net = Net::graph(1, 2, &graphs::path(2));
    assert_eq!((net.peers("0"), net.peers("1")), (vec!["sim:1".into()], vec!["sim:0".into()]));
    assert_eq!((net.connections("0"), net.connections("1")), (1, 1));
    net.put("0", "a", "from 0");
    net.put("1", "b", "from 1");
    assert_eq!(net.get("1", "a").unwrap(), "from 0", "the dialler asks");
    assert_eq!(net.get("0", "b").unwrap(), "from 1", "the one that was dialled asks");
    assert_eq!((net.connections("0"), net.connections("1")), (2, 2), "the other is the client's");
}

#[test]
fn only_who_is_dialled_prints() {
    let mut net = Net::diamond(1);
    let mut lines = net.take_lines();
    lines.sort();
    let line = |node, peer| format!("[sim:{node}]: add peer sim:{peer}");
    assert_eq!(lines, [line("n1", "n2"), line("n1", "n3"), line("n2", "n4"), line("n3", "n4")]);
}

#[test]
fn links_are_kept_however_long_they_are_unused() {
    let mut net = Net::graph(1, 2, &graphs::path(2));
    net.world.run_for(Duration::from_secs(3_600));
    assert!(net.take_lines().is_empty());
    assert_eq!((net.connections("0"), net.connections("1")), (1, 1));
    net.put("1", "a", "b");
    assert_eq!(net.get("0", "a").unwrap(), "b");
}

#[test]
fn a_node_that_comes_back_is_found_again() {
    for seed in 0..20 {
        let mut net = Net::graph(seed, 2, &graphs::path(2));
        net.crash("0");
        net.world.run_for(Duration::from_secs(60));
        net.start("0", &[]);
        net.world.run_for(Duration::from_secs(31));
        assert_eq!(net.take_lines(), ["[sim:0]: add peer sim:1"], "seed {seed}");
        net.put("1", "a", "b");
        assert_eq!(net.get("0", "a").unwrap(), "b");
    }
}

#[test]
fn a_node_may_start_before_the_peers_that_it_is_given() {
    let mut net = Net::new(1);
    net.start("late", &["missing"]);
    net.world.run_for(Duration::from_secs(10));
    assert!(net.peers("late").is_empty());
    net.start("missing", &[]);
    net.world.run_for(Duration::from_secs(31));
    assert_eq!(net.peers("late"), ["sim:missing"]);
}

#[test]
fn a_crowd_does_not_come_back_all_at_once() {
    let mut net = Net::graph(1, 101, &graphs::star(101));
    net.crash("0");
    net.world.run_for(Duration::from_secs(120));
    net.start("0", &[]);
    let mut seconds = Vec::new();
    let mut before = 0;
    for _ in 0..31 {
        net.world.run_for(Duration::from_secs(1));
        let now = net.peers("0").len();
        seconds.push(now - before);
        before = now;
    }
    assert_eq!(before, 100);
    assert!(*seconds.iter().max().unwrap() <= 15, "{seconds:?}");
}

#[test]
fn nobody_is_his_own_peer() {
    let mut net = Net::new(1);
    net.start("0", &["0"]);
    net.world.run_for(Duration::from_secs(5));
    assert!(net.peers("0").is_empty());
    let error = net.ask("0", |node| node.add_peer("sim:0")).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Failed(text) if text.contains("dialled itself")),
        "{error}"
    );
}

#[test]
fn a_connection_stands_for_one_peer_and_a_newer_one_takes_its_place() {
    let mut net = Net::new(1);
    net.start("0", &[]);
    for id in ["a", "b", "a"] {
        assert_eq!(net.ask("0", |node| node.add_peer(id)).unwrap(), "sim:0");
        assert_eq!(net.peers("0"), [id]);
    }
    // The same id over another connection: the end of the first one means nothing any more.
    let (process, other) = start_client(&mut net.world, "other");
    let second = P2pNodeProxy::new(other.connect(&address("0")));
    net.world.with(process, |handle| {
        second.add_peer("a").then(Cont::new(handle, |id: Result<String, _>| drop(id.unwrap())));
    });
    net.settle();
    net.proxy("0").caller().close();
    net.settle();
    net.take_lines();
    let error = net.get("0", "key").unwrap_err();
    assert!(error.is::<peers_p2p::NoSuchKey>(), "{error}");
    assert_eq!(net.peers("0"), ["a"]);
    assert!(net.take_lines().is_empty());
}

#[test]
fn ids_and_peers_are_bounded() {
    let mut net = Net::new(1);
    net.bounds.peers = 3;
    net.start("0", &[]);
    let error = net.ask("0", |node| node.add_peer("x".repeat(257))).unwrap_err();
    assert!(error.to_string().contains("too long"), "{error}");
    let (process, crowd) = start_client(&mut net.world, "crowd");
    let taken = Rc::new(RefCell::new(Vec::new()));
    for peer in 0..5 {
        let proxy = P2pNodeProxy::new(crowd.connect(&address("0")));
        let outcomes = taken.clone();
        net.world.with(process, |handle| {
            let told = Cont::new(handle, move |id: Result<String, peers_rpc::Error>| {
                outcomes.borrow_mut().push(id.is_ok());
            });
            proxy.add_peer(format!("peer {peer}")).then(told);
        });
        net.settle();
    }
    assert_eq!(*taken.borrow(), [true, true, true, false, false]);
    assert_eq!(net.peers("0").len(), 3);
}

#[test]
fn two_nodes_that_dial_each_other_are_peers_all_the_same() {
    let mut net = Net::new(1);
    net.start("a", &["b"]);
    net.start("b", &["a"]);
    net.world.run_for(Duration::from_secs(31));
    assert_eq!((net.peers("a"), net.peers("b")), (vec!["sim:b".into()], vec!["sim:a".into()]));
    net.put("a", "k", "v");
    assert_eq!(net.get("b", "k").unwrap(), "v");
    let found = net.ask("b", |node| node.search("k")).unwrap();
    assert!(found.values.iter().eq(["v"]) && found.requests <= 3, "{found:?}");
}
