//! Promise: what a session has been through leaves nothing behind: the second time is as the first,
//! and a quiet while in between changes nothing.

mod session_harness;

use peers_kernel::Instant;
use peers_rpc::limits::Limits;
use peers_rpc::session::{CloseReason, Head};
use peers_wire::{CallHead, Kind, put_call};
use session_harness::{End, Pair, Seen, Side, frames, limits, millis, secs, within};
use std::time::Duration;

/// Two sessions of which neither hangs up.
fn patient() -> Pair {
    let for_ever = limits(|l| l.keep_alive = Duration::ZERO);
    Pair::open_with(for_ever.clone(), for_ever)
}

/// Looks at a side a moment before and at the end of that span.
#[track_caller]
fn ends_at(side: &mut Side, from: Instant, span: Duration, reason: CloseReason) {
    side.expire(from + (span - millis(1)));
    assert_eq!(side.closed, None);
    side.expire(from + span);
    assert_eq!(side.closed, Some(reason));
}

#[test]
fn output_that_is_blocked_again_is_waited_for_as_long_again() {
    let mut pair = Pair::open_with(limits(|l| l.peer_timeout = secs(1_000)), Limits::default());
    for round in 0..3 {
        pair.a.call(pair.now, Head::new(1), b"x", round);
        pair.a.write(pair.now, 1);
        pair.now = pair.now + secs(20);
        pair.a.expire(pair.now);
        assert_eq!(pair.a.closed, None, "round {round}");
        // What has left is not waited for, however long nothing else is said.
        for _ in 0..5 {
            pair.a.write_all(pair.now); // pings among it
            pair.now = pair.now + secs(10);
            pair.a.expire(pair.now);
            assert_eq!(pair.a.closed, None, "round {round}");
        }
        pair.a.write_all(pair.now);
    }
    pair.a.call(pair.now, Head::new(1), b"x", 9);
    pair.a.write(pair.now, 1);
    let now = pair.now;
    ends_at(&mut pair.a, now, secs(30), CloseReason::SlowPeer);
}

#[test]
fn each_frame_that_comes_in_pieces_has_its_own_time() {
    let mut pair = patient();
    let frame = |id: u64| {
        let mut bytes = Vec::new();
        put_call(&mut bytes, 4_096, id, &CallHead::new(1), &"x").expect("it is short");
        bytes
    };
    for round in 1..4 {
        let bytes = frame(round);
        pair.b.feed(pair.now, &bytes[..20]);
        pair.now = pair.now + secs(20);
        pair.b.expire(pair.now);
        pair.b.feed(pair.now, &bytes[20..]);
        assert_eq!(pair.b.called(), round);
        pair.now = pair.now + secs(9);
        pair.b.expire(pair.now);
        assert_eq!(pair.b.closed, None, "between frames there is no time to keep");
    }
    pair.b.feed(pair.now, &frame(9)[..20]);
    let now = pair.now;
    ends_at(&mut pair.b, now, secs(30), CloseReason::FrameTimeout);
}

#[test]
fn each_silence_is_asked_about_anew() {
    let mut pair = patient();
    for round in 0..3 {
        let from = pair.now;
        pair.b.expire(from + secs(15));
        let pings = frames(&pair.b.out, false);
        assert_eq!((pings.len(), pings[0].0), (1, Kind::Ping), "round {round}");
        assert_eq!(pings[0].1, round + 1, "a number of its own");
        pair.now = from + secs(40);
        pair.exchange(); // late, and in time
        pair.b.expire(pair.now);
        assert_eq!(pair.b.closed, None);
    }
    let now = pair.now;
    pair.b.expire(now + secs(15));
    ends_at(&mut pair.b, now, secs(45), CloseReason::PeerTimeout);
}

#[test]
fn a_quiet_while_changes_nothing() {
    let mut pair = patient();
    for round in 0..5 {
        let calls: Vec<_> = (0..100)
            .map(|n| pair.a.call(pair.now, within(1, pair.now, secs(10)), b"x", n))
            .collect();
        pair.a.event(pair.now, 2);
        pair.exchange();
        let mut ids = Vec::new();
        while let Some(seen) = pair.b.next() {
            let Seen::Request(asked) = seen else { panic!("{seen:?}") };
            match asked.call {
                Some(id) => ids.push(id),
                None => pair.b.session.event_started(&mut pair.b.out),
            }
        }
        assert_eq!(ids, calls.iter().map(|id| id.number()).collect::<Vec<_>>());
        // One is answered, one cancelled, the others answered late.
        pair.b.reply(ids[0], b"in time");
        pair.exchange();
        assert_eq!(pair.a.next(), Some(Seen::Answer(0, End::Value(b"in time".to_vec()))));
        assert!(pair.a.session.cancel(calls[1], &mut pair.a.out).is_some());
        pair.exchange();
        assert_eq!(pair.b.next(), Some(Seen::Cancelled(ids[1])));
        pair.pass(secs(11));
        let expired = std::iter::from_fn(|| pair.a.next()).count();
        assert_eq!(expired, 98, "round {round}");
        while pair.b.next().is_some() {}
        for id in &ids[1..] {
            pair.b.reply(*id, b"late");
        }
        pair.exchange();
        assert_eq!(pair.a.next(), None, "nobody waits for them");
        assert_eq!(pair.a.session.counters().late_replies, 99 * (round + 1));
        pair.a.assert_settled();
        pair.b.assert_settled();
        pair.pass(secs(3_600));
        assert_eq!((&pair.a.closed, &pair.b.closed), (&None, &None));
    }
}

/// An answer that comes after a while in which all memory of its call was given back.
#[test]
fn a_late_answer_is_late_however_late_it_is() {
    let mut pair = patient();
    let call = pair.a.call(pair.now, Head::new(1), b"x", 1);
    pair.exchange();
    let id = pair.b.called();
    assert!(pair.a.session.cancel(call, &mut pair.a.out).is_some());
    pair.exchange();
    pair.pass(secs(3_600));
    // Its place is still its own: another call gets another.
    let next = pair.a.call(pair.now, Head::new(1), b"y", 2);
    assert_ne!(next.number() & 0xff_ffff, call.number() & 0xff_ffff);
    pair.b.reply(id, b"late");
    pair.exchange();
    assert_eq!((pair.a.next(), &pair.a.closed), (None, &None));
    assert_eq!(pair.a.session.counters().late_replies, 1);
    // Once more is once too often, and still nobody's fault.
    pair.b.reply(id, b"late again");
    pair.exchange();
    assert_eq!((pair.a.next(), &pair.a.closed), (None, &None));
    assert_eq!(pair.a.session.counters().duplicate_replies, 1);
}

#[test]
fn requests_that_waited_once_wait_again_and_leave_again() {
    let mut pair = Pair::open_with(Limits::default(), limits(|l| l.request_window = 64));
    for round in 0..3 {
        for n in 0..100 {
            pair.a.call(pair.now, Head::new(1), &[n as u8], n);
        }
        assert_eq!(pair.a.session.waiting(), 36, "round {round}");
        let mut answered = 0;
        while answered < 100 {
            pair.exchange();
            while let Some(Seen::Request(asked)) = pair.b.next() {
                assert_eq!(asked.args, [answered as u8], "in order");
                answered += 1;
                pair.b.reply(asked.call.expect("a call"), &asked.args);
            }
        }
        pair.exchange();
        for n in 0..100 {
            assert_eq!(pair.a.next(), Some(Seen::Answer(n, End::Value(vec![n as u8]))));
        }
        pair.a.assert_settled();
        pair.b.assert_settled();
    }
}
