//! Deadlines: kept by the caller, carried as the time that remains, and never started when it is
//! too late.

mod session_harness;

use peers_kernel::Instant;
use peers_rpc::limits::Limits;
use peers_rpc::session::{Head, Rejected, Why};
use peers_wire::{CallHead, Encoded, Kind, Refused, RefusedCode, put_call, put_event};
use session_harness::{Manner, Pair, Seen, frames, greeted, limits, millis, secs, within};
use std::time::Duration;

#[test]
fn a_call_that_is_not_answered_expires_and_is_cancelled() {
    let mut pair = Pair::open();
    pair.a.call(pair.now, within(1, pair.now, secs(2)), b"", 1);
    pair.exchange();
    let call = pair.b.called();
    pair.pass(secs(2) - Duration::from_nanos(1));
    assert_eq!(pair.a.next(), None);
    pair.pass(Duration::from_nanos(1));
    assert_eq!(pair.a.next(), Some(Seen::Expired(1, Why::Expired)));
    assert_eq!(pair.b.next(), Some(Seen::Cancelled(call)));
    assert_eq!(pair.a.session.credit_held(), 1, "until the peer has stopped");
    pair.b.session.refuse(call, RefusedCode::Cancelled, "", &mut pair.b.out);
    pair.exchange();
    pair.a.assert_settled();
    pair.b.assert_settled();
    assert_eq!(pair.a.session.counters().late_replies, 1);
}

#[test]
fn calls_expire_in_the_order_of_their_deadlines_and_forever_calls_never() {
    let mut pair = Pair::open();
    for (key, wait) in [(1, 3), (2, 1), (3, 2), (4, 2)] {
        pair.a.call(pair.now, within(1, pair.now, secs(wait)), b"", key);
    }
    pair.a.call(pair.now, Head::new(1), b"", 5);
    pair.exchange();
    pair.now = pair.now + secs(3);
    pair.a.expire(pair.now);
    for key in [2, 3, 4, 1] {
        assert_eq!(pair.a.next(), Some(Seen::Expired(key, Why::Expired)));
    }
    pair.pass(secs(1_000_000));
    assert_eq!((pair.a.next(), pair.a.session.pending()), (None, 1));
    assert_eq!(pair.a.closed, None, "a call that is pending keeps the connection");
}

#[test]
fn a_deadline_that_is_past_is_refused_at_once() {
    let mut pair = Pair::open();
    for wait in [0, 1] {
        let head = Head { deadline: Instant::from_nanos(wait), ..Head::new(1) };
        let refused = pair.a.try_call(pair.now, head, b"", 7);
        assert_eq!(refused, Err(Rejected { why: Why::Expired, pending: 7 }));
    }
    assert!(pair.a.out.is_empty());
    pair.a.assert_settled();
}

#[test]
fn the_time_that_remains_travels_in_milliseconds_rounded_up() {
    let cases = [
        (Duration::from_nanos(1), 1),
        (millis(1), 1),
        (Duration::from_nanos(1_000_001), 2),
        (secs(30), 30_000),
        (secs(10_000_000), u32::MAX),
    ];
    for (wait, remaining) in cases {
        let mut pair = Pair::open();
        pair.a.call(pair.now, within(1, pair.now, wait), b"", 1);
        let (kind, _, body) = frames(&pair.a.out, false).remove(0);
        assert_eq!(kind, Kind::Call);
        assert_eq!(body[8..12], u32::to_be_bytes(remaining), "{wait:?}");
        pair.now = pair.now + secs(5);
        pair.exchange();
        let deadline = pair.b.asked().deadline;
        let here = Duration::from_millis(remaining.into());
        assert_eq!(deadline, pair.now + here, "by the clock of the side it came to");
    }
}

#[test]
fn a_call_that_waited_for_credit_travels_with_what_remains() {
    let mut pair = Pair::open_with(Limits::default(), limits(|l| l.request_window = 1));
    pair.a.call(pair.now, Head::new(1), b"", 1);
    pair.a.call(pair.now, within(2, pair.now, secs(10)), b"", 2);
    pair.exchange();
    let first = pair.b.called();
    pair.pass(secs(4));
    pair.b.reply(first, b"");
    pair.exchange();
    assert_eq!(pair.b.asked().deadline, pair.now + secs(6));
}

#[test]
fn a_call_that_expires_while_it_waits_is_never_sent() {
    let mut pair = Pair::open_with(Limits::default(), limits(|l| l.request_window = 1));
    pair.a.call(pair.now, Head::new(1), b"", 1);
    pair.a.call(pair.now, within(2, pair.now, secs(1)), b"", 2);
    pair.a.call(pair.now, Head::new(3), b"", 3);
    pair.exchange();
    let first = pair.b.called();
    pair.pass(secs(1));
    assert_eq!(pair.a.next(), Some(Seen::Expired(2, Why::Expired)));
    pair.b.reply(first, b"");
    pair.exchange();
    assert_eq!(pair.b.asked().method, 3);
    assert_eq!(pair.b.next(), None, "no call and no cancel");
}

#[test]
fn credit_that_comes_at_the_last_moment_does_not_send_a_call_that_is_over() {
    let mut pair = Pair::open_with(Limits::default(), limits(|l| l.request_window = 1));
    pair.a.call(pair.now, Head::new(1), b"", 1);
    pair.a.call(pair.now, within(2, pair.now, secs(1)), b"", 2);
    let late = Head { deadline: pair.now + secs(1), ..Head::new(3) };
    pair.a.session.event(pair.now, &late, &mut Vec::new(), &mut pair.a.out).expect("taken");
    pair.a.call(pair.now, Head::new(4), b"", 4);
    pair.exchange();
    let first = pair.b.called();
    pair.b.reply(first, b"");
    pair.now = pair.now + secs(1);
    pair.exchange(); // the answer and the deadline at the same time, the answer first
    pair.a.expire(pair.now);
    assert!(matches!(pair.a.next(), Some(Seen::Answer(1, _))));
    assert_eq!(pair.a.next(), Some(Seen::Expired(2, Why::Expired)));
    assert_eq!(pair.b.asked().method, 4);
    assert_eq!(pair.a.session.counters().unsent_events, 1);
    assert_eq!(pair.a.session.waiting(), 0);
}

