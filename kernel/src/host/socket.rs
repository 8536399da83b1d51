//! A connected socket of either host.

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
}
