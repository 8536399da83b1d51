//! Promise: a loop that is behind does no dead work. A request whose time passes while it waits for
//! its turn is refused and never executed, and one slow handler ends its turn: timers, other
//! connections and other threads come next.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Desk, Field, Got, Peer, ProbeProxy, in_other_worlds, millis, secs};
use peers_rpc::ErrorKind;
use std::time::Duration;

const SEEDS: std::ops::Range<u64> = 0..5;

/// A server that takes so long for each `ask`, and says so in what it has heard, with the time.
fn slow_pair(seed: u64, takes: Duration) -> (Field, Peer, Peer, ProbeProxy) {
    let mut field = Field::simulated(seed);
    let (client, server, node) = field.met_pair();
    server.when_asked(move |_: &mut Desk, cx, _, text, reply| {
        cx.handle().take_time(takes);
        reply.ok(text);
    });
    field.pass(secs(1));
    (field, client, server, node)
}

fn ask(field: &mut Field, client: &Peer, node: &ProbeProxy, count: usize) -> Vec<Got<String>> {
    let (ks, gots): (Vec<_>, Vec<_>) = (0..count).map(|_| Got::new(client.handle())).unzip();
    let node = node.clone();
    field.on(client, move || {
        for (n, k) in ks.into_iter().enumerate() {
            node.ask(n.to_string()).within(secs(1)).then(k);
        }
    });
    gots
}

#[test]
fn of_sixty_slow_calls_those_are_executed_that_are_begun_in_time() {
    for seed in SEEDS {
        let (mut field, client, server, node) = slow_pair(seed, millis(160));
        let calls = ask(&mut field, &client, &node, 60);
        field.pass(secs(20));
        // One more is begun before its second is over, and what came while the first ran was heard
        // of later.
        let executed = server.heard().len();
        assert!((6..=9).contains(&executed), "seed {seed}: {executed} executed");
        let answered = calls.iter().map(Got::take).filter(Result::is_ok).count();
        assert!((1..=6).contains(&answered), "seed {seed}: {answered} answered");
        assert_eq!(field.outcome(&client, node.echo("alive")).unwrap(), "alive");
    }
}

#[test]
fn that_is_so_on_many_connections_as_well() {
    for seed in SEEDS {
        let (mut field, client, server, _) = slow_pair(seed, millis(160));
        let nodes: Vec<_> = (0..20).map(|_| field.dial(&client, &server)).collect();
        for node in &nodes {
            field.outcome(&client, node.context()).unwrap();
        }
        let calls: Vec<_> =
            nodes.iter().flat_map(|node| ask(&mut field, &client, node, 3)).collect();
        field.pass(secs(20));
        let executed = server.heard().len();
        // What a cut read left behind is told of a turn later, and counts from then.
        assert!((6..=15).contains(&executed), "seed {seed}: {executed} executed");
        for outcome in calls.iter().map(Got::take) {
            let timed_out = |kind: &ErrorKind| matches!(kind, ErrorKind::TimedOut { .. });
            assert!(outcome.is_ok() || outcome.is_err_and(|error| timed_out(error.kind())));
        }
    }
}

#[test]
fn what_lies_in_the_socket_while_the_loop_is_behind_counts_from_when_the_loop_was_told() {
    for seed in SEEDS {
        let mut field = Field::simulated(seed);
        let (client, server, node) = field.met_pair();
        server.when_asked(move |_: &mut Desk, cx, _, text, reply| {
            cx.handle().take_time(millis(160));
            reply.ok(text);
        });
        field.pass(secs(1));
        // More than one read brings: what is left behind in the socket came with the rest.
        let (ks, calls): (Vec<_>, Vec<Got<String>>) =
            (0..100).map(|_| Got::new(client.handle())).unzip();
        let proxy = node.clone();
        field.on(&client, move || {
            for k in ks {
                proxy.ask("x".repeat(600)).within(secs(2)).then(k);
            }
        });
        field.pass(secs(30));
        let executed = server.heard().len();
        assert!((11..=14).contains(&executed), "seed {seed}: {executed} executed");
        assert!(calls.iter().all(Got::is_done));
    }
}

#[test]
fn one_slow_handler_ends_its_turn() {
    for seed in SEEDS {
        let (mut field, client, server, node) = slow_pair(seed, secs(1));
        let (ks, calls): (Vec<_>, Vec<Got<String>>) =
            (0..8).map(|_| Got::new(client.handle())).unzip();
        let rang = std::rc::Rc::new(std::cell::Cell::new(None));
        let place = rang.clone();
        let handle = server.handle().clone();
        field.on(&server, move || {
            let clock = handle.clone();
            handle.after(millis(500), move || place.set(Some(clock.now())));
        });
        let began = field.now();
        field.on(&client, move || {
            for k in ks {
                node.ask("slow").forever().then(k);
            }
        });
        field.outcomes_within(secs(31), &calls);
        let late = rang.get().unwrap().since(peers_rpc::Instant::default()) - began;
        assert!(late < millis(2_100), "seed {seed}: a timer rang after {late:?}");
    }
}

/// What arrived while one handler took a second and more may have arrived at its beginning, as far
/// as anybody can know. So what has less time than that is refused, though its caller waits still:
/// it was not executed, and may be made again. What has more time is executed.
#[test]
fn behind_a_handler_of_more_than_a_second_what_may_be_late_is_refused_and_may_be_made_again() {
    for seed in SEEDS {
        let (mut field, client, server, node) = slow_pair(seed, millis(1_500));
        let other = field.dial(&client, &server);
        field.outcome(&client, other.context()).unwrap();
        let slow = field.start(&client, node.ask("slow").forever());
        field.pass(millis(1_000));
        let short = field.start(&client, other.echo("short").within(secs(1)));
        let long = field.start(&client, other.echo("long").within(secs(2)));
        field.pass(millis(600));
        let error = short.take().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::TimedOut { .. }), "seed {seed}: {error}");
        assert_eq!(long.take().unwrap(), "long", "seed {seed}");
        assert_eq!(slow.take().unwrap(), "slow");
        assert_eq!(server.heard(), ["slow", "long"], "seed {seed}");
        let again = field.start(&client, other.echo("short").within(secs(1)));
        field.pass(millis(20));
        assert_eq!(again.take().unwrap(), "short");
    }
}

in_other_worlds! {
    of_sixty_slow_calls_those_are_executed_that_are_begun_in_time,
        not SmallPieces: "a short read says that nothing more lies in the socket";
    that_is_so_on_many_connections_as_well,
        not SmallPieces: "a short read says that nothing more lies in the socket";
    what_lies_in_the_socket_while_the_loop_is_behind_counts_from_when_the_loop_was_told,
        not SmallPieces: "a short read says that nothing more lies in the socket";
    one_slow_handler_ends_its_turn;
    behind_a_handler_of_more_than_a_second_what_may_be_late_is_refused_and_may_be_made_again,
        not SmallPieces: "a short read says that nothing more lies in the socket";
}
