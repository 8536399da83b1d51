//! The host seam: everything the kernel asks of the outside, as one trait with two implementations.
//!
//! The real host wraps `polling` and the operating system; the simulated one is a heap of events in
//! a [`World`](crate::world::World). No other file reads a clock, draws entropy, opens a socket or
//! waits.
//!
//! Invariants:
//! 1. A [`Socket`] or [`Acceptor`] is registered when it is made and deregistered, then closed,
//!    when it is dropped. Kept by
//!    `a_dropped_source_is_silent_and_its_number_can_be_registered_again`.
//! 2. Readiness is level-triggered as seen from here: what was not read is reported again by the
//!    next wait. Kept by `what_was_not_read_is_reported_again`.
//! 3. An event whose key is no longer registered may still arrive; whoever receives it compares
//!    generations. Kept by `tests/stale_events.rs`.

pub(crate) mod gone;
pub(crate) mod names;
pub(crate) mod os;
pub(crate) mod public_key;
pub(crate) mod ready;
pub(crate) mod rng;
pub(crate) mod sim;
pub(crate) mod socket;
pub(crate) mod text;
pub(crate) mod throttle;
pub(crate) mod time;

use crate::host::os::selector::Selector;
use crate::host::os::socket::RealSocket;
use crate::host::ready::{Key, Readiness, Resolved, Waited, Waker};
use crate::host::socket::Socket;
use crate::host::time::{Clock, Instant};
use std::fmt::Debug;
use std::io;
use std::ops::Deref;
use std::rc::Rc;
use std::time::Duration;
use zeroize::Zeroizing;

/// Says which outside a kernel has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The operating system.
    Real,
    /// One clock and one network in memory.
    Simulated,
}

/// The outside, as one kernel sees it.
pub(crate) trait Host: Debug {
    /// Returns which of them it is.
    fn mode(&self) -> Mode;

    /// Reads the monotonic clock. The kernel caches it once a turn.
    fn now(&self) -> Instant;

    /// Returns the same clock for those who ask often.
    fn clock(&self) -> Box<dyn Clock>;

    /// Lets the running handler take so long, where handlers take no time by themselves
    /// (simulation).
    fn pass(&self, _: Duration) {}

    /// Draws a seed for a generator: from the operating system, or from the world's seed. It is
    /// wiped when it is dropped.
    fn entropy(&self) -> io::Result<Zeroizing<[u8; 32]>>;

    /// Waits until something is ready, the waker is called, or `until` has come (`None`: for ever;
    /// at or before `now`: not at all).
    fn wait(&self, until: Option<Instant>, ready: &mut Vec<(Key, Readiness)>)
    -> io::Result<Waited>;

    /// Returns how other threads wake this host; `None` where there are no other threads
    /// (simulation).
    fn waker(&self) -> Option<Waker>;

    /// Starts to connect; writable when it is decided, and then [`Socket::connected`] tells how.
    fn connect(&self, key: Key, to: &Resolved) -> io::Result<AnySocket>;

    /// Listens: the acceptor is readable when there is someone to accept. Iff `is_private`, none
    /// but this user and root may connect over a Unix socket's file.
    fn listen(&self, key: Key, at: &Resolved, is_private: bool) -> io::Result<Box<dyn Acceptor>>;

    /// Returns, in a simulated world, how long the look-up of a name takes and what it finds;
    /// `None` for what is no such name.
    fn simulated_name(&self, _name: &str) -> Option<(Duration, Vec<String>)> {
        None
    }

    /// Returns the most descriptors the process may hold, where there is a limit.
    fn descriptor_limit(&self) -> Option<usize> {
        None
    }

    /// Returns the most bytes of memory the process may have, where there is a limit.
    fn memory_limit(&self) -> Option<u64> {
        None
    }

    /// Gives the system the pages back that the allocator holds and nobody uses.
    fn give_pages_back(&self) {}

    /// Returns where descriptors of other kinds are waited for; `None` in a simulation, which has
    /// none.
    fn selector(&self) -> Option<&Rc<Selector>>;

    /// Returns what its world calls it, where there are several.
    fn name(&self) -> Option<String> {
        None
    }
}

/// A socket of either host, or a cover of one. The real one is in place, since a server holds many
/// of them.
#[derive(Debug)]
pub(crate) enum AnySocket {
    Real(RealSocket),
    Simulated(Box<dyn Socket>),
    /// Covers one of the others.
    Cover(Box<dyn Socket>),
}

const _: () = assert!(size_of::<Option<AnySocket>>() <= 24, "there is one in every connection");

impl AnySocket {
    /// Returns the socket if it covers another one, so that it may do something by itself.
    #[inline]
    pub(crate) fn cover(&self) -> Option<&dyn Socket> {
        match self {
            Self::Real(_) | Self::Simulated(_) => None,
            Self::Cover(socket) => Some(&**socket),
        }
    }
}

impl Deref for AnySocket {
    type Target = dyn Socket;

    #[inline]
    fn deref(&self) -> &Self::Target {
        match self {
            Self::Real(socket) => socket,
            Self::Simulated(socket) | Self::Cover(socket) => &**socket,
        }
    }
}

/// A listening socket.
pub(crate) trait Acceptor: Debug {
    /// Takes the next connection and registers it under the key that `key` hands out.
    fn accept(&self, key: &mut dyn FnMut() -> Key) -> io::Result<AnySocket>;
    /// Pauses or resumes reports of waiting connections.
    fn interest(&self, readable: bool) -> io::Result<()>;
    /// Sets how many bytes the system may hold for each connection in each direction, where it
    /// takes that over from here.
    fn set_buffers(&self, bytes: usize) -> io::Result<()>;
    /// Returns where it listens, with port 0 replaced by the real one.
    fn local(&self) -> io::Result<Resolved>;
}
