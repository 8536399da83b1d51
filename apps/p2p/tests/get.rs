//! `get`: a depth-first search among peers that come, go, die and lie.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Net, address, graphs, start_client};
use peers_p2p::{NoSuchKey, P2pNodeProxy};
use peers_rpc::{Cont, ErrorKind};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

#[test]
fn a_value_put_during_the_search_wins() {
    let mut net = Net::graph(1, 3, &graphs::path(3));
    net.slow_motion("0");
    net.put("2", "arrakis", "dune");
    net.take_lines();
    let answer = net.begin("0", |node| node.get("arrakis"));
    // It is on its way by now: 10 ms to node 0, 40 more to node 2 and back.
    net.world.run_for(Duration::from_millis(25));
    net.send_put("0", "arrakis", "mine");
    assert_eq!(net.finish(&answer).unwrap(), "mine");
    assert_eq!(
        net.take_lines(),
        [
            "[sim:0]: put arrakis -> mine",
            "[sim:1]: cached value: arrakis -> dune",
            "[sim:0]: ignored value: arrakis -> dune",
        ]
    );
    assert_eq!(net.value("0", "arrakis").as_deref(), Some("mine"));
}

#[test]
fn overlapping_searches_keep_the_first_value_that_arrives() {
    let mut ignored = 0;
    for seed in 0..20 {
        let mut net = Net::diamond(seed);
        net.put("n2", "arrakis", "atreides");
        net.put("n3", "arrakis", "harkonnen");
        net.take_lines();
        let answers: Vec<_> =
            (0..10).map(|_| net.begin("n4", |node| node.get("arrakis"))).collect();
        let values: Vec<_> = answers.iter().map(|answer| net.finish(answer).unwrap()).collect();
        let kept = net.value("n4", "arrakis").unwrap();
        assert!(values.iter().all(|value| *value == kept), "seed {seed}: {values:?}");
        let lines = net.take_lines();
        let count = |word: &str| lines.iter().filter(|line| line.contains(word)).count();
        assert_eq!(count("cached"), 1, "seed {seed}: {lines:?}");
        ignored += count("ignored");
    }
    assert!(ignored > 20, "they hardly overlapped");
}

#[test]
fn a_peer_that_has_nothing_stays_a_peer_and_the_next_is_asked() {
    for seed in 0..10 {
        let mut net = Net::graph(seed, 4, &graphs::star(4));
        net.put("3", "arrakis", "dune");
        assert_eq!(net.get("0", "arrakis").unwrap(), "dune", "seed {seed}");
        assert_eq!(net.peers("0").len(), 3);
    }
}

#[test]
fn a_dead_peer_is_removed_when_it_is_asked_and_the_search_goes_on() {
    for seed in 0..10 {
        let mut net = Net::graph(seed, 4, &graphs::star(4));
        net.put("3", "arrakis", "dune");
        net.crash("1");
        net.crash("2");
        net.take_lines();
        assert_eq!(net.peers("0").len(), 3, "nobody has asked yet");
        assert_eq!(net.get("0", "arrakis").unwrap(), "dune", "seed {seed}");
        let mut lines = net.take_lines();
        assert_eq!(lines.pop().unwrap(), "[sim:0]: cached value: arrakis -> dune");
        assert!(lines.iter().all(|line| line.starts_with("[sim:0]: removed dead peer: sim:")));
        assert_eq!(net.peers("0").len(), 3 - lines.len());
    }
}

#[test]
fn a_peer_that_dies_while_it_is_asked_is_removed_too() {
    let mut net = Net::graph(1, 2, &graphs::path(2));
    net.slow_motion("0");
    let (stalled, answer) = (net.process("1"), net.begin("0", |node| node.get("arrakis")));
    net.world.stall(stalled, Duration::from_secs(1));
    net.world.run_for(Duration::from_millis(50));
    net.crash("1");
    assert!(net.finish(&answer).unwrap_err().is::<NoSuchKey>());
    assert_eq!(net.take_lines(), ["[sim:0]: removed dead peer: sim:1"]);
}

#[test]
fn a_thousand_dead_peers_do_not_grow_the_stack() {
    let search = || {
        let mut net = Net::new(1);
        net.start("0", &[]);
        let (_, crowd) = start_client(&mut net.world, "crowd");
        for peer in 0..1_000 {
            let proxy = P2pNodeProxy::new(crowd.connect(&address("0")));
            let handle = proxy.caller().handle().clone();
            let told = Cont::new(&handle, |_: Result<String, peers_rpc::Error>| ());
            proxy.add_peer(format!("sim:crowd-{peer}")).then(told);
        }
        net.world.run_for(Duration::from_secs(10));
        assert_eq!(net.peers("0").len(), 1_000);
        for endpoint in crowd.endpoints() {
            endpoint.close();
        }
        net.settle();
        net.take_lines();
        assert!(net.get("0", "arrakis").unwrap_err().is::<NoSuchKey>());
        assert_eq!(net.take_lines().len(), 1_000);
        assert!(net.peers("0").is_empty());
    };
    // A frame of a debug build is some hundred bytes: a thousand searches inside each other would
    // not fit.
    let thread = std::thread::Builder::new().stack_size(160 << 10).spawn(search).unwrap();
    thread.join().unwrap();
}

