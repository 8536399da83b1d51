//! What the protocol itself costs for each call, without sockets, loop or handlers: two sessions in one thread, and each
//! side alone. Run with `cargo bench -p peers-rpc --bench session`.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark reads the clock and prints"
)]

use peers_kernel::Instant;
use peers_rpc::limits::Limits;
use peers_rpc::session::{CallId, Event, Head, Inbound, Outcome, Role, Session};
use peers_wire::{
    Buffer, CallHead, Encoded, Hello, NodeId, PREAMBLE, put_call, put_event, put_reply,
};
use std::hint::black_box;
use std::rc::Rc;
use std::time::Duration;

/// Rounds of each measurement; the best one counts, because whatever else the machine does only adds.
const ROUNDS: usize = 9;

/// Calls in each round.
const CALLS: usize = 100_000;

const ARGS: &[u8] = b"\0\0\0\x0c0123456789ab";
const VALUE: &[u8] = b"\0\0\0\x0cabcdefghijkl";

struct End {
    session: Session<Box<u64>>,
    inbound: Inbound,
    limits: Rc<Limits>,
    out: Vec<u8>,
    given: u64,
    answered: usize,
}

impl End {
    fn new(role: Role) -> Self {
        let limits = Rc::new(Limits::default());
        let mut out = Vec::new();
        let node = NodeId::from_bits(1);
        let session = Session::new(role, node, limits.clone(), Instant::default(), &mut out);
        Self { session, inbound: Inbound::new(&limits), limits, out, given: 0, answered: 0 }
    }

    /// One that has been greeted.
    fn greeted(role: Role) -> Self {
        let mut end = Self::new(role);
        let mut greeting = PREAMBLE.to_vec();
        Hello::new(NodeId::from_bits(2)).put(&mut greeting);
        end.read(Instant::default(), &greeting);
        end.sent(Instant::default());
        end
    }

    /// Takes a batch of input; answers calls at once.
    fn read(&mut self, now: Instant, mut input: &[u8]) {
        while let Some(frame) = self.inbound.next(&mut input).unwrap() {
            match self.session.accept(now, frame, &mut self.out).unwrap() {
                Some(Event::Opened(_)) => self.inbound.open(&self.limits),
                Some(Event::Request(request)) => match request.call {
                    Some(call) => {
                        black_box(request.args);
                        self.session.reply(call, &mut self.out, |w| w.put(VALUE)).unwrap();
                    }
                    None => self.session.event_started(&mut self.out),
                },
                Some(Event::Answer { pending, outcome: Outcome::Value(value), .. }) => {
                    black_box((pending, value));
                    self.answered += 1;
                }
                _ => {}
            }
        }
        self.session.note_partial(now, self.inbound.pending());
        self.session.flush_credits(&mut self.out);
        black_box(self.session.next_deadline());
    }

    fn call(&mut self, now: Instant, head: Head) -> CallId {
        let args = Buffer::from_slice(black_box(ARGS));
        self.session.call(now, head, args, Box::new(7), &mut self.out).unwrap()
    }

    /// The output has left.
    fn sent(&mut self, now: Instant) {
        self.given += self.out.len() as u64;
        self.out.clear();
        self.session.flushed(now, self.given, &mut self.out);
    }
}

/// Times [`ROUNDS`] rounds of [`CALLS`] operations.
fn report(name: &str, mut round: impl FnMut()) {
    let timed = |_| {
        let start = std::time::Instant::now();
        round();
        start.elapsed()
    };
    let best = (0..ROUNDS).map(timed).min().unwrap_or_default();
    println!("{name:<58} {:>8.1} ns", best.as_nanos() as f64 / CALLS as f64);
}

/// Full calls between two ends, so many of them in each segment.
fn round_trips(name: &str, depth: usize, pending: usize) {
    let (mut a, mut b) = (End::greeted(Role::Dialled), End::greeted(Role::Accepted));
    let mut now = Instant::default();
    let head =
        |now: Instant| Head { deadline: Some(now + Duration::from_secs(30)), ..Head::new(7) };
    for _ in 0..pending {
        a.call(now, head(now));
    }
    a.sent(now); // never read by the other end
    report(name, || {
        for _ in 0..CALLS / depth {
            now = now + Duration::from_micros(1);
            for _ in 0..depth {
                a.call(now, head(now));
            }
            b.read(now, &a.out);
            a.sent(now);
            a.read(now, &b.out);
            b.sent(now);
        }
    });
    assert_eq!(a.answered, ROUNDS * (CALLS / depth) * depth);
}

fn calling_side() {
    let mut end = End::greeted(Role::Dialled);
    let now = Instant::default();
    let mut answers = Vec::new();
    report("calling side: call, and its answer taken (64 at a time)", || {
        for _ in 0..CALLS / 64 {
            answers.clear();
            for _ in 0..64 {
                let deadline = Some(now + Duration::from_secs(30));
                let id = end.call(now, Head { deadline, ..Head::new(7) });
                put_reply(&mut answers, u32::MAX, id.number(), &Encoded(VALUE)).unwrap();
            }
            end.sent(now);
            end.read(now, &answers);
        }
    });
}

fn serving_side() {
    let head = CallHead { remaining_ms: 30_000, ..CallHead::new(7) };
    let (mut calls, mut events) = (Vec::new(), Vec::new());
    for n in 0..64 {
        put_call(&mut calls, u32::MAX, n, &head, &Encoded(ARGS)).unwrap();
        put_event(&mut events, u32::MAX, &head, &Encoded(ARGS)).unwrap();
    }
    for (what, batch) in [("call, and its answer given", calls), ("event", events)] {
        let mut end = End::greeted(Role::Accepted);
        let now = Instant::default();
        report(&format!("serving side: {what} (64 at a time)"), || {
            for _ in 0..CALLS / 64 {
                end.read(now, black_box(&batch));
                end.sent(now);
            }
        });
    }
}

fn main() {
    round_trips("both sides: one call at a time", 1, 0);
    round_trips("both sides: 64 at a time", 64, 0);
    round_trips("both sides: 1,000 at a time", 1_000, 0);
    round_trips("both sides: 64 at a time, 4,000 others pending", 64, 4_000);
    calling_side();
    serving_side();
    println!("{:<58} {:>8} bytes", "a session", size_of::<Session<Box<dyn Fn()>>>());
    println!("{:<58} {:>8} bytes", "its input", size_of::<Inbound>());
}
