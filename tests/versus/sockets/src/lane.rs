//! One connection of the batching loop: counts the frames that come, and writes as many others.

use crate::socket::Socket;
use polling::{Event, PollMode, Poller};
use std::io::{self, ErrorKind, Read, Write};

/// Bytes offered to one write, at most.
const OFFER: usize = 256 * 1024;

/// Repeats one frame, many times over.
#[derive(Debug)]
pub struct Pattern {
    bytes: Vec<u8>,
    frame: usize,
}

impl Pattern {
    /// Of `frame`.
    pub fn new(frame: &[u8]) -> Self {
        let times = OFFER / frame.len() + 2;
        Self { bytes: frame.repeat(times), frame: frame.len() }
    }
}

/// A connection.
#[derive(Debug)]
pub struct Lane {
    socket: Socket,
    /// Bytes of an unfinished frame that came.
    partial: usize,
    /// Bytes to be written.
    owed: usize,
    /// Bytes of the frame at the front that were written.
    offset: usize,
    blocked: bool,
}

impl Lane {
    /// Registers a connection under `key`.
    ///
    /// # Errors
    /// What the system says.
    #[allow(unsafe_code)]
    pub fn new(socket: Socket, poller: &Poller, key: usize) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        // SAFETY: the descriptor must be deleted before it is closed, which `close` does; else the
        // process ends first.
        unsafe { poller.add_with_mode(&socket, Event::readable(key), PollMode::Level)? };
        Ok(Self { socket, partial: 0, owed: 0, offset: 0, blocked: false })
    }

    /// Ends it.
    ///
    /// # Errors
    /// What the system says.
    pub fn close(self, poller: &Poller) -> io::Result<()> {
        poller.delete(&self.socket)
    }

    /// Reads once; how many frames of `size` bytes are complete. `None`: the connection has ended.
    ///
    /// # Errors
    /// What the system says.
    pub fn read(&mut self, buffer: &mut [u8], size: usize) -> io::Result<Option<usize>> {
        let count = match self.socket.read(buffer) {
            Ok(0) => return Ok(None),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        let bytes = self.partial + count;
        self.partial = bytes % size;
        Ok(Some(bytes / size))
    }

    /// Writes so many frames more, now or when the socket takes them.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(
        &mut self,
        frames: usize,
        pattern: &Pattern,
        poller: &Poller,
        key: usize,
    ) -> io::Result<()> {
        self.owed += frames * pattern.frame;
        while self.owed > 0 {
            let offer = &pattern.bytes[self.offset..self.offset + self.owed.min(OFFER)];
            match self.socket.write(offer) {
                Ok(count) => {
                    self.owed -= count;
                    self.offset = (self.offset + count) % pattern.frame;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        let blocked = self.owed > 0;
        if blocked != self.blocked {
            self.blocked = blocked;
            let event = Event::new(key, true, blocked);
            poller.modify_with_mode(&self.socket, event, PollMode::Level)?;
        }
        Ok(())
    }
}
