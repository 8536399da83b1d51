//! The processes of one loop: a program may have more than one [`Rpc`](crate::Rpc) there, and calls
//! that one of them serves may lead to calls over connections of another.
//!
//! Invariant: all processes of this thread that serve calls are in [`ALL`]. Kept by
//! `a_call_over_the_connections_of_another_rpc_has_its_deadline_too`.

use crate::link::context::LinkContext;
use peers_kernel::Cause;
use std::cell::RefCell;
use std::rc::{Rc, Weak};

thread_local! {
    /// The processes of this thread, of whatever loop.
    static ALL: RefCell<Vec<Weak<LinkContext>>> = const { RefCell::new(Vec::new()) };
}

impl LinkContext {
    /// Lets the others of its loop find it.
    pub(crate) fn meet_siblings(&self) {
        ALL.with_borrow_mut(|all| {
            // Only before it would grow, so that each one pays for one look.
            if all.len() == all.capacity() {
                all.retain(|context| context.strong_count() > 0);
            }
            all.push(self.me.clone());
        });
    }

    /// Returns who serves, or has served, the call that `cause` names, if that is not this one.
    #[cold]
    pub(crate) fn sibling_that_knows(&self, cause: Cause) -> Option<Rc<Self>> {
        if cause.is_none() || self.serving.borrow().knows(cause) {
            return None;
        }
        let knows = |context: &Rc<Self>| {
            let same_loop = context.handle.is_of_same_loop(&self.handle);
            same_loop && context.serving.borrow().knows(cause)
        };
        ALL.with_borrow(|all| all.iter().filter_map(Weak::upgrade).find(knows))
    }
}
