//! Memory that one connection's output is done with and another one's can use, so that a busy loop
//! does not ask the system for the same megabyte over and over.
//!
//! Invariants:
//! 1. What is kept is bounded, in buffers and in bytes, for the whole loop. Kept by `keep`.
//! 2. `used` is the sum of what the outputs of all streams hold. Kept by `tests/output_memory.rs`.

use std::cell::{Cell, RefCell};

/// Buffers kept, of either kind.
const BUFFERS: usize = 64;
/// Bytes kept, of all buffers together.
const BYTES: usize = 2 << 20;
/// Room of a buffer that is made: a few small messages.
const FRESH: usize = 256;

/// Buffers with more room are kept for those who say how much they need, as long as there are
/// others.
const SMALL: usize = 16 << 10;

/// Says how much more room than asked for is little.
const PAGE: usize = 4 << 10;

/// Empty buffers, the latest on top.
#[derive(Debug, Default)]
pub(crate) struct BufferPool {
    small: RefCell<Vec<Vec<u8>>>,
    large: RefCell<Vec<Vec<u8>>>,
    bytes: Cell<usize>,
    /// Bytes that are in use: those of the outputs of all streams.
    used: Cell<usize>,
    /// Counts those who want none to be kept; some are iff there is nobody.
    scarce: Cell<usize>,
}

impl BufferPool {
    /// Returns an empty buffer with room.
    pub(crate) fn take(&self) -> Vec<u8> {
        let small = self.small.borrow_mut().pop();
        match small.or_else(|| self.large.borrow_mut().pop()) {
            Some(buffer) => self.count_out(buffer),
            None => Vec::with_capacity(FRESH),
        }
    }

    /// Returns an empty buffer with room for `bytes`.
    pub(crate) fn take_for(&self, bytes: usize) -> Vec<u8> {
        let mut large = self.large.borrow_mut();
        match large.iter().rposition(|buffer| buffer.capacity() >= bytes) {
            Some(place) => self.count_out(large.swap_remove(place)),
            None => Vec::with_capacity(bytes),
        }
    }

    /// Returns an empty buffer with room for `bytes` and little more, if there is one.
    pub(crate) fn take_just(&self, bytes: usize) -> Option<Vec<u8>> {
        let room = bytes..=bytes.saturating_add(PAGE);
        let mut large = self.large.borrow_mut();
        let place = large.iter().rposition(|buffer| room.contains(&buffer.capacity()))?;
        Some(self.count_out(large.swap_remove(place)))
    }

    /// Returns how many bytes of memory the outputs of all streams hold.
    #[inline]
    pub(crate) fn used(&self) -> usize {
        self.used.get()
    }

    /// Notes that an output holds other memory than before.
    #[inline]
    pub(crate) fn count_used(&self, before: usize, after: usize) {
        debug_assert!(self.used.get() >= before, "what an output held was counted before");
        self.used.set(self.used.get().wrapping_add(after).wrapping_sub(before));
    }

    /// Keeps none from now on, or, as far as one who said so before is concerned, some again.
    pub(crate) fn set_scarce(&self, scarce: bool) {
        let count = self.scarce.get();
        // Counted, since each of several layers may find that memory is scarce.
        self.scarce.set(if scarce { count + 1 } else { count.saturating_sub(1) });
        if scarce {
            self.clear();
        }
    }

    /// Gives all of them back.
    pub(crate) fn clear(&self) {
        drop((self.small.take(), self.large.take()));
        self.bytes.set(0);
    }

    fn count_out(&self, buffer: Vec<u8>) -> Vec<u8> {
        self.bytes.set(self.bytes.get() - buffer.capacity());
        buffer
    }

