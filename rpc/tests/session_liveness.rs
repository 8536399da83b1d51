//! Liveness: silent peers are asked and then given up, unused connections are hung up by the side
//! that dialled, output must move, and a half-closed connection lasts as long as something is owed.

mod session_harness;

use peers_kernel::Instant;
use peers_rpc::limits::Limits;
use peers_rpc::session::{CloseReason, Head, Violation, Why};
use peers_wire::{
    Bye, ByeCode, CallHead, Cancel, Credit, Encoded, HalfClose, Kind, Ping, Pong, put_call,
};
use session_harness::{End, Pair, Seen, Side, frames, greeted, limits, millis, secs, within};

#[test]
fn a_silent_peer_is_asked_after_fifteen_seconds_and_given_up_after_forty_five() {
    let (mut side, start) = greeted(Limits::default());
    assert_eq!(side.session.next_deadline(), Some(start + secs(15)));
    side.expire(start + millis(14_999));
    assert!(side.out.is_empty());
    side.expire(start + secs(15));
    assert_eq!(frames(&side.write_all(start + secs(15)), false), [(Kind::Ping, 1, vec![])]);
    assert_eq!(side.session.next_deadline(), Some(start + secs(45)));
    side.expire(start + millis(44_999));
    assert!(side.out.is_empty(), "one ping is enough");
    side.expire(start + secs(45));
    assert_eq!(side.closed, Some(CloseReason::PeerTimeout));
}

#[test]
fn two_sessions_keep_each_other_alive_for_days() {
    let never = || limits(|l| l.keep_alive = secs(0));
    let mut pair = Pair::open_with(never(), never());
    pair.pass(secs(3 * 86_400));
    assert_eq!((&pair.a.closed, &pair.b.closed), (&None, &None));
    assert_eq!((pair.a.seen.len(), pair.b.seen.len()), (1, 1), "nobody is told about it");
}

#[test]
fn any_byte_is_a_sign_of_life() {
    let (mut side, start) = greeted(Limits::default());
    let mut bytes = Vec::new();
    put_call(&mut bytes, u32::MAX, 1, &CallHead::new(1), &Encoded(b"four")).expect("it fits");
    side.expire(start + secs(15));
    side.feed(start + secs(44), &bytes[..1]);
    side.expire(start + secs(45));
    assert_eq!(side.closed, None);
    assert_eq!(side.session.next_deadline(), Some(start + secs(59)), "the next ping");
}

#[test]
fn a_process_that_stood_still_asks_before_it_judges() {
    let (mut side, start) = greeted(Limits::default());
    side.expire(start + secs(1_000));
    assert_eq!(side.closed, None);
    assert_eq!(frames(&side.out, false), [(Kind::Ping, 1, vec![])]);
    side.expire(start + secs(1_030));
    assert_eq!(side.closed, Some(CloseReason::PeerTimeout));
}

#[test]
fn a_ping_is_answered_with_its_number() {
    let (mut side, now) = greeted(Limits::default());
    ping(&mut side, now, 77);
    assert_eq!(frames(&side.out, false), [(Kind::Pong, 77, vec![])]);
}

#[test]
fn no_more_than_one_pong_waits_for_the_socket() {
    let (mut side, now) = greeted(Limits::default());
    (0..100).for_each(|n| ping(&mut side, now, n));
    assert_eq!(frames(&side.out, false), [(Kind::Pong, 0, vec![])]);
    side.write(now, 1);
    ping(&mut side, now, 100);
    assert_eq!(side.out.len(), 15 + 16, "the first is leaving, so the last is answered");
}

#[test]
fn a_started_frame_must_be_complete_in_thirty_seconds_however_it_drips() {
    let (mut side, start) = greeted(Limits::default());
    let mut bytes = Vec::new();
    put_call(&mut bytes, u32::MAX, 1, &CallHead::new(1), &Encoded(&[0; 100])).expect("it fits");
    for (second, byte) in bytes[..30].iter().enumerate() {
        side.feed(start + secs(second as u64), &[*byte]);
        side.expire(start + secs(second as u64));
    }
    assert_eq!(side.closed, None);
    assert_eq!(side.session.next_deadline(), Some(start + secs(30)));
    side.expire(start + secs(30));
    assert_eq!(side.closed, Some(CloseReason::FrameTimeout));
}

