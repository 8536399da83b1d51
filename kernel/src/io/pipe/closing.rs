//! The end from our side: what was written leaves, what still comes is thrown away, up to a bound.
//!
//! Invariants:
//! 1. A connection that is closed is cut after its time to linger at the latest, and then nothing
//!    of its output stays with the system. Kept by `closing_waits_for_the_output_and_not_for_ever`.
//! 2. Of a peer that goes on sending, no more than allowed is read; the rest stays in the system.
//!    Kept by `an_endless_sender_gets_our_output_and_is_cut`.

use crate::core::task::Plain;
use crate::core::{Core, READ_BUFFER};
use crate::io::pipe::state::{Inward, Outward};
use crate::io::pipe::{LINGER, Overhears, Pipe};
use crate::io::stream::Input;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

/// Bytes that are thrown away meanwhile, unless
/// [`Outlet::close_discarding`](crate::Outlet::close_discarding) says otherwise: more than what an
/// honest peer has under way when it hears of the end.
pub(super) const MOST_DISCARDED: usize = 16 << 20;
/// Says how long a connection is left to its peer that sends more than that: time to read the end
/// of our output.
const GRACE: Duration = Duration::from_millis(250);

impl Pipe {
    /// Closes as most do.
    pub(crate) fn close(self: &Rc<Self>) {
        self.close_within(LINGER)
    }

    /// Closes likewise, after `linger` in any case.
    pub(crate) fn close_within(self: &Rc<Self>, linger: Duration) {
        self.close_discarding(linger, MOST_DISCARDED)
    }

    /// Closes it as [`close_within`](Self::close_within) does, but what is buffered has so much
    /// time more to leave.
    pub(crate) fn close_draining(self: &Rc<Self>, drain: Duration, linger: Duration) {
        let closing = self.if_rare(|rare| rare.linger).is_some();
        if closing || drain.is_zero() || self.buffered() == 0 {
            return self.close_within(linger);
        }
        let me = Rc::downgrade(self);
        self.on_drained(Location::caller(), move || {
            if let Some(pipe) = me.upgrade() {
                pipe.linger_only(linger);
            }
        });
        self.close_within(drain.saturating_add(linger))
    }

    /// Notes that what was buffered has left: from now on it is waited for the peer's end only.
    fn linger_only(self: &Rc<Self>, linger: Duration) {
        let lingers = self.if_rare(|rare| rare.linger).is_some();
        if lingers
            && self.inward.get() != Inward::Spent
            && let Some(core) = self.core.upgrade()
        {
            self.arm_linger(&core, linger);
        }
    }

    /// Sends what is buffered, tells the peer, and ends when the peer has closed too; after
    /// `linger` in any case, and soon after so many bytes have been thrown away.
    pub(crate) fn close_discarding(self: &Rc<Self>, linger: Duration, discards: usize) {
        let Some(core) = self.core.upgrade() else { return };
        if !core.is_open() {
            return self.abort();
        }
        let closing = self.if_rare(|rare| rare.linger).is_some();
        if closing || self.with_socket(|_| ()).is_none() {
            return;
        }
        if self.outward.get() == Outward::Broken {
            return self.abort();
        }
        if self.is_unproven() && !self.keep_judge() {
            return self.abort();
        }
        // A half that has ended never opens again.
        if self.inward.get() != Inward::Ended {
            self.inward.set(Inward::Discarded);
        }
        drop(self.if_rare(|rare| rare.block.take()));
        let discards = u32::try_from(discards).unwrap_or(u32::MAX);
        self.with_rare(|rare| rare.discards = discards);
        self.arm_linger(&core, linger);
        self.finish();
        self.renew_interest(&core);
        self.dismiss(&core);
    }

    pub(super) fn arm_linger(self: &Rc<Self>, core: &Rc<Core>, linger: Duration) {
        let pipe = Rc::downgrade(self);
        let give_up = move |_: &Rc<Core>| {
            if let Some(pipe) = pipe.upgrade() {
                // What has not left by now must not stay with the system instead.
                pipe.reset_on_close();
                pipe.abort()
            }
        };
        let timer = core.at(core.now() + linger, Plain::boxed(Location::caller(), give_up));
        if let Some(earlier) = self.with_rare(|rare| rare.linger.replace(timer)) {
            core.cancel(earlier);
        }
    }

    /// Lets that look at what is thrown away.
    pub(crate) fn overhear(&self, overhears: Overhears) {
        let earlier = self.with_rare(|rare| rare.overhears.replace(overhears));
        drop(earlier);
    }

    /// Throws away what comes behind our own end. Of one that sends on and on, most stays where it
    /// is: reading it would help nobody but the sender. It is cut as soon as it can have heard us.
    #[cold]
    pub(super) fn discard(self: &Rc<Self>, core: &Rc<Core>, input: &Input<'_>) {
        let Input::Bytes(bytes) = input else { return };
        if self.inward.get() != Inward::Discarded {
            return;
        }
        if let Some(mut overhears) = self.if_rare(|rare| rare.overhears.take()) {
            let _caught = core.catch(Location::caller(), || overhears(bytes));
            self.with_rare(|rare| rare.overhears = Some(overhears));
        }
        let left = self.with_rare(|rare| {
            let read = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            rare.discards = rare.discards.saturating_sub(read);
            rare.discards as usize
        });
        // One read more could exceed what may be thrown away.
        if left < READ_BUFFER {
            self.inward.set(Inward::Spent);
            self.arm_linger(core, GRACE);
            self.renew_interest(core);
        }
    }
}
