//! Does to a session what time does: deadlines of calls, pings, and the reasons to end a connection
//! that only a clock knows.

use super::clock::{NEVER, NOW};
use super::event::{CallId, Rejected, Role, Why};
use super::{CloseReason, Output, Phase, Session};
use peers_kernel::Instant;
use peers_wire::Ping;

/// Holds what a session needs of whoever keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Says when [`Session::expire`] is to be called next; [`Instant::FAR`] if only input or the
    /// caller can change anything. It may be past, and it may be too early, but never too late.
    pub deadline: Instant,
    /// Bytes of memory that requests hold which wait to be sent.
    pub waiting_memory: usize,
}

impl<K> Session<K> {
    /// Returns what it needs. To be asked after each use of the session.
    #[inline]
    pub fn needs(&self) -> Needs {
        let deadline = self.next_deadline().unwrap_or(NEVER);
        Needs { deadline, waiting_memory: self.waiting_memory() }
    }

    /// Returns when [`expire`](Self::expire) is to be called next; `None` if only input or the
    /// caller can change anything. It may be past, and it may be too early, but never too late. To
    /// be asked after each use of the session.
    pub fn next_deadline(&self) -> Option<Instant> {
        let calls = self.calls.next_deadline().unwrap_or(NEVER);
        let oversized = if self.has_oversized() { NOW } else { NEVER };
        let next = calls.min(oversized).min(self.next_end());
        (next != NEVER).then_some(next)
    }

    /// Tells whether [`expire`](Self::expire) would say that something has not come in time: look
    /// first at what has arrived.
    pub fn misses_input(&self, now: Instant) -> bool {
        let calls = self.calls.next_deadline().unwrap_or(NEVER);
        let frame =
            self.clock.frame_due(&self.limits).min(self.clock.peer_timeout_at(&self.limits));
        let hello = if self.phase == Phase::Opening { self.clock.until() } else { NEVER };
        let unused = if self.phase == Phase::Open { self.unused_at() } else { NEVER };
        calls.min(frame).min(hello).min(unused) <= now
    }

    fn has_oversized(&self) -> bool {
        let queue = self.rare.as_ref().and_then(|rare| rare.queue());
        queue.is_some_and(|queue| !queue.oversized.is_empty())
    }

    /// Returns when the connection itself is to be looked at.
    fn next_end(&self) -> Instant {
        match self.phase {
            Phase::Open => {
                self.clock.open_until(&self.limits).min(self.output_due()).min(self.unused_at())
            }
            Phase::Ended => NEVER,
            Phase::HalfClosed if self.incoming.owed() == 0 => NOW,
            Phase::Opening | Phase::HalfClosed => {
                self.clock.until().min(self.clock.blocked_until(&self.limits))
            }
        }
    }

    /// Returns when it is to be seen whether the output has left that waited when the session was
    /// last looked at.
    fn output_due(&self) -> Instant {
        let waits = self.meter.waiting() > 0;
        if waits { self.clock.looked_at() + self.limits.write_stall_timeout } else { NEVER }
    }

    /// Returns when the connection has been unused for too long, or can be used no more; never
    /// while a call is pending in either direction.
    fn unused_at(&self) -> Instant {
        match self.role {
            // Whoever waits for an answer uses the connection, however quiet it is.
            _ if self.is_in_use() => NEVER,
            _ if self.calls.exhausted() => NOW,
            Role::Dialled => self.clock.unused_at(self.keep_alive()),
            // Only the side that dialled hangs up: it can dial again.
            Role::Accepted => NEVER,
        }
    }

    fn is_in_use(&self) -> bool {
        self.pending() > 0 || self.waiting() > 0 || self.unanswered() > 0
    }

    /// Notes that the session is being looked at.
    #[inline]
    pub(super) fn look(&mut self, now: Instant) {
        let overdue = if self.clock.paused(now) { self.next_deadline() } else { None };
        self.clock.look(now, overdue);
    }

