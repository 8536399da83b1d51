//! The goodbye to connections that are never used: there is no room for them, or whoever wanted
//! them has gone.
//!
//! A connection that is cut without a word looks to its peer like a crash. So the peer is told why,
//! in a hello and a goodbye; and because the system needs some time to bring that there, only a few
//! connections at a time are held for it: a crowd takes no descriptors.

use crate::limits::Limits;
use crate::session::{CloseReason, Role, Session};
use peers_kernel::{Handle, Instant, Stream};
use peers_wire::NodeId;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// Says how long the kernel holds a connection that was closed, at most.
const HELD: Duration = Duration::from_secs(5);

/// Connections that are told within [`HELD`], where descriptors are not few; of those, one of so
/// many.
const MOST: usize = 64;
const SHARE: usize = 16;

/// Says goodbye to connections.
pub(crate) struct Farewell {
    handle: Handle,
    node: NodeId,
    limits: Rc<Limits>,
    most: usize,
    /// Says when the present span began, and how many were told in it.
    told: Cell<(Instant, usize)>,
}

impl Farewell {
    pub(crate) fn new(handle: Handle, node: NodeId, limits: Rc<Limits>) -> Self {
        let descriptors = handle.descriptor_limit().unwrap_or(usize::MAX);
        let most = (descriptors / SHARE).clamp(1, MOST);
        Self { handle, node, limits, most, told: Cell::default() }
    }

    /// Tells the peer why the connection ends, unless too many were told just now, and closes it.
    pub(crate) fn say(&self, stream: Stream, reason: &CloseReason) {
        let now = self.handle.now();
        let (since, count) = self.told.get();
        // So many in a while, since each holds a descriptor for as long.
        let (since, count) = if now - since >= HELD { (now, 0) } else { (since, count) };
        if count >= self.most {
            return; // cut, as the stream is dropped
        }
        self.told.set((since, count + 1));
        let mut output = Vec::new();
        let (role, limits) = (Role::Accepted, self.limits.clone());
        let mut session = Session::<()>::new(role, self.node, limits, now, &mut output);
        session.bye_for(reason, &mut output);
        // What does not fit into an output that is empty will not fit at all.
        let _fits = stream.outlet().write(&output);
    }
}
