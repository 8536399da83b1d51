//! Takes in what the peer says, one frame at a time.
//!
//! ```text
//!   begin_input -> take, take, ... -> end_input
//!                    Value     a call of ours has ended      Event   whatever comes seldom
//!                    Request   of the peer, to be started    End     the connection ends
//!                    Nothing   it concerned the session
//! ```
//!
//! Each frame goes through [`Session::take`], whose first branches are what comes most often.
//!
//! Invariants:
//! 1. A request of the peer holds our credit before anybody sees it. Kept by `admit_request`,
//!    `more_than_the_grant_ends_the_connection`.
//! 2. Nothing is acted on after the connection's end was decided. Kept by
//!    `after_the_end_nothing_is_sent_and_every_call_comes_back_in_order`.

use super::calls::{Answered, CallState};
use super::clock::NEVER;
use super::event::{Acted, CallId, Event, Outcome, Request};
use super::{CloseReason, Greeting, Meets, Needs, Output, Phase, Session, Violation};
use peers_kernel::Instant;
use peers_wire::{
    Bye, CallHead, Credit, Exception, Frame, Hello, Kind, Pong, Refused, RefusedCode, VERSION,
};
use std::num::NonZeroU32;

impl<K> Session<K> {
    /// Tells that input has arrived, and how much the socket has taken meanwhile, if that is known:
    /// see [`flushed`](Self::flushed). To be called before [`take`](Self::take).
    ///
    /// The input may have been there since `since`: the deadlines of requests in it count from
    /// then.
    #[inline]
    pub fn begin_input(
        &mut self,
        now: Instant,
        since: Instant,
        written: Option<u64>,
        out: &mut impl Output,
    ) {
        if let Some(written) = written {
            self.flushed(now, written, out);
        }
        self.look(now);
        self.clock.heard(now);
        if since < now {
            self.clock.arrived_by(since);
        }
    }

