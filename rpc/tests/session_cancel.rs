//! Cancels: they overtake what waits, free what runs, are free of charge once for each call, and
//! leave no trace.

mod session_harness;

use peers_kernel::Instant;
use peers_rpc::limits::Limits;
use peers_rpc::session::{Head, Violation};
use peers_wire::{Cancel, Kind, RefusedCode};
use session_harness::{End, Manner, Pair, Seen, Side, frames, greeted, limits, secs};

#[test]
fn a_call_that_waits_is_removed_without_a_word() {
    let mut pair = Pair::open_with(Limits::default(), limits(|l| l.request_window = 0));
    let id = pair.a.call(pair.now, Head::new(1), b"", 1);
    assert_eq!(pair.a.session.cancel(id, &mut pair.a.out), Some(1));
    assert!(pair.a.out.is_empty());
    pair.a.assert_settled();
}

#[test]
fn a_call_that_was_sent_is_cancelled_and_holds_its_credit_until_the_work_has_stopped() {
    let mut pair = Pair::open();
    let id = pair.a.call(pair.now, Head::new(1), b"", 1);
    pair.exchange();
    assert_eq!(pair.a.session.cancel(id, &mut pair.a.out), Some(1));
    assert_eq!(frames(&pair.a.out, false), [(Kind::Cancel, id.number(), vec![])]);
    pair.exchange();
    let call = pair.b.called();
    assert_eq!(pair.b.next(), Some(Seen::Cancelled(call)));
    assert_eq!((pair.a.session.pending(), pair.a.session.credit_held()), (0, 1));
    pair.b.session.refuse(call, RefusedCode::Cancelled, "", &mut pair.b.out);
    pair.exchange();
    assert_eq!(pair.a.next(), None, "its end was told when it was cancelled");
    pair.a.assert_settled();
    pair.b.assert_settled();
}

#[test]
fn cancelling_twice_or_after_the_answer_does_nothing() {
    let mut pair = Pair::open();
    pair.b.manner = Manner::Echo;
    let first = pair.a.call(pair.now, Head::new(1), b"", 1);
    let second = pair.a.call(pair.now, Head::new(1), b"", 2);
    assert!(pair.a.session.is_pending(first));
    assert_eq!(pair.a.session.cancel(first, &mut pair.a.out), Some(1));
    assert!(!pair.a.session.is_pending(first));
    pair.exchange();
    let third = pair.a.call(pair.now, Head::new(1), b"", 3);
    assert_eq!(pair.a.session.cancel(first, &mut pair.a.out), None);
    assert_eq!(pair.a.session.cancel(second, &mut pair.a.out), None);
    assert!(pair.a.session.is_pending(third), "though it stands in the slot of one of them");
}

#[test]
fn a_cancel_overtakes_requests_that_wait() {
    let mut pair = Pair::open_with(Limits::default(), limits(|l| l.request_window = 64));
    let ids: Vec<_> = (0..64).map(|k| pair.a.call(pair.now, Head::new(1), b"", k)).collect();
    pair.a.call(pair.now, Head::new(2), b"", 99);
    pair.a.session.cancel(ids[0], &mut pair.a.out);
    let last = frames(&pair.a.out, false).pop();
    assert_eq!(last, Some((Kind::Cancel, ids[0].number(), vec![])));
    assert_eq!(pair.a.session.waiting(), 1);
}

#[test]
fn cancelled_calls_that_waited_leave_the_others_in_order() {
    let mut pair = Pair::open_with(Limits::default(), limits(|l| l.request_window = 0));
    let ids: Vec<_> =
        (0..1_000).map(|key| pair.a.call(pair.now, Head::new(key), b"", key as u32)).collect();
    for (n, id) in ids.iter().enumerate() {
        if n % 7 != 0 {
            assert_eq!(pair.a.session.cancel(*id, &mut pair.a.out), Some(n as u32));
        }
    }
    assert_eq!(pair.a.session.waiting(), 143);
    let left: Vec<_> = pair.a.session.drain().map(|(_, key)| key).collect();
    assert_eq!(left, (0..1_000).step_by(7).collect::<Vec<_>>());
}

