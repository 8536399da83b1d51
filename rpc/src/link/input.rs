//! The way into a link: bytes become frames, frames events, events go to whom they concern.

use super::{Link, Live, PendingCall};
use crate::interface::error::{Overload, Raised, Refusal};
use crate::session::{CallId, CloseReason, Event, Inbound, Outcome, too_large_answer};
use crate::{Error, ErrorKind};
use peers_kernel::{Input, Instant, Listen, Outlet};
use peers_wire::{Frame, Kind, RefusedCode};
use std::panic::Location;
use std::rc::Rc;

/// Says how long input may have waited before it counts. Deadlines travel in milliseconds.
const NOTICED_NANOS: u64 = 1_000_000;

impl Link {
    /// Takes what the stream delivers.
    pub(crate) fn input(self: &Rc<Self>, input: Input<'_>) {
        match input {
            Input::Bytes(bytes) => self.received(bytes, |_, _| {}),
            Input::End => self.input_ended(),
            Input::Failed(error) => self.conclude(CloseReason::Io(error.kind(), error.to_string())),
        }
        self.go_on_leaving();
    }

    /// Takes bytes, behind what `first` does with what was lent.
    pub(crate) fn received(
        self: &Rc<Self>,
        bytes: &[u8],
        first: impl FnOnce(&mut Inbound, &mut Vec<u8>),
    ) {
        self.batch(|| {
            self.note_flushed();
            let mut spare = self.context().buffers.lend_for_pieces();
            let mut inbound = self.take_inbound();
            first(&mut inbound, &mut spare);
            self.read_frames(inbound, bytes, &mut spare);
            self.context().buffers.take_pieces_back(spare);
        });
    }

    fn read_frames(
        self: &Rc<Self>,
        mut inbound: Box<Inbound>,
        mut bytes: &[u8],
        spare: &mut Vec<u8>,
    ) {
        let now = self.input_begins();
        loop {
            let frame = match inbound.quick(&mut bytes) {
                Some(frame) => frame,
                None => match inbound.next_with(&mut bytes, spare) {
                    Ok(Some(frame)) => frame,
                    Ok(None) => break,
                    Err(reason) => return self.misbehaved(reason),
                },
            };
            if self.took(now, &frame) {
                continue;
            }
            match self.drive(|session, out| session.accept(now, frame, out)) {
                None => return,
                Some(Err(reason)) => return self.conclude(reason),
                Some(Ok(None)) => {}
                Some(Ok(Some(Event::Opened(_)))) => inbound.open(&self.context().limits),
                Some(Ok(Some(event))) => self.handle_event(event),
            }
        }
        let partial = inbound.pending();
        if partial > 0 {
            self.lend(&mut inbound, spare);
        }
        self.keep_inbound(inbound);
        self.note_partial(partial);
        self.drive(|session, out| session.input_taken(now, partial, out));
    }

    /// Tells the session that there is input, and since when.
    #[inline(always)]
    pub(crate) fn input_begins(&self) -> Instant {
        let now = self.handle().now();
        self.drive(|session, _| session.input_begins(now));
        let since = self.handle().arrived();
        if now.as_nanos() > since.as_nanos() + NOTICED_NANOS {
            self.drive(|session, _| session.input_since(since));
        }
        now
    }

    /// Lets the rest of a large frame be read straight behind its beginning.
    fn lend(&self, inbound: &mut Inbound, spare: &mut Vec<u8>) {
        if let Some(outlet) = self.open_outlet()
            && !self.lend_run(outlet, inbound, spare)
            && let Some(block) = inbound.lend()
        {
            let me = self.weak();
            outlet.read_into(block, move |block| {
                if let Some(link) = me.upgrade() {
                    link.received(&[], |inbound, _| inbound.give_back(block));
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

    /// Takes one of the frames that come most often, if nothing about it is out of the ordinary.
    #[inline]
    fn took(self: &Rc<Self>, now: Instant, frame: &Frame<'_>) -> bool {
        let mut live = self.live.borrow_mut();
        let Some(Live { session, .. }) = live.as_mut() else { return false };
        match frame.kind {
            Kind::Reply => {
                let Some(call) = session.settle(now, frame.call) else { return false };
                drop(live);
                call.done.bytes(frame.body, call.method.name);
                true
            }
            Kind::Call | Kind::Event => {
                let Some(request) = session.let_in(now, frame) else { return false };
                drop(live);
                self.requested(&request);
                true
            }
            _ => false,
        }
    }

    fn handle_event(self: &Rc<Self>, event: Event<'_, PendingCall>) {
        match event {
            Event::Opened(_) => {}
            Event::Request(request) => self.requested(&request),
            Event::Answer { pending, outcome, .. } => self.answered(pending, outcome),
            Event::Cancelled { call } => self.cancelled(call),
            Event::HalfClosed { calls } => self.half_closed(calls),
        }
    }

    fn answered(&self, call: PendingCall, outcome: Outcome<'_>) {
        let error = match outcome {
            Outcome::Value(bytes) => return call.done.bytes(bytes, call.method.name),
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

    /// Bytes that no session could have sent: the session says goodbye where that helps.
    fn misbehaved(self: &Rc<Self>, reason: CloseReason) {
        self.drive(|session, out| session.bye_for(&reason, out));
        self.end(reason);
    }

    /// The peer sends nothing more; what is owed to it is still sent.
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

    /// Nothing more comes from the stream.
    fn input_ended(self: &Rc<Self>) {
        if let Some(Err(reason)) = self.drive(|session, _| session.end_of_input()) {
            self.conclude(reason);
        }
    }
}

impl Listen for Link {
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
