//! A search ends with its caller: when the caller's time is over, nobody passes it on any more,
//! however long the ways are.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Net, graphs};
use peers_p2p::{P2pNodeProxy, QueryId};
use peers_rpc::Call;
use peers_rpc::wire::DecodeOwned;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// Time that each message travels, and time that the caller waits: ten hops, which is too little
/// for the whole grid and enough for thousands of requests.
const PACES: [(Duration, Duration); 3] = [
    (Duration::from_secs(1), Duration::from_secs(10)),
    (Duration::from_millis(10), Duration::from_millis(100)),
    (Duration::from_micros(100), Duration::from_millis(5)),
];

/// Eight by eight nodes, which know each other and the client; each message travels for `hop`.
fn grid(hop: Duration) -> Net {
    let mut net = Net::new(1);
    net.world.set_latency(hop..=hop);
    let links = graphs::grid(8);
    for node in 0..64 {
        let dials = links.iter().filter(|(a, b)| *a.max(b) == node).map(|(a, b)| a.min(b));
        let dials: Vec<String> = dials.map(ToString::to_string).collect();
        net.start(&node.to_string(), &dials.iter().map(String::as_str).collect::<Vec<_>>());
    }
    net.proxy("0");
    net.world.run_for(MINUTE);
    net
}

fn arrived(net: &Net) -> u64 {
    let requests = net.names().into_iter().map(|name| net.requests(&name));
    requests.map(|node| node.get + node.get_all + node.search).sum()
}

/// Asks a corner, and says how many requests there were. After the deadline, and the time that a
/// message travels, there must be no more.
fn asks<T: DecodeOwned + 'static>(
    hop: Duration,
    time: Duration,
    call: impl FnOnce(&P2pNodeProxy) -> Call<T>,
) -> u64 {
    let mut net = grid(hop);
    let outcome = net.begin("0", |node| call(node).within(time));
    net.world.run_for(time + hop);
    let in_time = arrived(&net);
    net.world.run_for(MINUTE);
    assert_eq!(arrived(&net) - in_time, 0, "requests too late, at {hop:?} a hop, {time:?} in all");
    assert!(outcome.borrow().is_some());
    assert!(net.names().iter().all(|name| net.running(name) == 0), "nobody owes an answer");
    in_time
}

#[test]
fn a_search_by_visited_nodes_ends_with_its_caller() {
    for (hop, time) in PACES {
        assert!(asks(hop, time, |node| node.get_all("who")) > 20);
        assert!(asks(hop, time, |node| node.get_all_counted("who", [])) > 20);
    }
}

#[test]
fn a_search_by_query_id_ends_with_its_caller() {
    for (hop, time) in PACES {
        assert!(asks(hop, time, |node| node.search("who")) > 20);
        let query = QueryId { high: 1, low: 1 };
        assert!(asks(hop, time, |node| node.search_from("who", &query, 64)) > 20);
    }
}

#[test]
fn a_search_for_one_value_ends_with_its_caller() {
    for (hop, time) in PACES {
        assert!(asks(hop, time, |node| node.get("who")) > 3);
    }
}

#[test]
fn what_was_found_within_the_time_comes_back_within_it() {
    let (hop, time) = PACES[0];
    let mut net = grid(hop);
    for node in ["0", "1", "8", "63"] {
        net.send_put(node, "who", node);
    }
    net.world.run_for(MINUTE);
    let values = net.ask_within(time, "0", |node| node.get_all("who").within(time)).unwrap();
    assert!(values.iter().eq(["0", "1", "8"]), "the far corner is out of reach: {values:?}");
    let found = net.ask_within(time, "0", |node| node.search("who").within(time)).unwrap();
    assert!(found.values.iter().eq(["0", "1", "8"]) && found.exhausted, "{found:?}");
}
