//! Back-pressure by credits: a side sends no more than it was granted, answers are never held up,
//! and two sides that are both at their limit do not wait for each other for ever.

mod session_harness;

use peers_rpc::limits::Limits;
use peers_rpc::session::{Head, Rejected, Violation, Why};
use peers_wire::{CallHead, Credit, Encoded, Kind, RefusedCode, put_call, put_event};
use session_harness::{End, Manner, Pair, Seen, Side, frames, greeted, limits, millis, within};

#[test]
fn sixty_four_requests_may_be_sent_before_the_hello() {
    let mut pair = Pair::new(Limits::default(), Limits::default());
    for key in 0..100 {
        pair.a.call(pair.now, Head::new(1), b"", key);
    }
    assert_eq!(calls_in(&pair.a, true), 64);
    assert_eq!((pair.a.session.waiting(), pair.a.session.credit_held()), (36, 64));
    pair.exchange();
    assert_eq!((pair.a.session.waiting(), pair.a.session.credit_held()), (0, 100));
    assert_eq!(pair.b.session.credit_granted(), 100);
}

#[test]
fn the_grant_counts_from_the_start_of_the_connection() {
    let mut pair = Pair::new(Limits::default(), limits(|l| l.request_window = 70));
    for key in 0..100 {
        pair.a.call(pair.now, Head::new(1), b"", key);
    }
    pair.exchange();
    assert_eq!((pair.a.session.waiting(), pair.a.session.credit_held()), (30, 70));
}

#[test]
fn a_grant_smaller_than_what_was_sent_is_no_fault_of_the_sender() {
    let mut pair = Pair::new(Limits::default(), limits(|l| l.request_window = 1));
    for key in 0..100 {
        pair.a.call(pair.now, Head::new(1), b"", key);
    }
    pair.exchange();
    assert_eq!(pair.b.closed, None);
    assert_eq!(pair.b.session.credit_granted(), 64);
    for _ in 0..63 {
        let call = pair.b.called();
        pair.b.reply(call, b"");
    }
    pair.exchange();
    assert_eq!(pair.a.session.waiting(), 36, "one is on its way, and one is granted");
    let call = pair.b.called();
    pair.b.reply(call, b"");
    pair.exchange();
    assert_eq!(pair.a.session.waiting(), 35);
}

#[test]
fn the_credit_of_a_call_returns_with_its_answer() {
    let mut pair = Pair::open_with(Limits::default(), limits(|l| l.request_window = 64));
    for key in 0..65 {
        pair.a.call(pair.now, Head::new(1), b"", key);
    }
    pair.exchange();
    assert_eq!(pair.a.session.waiting(), 1);
    let call = pair.b.called();
    pair.b.reply(call, b"");
    assert_eq!(pair.b.session.credit_granted(), 64, "not before it has left");
    pair.exchange();
    assert_eq!(pair.a.session.waiting(), 0);
    assert_eq!(pair.b.session.credit_granted(), 64);
}

#[test]
fn the_credit_of_an_event_returns_in_batches_when_it_was_started() {
    let mut pair = Pair::open();
    for n in 0..150 {
        pair.a.event(pair.now, n);
    }
    pair.exchange();
    assert_eq!(pair.a.session.credit_held(), 150);
    for _ in 0..150 {
        pair.b.session.event_started(&mut pair.b.out);
    }
    assert_eq!(frames(&pair.b.out, false).len(), 2, "64 each");
    pair.b.session.flush_credits(&mut pair.b.out);
    let amounts: Vec<u32> = frames(&pair.b.out, false)
        .iter()
        .map(|(kind, _, body)| {
            assert_eq!(*kind, Kind::Credit);
            Credit::decode(body).expect("a session writes credits").amount
        })
        .collect();
    assert_eq!(amounts, [64, 64, 22]);
    pair.b.session.flush_credits(&mut pair.b.out);
    assert_eq!(frames(&pair.b.out, false).len(), 3, "there is nothing more to return");
    pair.exchange();
    pair.a.assert_settled();
    pair.b.assert_settled();
}

