//! Large frames whose value is one run of bytes: the rest is read to where the value may stay, into
//! memory that the process's output is done with, so that large values come, go and leave again
//! without being copied.
//!
//! Invariants:
//! 1. Such a frame goes the way of all frames; only its value lies elsewhere. Kept by
//!    `tests/large_values.rs`.
//! 2. No memory is made for bytes that have not come; what frames hold of it ahead of them is
//!    bounded for the whole process. Kept by
//!    `what_frames_hold_ahead_of_their_arrival_is_bounded_and_comes_back`.

use super::Link;
use crate::link::context::LinkContext;
use crate::session::Inbound;
use peers_kernel::Outlet;
use peers_wire::Front;
use std::rc::{Rc, Weak};

/// Holds what is known of a frame whose run is being read.
struct Begun {
    front: Front,
    _ahead: Ahead,
}

/// A part of what frames hold ahead of their arrival.
struct Ahead {
    context: Weak<LinkContext>,
    bytes: usize,
}

impl Ahead {
    fn of(context: &LinkContext, bytes: usize) -> Option<Self> {
        let held = context.buffers.hold_ahead(bytes);
        held.then(|| Self { context: context.me.clone(), bytes })
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        if let Some(context) = self.context.upgrade() {
            context.buffers.let_go_ahead(self.bytes);
        }
    }
}

impl Link {
    /// Lets the rest of such a frame be read to where its value may stay, if one is owed and there
    /// is memory.
    pub(crate) fn lend_run(
        &self,
        outlet: &Outlet,
        inbound: &mut Inbound,
        pooled: &mut Vec<u8>,
    ) -> bool {
        let mut ahead = None;
        let taken = inbound.lend_run(pooled, |bytes| {
            ahead = Ahead::of(self.context(), bytes);
            ahead.as_ref().and_then(|_| self.handle().pooled_buffer_just_for(bytes))
        });
        if let (Some((front, run)), Some(ahead)) = (taken, ahead) {
            self.read_run(outlet, Begun { front, _ahead: ahead }, run);
            return true;
        }
        false
    }

    fn read_run(&self, outlet: &Outlet, begun: Begun, run: Vec<u8>) {
        let me = self.weak();
        outlet.read_into(run, move |run| {
            if let Some(link) = me.upgrade() {
                link.received_of_run(begun, run);
            }
        });
    }

    fn received_of_run(self: &Rc<Self>, begun: Begun, mut run: Vec<u8>) {
        if run.len() < begun.front.run() {
            return self.read_on(begun, run);
        }
        let behind = run.split_off(begun.front.run());
        self.received(&behind, |_, pooled, now| {
            let flow = self.take_run(now, begun.front.frame(), &mut run);
            // A value that was not kept leaves its memory.
            if run.capacity() > pooled.capacity() {
                *pooled = run;
            }
            flow
        });
    }

    /// Reads on, since not all of it has come.
    fn read_on(self: &Rc<Self>, begun: Begun, run: Vec<u8>) {
        self.batch(|| {
            let (now, held) = (self.begin_input(), begun.front.len() + run.len());
            if let Some(outlet) = self.open_outlet() {
                self.read_run(outlet, begun, run);
            }
            self.note_partial(held);
            self.step(|session, out| session.end_input(now, held, out))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::link::buffers::MOST_AHEAD;
    use crate::link::own_key::OwnKey;
    use peers_kernel::Kernel;
    use peers_wire::NodeId;

    #[test]
    fn what_frames_hold_ahead_of_their_arrival_is_bounded_and_comes_back() {
        let kernel = Kernel::simulated(1);
        let context = LinkContext::new(
            kernel.handle(),
            NodeId::from_bits(1),
            Limits::default(),
            OwnKey::none(),
        );
        let first = Ahead::of(&context, MOST_AHEAD - 1);
        let second = Ahead::of(&context, 1);
        assert!(first.is_some() && second.is_some());
        assert!(Ahead::of(&context, 1).is_none());
        drop(second);
        assert!(Ahead::of(&context, 2).is_none() && Ahead::of(&context, usize::MAX).is_none());
        drop(first);
        assert_eq!(context.buffers.held_ahead(), 0);
        assert!(Ahead::of(&context, MOST_AHEAD).is_some());
    }
}
