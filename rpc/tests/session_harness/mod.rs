//! Two sessions joined by vectors of bytes, and a clock that is turned by hand. No socket, no
//! sleep.
//!
//! What a session says goes through [`Side::out`]; a test decides when and in what pieces it
//! reaches the other side. Everything that a side is told is written down in [`Side::seen`].

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use peers_kernel::Instant;
use peers_rpc::limits::Limits;
use peers_rpc::session::{
    Acted, CallId, CloseReason, Event, Head, Inbound, Outcome, Rejected, Request, Role, Session,
    Why,
};
use peers_wire::{Encoded, HalfClose, Hello, NodeId, PREAMBLE, RefusedCode};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

/// How often two sides may answer each other until they have nothing to say: a working test never
/// comes near.
const ROUNDS: usize = 10_000;

pub const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Limits that differ from the default in what `change` does.
pub fn limits(change: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits);
    limits
}

/// Says what a side was told.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    Opened(Hello),
    Request(Asked),
    Answer(u32, End),
    Cancelled(u64),
    HalfClosed(Vec<u32>),
    Expired(u32, Why),
}

/// A request, with its bytes copied.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    pub call: Option<u64>,
    pub method: u64,
    pub deadline: Instant,
    pub depth: u16,
    pub args: Vec<u8>,
}

/// Says how a call ended, with its bytes copied.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    Value(Vec<u8>),
    Exception { class: String, text: String, data: Vec<u8> },
    Refused(RefusedCode, String),
}

impl End {
    fn of(outcome: Outcome<'_>) -> Self {
        match outcome {
            Outcome::Exception(e) => {
                Self::Exception { class: e.class.into(), text: e.text.into(), data: e.data.into() }
            }
            Outcome::Refused(code, text) => Self::Refused(code, text.into()),
        }
    }
}

/// Says what a side does with requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Manner {
    /// Writes them down.
    Hold,
    /// Answers with the arguments, at once.
    Echo,
}

/// One session and everything around it.
pub struct Side {
    pub session: Session<u32>,
    pub inbound: Inbound,
    pub limits: Rc<Limits>,
    /// Output that has not been written to the socket.
    pub out: Vec<u8>,
    pub written: u64,
    pub seen: VecDeque<Seen>,
    pub closed: Option<CloseReason>,
    pub manner: Manner,
}

impl Side {
    pub fn new(role: Role, limits: Limits, now: Instant) -> Self {
        let (limits, mut out) = (Rc::new(limits), Vec::new());
        let node = NodeId::from_bits(if role == Role::Dialled { 0xd } else { 0xa });
        let session = Session::new(role, node, limits.clone(), now, &mut out);
        Self {
            session,
            inbound: Inbound::new(&limits),
            limits,
            out,
            written: 0,
            seen: VecDeque::new(),
            closed: None,
            manner: Manner::Hold,
        }
    }

    /// Takes a segment that has arrived. After the end it falls on deaf ears.
    pub fn feed(&mut self, now: Instant, mut input: &[u8]) {
        self.session.begin_input(now, now, Some(self.written), &mut self.out);
        while self.closed.is_none() {
            let frame = match self.inbound.next(&mut input) {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(reason) => {
                    self.session.bye_for(&reason, &mut self.out);
                    self.closed = Some(*reason);
                    return;
                }
            };
            let seen = match self.session.take(now, frame, &mut self.out) {
                Acted::Nothing => continue,
                Acted::End(reason) => {
                    self.closed = Some(*reason);
                    continue;
                }
                Acted::Value(pending) => Seen::Answer(pending, End::Value(frame.body.to_vec())),
                Acted::Request(request) => {
                    match asked(&mut self.session, &mut self.out, self.manner, &request) {
                        Some(asked) => Seen::Request(asked),
                        None => continue,
                    }
                }
                Acted::Event(event) => happened(*event),
            };
            if matches!(seen, Seen::Opened(_)) {
                self.inbound.open(&self.limits);
            }
            self.seen.push_back(seen);
        }
        self.session.end_input(now, self.inbound.pending(), &mut self.out);
    }

    /// Takes at most `most` bytes of output away, as a socket would.
    pub fn write(&mut self, now: Instant, most: usize) -> Vec<u8> {
        let rest = self.out.split_off(most.min(self.out.len()));
        let sent = std::mem::replace(&mut self.out, rest);
        self.written += sent.len() as u64;
        self.session.flushed(now, self.written, &mut self.out);
        sent
    }

