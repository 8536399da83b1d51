//! Times: nothing happens a nanosecond before, and all of it at the time itself.

use super::common::{self, Field, Got};
use super::harness::{Pair, Side, limits, secs};
use crate::ErrorKind;
use crate::limits::Limits;
use crate::session::{CloseReason, Head, Role};
use peers_kernel::{Cont, Instant, Stream};
use peers_wire::{CallHead, put_call};
use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

const MOMENT: Duration = Duration::from_nanos(1);

/// Checks that the side ends for that reason when the span is over, and not before.
#[track_caller]
fn ends_at(side: &mut Side, from: Instant, span: Duration, reason: CloseReason) {
    side.expire(from + (span - MOMENT));
    assert_eq!(side.closed, None, "a moment before {span:?}");
    side.expire(from + span);
    assert_eq!(side.closed, Some(reason), "after {span:?}");
}

pub(super) fn handshake_timeout() {
    for span in [secs(5), secs(7)] {
        let now = Instant::from_nanos(1);
        for role in [Role::Dialled, Role::Accepted] {
            let mut side = Side::new(role, limits(|l| l.handshake_timeout = span), now);
            ends_at(&mut side, now, span, CloseReason::HelloTimeout);
        }
    }
}

pub(super) fn sealed_handshake_timeout() {
    for span in [secs(10), secs(7)] {
        let now = Instant::from_nanos(1);
        for role in [Role::Dialled, Role::Accepted] {
            let mut side = Side::new(role, limits(|l| l.sealed_handshake_timeout = span), now);
            side.session.seal();
            side.session.connected(now);
            ends_at(&mut side, now, span, CloseReason::HelloTimeout);
        }
    }
}

pub(super) fn connect() {
    for span in [secs(8), secs(3)] {
        let mut field = Field::simulated(1);
        let client = field.peer_with("client", limits(|l| l.connect = span));
        let server = field.peer("server");
        let (one, other) = (client.process(), server.process());
        field.world().partition(&[one], &[other]);
        let begun = field.now();
        let node = field.dial_only(&client, &server);
        let end = client.watch(node.caller());
        field.until_within(secs(9), || end.is_done());
        let took = field.now() - begun;
        assert!(took >= span && took < span + common::millis(1), "{took:?}");
        let CloseReason::ConnectFailed { kind, .. } = end.take().expect("a reason") else {
            panic!("it was not dialled in vain")
        };
        assert_eq!(kind, io::ErrorKind::TimedOut);
    }
}

pub(super) fn frame_timeout() {
    for span in [secs(30), secs(7)] {
        let mut pair = Pair::open_with(Limits::default(), limits(|l| l.frame_timeout = span));
        let mut frame = Vec::new();
        put_call(&mut frame, 4_096, 1, &CallHead::new(1), &"x").expect("it is short");
        pair.b.feed(pair.now, &frame[..frame.len() - 1]);
        let now = pair.now;
        ends_at(&mut pair.b, now, span, CloseReason::FrameTimeout);
    }
}

pub(super) fn ping_idle() {
    for span in [secs(15), secs(7)] {
        let mut pair = Pair::open_with(Limits::default(), limits(|l| l.ping_idle = span));
        pair.b.expire(pair.now + (span - MOMENT));
        assert_eq!(pair.b.out, [0; 0], "a moment before {span:?}");
        pair.b.expire(pair.now + span);
        assert_eq!(pair.b.out[4], 9, "a ping");
    }
}

pub(super) fn peer_timeout() {
    for span in [secs(45), secs(17)] {
        let mut pair = Pair::open_with(Limits::default(), limits(|l| l.peer_timeout = span));
        let now = pair.now;
        pair.b.expire(now + secs(15)); // it asks before it judges
        ends_at(&mut pair.b, now, span, CloseReason::PeerTimeout);
    }
}

