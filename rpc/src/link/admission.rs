//! Lists the peers that were admitted by their keys.
//!
//! Invariants:
//! 1. A link is in the list iff it lives, was accepted by a sealed listener, and was admitted. Kept
//!    by `forget`, `per_key`.
//! 2. The timer runs iff somebody is in the list. Kept by `nobody_is_asked_when_nobody_is_in`.

use crate::link::key::LinkKey;
use crate::security::allow::Allow;
use peers_kernel::{Handle, PublicKey, TimerId};
use std::cell::{Cell, RefCell};

/// Those who were admitted, and by which policy.
#[derive(Default)]
pub(crate) struct Admitted {
    list: RefCell<Vec<Proven>>,
    /// Says when it is asked next whether they may stay.
    pub(crate) timer: Cell<Option<TimerId>>,
}

struct Proven {
    link: LinkKey,
    /// The beginning of the peer's key, in which most differ.
    key: [u8; 8],
    allow: Allow,
}

fn beginning(key: &PublicKey) -> [u8; 8] {
    key.0.first_chunk().copied().unwrap_or_default()
}

impl Admitted {
    pub(crate) fn add(&self, link: LinkKey, peer: &PublicKey, allow: &Allow) {
        let (key, allow) = (beginning(peer), allow.clone());
        self.list.borrow_mut().push(Proven { link, key, allow });
    }

    /// Removes one that has ended.
    pub(crate) fn forget(&self, link: LinkKey, handle: &Handle) {
        let mut list = self.list.borrow_mut();
        let at = list.iter().position(|one| one.link == link);
        debug_assert!(at.is_some(), "who was admitted is in the list until it ends");
        let Some(at) = at else { return };
        let gone = list.swap_remove(at);
        if list.len() * 4 < list.capacity() {
            list.shrink_to_fit();
        }
        let timer = if list.is_empty() { self.timer.take() } else { None };
        drop(list);
        if let Some(timer) = timer {
            handle.cancel(timer);
        }
        drop(gone); // after the borrow: a policy may own anything of the program's
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.borrow().is_empty()
    }

    /// Counts the connections of this peer, of which `has_key` tells whether a link has its key.
    pub(crate) fn count(&self, peer: &PublicKey, has_key: impl Fn(LinkKey) -> bool) -> usize {
        let like = beginning(peer);
        self.list.borrow().iter().filter(|one| one.key == like && has_key(one.link)).count()
    }

    pub(crate) fn len(&self) -> usize {
        self.list.borrow().len()
    }

    /// Returns those whom `by` has admitted, or all, and the policy of each.
    pub(crate) fn by(&self, by: Option<&Allow>) -> Vec<(LinkKey, Allow)> {
        let list = self.list.borrow();
        let chosen = list.iter().filter(|one| by.is_none_or(|by| by.is(&one.allow)));
        chosen.map(|one| (one.link, one.allow.clone())).collect()
    }
}
