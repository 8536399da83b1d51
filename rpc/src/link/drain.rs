//! Lets a link leave in good order: first what was accepted, then the goodbye, and then, for as
//! long as there is time, the peer's own end, which says that it has read everything.
//!
//! Invariants:
//! 1. A link that is leaving takes no new request of ours and no call of the peer. Requests of ours
//!    that wait leave as the peer gives credit; events of the peer are started. Kept by
//!    `tests/leaving.rs`.
//! 2. It says goodbye when nothing waits any more, here or there, or when its time is over. Kept by
//!    `where_nothing_waits_the_end_is_at_once`, `what_a_peer_does_not_take_in_time_is_told`.
//! 3. Whoever asked is told once how much the peer did not take, however the link ends. Kept by
//!    `what_a_peer_does_not_take_in_time_is_told`,
//!    `what_was_lost_with_the_connection_is_told_to_who_closes_it_later`.

use super::{Link, Signs, Wire};
use crate::Reply;
use crate::link::end::{Drained, left};
use crate::link::goodbye::{Leaving, Parting};
use crate::session::{CloseReason, Inbound, Session};
use peers_kernel::{Cause, Instant, Outlet, TimerId};
use peers_wire::Kind;
use std::cell::{Cell, RefCell};
use std::mem::take;
use std::rc::Rc;

impl Link {
    /// Tells whether it takes requests: it lives, and is not leaving.
    #[inline]
    pub(crate) fn takes_requests(&self) -> bool {
        self.is_open() && !self.shows(Signs::LEAVES)
    }

    /// Leaves in good order, before `until`; `k` is told what the peer did not take.
    pub(crate) fn leave(
        self: &Rc<Self>,
        reason: CloseReason,
        until: Instant,
        k: Option<Reply<Drained>>,
    ) {
        if !self.is_open() {
            let left = left(&self.end_for_others());
            k.into_iter().for_each(|k| k.ok(left));
            return;
        }
        // Other threads first: from here on they get no place, and what has one is waited for.
        if let Some(room) = self.room() {
            room.shut();
        }
        let mut told: Vec<_> = k.into_iter().collect();
        let mut until = until;
        // Of two who ask, the one with less time decides, and both are told.
        if let Some(earlier) = self.take_leaving() {
            until = until.min(earlier.until);
            told.extend(earlier.told);
        }
        let timer = self.at(until, |link| link.depart_unless_behind());
        self.with_rare(|rare| rare.leaving = Some(Leaving { reason, until, timer, told }));
        self.show(Signs::LEAVES, true);
        if self.has_said_all() {
            self.depart();
        }
    }

    /// Runs `f` on the link at that time, if it still lives, on nobody's behalf.
    fn at(&self, at: Instant, f: impl FnOnce(&Rc<Self>) + 'static) -> TimerId {
        let me = self.weak();
        self.handle().with_cause(Cause::NONE, || {
            self.handle().at(at, move || {
                if let Some(link) = me.upgrade() {
                    f(&link);
                }
            })
        })
    }

    fn take_leaving(&self) -> Option<Leaving> {
        let leaving = self.if_rare(|rare| take(&mut rare.leaving))?;
        self.handle().cancel(leaving.timer);
        Some(leaving)
    }

    /// Says goodbye if it is leaving and nothing waits any more: from a fresh task, since a session
    /// or a handler may be on the stack.
    #[inline(always)]
    pub(crate) fn go_on_leaving(&self) {
        if self.shows(Signs::LEAVES) {
            self.leave_if_said_all();
        }
    }

    #[cold]
    fn leave_if_said_all(&self) {
        if self.has_said_all() {
            self.at(self.handle().now(), |link| {
                if link.shows(Signs::LEAVES) && link.has_said_all() {
                    link.depart();
                }
            });
        }
    }

    /// Tells whether everything that was accepted has left the session for a stream that is there.
    /// Calls are no reason to wait for a connection: they fail with the end, and who made them is
    /// told so.
    fn has_said_all(&self) -> bool {
        let awaited = self.room().is_some_and(|room| room.is_awaited());
        let waiting = if self.wire.get() == Wire::Dialling {
            self.ask(Session::unconfirmed_events) + self.ask(Session::waiting_events)
        } else {
            self.ask(Session::waiting)
        };
        !awaited && !self.is_deferring() && waiting == 0
    }

