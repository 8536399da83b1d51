//! Hostile input: cut anywhere, glued together, flipped, forged. The session neither panics nor
//! forgets a call, and what it does depends on the bytes alone, not on the segments they come in.

mod session_harness;

use peers_kernel::Instant;
use peers_rpc::limits::Limits;
use peers_rpc::session::{CloseReason, Head, Role, Violation};
use peers_wire::{
    CallHead, Cancel, Credit, Encoded, Exception, Kind, Ping, Refused, RefusedCode, put_call,
    put_event, put_reply,
};
use session_harness::{Pair, Seen, Side, frames, greeted, greeting, secs, within};

/// Everything a peer says in a lively conversation with `client`, which has made four calls.
fn conversation() -> Vec<u8> {
    let (client, ids, _) = client();
    assert_eq!(client.session.pending(), 4);
    let mut bytes = greeting();
    let head = CallHead { remaining_ms: 5_000, depth: 3, ..CallHead::new(9) };
    put_call(&mut bytes, u32::MAX, 1, &head, &Encoded(b"first")).expect("it fits");
    put_event(&mut bytes, u32::MAX, &head, &Encoded(b"second")).expect("it fits");
    put_reply(&mut bytes, u32::MAX, ids[1], &"value").expect("it fits");
    Credit { amount: 1 }.put(&mut bytes);
    Cancel { call: 1 }.put(&mut bytes);
    let exception = Exception {
        class: "a.b",
        origin: "there",
        file: "x.rs",
        line: 1,
        text: "words",
        data: b"data",
    };
    exception.put(&mut bytes, u32::MAX, ids[0]).expect("it fits");
    Ping { number: 5 }.put(&mut bytes);
    Refused { code: RefusedCode::Failed, text: "sorry" }.put(&mut bytes, ids[3]);
    bytes.extend([0, 0, 0, 2, 200, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
    put_reply(&mut bytes, u32::MAX, ids[2], &"last").expect("it fits");
    bytes
}

fn client() -> (Side, [u64; 4], Instant) {
    let now = Instant::from_nanos(1);
    let mut side = Side::new(Role::Dialled, Limits::default(), now);
    let ids = [0, 1, 2, 3].map(|key| side.call(now, Head::new(1), b"args", key).number());
    side.event(now, 5);
    side.write_all(now);
    (side, ids, now)
}

/// Holds what a side was told and what it said, for comparison.
type Transcript = (Vec<Seen>, Vec<u8>, Option<CloseReason>);

fn transcript(bytes: &[u8], segments: impl Fn(usize) -> usize) -> Transcript {
    let (mut side, _, now) = client();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (segment, more) = rest.split_at(segments(bytes.len() - rest.len()).min(rest.len()));
        side.feed(now, segment);
        rest = more;
    }
    (side.seen.into(), side.out, side.closed)
}

#[test]
fn the_segments_do_not_matter() {
    let bytes = conversation();
    let whole = transcript(&bytes, |_| usize::MAX);
    assert_eq!(whole.0.len(), 8, "{:?}", whole.0);
    assert_eq!(whole.2, None);
    for size in 1..64 {
        assert_eq!(transcript(&bytes, |_| size), whole, "segments of {size}");
    }
    for cut in 1..bytes.len() {
        let two = transcript(&bytes, |at| if at == 0 { cut } else { usize::MAX });
        assert_eq!(two, whole, "cut at {cut}");
    }
}

#[test]
fn whatever_is_cut_off_every_call_ends_once() {
    let bytes = conversation();
    for cut in 0..bytes.len() {
        let (mut side, _, now) = client();
        side.feed(now, &bytes[..cut]);
        let answered = side.seen.iter().filter(|s| matches!(s, Seen::Answer(..))).count();
        assert_eq!(side.session.end_of_input(), Err(CloseReason::EndOfStream));
        side.expire(now + secs(5));
        assert_eq!(side.session.next_deadline(), None);
        assert_eq!(answered + side.session.drain().count(), 4, "cut at {cut}");
    }
}

#[test]
fn each_bit_may_flip() {
    let bytes = conversation();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let (mut side, _, now) = client();
        side.feed(now, &flipped);
        assert_books_balance(side, &format!("bit {bit}"));
    }
}

