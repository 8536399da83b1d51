//! Bytes on their way out of one connection: small writes copied together, large ones kept as they
//! came.
//!
//! Pure data: no socket, no loop. What the limit is, and when to write, is for the stream to say.
//!
//! Invariants:
//! 1. The tail comes after all chunks, and nothing of it has been sent. Kept by
//!    `bytes_come_out_as_they_went_in`.
//! 2. Chunks are there iff there is at least one, and none of them is wholly sent. Kept by
//!    `advance`.
//! 3. An empty output holds no memory. Kept by `an_empty_output_holds_no_memory`.

use smallvec::SmallVec;
use std::collections::VecDeque;
use std::io::IoSlice;

/// Below this many bytes a chunk is copied: an entry of its own would cost more, in the queue and
/// in the system call.
const COPY_BELOW: usize = 2048;
/// Parts handed to one vectored write.
const PARTS: usize = 16;

/// The output buffer of one connection.
#[derive(Debug, Default)]
pub(crate) struct Output {
    chunks: Option<Box<Chunks>>,
    tail: Vec<u8>,
}

#[derive(Debug, Default)]
struct Chunks {
    queue: VecDeque<Vec<u8>>,
    /// Bytes of the first chunk that are already sent.
    sent: usize,
    /// Bytes of all chunks that are not.
    len: usize,
    /// Bytes of memory of all chunks.
    memory: usize,
}

/// The beginning of an output, as one vectored write takes it.
pub(crate) type Parts<'a> = SmallVec<[IoSlice<'a>; PARTS]>;

impl Output {
    /// Returns how many bytes wait.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.tail.len() + self.chunks.as_ref().map_or(0, |chunks| chunks.len)
    }

    /// Returns how many bytes of memory it holds.
    #[inline]
    pub(crate) fn memory(&self) -> usize {
        self.tail.capacity() + self.chunks.as_ref().map_or(0, |chunks| chunks.memory)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tail.is_empty() && self.chunks.is_none()
    }

    /// Returns the end of the output, to be appended to; it uses the memory that `room` gives if it
    /// has none.
    #[inline]
    pub(crate) fn end(&mut self, room: impl FnOnce() -> Vec<u8>) -> &mut Vec<u8> {
        if self.tail.capacity() == 0 {
            self.tail = room();
        }
        &mut self.tail
    }

    /// Appends a copy.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
    }

    /// Appends without copying, unless copying is cheaper. Moving a chunk aside for its head is,
    /// where `is_slow` says so of its address and of how many bytes go ahead of it.
    pub(crate) fn push_chunk(
        &mut self,
        mut chunk: Vec<u8>,
        is_slow: impl FnOnce(usize, usize) -> bool,
    ) {
        if chunk.len() < COPY_BELOW {
            return self.push(&chunk);
        }
        let has_head = self.chunks.is_none() && !self.tail.is_empty();
        if has_head && is_slow(chunk.as_ptr().addr(), self.tail.len()) {
            chunk.reserve_exact(self.tail.len());
            chunk.splice(..0, self.tail.drain(..));
        }
        self.close_tail();
        self.append(chunk);
        debug_assert!(self.is_sound());
    }

    /// Appends all of `bytes`, without copying if they are the first or many; gives memory back
    /// that is not needed.
    pub(crate) fn push_vec(
        &mut self,
        bytes: Vec<u8>,
        is_slow: impl FnOnce(usize, usize) -> bool,
    ) -> Option<Vec<u8>> {
        if self.tail.is_empty() && !bytes.is_empty() {
            return Some(std::mem::replace(&mut self.tail, bytes)).filter(|old| old.capacity() > 0);
        }
        if bytes.len() < COPY_BELOW {
            self.push(&bytes);
            return Some(bytes);
        }
        self.push_chunk(bytes, is_slow);
        None
    }

    /// Returns as much of the beginning as one write should be offered.
    pub(crate) fn parts(&self) -> Parts<'_> {
        let mut parts = Parts::new();
        if let Some(chunks) = &self.chunks {
            let mut skip = chunks.sent;
            parts.extend(chunks.queue.iter().take(PARTS).map(|chunk| {
                let rest = chunk.get(skip..).unwrap_or_default();
                skip = 0;
                IoSlice::new(rest)
            }));
        }
        if !self.tail.is_empty() && parts.len() < PARTS {
            parts.push(IoSlice::new(&self.tail));
        }
        parts
    }

    /// Forgets the first `count` bytes, which the socket has taken. Memory that is not needed any
    /// more goes to `spent`.
    pub(crate) fn advance(&mut self, count: usize, mut spent: impl FnMut(Vec<u8>)) {
        debug_assert!(count <= self.len(), "a socket takes no more than it was offered");
        if count >= self.len() {
            let Self { chunks, tail } = std::mem::take(self);
            chunks.into_iter().flat_map(|chunks| chunks.queue).for_each(&mut spent);
            return spent(tail);
        }
        // What is left of the tail becomes a chunk, so that the tail never has a sent part to carry
        // along.
        self.close_tail();
        if let Some(chunks) = &mut self.chunks {
            chunks.advance(count, spent)
        }
        debug_assert!(self.is_sound());
    }

    /// Returns whether what is kept about the chunks is right.
    fn is_sound(&self) -> bool {
        self.chunks.as_ref().is_none_or(|chunks| chunks.is_sound())
    }

    fn close_tail(&mut self) {
        if !self.tail.is_empty() {
            let tail = std::mem::take(&mut self.tail);
            self.append(tail);
        }
    }

    fn append(&mut self, chunk: Vec<u8>) {
        let chunks = self.chunks.get_or_insert_default();
        chunks.len += chunk.len();
        chunks.memory += chunk.capacity();
        chunks.queue.push_back(chunk);
    }
}

