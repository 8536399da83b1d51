//! Promise: a process that stood still gives its peer the time anew that passed meanwhile, and asks
//! a silent one again before it judges: the peer may have stood still as well. Whoever is judged on
//! time gets no more than the limits say.

mod session_harness;

use peers_kernel::Instant;
use peers_rpc::limits::Limits;
use peers_rpc::session::{CloseReason, Head, Role};
use peers_wire::{CallHead, Encoded, Kind, put_call};
use session_harness::{Pair, Side, frames, greeted, limits, millis, secs, within};
use std::time::Duration;

/// The process is looked at a minute late: nothing ends then, and after another `span` it does.
#[track_caller]
fn is_given_anew(side: &mut Side, due: Instant, span: Duration, reason: CloseReason) {
    let thawed = due + secs(60);
    side.expire(thawed);
    assert_eq!(side.closed, None, "it stood still");
    side.expire(thawed + (span - millis(1)));
    assert_eq!(side.closed, None, "the time is given anew");
    side.expire(thawed + span);
    assert_eq!(side.closed, Some(reason));
}

#[test]
fn a_peer_that_was_asked_before_is_asked_again() {
    let (mut side, start) = greeted(Limits::default());
    side.expire(start + secs(15));
    assert_eq!(frames(&side.write_all(start + secs(15)), false), [(Kind::Ping, 1, vec![])]);
    side.expire(start + secs(105));
    assert_eq!(side.closed, None, "it stood still");
    assert_eq!(frames(&side.write_all(start + secs(105)), false), [(Kind::Ping, 2, vec![])]);
    side.expire(start + secs(135));
    assert_eq!(side.closed, Some(CloseReason::PeerTimeout));
}

#[test]
fn a_frame_that_has_begun() {
    let (mut side, start) = greeted(limits(|l| l.peer_timeout = secs(1_000)));
    let mut bytes = Vec::new();
    put_call(&mut bytes, u32::MAX, 1, &CallHead::new(1), &Encoded(&[0; 100])).expect("it fits");
    side.feed(start, &bytes[..30]);
    is_given_anew(&mut side, start + secs(30), secs(30), CloseReason::FrameTimeout);
}

#[test]
fn a_hello() {
    for role in [Role::Dialled, Role::Accepted] {
        let start = Instant::from_nanos(1);
        let mut side = Side::new(role, Limits::default(), start);
        is_given_anew(&mut side, start + secs(5), secs(5), CloseReason::HelloTimeout);
    }
}

#[test]
fn output_that_the_peer_does_not_take() {
    let (mut side, start) = greeted(limits(|l| l.peer_timeout = secs(1_000)));
    side.event(start, 1);
    side.write(start, 10);
    is_given_anew(&mut side, start + secs(30), secs(30), CloseReason::SlowPeer);
}

#[test]
fn what_is_owed_to_a_peer_that_sends_nothing_more() {
    let mut pair = Pair::open();
    pair.a.call(pair.now, Head::new(1), b"x", 1);
    pair.exchange();
    let now = pair.now;
    pair.b.called();
    pair.b.half_close(now);
    is_given_anew(&mut pair.b, now + secs(5), secs(5), CloseReason::Lingered);
}

#[test]
fn an_unused_connection_is_not_given_up_before_what_came_was_read() {
    let mut pair = Pair::open();
    pair.pass(secs(290));
    let end = pair.now + secs(20);
    assert!(pair.a.session.misses_input(end), "look first at what has arrived");
}

/// What is missing at `due`, and not before, is looked for in the socket first.
#[track_caller]
fn is_missed_at(side: &Side, due: Instant) {
    assert!(!side.session.misses_input(Instant::from_nanos(due.as_nanos() - 1)), "too early");
    assert!(side.session.misses_input(due), "just then");
}

#[test]
fn just_when_something_is_due_it_is_missed() {
    let start = Instant::from_nanos(1);
    is_missed_at(&Side::new(Role::Accepted, Limits::default(), start), start + secs(5));
    // An answer, a frame, a pong.
    let (mut side, start) = greeted(Limits::default());
    side.call(start, within(1, start, secs(3)), b"", 1);
    is_missed_at(&side, start + secs(3));
    let (mut side, start) = greeted(limits(|l| l.peer_timeout = secs(1_000)));
    let mut bytes = Vec::new();
    put_call(&mut bytes, u32::MAX, 1, &CallHead::new(1), &Encoded(&[0; 100])).expect("it fits");
    side.feed(start, &bytes[..30]);
    is_missed_at(&side, start + secs(30));
    let (mut side, start) = greeted(Limits::default());
    side.expire(start + secs(15));
    is_missed_at(&side, start + secs(45));
    // A use of the connection.
    let mut pair = Pair::open();
    pair.a.call(pair.now, Head::new(1), b"", 1);
    pair.exchange();
    let call = pair.b.called();
    pair.b.reply(call, b"");
    pair.exchange();
    is_missed_at(&pair.a, pair.now + secs(300));
}