#[test]
fn a_request_that_drips_in_for_longer_than_it_has_is_not_started() {
    let (mut side, now) = greeted(Limits::default());
    let head = CallHead { remaining_ms: 1_000, ..CallHead::new(1) };
    let mut bytes = Vec::new();
    put_call(&mut bytes, u32::MAX, 5, &head, &Encoded(b"args")).expect("it fits");
    let call = bytes.len();
    put_event(&mut bytes, u32::MAX, &head, &Encoded(b"args")).expect("it fits");
    side.feed(now, &bytes[..20]);
    side.feed(now + millis(999), &bytes[20..call - 1]);
    side.feed(now + secs(1), &bytes[call - 1..call + 1]);
    assert_eq!(side.seen.len(), 0, "not started");
    let (kind, id, body) = frames(&side.out, false).remove(0);
    assert_eq!((kind, id), (Kind::Refused, 5));
    assert_eq!(Refused::decode(&body).expect("a refusal").code, RefusedCode::Expired);
    side.feed(now + secs(3), &bytes[call + 1..]);
    assert_eq!(side.seen.len(), 0, "the event neither");
    assert_eq!(side.session.counters().unstarted, 2);
    side.write_all(now + secs(3));
    side.assert_settled();
}

#[test]
fn a_request_that_drips_in_fast_enough_has_what_remains() {
    let (mut side, now) = greeted(Limits::default());
    let head = CallHead { remaining_ms: 1_000, ..CallHead::new(1) };
    let mut bytes = Vec::new();
    put_call(&mut bytes, u32::MAX, 5, &head, &Encoded(b"args")).expect("it fits");
    put_call(&mut bytes, u32::MAX, 6, &head, &Encoded(b"args")).expect("it fits");
    side.feed(now, &bytes[..20]);
    side.feed(now + millis(400), &bytes[20..]);
    assert_eq!(side.asked().deadline, now + secs(1));
    assert_eq!(side.asked().deadline, now + millis(1_400), "that one came all at once");
}

/// A process that is stopped and goes on finds requests in its sockets that are long over.
#[test]
fn what_arrived_while_the_process_stood_still_is_not_started_too_late() {
    let mut pair = Pair::open();
    let start = pair.now;
    pair.a.call(start, within(1, start, secs(10)), b"", 1);
    pair.a.call(start, within(2, start, secs(100)), b"", 2);
    pair.a.call(start, Head::new(3), b"", 3);
    let bytes = pair.a.write_all(start);
    let woken = start + secs(60);
    pair.b.feed(woken, &bytes);
    assert_eq!(pair.b.asked().method, 2);
    assert_eq!(pair.b.asked().method, 3);
    assert_eq!(pair.b.next(), None);
    let (kind, _, body) = frames(&pair.b.out, false).remove(0);
    assert_eq!(kind, Kind::Refused);
    assert_eq!(Refused::decode(&body).expect("a refusal").code, RefusedCode::Expired);
}

/// Nobody looks at an idle session either; that alone makes no request late.
#[test]
fn what_arrives_after_a_quiet_while_is_on_time() {
    for quiet in [1, 5, 14, 15, 29, 60] {
        let mut pair = Pair::open();
        pair.pass(secs(quiet));
        pair.a.call(pair.now, within(1, pair.now, millis(100)), b"", 1);
        pair.exchange();
        assert_eq!(pair.b.asked().deadline, pair.now + millis(100), "{quiet} s");
    }
}

#[test]
fn a_request_nested_too_deeply_is_not_started() {
    let mut pair = Pair::open();
    for depth in [64, 65, u16::MAX] {
        pair.a.call(pair.now, Head { depth, ..Head::new(1) }, b"", depth.into());
        let event = Head { depth, ..Head::new(2) };
        pair.a.session.event(pair.now, &event, &mut Vec::new(), &mut pair.a.out).expect("taken");
    }
    pair.exchange();
    assert_eq!(pair.b.asked().depth, 64);
    assert_eq!(pair.b.asked().depth, 64);
    assert_eq!(pair.b.next(), None);
    for key in [65, u32::from(u16::MAX)] {
        let Some(Seen::Answer(k, end)) = pair.a.next() else { panic!("an answer") };
        let too_deep = session_harness::End::Refused(RefusedCode::TooDeep, String::new());
        assert_eq!((k, end), (key, too_deep));
    }
    assert_eq!(pair.b.session.counters().unstarted, 4);
}

#[test]
fn the_next_deadline_is_never_too_late_and_seldom_too_early() {
    let mut pair = Pair::open();
    pair.b.manner = Manner::Echo;
    let start = pair.now;
    for n in 0..10_000 {
        pair.a.call(pair.now, within(1, start, secs(10 + n)), b"", 1);
        pair.exchange();
    }
    pair.a.assert_settled();
    assert_eq!(pair.a.session.next_deadline(), Some(start + secs(15)), "the ping");
    pair.a.call(pair.now, within(1, start, secs(7)), b"", 1);
    assert_eq!(pair.a.session.next_deadline(), Some(start + secs(7)));
}