#[test]
fn what_is_left_unread_is_not_the_peers_fault() {
    let (mut side, start) = greeted(Limits::default());
    side.feed(start, &[0; 10]); // a frame that has begun
    for minute in 0..10 {
        let now = start + secs(60 * minute);
        side.session.input_left_unread(now);
        side.expire(now + secs(14));
        assert_eq!(side.session.next_deadline(), Some(now + secs(15)), "only the ping is due");
    }
    side.expire(start + secs(570));
    assert_eq!(side.closed, Some(CloseReason::FrameTimeout), "since the last reading");
}

#[test]
fn each_frame_has_its_own_thirty_seconds() {
    let (mut side, start) = greeted(Limits::default());
    let mut bytes = Vec::new();
    put_call(&mut bytes, u32::MAX, 1, &CallHead::new(1), &Encoded(&[0; 4])).expect("it fits");
    let (head, tail) = bytes.split_at(10);
    side.feed(start, head);
    for n in 1..=10 {
        let joint = [tail, head].concat();
        side.feed(start + secs(20 * n), &joint);
        side.expire(start + secs(20 * n));
        assert_eq!(side.closed, None, "frame {n}");
    }
    side.feed(start + secs(201), tail);
    assert_eq!(side.session.next_deadline(), Some(start + secs(216)), "only the ping is due");
}

#[test]
fn the_side_that_dialled_hangs_up_when_the_connection_is_unused() {
    let mut pair = Pair::open();
    let start = pair.now;
    pair.pass(secs(299));
    assert_eq!(pair.a.closed, None, "pings do not count, but neither do they hurt");
    pair.pass(secs(1));
    assert_eq!(pair.a.closed, Some(CloseReason::Unused));
    assert_eq!(pair.now, start + secs(300));
    let idle = CloseReason::PeerBye { code: ByeCode::Idle, text: String::new() };
    assert_eq!(pair.b.closed, Some(idle));
}

#[test]
fn the_side_that_accepted_never_hangs_up() {
    let mut pair = Pair::open_with(limits(|l| l.keep_alive = secs(0)), Limits::default());
    pair.b.session.set_keep_alive(secs(60));
    pair.pass(secs(10_000));
    assert_eq!((&pair.a.closed, &pair.b.closed), (&None, &None));
    pair.a.session.set_keep_alive(secs(60));
    pair.pass(secs(0));
    assert_eq!(pair.a.closed, Some(CloseReason::Unused));
}

#[test]
fn a_use_in_either_direction_starts_the_time_anew() {
    type Use = fn(&mut Pair);
    let uses: [Use; 4] = [
        |pair| {
            pair.a.call(pair.now, within(1, pair.now, millis(1)), b"", 1);
        },
        |pair| {
            pair.b.call(pair.now, within(1, pair.now, millis(1)), b"", 1);
        },
        |pair| pair.a.event(pair.now, 1),
        |pair| pair.b.event(pair.now, 1),
    ];
    for make_use in uses {
        let mut pair = Pair::open();
        pair.pass(secs(200));
        make_use(&mut pair);
        pair.exchange();
        let other = [&mut pair.a, &mut pair.b].into_iter().find(|side| side.seen.len() > 1);
        if let Some(Seen::Request(asked)) = other.and_then(Side::next)
            && let Some(call) = asked.call
        {
            let side = if pair.a.session.unanswered() > 0 { &mut pair.a } else { &mut pair.b };
            side.reply(call, b"");
        }
        pair.exchange();
        pair.pass(secs(299));
        assert_eq!(pair.a.closed, None);
        pair.pass(secs(2));
        assert_eq!(pair.a.closed, Some(CloseReason::Unused));
    }
}