#[test]
fn a_stream_of_events_never_outruns_the_grant_and_never_waits_for_a_ping() {
    for grant in [1, 2, 3, 64, 4096] {
        let mut pair = Pair::open_with(Limits::default(), limits(|l| l.request_window = grant));
        pair.b.manner = Manner::Echo;
        for n in 0..10_000 {
            pair.a.event(pair.now, n);
        }
        pair.talk_by(1_000);
        assert_eq!((pair.b.closed.clone(), pair.a.session.waiting()), (None, 0), "{grant}");
        pair.exchange();
        pair.a.assert_settled();
        pair.b.assert_settled();
    }
}

#[test]
fn the_credit_of_a_few_events_goes_with_an_answer_or_the_next_ping() {
    let mut pair = Pair::open();
    pair.b.manner = Manner::Echo;
    pair.a.event(pair.now, 1);
    pair.talk_by(usize::MAX);
    assert_eq!(pair.a.session.credit_held(), 1, "a frame for it alone would wake the peer");
    pair.a.event(pair.now, 1);
    pair.a.call(pair.now, Head::new(2), b"", 3);
    pair.talk_by(usize::MAX);
    assert_eq!(pair.a.session.credit_held(), 0);
    pair.a.event(pair.now, 1);
    pair.talk_by(usize::MAX);
    assert_eq!(pair.a.session.credit_held(), 1);
    pair.pass(Limits::default().ping_idle);
    assert_eq!(pair.a.session.credit_held(), 0);
    pair.a.assert_settled();
    pair.b.assert_settled();
}

#[test]
fn more_than_the_grant_ends_the_connection() {
    for events in [false, true] {
        let (mut side, now) = greeted(limits(|l| l.request_window = 100));
        let mut bytes = Vec::new();
        for n in 0..100 {
            put_request(&mut bytes, n, events);
        }
        side.feed(now, &bytes);
        assert_eq!((side.closed.clone(), side.session.credit_granted()), (None, 100));
        let mut one_more = Vec::new();
        put_request(&mut one_more, 100, events);
        side.feed(now, &one_more);
        assert_eq!(side.closed, Some(Violation::BeyondWindow { window: 100 }.into()));
    }
}

#[test]
fn an_answer_in_the_output_does_not_make_room_before_it_leaves() {
    let (mut side, now) = greeted(limits(|l| l.request_window = 64));
    let mut bytes = Vec::new();
    (0..64).for_each(|n| put_request(&mut bytes, n, false));
    side.feed(now, &bytes);
    side.reply(0, b"answer");
    side.write(now, 0);
    let mut one_more = Vec::new();
    put_request(&mut one_more, 64, false);
    side.feed(now, &one_more);
    assert_eq!(side.closed, Some(Violation::BeyondWindow { window: 64 }.into()));
}

#[test]
fn a_credit_for_more_than_the_events_raises_the_grant() {
    for (amount, more) in [(3, 3), (8, 8), (u32::MAX, 100)] {
        let mut pair = Pair::open_with(Limits::default(), limits(|l| l.request_window = 10));
        (0..5).for_each(|n| pair.a.event(pair.now, n));
        for key in 0..105 {
            pair.a.call(pair.now, Head::new(1), b"", key);
        }
        assert_eq!((pair.a.session.credit_held(), pair.a.session.waiting()), (10, 100));
        credit(&mut pair, amount);
        assert_eq!(pair.a.session.waiting(), 100 - more, "{amount}");
        let events = 5 - amount.min(5) as usize;
        assert_eq!(pair.a.session.credit_held(), 5 + events + more);
    }
}

#[test]
fn credits_that_return_nothing_are_charged() {
    for amount in [0, 1] {
        let mut pair = Pair::open();
        let taken = (0..1_000).take_while(|_| {
            credit(&mut pair, amount);
            pair.a.closed.is_none()
        });
        assert_eq!(taken.count(), 200);
        assert_eq!(pair.a.closed, Some(Violation::Calm.into()));
    }
}