    /// Does what is due. To be called again until it returns `None`: each call of ours that has run
    /// out of time, or turned out to be too large for the peer, is given back once, with the
    /// reason.
    ///
    /// # Errors
    /// Why the connection must end. The peer was told in `out`, where that helps.
    pub fn expire(
        &mut self,
        now: Instant,
        out: &mut impl Output,
    ) -> Result<Option<(CallId, Rejected<K>)>, CloseReason> {
        self.look(now);
        if self.phase == Phase::Ended {
            return Ok(None);
        }
        self.clock.note_uses(now);
        // First: a process that stood still must not blame its peers for that.
        self.forgive(now);
        // One at a time, since whoever is told may use this session before the next.
        if let Some(call) = self.expire_call(now, out) {
            return Ok(Some(call));
        }
        if let Some(reason) = self.end_due(now) {
            return Err(self.fail(reason, out));
        }
        if self.phase == Phase::Open && self.clock.ping_at(&self.limits) <= now {
            self.ping(now, out);
        }
        Ok(None)
    }

    /// Gives the peer its time anew for what was due so long ago that this process must have stood
    /// still: then the peer may have done its part meanwhile, or have stood still as well.
    fn forgive(&mut self, now: Instant) {
        let limits = &self.limits;
        let opening = self.phase == Phase::Opening;
        let allowed = if opening { self.time_for_hello() } else { limits.linger };
        self.clock.forgive(now, allowed, limits);
    }

    fn expire_call(
        &mut self,
        now: Instant,
        out: &mut impl Output,
    ) -> Option<(CallId, Rejected<K>)> {
        while let Some((id, size)) = self.next_oversized() {
            if let Some((pending, _)) = self.calls.end(id) {
                let (size, limit) = (size as u64, self.frame_limit().into());
                return Some((id, Rejected { why: Why::TooLarge { size, limit }, pending }));
            }
        }
        let id = self.calls.overdue(now)?;
        let pending = self.cancel(id, out)?;
        Some((id, Rejected { why: Why::Expired, pending }))
    }

    fn next_oversized(&mut self) -> Option<(CallId, usize)> {
        self.rare.as_mut()?.queue_mut()?.oversized.pop_front()
    }

    fn end_due(&self, now: Instant) -> Option<CloseReason> {
        let limits = &self.limits;
        if self.clock.blocked_until(limits) <= now {
            return Some(CloseReason::SlowPeer);
        }
        match self.phase {
            Phase::Opening if self.clock.until() <= now => Some(CloseReason::HelloTimeout),
            Phase::HalfClosed if self.incoming.owed() == 0 => Some(CloseReason::Finished),
            Phase::HalfClosed if self.clock.until() <= now => Some(CloseReason::Lingered),
            Phase::Open if self.clock.frame_due(limits) <= now => Some(CloseReason::FrameTimeout),
            Phase::Open if self.clock.peer_timeout_at(limits) <= now => {
                Some(CloseReason::PeerTimeout)
            }
            Phase::Open if self.unused_at() <= now => Some(self.unused_reason()),
            _ => None,
        }
    }

    fn unused_reason(&self) -> CloseReason {
        if self.calls.exhausted() { CloseReason::Exhausted } else { CloseReason::Unused }
    }

    /// Asks a silent peer whether it is there. A good time to give back memory, and credit that
    /// nobody misses.
    pub(super) fn ping(&mut self, now: Instant, out: &mut impl Output) {
        let number = self.clock.ping(now);
        if let Some(way) = self.rare.as_mut().and_then(|rare| rare.way.as_mut()) {
            way.asks(now);
        }
        self.meter.put(out, |bytes| Ping { number }.put(bytes));
        self.flush_credits(out);
        self.release();
    }