    /// Acts on a frame; what is to be done about it by others is what it gives. To be called
    /// between [`begin_input`](Self::begin_input) and [`end_input`](Self::end_input), with the same
    /// time.
    ///
    /// Credit that comes back with a value is used by [`end_input`](Self::end_input).
    #[inline(always)]
    pub fn take<'f>(
        &mut self,
        now: Instant,
        frame: Frame<'f>,
        out: &mut impl Output,
    ) -> Acted<'f, K> {
        if self.phase == Phase::Open {
            match frame.kind {
                Kind::Reply => {
                    // The likely reply: somebody waits for it, and its slot is in its id.
                    if let Some(pending) = self.calls.end_sent(frame.call) {
                        self.clock.frame_complete();
                        self.clock.used_at(now);
                        self.outgoing.answered();
                        return Acted::Value(pending);
                    }
                }
                Kind::Call | Kind::Event => {
                    if let Ok((head, args)) = CallHead::split(&frame)
                        && let deadline = self.deadline(&head)
                        && self.incoming.has_room()
                        && deadline > now
                        && head.depth <= self.limits.call_depth
                    {
                        let call =
                            if let Kind::Call = frame.kind { Some(frame.call) } else { None };
                        self.admit_request(now, call.is_some());
                        let CallHead { method, depth, trace, .. } = head;
                        return Acted::Request(Request {
                            call,
                            method,
                            deadline,
                            depth,
                            trace,
                            args,
                        });
                    }
                }
                _ => {}
            }
        }
        // By their parts, so that what comes most often never goes through memory.
        let Frame { kind, flags, call, body } = frame;
        match self.take_other(now, (kind, flags), call, body, out) {
            Ok(None) => Acted::Nothing,
            Ok(Some(event)) => Acted::Event(event),
            Err(reason) => Acted::End(reason),
        }
    }

    /// Takes a frame that comes seldom, or about which something is out of the ordinary.
    #[cold]
    #[inline(never)]
    fn take_other<'f>(
        &mut self,
        now: Instant,
        (kind, flags): (Kind, u8),
        call: u64,
        body: &'f [u8],
        out: &mut impl Output,
    ) -> Result<Option<Box<Event<'f, K>>>, Box<CloseReason>> {
        match self.act(now, &Frame { kind, flags, call, body }, out) {
            Ok(event) => Ok(event.map(Box::new)),
            Err(reason) => Err(Box::new(self.fail(reason, out))),
        }
    }

    fn act<'f>(
        &mut self,
        now: Instant,
        frame: &Frame<'f>,
        out: &mut impl Output,
    ) -> Result<Option<Event<'f, K>>, CloseReason> {
        if self.phase != Phase::Open {
            return self.act_unless_open(now, frame, out);
        }
        if matches!(frame.kind, Kind::Call | Kind::Event) {
            return self.rejected(now, frame, out);
        }
        self.clock.frame_complete();
        match frame.kind {
            Kind::Reply => {
                // `take` has looked for somebody who waits for it: there is nobody.
                let answered = self.answered(now, frame.call, out)?;
                debug_assert!(answered.is_none(), "a value goes to whoever waits for it");
                Ok(None)
            }
            Kind::Exception => {
                // In a box: it is rare, and all events would be as large.
                let exception = Box::new(Exception::decode(frame.body)?);
                self.failed(now, frame.call, Outcome::Exception(exception), out)
            }
            Kind::Refused => {
                let Refused { code, text } = Refused::decode(frame.body)?;
                self.failed(now, frame.call, Outcome::Refused(code, text), out)
            }
            Kind::Credit => {
                // Credit for no event is free of charge for the peer, so it is counted.
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
        frame: &Frame<'f>,
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
        // One that waits to be sent answers this ping as well, or pings would fill the output.
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
        frame: &Frame<'f>,
        out: &mut impl Output,
    ) -> Result<Option<Event<'f, K>>, CloseReason> {
        match (self.phase, frame.kind) {
            (Phase::Opening, Kind::Hello) => {
                let hello = Hello::decode(frame.body)?;
                // The preamble has said it before; a hello that differs is broken.
                if hello.version != VERSION {
                    let found = hello.version;
                    return Err(peers_wire::Error::UnsupportedVersion { found }.into());
                }
                let same = hello.node == self.greeting.node;
                match self.meets {
                    // Nearly always a wrong address; calls to oneself would hold their own credit.
                    Meets::Others if same => return Err(CloseReason::Myself),
                    Meets::Proven if !same => return Err(Violation::ForeignId.into()),
                    // Nothing is heard before the proof.
                    Meets::Unproven => return Err(Violation::ForeignId.into()),
                    Meets::Others | Meets::Anyone | Meets::Proven => {}
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

    /// Notes that the peer sends nothing more: it will not answer, and ends when it has its own
    /// answers.
    fn half_closed(&mut self, now: Instant) -> Vec<(CallId, K)> {
        let unsent = u32::try_from(self.waiting_events()).unwrap_or(u32::MAX);
        self.count_unsent_events(unsent);
        if let Some(rare) = &mut self.rare {
            rare.queue = None;
        }
        // Answers still owed are worth waiting for, but not for ever.
        self.phase = Phase::HalfClosed;
        self.clock.set_until(now + self.limits.linger);
        self.calls.drain()
    }

    fn open(&mut self, now: Instant, hello: Hello, out: &mut impl Output) {
        self.phase = Phase::Open;
        self.clock.lift_deadline();
        let Hello { node, max_frame, window, .. } = hello;
        self.greeting = Greeting { node, max_frame: NonZeroU32::new(max_frame), window };
        self.outgoing.open(hello.window);
        let limit = self.frame_limit();
        if let Some(room) = self.rare.as_ref().and_then(|rare| rare.room.as_ref()) {
            room.meet(limit);
        }
        if let Some(queue) = self.rare.as_mut().and_then(|rare| rare.queue_mut()) {
            // Only now is it known how much the peer takes; what waits was admitted before.
            let (ids, events) = queue.remove_oversized(limit as usize, &self.calls);
            for id in ids {
                self.calls.set_phase(id, CallState::Stranded);
            }
            self.count_unsent_events(events);
        }
        self.measure_again(now, out);
        self.pump(now, out);
    }

    /// Returns when the caller of a request that is complete now stops waiting: counted from when
    /// it began to arrive.
    #[inline(always)]
    fn deadline(&self, head: &CallHead) -> Instant {
        let nanos = u64::from(head.remaining_ms) * 1_000_000;
        if nanos == 0 {
            return NEVER;
        }
        Instant::from_nanos(self.clock.frame_began().as_nanos().saturating_add(nanos))
    }

    /// Notes that a request holds our credit, for which there is room.
    #[inline(always)]
    fn admit_request(&mut self, now: Instant, is_call: bool) {
        debug_assert!(self.incoming.has_room(), "whoever has no credit is accused, not admitted");
        self.incoming.admit(is_call);
        self.clock.frame_complete();
        self.clock.used_at(now);
    }

    /// Answers a request that is not to be started, or says why the connection ends for it.
    fn rejected<'f>(
        &mut self,
        now: Instant,
        frame: &Frame<'f>,
        out: &mut impl Output,
    ) -> Result<Option<Event<'f, K>>, CloseReason> {
        let (head, _) = CallHead::split(frame)?;
        // More than was granted: a peer that does not count is not served.
        if !self.incoming.has_room() {
            return Err(self.incoming.beyond_window().into());
        }
        let code = if self.deadline(&head) <= now {
            RefusedCode::Expired
        } else {
            debug_assert!(head.depth > self.limits.call_depth, "else it would have been started");
            RefusedCode::TooDeep
        };
        let call = (frame.kind == Kind::Call).then_some(frame.call);
        self.admit_request(now, call.is_some());
        self.reject_request(call, code, out);
        Ok(None)
    }

    #[cold]
    fn reject_request(&mut self, call: Option<u64>, code: RefusedCode, out: &mut impl Output) {
        self.count(|counters| &mut counters.unstarted, 1);
        match call {
            Some(call) => self.refuse(call, code, "", out),
            None => {
                self.count(|counters| &mut counters.unstarted_events, 1);
                self.event_started(out);
            }
        }
    }

    /// Ends one of our calls without a value.
    fn failed<'f>(
        &mut self,
        now: Instant,
        call: u64,
        outcome: Outcome<'f>,
        out: &mut impl Output,
    ) -> Result<Option<Event<'f, K>>, CloseReason> {
        let answered = self.answered(now, call, out)?;
        Ok(answered.map(|(id, pending)| Event::Failed { id, pending, outcome }))
    }

    /// Takes the peer's word that a call has ended; gives what was kept for it, if somebody waits.
    fn answered(
        &mut self,
        now: Instant,
        call: u64,
        out: &mut impl Output,
    ) -> Result<Option<(CallId, K)>, CloseReason> {
        let live = match self.calls.answer(call) {
            Answered::Live(id, pending) => Some((id, pending)),
            Answered::Late => {
                self.count(|counters| &mut counters.late_replies, 1);
                None
            }
            // It gave its credit back when it was answered first.
            Answered::Duplicate => {
                self.count(|counters| &mut counters.duplicate_replies, 1);
                return Ok(None);
            }
            Answered::Forged => return Err(Violation::ForgedReply { call }.into()),
        };
        self.outgoing.answered();
        self.clock.used_at(now);
        self.pump(now, out);
        Ok(live)
    }

    /// Tells that a batch of input was taken, and how many bytes of an unfinished frame are held.
    /// Credit goes back and is used. Gives what is needed then.
    #[inline]
    pub fn end_input(&mut self, now: Instant, pending: usize, out: &mut impl Output) -> Needs {
        self.note_partial(now, pending);
        self.pump(now, out);
        self.return_credits(out);
        self.needs()
    }

    /// Tells how many bytes of an unfinished frame are held: a frame that has begun must be
    /// complete within [`Limits::frame_timeout`](crate::limits::Limits::frame_timeout).
    #[inline]
    pub fn note_partial(&mut self, now: Instant, pending: usize) {
        self.look(now);
        self.clock.note_uses(now);
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
