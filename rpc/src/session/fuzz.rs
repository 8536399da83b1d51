//! Feeds a session, for the fuzz target and for a test with a seeded corpus: hostile bytes go in,
//! nothing may panic, no call may be lost, and segments must not show. Corpora and mutation live
//! outside.

use crate::limits::Limits;
use crate::session::{Acted, CloseReason, Event, Head, Inbound, Request, Role, Session};
use peers_kernel::Instant;
use peers_wire::{Hello, NodeId, PREAMBLE};
use std::rc::Rc;
use std::time::Duration;

/// Calls that wait for the peer's answers when its bytes come.
const CALLS: usize = 4;

/// Lets a session that has made four calls read `data`, once as a whole and once in segments, whose
/// size is the lower half of the first byte. With its highest bit unset, a proper greeting goes
/// before the rest.
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
    let whole = converse(std::iter::once(&stream[..]));
    let segments = stream.chunks(usize::from(first & 0x0f).max(1));
    assert_eq!(whole, converse(segments), "segments must not show");
}

/// Holds what a conversation came to.
#[derive(Debug, PartialEq)]
struct Conversation {
    seen: Vec<Seen>,
    output: Vec<u8>,
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

fn converse<'a>(segments: impl Iterator<Item = &'a [u8]>) -> Conversation {
    let (now, limits) = (Instant::from_nanos(1), Rc::new(Limits::default()));
    let mut out = Vec::new();
    let mut session =
        Session::new(Role::Dialled, NodeId::from_bits(2), limits.clone(), now, &mut out);
    for key in 0..CALLS {
        let taken = session.call(now, &Head::new(1), &mut Vec::new(), key, &mut out);
        assert!(taken.is_ok(), "there is room for four calls");
    }
    let mut inbound = Inbound::new(&limits);
    let mut report = Conversation { seen: Vec::new(), output: Vec::new(), reason: None };
    for mut segment in segments {
        session.begin_input(now, now, None, &mut out);
        let mut end = Ok(());
        while end == Ok(()) && !segment.is_empty() {
            end =
                read(&mut session, &mut inbound, &limits, &mut segment, &mut out, &mut report.seen);
        }
        session.note_partial(now, inbound.pending());
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
    report.output = out;
    check_outcomes(session, &report);
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
    let Some(frame) = inbound.next(input).map_err(|reason| *reason)? else { return Ok(()) };
    seen.push(match session.take(now, frame, out) {
        Acted::Nothing => return Ok(()),
        Acted::End(reason) => return Err(*reason),
        Acted::Value(key) => Seen::Answer(key, true),
        Acted::Request(request) => serve(session, &request, out),
        Acted::Event(event) => match *event {
            Event::Opened(hello) => {
                inbound.open(limits);
                Seen::Opened(hello)
            }
            Event::Failed { pending, .. } => Seen::Answer(pending, false),
            Event::Cancelled { call } => Seen::Cancelled(call),
            Event::HalfClosed { calls } => {
                Seen::HalfClosed(calls.into_iter().map(|(_, key)| key).collect())
            }
        },
    });
    Ok(())
}

/// Answers calls of even methods.
fn serve(session: &mut Session<usize>, request: &Request<'_>, out: &mut Vec<u8>) -> Seen {
    match request.call {
        Some(call) if request.method.is_multiple_of(2) => {
            let sent = session.reply(call, &mut "value", out);
            assert!(sent.is_ok(), "every peer takes small answers");
        }
        Some(_) => {}
        None => session.event_started(out),
    }
    Seen::Request(request.call, request.method, request.args.len())
}

/// Checks that each call has ended once, or is still to be had.
fn check_outcomes(mut session: Session<usize>, report: &Conversation) {
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
