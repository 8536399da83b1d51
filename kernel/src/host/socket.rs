//! A connected socket of either host, or one that covers such a socket and seals what goes through
//! it.

use crate::host::public_key::PublicKey;
use crate::host::ready::{Key, Readiness, Resolved};
use std::fmt::Debug;
use std::io::{self, IoSlice};
use std::time::Duration;

/// One end of a byte stream, non-blocking. Interest at birth: writable for a dialled one, readable
/// for an accepted one.
pub(crate) trait Socket: Debug {
    /// Returns what its events name.
    fn key(&self) -> Key;
    /// Returns the outcome of connecting, to be asked once it is writable. `WouldBlock` while
    /// undecided.
    fn connected(&self) -> io::Result<()>;
    /// Appends what is there to `into`, as far as it has room, and it must have some; 0 is the end
    /// of the stream.
    fn read(&self, into: &mut Vec<u8>) -> io::Result<usize>;
    /// Reads what is there into the beginning of `into`, which must have room; 0 is the end of the
    /// stream.
    fn receive(&self, into: &mut [u8]) -> io::Result<usize> {
        let mut bytes = Vec::with_capacity(into.len());
        let count = self.read(&mut bytes)?.min(into.len());
        into[..count].copy_from_slice(&bytes[..count]);
        Ok(count)
    }
    /// Returns how many bytes have arrived and were not read.
    fn unread(&self) -> io::Result<usize>;
    /// Writes as much as fits.
    fn write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize>;
    /// Returns whether a write may take long if what lies at `address` goes behind `head` bytes
    /// from elsewhere. The seam decides, since where memory lies is as much of the outside as a
    /// clock.
    fn sends_slowly(&self, address: usize, head: usize) -> bool;
    /// Returns whether the peer was on another processor than we are when it last sent something;
    /// false where nobody knows.
    fn is_peer_on_other_cpu(&self) -> bool;
    /// Ends writing; the peer reads to the end and sees it.
    fn shutdown(&self) -> io::Result<()>;
    /// Asks that what the system holds for the peer is not sent any more once this is dropped:
    /// it would wait in the system's memory for as long as the peer likes.
    fn reset_on_close(&self) -> io::Result<()>;
    /// Sets which readiness to report from now on.
    fn interest(&self, wanted: Readiness) -> io::Result<()>;
    /// Sets how many bytes the system may hold in each direction, roughly.
    fn set_buffers(&self, bytes: usize) -> io::Result<()>;
    /// Bounds how long the system may hold something for a peer that takes nothing of it; then the
    /// connection fails. Of no effect where the system cannot do that.
    fn set_patience(&self, patience: Duration) -> io::Result<()>;
    /// Returns our end's address.
    fn local(&self) -> io::Result<Resolved>;
    /// Returns the other end's address.
    fn peer(&self) -> io::Result<Resolved>;
    /// Returns which process is at the other end, as far as the system vouches for it.
    fn credentials(&self) -> Option<Credentials> {
        None
    }

    // ---- what only a socket does that covers another one

    /// Returns how far it is with finding out who the peer is.
    fn stage(&self) -> Stage {
        Stage::Open
    }
    /// Returns the peer's key, once it is proven.
    fn peer_key(&self) -> Option<PublicKey> {
        None
    }
    /// Lets the peer in whose key is proven, or ends the connection with a word to it. From then on
    /// reading gives what is to be thrown away.
    fn admit(&self, _: bool) {}
    /// Returns whether reading gives something that the system knows nothing of.
    fn holds(&self) -> bool {
        false
    }
    /// Sends what waits here and was made here.
    fn push(&self) -> io::Result<()> {
        Ok(())
    }
    /// Counts the bytes of memory that it holds.
    fn memory(&self) -> usize {
        0
    }
}

/// Says how far a socket is with finding out who the peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nobody knows yet: nothing is taken to be sent.
    Handshake,
    /// Its key is proven, and nobody has said yet whether it may come in.
    Proven,
    /// It lets bytes through in both directions.
    Open,
    /// It was ended from inside; all that is left to do is to tell the peer.
    Over,
}

/// Says which process is at the other end of a Unix socket, at the time when the connection was
/// made: the system vouches for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Credentials {
    /// Its effective user.
    pub uid: u32,
    /// Its effective group.
    pub gid: u32,
    /// Its process id, if it has one here. It may be another process's by now: for the log only.
    pub pid: Option<i32>,
}

impl Credentials {
    /// Returns whether that process may do all that this one may: its user is the same, or root.
    pub fn is_as_mighty(&self) -> bool {
        self.uid == 0 || self.uid == rustix::process::geteuid().as_raw()
    }
}