#[test]
fn a_call_pending_in_either_direction_keeps_the_connection() {
    for from_a in [true, false] {
        let mut pair = Pair::open();
        match from_a {
            true => pair.a.call(pair.now, Head::new(1), b"", 1),
            false => pair.b.call(pair.now, Head::new(1), b"", 1),
        };
        pair.exchange();
        pair.pass(secs(100_000));
        assert_eq!(pair.a.closed, None);
        let server = if from_a { &mut pair.b } else { &mut pair.a };
        let call = server.called();
        server.reply(call, b"");
        pair.exchange();
        pair.pass(secs(299));
        assert_eq!(pair.a.closed, None, "the time runs from the answer");
        pair.pass(secs(2));
        assert_eq!(pair.a.closed, Some(CloseReason::Unused));
    }
}

#[test]
fn the_time_runs_from_a_cancel_that_said_nothing() {
    let mut pair = Pair::open_with(Limits::default(), limits(|l| l.request_window = 0));
    let id = pair.a.call(pair.now, Head::new(1), b"", 1);
    pair.pass(secs(400));
    assert_eq!(pair.a.session.cancel(id, &mut pair.a.out), Some(1));
    pair.pass(secs(299));
    assert_eq!(pair.a.closed, None);
    pair.pass(secs(1));
    assert_eq!(pair.a.closed, Some(CloseReason::Unused));
}

#[test]
fn output_that_does_not_move_for_thirty_seconds_ends_the_connection() {
    let (mut side, start) = greeted(Limits::default());
    side.event(start, 1);
    side.write(start, 10);
    ping_every_second(&mut side, start, 1..30);
    side.write(start + secs(29), 1);
    ping_every_second(&mut side, start, 30..59);
    assert_eq!(side.closed, None, "a byte has moved");
    side.write(start + secs(58), 0);
    side.expire(start + secs(59));
    assert_eq!(side.closed, Some(CloseReason::SlowPeer));
}

#[test]
fn a_half_closed_connection_gets_the_answers_it_is_owed() {
    let mut pair = Pair::open();
    for key in 0..100 {
        pair.a.call(pair.now, Head::new(1), b"", key);
    }
    pair.b.call(pair.now, Head::new(2), b"", 1);
    pair.b.call(pair.now, Head::new(2), b"", 2);
    pair.exchange();
    pair.b.half_close(pair.now);
    assert_eq!(pair.b.seen.pop_back(), Some(Seen::HalfClosed(vec![1, 2])));
    assert_eq!(pair.b.session.end_of_input(), Ok(()));
    let refused = pair.b.try_call(pair.now, Head::new(1), b"", 3);
    assert!(refused.is_err_and(|r| r.why == Why::Finished));
    for _ in 0..100 {
        assert_eq!(pair.b.closed, None);
        let call = pair.b.called();
        pair.b.reply(call, b"owed");
        if pair.b.session.next_deadline() <= Some(pair.now) {
            pair.b.expire(pair.now);
        }
    }
    assert_eq!(pair.b.closed, Some(CloseReason::Finished), "as soon as nothing is owed");
    pair.b_to_a(usize::MAX);
    for key in 0..100 {
        if key == 0 {
            assert!(matches!(pair.a.next(), Some(Seen::Request(_))));
            assert!(matches!(pair.a.next(), Some(Seen::Request(_))));
        }
        assert_eq!(pair.a.next(), Some(Seen::Answer(key, End::Value(b"owed".into()))));
    }
    let bye = CloseReason::PeerBye { code: ByeCode::Closed, text: String::new() };
    assert_eq!(pair.a.closed, Some(bye), "with a goodbye behind them");
}

#[test]
fn it_does_not_linger() {
    let mut pair = Pair::open();
    pair.a.call(pair.now, Head::new(1), b"", 1);
    pair.exchange();
    pair.b.half_close(pair.now);
    assert_eq!(pair.b.session.end_of_input(), Ok(()));
    assert_eq!(pair.b.session.next_deadline(), Some(pair.now + secs(5)));
    pair.b.expire(pair.now + secs(5));
    assert_eq!(pair.b.closed, Some(CloseReason::Lingered));
}

#[test]
fn events_that_a_half_close_makes_impossible_are_counted() {
    let mut narrow = Limits::default();
    narrow.request_window = 1;
    let mut pair = Pair::open_with(Limits::default(), narrow);
    for _ in 0..3 {
        pair.a.event(pair.now, 1);
    }
    let waiting = pair.a.session.waiting();
    assert!(waiting > 0, "the peer gives no credit for all of them");
    pair.a.half_close(pair.now);
    assert_eq!(pair.a.session.counters().unsent_events as usize, waiting);
}

