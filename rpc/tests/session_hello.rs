//! The opening of a connection: both sides greet at once, strangers are recognised, silence ends in
//! time.

mod session_harness;

use peers_kernel::Instant;
use peers_rpc::limits::Limits;
use peers_rpc::session::{CloseReason, Head, Role, Violation};
use peers_wire::{Bye, ByeCode, Hello, Kind, NodeId, PREAMBLE, Ping, Sniffed, VERSION};
use session_harness::{Pair, Seen, Side, frames, greeting, limits, millis, secs};

#[test]
fn both_sides_greet_at_once_and_learn_who_the_other_is() {
    let mut pair = Pair::new(Limits::default(), limits(|l| l.request_window = 99));
    let hello = frames(&pair.a.out, true);
    assert_eq!(hello.len(), 1);
    assert_eq!(hello[0].0, Kind::Hello);
    pair.exchange();
    let b = Hello { window: 99, ..Hello::new(NodeId::from_bits(0xa)) };
    assert_eq!(pair.a.seen, [Seen::Opened(b)]);
    assert_eq!(pair.b.seen, [Seen::Opened(Hello::new(NodeId::from_bits(0xd)))]);
    assert_eq!(pair.a.session.peer(), Some(b));
}

#[test]
fn a_call_need_not_wait_for_the_hello() {
    let mut pair = Pair::new(Limits::default(), Limits::default());
    pair.a.call(pair.now, Head::new(1), b"early", 7);
    pair.a_to_b(usize::MAX);
    assert_eq!(pair.b.asked().args, b"early");
}

#[test]
fn seven_foreign_openings_are_named_and_get_no_further_answer() {
    let openings: [(&[u8], Sniffed); 7] = [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", Sniffed::HttpRequest),
        (b"HTTP/1.1 200 OK\r\n\r\n", Sniffed::HttpResponse),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Sniffed::Http2),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", Sniffed::Tls),
        (b"SSH-2.0-OpenSSH_9.6\r\n", Sniffed::Ssh),
        (b"*1\r\n$4\r\nPING\r\n", Sniffed::Redis),
        (b"\x00\xff\x17\x99\x00\x00\x00\x00", Sniffed::Unknown),
    ];
    for (bytes, looks_like) in openings {
        let (mut side, now) = stranger();
        side.feed(now, bytes);
        let Some(CloseReason::Foreign(opening)) = &side.closed else {
            panic!("{looks_like}: {:?}", side.closed);
        };
        assert_eq!(opening.looks_like(), looks_like);
        assert!(side.out.is_empty(), "it would not understand a goodbye");
        let words = side.closed.map(|reason| reason.to_string()).unwrap_or_default();
        assert!(words.starts_with("not a peer: looks like "), "{words}");
        assert!(words.ends_with("check the address"), "{words}");
    }
}

#[test]
fn a_stranger_is_recognised_by_its_first_byte() {
    let (mut side, now) = stranger();
    side.feed(now, b"G");
    assert!(matches!(side.closed, Some(CloseReason::Foreign(_))), "{:?}", side.closed);
}

#[test]
fn another_version_is_named() {
    let (mut side, now) = stranger();
    let mut opening = PREAMBLE;
    opening[7] = 2;
    side.feed(now, &opening);
    assert_eq!(side.closed, Some(CloseReason::Version { ours: VERSION, theirs: 2 }));
    assert!(side.out.is_empty());
}

#[test]
fn a_hello_of_another_version_than_its_preamble_is_no_hello() {
    let (mut side, now) = stranger();
    let mut opening = PREAMBLE.to_vec();
    Hello { version: 2, ..Hello::new(NodeId::from_bits(1)) }.put(&mut opening);
    side.feed(now, &opening);
    assert_eq!(side.closed, Some(CloseReason::Version { ours: VERSION, theirs: 2 }));
    assert!(side.session.peer().is_none());
}

#[test]
fn a_hello_with_ones_own_node_id_is_refused() {
    let mut pair = Pair::new(Limits::default(), Limits::default());
    pair.a.call(pair.now, Head::new(1), b"early", 7);
    let echo = pair.a.write_all(pair.now);
    pair.a.feed(pair.now, &echo);
    assert_eq!(pair.a.closed, Some(CloseReason::Myself));
    assert!(pair.a.seen.is_empty(), "its own call does not come back to it");
    assert!(pair.a.session.peer().is_none());
    let frames = frames(&pair.a.out, false);
    let [(Kind::Bye, _, body)] = &frames[..] else { panic!("{frames:?}") };
    let bye = Bye::decode(body).expect("a goodbye");
    assert_eq!((bye.code, bye.text), (ByeCode::Closed, "a node id that is this side's own"));
}

#[test]
fn silence_is_ended_at_the_hello_deadline() {
    let mut pair = Pair::new(Limits::default(), Limits::default());
    assert_eq!(pair.a.session.next_deadline(), Some(pair.now + secs(5)));
    pair.now = pair.now + secs(5);
    pair.a.expire(pair.now);
    assert_eq!(pair.a.closed, Some(CloseReason::HelloTimeout));
    assert_eq!(said_last(&pair.a), Some(Kind::Bye));
}