    /// Keeps a buffer for later. What it contains is forgotten; if there is no place for it, so are
    /// those that were not used for long, or it.
    pub(crate) fn keep(&self, mut buffer: Vec<u8>) {
        let room = buffer.capacity();
        // A fresh buffer costs less than making another, so those are kept all the same.
        if self.scarce.get() > 0 && room > FRESH {
            return;
        }
        let kept = if room > SMALL { &self.large } else { &self.small };
        let mut kept = kept.borrow_mut();
        if room > SMALL && room <= BYTES {
            // The oldest go, so that sizes that nobody asks for any more do not stay for ever.
            while (self.bytes.get() + room > BYTES || kept.len() >= BUFFERS) && !kept.is_empty() {
                self.count_out(kept.remove(0));
            }
        }
        let bytes = self.bytes.get().saturating_add(room);
        if room >= FRESH && kept.len() < BUFFERS && bytes <= BYTES {
            buffer.clear();
            self.bytes.set(bytes);
            kept.push(buffer);
            debug_assert!(bytes <= BYTES && kept.len() <= BUFFERS, "what is kept is bounded");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_empty_and_with_its_room() {
        let pool = BufferPool::default();
        let mut buffer = Vec::with_capacity(5000);
        buffer.push(1);
        pool.keep(buffer);
        let again = pool.take();
        assert!(again.is_empty() && again.capacity() >= 5000);
        assert!(pool.take().capacity() < 5000);
    }

    #[test]
    fn nothing_is_kept_while_memory_is_scarce() {
        let pool = BufferPool::default();
        pool.keep(Vec::with_capacity(5_000));
        pool.set_scarce(true);
        pool.keep(Vec::with_capacity(50_000));
        assert_eq!((pool.bytes.get(), pool.take_just(50_000)), (0, None));
        pool.set_scarce(false);
        pool.keep(Vec::with_capacity(50_000));
        assert!(pool.take_just(50_000).is_some());
    }

    #[test]
    fn memory_is_scarce_until_all_who_said_so_say_otherwise() {
        let pool = BufferPool::default();
        let keeps = || {
            pool.keep(Vec::with_capacity(50_000));
            pool.take_just(50_000).is_some()
        };
        pool.set_scarce(true);
        pool.set_scarce(true);
        assert!(!keeps());
        pool.set_scarce(false);
        assert!(!keeps(), "one of two");
        pool.set_scarce(false);
        assert!(keeps());
        pool.set_scarce(false); // once too often counts for nothing
        pool.set_scarce(true);
        assert!(!keeps());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let pool = BufferPool::default();
        for _ in 0..1000 {
            pool.keep(Vec::with_capacity(FRESH));
        }
        assert_eq!(pool.small.borrow().len(), BUFFERS);
        let pool = BufferPool::default();
        for _ in 0..1000 {
            pool.keep(Vec::with_capacity(BYTES / 3));
        }
        assert!(pool.bytes.get() <= BYTES && pool.large.borrow().len() <= 3);
    }

    #[test]
    fn large_buffers_are_kept_for_large_requests() {
        let pool = BufferPool::default();
        for room in [300, 70_000, 100_000, 400] {
            pool.keep(Vec::with_capacity(room));
        }
        assert_eq!(pool.take_for(65_000).capacity(), 100_000);
        assert_eq!(pool.take().capacity(), 400);
        assert_eq!(pool.take_for(80_000).capacity(), 80_000, "none is large enough");
        assert_eq!(pool.take().capacity(), 300);
        assert_eq!(pool.take().capacity(), 70_000, "better than a new one");
        assert_eq!(pool.bytes.get(), 0);
        pool.keep(Vec::with_capacity(SMALL + 1));
        pool.keep(Vec::with_capacity(BYTES));
        assert_eq!(pool.take_for(SMALL).capacity(), BYTES);
    }

    #[test]
    fn a_buffer_that_just_fits_has_little_more_room() {
        let pool = BufferPool::default();
        for room in [99_999, 100_000 + PAGE, 100_001 + PAGE] {
            pool.keep(Vec::with_capacity(room));
        }
        assert_eq!(pool.take_just(100_000).map(|buffer| buffer.capacity()), Some(100_000 + PAGE));
        assert_eq!(pool.take_just(100_000), None, "the others have too little, or too much");
        assert_eq!(pool.take_just(100_001).map(|buffer| buffer.capacity()), Some(100_001 + PAGE));
        assert_eq!(pool.bytes.get(), 99_999);
    }
}
