//! The way into a link: bytes become frames, frames events, events go to whom they concern.

use super::output::Out;
use super::{Link, Live, PendingCall};
use crate::interface::error::{Overload, Raised, Refusal};
use crate::session::{
    Acted, CallId, CloseReason, Event, Inbound, Needs, Outcome, too_large_answer,
};
use crate::{Error, ErrorKind};
use peers_kernel::{Input, Instant, Listen, Outlet, PublicKey};
use peers_wire::{Body, Frame, RefusedCode};
use std::panic::Location;
use std::rc::Rc;

/// Says how long input may have waited before it counts. Deadlines travel in milliseconds.
const NOTICED_NANOS: u64 = 1_000_000;

/// Says whether the rest of a batch of input is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    GoesOn,
    /// The link has ended, or is about to.
    Ends,
}

/// Says how a frame was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    Done,
    /// It was the peer's hello: larger frames may come.
    Opened,
    /// With it the link has ended, or is about to.
    Ended,
}

impl Link {
    /// Takes what the stream delivers.
    pub(crate) fn input(self: &Rc<Self>, input: Input<'_>) {
        match input {
            Input::Bytes(bytes) => self.received(bytes, |_, _, _| Flow::GoesOn),
            Input::End => self.input_ended(),
            Input::Failed(error) => self.conclude(self.failure(&error)),
        }
        self.go_on_leaving();
    }

    /// Takes a batch of input: what `first` does with what was read elsewhere, and then bytes.
    pub(crate) fn received(
        self: &Rc<Self>,
        bytes: &[u8],
        first: impl FnOnce(&mut Inbound, &mut Vec<u8>, Instant) -> Flow,
    ) {
        self.batch(|| {
            let now = self.begin_input();
            let mut pooled = self.context().buffers.lend_for_pieces();
            let mut inbound = self.take_inbound();
            let flow = match first(&mut inbound, &mut pooled, now) {
                Flow::GoesOn => self.take_frames(&mut inbound, bytes, &mut pooled, now),
                Flow::Ends => Flow::Ends,
            };
            let needs = match flow {
                Flow::GoesOn => self.end_input(inbound, &mut pooled, now),
                Flow::Ends => None,
            };
            self.context().buffers.take_pieces_back(pooled);
            needs
        });
    }

    /// Tells the session that there is input, and since when; gives the time.
    pub(crate) fn begin_input(&self) -> Instant {
        let (now, since) = (self.handle().now(), self.handle().arrived());
        let waited = now.as_nanos() > since.as_nanos() + NOTICED_NANOS;
        let since = if waited { since } else { now };
        let written = self.written();
        self.step(|session, out| session.begin_input(now, since, written, out));
        self.go_on_leaving();
        now
    }

    /// Tells the session that no more input is there for now; gives what it needs then.
    fn end_input(
        &self,
        mut inbound: Box<Inbound>,
        pooled: &mut Vec<u8>,
        now: Instant,
    ) -> Option<Needs> {
        let partial = inbound.pending();
        if partial > 0 {
            self.lend(&mut inbound, pooled);
        }
        self.keep_inbound(inbound);
        self.note_partial(partial);
        self.step(|session, out| session.end_input(now, partial, out))
    }

    fn take_frames(
        self: &Rc<Self>,
        inbound: &mut Inbound,
        mut bytes: &[u8],
        pooled: &mut Vec<u8>,
        now: Instant,
    ) -> Flow {
        loop {
            let frame = match inbound.next_with(&mut bytes, pooled) {
                Ok(Some(frame)) => frame,
                Ok(None) => return Flow::GoesOn,
                Err(reason) => return self.misbehaved(*reason),
            };
            match self.take_frame(now, frame, None) {
                Taken::Done => {}
                Taken::Opened => inbound.open(&self.context().limits),
                Taken::Ended => return Flow::Ends,
            }
        }
    }

    /// Takes a frame. Iff there is a run, that is where its value lies.
    #[inline(always)]
    fn take_frame(
        self: &Rc<Self>,
        now: Instant,
        frame: Frame<'_>,
        run: Option<&mut Vec<u8>>,
    ) -> Taken {
        let mut live = self.live.borrow_mut();
        let Some(Live { session, said, .. }) = live.as_mut() else { return Taken::Ended };
        let acted = session.take(now, frame, &mut Out { link: self, said });
        match acted {
            // The borrow ends before anything of the program runs, or is dropped.
            Acted::Value(call) => {
                drop(live);
                match run {
                    None => call.done.bytes(frame.body, call.method.name),
                    Some(run) => call.done.owned_bytes(run, call.method.name),
                }
                Taken::Done
            }
            Acted::Request(ref request) => {
                let body = run.map_or(Body::Slice(request.args), Body::Owned);
                self.requested(live, request, body);
                Taken::Done
            }
            Acted::Nothing => {
                self.heed(said);
                Taken::Done
            }
            Acted::Event(event) => {
                self.heed(said);
                drop(live);
                self.happened(*event)
            }
            Acted::End(reason) => {
                self.heed(said);
                drop(live);
                self.conclude(*reason);
                Taken::Ended
            }
        }
    }

