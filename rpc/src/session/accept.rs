//! Takes in what the peer says, one frame at a time.

use super::calls::{Answered, Phase as Stage};
use super::event::{CallId, Event, Outcome, Request};
use super::{CloseReason, Greeting, Output, Phase, Session, Violation};
use peers_kernel::Instant;
use peers_wire::{
    Bye, CallHead, Credit, Exception, Frame, Hello, Kind, Pong, Refused, RefusedCode, VERSION,
};
use std::num::NonZeroU32;

impl<K> Session<K> {
    /// Tells that input has arrived. To be called before [`settle`](Self::settle) and
    /// [`let_in`](Self::let_in).
    #[inline]
    pub fn input_begins(&mut self, now: Instant) {
        self.look(now);
        self.clock.heard(now);
    }

    /// Tells since when the input that has arrived may have been there: the deadlines of requests
    /// in it count from then. To be called after [`input_begins`](Self::input_begins), if that is
    /// not now.
    #[cold]
    pub fn input_since(&mut self, since: Instant) {
        self.clock.arrived_by(since);
    }

    /// Ends the call that a reply answers, and gives back what was kept for it: the short way for
    /// the frame that comes most often. `None` if there is anything else to it; then nothing has
    /// changed, and [`accept`](Self::accept) takes the frame.
    ///
    /// Credit that comes back this way is used by the next call of
    /// [`input_taken`](Self::input_taken).
    #[inline(always)]
    pub fn settle(&mut self, now: Instant, call: u64) -> Option<K> {
        if self.phase != Phase::Open {
            return None;
        }
        let pending = self.calls.settle(call)?;
        self.clock.frame_complete();
        self.clock.used_at(now);
        self.outgoing.answered();
        Some(pending)
    }

