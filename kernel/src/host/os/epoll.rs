//! Waits on Linux with one system call instead of the five that `polling` makes.
//!
//! Only the wait: registering stays with [`crate::host::os::poller`]. Everything here is safe code.
//!
//! Invariants:
//! 1. `polling` stores the key of a source as the data of its epoll event, and `u64::MAX` for its
//!    own notification. That is so in 3.11, to which the workspace is pinned, and the tests of
//!    `poller.rs` fail if it changes. Kept by `keys_survive_packing`.
//! 2. Every flag that `polling` asks for counts as readable or writable. One that counted as
//!    neither would be reported again and again, and nobody would do anything about it. Kept by
//!    `tests/urgent.rs`.
//! 3. A notification counts as taken only when `polling` itself has waited once more; until then it
//!    would swallow every later one. So whenever one shows, the poller is asked, without waiting.
//!    Kept by `every_notification_ends_a_wait`.

use crate::host::os::poller::unpack;
use crate::host::ready::{Key, Readiness, Waited};
use polling::Poller;
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventFlags};
use rustix::io::Errno;
use std::cell::RefCell;
use std::io;
use std::time::Duration;

/// Events taken by one system call; fewer in this crate's own tests, which have few descriptors.
const BATCH: usize = if cfg!(test) { 64 } else { 1024 };
/// Says how often one wait asks again because more is ready than one call tells.
const MOST_BATCHES: usize = 64;
/// The key that `polling` stores for its own notification.
const NOTIFICATION: u64 = u64::MAX;

const FAILED: EventFlags = EventFlags::HUP.union(EventFlags::ERR);
/// Among them urgent bytes of TCP, which reading skips.
const READABLE: EventFlags = EventFlags::IN.union(EventFlags::PRI).union(FAILED);
const WRITABLE: EventFlags = EventFlags::OUT.union(FAILED);

/// Room for the events of one wait.
pub(crate) struct Epoll {
    events: RefCell<Vec<epoll::Event>>,
}

impl Default for Epoll {
    fn default() -> Self {
        Self { events: RefCell::new(Vec::with_capacity(BATCH)) }
    }
}

impl Epoll {
    /// Waits, and asks again where more is ready than one call tells: whoever looks at the clock
    /// afterwards shall have heard of everything that came before. The system tells of all in turn,
    /// so all have been told once it tells of the first again. `take` takes a notification.
    pub(crate) fn wait(
        &self,
        poller: &Poller,
        timeout: Option<Duration>,
        ready: &mut Vec<(Key, Readiness)>,
        take: impl Fn() -> io::Result<()>,
    ) -> io::Result<Waited> {
        let before = ready.len();
        let mut waited = self.wait_once(poller, timeout, ready, &take)?;
        for _ in 1..=MOST_BATCHES {
            if self.events.borrow().len() < BATCH {
                break;
            }
            let (first, told) = (ready.get(before).map(|(key, _)| *key), ready.len());
            waited = self.wait_once(poller, Some(Duration::ZERO), ready, &take)?;
            if ready.iter().skip(told).any(|(key, _)| Some(*key) == first) {
                break;
            }
        }
        Ok(waited)
    }

    fn wait_once(
        &self,
        poller: &Poller,
        timeout: Option<Duration>,
        ready: &mut Vec<(Key, Readiness)>,
        take: &impl Fn() -> io::Result<()>,
    ) -> io::Result<Waited> {
        let mut events = self.events.borrow_mut();
        events.clear();
        // A time-out too long for the system's type is for ever.
        let limit = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        match epoll::wait(poller, spare_capacity(&mut events), limit.as_ref()) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(Waited::Interrupted),
            Err(error) => return Err(error.into()),
        }
        let notified = events.iter().any(|event| { event.data }.u64() == NOTIFICATION);
        let sources = events.iter().filter(|event| { event.data }.u64() != NOTIFICATION);
        ready.extend(sources.map(|event| {
            let (flags, data) = (event.flags, event.data);
            let readiness = Readiness {
                readable: flags.intersects(READABLE),
                writable: flags.intersects(WRITABLE),
            };
            (unpack(data.u64() as usize), readiness)
        }));
        // Until the poller has taken it, it would swallow every later one.
        if notified {
            take()?;
        }
        Ok(Waited::Over)
    }
}