    /// Takes a frame whose value is a run of bytes that lies in memory of its own.
    #[inline(never)]
    pub(crate) fn take_run(
        self: &Rc<Self>,
        now: Instant,
        frame: Frame<'_>,
        run: &mut Vec<u8>,
    ) -> Flow {
        let taken = self.take_frame(now, frame, Some(run));
        debug_assert!(!matches!(taken, Taken::Opened), "no hello has a run");
        if matches!(taken, Taken::Ended) { Flow::Ends } else { Flow::GoesOn }
    }

    /// Lets the rest of a large frame be read straight behind its beginning.
    fn lend(&self, inbound: &mut Inbound, pooled: &mut Vec<u8>) {
        if let Some(outlet) = self.open_outlet()
            && !self.lend_run(outlet, inbound, pooled)
            && let Some(block) = inbound.lend()
        {
            let me = self.weak();
            outlet.read_into(block, move |block| {
                if let Some(link) = me.upgrade() {
                    link.received(&[], |inbound, _, _| {
                        inbound.give_back(block);
                        Flow::GoesOn
                    });
                }
            });
        }
    }

    /// Returns what cuts the input into frames: this link's own, or between frames one that links
    /// use in turn.
    fn take_inbound(&self) -> Box<Inbound> {
        let own = self.inbound.take();
        let inbound = own.or_else(|| self.context().buffers.lend_inbound());
        inbound.unwrap_or_else(|| Box::new(Inbound::greeted(&self.context().limits)))
    }

    fn keep_inbound(&self, inbound: Box<Inbound>) {
        if inbound.is_between_frames() {
            self.context().buffers.take_inbound_back(inbound);
        } else if self.is_open() {
            self.inbound.set(Some(inbound));
        }
    }

    #[cold]
    #[inline(never)]
    fn happened(self: &Rc<Self>, event: Event<'_, PendingCall>) -> Taken {
        match event {
            Event::Opened(_) => return Taken::Opened,
            Event::Failed { pending, outcome, .. } => self.failed(pending, outcome),
            Event::Cancelled { call } => self.cancelled(call),
            Event::HalfClosed { calls } => self.half_closed(calls),
        }
        Taken::Done
    }

    fn failed(&self, call: PendingCall, outcome: Outcome<'_>) {
        let error = match outcome {
            Outcome::Exception(exception) => {
                let error = Error::new(ErrorKind::Raised(Raised {
                    class: exception.class.to_owned(),
                    text: exception.text.to_owned(),
                    file: exception.file.to_owned(),
                    line: exception.line,
                    data: exception.data.to_vec(),
                }));
                error.through(&exception.origin.into())
            }
            Outcome::Refused(RefusedCode::Expired, _) => {
                self.error(call.timed_out(self.handle().now()))
            }
            Outcome::Refused(code, text) => self.error(refused(&call, code, text)),
        };
        call.done.err(error);
    }

    /// Ends a connection by which came what no session could have sent: the session says goodbye
    /// where that helps.
    #[cold]
    #[inline(never)]
    fn misbehaved(self: &Rc<Self>, reason: CloseReason) -> Flow {
        self.drive(|session, out| session.bye_for(&reason, out));
        self.end(reason);
        Flow::Ends
    }

    /// Notes that the peer sends nothing more; what is owed to it is still sent.
    fn half_closed(&self, calls: Vec<(CallId, PendingCall)>) {
        if let Some(room) = self.room() {
            room.finish(); // other threads are told at once, too
        }
        if calls.is_empty() {
            return;
        }
        let error = self.error(ErrorKind::Disconnected(CloseReason::Finished));
        for (_, call) in calls {
            call.done.err(error.clone());
        }
    }

    /// Goes on when nothing more comes from the stream.
    fn input_ended(self: &Rc<Self>) {
        if let Some(Err(reason)) = self.drive(|session, _| session.end_of_input()) {
            self.conclude(reason);
        }
    }
}

impl Listen for Link {
    fn proven(self: Rc<Self>, _: &Outlet, peer: PublicKey) -> bool {
        self.peer_proven(peer)
    }

    fn hear(self: Rc<Self>, _: &Outlet, input: Input<'_>) -> bool {
        self.input(input);
        true
    }

    fn born(&self) -> &'static Location<'static> {
        Location::caller()
    }
}

/// Returns what a refusal means to the caller.
fn refused(call: &PendingCall, code: RefusedCode, text: &str) -> ErrorKind {
    match code {
        RefusedCode::UnknownMethod => ErrorKind::Refused(Refusal::UnknownMethod(call.method.name)),
        RefusedCode::BadArguments => ErrorKind::Refused(Refusal::BadArguments(text.to_owned())),
        RefusedCode::Overloaded => ErrorKind::Overloaded(Overload::Remote),
        RefusedCode::Closing => ErrorKind::Refused(Refusal::Closing),
        RefusedCode::TooDeep => ErrorKind::Refused(Refusal::TooDeep),
        RefusedCode::Internal => ErrorKind::Panicked,
        RefusedCode::NoReply => ErrorKind::NoReply,
        RefusedCode::Failed => match too_large_answer(text) {
            Some((size, limit)) => ErrorKind::TooLarge { size, limit },
            None => ErrorKind::Failed(text.to_owned()),
        },
        RefusedCode::Cancelled => ErrorKind::Cancelled,
        _ => ErrorKind::Refused(Refusal::Other(text.to_owned())),
    }
}
