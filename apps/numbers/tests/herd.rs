//! The herd, simulated: who is a peer of whom, what is forwarded where, what is printed, and what
//! becomes of requests when nodes die on the way.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::Field;
use peers_numbers::{HOPS, HerdNodeProxy, Number, OperationFailed};
use std::collections::BTreeSet;
use std::time::Duration;

/// Asks `a` for so many small numbers and gives the lines of each request.
fn requests(field: &mut Field, count: usize) -> Vec<Vec<String>> {
    let client = field.client("a");
    field.take_lines();
    let mut all = Vec::new();
    for _ in 0..count {
        field.ask(client.get_random(16)).unwrap();
        all.push(field.take_lines());
    }
    all
}

fn forwards(lines: &[String]) -> usize {
    lines.iter().filter(|line| line.contains(": Forward to ")).count()
}

#[test]
fn whoever_dials_is_announced_and_known_on_both_sides_of_one_connection() {
    let mut field = Field::of_three(1);
    let lines = field.take_lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    let mut nodes = BTreeSet::new();
    for line in lines {
        let peer = line.strip_prefix("a: Added peer at [").expect(&line);
        let (name, node) = peer.split_once(", node ").expect(&line);
        assert!(name.contains("]@{{{AF_SIM:") && name.ends_with("}:{AF_SIM:a}}}"), "{line}");
        assert!(!name.starts_with(node), "the name has the id of the node that listens: {line}");
        nodes.insert(node.to_owned());
    }
    let dialled = |peer: &str| field.rpc(peer).node().to_string();
    assert_eq!(nodes, BTreeSet::from([dialled("b"), dialled("c")]), "each link says who came");
    assert_eq!(field.peers("a").len(), 2);
    for dialler in ["b", "c"] {
        let peers = field.peers(dialler);
        assert_eq!(peers.len(), 1);
        assert!(peers[0].ends_with("]@{{AF_SIM:a}}"), "{peers:?}");
        assert_eq!(field.rpc(dialler).endpoints().len(), 1);
    }
    assert_eq!(field.rpc("a").endpoints().len(), 2);
}

#[test]
fn asking_twice_to_be_a_peer_changes_nothing() {
    let mut field = Field::new(1);
    field.start("a", &[]);
    let stranger = field.herd_proxy("a");
    for _ in 0..2 {
        field.ask(stranger.add_peer()).unwrap();
    }
    assert_eq!((field.take_lines().len(), field.peers("a").len()), (1, 1));
}

#[test]
fn without_peers_everything_is_computed_here() {
    let mut field = Field::new(1);
    field.start("a", &[]);
    for lines in requests(&mut field, 50) {
        assert_eq!(lines, ["a: get_random"]);
    }
}

#[test]
fn a_coin_decides_between_here_and_there() {
    let mut field = Field::of_three(1);
    let all = requests(&mut field, 400);
    let here = all.iter().filter(|lines| forwards(lines) == 0).count();
    assert!((150..=250).contains(&here), "{here} of 400 were computed by the node that was asked");
    let last = |lines: &Vec<String>| lines.last().unwrap().split(':').next().unwrap().to_owned();
    let computed: BTreeSet<String> = all.iter().map(last).collect();
    assert_eq!(computed.len(), 3, "everybody computes now and then");
}

#[test]
fn the_method_is_printed_before_the_decision_and_again_by_whoever_it_is_forwarded_to() {
    let mut field = Field::of_three(1);
    let client = field.client("a");
    let (x, y) = (Number::from(11), Number::from(3));
    let mut seen = BTreeSet::new();
    for _ in 0..20 {
        field.take_lines();
        field.ask(client.get_random(64)).unwrap();
        field.ask(client.get_prime(64)).unwrap();
        assert_eq!(field.ask(client.is_prime(&x)), Ok(true));
        assert_eq!(field.ask(client.gcd(&x, &y)), Ok(Number::from(1)));
        assert_eq!(field.ask(client.inverse(&y, &x)), Ok(Number::from(4)));
        let mut method = None;
        for line in field.take_lines() {
            let (_, text) = line.split_once(": ").unwrap();
            match (text.strip_prefix("Forward to "), method.take()) {
                (Some(peer), Some(_)) => assert!(peer.starts_with('['), "{line}"),
                (Some(_), None) => panic!("forwarded without a method before it: {line}"),
                (None, _) => {
                    seen.insert(text.to_owned());
                    method = Some(text.to_owned());
                }
            }
        }
    }
    let methods = ["GCD", "get_prime", "get_random", "inverse", "is_prime"];
    assert_eq!(seen.iter().collect::<Vec<_>>(), methods);
}

