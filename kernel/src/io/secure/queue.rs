//! Cipher text on its way out of one connection, and which plain text has left with it.
//!
//! Pure data. Records leave in the order in which they were sealed, whoever asked for them.
//!
//! Invariants:
//! 1. What was put in leaves as it is, or the connection ends. Kept by
//!    `what_goes_in_comes_out_and_is_sealed_once`.
//! 2. Plain text counts as gone when the last byte of its record is, and is told once. Kept by
//!    `what_a_peer_does_not_read_is_bounded_and_counted`.

use smallvec::SmallVec;

#[derive(Default)]
pub(super) struct SealedQueue {
    /// Cipher text, of which the first `sent` bytes have left.
    bytes: Vec<u8>,
    sent: usize,
    /// Holds where the records of plain text end in `bytes`, and with how much of it.
    records: SmallVec<[(usize, usize); 2]>,
    /// Plain text whose records have left, and that was not told.
    gone: usize,
    /// Iff the socket took less than it was offered last, and has not said that it takes more.
    stuck: bool,
    /// Iff it took less than it was offered when it last was offered records of plain text.
    pub(super) short: bool,
}

impl SealedQueue {
    /// Lends the end of the queue, for records of the layer's own.
    pub(super) fn own(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Notes that the queue ends with a record of so much plain text.
    pub(super) fn note_record(&mut self, plain: usize) {
        self.records.push((self.bytes.len(), plain));
    }

    /// Lets the queue use other memory, if it is empty and has none.
    pub(super) fn use_memory(&mut self, memory: impl FnOnce() -> Vec<u8>) {
        if self.bytes.is_empty() {
            self.bytes = memory();
        }
    }

    /// Returns the cipher text that waits.
    pub(super) fn waiting(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sent == self.bytes.len()
    }

    pub(super) fn is_stuck(&self) -> bool {
        self.stuck
    }

    /// Returns whether there is nothing to send and nothing to tell.
    pub(super) fn is_idle(&self) -> bool {
        self.is_empty() && self.gone == 0
    }

    pub(super) fn memory(&self) -> usize {
        self.bytes.capacity()
    }

    pub(super) fn into_memory(self) -> Vec<u8> {
        self.bytes
    }

    /// Returns how much plain text is sealed, and not told to be gone.
    pub(super) fn sealed(&self) -> usize {
        self.gone + self.records.iter().map(|(_, plain)| plain).sum::<usize>()
    }

    /// Forgets so many bytes, which the socket has taken. Returns memory that is not needed any
    /// more.
    pub(super) fn advance(&mut self, count: usize) -> Option<Vec<u8>> {
        self.sent += count;
        let left = self.records.iter().take_while(|(end, _)| *end <= self.sent).count();
        self.gone += self.records.drain(..left).map(|(_, plain)| plain).sum::<usize>();
        self.stuck = !self.is_empty();
        if self.stuck {
            return None;
        }
        self.sent = 0;
        Some(std::mem::take(&mut self.bytes))
    }

    /// Forgets what was sent, and gives back memory that holds nothing but that.
    pub(super) fn shrink(&mut self, mut rest: Vec<u8>) -> Vec<u8> {
        rest.extend_from_slice(self.waiting());
        for (end, _) in &mut self.records {
            *end -= self.sent;
        }
        self.sent = 0;
        std::mem::replace(&mut self.bytes, rest)
    }

    /// Returns how much plain text is gone that nobody was told.
    pub(super) fn tell(&mut self) -> usize {
        std::mem::take(&mut self.gone)
    }
}
