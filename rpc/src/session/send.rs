//! Sends what this side says: requests, with the credit they need, and answers, which need none.

use super::calls::Phase as Stage;
use super::clock::NEVER;
use super::event::{CallId, Head, Rejected, Why, remaining_ms};
use super::queue::{Queue, Waiting};
use super::{Output, Phase, Session};
use peers_kernel::Instant;
use peers_wire::{
    Cancel, Credit, Error, Exception, HEADER, Kind, Refused, RefusedCode, Writer,
    limits as protocol, put_call_head, put_frame, put_plain_call, put_plain_reply, put_reply_head,
};
use smallvec::SmallVec;
use std::num::NonZeroU32;

/// Arguments of at least this many bytes are moved into the output instead of being copied.
pub(super) const CHUNK: usize = 2 << 10;

/// Returns what a caller is told whose answer cannot be sent.
fn unsendable(error: &Error) -> String {
    match error {
        Error::OutputTooLarge { size, limit } => format!("{TOO_LARGE}{size}{OVER}{limit}"),
        error => format!("the answer cannot be sent: {error}"),
    }
}

const TOO_LARGE: &str = "the answer cannot be sent, too large: ";
const OVER: &str = " bytes, over the limit of ";

/// Reads size and limit in what a caller is told whose answer was too large. There is no code of
/// its own for it: older peers would take a call that they do not know the refusal of for one that
/// was not executed.
pub(crate) fn too_large_answer(text: &str) -> Option<(u64, u64)> {
    let (size, limit) = text.strip_prefix(TOO_LARGE)?.split_once(OVER)?;
    Some((size.parse().ok()?, limit.parse().ok()?))
}

/// Arguments on their way into the output.
enum Args<'a> {
    Copied(&'a [u8]),
    Moved(Vec<u8>),
}

impl<'a> Args<'a> {
    #[inline]
    fn of(args: &'a mut Vec<u8>) -> Self {
        if args.len() < CHUNK { Self::Copied(args) } else { Self::Moved(std::mem::take(args)) }
    }

    #[inline]
    fn len(&self) -> usize {
        match self {
            Self::Copied(args) => args.len(),
            Self::Moved(args) => args.len(),
        }
    }
}

impl<K> Session<K> {
    /// Makes a call. It is sent now, or waits in its place for the peer's credit or hello, or for
    /// the output to drain. What `args` holds afterwards is of no use any more; small arguments are
    /// copied out of it, so that its memory serves for the next call.
    ///
    /// # Errors
    /// `pending` comes back with the reason; nothing was sent.
    #[inline]
    pub fn call(
        &mut self,
        now: Instant,
        head: Head,
        args: &mut Vec<u8>,
        pending: K,
        out: &mut impl Output,
    ) -> Result<CallId, Rejected<K>> {
        let direct = match self.admit(now, &head, args.len()) {
            Ok(direct) => direct,
            Err(why) => return Err(Rejected { why, pending }),
        };
        let stage = if direct { Stage::Sent } else { Stage::Queued(args.len()) };
        let id = match self.calls.open(pending, head.deadline.unwrap_or(NEVER), stage) {
            Ok(id) => id,
            Err(pending) => {
                let why = if self.calls.exhausted() { Why::Exhausted } else { Why::Overloaded };
                if !direct {
                    self.give_room_back(args.len());
                }
                return Err(Rejected { why, pending });
            }
        };
        self.clock.used_at(now);
        if direct {
            self.put_request(now, Some(id), &head, Args::of(args), out);
        } else {
            self.enqueue(Some(id), head, args);
        }
        Ok(id)
    }

    /// Makes a call that stands in no tree of calls, if it can be sent now: the short way for what
    /// comes most often. The deadline [`Instant::FAR`] is never.
    ///
    /// # Errors
    /// `pending` comes back if there is anything else to it; then nothing has changed, and
    /// [`call`](Self::call) takes it.
    #[inline(always)]
    pub fn call_now(
        &mut self,
        now: Instant,
        method: u64,
        deadline: Instant,
        args: &[u8],
        pending: K,
        out: &mut impl Output,
    ) -> Result<CallId, K> {
        const {
            assert!(
                16 + CHUNK <= protocol::LEAST_FRAME as usize,
                "all that is copied fits any peer's frames"
            )
        };
        let open = self.phase == Phase::Open && self.waiting() == 0;
        let may_send = self.outgoing.is_available() && self.has_room_for_output();
        if !open || deadline <= now || args.len() >= CHUNK || !may_send {
            return Err(pending);
        }
        let id = self.calls.open(pending, deadline, Stage::Sent)?;
        self.clock.used_at(now);
        self.outgoing.take(true);
        let remaining = if deadline == NEVER { 0 } else { remaining_ms(deadline, now) };
        put_plain_call(out.bytes(), id.number(), method, remaining, 0, args);
        self.meter.queued += (HEADER + 16 + args.len()) as u64;
        Ok(id)
    }