#[test]
fn a_request_may_bounce_between_two_nodes_as_in_the_tutorial() {
    let mut field = Field::of_three(1);
    let bounced = |lines: &Vec<String>| {
        let who: String = lines.iter().filter_map(|line| line.chars().next()).collect();
        // a, forward, c, forward, a, forward, c: the tutorial's first request.
        who == "aaccaac" || who == "aabbaab"
    };
    let all = requests(&mut field, 400);
    let lines = all.iter().find(|lines| bounced(lines)).expect("one in thirty-two does");
    let there = lines[1].strip_prefix("a: Forward to ").unwrap();
    assert!(there.contains("]@{{{AF_SIM:") && there.contains("}:{AF_SIM:a}}}, node "), "{there}");
    let back = lines[3].split_once(": Forward to ").unwrap().1;
    assert!(back.ends_with("]@{{AF_SIM:a}}"), "{back}");
    assert_eq!(lines[5], lines[1]);
}

#[test]
fn a_request_is_forwarded_eight_times_at_most() {
    let mut field = Field::of_three(3);
    let longest = requests(&mut field, 2_000).iter().map(|lines| forwards(lines)).max();
    assert_eq!(longest, Some(HOPS as usize));
}

#[test]
fn nobody_can_ask_for_more_hops() {
    let mut field = Field::of_three(3);
    let node = field.herd_proxy("a");
    let mut longest = 0;
    for _ in 0..4_000 {
        field.take_lines();
        field.ask(node.get_random_in(16, u32::MAX)).unwrap();
        longest = longest.max(forwards(&field.take_lines()));
    }
    assert_eq!(longest, HOPS as usize);
    for _ in 0..50 {
        field.ask(node.get_random_in(16, 0)).unwrap();
    }
    assert_eq!(forwards(&field.take_lines()), 0, "none is none");
}

#[test]
fn the_same_seed_makes_the_same_herd_do_the_same() {
    let run = |seed| {
        let mut field = Field::of_three(seed);
        let client = field.client("b");
        let primes: Vec<Number> =
            (0..10).map(|_| field.ask(client.get_prime(96)).unwrap()).collect();
        assert!(primes.iter().all(|prime| prime.bits() == 96 && prime.is_prime()));
        (primes, field.take_lines(), field.world.trace_hash())
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5).0, run(6).0);
}

#[test]
fn the_tutorials_session() {
    for seed in 0..5 {
        let mut field = Field::of_three(seed);
        let n = field.client("a");
        let x = field.ask(n.get_prime(192)).unwrap();
        assert_eq!(field.ask(n.is_prime(&x)), Ok(true));
        let y = field.ask(n.get_random(192)).unwrap();
        assert_eq!(field.ask(n.gcd(&x, &y)), Ok(Number::from(1)));
        let z = field.ask(n.inverse(&y, &x)).unwrap();
        assert_eq!(z.times(&y).modulo(&x), Ok(Number::from(1)));
    }
}

#[test]
fn what_goes_wrong_crosses_the_chain_as_the_declared_exception() {
    let mut field = Field::of_three(1);
    let client = field.client("a");
    let node = field.herd_proxy("a");
    field.take_lines();
    for _ in 0..10 {
        let wrong = [
            (field.ask(client.inverse(&Number::from(6), &Number::from(9))).map(drop), "no inverse"),
            (field.ask(client.inverse(&Number::from(6), &Number::from(0))).map(drop), "zero"),
            (field.ask(client.get_prime(1)).map(drop), "2 to 4096 bits"),
            (field.ask(client.get_prime(4_097)).map(drop), "2 to 4096 bits"),
            (field.ask(client.get_random(0)).map(drop), "1 to 4096 bits"),
            (field.ask(node.is_prime([0, 1])).map(drop), "not a number"),
            (field.ask(node.gcd([1; 1_025], [1])).map(drop), "too long"),
        ];
        for (outcome, words) in wrong {
            let error = outcome.unwrap_err();
            let reason = error.get::<OperationFailed>().expect("declared").reason;
            assert!(reason.contains(words), "{reason}");
            assert!(error.to_string().contains(" ::operation_failed: "), "{error}");
        }
    }
    assert!(forwards(&field.take_lines()) > 20);
}

#[test]
fn what_a_dying_peer_leaves_undone_is_computed_here() {
    let mut field = Field::new(1);
    field.start("a", &[]);
    field.start("b", &["a"]);
    field.settle();
    let client = field.client("a");
    field.ask(client.get_random(8)).unwrap();
    field.take_lines();
    let time = Duration::from_millis(10);
    field.world.set_latency(time..=time);
    let sent: Vec<_> = (0..20).map(|_| field.send(client.get_random(64))).collect();
    // They are at a, and half of them on their way to b.
    field.world.run_for(Duration::from_millis(15));
    assert!(forwards(&field.take_lines()) > 3);
    field.crash("b");
    field.settle();
    for outcome in sent {
        assert_eq!(outcome.take().unwrap().unwrap().bits(), 64);
    }
    assert!(field.peers("a").is_empty());
}

