//! Cutting a stream of segments into frames. What a header says lives in `header`; what a session
//! does with frames never lives here.
//!
//! Invariants:
//! 1. A header is judged as soon as its sixteen bytes are there. Kept by
//!    `a_bad_frame_is_found_at_its_header_however_it_is_cut`.
//! 2. New memory is made only for bytes that arrived, and what it held before is at most doubled.
//!    Kept by `a_claimed_body_is_not_allocated`, `a_promise_alone_is_lent_nothing`.
//! 3. How the stream is cut into segments never shows in the frames. Kept by
//!    `a_stream_is_the_same_however_it_is_cut`.
//! 4. A deframer between frames holds no memory: what the last frame needed is dropped, or lent to
//!    the next one by way of the caller. Kept by `next_other`,
//!    `memory_for_frames_in_pieces_passes_through_the_callers_hands`.

use super::{Frame, Front, HEADER, Header};
use crate::Error;
use crate::codec::append_bytes;

/// Cuts a stream of bytes into frames.
///
/// A frame that lies wholly inside the input is borrowed from it; only an incomplete one at the end
/// is kept.
///
/// ```
/// use peers_wire::{Deframer, Kind, Ping};
/// # fn main() -> Result<(), peers_wire::Error> {
/// let mut stream = Vec::new();
/// Ping { number: 7 }.put(&mut stream);
/// Ping { number: 8 }.put(&mut stream);
///
/// let mut deframer = Deframer::new(4096);
/// let mut numbers = Vec::new();
/// for segment in stream.chunks(5) {
///     let mut input = segment;
///     while let Some(frame) = deframer.next(&mut input)? {
///         assert_eq!(frame.kind, Kind::Ping);
///         numbers.push(frame.call);
///     }
/// }
/// assert_eq!(numbers, [7, 8]);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Deframer {
    /// Bytes that were not handed out, or were, and are to be forgotten. In place: between frames,
    /// many connections can do with one deframer.
    held: Held,
    limit: u32,
}

/// The beginning of a frame whose end is owed; behind a [`Deframer::lend`], perhaps many frames.
#[derive(Debug, Default)]
struct Held {
    bytes: Vec<u8>,
    /// The number of them that were handed out.
    at: usize,
}

/// A frame of fewer bytes is not worth a read of its own.
const WORTH_LENDING: usize = 32 << 10;

/// A read of fewer bytes is not worth asking for.
const LEAST_ROOM: usize = 16 << 10;

/// Bytes beyond which the memory for reading ahead does not grow, unless for one frame.
const READ_AHEAD: usize = 256 << 10;

impl Deframer {
    /// Makes a deframer at the start of a stream that accepts bodies of at most `limit` bytes.
    #[must_use]
    pub const fn new(limit: u32) -> Self {
        Self { held: Held { bytes: Vec::new(), at: 0 }, limit }
    }

    /// Changes the limit, from the next call of [`next`](Self::next) on.
    pub const fn set_limit(&mut self, limit: u32) {
        self.limit = limit;
    }

