//! Tells how old what lies in the socket is: the loop is told that there is something, and not
//! since when.
//!
//! Whoever counts deadlines from when a request came must not count anew what a full read left
//! behind, or what came while nobody read. In doubt bytes are taken to be older than they are.
//!
//! Invariant: bytes are taken to be at least as old as those behind them.

use crate::core::Core;
use crate::host::time::Instant;
use crate::io::pipe::Pipe;
use crate::io::pipe::state::Inward;

/// Bytes in the socket that may have been there since an instant.
#[derive(Clone, Copy)]
pub(super) struct Rest {
    bytes: usize,
    since: Instant,
}

impl Pipe {
    /// Lets the core know since when what is read next may have been there. Returns when the loop
    /// was told.
    #[inline]
    pub(super) fn date(core: &Core, rest: Option<Rest>) -> Instant {
        let told = core.arrived.get();
        if let Some(rest) = rest {
            core.arrived.set(rest.since.min(told));
        }
        told
    }

    /// Notes that so many bytes were read, and that there may be a rest.
    #[cold]
    pub(super) fn renew_rest(&self, count: usize, rest: bool, told: Instant) {
        // Of a socket that is covered the system counts cipher text: what was read is less of it.
        let is_exact = self.with_cover(|_| ()).is_none();
        let unread = if rest || !is_exact { self.unread() } else { 0 };
        let most = if is_exact { usize::MAX } else { unread };
        if self.with_socket(|_| ()).is_none() {
            return; // closed meanwhile
        }
        self.with_rare(|rare| {
            let less = |bytes: usize| bytes.saturating_sub(count).min(most);
            let left = rare.rest.map(|rest| Rest { bytes: less(rest.bytes), ..rest });
            let behind = Rest { bytes: unread, since: told };
            let is_rest = rest && unread > 0;
            rare.rest = left.filter(|rest| rest.bytes > 0).or_else(|| is_rest.then_some(behind));
            rare.behind = rare.behind.map(less);
        });
        self.if_rare(|_| Some(())); // gives it back if it is empty
    }

    /// Returns whether something is unread that had arrived when this was asked first since it was
    /// no.
    pub(crate) fn is_behind(&self) -> bool {
        let before = self.if_rare(|rare| rare.behind);
        let unread = if self.inward.get() == Inward::Open { self.unread() } else { 0 };
        let behind = before.unwrap_or(unread).min(unread);
        if behind > 0 {
            self.with_rare(|rare| rare.behind = Some(behind));
        } else if before.is_some() {
            self.if_rare(|rare| rare.behind.take());
        }
        behind > 0
    }

    /// Reads no more, until [`resume`](Self::resume).
    pub(crate) fn pause(&self) {
        if let Some(core) = self.switch(Inward::Open, Inward::Paused) {
            self.with_rare(|rare| {
                let since = rare.rest.map_or_else(|| core.now(), |rest| rest.since);
                rare.rest = Some(Rest { bytes: usize::MAX, since });
            });
        }
    }

    pub(crate) fn resume(&self) {
        if let Some(core) = self.switch(Inward::Paused, Inward::Open) {
            if self.holds() {
                self.note_readable(&core)
            }
            let unread = self.unread();
            self.if_rare(|rare| {
                let rest = rare.rest.map(|rest| Rest { bytes: rest.bytes.min(unread), ..rest });
                rare.rest = rest.filter(|rest| rest.bytes > 0);
                Some(())
            });
        }
    }

    /// Returns how many bytes have arrived and were not read.
    fn unread(&self) -> usize {
        self.ask(|socket| socket.unread()).unwrap_or_default()
    }
}
