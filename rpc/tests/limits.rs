//! Promise: the limits in force are those that a process announces, zero means one thing, and a
//! frame limit that only one side has raised makes at most a call fail, as too large: never the
//! connection, and nobody is blamed.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Field, everywhere, in_other_worlds, limits, millis, secs};
use peers_rpc::{ErrorKind, Limits};
use std::time::Duration;

const KIB: usize = 1 << 10;

#[test]
fn what_cannot_be_kept_is_replaced_by_the_nearest_that_can() {
    let (fitted, changed) = Limits::default().fitted();
    assert_eq!((fitted, changed.len()), (Limits::default(), 0));
    let least = limits(|l| {
        (l.frame, l.frame_before_hello) = (4_096, 4_096);
        (l.request_window, l.control_rate, l.control_burst) = (1, 1, 1);
        (l.output_low_water, l.inbound_queue) = (1, 1);
        (l.request_window_before_hello, l.error_text) = (64, 4_096);
        (l.ping_idle, l.peer_timeout) = (millis(100), millis(200));
    });
    assert_eq!(least.clone().fitted(), (least.clone(), vec![]), "all at their bounds");
    let beyond = limits(|l| {
        (l.frame, l.frame_before_hello) = (4_095, 0);
        (l.request_window, l.control_rate, l.control_burst) = (0, 0, 0);
        (l.output_low_water, l.inbound_queue) = (0, 0);
        (l.request_window_before_hello, l.error_text) = (65, 4_097);
        (l.ping_idle, l.peer_timeout) = (millis(99), millis(200));
    });
    let (fitted, changed) = beyond.fitted();
    assert_eq!((fitted, changed.len()), (least, 10), "{changed:?}");
    let late = limits(|l| (l.ping_idle, l.peer_timeout) = (secs(15), secs(10)));
    assert_eq!(late.fitted().0.ping_idle, secs(5), "who is asked too late would be dead at once");
}

#[test]
fn a_time_of_zero_is_no_limit() {
    let none = limits(|l| {
        for time in [
            &mut l.handshake_timeout,
            &mut l.frame_timeout,
            &mut l.ping_idle,
            &mut l.peer_timeout,
            &mut l.keep_alive,
            &mut l.linger,
            &mut l.drain,
            &mut l.write_stall_timeout,
            &mut l.default_timeout,
        ] {
            *time = Duration::ZERO;
        }
    });
    assert!(none.clone().fitted().1.is_empty());
    let mut field = Field::simulated(1);
    let (client, server, node) = field.pair_with(none.clone(), none);
    let held = field.start(&client, node.hold("x"));
    field.pass(secs(100_000));
    assert!(!held.is_done() && node.caller().is_open());
    field.answer(&server, "x", Ok("at last"));
    field.until(|| held.is_done());
    assert_eq!(held.take().unwrap(), "at last");
    // Nobody is pinged, and so nobody is ever taken for dead.
    let before = field.now();
    let (one, other) = (client.process(), server.process());
    field.world().partition(&[one], &[other]);
    field.pass(secs(100_000));
    assert!(node.caller().is_open() && field.now() > before);
}

#[test]
fn the_frame_limit_announced_is_the_one_enforced() {
    let small = limits(|l| l.frame = 1_024);
    let mut field = Field::simulated(1);
    let (client, _server, node) = field.pair_with(small, Limits::default());
    for size in [0, 2_000, 4_096 - 20] {
        let text = "x".repeat(size);
        let echoed = field.outcome(&client, node.echo(text.clone()));
        assert_eq!(echoed.unwrap(), text, "{size}");
    }
    let error = field.outcome(&client, node.echo("x".repeat(5_000))).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TooLarge { limit: 4_096, .. }), "{error}");
}

everywhere! {
    fn raised_on_one_side_only_it_fails_calls_and_not_the_connection(field: &mut Field) {
        let small = limits(|l| (l.frame, l.output_low_water) = (64 << 10, 16 << 10));
        let large = limits(|l| l.frame = 64 << 20);
        // Whoever asks, and whoever answers.
        let both = [("one", small.clone(), large.clone()), ("other", large, small)];
        for (name, client, server) in both {
            let server = field.peer_with(&format!("server of {name}"), server);
            let client = field.peer_with(name, client);
            let node = field.dial(&client, &server);
            server.when_asked(|_, _, _, text, reply| {
                let size: usize = text.parse().unwrap();
                reply.ok("x".repeat(size));
            });
            let ended = client.watch(node.caller());
            let fits = 64 * KIB - 4;
            assert_eq!(field.outcome(&client, node.ask(fits.to_string())).unwrap().len(), fits);
            for size in [fits + 1, 1_000 * KIB, 8_000 * KIB] {
                let error = field.outcome(&client, node.ask(size.to_string())).unwrap_err();
                let expected = ErrorKind::TooLarge { size: size as u64 + 4, limit: 64 << 10 };
                assert_eq!(*error.kind(), expected);
                let error = field.outcome(&client, node.echo("x".repeat(size))).unwrap_err();
                assert!(matches!(error.kind(), ErrorKind::TooLarge { .. }), "{error}");
            }
            assert_eq!(field.outcome(&client, node.echo("alive")).unwrap(), "alive");
            assert!(!ended.is_done(), "nobody is blamed");
        }
    }
}

in_other_worlds! {
    a_time_of_zero_is_no_limit;
    the_frame_limit_announced_is_the_one_enforced;
}
