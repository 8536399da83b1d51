//! The interface between the kernel and cryptography: a state machine between cipher text and plain
//! text that touches neither sockets nor clocks.
//!
//! The kernel knows no cipher. It keeps the records, decides when they are made and what becomes of
//! them, and asks a layer to make and to open them.

use crate::host::public_key::PublicKey;
use std::io::{self, IoSlice};

/// Seals and opens what one connection says: first a handshake that proves who is there, then
/// records. Given to [`Stream::secure`](crate::Stream::secure).
///
/// An implementation sees each byte once and in order. Every call may fail, and may panic: that
/// ends this connection and no other. After a failure, or a panic, only [`peer`](Self::peer) is
/// asked, and nothing is opened or sealed any more.
pub trait SecureLayer {
    /// Appends what is to be sent before anything has come, if the first word is ours, to `out`.
    /// Called once, before all else.
    ///
    /// # Errors
    /// If no connection can be made; then it ends.
    fn begin(&mut self, out: &mut Vec<u8>) -> io::Result<()>;

    /// Returns how many bytes are missing to a whole record, if `held` has come of it: at least one
    /// unless there is one. More than are needed means that they are waited for in vain.
    fn owed(&self, held: &[u8]) -> usize;

    /// Opens the whole records at the front of `wire`, one or more, if there is one: their plain
    /// text goes to the end of `plain`, and records of the layer's own, such as answers of the
    /// handshake, to the end of `out`. May be used up in place.
    ///
    /// A layer may stop behind any record; it is called again. One step of a handshake at most is
    /// done in a call. While [`peer`](Self::peer) is not yet known, and in the call that makes it
    /// known, no plain text is given.
    ///
    /// # Errors
    /// If something is wrong with what came. Everything that was appended to `out`, such as an
    /// alert, is sent, and what comes behind is thrown away. What was appended to `plain` before is
    /// heard.
    fn open(
        &mut self,
        wire: &mut [u8],
        plain: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> io::Result<Opened>;

    /// Appends one record to `out`, with `len` bytes, 16 KiB at most, of `plain`: those behind the
    /// first `from` bytes of all its parts together.
    ///
    /// # Errors
    /// If nothing can be sealed any more.
    fn seal(
        &mut self,
        plain: &[IoSlice<'_>],
        from: usize,
        len: usize,
        out: &mut Vec<u8>,
    ) -> io::Result<()>;

    /// Appends the word that the peer, whose key is proven, is not wanted here.
    fn refuse(&mut self, out: &mut Vec<u8>);

    /// Appends the last record: that nothing follows it.
    fn close(&mut self, out: &mut Vec<u8>);

    /// Returns the key of the peer, once it has proven that it has its secret.
    fn peer(&self) -> Option<PublicKey>;
}

/// Says how far a layer has come with what it was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// Bytes from the front that are done with: whole records.
    pub taken: usize,
    /// True iff the peer has said that nothing follows. What does is ignored.
    pub ended: bool,
}
