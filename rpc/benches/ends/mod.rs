//! One side of a connection without sockets, loop or handlers: a session, its input, and the bytes
//! it wants to send.

use peers_rpc::kernel::Instant;
use peers_rpc::limits::Limits;
use peers_rpc::session::{Acted, CallId, Event, Head, Inbound, Request, Role, Session};
use peers_rpc::wire::{Hello, NodeId, PREAMBLE};
use std::hint::black_box;
use std::rc::Rc;
use std::time::Duration;

/// The arguments of each call: a string.
pub(crate) const ARGS: &[u8] = b"\0\0\0\x0c0123456789ab";

/// The answer to each call.
pub(crate) const VALUE: &str = "abcdefghijkl";

/// One side.
pub(crate) struct End {
    session: Session<Box<u64>>,
    inbound: Inbound,
    limits: Rc<Limits>,
    args: Vec<u8>,
    /// Holds what is to be sent.
    pub(crate) out: Vec<u8>,
    given: u64,
    /// Calls that were answered.
    pub(crate) answered: u64,
}

impl End {
    fn new(role: Role) -> Self {
        let limits = Rc::new(Limits::default());
        let mut out = Vec::new();
        let node = NodeId::from_bits(1);
        let session = Session::new(role, node, limits.clone(), Instant::default(), &mut out);
        let (inbound, args) = (Inbound::new(&limits), Vec::new());
        Self { session, inbound, limits, args, out, given: 0, answered: 0 }
    }

    /// One that has been greeted.
    pub(crate) fn greeted(role: Role) -> Self {
        let mut end = Self::new(role);
        let mut greeting = PREAMBLE.to_vec();
        Hello::new(NodeId::from_bits(2)).put(&mut greeting);
        end.read(Instant::default(), &greeting);
        end.sent(Instant::default());
        end
    }

    /// Takes a batch of input; answers calls at once.
    pub(crate) fn read(&mut self, now: Instant, mut input: &[u8]) {
        self.session.begin_input(now, now, Some(self.given), &mut self.out);
        while let Some(frame) = self.inbound.next(&mut input).expect("frames are well") {
            match self.session.take(now, frame, &mut self.out) {
                Acted::Value(pending) => {
                    black_box((pending, frame.body));
                    self.answered += 1;
                }
                Acted::Request(Request { call: Some(call), args, .. }) => {
                    black_box(args);
                    let mut value = VALUE;
                    let reply = self.session.reply(call, &mut value, &mut self.out);
                    reply.expect("an answer fits");
                }
                Acted::Request(_) => self.session.event_started(&mut self.out),
                Acted::Event(event) if matches!(*event, Event::Opened(_)) => {
                    self.inbound.open(&self.limits);
                }
                Acted::Nothing | Acted::Event(_) => {}
                Acted::End(reason) => panic!("the other side breaks the protocol: {reason}"),
            }
        }
        let needs = self.session.end_input(now, self.inbound.pending(), &mut self.out);
        black_box(needs);
    }

    /// Makes a call that has 30 s.
    pub(crate) fn call(&mut self, now: Instant) -> CallId {
        self.args.clear();
        self.args.extend_from_slice(black_box(ARGS));
        let head = Head { deadline: now + Duration::from_secs(30), ..Head::new(7) };
        let call = self.session.call(now, &head, &mut self.args, Box::new(7), &mut self.out);
        call.expect("there is room for a call")
    }

    /// The output has left.
    pub(crate) fn sent(&mut self, now: Instant) {
        self.given += self.out.len() as u64;
        self.out.clear();
        self.session.flushed(now, self.given, &mut self.out);
    }
}

/// Makes so many calls from `a` to `b`, all in one segment, and takes their answers.
pub(crate) fn round_trip(a: &mut End, b: &mut End, now: Instant, calls: u64) {
    for _ in 0..calls {
        a.call(now);
    }
    b.read(now, &a.out);
    a.sent(now);
    a.read(now, &b.out);
    b.sent(now);
}
