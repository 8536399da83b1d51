//! The writing end of a connection, as handlers and their owners hold it.
//!
//! A weak handle: all state is in the pipe. Nothing here writes to a socket but [`Outlet::flush`];
//! the end of the turn does.

use crate::host::public_key::PublicKey;
use crate::host::socket::Credentials;
use crate::host::time::Instant;
use crate::io::pipe::{Block, Pipe};
use std::error::Error;
use std::fmt;
use std::io;
use std::panic::Location;
use std::rc::{Rc, Weak};
use std::time::Duration;

/// Writes to a connection. Clone it freely: it is weak, and using it after the connection has ended
/// is harmless.
///
/// It buffers what is written and sends it at the end of the turn, with one system call for all
/// writes of that turn, unless [`flush`](Outlet::flush) sends it earlier. Writing to a connection
/// that is closed, finished or broken succeeds and goes nowhere, as bytes sent to a peer that has
/// just died would; [`Outlet::is_open`] tells beforehand, and the stream's handler hears of every
/// end it did not cause itself.
///
/// Outlets say who may still answer: when the peer has ended its half and the last outlet is
/// dropped, what is buffered is sent and the connection is closed.
pub struct Outlet {
    pipe: Weak<Pipe>,
}

impl Outlet {
    pub(crate) fn new(pipe: Weak<Pipe>) -> Self {
        Self { pipe }
    }

    /// Sends a copy of `bytes`.
    ///
    /// # Errors
    /// [`Full`] if they do not fit into what may be buffered; then none of them is sent. Wait with
    /// [`on_drained`](Self::on_drained), or give the peer up.
    pub fn write(&self, bytes: &[u8]) -> Result<(), Full> {
        match self.pipe.upgrade() {
            Some(pipe) => pipe
                .write(bytes.len(), |output| output.end(|| pipe.room()).extend_from_slice(bytes)),
            None => Ok(()),
        }
    }

    /// Sends `chunk` without copying it (unless it is so small that copying is cheaper).
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_chunk(&self, chunk: Vec<u8>) -> Result<(), Full> {
        match self.pipe.upgrade() {
            Some(pipe) => pipe.write(chunk.len(), |output| {
                output.push_chunk(chunk, |address, head| pipe.sends_slowly(address, head))
            }),
            None => Ok(()),
        }
    }

    /// Sends all of `bytes`, without copying if they are many or the first, and leaves an empty
    /// vector. They are taken in any case, so that nothing is cut in two.
    ///
    /// For output that is made in pieces throughout a turn and handed over at its end: see
    /// [`Handle::at_turn_end`](crate::Handle::at_turn_end).
    ///
    /// # Errors
    /// [`Full`] if more is buffered now than may be: write no more, and wait or give the peer up.
    pub fn write_vec(&self, bytes: &mut Vec<u8>) -> Result<(), Full> {
        match self.pipe.upgrade() {
            Some(pipe) => pipe.take(bytes),
            None => {
                bytes.clear();
                Ok(())
            }
        }
    }

    /// Sends what is buffered now, as far as the socket takes it, and not at the end of the turn. A
    /// socket that took less than it was offered is left alone until it says that it takes more.
    /// What goes wrong is told as ever: by the handler, in a later task.
    ///
    /// Each flush is a system call, and wakes the peer. It pays where the peer works on another
    /// processor and has a good deal to do with what it gets: see
    /// [`is_peer_on_other_cpu`](Self::is_peer_on_other_cpu).
    ///
    /// ```
    /// use peers_kernel::{Full, Outlet};
    ///
    /// /// An answer in two parts, the second of which takes long to make.
    /// fn answer(
    ///     outlet: &Outlet,
    ///     first: &[u8],
    ///     second: impl FnOnce() -> Vec<u8>,
    /// ) -> Result<(), Full> {
    ///     outlet.write(first)?;
    ///     if outlet.is_peer_on_other_cpu() {
    ///         outlet.flush();
    ///     }
    ///     outlet.write_chunk(second())
    /// }
    /// ```
    pub fn flush(&self) {
        self.with(|pipe| pipe.flush_now())
    }