    /// Returns how many bytes of an incomplete frame are kept: non-zero iff a frame has begun and
    /// the rest is owed.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.held.rest().len()
    }

    /// Takes the next frame from the front of `input`. `None` means that all of `input` was taken
    /// and more is needed.
    ///
    /// # Errors
    /// [`Error::FrameTooLarge`] and those of [`Header::from_bytes`], as soon as the header is
    /// there. The stream cannot be read any further; asking again gives the same error.
    #[inline]
    pub fn next<'s, 'i: 's>(
        &'s mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Frame<'s>>, Error> {
        self.next_with(input, &mut Vec::new())
    }

    /// Takes the next frame like [`next`](Self::next), for callers that cut many large frames:
    /// memory for an incomplete frame is taken out of `pooled`, and put there when the frame has
    /// been dealt with. What `pooled` contains is thrown away.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    #[inline(always)]
    pub fn next_with<'s, 'i: 's>(
        &'s mut self,
        input: &mut &'i [u8],
        pooled: &mut Vec<u8>,
    ) -> Result<Option<Frame<'s>>, Error> {
        // The likely frame: nothing is held, and it lies whole in the input.
        if self.held.bytes.is_empty()
            && let Some((header, rest)) = input.split_first_chunk::<HEADER>()
            && let Some(header) = Header::likely(header)
            && header.length <= self.limit
            && let Some((body, rest)) = rest.split_at_checked(header.length as usize)
        {
            *input = rest;
            return Ok(Some(Frame::new(header, body)));
        }
        // Field by field, so that the likely frame never goes through memory.
        match self.next_other(input, pooled) {
            Ok(Some(Frame { kind, flags, call, body })) => {
                Ok(Some(Frame { kind, flags, call, body }))
            }
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes any other frame: it is incomplete, or began in earlier input, or is of a kind that
    /// comes seldom, or none at all.
    #[cold]
    #[inline(never)]
    fn next_other<'s, 'i: 's>(
        &'s mut self,
        input: &mut &'i [u8],
        pooled: &mut Vec<u8>,
    ) -> Result<Option<Frame<'s>>, Error> {
        if self.has_held(pooled) {
            return self.complete(input);
        }
        // Nothing is held from here on: what was, was handed out.
        debug_assert!(self.held.bytes.is_empty(), "a deframer between frames holds no memory");
        let Some((header, rest)) = input.split_first_chunk::<HEADER>() else {
            return self.keep(input, HEADER, pooled);
        };
        // The header is judged before the body is there (invariant 1).
        let header = judge(header, self.limit)?;
        let Some((body, rest)) = rest.split_at_checked(header.length as usize) else {
            return self.keep(input, HEADER + header.length as usize, pooled);
        };
        *input = rest;
        Ok(Some(Frame::new(header, body)))
    }

    /// Lends the beginning of a large frame, once [`next`](Self::next) has returned `None`, to be
    /// given back by [`give_back`](Self::give_back) with what comes next appended: read straight
    /// behind it, and as much as there is room for, be it more than the frame. `None` if no frame
    /// is owed for which that pays.
    pub fn lend(&mut self) -> Option<Vec<u8>> {
        let bytes = &mut self.held.bytes;
        let header = Header::from_bytes(bytes.first_chunk()?).ok()?;
        let (total, len) = (HEADER + header.length as usize, bytes.len());
        if total < WORTH_LENDING {
            return None;
        }
        if bytes.capacity() - len < LEAST_ROOM {
            // Memory grows with what has come, not with what a header promises (invariant 2).
            if len < LEAST_ROOM {
                return None;
            }
            bytes.reserve_exact(len.min(READ_AHEAD.max(total - len)));
        }
        Some(std::mem::take(&mut self.held).bytes)
    }

    /// Takes the beginning of a frame apart whose value seems to be one large run of bytes, once
    /// [`next`](Self::next) has returned `None`: what stands before the run, and what has come of
    /// the run in `memory`, which was asked for room for all of it. The rest is to be read behind
    /// that, and what follows it is the next input. What the beginning was in goes to `pooled`.
    ///
    /// `None` if no such frame is owed, or there is no memory. A value that turns out to be
    /// something else is read from the same [`Body::Owned`](crate::Body::Owned).
    pub fn lend_run(
        &mut self,
        pooled: &mut Vec<u8>,
        memory: impl FnOnce(usize) -> Option<Vec<u8>>,
    ) -> Option<(Front, Vec<u8>)> {
        let held = self.held.rest();
        let front = Front::of(held)?;
        let mut run = memory(front.run()).filter(|run| run.capacity() >= front.run())?;
        run.clear();
        append_bytes(&mut run, &held[front.len()..]);
        self.forget(pooled);
        Some((front, run))
    }

    /// Takes back what was lent, with more behind it.
    pub fn give_back(&mut self, mut bytes: Vec<u8>) {
        // Full to the brim: more was to be read than there was room for.
        if bytes.len() == bytes.capacity() && bytes.len() < READ_AHEAD {
            bytes.reserve_exact(bytes.len());
        }
        self.held = Held { bytes, at: 0 };
    }

    /// Returns whether anything is held that was not handed out; if not, the memory goes to
    /// `pooled`.
    #[inline]
    fn has_held(&mut self, pooled: &mut Vec<u8>) -> bool {
        if self.held.bytes.is_empty() {
            return false;
        }
        let is_owed = !self.held.rest().is_empty();
        if !is_owed {
            self.forget(pooled);
        }
        is_owed
    }

    /// Keeps all of `input`, which is less than the `total` bytes wanted.
    #[cold]
    fn keep<'s>(
        &'s mut self,
        input: &mut &[u8],
        total: usize,
        pooled: &mut Vec<u8>,
    ) -> Result<Option<Frame<'s>>, Error> {
        if !input.is_empty() {
            // Memory much larger than the frame would be filled with what follows it, in one read.
            if pooled.capacity() <= READ_AHEAD.max(total.saturating_mul(2)) {
                self.held.bytes = std::mem::take(pooled);
                self.held.bytes.clear();
            }
            self.held.fill(input, total);
        }
        Ok(None)
    }

    /// Lets go of memory whose bytes have been handed out and dealt with, to be used again.
    #[cold]
    fn forget(&mut self, pooled: &mut Vec<u8>) {
        let Held { bytes, .. } = std::mem::take(&mut self.held);
        // The larger of the two is kept: what was large will be needed so again.
        if bytes.capacity() > pooled.capacity() {
            *pooled = bytes;
        }
    }

    /// Goes on with the frame that has begun.
    #[cold]
    fn complete<'s>(&'s mut self, input: &mut &[u8]) -> Result<Option<Frame<'s>>, Error> {
        let Self { held, limit } = self;
        held.fill(input, HEADER);
        // The header first, whatever comes behind it: it says how much memory to make.
        let Some(header) = held.rest().first_chunk::<HEADER>() else { return Ok(None) };
        let header = judge(header, *limit)?;
        let total = HEADER + header.length as usize;
        held.fill(input, total);
        Ok(held.take(total).map(|frame| Frame::new(header, &frame[HEADER..])))
    }
}