pub(super) fn keep_alive() {
    let span = secs(10);
    let mut pair = Pair::open_with(limits(|l| l.keep_alive = span), Limits::default());
    let now = pair.now;
    ends_at(&mut pair.a, now, span, CloseReason::Unused);
    for idle in [limits(|l| l.keep_alive = Duration::ZERO), Limits::default()] {
        let mut pair = Pair::open_with(idle, limits(|l| l.keep_alive = span));
        pair.pass(secs(299));
        assert_eq!((pair.a.closed, pair.b.closed), (None, None), "who accepted waits for ever");
    }
    let mut pair = Pair::open_with(limits(|l| l.keep_alive = Duration::ZERO), Limits::default());
    pair.pass(secs(1_000));
    assert_eq!(pair.a.closed, None, "zero is never");
    let mut pair = Pair::open();
    pair.pass(secs(300));
    assert_eq!(pair.a.closed, Some(CloseReason::Unused));
}

pub(super) fn linger() {
    for span in [secs(5), secs(3)] {
        let mut pair = Pair::open_with(Limits::default(), limits(|l| l.linger = span));
        pair.a.call(pair.now, Head::new(1), b"x", 1);
        pair.exchange();
        let now = pair.now;
        pair.b.called();
        pair.b.half_close(now);
        ends_at(&mut pair.b, now, span, CloseReason::Lingered);
        leaves_within(span);
    }
}

/// A connection that was closed is cut after that time if the peer does not close it as well.
#[track_caller]
fn leaves_within(span: Duration) {
    let mut field = Field::simulated(1);
    let server = field.peer_with("server", limits(|l| l.linger = span));
    let other = field.peer("other");
    let (handle, address) = (other.handle().clone(), server.address().clone());
    let held = field.on(&other, move || {
        let held = Rc::new(Cell::new(None));
        let place = held.clone();
        let keep = move |stream: io::Result<Stream>| place.set(stream.ok());
        handle.connect(&address, Cont::new(&handle, keep));
        held
    });
    field.until(|| !server.accepted().is_empty());
    let endpoint = server.accepted()[0].clone();
    field.on(&server, move || endpoint.close());
    let streams = || server.handle().dump().to_string().matches("stream to").count();
    field.pass(span - common::millis(1));
    assert_eq!(streams(), 1, "it may take {span:?}");
    field.pass(common::millis(2));
    assert_eq!(streams(), 0, "{span:?} are over");
    drop(held);
}

pub(super) fn drain() {
    for span in [secs(5), secs(3)] {
        let mut field = Field::simulated(1);
        let small = limits(|l| l.drain = span);
        let (client, server, node) = field.pair_with(Limits::default(), small);
        let held = field.start(&client, node.hold("x").forever());
        field.until(|| server.holds() == 1);
        let (k, closed) = Got::new(server.handle());
        let begun = field.now();
        server.rpc().close(k);
        field.on(&server, || ());
        field.pass(span - common::millis(1));
        assert!(!closed.is_done() && !held.is_done(), "it is waited for");
        field.until(|| closed.is_done());
        let took = field.now() - begun;
        assert!(took >= span && took < span + common::millis(100), "{took:?}");
    }
}

pub(super) fn write_stall_timeout() {
    for span in [secs(30), secs(7)] {
        let mut pair = Pair::open_with(limits(|l| l.write_stall_timeout = span), Limits::default());
        let now = pair.now;
        pair.a.call(now, Head::new(1), b"x", 1);
        pair.a.write(now, 1);
        ends_at(&mut pair.a, now, span, CloseReason::SlowPeer);
    }
}

pub(super) fn default_timeout() {
    for span in [secs(30), secs(3)] {
        let mut field = Field::simulated(1);
        let patient = limits(|l| l.default_timeout = span);
        let (client, _server, node) = field.pair_with(patient, Limits::default());
        field.outcome(&client, node.context()).expect("they have met");
        let begun = field.now();
        let held = field.start(&client, node.hold("x"));
        field.until_within(secs(61), || held.is_done());
        let took = field.now() - begun;
        assert!(took >= span && took < span + common::millis(1), "{took:?}");
        let error = held.take().expect_err("nobody answers");
        assert!(matches!(error.kind(), ErrorKind::TimedOut { .. }), "{error}");
    }
}
