//! Memory that one connection's output is done with and another one's can use, so that a busy loop does not ask the
//! system for the same megabyte over and over.
//!
//! Invariant: what is kept is bounded, in buffers and in bytes, for the whole loop.

use std::cell::{Cell, RefCell};

/// Buffers kept.
const BUFFERS: usize = 64;
/// Bytes kept, of all buffers together.
const BYTES: usize = 2 << 20;
/// Room of a buffer that is made: a few small messages.
const FRESH: usize = 256;

/// Empty buffers, the latest on top.
#[derive(Debug, Default)]
pub(crate) struct Spares {
    buffers: RefCell<Vec<Vec<u8>>>,
    bytes: Cell<usize>,
}

impl Spares {
    /// An empty buffer with room.
    pub(crate) fn take(&self) -> Vec<u8> {
        match self.buffers.borrow_mut().pop() {
            Some(buffer) => {
                self.bytes.set(self.bytes.get() - buffer.capacity());
                buffer
            }
            None => Vec::with_capacity(FRESH),
        }
    }

    /// Keeps a buffer for later, if there is place for it. What it contains is forgotten.
    pub(crate) fn keep(&self, mut buffer: Vec<u8>) {
        let mut buffers = self.buffers.borrow_mut();
        let bytes = self.bytes.get().saturating_add(buffer.capacity());
        if buffer.capacity() >= FRESH && buffers.len() < BUFFERS && bytes <= BYTES {
            buffer.clear();
            self.bytes.set(bytes);
            buffers.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_empty_and_with_its_room() {
        let spares = Spares::default();
        let mut buffer = Vec::with_capacity(5000);
        buffer.push(1);
        spares.keep(buffer);
        let again = spares.take();
        assert!(again.is_empty() && again.capacity() >= 5000);
        assert!(spares.take().capacity() < 5000);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let spares = Spares::default();
        for _ in 0..1000 {
            spares.keep(Vec::with_capacity(FRESH));
        }
        assert_eq!(spares.buffers.borrow().len(), BUFFERS);
        let spares = Spares::default();
        for _ in 0..1000 {
            spares.keep(Vec::with_capacity(BYTES / 3));
        }
        assert!(spares.bytes.get() <= BYTES && spares.buffers.borrow().len() <= 3);
    }
}