fn credit(pair: &mut Pair, amount: u32) {
    let mut bytes = Vec::new();
    Credit { amount }.put(&mut bytes);
    pair.a.feed(pair.now, &bytes);
}

#[test]
fn requests_without_credit_wait_up_to_a_limit() {
    let small = limits(|l| l.waiting = 10);
    let mut pair = Pair::open_with(small, limits(|l| l.request_window = 64));
    for key in 0..74 {
        pair.a.call(pair.now, Head::new(1), b"", key);
    }
    let refused = pair.a.try_call(pair.now, Head::new(1), b"", 99);
    assert_eq!(refused, Err(Rejected { why: Why::Overloaded, pending: 99 }));
    assert_eq!((pair.a.session.waiting(), pair.a.session.pending()), (10, 74));
    pair.b.manner = Manner::Echo;
    pair.exchange();
    pair.a.assert_settled();
}

#[test]
fn waiting_requests_have_a_limit_in_bytes_too() {
    let small = limits(|l| l.waiting_bytes = 10_000);
    let mut pair = Pair::open_with(small, limits(|l| l.request_window = 0));
    let id = pair.a.call(pair.now, Head::new(1), &[0; 9_000], 1);
    let refused = pair.a.try_call(pair.now, Head::new(1), &[0; 1_001], 2);
    assert_eq!(refused, Err(Rejected { why: Why::Overloaded, pending: 2 }));
    pair.a.call(pair.now, Head::new(1), &[0; 1_000], 3);
    assert_eq!(pair.a.session.cancel(id, &mut pair.a.out), Some(1));
    pair.a.call(pair.now, Head::new(1), &[0; 9_000], 4);
    assert_eq!(pair.a.session.waiting(), 2);
}

#[test]
fn answers_pass_when_requests_cannot() {
    let mut pair =
        Pair::open_with(limits(|l| l.request_window = 64), limits(|l| l.request_window = 64));
    for key in 0..100 {
        pair.a.call(pair.now, Head::new(1), b"", key);
        pair.b.call(pair.now, Head::new(1), b"", key);
    }
    pair.exchange();
    assert_eq!((pair.a.session.waiting(), pair.b.session.waiting()), (36, 36));
    let call = pair.a.called();
    pair.a.session.refuse(call, RefusedCode::Cancelled, "", &mut pair.a.out);
    let first = frames(&pair.a.out, false);
    assert_eq!((first.len(), first[0].0), (1, Kind::Refused));
    pair.exchange();
    assert_eq!(
        pair.b.seen.back(),
        Some(&Seen::Answer(0, End::Refused(RefusedCode::Cancelled, String::new())))
    );
}

#[test]
fn above_the_soft_limit_requests_wait_and_answers_do_not() {
    let mut pair = Pair::open_with(limits(|l| l.output_low_water = 1_000), Limits::default());
    pair.b.call(pair.now, Head::new(1), b"", 1);
    pair.exchange();
    let call = pair.a.called();
    pair.a.call(pair.now, Head::new(1), &[0; 1_100], 1);
    let before = pair.a.out.len();
    pair.a.call(pair.now, Head::new(1), b"", 2);
    pair.a.event(pair.now, 3);
    assert_eq!((pair.a.out.len(), pair.a.session.waiting()), (before, 2));
    pair.a.reply(call, b"at once");
    assert!(pair.a.out.len() > before);
    let half = pair.a.write(pair.now, 500);
    assert_eq!(pair.a.session.waiting(), 0, "it has drained");
    pair.b.feed(pair.now, &half);
    pair.exchange();
    assert_eq!(pair.b.asked().args.len(), 1_100);
    let answer = Seen::Answer(1, End::Value(b"at once".into()));
    assert_eq!(pair.b.next(), Some(answer), "before the requests that waited");
    assert_eq!([pair.b.asked().method, pair.b.asked().method], [1, 3]);
}