#[test]
fn one_cancel_for_each_call_is_free_however_many() {
    let mut pair = Pair::open();
    for key in 0..100_000 {
        let id = pair.a.call(pair.now, Head::new(1), b"", key);
        assert_eq!(pair.a.session.cancel(id, &mut pair.a.out), Some(key));
        pair.exchange();
        let call = pair.b.called();
        assert_eq!(pair.b.next(), Some(Seen::Cancelled(call)));
        pair.b.session.refuse(call, RefusedCode::Cancelled, "", &mut pair.b.out);
        pair.exchange();
    }
    assert_eq!(pair.b.closed, None);
    pair.a.assert_settled();
}

/// Pairs of a call and its cancel run nobody over: the slots stay taken until the work has really
/// stopped.
#[test]
fn cancelling_does_not_make_room_for_more_running_work() {
    let mut pair = Pair::open_with(Limits::default(), limits(|l| l.request_window = 128));
    for key in 0..10_000 {
        let id = pair.a.call(pair.now, Head::new(1), b"", key);
        pair.a.session.cancel(id, &mut pair.a.out);
    }
    pair.exchange();
    let started = pair.b.seen.iter().filter(|seen| matches!(seen, Seen::Request(_))).count();
    assert_eq!((started, pair.a.session.waiting()), (128, 0));
}

#[test]
fn cancels_beyond_that_are_charged() {
    let (mut side, now) = greeted(Limits::default());
    assert_eq!(cancels_until_closed(&mut side, now, 1_000), 201, "the burst, and one more");
    assert_eq!(side.closed, Some(Violation::Calm.into()));
}

#[test]
fn what_a_peer_saves_up_in_free_cancels_is_bounded() {
    let mut pair = Pair::open_with(Limits::default(), limits(|l| l.request_window = 100));
    pair.b.manner = Manner::Echo;
    for key in 0..10_000 {
        pair.a.call(pair.now, Head::new(1), b"", key);
    }
    pair.exchange();
    let cancels = cancels_until_closed(&mut pair.b, pair.now, 1_000);
    assert_eq!(cancels, 100 + 200 + 1);
}

#[test]
fn at_the_permitted_rate_strange_cancels_go_on_for_ever() {
    let (mut side, now) = greeted(Limits::default());
    for second in 0..100 {
        assert_eq!(cancels_until_closed(&mut side, now + secs(second), 100), 100);
    }
    assert_eq!(side.closed, None);
}

#[test]
fn the_answer_may_cross_the_cancel() {
    let mut pair = Pair::open();
    let id = pair.a.call(pair.now, Head::new(1), b"", 1);
    pair.exchange();
    let call = pair.b.called();
    pair.b.reply(call, b"crossing");
    pair.a.session.cancel(id, &mut pair.a.out);
    pair.exchange();
    assert_eq!((pair.a.next(), pair.b.next()), (None, Some(Seen::Cancelled(call))));
    assert_eq!((&pair.a.closed, &pair.b.closed), (&None, &None));
    pair.a.call(pair.now, Head::new(1), b"", 2);
    pair.exchange();
    let call = pair.b.called();
    pair.b.reply(call, b"fresh");
    pair.exchange();
    assert_eq!(pair.a.next(), Some(Seen::Answer(2, End::Value(b"fresh".into()))));
    pair.a.assert_settled();
}

/// Sends cancels of calls that never were, until the side closes; how many it took.
fn cancels_until_closed(side: &mut Side, now: Instant, most: u64) -> u64 {
    let mut bytes = Vec::new();
    Cancel { call: 0xdead }.put(&mut bytes);
    for n in 0..most {
        if side.closed.is_some() {
            return n;
        }
        side.feed(now, &bytes);
    }
    most
}