    pub fn write_all(&mut self, now: Instant) -> Vec<u8> {
        let mut all = Vec::new();
        for round in 0.. {
            if self.out.is_empty() {
                break;
            }
            assert!(round < ROUNDS, "what is written makes it say more without an end");
            all.extend(self.write(now, usize::MAX));
        }
        all
    }

    pub fn expire(&mut self, now: Instant) {
        for round in 0.. {
            if self.closed.is_some() {
                break;
            }
            assert!(round < 1_000_000, "something is due without an end");
            match self.session.expire(now, &mut self.out) {
                Ok(None) => break,
                Ok(Some((_, Rejected { why, pending }))) => {
                    self.seen.push_back(Seen::Expired(pending, why));
                }
                Err(reason) => self.closed = Some(reason),
            }
        }
    }

    pub fn call(&mut self, now: Instant, head: Head, args: &[u8], key: u32) -> CallId {
        self.try_call(now, head, args, key).expect("the call is taken")
    }

    pub fn try_call(
        &mut self,
        now: Instant,
        head: Head,
        args: &[u8],
        key: u32,
    ) -> Result<CallId, Rejected<u32>> {
        let taken = self.session.call(now, &head, &mut args.to_vec(), key, &mut self.out);
        taken.map_err(|rejected| *rejected)
    }

    pub fn event(&mut self, now: Instant, method: u64) {
        let mut args = method.to_be_bytes().to_vec();
        self.session.event(now, &Head::new(method), &mut args, &mut self.out).expect("it is taken");
    }

    pub fn reply(&mut self, call: u64, value: &[u8]) {
        self.session.reply(call, &mut Encoded(value), &mut self.out).expect("it fits");
    }

    /// Tells it that its peer sends nothing more.
    pub fn half_close(&mut self, now: Instant) {
        let mut bytes = Vec::new();
        HalfClose.put(&mut bytes);
        self.feed(now, &bytes);
    }

    /// The next thing it was told; the hello is skipped.
    pub fn next(&mut self) -> Option<Seen> {
        match self.seen.pop_front()? {
            Seen::Opened(_) => self.next(),
            other => Some(other),
        }
    }

    /// The next thing it was told, which is a request.
    #[track_caller]
    pub fn asked(&mut self) -> Asked {
        match self.next() {
            Some(Seen::Request(asked)) => asked,
            other => panic!("expected a request, found {other:?}"),
        }
    }

    /// The next thing it was told, which is a call.
    #[track_caller]
    pub fn called(&mut self) -> u64 {
        self.asked().call.expect("a call, not an event")
    }

    /// Asserts that nothing is left over of any call, in either direction.
    #[track_caller]
    pub fn assert_settled(&self) {
        let session = &self.session;
        assert_eq!(session.pending(), 0, "pending calls");
        assert_eq!(session.waiting(), 0, "waiting requests");
        assert_eq!(session.unanswered(), 0, "unanswered calls of the peer");
        assert_eq!(session.credit_held(), 0, "credit of the peer");
        assert_eq!(session.credit_granted(), 0, "credit lent to the peer");
        assert_eq!(session.unflushed(), 0, "output");
    }
}

/// Does with a request what is to be done with all; gives it if it is to be written down.
fn asked(
    session: &mut Session<u32>,
    out: &mut Vec<u8>,
    manner: Manner,
    request: &Request<'_>,
) -> Option<Asked> {
    let Request { call, method, deadline, depth, args, .. } = *request;
    match (manner, call) {
        (Manner::Hold, _) => {
            return Some(Asked { call, method, deadline, depth, args: args.to_vec() });
        }
        (Manner::Echo, Some(call)) => {
            session.reply(call, &mut Encoded(args), out).expect("an echo fits");
        }
        (Manner::Echo, None) => session.event_started(out),
    }
    None
}

fn happened(event: Event<'_, u32>) -> Seen {
    match event {
        Event::Opened(hello) => Seen::Opened(hello),
        Event::Cancelled { call } => Seen::Cancelled(call),
        Event::HalfClosed { calls } => {
            Seen::HalfClosed(calls.into_iter().map(|(_, key)| key).collect())
        }
        Event::Failed { pending, outcome, .. } => Seen::Answer(pending, End::of(outcome)),
    }
}