/// Both sides call each other 100,000 times through pipes that hold 64 KiB, answer at once, and
/// neither ever stops.
#[test]
fn mutual_floods_do_not_deadlock() {
    const CALLS: u32 = 100_000;
    const PIPE: usize = 64 << 10;
    let mut pair =
        Pair::open_with(limits(|l| l.request_window = 128), limits(|l| l.request_window = 256));
    (pair.a.manner, pair.b.manner) = (Manner::Echo, Manner::Echo);
    let (mut to_b, mut to_a) = (Vec::new(), Vec::new());
    let mut made = [0; 2];
    let mut answered = [0; 2];
    for round in 0_usize.. {
        assert!(round < 1_000_000, "no progress: {answered:?} of {made:?}");
        for (side, made) in [&mut pair.a, &mut pair.b].into_iter().zip(&mut made) {
            while *made < CALLS && side.session.waiting() < 300 {
                side.call(pair.now, Head::new(1), &made.to_be_bytes(), *made);
                *made += 1;
            }
        }
        push(&mut pair.a, &mut to_b, PIPE, pair.now);
        push(&mut pair.b, &mut to_a, PIPE, pair.now);
        pull(&mut pair.b, &mut to_b, pair.now, 10_000 + round % 977);
        pull(&mut pair.a, &mut to_a, pair.now, 7_000 + round % 1_009);
        for (side, answered) in [&mut pair.a, &mut pair.b].into_iter().zip(&mut answered) {
            assert_eq!(side.closed, None);
            while let Some(seen) = side.next() {
                let Seen::Answer(key, End::Value(value)) = seen else { panic!("{seen:?}") };
                assert_eq!((key, value), (*answered, key.to_be_bytes().to_vec()));
                *answered += 1;
            }
        }
        if answered == [CALLS; 2] {
            break;
        }
    }
    pair.exchange();
    pair.a.assert_settled();
    pair.b.assert_settled();
}

/// Every handler of either side calls back before it answers, all at their limit: it ends, by
/// deadline at the latest.
#[test]
fn a_cycle_of_calls_at_the_limit_ends_within_the_deadline() {
    let few = || limits(|l| l.request_window = 64);
    let mut pair = Pair::open_with(few(), few());
    for key in 0..64 {
        let head = within(1, pair.now, millis(100));
        pair.a.call(pair.now, head, b"", key);
        pair.b.call(pair.now, head, b"", key);
    }
    pair.exchange();
    for key in 64..128 {
        pair.a.call(pair.now, within(2, pair.now, millis(100)), b"", key);
        pair.b.call(pair.now, within(2, pair.now, millis(100)), b"", key);
    }
    pair.exchange();
    assert_eq!((pair.a.session.waiting(), pair.b.session.waiting()), (64, 64), "all wait for all");
    pair.pass(millis(100));
    for side in [&mut pair.a, &mut pair.b] {
        assert_eq!((side.session.pending(), side.session.waiting()), (0, 0));
        let ends = side.seen.iter().filter(|s| matches!(s, Seen::Expired(_, Why::Expired)));
        assert_eq!(ends.count(), 128);
    }
}

#[test]
fn an_idle_session_takes_192_bytes() {
    let size = size_of::<peers_rpc::session::Session<Box<dyn Fn()>>>();
    assert_eq!(size, 192, "where it has shrunk, lower the bound beside its type as well");
}

fn calls_in(side: &Side, opening: bool) -> usize {
    frames(&side.out, opening).iter().filter(|(kind, ..)| *kind == Kind::Call).count()
}

fn put_request(bytes: &mut Vec<u8>, n: u64, event: bool) {
    let head = CallHead::new(1);
    let put = match event {
        true => put_event(bytes, u32::MAX, &head, &Encoded(b"")),
        false => put_call(bytes, u32::MAX, n, &head, &Encoded(b"")),
    };
    put.expect("it fits");
}

fn push(side: &mut Side, pipe: &mut Vec<u8>, room: usize, now: peers_kernel::Instant) {
    pipe.extend(side.write(now, room - pipe.len()));
}

fn pull(side: &mut Side, pipe: &mut Vec<u8>, now: peers_kernel::Instant, most: usize) {
    let bytes: Vec<u8> = pipe.drain(..most.min(pipe.len())).collect();
    side.feed(now, &bytes);
}