    /// Says goodbye and ends, but behind what lies in the socket: it may be the credit that
    /// requests wait for.
    fn depart_unless_behind(&self) {
        // What had arrived when the time was over is still read: its sender was in time.
        if !self.open_outlet().is_some_and(Outlet::is_behind) {
            return self.depart();
        }
        let timer = self.at(self.handle().now(), |link| link.depart_unless_behind());
        self.if_rare(|rare| {
            if let Some(leaving) = &mut rare.leaving {
                leaving.timer = timer;
            }
        });
    }

    /// Says goodbye and ends.
    fn depart(&self) {
        let Some(Leaving { reason, until, told, .. }) = self.take_leaving() else { return };
        self.part(reason, until, told);
    }

    /// Tells what the peer has not taken, as far as is known.
    pub(crate) fn untaken(&self) -> Drained {
        let nowhere = self.wire.get() == Wire::Dialling;
        self.ask(|session| Drained {
            unsent: match nowhere {
                true => session.pending() + session.waiting_events(),
                false => session.waiting(),
            } as u64,
            unconfirmed: session.unconfirmed_events() as u64,
        })
    }

    /// Says goodbye and ends. Whoever waits is told when the peer is known to have read everything,
    /// or at `until`.
    fn part(&self, reason: CloseReason, until: Instant, told: Vec<Reply<Drained>>) {
        let left = self.untaken();
        // Counted before the goodbye, behind which nothing more is confirmed.
        self.drive(|session, out| session.bye_for(&reason, out));
        self.flush();
        let handle = self.handle().clone();
        let parting = Parting { handle: handle.clone(), timer: None, left, told: Some(told) };
        let parting = Rc::new(RefCell::new(parting));
        // What the peer confirms after the end is known to those who wait for it only.
        self.write_down(reason.clone());
        self.write_down_left(Drained { unconfirmed: 0, ..left });
        if let Some(outlet) = self.last_outlet()
            && self.handle().now() < until
        {
            self.context().partings.add(&parting);
            handle.with_cause(Cause::NONE, || {
                let late = Rc::downgrade(&parting);
                let timer = handle.at(until, move || {
                    if let Some(parting) = late.upgrade() {
                        parting.borrow_mut().tell(left);
                    }
                });
                parting.borrow_mut().timer = Some(timer);
                // The peer ends when it has read the goodbye. Where nothing is in doubt, nobody
                // waits for that.
                if left.unconfirmed == 0 {
                    outlet.on_drained(move || parting.borrow_mut().tell(left));
                } else {
                    let crossed = self.overhear_goodbye(outlet);
                    outlet.on_closed(move |clean| {
                        let taken = clean && !crossed.get();
                        let unconfirmed = if taken { 0 } else { left.unconfirmed };
                        parting.borrow_mut().tell(Drained { unconfirmed, ..left });
                    });
                }
            });
        }
        self.end_within(reason, until);
    }

    /// Looks for a goodbye of the peer behind ours: one that it has said before it had read ours,
    /// and then it may have thrown away what we had said before.
    fn overhear_goodbye(&self, outlet: &Outlet) -> Rc<Cell<bool>> {
        let inbound = self.inbound.take();
        // In the middle of a batch, or of a frame whose beginning was lent to the stream, nobody
        // can tell where the next frame begins.
        let begun_elsewhere = inbound.is_none() && self.if_rare(|rare| rare.partial > 0);
        let crossed = Rc::new(Cell::new(begun_elsewhere || self.shows(Signs::BATCHES)));
        let greeted = || Box::new(Inbound::greeted(&self.context().limits));
        let (mut inbound, seen) = (inbound.unwrap_or_else(greeted), crossed.clone());
        outlet.overhear(move |mut bytes| {
            while !seen.get() {
                match inbound.next(&mut bytes) {
                    Ok(Some(frame)) => seen.set(frame.kind == Kind::Bye),
                    Ok(None) => return,
                    Err(_) => seen.set(true),
                }
            }
        });
        crossed
    }

    /// Tells those who wait what was lost: it has ended without a goodbye of ours.
    pub(crate) fn left_early(&self, left: Drained) {
        self.show(Signs::LEAVES, false);
        if let Some(leaving) = self.take_leaving() {
            leaving.told.into_iter().for_each(|k| k.ok(left));
        }
    }
}