#[test]
fn behind_a_half_close_comes_only_a_goodbye() {
    fn put(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&mut bytes);
        bytes
    }
    let head = CallHead::new(1);
    let frames = [
        put(|out| put_call(out, u32::MAX, 2, &head, &Encoded(b"")).expect("it fits")),
        put(|out| Ping { number: 1 }.put(out)),
        put(|out| Pong { number: 1 }.put(out)),
        put(|out| Cancel { call: 1 }.put(out)),
        put(|out| Credit { amount: 1 }.put(out)),
        put(|out| HalfClose.put(out)),
        put(|out| out.extend([0, 0, 0, 0, 200, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
    ];
    let half_closed = || {
        let (mut side, start) = greeted(Limits::default());
        let call = put(|out| put_call(out, u32::MAX, 1, &head, &Encoded(b"")).expect("it fits"));
        side.feed(start, &call);
        side.half_close(start);
        assert_eq!(side.closed, None, "an answer is owed");
        (side, start)
    };
    for frame in frames {
        let (mut side, start) = half_closed();
        side.feed(start, &frame);
        let broken = CloseReason::Protocol(Violation::AfterHalfClose);
        assert_eq!(side.closed, Some(broken), "{frame:?}");
    }
    let (mut side, start) = half_closed();
    side.feed(start, &put(|out| Bye { code: ByeCode::Closed, text: "" }.put(out)));
    assert!(matches!(side.closed, Some(CloseReason::PeerBye { .. })), "it may still give up");
}

#[test]
fn an_end_that_was_not_announced_is_the_end() {
    let mut pair = Pair::open();
    pair.a.call(pair.now, Head::new(1), b"", 1);
    pair.b.call(pair.now, Head::new(1), b"", 2);
    pair.exchange();
    for side in [&mut pair.a, &mut pair.b] {
        assert_eq!(side.session.unanswered(), 1, "an answer is owed");
        assert_eq!(side.session.end_of_input(), Err(CloseReason::EndOfStream));
        assert_eq!(side.session.next_deadline(), None);
        let said = side.out.len();
        side.reply(1, b"to nobody");
        assert_eq!(side.out.len(), said, "nothing more is said");
        let late = side.try_call(pair.now, Head::new(1), b"", 3);
        assert!(late.is_err_and(|r| r.why == Why::Closing));
    }
    assert_eq!(pair.a.session.drain().count(), 1);
    let mut opening = Pair::new(Limits::default(), Limits::default());
    assert_eq!(opening.a.session.end_of_input(), Err(CloseReason::EndOfStream));
}

#[test]
fn a_pong_that_was_asked_for_is_free_and_others_are_not() {
    let (mut side, start) = greeted(limits(|l| l.peer_timeout = secs(1_000_000)));
    let mut now = start;
    for _ in 0..1_000 {
        now = now + secs(15);
        side.expire(now);
        let sent = frames(&side.write_all(now), false);
        assert_eq!(sent.len(), 1);
        pong(&mut side, now, sent[0].1);
    }
    assert_eq!(side.closed, None);
    let late = (0..1_000).take_while(|_| {
        pong(&mut side, now, 1_000);
        side.closed.is_none()
    });
    assert_eq!(late.count(), 200);
}

fn ping(side: &mut Side, now: Instant, number: u64) {
    let mut bytes = Vec::new();
    Ping { number }.put(&mut bytes);
    side.feed(now, &bytes);
}

fn pong(side: &mut Side, now: Instant, number: u64) {
    let mut bytes = Vec::new();
    Pong { number }.put(&mut bytes);
    side.feed(now, &bytes);
}

fn ping_every_second(side: &mut Side, start: Instant, seconds: std::ops::Range<u64>) {
    for second in seconds {
        ping(side, start + secs(second), second);
        side.session.flushed(start + secs(second), side.written, &mut side.out);
        side.expire(start + secs(second));
    }
}