impl Chunks {
    fn is_sound(&self) -> bool {
        let sums = self
            .queue
            .iter()
            .fold((0, 0), |(len, memory), chunk| (len + chunk.len(), memory + chunk.capacity()));
        let first_has_rest = self.queue.front().is_some_and(|first| self.sent < first.len());
        first_has_rest && sums == (self.len + self.sent, self.memory)
    }

    fn advance(&mut self, count: usize, mut spent: impl FnMut(Vec<u8>)) {
        self.len -= count;
        self.sent += count;
        while self.queue.front().is_some_and(|first| first.len() <= self.sent)
            && let Some(first) = self.queue.pop_front()
        {
            self.sent -= first.len();
            self.memory -= first.capacity();
            spent(first)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn never(_: usize, _: usize) -> bool {
        false
    }

    fn first(output: &Output, count: usize) -> Vec<u8> {
        let all: Vec<u8> = output.parts().iter().flat_map(|part| part.to_vec()).collect();
        all[..count].to_vec()
    }

    #[test]
    fn memory_is_that_of_all_parts_until_they_are_wholly_sent() {
        let mut output = Output::default();
        assert_eq!(output.memory(), 0);
        output.end(|| Vec::with_capacity(300)).extend_from_slice(&[1; 100]);
        output.push_chunk(Vec::from([2; 5_000]), never);
        output.end(|| Vec::with_capacity(400)).extend_from_slice(&[3; 10]);
        assert_eq!(output.memory(), 300 + 5_000 + 400);
        output.advance(99, drop);
        assert_eq!(output.memory(), 300 + 5_000 + 400);
        output.advance(1, drop);
        assert_eq!(output.memory(), 5_000 + 400);
        output.advance(5_009, drop);
        assert_eq!((output.len(), output.memory()), (1, 400));
        output.advance(1, drop);
        assert_eq!(output.memory(), 0);
    }

    #[test]
    fn an_empty_output_holds_no_memory() {
        let mut output = Output::default();
        output.push(&[1; 100]);
        output.push_chunk(vec![2; COPY_BELOW], never);
        let mut spent = 0;
        output.advance(100 + COPY_BELOW, |memory| spent += usize::from(memory.capacity() > 0));
        assert_eq!(spent, 2, "what was the tail, and the chunk");
        assert!(output.is_empty());
        assert_eq!((output.tail.capacity(), output.chunks.is_none()), (0, true));
    }

    #[test]
    fn a_large_chunk_is_moved_and_a_small_one_copied() {
        let mut output = Output::default();
        let large = vec![1; COPY_BELOW];
        let place = large.as_ptr();
        output.push_chunk(large, never);
        output.push_chunk(vec![2; COPY_BELOW - 1], never);
        output.push(&[3]);
        let parts = output.parts();
        assert_eq!(parts[0].as_ptr(), place);
        assert_eq!(parts.len(), 2);
    }

    #[test]
    fn a_chunk_that_is_slow_to_send_behind_its_head_takes_it_in_front() {
        for (slow, expected) in [(true, 1), (false, 2)] {
            let mut output = Output::default();
            output.push(&[2; 20]);
            let mut chunk = Vec::with_capacity(COPY_BELOW + 20);
            chunk.resize(COPY_BELOW, 1);
            let place = chunk.as_ptr();
            output.push_chunk(chunk, |address, head| {
                assert_eq!((address, head), (place.addr(), 20));
                slow
            });
            let parts = output.parts();
            assert_eq!(parts.len(), expected);
            assert_eq!(parts[expected - 1].as_ptr(), place, "it stays where it is");
            assert_eq!(first(&output, 20), [2; 20]);
            assert_eq!(output.len(), 20 + COPY_BELOW);
        }
    }

    #[test]
    fn what_has_nothing_in_front_is_sent_as_it_is() {
        let mut output = Output::default();
        output.push_chunk(vec![1; COPY_BELOW], |_, _| unreachable!("there is no head"));
        output.push(&[2]);
        output.push_chunk(vec![3; COPY_BELOW], |_, _| unreachable!("another chunk is first"));
        assert_eq!(output.parts().len(), 3);
    }

    proptest::proptest! {
        /// Whatever is written in whatever pieces comes out in order, and the length is right at
        /// each step.
        #[test]
        fn bytes_come_out_as_they_went_in(
            steps in proptest::collection::vec((0..5_usize, 0..5000_usize), 1..60)
        ) {
            let mut output = Output::default();
            let mut model: VecDeque<u8> = VecDeque::new();
            let mut next = 0_u8;
            for (kind, size) in steps {
                if kind < 3 {
                    let bytes: Vec<u8> = (0..size).map(|_| { next = next.wrapping_add(1); next }).collect();
                    model.extend(&bytes);
                    match kind {
                        0 => output.push(&bytes),
                        1 => output.push_chunk(bytes, |_, head| head % 2 == 0),
                        _ => drop(output.push_vec(bytes, never)),
                    }
                } else {
                    let offered: usize = output.parts().iter().map(|part| part.len()).sum();
                    let count = size.min(offered);
                    let expected: Vec<u8> = model.drain(..count).collect();
                    proptest::prop_assert_eq!(first(&output, count), expected);
                    output.advance(count, drop);
                }
                proptest::prop_assert_eq!(output.len(), model.len());
            }
        }
    }
}