    /// Gives memory back that nothing needs just now.
    pub(super) fn release(&mut self) {
        self.calls.release();
        self.incoming.release();
        self.clock.release();
        if let Some(rare) = &mut self.rare {
            rare.queue.take_if(|queue| queue.is_empty() && queue.oversized.is_empty());
        }
        self.rare.take_if(|rare| !rare.is_needed());
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Acted, Head, Inbound};
    use super::*;
    use crate::limits::Limits;
    use peers_wire::{Encoded, NodeId};
    use std::rc::Rc;

    struct End {
        session: Session<u32>,
        inbound: Inbound,
        limits: Rc<Limits>,
        out: Vec<u8>,
        written: u64,
    }

    impl End {
        fn new(role: Role, limits: &Rc<Limits>) -> Self {
            let (node, mut out) = (NodeId::from_bits(role as u128), Vec::new());
            let session = Session::new(role, node, limits.clone(), NOW, &mut out);
            Self { session, inbound: Inbound::new(limits), limits: limits.clone(), out, written: 0 }
        }

        fn read(&mut self, mut input: &[u8]) {
            self.session.begin_input(NOW, NOW, Some(self.written), &mut self.out);
            while let Some(frame) = self.inbound.next(&mut input).expect("frames") {
                match self.session.take(NOW, frame, &mut self.out) {
                    Acted::Request(request) => {
                        let call = request.call.expect("a call");
                        let reply = self.session.reply(call, &mut Encoded(&[1; 64]), &mut self.out);
                        reply.expect("it fits");
                    }
                    Acted::Event(_) => self.inbound.open(&self.limits),
                    Acted::End(reason) => panic!("no violation: {reason}"),
                    Acted::Value(_) | Acted::Nothing => {}
                }
            }
            self.session.end_input(NOW, self.inbound.pending(), &mut self.out);
        }

        fn write(&mut self) -> Vec<u8> {
            let sent = std::mem::take(&mut self.out);
            self.written += sent.len() as u64;
            self.session.flushed(NOW, self.written, &mut self.out);
            sent
        }

        fn holds_memory(&self) -> bool {
            let Session { calls, incoming, clock, rare, .. } = &self.session;
            let held = incoming.holds_memory() || clock.holds_memory();
            held || calls.holds_memory() || rare.is_some()
        }
    }

    #[test]
    fn nothing_follows_a_goodbye_when_the_output_drains() {
        let limits = Rc::new(Limits { output_low_water: 1, ..Limits::default() });
        let mut a = End::new(Role::Dialled, &limits);
        let mut b = End::new(Role::Accepted, &limits);
        b.read(&a.write());
        a.read(&b.write());
        for key in 0..2 {
            let taken = a.session.call(NOW, &Head::new(1), &mut Vec::new(), key, &mut a.out);
            assert!(taken.is_ok());
        }
        assert_eq!(a.session.waiting(), 1, "behind the first");
        a.session.bye_for(&super::super::CloseReason::Local, &mut a.out);
        a.write();
        assert!(a.out.is_empty(), "the second stays");
    }

    #[test]
    fn an_idle_session_gives_its_memory_back() {
        let limits = Rc::new(Limits::default());
        let mut a = End::new(Role::Dialled, &limits);
        let mut b = End::new(Role::Accepted, &limits);
        for key in 0..1_000 {
            let taken = a.session.call(NOW, &Head::new(1), &mut Vec::new(), key, &mut a.out);
            assert!(taken.is_ok());
        }
        while !(a.out.is_empty() && b.out.is_empty()) {
            b.read(&a.write());
            a.read(&b.write());
        }
        assert_eq!(a.session.pending() + a.session.waiting(), 0);
        assert!(a.holds_memory() && b.holds_memory());
        let idle = NOW + limits.ping_idle;
        assert_eq!(a.session.expire(idle, &mut a.out), Ok(None));
        assert!(!a.holds_memory(), "it has pinged");
        b.read(&a.write());
        assert!(!b.holds_memory(), "it was pinged");
    }
}