#[test]
fn a_node_that_comes_back_is_a_peer_again() {
    let mut field = Field::of_three(1);
    field.crash("a");
    field.settle();
    assert!(field.peers("b").is_empty() && field.peers("c").is_empty());
    field.world.run_for(Duration::from_secs(120));
    field.take_lines();
    field.start("a", &[]);
    field.world.run_for(Duration::from_secs(60));
    assert_eq!(field.peers("b").len() + field.peers("c").len(), 2);
    assert_eq!(field.peers("a").len(), 2);
    assert_eq!(field.take_lines().len(), 2);
}

#[test]
fn a_peer_that_is_not_there_yet_is_found_when_it_comes() {
    let mut field = Field::new(1);
    field.start("b", &["a"]);
    field.world.run_for(Duration::from_secs(20));
    field.start("a", &[]);
    field.world.run_for(Duration::from_secs(60));
    assert_eq!((field.peers("a").len(), field.peers("b").len()), (1, 1));
}

#[test]
fn a_silent_peer_has_half_of_the_time_and_the_rest_is_for_computing_here() {
    let mut field = Field::new(2);
    field.start("a", &[]);
    field.start("b", &["a"]);
    field.settle();
    let client = field.client("a");
    field.ask(client.get_random(8)).unwrap();
    // b takes what it is sent and answers nothing for a while.
    let b = field.process("b");
    field.world.stall(b, Duration::from_secs(20));
    field.take_lines();
    let begun = field.world.now();
    let calls: Vec<_> =
        (0..10).map(|_| field.send(client.get_random(64).within(Duration::from_secs(3)))).collect();
    field.world.run_until(begun + Duration::from_secs(1));
    let forwarded = forwards(&field.take_lines());
    assert!((1..10).contains(&forwarded));
    let early: Vec<_> = calls.iter().map(|call| call.take()).collect();
    assert_eq!(early.iter().filter(|outcome| outcome.is_none()).count(), forwarded);
    field.world.run_until(begun + Duration::from_secs(3));
    for (early, call) in early.into_iter().zip(&calls) {
        assert_eq!(early.or_else(|| call.take()).expect("in time").unwrap().bits(), 64);
    }
    // Nobody waits for an answer to the caller who has his, and what b finds later has expired.
    field.world.run_until(begun + Duration::from_secs(30));
    assert_eq!((field.rpc("a").running(), field.rpc("b").running()), (0, 0));
    assert!(field.rpc("a").endpoints().iter().all(|endpoint| endpoint.pending() == 0));
    assert_eq!(field.take_lines(), [] as [String; 0], "expired work is not started");
}

#[test]
fn a_cancel_runs_along_the_chain() {
    let mut field = Field::new(1);
    field.start("a", &[]);
    field.start("b", &["a"]);
    field.settle();
    let client = field.client("a");
    field.ask(client.get_random(8)).unwrap();
    field.take_lines();
    let time = Duration::from_millis(1);
    field.world.set_latency(time..=time);
    // No more than one forward each, so that it is known when they arrive where. Simulated work
    // takes up to 10 ms.
    let node = HerdNodeProxy::new(client.proxy().caller().clone());
    let calls = (0..40).map(|_| field.send_for_now(node.get_prime_in(64, 1))).collect();
    field.world.run_for(Duration::from_micros(2_500));
    let forwarded = forwards(&field.take_lines());
    assert!(forwarded > 10);
    assert!(field.rpc("b").running() > forwarded / 2, "they have just begun");
    field.cancel(calls);
    field.world.run_for(Duration::from_millis(3));
    assert_eq!((field.rpc("a").running(), field.rpc("b").running()), (0, 0));
    assert!(field.rpc("a").endpoints().iter().all(|endpoint| endpoint.pending() == 0));
}

#[test]
fn for_ever_is_for_ever_along_the_chain() {
    let mut field = Field::new(2);
    field.start("a", &[]);
    field.start("b", &["a"]);
    field.settle();
    let client = field.client("a");
    let b = field.process("b");
    field.ask(client.get_random(8)).unwrap();
    // Longer than the default time-out, shorter than the silence that kills a connection.
    field.world.stall(b, Duration::from_secs(40));
    field.take_lines();
    let calls: Vec<_> = (0..10).map(|_| field.send(client.get_random(64).forever())).collect();
    field.world.run_for(Duration::from_secs(43));
    assert!(forwards(&field.take_lines()) > 0);
    for call in calls {
        assert_eq!(call.take().expect("by now").unwrap().bits(), 64);
    }
}

#[test]
fn a_stranger_that_is_no_herd_node_is_let_go() {
    let mut field = Field::new(1);
    field.start_loner("loner");
    field.start("b", &["loner"]);
    field.settle();
    assert!(field.peers("b").is_empty());
    let client = field.client("b");
    assert_eq!(field.ask(client.is_prime(&Number::from(7))), Ok(true));
    let loner = field.client("loner");
    assert_eq!(field.ask(loner.is_prime(&Number::from(7))), Ok(true));
}
