//! The first step of input: a stream of segments becomes the peer's opening and then frames.
//!
//! It stands beside the [`Session`](super::Session) instead of inside it, because frames borrow
//! from it: while a request is being served out of the bytes it arrived in, its handler may use the
//! session.

use super::CloseReason;
use crate::limits::Limits;
use peers_wire::{Deframer, Error, Frame, Front, PreambleReader, limits as protocol};

/// Says why the connection ends whose bytes are no frames.
#[cold]
#[inline(never)]
fn no_frame(error: Error) -> Box<CloseReason> {
    Box::new(error.into())
}

/// Cuts the input of one connection into frames. Keeps nothing but an unfinished frame.
#[derive(Debug)]
pub struct Inbound {
    /// Some iff the peer's opening is not complete yet.
    opening: Option<PreambleReader>,
    deframer: Deframer,
    /// Set iff the peer's hello was taken.
    greeted: bool,
}

impl Inbound {
    /// Makes the input of a connection that is just being made.
    pub fn new(limits: &Limits) -> Self {
        let deframer = Deframer::new(limits.frame_before_hello);
        Self { opening: Some(PreambleReader::default()), deframer, greeted: false }
    }

    /// Makes the input of a connection after the peer's hello, between two frames.
    pub fn greeted(limits: &Limits) -> Self {
        Self {
            opening: None,
            deframer: Deframer::new(limits.frame.max(protocol::LEAST_FRAME)),
            greeted: true,
        }
    }

    /// Returns whether it is as good as a new one made by [`greeted`](Self::greeted), so that
    /// another connection can use it.
    pub fn is_between_frames(&self) -> bool {
        self.greeted && self.pending() == 0
    }

    /// Admits frames of the size that our hello has announced. To be called at
    /// [`Event::Opened`](super::Event::Opened).
    pub fn open(&mut self, limits: &Limits) {
        self.deframer.set_limit(limits.frame.max(protocol::LEAST_FRAME));
        self.greeted = true;
    }

    /// Takes the next frame from the front of `input`; `None` if all of it was taken and more is
    /// needed.
    ///
    /// # Errors
    /// Why the connection must end: the bytes are no frames of this protocol. The reason is to be
    /// told to the peer by [`Session::bye_for`](super::Session::bye_for).
    #[inline]
    pub fn next<'s, 'i: 's>(
        &'s mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Frame<'s>>, Box<CloseReason>> {
        self.next_with(input, &mut Vec::new())
    }

    /// Takes a frame like [`next`](Self::next); memory for an incomplete frame is taken from
    /// `pooled` and given back there, for all connections of a process in turn.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    #[inline(always)]
    pub fn next_with<'s, 'i: 's>(
        &'s mut self,
        input: &mut &'i [u8],
        pooled: &mut Vec<u8>,
    ) -> Result<Option<Frame<'s>>, Box<CloseReason>> {
        // What opens the connection comes before any frame.
        if self.opening.is_some() && !self.read_opening(input)? {
            return Ok(None);
        }
        match self.deframer.next_with(input, pooled) {
            Ok(frame) => Ok(frame),
            Err(error) => Err(no_frame(error)),
        }
    }

    /// Returns whether the peer's opening is complete.
    #[cold]
    #[inline(never)]
    fn read_opening(&mut self, input: &mut &[u8]) -> Result<bool, Box<CloseReason>> {
        let Some(opening) = &mut self.opening else { return Ok(true) };
        let complete = opening.read(input).map_err(no_frame)?;
        if complete {
            self.opening = None;
        }
        Ok(complete)
    }

    /// Lends the beginning of a large frame whose rest is owed, at the end of a batch of input, so
    /// that the rest can be read straight behind it; see [`Deframer::lend`].
    pub fn lend(&mut self) -> Option<Vec<u8>> {
        self.deframer.lend()
    }

    /// Takes the beginning of a large frame apart whose value may keep the memory that `memory`
    /// gives; see [`Deframer::lend_run`].
    pub fn lend_run(
        &mut self,
        pooled: &mut Vec<u8>,
        memory: impl FnOnce(usize) -> Option<Vec<u8>>,
    ) -> Option<(Front, Vec<u8>)> {
        self.deframer.lend_run(pooled, memory)
    }

    /// Takes back what [`lend`](Self::lend) lent, with more behind it, in the place of input.
    pub fn give_back(&mut self, block: Vec<u8>) {
        self.deframer.give_back(block);
    }

    /// Counts the bytes held of a frame that has begun and is not complete.
    pub fn pending(&self) -> usize {
        self.deframer.pending()
    }
}