    /// Returns whether the peer works while we do, as far as is known: it last sent something from
    /// another processor than the one we are on. The system is asked at every 32nd call, if they
    /// are about one connection.
    ///
    /// Only Linux knows, and only of TCP on one machine. Of a peer elsewhere it tells which
    /// processor takes in what comes from the network, which means nothing. Everywhere else the
    /// answer is no.
    pub fn is_peer_on_other_cpu(&self) -> bool {
        self.pipe.upgrade().is_some_and(|pipe| pipe.is_peer_on_other_cpu())
    }

    /// Tells whether something is unread that had arrived when this was asked first: for whoever is
    /// about to say that nothing came in time. He asks again behind each read, with a timer that is
    /// due, until the answer is no; what comes meanwhile is not waited for. While reading is
    /// paused, the answer is no.
    pub fn is_behind(&self) -> bool {
        self.pipe.upgrade().is_some_and(|pipe| pipe.is_behind())
    }

    /// Ends our half: what is buffered is sent, then the peer sees the end of the stream. It may go
    /// on sending.
    pub fn finish(&self) {
        self.with(|pipe| pipe.finish())
    }

    /// Closes the connection: what is buffered is sent and what still arrives is thrown away. The
    /// handler hears nothing more and is dropped. If the peer does not close as well within 5
    /// seconds, or sends more than 16 MiB meanwhile, the connection is cut.
    pub fn close(&self) {
        self.with(|pipe| pipe.close())
    }

    /// Closes the connection as [`close`](Self::close) does, and cuts it after that time if its
    /// output has not left, or the peer has not closed as well.
    pub fn close_within(&self, linger: Duration) {
        self.with(|pipe| pipe.close_within(linger))
    }

    /// Closes the connection as [`close_within`](Self::close_within) does, but its output may take
    /// `drain` more to leave; from when it has left, the peer has `linger` to close as well.
    pub fn close_draining(&self, drain: Duration, linger: Duration) {
        self.with(|pipe| pipe.close_draining(drain, linger))
    }

    /// Closes the connection as [`close_within`](Self::close_within) does, to a peer that cannot be
    /// expected to stop: at most `discards` bytes of what still arrives are thrown away. Then
    /// nothing more is read, and the connection is cut a quarter of a second later, time for a peer
    /// that reads to have what was sent.
    pub fn close_discarding(&self, linger: Duration, discards: usize) {
        self.with(|pipe| pipe.close_discarding(linger, discards))
    }

    /// Cuts the connection at once. What is buffered is lost, and so is what the system holds, if
    /// it has refused to take more; the handler hears nothing more and is dropped.
    pub fn abort(&self) {
        self.with(|pipe| pipe.abort())
    }

    /// Returns how many bytes were written here and not yet taken by the system.
    pub fn buffered(&self) -> usize {
        self.pipe.upgrade().map_or(0, |pipe| pipe.buffered())
    }

    /// Returns how many bytes of memory hold them: more than they are, since memory grows in steps
    /// and what was begun to be sent is kept until it has left.
    pub fn memory(&self) -> usize {
        self.pipe.upgrade().map_or(0, |pipe| pipe.memory())
    }

    /// Returns since when the system has taken nothing of what is buffered; `None` if it takes what
    /// it is given.
    pub fn stalled(&self) -> Option<Instant> {
        self.pipe.upgrade()?.stalled()
    }

    /// Returns how many bytes the system has taken since the connection was opened; 0 once it is
    /// gone.
    pub fn written(&self) -> u64 {
        self.pipe.upgrade().map_or(0, |pipe| pipe.written())
    }

    /// Returns whether what is written here still has a chance to arrive.
    pub fn is_open(&self) -> bool {
        self.pipe.upgrade().is_some_and(|pipe| pipe.is_open())
    }

    /// Returns the peer's key, once a [secure layer](crate::Stream::secure) has proven that the
    /// peer has its secret.
    pub fn peer_key(&self) -> Option<PublicKey> {
        self.pipe.upgrade()?.peer_key()
    }