    /// Sends an event, now or when it may; else like [`call`](Self::call).
    ///
    /// # Errors
    /// The reason; nothing was sent.
    #[inline]
    pub fn event(
        &mut self,
        now: Instant,
        mut head: Head,
        args: &mut Vec<u8>,
        out: &mut impl Output,
    ) -> Result<(), Rejected<()>> {
        if head.trace.is_some() && head.size(args.len()) > self.frame_limit() as usize {
            head.trace = None; // an event that fits does not fail for its place in a tree
        }
        let direct = match self.admit(now, &head, args.len()) {
            Ok(direct) => direct,
            Err(why) => return Err(Rejected { why, pending: () }),
        };
        self.clock.used_at(now);
        if direct {
            self.put_request(now, None, &head, Args::of(args), out);
        } else {
            self.enqueue(None, head, args);
        }
        Ok(())
    }

    /// Returns whether a request may be made, and if so, whether it may be sent at once.
    #[inline]
    fn admit(&self, now: Instant, head: &Head, args: usize) -> Result<bool, Why> {
        match self.phase {
            Phase::Opening | Phase::Open => {}
            Phase::HalfClosed => return Err(Why::Finished),
            Phase::Ended => return Err(Why::Closing),
        }
        if head.is_expired(now) {
            return Err(Why::Expired);
        }
        let (size, limit) = (head.size(args), self.frame_limit());
        if size > limit as usize {
            return Err(Why::TooLarge { size: size as u64, limit: limit.into() });
        }
        if self.waiting() == 0 && self.may_send(size) {
            return Ok(true);
        }
        if self.take_room(args) { Ok(false) } else { Err(Why::Overloaded) }
    }

    /// Returns whether a request with so many bytes of arguments may wait; in a room that is
    /// shared, it has its place then.
    #[cold]
    fn take_room(&self, args: usize) -> bool {
        let Some(rare) = &self.rare else {
            return Queue::default().take_room(args, &self.limits);
        };
        match (rare.queue(), &rare.room) {
            (Some(queue), _) => queue.take_room(args, &self.limits),
            (None, Some(room)) => room.take(args),
            (None, None) => Queue::default().take_room(args, &self.limits),
        }
    }

    #[cold]
    fn give_room_back(&self, args: usize) {
        if let Some(room) = self.rare.as_ref().and_then(|rare| rare.room.as_ref()) {
            room.give_back(1, args);
        }
    }

    /// The largest body that is sent: what the peer takes, which is not known before its hello, and
    /// no more than we would take, since that is what the output has room for.
    #[inline]
    pub(super) fn frame_limit(&self) -> u32 {
        let theirs = self.greeting.max_frame.map_or(u32::MAX, NonZeroU32::get);
        theirs.min(self.own_frame_limit())
    }

    /// Returns whether a request with a body of `size` bytes may leave now, if it is its turn.
    #[inline]
    fn may_send(&self, size: usize) -> bool {
        let fits = self.greeting.max_frame.is_some() || size <= protocol::LEAST_FRAME as usize;
        fits && self.outgoing.is_available() && self.has_room_for_output()
    }

    /// Returns whether so little waits for the socket that requests may join it.
    #[inline]
    pub(super) fn has_room_for_output(&self) -> bool {
        !self.restrained && self.meter.waiting() <= self.limits.output_low_water as u64
    }

    #[cold]
    fn enqueue(&mut self, id: Option<CallId>, head: Head, args: &mut Vec<u8>) {
        let args = match Args::of(args) {
            Args::Copied(args) => SmallVec::from_slice(args),
            Args::Moved(args) => args.into(),
        };
        let queue = self.rare.get_or_insert_default().make_queue();
        queue.push(Waiting::new(id, head, args));
    }