    /// Lets in a request that may start: the short way for calls and events. `None` as for
    /// [`settle`](Self::settle).
    #[inline(always)]
    pub fn let_in<'f>(&mut self, now: Instant, frame: &Frame<'f>) -> Option<Request<'f>> {
        if self.phase != Phase::Open || !self.incoming.has_room() {
            return None;
        }
        let (head, args) = CallHead::split(frame).ok()?;
        let deadline = self.deadline(&head);
        if deadline.is_some_and(|deadline| deadline <= now) || head.depth > self.limits.call_depth {
            return None;
        }
        let call = (frame.kind == Kind::Call).then_some(frame.call);
        self.incoming.admit(call.is_some());
        self.clock.frame_complete();
        self.clock.used_at(now);
        let CallHead { method, depth, trace, .. } = head;
        Some(Request { call, method, deadline, depth, trace, args })
    }

    /// Acts on a frame. `None` if it concerned the session only.
    ///
    /// # Errors
    /// Why the connection must end. The peer was told in `out`, where that helps.
    #[inline]
    pub fn accept<'f>(
        &mut self,
        now: Instant,
        frame: Frame<'f>,
        out: &mut impl Output,
    ) -> Result<Option<Event<'f, K>>, CloseReason> {
        self.input_begins(now);
        match self.act(now, frame, out) {
            Ok(event) => Ok(event),
            Err(reason) => Err(self.fail(reason, out)),
        }
    }

    #[inline]
    fn act<'f>(
        &mut self,
        now: Instant,
        frame: Frame<'f>,
        out: &mut impl Output,
    ) -> Result<Option<Event<'f, K>>, CloseReason> {
        if self.phase != Phase::Open {
            return self.act_unless_open(now, frame, out);
        }
        if matches!(frame.kind, Kind::Call | Kind::Event) {
            return self.requested(now, &frame, out);
        }
        self.clock.frame_complete();
        match frame.kind {
            Kind::Reply => self.answered(now, frame.call, Outcome::Value(frame.body), out),
            Kind::Exception => {
                // In a box: it is rare, and all events would be as large.
                let exception = Box::new(Exception::decode(frame.body)?);
                self.answered(now, frame.call, Outcome::Exception(exception), out)
            }
            Kind::Refused => {
                let Refused { code, text } = Refused::decode(frame.body)?;
                self.answered(now, frame.call, Outcome::Refused(code, text), out)
            }
            Kind::Credit => {
                if !self.outgoing.returned(Credit::decode(frame.body)?.amount) {
                    self.budget.charge(now, &self.limits)?;
                }
                self.pump(now, out);
                Ok(None)
            }
            _ => self.controlled(now, frame, out),
        }
    }

    /// Frames that cost the peer nothing.
    fn controlled<'f>(
        &mut self,
        now: Instant,
        frame: Frame<'f>,
        out: &mut impl Output,
    ) -> Result<Option<Event<'f, K>>, CloseReason> {
        match frame.kind {
            Kind::Cancel => {
                if !self.incoming.take_free_cancel() {
                    self.budget.charge(now, &self.limits)?;
                }
                return Ok(Some(Event::Cancelled { call: frame.call }));
            }
            Kind::Ping => {
                self.budget.charge(now, &self.limits)?;
                self.put_pong(frame.call, out);
                // The peer was silent for long, as far as it knows.
                self.release();
            }
            Kind::Pong if self.clock.pong(frame.call) => {
                if let Some(way) = self.rare.as_mut().and_then(|rare| rare.way.as_mut()) {
                    way.answered(now);
                }
            }
            Kind::Bye => {
                let Bye { code, text } = Bye::decode(frame.body)?;
                return Err(CloseReason::PeerBye { code, text: text.to_owned() });
            }
            Kind::HalfClose => {
                let calls = self.half_closed(now);
                return Ok(Some(Event::HalfClosed { calls }));
            }
            Kind::Hello => return Err(Violation::SecondHello.into()),
            _ => self.budget.charge(now, &self.limits)?,
        }
        Ok(None)
    }

    /// Answers a ping, unless an earlier answer has not left yet: that one will do.
    fn put_pong(&mut self, number: u64, out: &mut impl Output) {
        if self.pong_at > 0 && self.pong_at >= self.meter.written {
            return;
        }
        self.pong_at = self.meter.queued;
        self.meter.put(out, |bytes| Pong { number }.put(bytes));
    }

    #[cold]
    fn act_unless_open<'f>(
        &mut self,
        now: Instant,
        frame: Frame<'f>,
        out: &mut impl Output,
    ) -> Result<Option<Event<'f, K>>, CloseReason> {
        match (self.phase, frame.kind) {
            (Phase::Opening, Kind::Hello) => {
                let hello = Hello::decode(frame.body)?;
                if hello.version != VERSION {
                    let found = hello.version;
                    return Err(peers_wire::Error::UnsupportedVersion { found }.into());
                }
                if hello.node == self.greeting.node {
                    return Err(CloseReason::Myself);
                }
                self.open(now, hello, out);
                Ok(Some(Event::Opened(hello)))
            }
            (Phase::Opening | Phase::HalfClosed, Kind::Bye) => self.controlled(now, frame, out),
            (Phase::Opening, kind) => Err(Violation::NoHello(kind).into()),
            (Phase::HalfClosed, _) => Err(Violation::AfterHalfClose.into()),
            _ => Ok(None),
        }
    }

    /// The peer sends nothing more: it will not answer, and ends when it has its own answers.
    fn half_closed(&mut self, now: Instant) -> Vec<(CallId, K)> {
        let unsent = u32::try_from(self.waiting_events()).unwrap_or(u32::MAX);
        self.count_unsent_events(unsent);
        if let Some(rare) = &mut self.rare {
            rare.queue = None;
        }
        self.phase = Phase::HalfClosed;
        self.clock.set_until(now + self.limits.linger);
        self.calls.drain()
    }

    fn open(&mut self, now: Instant, hello: Hello, out: &mut impl Output) {
        self.phase = Phase::Open;
        self.clock.settled_down();
        let Hello { node, max_frame, grant, .. } = hello;
        self.greeting = Greeting { node, max_frame: NonZeroU32::new(max_frame), grant };
        self.outgoing.open(hello.grant);
        let limit = self.frame_limit();
        if let Some(room) = self.rare.as_ref().and_then(|rare| rare.room.as_ref()) {
            room.meet(limit);
        }
        if let Some(queue) = self.rare.as_mut().and_then(|rare| rare.queue_mut()) {
            let (ids, events) = queue.remove_oversized(limit as usize, &self.calls);
            for id in ids {
                self.calls.set_phase(id, Stage::Stranded);
            }
            self.count_unsent_events(events);
        }
        self.measure_again(now, out);
        self.pump(now, out);
    }

    /// Returns when the caller of a request that is complete now stops waiting: counted from when
    /// it began to arrive.
    #[inline]
    fn deadline(&self, head: &CallHead) -> Option<Instant> {
        let nanos = u64::from(head.remaining_ms) * 1_000_000;
        let until = |began: Instant| Instant::from_nanos(began.as_nanos().saturating_add(nanos));
        (nanos > 0).then(|| until(self.clock.frame_began()))
    }

    #[cold]
    fn requested<'f>(
        &mut self,
        now: Instant,
        frame: &Frame<'f>,
        out: &mut impl Output,
    ) -> Result<Option<Event<'f, K>>, CloseReason> {
        if let Some(request) = self.let_in(now, frame) {
            return Ok(Some(Event::Request(request)));
        }
        let (head, _) = CallHead::split(frame)?;
        if !self.incoming.has_room() {
            return Err(self.incoming.over_grant().into());
        }
        let expired = self.deadline(&head).is_some_and(|deadline| deadline <= now);
        let call = (frame.kind == Kind::Call).then_some(frame.call);
        self.incoming.admit(call.is_some());
        self.clock.frame_complete();
        self.clock.used_at(now);
        let code = if expired { RefusedCode::Expired } else { RefusedCode::TooDeep };
        self.turn_away(call, code, out);
        Ok(None)
    }

    #[cold]
    fn turn_away(&mut self, call: Option<u64>, code: RefusedCode, out: &mut impl Output) {
        self.count(|counters| &mut counters.unstarted, 1);
        match call {
            Some(call) => self.refuse(call, out, code, ""),
            None => {
                self.count(|counters| &mut counters.unstarted_events, 1);
                self.event_started(out);
            }
        }
    }

    #[inline]
    fn answered<'f>(
        &mut self,
        now: Instant,
        call: u64,
        outcome: Outcome<'f>,
        out: &mut impl Output,
    ) -> Result<Option<Event<'f, K>>, CloseReason> {
        let event = match self.calls.answer(call) {
            Answered::Live(id, pending) => Some(Event::Answer { id, pending, outcome }),
            Answered::Late => {
                self.count(|counters| &mut counters.late_replies, 1);
                None
            }
            Answered::Duplicate => {
                self.count(|counters| &mut counters.duplicate_replies, 1);
                return Ok(None);
            }
            Answered::Forged => return Err(Violation::ForgedReply { call }.into()),
        };
        self.outgoing.answered();
        self.clock.used_at(now);
        self.pump(now, out);
        Ok(event)
    }

    /// Tells that a batch of input was taken, and how many bytes of an unfinished frame are held.
    /// Credit goes back and is used.
    #[inline]
    pub fn input_taken(&mut self, now: Instant, pending: usize, out: &mut impl Output) {
        self.note_partial(now, pending);
        self.pump(now, out);
        self.return_credits(out);
    }

    /// Tells how many bytes of an unfinished frame are held: a frame that has begun must be
    /// complete within [`Limits::frame_timeout`](crate::limits::Limits::frame_timeout).
    #[inline]
    pub fn note_partial(&mut self, now: Instant, pending: usize) {
        self.look(now);
        self.clock.settle(now);
        if self.phase == Phase::Open {
            self.clock.heard(now);
            self.clock.note_partial(now, pending);
        }
    }

    /// Tells that input is left unread for now, because this process has enough to do: the silence
    /// of the peer, and the time that an unfinished frame takes, count from here.
    pub fn input_left_unread(&mut self, now: Instant) {
        if self.phase == Phase::Open {
            self.clock.heard(now);
            self.clock.unread(now);
        }
    }
}