    /// Returns which process is at the other end of a Unix socket, as
    /// [`Stream::credentials`](crate::Stream::credentials) does.
    pub fn credentials(&self) -> Option<Credentials> {
        self.pipe.upgrade()?.credentials()
    }

    /// Lets at most `bytes` be buffered from now on; 1 MiB unless set. What is buffered already
    /// stays.
    pub fn set_limit(&self, bytes: usize) {
        self.with(|pipe| pipe.set_limit(bytes))
    }

    /// Reads no more, so that the peer's writes block in the end. Neither bytes nor their end are
    /// delivered.
    pub fn pause(&self) {
        self.with(|pipe| pipe.pause())
    }

    /// Reads again after [`pause`](Self::pause).
    pub fn resume(&self) {
        self.with(|pipe| pipe.resume())
    }

    /// Reads what arrives next into the room of `block`, as much as there is or fits, and gives it
    /// to `then` with that appended, instead of to the handler. For messages larger than what comes
    /// in one piece: their rest needs not be copied to where their beginning is. It happens once;
    /// after that, bytes come to the handler as ever.
    ///
    /// A block without room is given some. If the stream ends before, which the handler hears, or
    /// is closed, or another block is given, this one is dropped with `then`. If `then` panics,
    /// that is logged and the connection lives on.
    ///
    /// ```
    /// use peers_kernel::{Handle, Input, Stream};
    ///
    /// /// Messages of 1 MiB; most come in pieces.
    /// fn collect(stream: Stream) {
    ///     let outlet = stream.outlet();
    ///     stream.start(move |_, input| {
    ///         if let Input::Bytes(bytes) = input {
    ///             let mut message = Vec::with_capacity(1 << 20);
    ///             message.extend_from_slice(bytes);
    ///             outlet.read_into(message, |message| println!("{} bytes of it", message.len()));
    ///         }
    ///     });
    /// }
    /// ```
    #[track_caller]
    pub fn read_into(&self, mut block: Vec<u8>, then: impl FnOnce(Vec<u8>) + 'static) {
        let born = Location::caller();
        self.with(|pipe| {
            block.reserve(1);
            pipe.read_into(Block { memory: block, born, then: Box::new(then) })
        })
    }

    /// Queues `task` once, when everything buffered has been taken by the system: at once if
    /// nothing is. It is dropped if the connection ends before.
    #[track_caller]
    pub fn on_drained(&self, task: impl FnOnce() + 'static) {
        let born = Location::caller();
        self.with(|pipe| pipe.on_drained(born, task))
    }

    /// Queues `task` once, when the connection is over: with true iff everything that was written
    /// here has left and the peer has ended its half as well, as it does when it has read all that
    /// came before. It is dropped if the connection was over before.
    #[track_caller]
    pub fn on_closed(&self, task: impl FnOnce(bool) + 'static) {
        let born = Location::caller();
        self.with(|pipe| pipe.on_closed(born, task))
    }

    /// Lets `overhears` look at what comes behind our own end of the connection, before it is
    /// thrown away: to be called before it is closed. It must use nothing of this connection.
    pub fn overhear(&self, overhears: impl FnMut(&[u8]) + 'static) {
        self.with(|pipe| pipe.overhear(Box::new(overhears)))
    }

    fn with(&self, f: impl FnOnce(&Rc<Pipe>)) {
        if let Some(pipe) = self.pipe.upgrade() {
            f(&pipe)
        }
    }
}

impl Clone for Outlet {
    fn clone(&self) -> Self {
        Self { pipe: self.pipe.clone() }
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.with(|pipe| pipe.outlet_dropped())
    }
}

impl fmt::Debug for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outlet")
            .field("open", &self.is_open())
            .field("buffered", &self.buffered())
            .finish()
    }
}

/// The peer does not read as fast as it is written to: these bytes were not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// Bytes that are waiting already.
    pub buffered: usize,
    /// Bytes that may wait.
    pub limit: usize,
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the peer does not keep up: {} of at most {} bytes wait already",
            self.buffered, self.limit
        )
    }
}

impl Error for Full {}

impl From<Full> for io::Error {
    fn from(full: Full) -> Self {
        Self::new(io::ErrorKind::WouldBlock, full)
    }
}