    #[inline]
    fn put_request(
        &mut self,
        now: Instant,
        id: Option<CallId>,
        head: &Head,
        args: Args<'_>,
        out: &mut impl Output,
    ) {
        self.outgoing.take(id.is_some());
        let (head, limit) = (head.wire_head(now), self.frame_limit());
        let put = self.meter.put(out, |bytes| {
            put_call_head(bytes, limit, id.map(CallId::number), &head, args.len())?;
            if let Args::Copied(args) = args {
                bytes.extend_from_slice(args);
            }
            Ok::<_, Error>(())
        });
        debug_assert_eq!(put, Ok(()), "the size of a request is checked when it is made");
        if let Args::Moved(args) = args {
            self.meter.chunk(out, args);
        }
    }

    /// Sends what waits, as far as credit and output allow.
    pub(super) fn pump(&mut self, now: Instant, out: &mut impl Output) {
        while let Some(queue) = self.rare.as_mut().and_then(|rare| rare.queue_mut()) {
            let Some(front) = queue.front(&self.calls) else { return };
            let (size, expired) = (front.size(), front.head().is_expired(now));
            if self.phase == Phase::Ended || !expired && !self.may_send(size) {
                return;
            }
            if !expired && self.sent_first(now, out) {
                continue;
            }
            let queue = self.rare.as_mut().and_then(|rare| rare.queue_mut());
            let Some(request) = queue.and_then(Queue::pop) else { return };
            match request.id() {
                Some(id) if expired => self.calls.set_phase(id, Stage::Stranded),
                None if expired => self.count_unsent_events(1),
                id => {
                    if let Some(id) = id {
                        self.calls.set_phase(id, Stage::Sent);
                    }
                    let head = request.head();
                    let args = match request.args.len() {
                        CHUNK.. => Args::Moved(request.args.into_vec()),
                        _ => Args::Copied(&request.args),
                    };
                    self.put_request(now, id, &head, args, out);
                }
            }
        }
    }

    /// Sends the first request that waits: the short way of [`call_now`](Self::call_now). False if
    /// it is no plain call.
    #[inline]
    fn sent_first(&mut self, now: Instant, out: &mut impl Output) -> bool {
        let Some(queue) = self.rare.as_mut().and_then(|rare| rare.queue_mut()) else {
            return false;
        };
        let Some((id, first)) = queue.plain_call() else { return false };
        self.calls.set_phase(id, Stage::Sent);
        self.outgoing.take(true);
        first.put(out.bytes(), now);
        self.meter.queued += (HEADER + 16 + first.args.len()) as u64;
        drop(queue.pop());
        true
    }

    pub(super) fn count_unsent_events(&mut self, events: u32) {
        if events > 0 {
            self.count(|counters| &mut counters.unsent_events, events);
        }
    }

    /// Ends a call of ours early and gives back what was kept for it; `None` if it has ended
    /// already. If it was sent, the peer is told.
    pub fn cancel(&mut self, id: CallId, out: &mut impl Output) -> Option<K> {
        let (pending, stage) = self.calls.end(id)?;
        self.clock.used();
        match stage {
            Stage::Sent if self.phase != Phase::Ended => {
                self.meter.put(out, |bytes| Cancel { call: id.number() }.put(bytes));
            }
            Stage::Queued(args) => {
                if let Some(queue) = self.rare.as_mut().and_then(|rare| rare.queue_mut()) {
                    queue.forget(args, &self.calls);
                }
            }
            Stage::Sent | Stage::Stranded => {}
        }
        Some(pending)
    }