#[test]
fn visited_nodes_are_not_asked() {
    let mut net = Net::graph(1, 3, &graphs::star(3));
    net.put("1", "arrakis", "dune");
    let visited = ["sim:1".to_owned()];
    let answer = net.ask("0", |node| node.get_from("arrakis", &visited));
    assert!(answer.unwrap_err().is::<NoSuchKey>());
    assert_eq!((net.requests("1").get, net.requests("2").get), (0, 1));
    net.put("0", "arrakis", "here");
    let everybody: Vec<String> = (0..3).map(|node| format!("sim:{node}")).collect();
    let answer = net.ask("0", |node| node.get_from("arrakis", &everybody));
    assert_eq!(answer.unwrap(), "here", "a poisoned list does not silence the node itself");
}

#[test]
fn a_list_that_is_too_long_is_as_good_as_exhausted() {
    let mut net = Net::graph(1, 2, &graphs::path(2));
    net.put("1", "arrakis", "dune");
    let many = vec![String::new(); 4_097];
    let long = vec!["x".repeat((64 << 10) + 1)];
    let huge = vec![String::new(); 1_000_000];
    for visited in [many, long, huge] {
        let answer = net.ask("0", |node| node.get_from("arrakis", &visited));
        assert!(answer.unwrap_err().is::<NoSuchKey>());
    }
    assert_eq!(net.requests("1").get, 0);
    let full = vec![String::new(); 4_096 - 2]; // room for both nodes
    assert_eq!(net.ask("0", |node| node.get_from("arrakis", &full)).unwrap(), "dune");
}

#[test]
fn a_chain_of_a_thousand_nodes_is_searched_to_its_end() {
    let mut net = Net::graph(1, 1_000, &graphs::path(1_000));
    net.put("999", "arrakis", "dune");
    let answer = net.ask("0", |node| node.get("arrakis").within(Duration::from_secs(60)));
    assert_eq!(answer.unwrap(), "dune");
    assert_eq!(net.value("1", "arrakis").as_deref(), Some("dune"));
    let answer = net.ask("0", |node| node.get("nothing").within(Duration::from_secs(60)));
    assert!(answer.unwrap_err().is::<NoSuchKey>());
}

#[test]
fn beyond_the_depth_of_calls_a_branch_is_exhausted() {
    let mut net = Net::graph(1, 1_030, &graphs::path(1_030));
    net.put("1029", "arrakis", "dune");
    let answer = net.ask("0", |node| node.get("arrakis").within(Duration::from_secs(60)));
    assert!(answer.unwrap_err().is::<NoSuchKey>());
    assert_eq!((net.requests("1024").get, net.requests("1025").get), (1, 0));
}

#[test]
fn a_peer_that_hangs_is_a_time_out_and_no_claim_that_nobody_has_it() {
    let mut net = Net::graph(1, 3, &graphs::path(3));
    net.put("2", "arrakis", "dune");
    net.proxy("0");
    net.settle();
    let (one, other) = (net.process("1"), net.process("2"));
    net.world.partition(&[one], &[other]);
    let time = Duration::from_secs(11);
    let answer = net.ask_within(time, "0", |node| node.get("arrakis")).unwrap_err();
    assert!(matches!(answer.kind(), ErrorKind::TimedOut { .. }), "{answer}");
    assert_eq!(net.peers("1").len(), 2, "silence removes nobody");
    net.world.heal();
    net.settle();
    assert_eq!(net.get("0", "arrakis").unwrap(), "dune");
}

#[test]
fn a_search_that_is_cancelled_asks_nobody_else() {
    let mut net = Net::graph(1, 12, &graphs::star(12));
    net.slow_motion("0");
    let asked = |net: &Net| (1..12).map(|n| net.requests(&n.to_string()).get).sum::<u64>();
    let (proxy, client) = (net.proxy("0"), net.client_process());
    let outcome = Rc::new(RefCell::new(None));
    let told = outcome.clone();
    let cancel = net.world.with(client, |handle| {
        let k = Cont::new(handle, move |result: Result<String, peers_rpc::Error>| {
            told.replace(Some(result));
        });
        proxy.get("arrakis").then_cancellable(k)
    });
    net.world.run_for(Duration::from_millis(100));
    net.world.with(client, |_| cancel.now());
    net.world.run_for(Duration::from_millis(50));
    let then = asked(&net);
    assert!((1..11).contains(&then), "{then}");
    net.world.run_for(Duration::from_secs(5));
    assert_eq!(asked(&net), then);
    assert_eq!(net.running("0"), 0);
    assert_eq!(*outcome.take().unwrap().unwrap_err().kind(), ErrorKind::Cancelled);
}