#[test]
fn a_hello_that_drips_in_must_be_complete_in_time_all_the_same() {
    let (mut side, mut now) = stranger();
    let start = now;
    for byte in greeting() {
        side.expire(now);
        side.feed(now, &[byte]);
        now = now + secs(1);
        if side.closed.is_some() {
            break;
        }
    }
    assert_eq!(side.closed, Some(CloseReason::HelloTimeout));
    assert_eq!(now, start + secs(6), "no later than the first look after five seconds");
}

#[test]
fn a_hello_just_in_time_is_in_time() {
    let (mut side, now) = stranger();
    side.feed(now + millis(4_999), &greeting());
    side.expire(now + secs(5));
    assert_eq!(side.closed, None);
    assert_eq!(side.seen.len(), 1);
}

#[test]
fn the_first_frame_must_be_a_hello() {
    let (mut side, now) = stranger();
    let mut bytes = PREAMBLE.to_vec();
    Ping { number: 1 }.put(&mut bytes);
    side.feed(now, &bytes);
    assert_eq!(side.closed, Some(Violation::NoHello(Kind::Ping).into()));
    assert_eq!(said_last(&side), Some(Kind::Bye));
}

#[test]
fn a_second_hello_is_one_too_many() {
    let (mut side, now) = stranger();
    side.feed(now, &greeting());
    side.feed(now, &greeting()[PREAMBLE.len()..]);
    assert_eq!(side.closed, Some(Violation::SecondHello.into()));
}

#[test]
fn a_goodbye_instead_of_a_hello_is_understood() {
    let (mut side, now) = stranger();
    let mut bytes = PREAMBLE.to_vec();
    Bye { code: ByeCode::Overloaded, text: "come back later" }.put(&mut bytes);
    side.feed(now, &bytes);
    let text = "come back later".to_owned();
    assert_eq!(side.closed, Some(CloseReason::PeerBye { code: ByeCode::Overloaded, text }));
}

#[test]
fn frames_are_small_before_the_hello_and_large_after() {
    let mut bytes = PREAMBLE.to_vec();
    bytes.extend(5_000_u32.to_be_bytes());
    bytes.extend([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let (mut side, now) = stranger();
    side.feed(now, &bytes);
    let large = peers_wire::Error::FrameTooLarge { length: 5_000, limit: 4 << 10 };
    assert_eq!(side.closed, Some(Violation::Bytes(large).into()));
    assert_eq!(goodbye(&side), Some(ByeCode::FrameTooLarge));

    let mut pair = Pair::open();
    let args = vec![7; 4 << 20];
    pair.a.call(pair.now, Head::new(1), &args[16..], 1);
    pair.a_to_b(usize::MAX);
    assert_eq!(pair.b.asked().args.len(), args.len() - 16);
}

#[test]
fn a_call_too_large_to_be_sent_blindly_waits_for_the_hello() {
    let mut pair = Pair::new(Limits::default(), Limits::default());
    pair.a.call(pair.now, Head::new(1), &[1; 5_000], 1);
    pair.a.call(pair.now, Head::new(2), &[2], 2);
    assert_eq!(frames(&pair.a.out, true).len(), 1, "only the hello, for order is kept");
    pair.exchange();
    assert_eq!(pair.b.asked().method, 1);
    assert_eq!(pair.b.asked().method, 2);
}

#[test]
fn a_call_that_the_hello_forbids_fails_and_lets_the_others_pass() {
    let mut pair = Pair::new(Limits::default(), limits(|l| l.frame = 4_500));
    pair.a.call(pair.now, Head::new(1), &[1; 5_000], 1);
    pair.a.call(pair.now, Head::new(2), &[2], 2);
    pair.exchange();
    pair.pass(secs(0));
    assert_eq!(pair.b.asked().method, 2);
    let why = peers_rpc::session::Why::TooLarge { size: 5_016, limit: 4_500 };
    assert_eq!(pair.a.next(), Some(Seen::Expired(1, why)));
    let refused = pair.a.try_call(pair.now, Head::new(3), &[3; 4_485], 3);
    let why = peers_rpc::session::Why::TooLarge { size: 4_501, limit: 4_500 };
    assert_eq!(refused, Err(peers_rpc::session::Rejected { why, pending: 3 }));
    assert!(pair.a.try_call(pair.now, Head::new(3), &[3; 4_484], 3).is_ok());
}

#[test]
fn an_event_that_the_hello_forbids_is_dropped_and_counted() {
    let mut pair = Pair::new(Limits::default(), limits(|l| l.frame = 4_500));
    let (now, mut args) = (pair.now, vec![1; 5_000]);
    pair.a.session.event(now, &Head::new(1), &mut args, &mut pair.a.out).expect("it is taken");
    pair.a.event(now, 2);
    pair.exchange();
    assert_eq!(pair.b.asked().method, 2);
    assert_eq!(pair.a.session.counters().unsent_events, 1);
    assert_eq!((pair.a.session.waiting(), pair.a.session.credit_held()), (0, 1));
}

fn stranger() -> (Side, Instant) {
    let now = Instant::from_nanos(1);
    let mut side = Side::new(Role::Accepted, Limits::default(), now);
    side.write_all(now);
    (side, now)
}

fn said_last(side: &Side) -> Option<Kind> {
    frames(&side.out, side.written == 0).last().map(|(kind, ..)| *kind)
}

fn goodbye(side: &Side) -> Option<ByeCode> {
    let (kind, _, body) = frames(&side.out, side.written == 0).pop()?;
    assert_eq!(kind, Kind::Bye);
    Some(Bye::decode(&body).expect("a session writes goodbyes").code)
}
