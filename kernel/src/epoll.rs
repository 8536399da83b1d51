//! Waiting on Linux with one system call instead of the five that `polling` makes.
//!
//! Only the wait: registering stays with [`crate::poller`]. Everything here is safe code.
//!
//! Invariants:
//! 1. `polling` stores the key of a source as the data of its epoll event, and `u64::MAX` for its own notification. That
//!    is so in 3.11, to which the workspace is pinned, and the tests of `poller.rs` fail if it changes.
//! 2. A notification counts as taken only when `polling` itself has waited once more; until then it would swallow
//!    every later one. So whenever one shows, the poller is asked, without waiting.

use crate::host::{Key, Readiness};
use crate::poller::unpack;
use polling::Poller;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use std::cell::{Cell, RefCell};
use std::io;
use std::time::Duration;

/// Events taken by one wait; the rest come with the next.
const BATCH: usize = 1024;
/// What `polling` stores for its own notification.
const NOTIFICATION: u64 = u64::MAX;

/// Room for the events of one wait.
pub(crate) struct Epoll {
    events: RefCell<Vec<epoll::Event>>,
    /// The system lacks `epoll_pwait2` (Linux before 5.11): leave waiting to `polling`.
    unsupported: Cell<bool>,
}

/// How a wait ended.
pub(crate) enum Outcome {
    /// Everything that was ready has been told.
    Done,
    /// Nothing has been told yet: ask the poller, with this time-out.
    AskPoller(Option<Duration>),
}

impl Default for Epoll {
    fn default() -> Self {
        Self { events: RefCell::new(Vec::with_capacity(BATCH)), unsupported: Cell::new(false) }
    }
}

impl Epoll {
    pub(crate) fn wait(
        &self,
        poller: &Poller,
        timeout: Option<Duration>,
        ready: &mut Vec<(Key, Readiness)>,
    ) -> io::Result<Outcome> {
        if self.unsupported.get() {
            return Ok(Outcome::AskPoller(timeout));
        }
        let mut events = self.events.borrow_mut();
        events.clear();
        // A time-out too long for the system's type is for ever.
        let limit = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        match epoll::wait(poller, spare_capacity(&mut events), limit.as_ref()) {
            Ok(_) => {}
            // A signal handler ran. The caller computes its time-out anew.
            Err(Errno::INTR) => return Ok(Outcome::Done),
            Err(Errno::NOSYS) => {
                self.unsupported.set(true);
                return Ok(Outcome::AskPoller(timeout));
            }
            Err(error) => return Err(error.into()),
        }
        if events.iter().any(|event| { event.data }.u64() == NOTIFICATION) {
            // Sources are level-triggered, so the poller reports again all that is thrown away here.
            return Ok(Outcome::AskPoller(Some(Duration::ZERO)));
        }
        ready.extend(events.iter().map(|event| {
            let (flags, data) = (event.flags, event.data);
            let failed = flags.intersects(epoll::EventFlags::HUP | epoll::EventFlags::ERR);
            let readiness = Readiness {
                readable: failed || flags.contains(epoll::EventFlags::IN),
                writable: failed || flags.contains(epoll::EventFlags::OUT),
            };
            (unpack(data.u64() as usize), readiness)
        }));
        Ok(Outcome::Done)
    }
}