/// Every kind of frame, assigned or not, in every state of a session, empty and with a body.
#[test]
fn every_kind_in_every_state_has_a_defined_answer() {
    for kind in 0..=u8::MAX {
        for length in [0_u8, 4, 6, 16, 40] {
            let mut frame = vec![0, 0, 0, length, kind, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            frame.extend(vec![0; length.into()]);
            for (state, mut side, now) in states() {
                let before = (side.seen.len(), side.out.len());
                side.feed(now, &frame);
                match (state, kind) {
                    ("ended", _) => assert_eq!((side.seen.len(), side.out.len()), before),
                    ("opening", _) => assert!(side.closed.is_some(), "kind {kind}"),
                    (_, 128) => match length {
                        0 => assert!(matches!(side.seen.back(), Some(Seen::HalfClosed(_)))),
                        _ => assert!(matches!(side.closed, Some(CloseReason::Protocol(_)))),
                    },
                    (_, 129..) => assert_eq!(side.closed, None, "kind {kind} is to be ignored"),
                    (_, 0 | 1 | 12..128) => {
                        assert!(
                            matches!(side.closed, Some(CloseReason::Protocol(_))),
                            "kind {kind}: {:?}",
                            side.closed
                        );
                    }
                    _ => {}
                }
                assert_books_balance(side, &format!("kind {kind}, {length} bytes, {state}"));
            }
        }
    }
}

fn states() -> [(&'static str, Side, Instant); 4] {
    let now = Instant::from_nanos(1);
    let mut opening = Side::new(Role::Accepted, Limits::default(), now);
    opening.feed(now, &peers_wire::PREAMBLE);
    let (open, later) = greeted(Limits::default());
    let (mut busy, _, _) = client();
    busy.feed(now, &greeting());
    let (mut ended, _) = greeted(Limits::default());
    ended.session.bye_for(&CloseReason::Local, &mut ended.out);
    [("opening", opening, now), ("open", open, later), ("busy", busy, now), ("ended", ended, later)]
}

#[test]
fn a_length_of_four_gigabytes_costs_nothing() {
    let (mut side, now) = greeted(Limits::default());
    side.feed(now, &[0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    let large = peers_wire::Error::FrameTooLarge { length: u32::MAX, limit: 4 << 20 };
    assert_eq!(side.closed, Some(Violation::Bytes(large).into()));
    assert_eq!(side.inbound.pending(), 0);
}

#[test]
fn a_body_that_never_comes_costs_what_has_come() {
    let (mut side, now) = greeted(Limits::default());
    let mut bytes = vec![0, 0x10, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    bytes.extend([0; 10]);
    side.feed(now, &bytes);
    assert_eq!((side.closed.clone(), side.inbound.pending()), (None, 26));
    side.expire(now + secs(30));
    assert_eq!(side.closed, Some(CloseReason::FrameTimeout));
}

#[test]
fn floods_of_frames_that_cost_nothing_are_cut_off() {
    let mut ping = Vec::new();
    Ping { number: 1 }.put(&mut ping);
    let mut pong = ping.clone();
    pong[4] = Kind::Pong.number();
    let ignorable = [0, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for frame in [&ping[..], &pong, &ignorable] {
        let (mut side, now) = greeted(Limits::default());
        let flood = frame.repeat(100_000);
        side.feed(now, &flood);
        assert_eq!(side.closed, Some(Violation::Calm.into()));
        assert!(side.out.len() < 200, "one pong, one goodbye: {} bytes", side.out.len());
        let (mut calm, now) = greeted(Limits::default());
        for second in 0..1_000 {
            calm.feed(now + secs(second), &frame.repeat(100));
            calm.write_all(now + secs(second));
        }
        assert_eq!(calm.closed, None, "at the permitted rate it goes on for ever");
    }
}

#[test]
fn a_million_calls_in_one_write_are_cut_off_at_the_grant() {
    let (mut side, now) = greeted(Limits::default());
    let mut call = Vec::new();
    put_call(&mut call, u32::MAX, 1, &CallHead::new(1), &Encoded(b"")).expect("it fits");
    side.feed(now, &call.repeat(1_000_000));
    assert_eq!(side.closed, Some(Violation::BeyondWindow { window: 4_096 }.into()));
    assert_eq!(side.seen.len(), 4_096);
}

#[test]
fn numbers_at_their_ends_overflow_nothing() {
    for remaining_ms in [1, u32::MAX] {
        for depth in [0, 64, u16::MAX] {
            for call in [0, 1, u64::MAX] {
                let (mut side, now) = greeted(Limits::default());
                let now = if call == 1 { Instant::FAR } else { now };
                let head = CallHead { method: u64::MAX, remaining_ms, depth, trace: None };
                let mut bytes = Vec::new();
                put_call(&mut bytes, u32::MAX, call, &head, &Encoded(b"")).expect("it fits");
                side.feed(now, &bytes);
                assert_eq!(side.closed, None);
            }
        }
    }
    let mut pair = Pair::open();
    let far = within(1, pair.now, std::time::Duration::MAX);
    pair.a.call(pair.now, far, b"", 1);
    pair.exchange();
    assert_eq!(pair.b.asked().deadline, Instant::FAR, "the end of time is never");
}

/// After whatever has come: no call is lost, and a side that has ended says nothing more.
#[track_caller]
fn assert_books_balance(mut side: Side, what: &str) {
    if side.closed.is_some() {
        let said = side.out.len();
        side.session.refuse(1, RefusedCode::Failed, "", &mut side.out);
        assert_eq!(side.out.len(), said, "{what}: it has said goodbye");
        assert_eq!(side.session.next_deadline(), None, "{what}");
    }
    frames(&side.out, side.written == 0);
    let ended = |seen: &Seen| match seen {
        Seen::Answer(..) => 1,
        Seen::HalfClosed(calls) => calls.len(),
        _ => 0,
    };
    let answered: usize = side.seen.iter().map(ended).sum();
    let made = side.session.counters().late_replies as usize + side.session.pending() + answered;
    let pending = side.session.pending();
    assert!(made == 0 || made == 4, "{what}: {made} of 4 calls");
    assert_eq!(side.session.drain().count(), pending, "{what}");
}

/// The fuzz target over a seeded corpus; `tests/fuzz` runs it without end.
#[test]
fn damaged_conversations() {
    let greeting = greeting().len();
    let seeds =
        [[&[5], &conversation()[greeting..]].concat(), [&[0x83], &conversation()[..]].concat()];
    let mut numbers = Numbers(0x5eed_5e55);
    for _ in 0..40_000 {
        let mut bytes = seeds[numbers.below(2)].clone();
        for _ in 0..=numbers.below(4) {
            damage(&mut numbers, &mut bytes);
        }
        peers_rpc::fuzz::session(&bytes);
    }
}

struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

fn damage(numbers: &mut Numbers, bytes: &mut Vec<u8>) {
    let at = numbers.below(bytes.len());
    match numbers.below(5) {
        0 => bytes[at] ^= 1 << numbers.below(8),
        1 => bytes[at] = numbers.below(256) as u8,
        2 => bytes.truncate(at.max(1)),
        3 => {
            let end = (at + 1 + numbers.below(40)).min(bytes.len());
            bytes.extend_from_within(at..end);
        }
        _ => bytes.insert(at, numbers.below(256) as u8),
    }
}