/// Two sides and the time.
pub struct Pair {
    pub now: Instant,
    /// The side that dialled.
    pub a: Side,
    /// The side that accepted.
    pub b: Side,
}

impl Pair {
    /// Two sides that have exchanged hellos.
    pub fn open() -> Self {
        Self::open_with(Limits::default(), Limits::default())
    }

    pub fn open_with(a: Limits, b: Limits) -> Self {
        let mut pair = Self::new(a, b);
        pair.exchange();
        assert!(pair.a.session.peer().is_some() && pair.b.session.peer().is_some());
        pair
    }

    /// Two sides that have not heard of each other.
    pub fn new(a: Limits, b: Limits) -> Self {
        let now = Instant::from_nanos(1_000_000_000);
        Self { now, a: Side::new(Role::Dialled, a, now), b: Side::new(Role::Accepted, b, now) }
    }

    /// Moves what `a` has said to `b`, in segments of `segment` bytes.
    pub fn a_to_b(&mut self, segment: usize) {
        carry(&mut self.a, &mut self.b, self.now, segment);
    }

    pub fn b_to_a(&mut self, segment: usize) {
        carry(&mut self.b, &mut self.a, self.now, segment);
    }

    /// Lets both sides talk until they have nothing to say.
    pub fn exchange(&mut self) {
        self.exchange_by(usize::MAX);
    }

    pub fn exchange_by(&mut self, segment: usize) {
        self.talk_by(segment);
        // What would go with the next ping.
        self.a.session.flush_credits(&mut self.a.out);
        self.b.session.flush_credits(&mut self.b.out);
        self.talk_by(segment);
    }

    /// Lets both sides talk until they have nothing to say; what may wait for a ping waits.
    pub fn talk_by(&mut self, segment: usize) {
        for round in 0.. {
            if self.a.out.is_empty() && self.b.out.is_empty() {
                break;
            }
            assert!(round < ROUNDS, "the sessions answer each other without an end");
            self.a_to_b(segment);
            self.b_to_a(segment);
        }
    }

    /// Lets time pass, waking each side when it asked to be.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        let mut wakes = 0;
        while let Some(next) = self.next_deadline().filter(|next| *next <= end) {
            wakes += 1;
            assert!(wakes < 100_000, "the sessions ask to be woken for nothing");
            self.now = self.now.max(next);
            self.a.expire(self.now);
            self.b.expire(self.now);
            self.exchange();
        }
        self.now = end;
    }

    fn next_deadline(&self) -> Option<Instant> {
        let live = [&self.a, &self.b].into_iter().filter(|side| side.closed.is_none());
        live.filter_map(|side| side.session.next_deadline()).min()
    }
}

fn carry(from: &mut Side, to: &mut Side, now: Instant, segment: usize) {
    let bytes = from.write(now, usize::MAX);
    for piece in bytes.chunks(segment) {
        to.feed(now, piece);
    }
}

/// A head whose call has this long.
pub fn within(method: u64, now: Instant, wait: Duration) -> Head {
    Head { deadline: now + wait, ..Head::new(method) }
}

/// Returns what a well-behaved peer sends first.
pub fn greeting() -> Vec<u8> {
    let mut bytes = PREAMBLE.to_vec();
    Hello::new(NodeId::from_bits(7)).put(&mut bytes);
    bytes
}

/// An accepting side that has been greeted by a peer made of bytes, its own greeting written.
pub fn greeted(limits: Limits) -> (Side, Instant) {
    let now = Instant::from_nanos(1_000_000_000);
    let mut side = Side::new(Role::Accepted, limits, now);
    side.feed(now, &greeting());
    side.write_all(now);
    assert!(matches!(side.seen.pop_front(), Some(Seen::Opened(_))));
    (side, now)
}

/// The frames in `bytes`, which start behind a preamble iff `opening`: kind, call id, body.
pub fn frames(bytes: &[u8], opening: bool) -> Vec<(peers_wire::Kind, u64, Vec<u8>)> {
    let mut input = if opening { &bytes[PREAMBLE.len()..] } else { bytes };
    let mut deframer = peers_wire::Deframer::new(u32::MAX);
    let mut frames = Vec::new();
    while let Some(frame) = deframer.next(&mut input).expect("a session writes frames") {
        frames.push((frame.kind, frame.call, frame.body.to_vec()));
    }
    assert_eq!(deframer.pending(), 0, "a session writes whole frames");
    frames
}
