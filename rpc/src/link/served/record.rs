//! The record of one call that is being served.

use crate::interface::Method;
use crate::link::key::LinkKey;
use crate::session::CallId;
use crate::{Error, Reply};
use peers_kernel::{Cause, Instant, Lost};
use peers_wire::Trace;
use smallvec::SmallVec;

/// A call made for another one.
pub(crate) struct Nested {
    pub(crate) link: LinkKey,
    pub(crate) id: CallId,
}

/// The calls made for another one.
pub(crate) type NestedCalls = SmallVec<[Nested; 1]>;

/// One call being served. There may be many, so it is small.
pub(crate) struct Record {
    pub(super) generation: u32,
    pub(super) depth: u16,
    pub(super) stage: Stage,
    /// An event has no id.
    pub(super) is_event: bool,
    /// The caller's id for it.
    pub(super) id: u64,
    /// The connection that it came by.
    pub(super) link: LinkKey,
    /// [`Instant::FAR`] is never.
    pub(super) deadline: Instant,
    pub(super) method: &'static Method,
    /// Holds what few calls have.
    pub(super) extras: Option<Box<Extras>>,
    pub(super) nested: NestedCalls,
}

const _: () = assert!(size_of::<Record>() <= 72, "held calls should cost little");

/// Says where a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its handler is on the stack, and owes nothing yet.
    Started,
    /// A reply is owed later.
    Running,
    /// The reply was given before the handler returned, and is on its way through the loop's queue.
    Answered,
    /// It was running, but nobody waits for it any more.
    Over,
    /// It was answered, and nobody waits for that any more.
    Past,
}

impl Stage {
    /// Returns whether it takes a place.
    pub(super) const fn has_place(self) -> bool {
        matches!(self, Self::Running | Self::Over)
    }

    /// Returns whether somebody waits for a reply that was not sent yet.
    pub(super) const fn is_awaited(self) -> bool {
        matches!(self, Self::Running | Self::Answered)
    }
}

/// Holds what few calls have.
#[derive(Default)]
pub(crate) struct Extras {
    /// Iff its caller traces.
    pub(super) traced: Option<Traced>,
    /// Resumed if nobody waits any more before it is answered.
    pub(super) watchers: Vec<Reply<()>>,
}

/// It has been answered: who waited for the contrary is told so, and does nothing.
impl Drop for Extras {
    fn drop(&mut self) {
        for watcher in self.watchers.drain(..) {
            watcher.err(Error::from(Lost::Dropped));
        }
    }
}

/// A place in a tree of calls.
pub(super) struct Traced {
    pub(super) trace: Trace,
    /// The parent of calls made for this one.
    pub(super) span: u64,
}

impl Record {
    /// The generation of one that has ended. No cause of ours has it, but others may:
    /// [`Cause::NONE`], and what a program makes.
    pub(super) const ENDED: u32 = 0;

    /// Makes one to be filled.
    pub(super) fn ended() -> Self {
        Self {
            generation: Self::ENDED,
            depth: 0,
            stage: Stage::Started,
            is_event: false,
            id: 0,
            link: LinkKey::default(),
            deadline: Instant::FAR,
            method: &Method::NONE,
            extras: None,
            nested: NestedCalls::new(),
        }
    }

    /// Returns whether this is what the cause names.
    pub(super) fn is_of(&self, cause: Cause) -> bool {
        self.generation == cause.generation() && self.generation != Self::ENDED
    }

    /// Returns the caller's id for it; `None` for an event.
    pub(crate) fn call(&self) -> Option<u64> {
        (!self.is_event).then_some(self.id)
    }

    /// Returns the connection that it came by.
    pub(crate) fn came_by(&self) -> LinkKey {
        self.link
    }

    /// Returns whether nobody waits for it any more.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over | Stage::Past)
    }

    /// Returns whether it takes a place.
    pub(crate) fn has_place(&self) -> bool {
        self.stage.has_place()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        (self.deadline != Instant::FAR).then_some(self.deadline)
    }

    pub(super) fn traced(&self) -> Option<&Traced> {
        self.extras.as_ref()?.traced.as_ref()
    }

    /// Remembers a call made for this one. Before there would be room for twice as many, those go
    /// that are not pending any more.
    pub(super) fn adopt(&mut self, nested: Nested, is_pending: impl Fn(&Nested) -> bool) {
        let all = &mut self.nested;
        // Pruned before it grows, so that a call that makes many in a row holds those that wait.
        if all.spilled() && all.len() == all.capacity() {
            all.retain(|nested| is_pending(nested));
            if all.len() > all.capacity() / 2 {
                all.reserve(all.capacity());
            }
        }
        debug_assert!(!all.spilled() || all.len() < all.capacity(), "what is made grows nothing");
        all.push(nested);
    }
}