impl Held {
    /// Returns what was not handed out.
    #[inline]
    fn rest(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    /// Hands out `total` bytes, if they are there.
    fn take(&mut self, total: usize) -> Option<&[u8]> {
        let (frame, _) = self.bytes[self.at..].split_at_checked(total)?;
        self.at += total;
        debug_assert!(self.at <= self.bytes.len(), "only what is held is handed out");
        Some(frame)
    }

    /// Moves bytes from `input` until `total` are there. Room at most doubles what is there, and
    /// never exceeds the frame.
    fn fill(&mut self, input: &mut &[u8], total: usize) {
        if self.rest().len() >= total {
            return;
        }
        // What was handed out is dropped now, and no earlier: its frame was borrowed from here.
        self.bytes.drain(..std::mem::take(&mut self.at));
        let taken = input.len().min(total - self.bytes.len());
        let (head, rest) = input.split_at(taken);
        let needed = self.bytes.len() + taken;
        if needed > self.bytes.capacity() {
            let room = (self.bytes.len() * 2).clamp(needed, total.max(needed));
            self.bytes.reserve_exact(room - self.bytes.len());
        }
        append_bytes(&mut self.bytes, head);
        *input = rest;
    }
}

#[inline]
fn judge(bytes: &[u8; HEADER], limit: u32) -> Result<Header, Error> {
    let header = Header::from_bytes(bytes)?;
    if header.length > limit {
        return Err(Error::FrameTooLarge { length: header.length, limit });
    }
    Ok(header)
}
