//! Counts of requests, and what they may cost.

use super::common::{Field, Got, ProbeProxy};
use super::harness::{Pair, Seen, frames, limits, secs};
use crate::interface::error::Overload;
use crate::limits::Limits;
use crate::session::{CloseReason, Head, Rejected, Violation, Why};
use crate::{ErrorKind, Refusal};
use peers_wire::{CallHead, Kind, Ping, RefusedCode, put_call};
use std::cell::RefCell;
use std::rc::Rc;

/// A call as a peer sends it that counts nothing.
fn call(id: u64, depth: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    let head = CallHead { depth, ..CallHead::new(1) };
    put_call(&mut bytes, 4_096, id, &head, &()).expect("it is short");
    bytes
}

/// Calls that are made until one is not taken: how many were, and why not.
fn made(pair: &mut Pair, bytes: usize) -> (usize, Why) {
    for count in 0..100_000 {
        let made = pair.a.try_call(pair.now, Head::new(1), &vec![0; bytes], count);
        if let Err(Rejected { why, .. }) = made {
            return (count as usize, why);
        }
    }
    panic!("there is no end to it")
}

pub(super) fn request_window() {
    for window in [64, 100, 4_096] {
        let mut pair = Pair::open_with(Limits::default(), limits(|l| l.request_window = window));
        assert_eq!(pair.a.session.peer().map(|peer| peer.window), Some(window));
        for n in 0..=window {
            pair.a.call(pair.now, Head::new(1), b"", n);
        }
        pair.exchange();
        assert_eq!((pair.b.session.unanswered(), pair.a.session.waiting()), (window as usize, 1));
        assert_eq!(pair.b.closed, None);
        let now = pair.now;
        pair.b.feed(now, &call(1 << 40, 0));
        let over = CloseReason::Protocol(Violation::BeyondWindow { window });
        assert_eq!(pair.b.closed, Some(over));
    }
}

pub(super) fn request_window_before_hello() {
    for window in [64, 10] {
        let early = limits(|l| l.request_window_before_hello = window);
        let mut pair = Pair::new(early, Limits::default());
        for n in 0..=window {
            pair.a.call(pair.now, Head::new(1), b"", n);
        }
        let sent = frames(&pair.a.out, true);
        let calls = sent.iter().filter(|(kind, ..)| *kind == Kind::Call).count();
        assert_eq!((calls, pair.a.session.waiting()), (window as usize, 1));
    }
}

pub(super) fn waiting() {
    for most in [5, 65_536] {
        let few = limits(|l| l.waiting = most);
        let mut pair = Pair::open_with(few, limits(|l| l.request_window = 64));
        assert_eq!(made(&mut pair, 0), (64 + most, Why::Overloaded));
        assert_eq!(pair.a.session.waiting(), most);
    }
}

pub(super) fn waiting_bytes() {
    let few = limits(|l| l.waiting_bytes = 1_000);
    let mut pair = Pair::open_with(few, limits(|l| l.request_window = 64));
    for n in 0..64 {
        pair.a.call(pair.now, Head::new(1), b"", n);
    }
    let mut wait = |bytes: usize| pair.a.try_call(pair.now, Head::new(1), &vec![0; bytes], 1);
    assert!(wait(600).is_ok() && wait(401).is_err(), "one byte too many");
    assert!(wait(400).is_ok() && wait(1).is_err() && wait(0).is_ok());

    let mut pair = Pair::open_with(Limits::default(), limits(|l| l.request_window = 64));
    let mebibyte = 1 << 20;
    for n in 0..64 {
        pair.a.call(pair.now, Head::new(1), b"", n);
    }
    assert_eq!(made(&mut pair, mebibyte), (64, Why::Overloaded), "64 MiB");
}

pub(super) fn call_depth() {
    for depth in [64, 3] {
        // What arrives...
        let mut pair = Pair::open_with(Limits::default(), limits(|l| l.call_depth = depth));
        let now = pair.now;
        pair.b.feed(now, &call(1, depth));
        assert_eq!(pair.b.asked().depth, depth);
        pair.b.feed(now, &call(2, depth + 1));
        assert_eq!(pair.b.next(), None, "it is not started");
        let (kind, id, body) = frames(&pair.b.out, false).pop().expect("it is answered");
        assert_eq!((kind, id, body[5]), (Kind::Refused, 2, RefusedCode::TooDeep.number() as u8));

        // ... and what is made here.
        let mut field = Field::simulated(1);
        let shallow = limits(|l| l.call_depth = depth);
        let (client, server, node) = field.pair_with(shallow.clone(), shallow);
        let deepest = Rc::new(RefCell::new(0));
        for peer in [&client, &server] {
            let deepest = deepest.clone();
            peer.when_asked(move |_, _, bd, text, reply| {
                deepest.replace(bd.depth());
                let back: ProbeProxy = bd.proxy();
                back.ask(text).then(reply);
            });
        }
        let error = field.outcome(&client, node.ask("on and on")).expect_err("it ends");
        assert_eq!(*deepest.borrow(), depth);
        assert!(error.to_string().contains("too deep"), "{error}");
    }
}

pub(super) fn running() {
    let mut field = Field::simulated(1);
    let server = field.peer_with("server", limits(|l| l.running = 8));
    let client = field.peer("client");
    let mut held = Vec::new();
    // Each may have fewer than half of what the others leave, and one in any case.
    for (share, all) in [(4, 4), (2, 6), (1, 7), (1, 8)] {
        let node = field.dial(&client, &server);
        for _ in 0..share {
            held.push(field.start(&client, node.hold("x").forever()));
        }
        field.until(|| server.holds() == all);
        assert!(!held.iter().any(Got::is_done), "{all} are allowed");
        let error = field.outcome(&client, node.hold("one more")).expect_err("one beyond");
        assert_eq!(error.kind(), &ErrorKind::Overloaded(Overload::Remote));
        assert!(error.is_unexecuted() && server.holds() == all);
    }
    assert_eq!(Limits::default().running, 16_384);
    assert!(!matches!(ErrorKind::Refused(Refusal::Closing), ErrorKind::Overloaded(_)));
}

/// Returns how many pings of those are taken.
fn pings(pair: &mut Pair, count: u64) -> u64 {
    for number in 0..count {
        let mut bytes = Vec::new();
        Ping { number }.put(&mut bytes);
        let now = pair.now;
        pair.b.feed(now, &bytes);
        if pair.b.closed.is_some() {
            assert_eq!(pair.b.closed, Some(CloseReason::Protocol(Violation::Calm)));
            return number;
        }
    }
    count
}

pub(super) fn control_burst() {
    for burst in [200, 5] {
        let mut pair = Pair::open_with(Limits::default(), limits(|l| l.control_burst = burst));
        assert_eq!(pings(&mut pair, 1_000), u64::from(burst));
    }
}

pub(super) fn control_rate() {
    for (rate, burst) in [(100, 200), (10, 20)] {
        let mut pair = Pair::open_with(
            Limits::default(),
            limits(|l| (l.control_rate, l.control_burst) = (rate, burst)),
        );
        assert_eq!(pings(&mut pair, burst.into()), u64::from(burst));
        for _ in 0..5 {
            pair.now = pair.now + secs(1);
            assert_eq!(pings(&mut pair, rate.into()), u64::from(rate));
        }
        pair.now = pair.now + secs(1);
        assert_eq!(pings(&mut pair, u64::from(rate) + 1), u64::from(rate));
        assert!(!pair.b.seen.iter().any(|seen| matches!(seen, Seen::Request(_))));
    }
}
