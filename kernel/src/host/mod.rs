//! The host seam: everything the kernel asks of the outside, as one trait with two implementations.
//!
//! The real host wraps `polling` and the operating system; the simulated one is a heap of events in
//! a [`World`](crate::world::World). No other file reads a clock, draws entropy, opens a socket or
//! waits.
//!
//! Invariants:
//! 1. A [`Socket`] or [`Acceptor`] is registered when it is made and deregistered, then closed,
//!    when it is dropped.
//! 2. Readiness is level-triggered as seen from here: what was not read is reported again by the
//!    next wait.
//! 3. An event whose key is no longer registered may still arrive; whoever receives it compares
//!    generations.

pub(crate) mod gone;
pub(crate) mod names;
pub(crate) mod os;
pub(crate) mod rng;
pub(crate) mod sim;
pub(crate) mod throttle;
pub(crate) mod time;

use crate::host::os::RealSocket;
use crate::host::time::Clock;
use crate::host::time::Instant;
use std::fmt::Debug;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Names a registered source: a slot and the generation that lived in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

/// Holds what a source is ready for. Errors and hang-ups show as both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Readiness {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}

/// An address with nothing left to look up.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Resolved {
    Inet(SocketAddr),
    Unix(PathBuf),
    Sim(String),
}

/// Says how a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    /// Everything that is ready has been told, if anything is.
    Over,
    /// A signal came, or the process was stopped and continues: nothing has been told, whatever is
    /// ready.
    Interrupted,
}

/// Wakes a waiting host from any thread; calls before the next wait coalesce.
pub(crate) type Waker = Arc<dyn Fn() + Send + Sync>;

/// The outside, as one kernel sees it.
pub(crate) trait Host: Debug {
    /// The monotonic clock, now. The kernel caches it once a turn.
    fn now(&self) -> Instant;

    /// Returns the same clock for those who ask often.
    fn clock(&self) -> Box<dyn Clock>;

    /// Lets the running handler take so long, where handlers take no time by themselves
    /// (simulation).
    fn pass(&self, _: Duration) {}

    /// A seed for the kernel's generator: from the operating system, or from the world's seed.
    fn entropy(&self) -> io::Result<[u8; 32]>;

    /// Waits until something is ready, the waker is called, or `until` has come (`None`: for ever;
    /// at or before `now`: not at all).
    fn wait(&self, until: Option<Instant>, ready: &mut Vec<(Key, Readiness)>)
    -> io::Result<Waited>;

    /// Returns how other threads wake this host; `None` where there are no other threads
    /// (simulation).
    fn waker(&self) -> Option<Waker>;

    /// Starts to connect; writable when it is decided, and then [`Socket::connected`] tells how.
    fn connect(&self, key: Key, to: &Resolved) -> io::Result<AnySocket>;

    /// Listens; readable when there is someone to accept.
    fn listen(&self, key: Key, at: &Resolved) -> io::Result<Box<dyn Acceptor>>;

    /// In a simulated world, how long the look-up of a name takes and what it finds; `None` for
    /// what is no such name.
    fn simulated_name(&self, _name: &str) -> Option<(Duration, Vec<String>)> {
        None
    }

    /// The most descriptors the process may hold, where there is a limit.
    fn descriptor_limit(&self) -> Option<usize> {
        None
    }

    /// The most bytes of memory the process may have, where there is a limit.
    fn memory_limit(&self) -> Option<u64> {
        None
    }

    /// Gives the system the pages back that the allocator holds and nobody uses.
    fn give_pages_back(&self) {}

    /// The real host, for what only it can do (descriptors, signals, names).
    fn real(&self) -> Option<&crate::host::os::RealHost>;

    /// Returns what its world calls it, where there are several.
    fn name(&self) -> Option<String> {
        None
    }
}

/// One end of a byte stream, non-blocking. Interest at birth: writable for a dialled one, readable
/// for an accepted one.
pub(crate) trait Socket: Debug {
    /// Returns what its events name.
    fn key(&self) -> Key;
    /// The outcome of connecting, asked once it is writable. `WouldBlock` while undecided.
    fn connected(&self) -> io::Result<()>;
    /// Appends what is there to `into`, as far as it has room, and it must have some; 0 is the end
    /// of the stream.
    fn read(&self, into: &mut Vec<u8>) -> io::Result<usize>;
    /// Bytes that have arrived and were not read.
    fn unread(&self) -> io::Result<usize>;
    /// Writes as much as fits.
    fn write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize>;
    /// Returns whether a write may take long if what lies at `address` goes behind `head` bytes
    /// from elsewhere. The seam decides, since where memory lies is as much of the outside as a
    /// clock.
    fn sends_slowly(&self, address: usize, head: usize) -> bool;
    /// Returns whether the peer was on another processor than we are when it last sent something;
    /// false where nobody knows.
    fn is_beside(&self) -> bool;
    /// No more writing; the peer reads to the end and sees it.
    fn shutdown(&self) -> io::Result<()>;
    /// Asks that what the system holds for the peer is not sent any more once this is dropped:
    /// it would wait in the system's memory for as long as the peer likes.
    fn forsake(&self) -> io::Result<()>;
    /// Sets which readiness to report from now on.
    fn interest(&self, wanted: Readiness) -> io::Result<()>;
    /// Sets how many bytes the system may hold in each direction, roughly.
    fn set_buffers(&self, bytes: usize) -> io::Result<()>;
    /// Bounds how long the system may hold something for a peer that takes nothing of it; then the
    /// connection fails. Of no effect where the system cannot do that.
    fn set_patience(&self, patience: Duration) -> io::Result<()>;
    /// Our end's address.
    fn local(&self) -> io::Result<Resolved>;
    /// The other end's address.
    fn peer(&self) -> io::Result<Resolved>;
}

/// A socket of either host. The real one is in place, since a server holds many of them.
#[derive(Debug)]
pub(crate) enum AnySocket {
    Real(RealSocket),
    Simulated(Box<dyn Socket>),
}

const _: () = assert!(size_of::<Option<AnySocket>>() <= 24, "there is one in every connection");

impl Deref for AnySocket {
    type Target = dyn Socket;

    #[inline]
    fn deref(&self) -> &Self::Target {
        match self {
            Self::Real(socket) => socket,
            Self::Simulated(socket) => &**socket,
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
