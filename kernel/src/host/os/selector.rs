//! Waits for what is registered: on Linux by our own wait, elsewhere by the poller's.
//!
//! Invariant: on Linux the poller is asked only in order to take a notification, and nothing that
//! it tells then is lost, since sources are level-triggered.

#[cfg(target_os = "linux")]
use crate::host::os::epoll::Epoll;
#[cfg(not(target_os = "linux"))]
use crate::host::os::poller::unpack;
use crate::host::ready::{Key, Readiness, Waited};
use polling::{Events, PollMode, Poller};
use std::cell::RefCell;
use std::fmt;
use std::io;
#[cfg(target_os = "linux")]
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

/// A poller and room for the events of one wait.
pub(crate) struct Selector {
    poller: Arc<Poller>,
    mode: PollMode,
    events: RefCell<Events>,
    #[cfg(target_os = "linux")]
    epoll: Epoll,
}

/// Returns room for what the poller tells: on Linux it is only asked in order to take a
/// notification.
#[cfg(target_os = "linux")]
fn room() -> Events {
    Events::with_capacity(NonZeroUsize::MIN)
}

#[cfg(not(target_os = "linux"))]
fn room() -> Events {
    Events::new()
}

impl Selector {
    pub(crate) fn new() -> io::Result<Self> {
        let poller = Poller::new()?;
        let mode = if poller.supports_level() { PollMode::Level } else { PollMode::Oneshot };
        Ok(Self {
            poller: Arc::new(poller),
            mode,
            events: RefCell::new(room()),
            #[cfg(target_os = "linux")]
            epoll: Epoll::default(),
        })
    }

    /// Returns how sources are registered with the poller.
    pub(crate) fn mode(&self) -> PollMode {
        self.mode
    }

    /// Returns what wakes [`Selector::wait`] from another thread.
    pub(crate) fn poller(&self) -> &Arc<Poller> {
        &self.poller
    }

    /// Appends what is ready to `ready`; waits for it at most `timeout` (`None`: for ever). May
    /// return early with nothing.
    #[cfg(target_os = "linux")]
    pub(crate) fn wait(
        &self,
        timeout: Option<Duration>,
        ready: &mut Vec<(Key, Readiness)>,
    ) -> io::Result<Waited> {
        // Sources are level-triggered, so nothing that the poller tells here is lost.
        let take = || self.ask(Some(Duration::ZERO));
        self.epoll.wait(&self.poller, timeout, ready, take)
    }

    /// Appends what is ready to `ready`; waits for it at most `timeout` (`None`: for ever). May
    /// return early with nothing.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn wait(
        &self,
        timeout: Option<Duration>,
        ready: &mut Vec<(Key, Readiness)>,
    ) -> io::Result<Waited> {
        self.ask(timeout)?;
        ready.extend(self.events.borrow().iter().map(|event| {
            (unpack(event.key), Readiness { readable: event.readable, writable: event.writable })
        }));
        Ok(Waited::Over)
    }

    /// Asks the poller, which takes a notification by that.
    fn ask(&self, timeout: Option<Duration>) -> io::Result<()> {
        let mut events = self.events.borrow_mut();
        events.clear();
        self.poller.wait(&mut events, timeout).map(|_| ())
    }
}

impl fmt::Debug for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Selector").field("mode", &self.mode).finish_non_exhaustive()
    }
}
