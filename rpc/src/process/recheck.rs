//! Asks the program's policies: whether a peer may come in, and from time to time whether those who
//! are in may stay.

use crate::link::context::LinkContext;
use crate::link::{Link, Signs};
use crate::security::SecurityError;
use crate::security::allow::{Allow, Asked};
use crate::session::CloseReason;
use peers_kernel::{Cause, PublicKey};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

/// Says how often it is asked whether those who are in may stay.
const AGAIN: Duration = Duration::from_secs(15);

impl LinkContext {
    /// Notes that a link was let in by the word of `allow`.
    pub(crate) fn note_admitted(&self, link: &Link, peer: &PublicKey, allow: &Allow) {
        debug_assert!(link.is_open(), "who has ended is never taken off the list");
        self.admitted.add(link.key(), peer, allow);
        link.show(Signs::ADMITTED, true);
        if self.admitted.timer.get().is_none() {
            self.ask_again_later();
        }
    }

    /// Returns whether as many connections of this peer were admitted as one may have.
    pub(crate) fn is_crowded_by(&self, peer: &PublicKey) -> bool {
        let most = self.limits.per_key;
        let has_key = |key| self.link(key).is_some_and(|link| link.peer_key() == Some(*peer));
        self.admitted.len() >= most && self.admitted.count(peer, has_key) >= most
    }

    fn ask_again_later(&self) {
        let me = self.me.clone();
        let timer = self.handle.with_cause(Cause::NONE, || {
            self.handle.after(AGAIN, move || {
                if let Some(context) = me.upgrade() {
                    context.admitted.timer.take();
                    context.ask_again(None);
                    if !context.admitted.is_empty() {
                        context.ask_again_later();
                    }
                }
            })
        });
        self.admitted.timer.set(Some(timer));
    }

    /// Asks from a fresh task whether those may stay whom `allow` has let in.
    pub(crate) fn ask_again_soon(&self, allow: &Allow) {
        let (me, allow) = (self.me.clone(), allow.clone());
        self.handle.with_cause(Cause::NONE, || {
            self.handle.schedule(move || {
                if let Some(context) = me.upgrade() {
                    context.ask_again(Some(&allow));
                }
            });
        });
    }

    /// Asks whether those who are in may stay, if it is this policy that has let them in. Who may
    /// not is told so.
    fn ask_again(&self, by: Option<&Allow>) {
        for (key, allow) in self.admitted.by(by) {
            let Some(link) = self.link(key) else { continue };
            let Some(peer) = link.peer_key() else { continue };
            if !self.allows(&allow, &peer, Asked::Stays) {
                link.close(CloseReason::Security(SecurityError::Stranger { key: peer }));
            }
        }
    }

    /// Asks a policy of the program's. A panic is a no, and reported as those of handlers are.
    pub(crate) fn allows(&self, allow: &Allow, peer: &PublicKey, asked: Asked) -> bool {
        self.survive(|| allow.allows(peer, asked)).unwrap_or(false)
    }

    /// Runs code of the program's in the middle of something that has to go on if it panics.
    pub(crate) fn survive<R>(&self, f: impl FnOnce() -> R) -> Option<R> {
        match catch_unwind(AssertUnwindSafe(f)) {
            Ok(result) => Some(result),
            Err(panic) => {
                self.handle.with_cause(Cause::NONE, || {
                    self.handle.schedule(move || resume_unwind(panic));
                });
                None
            }
        }
    }
}
