//! Feeds a session, for the fuzz target and for a test with a seeded corpus: hostile bytes go in,
//! nothing may panic, no call may be lost, and segments must not show. Corpora and mutation live
//! outside.

use crate::limits::Limits;
use crate::session::{CloseReason, Event, Head, Inbound, Outcome, Request, Role, Session};
use peers_kernel::Instant;
use peers_wire::{Hello, Kind, NodeId, PREAMBLE};
use std::rc::Rc;
use std::time::Duration;

/// Calls that wait for the peer's answers when its bytes come.
const CALLS: usize = 4;

/// Lets a session that has made four calls read `data`, once as a whole and once in segments, whose
/// size is the lower half of the first byte; and both again by the short ways for common frames.
/// With its highest bit unset, a proper greeting goes before the rest.
///
/// # Panics
/// If the two differ, or a call ends twice or never.
pub fn session(data: &[u8]) {
    let Some((&first, rest)) = data.split_first() else { return };
    let mut stream = Vec::new();
    if first & 0x80 == 0 {
        stream.extend(PREAMBLE);
        Hello::new(NodeId::from_bits(1)).put(&mut stream);
    }
    stream.extend(rest);
    let whole = converse(std::iter::once(&stream[..]), false);
    let segments = || stream.chunks(usize::from(first & 0x0f).max(1));
    assert_eq!(whole, converse(segments(), false), "segments must not show");
    assert_eq!(whole, converse(std::iter::once(&stream[..]), true), "short ways must not show");
    assert_eq!(whole, converse(segments(), true), "nor both");
}

/// Holds what a conversation came to.
#[derive(Debug, PartialEq)]
struct Conversation {
    seen: Vec<Seen>,
    said: Vec<u8>,
    reason: Option<String>,
}

#[derive(Debug, PartialEq)]
enum Seen {
    Opened(Hello),
    Request(Option<u64>, u64, usize),
    Answer(usize, bool),
    Cancelled(u64),
    HalfClosed(Vec<usize>),
}

fn converse<'a>(segments: impl Iterator<Item = &'a [u8]>, short: bool) -> Conversation {
    let (now, limits) = (Instant::from_nanos(1), Rc::new(Limits::default()));
    let mut out = Vec::new();
    let mut session =
        Session::new(Role::Dialled, NodeId::from_bits(2), limits.clone(), now, &mut out);
    for key in 0..CALLS {
        let taken = session.call(now, Head::new(1), &mut Vec::new(), key, &mut out);
        assert!(taken.is_ok(), "there is room for four calls");
    }
    let mut inbound = Inbound::new(&limits);
    let mut report = Conversation { seen: Vec::new(), said: Vec::new(), reason: None };
    for mut segment in segments {
        session.input_begins(now);
        let mut end = Ok(());
        while end == Ok(()) && !segment.is_empty() {
            if short {
                read_shortly(&mut session, &inbound, &mut segment, &mut out, &mut report.seen);
            }
            end =
                read(&mut session, &mut inbound, &limits, &mut segment, &mut out, &mut report.seen);
        }
        if let Err(reason) = end {
            session.bye_for(&reason, &mut out);
            report.reason = Some(match reason {
                CloseReason::Foreign(_) => String::new(), // says how much had come
                reason => reason.to_string(),
            });
            break;
        }
    }
    session.flush_credits(&mut out);
    report.said = out;
    settle(session, &report);
    report
}

/// Reads one frame, or all there is.
fn read(
    session: &mut Session<usize>,
    inbound: &mut Inbound,
    limits: &Limits,
    input: &mut &[u8],
    out: &mut Vec<u8>,
    seen: &mut Vec<Seen>,
) -> Result<(), CloseReason> {
    let now = Instant::from_nanos(1);
    if let Some(frame) = inbound.next(input)?
        && let Some(event) = session.accept(now, frame, out)?
    {
        seen.push(match event {
            Event::Opened(hello) => {
                inbound.open(limits);
                Seen::Opened(hello)
            }
            Event::Request(request) => serve(session, &request, out, false),
            Event::Answer { pending, outcome, .. } => {
                Seen::Answer(pending, matches!(outcome, Outcome::Value(_)))
            }
            Event::Cancelled { call } => Seen::Cancelled(call),
            Event::HalfClosed { calls } => {
                Seen::HalfClosed(calls.into_iter().map(|(_, key)| key).collect())
            }
        });
    }
    session.note_partial(now, inbound.pending());
    Ok(())
}

/// Reads what goes the short way, up to the first frame that does not.
fn read_shortly(
    session: &mut Session<usize>,
    inbound: &Inbound,
    input: &mut &[u8],
    out: &mut Vec<u8>,
    seen: &mut Vec<Seen>,
) {
    let now = Instant::from_nanos(1);
    loop {
        let before = *input;
        let Some(frame) = inbound.quick(input) else { return };
        let short = match frame.kind {
            Kind::Reply => session.settle(now, frame.call).map(|key| Seen::Answer(key, true)),
            _ => {
                let request = session.let_in(now, &frame);
                request.map(|request| serve(session, &request, out, true))
            }
        };
        let Some(short) = short else {
            *input = before;
            return;
        };
        seen.push(short);
    }
}

/// Answers calls of even methods.
fn serve(
    session: &mut Session<usize>,
    request: &Request<'_>,
    out: &mut Vec<u8>,
    short: bool,
) -> Seen {
    match request.call {
        Some(call) if request.method.is_multiple_of(2) => {
            let fits = (short && session.reply_now(call, b"value", out))
                || session.reply(call, out, |writer| writer.write("value")).is_ok();
            assert!(fits, "every peer takes small answers");
        }
        Some(_) => {}
        None => session.event_started(out),
    }
    Seen::Request(request.call, request.method, request.args.len())
}

/// Each call has ended once, or is still to be had.
fn settle(mut session: Session<usize>, report: &Conversation) {
    let mut keys: Vec<usize> = Vec::new();
    for seen in &report.seen {
        match seen {
            Seen::Answer(key, _) => keys.push(*key),
            Seen::HalfClosed(all) => keys.extend(all),
            _ => {}
        }
    }
    let later = Instant::from_nanos(1) + Duration::from_secs(3_600);
    if report.reason.is_none() {
        let due = session.expire(later, &mut Vec::new());
        assert!(!matches!(due, Ok(Some(_))), "no call has a deadline");
    }
    keys.extend(session.drain().map(|(_, key)| key));
    keys.sort_unstable();
    assert!(keys.iter().copied().eq(0..CALLS), "each call ends once: {keys:?}");
}