    /// Answers a call of the peer with the value that `encode` writes.
    ///
    /// # Errors
    /// The value does not fit the peer's frames, or cannot be encoded. The call was answered
    /// [`Failed`](RefusedCode::Failed) instead.
    #[inline]
    pub fn reply(
        &mut self,
        call: u64,
        out: &mut impl Output,
        encode: impl FnOnce(&mut Writer<'_>),
    ) -> Result<(), Error> {
        let limit = self.frame_limit();
        self.answer(call, out, |bytes| put_frame(bytes, limit, Kind::Reply, 0, call, encode))
    }

    /// Answers a call of the peer with a value that is spelled as a length and these bytes, if they
    /// are few: the short way for what is answered most often. False if there is anything else to
    /// it; then nothing has changed, and [`reply_bytes`](Self::reply_bytes) takes them.
    #[inline(always)]
    pub fn reply_now(&mut self, call: u64, bytes: &[u8], out: &mut impl Output) -> bool {
        let short = self.phase != Phase::Ended && bytes.len() < CHUNK;
        if short {
            let position = self.meter.queued;
            put_plain_reply(out.bytes(), call, bytes);
            self.meter.queued += (HEADER + 4 + bytes.len()) as u64;
            self.incoming.answered(position);
            self.clock.used();
        }
        short
    }

    /// Answers a call of the peer with a value that is spelled as a length and these bytes. Many
    /// are not copied.
    ///
    /// # Errors
    /// As [`reply`](Self::reply).
    #[inline]
    pub fn reply_bytes(
        &mut self,
        call: u64,
        out: &mut impl Output,
        bytes: Vec<u8>,
    ) -> Result<(), Error> {
        if self.phase == Phase::Ended || self.reply_now(call, &bytes, out) {
            return Ok(());
        }
        let limit = self.frame_limit();
        self.answer(call, out, |said| put_reply_head(said, limit, call, bytes.len()))?;
        self.meter.chunk(out, bytes);
        Ok(())
    }

    /// Answers a call of the peer with a declared exception.
    ///
    /// # Errors
    /// As [`reply`](Self::reply).
    pub fn raise(
        &mut self,
        call: u64,
        out: &mut impl Output,
        exception: &Exception<'_>,
    ) -> Result<(), Error> {
        let limit = self.frame_limit();
        self.answer(call, out, |bytes| exception.put(bytes, limit, call))
    }

    /// Answers a call of the peer that has neither value nor exception. A long `text` is cut.
    pub fn refuse(&mut self, call: u64, out: &mut impl Output, code: RefusedCode, text: &str) {
        let refused = Refused { code, text };
        let answered = self.answer(call, out, |bytes| {
            refused.put(bytes, call);
            Ok(())
        });
        debug_assert_eq!(answered, Ok(()), "a refusal always fits");
    }

    #[inline]
    fn answer(
        &mut self,
        call: u64,
        out: &mut impl Output,
        put: impl FnOnce(&mut Vec<u8>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if self.phase == Phase::Ended {
            return Ok(());
        }
        let position = self.meter.queued;
        let result = self.meter.put(out, put);
        if let Err(error) = &result {
            let text = unsendable(error);
            let refused = Refused { code: RefusedCode::Failed, text: &text };
            self.meter.put(out, |bytes| refused.put(bytes, call));
        }
        self.incoming.answered(position);
        self.clock.used();
        result
    }

    /// Reports that an event of the peer was started, or dropped: the peer gets its credit back,
    /// with others.
    #[inline]
    pub fn event_started(&mut self, out: &mut impl Output) {
        if let Some(amount) = self.incoming.event_started() {
            self.put_credit(amount, out);
        }
    }

    /// Returns the credit of events that were started, if it is time: with whatever else is being
    /// sent, or when the peer uses more than half of its grant. To be called at the end of each
    /// batch of input. What stays goes with the next ping at the latest; a frame for each batch
    /// would wake the peer as often as it sends.
    #[inline]
    pub fn return_credits(&mut self, out: &mut impl Output) {
        let leaving = self.meter.waiting() > 0;
        if self.incoming.is_return_due(self.limits.request_window, leaving) {
            self.flush_credits(out);
        }
    }

    /// Returns the credit of all events that were started.
    pub fn flush_credits(&mut self, out: &mut impl Output) {
        if let Some(amount) = self.incoming.take_started() {
            self.put_credit(amount, out);
        }
    }

    fn put_credit(&mut self, amount: u32, out: &mut impl Output) {
        if self.phase != Phase::Ended {
            self.meter.put(out, |bytes| Credit { amount }.put(bytes));
        }
    }

    /// Tells how many bytes the socket has taken since the connection was made. Requests that
    /// waited for the output to drain are put into `out`, which is then to be written as well.
    ///
    /// To be called after writing, in particular when output that was blocked has drained.
    pub fn flushed(&mut self, now: Instant, written: u64, out: &mut impl Output) {
        let written = written.min(self.meter.queued);
        let moved = written > self.meter.written;
        self.meter.written = self.meter.written.max(written);
        self.incoming.written(written);
        self.clock.settle(now);
        self.clock.flushed(now, moved, self.meter.waiting() > 0);
        self.pump(now, out);
    }

    /// Tells since when the socket has taken nothing of what waits for it, if it does not take all:
    /// it is looked at by input and timers only, and the last of what it took may have left long
    /// before.
    pub fn stalled(&mut self, since: Instant) {
        self.clock.stalled(since);
    }
}
