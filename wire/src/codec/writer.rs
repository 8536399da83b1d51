//! Writing: appending to a growing output, with lengths patched afterwards. How single types are
//! spelled lives in `codec`.
//!
//! Invariants:
//! 1. Writing never fails where it happens: the first failure is kept and told by `finish`. Kept by
//!    `the_first_failure_of_a_writer_is_told`.
//! 2. After a failure nothing is appended, and `finish` cuts the output back to where it was. Kept
//!    by `an_output_over_its_limit_is_left_as_it_was`.
//! 3. The output never exceeds the limit. Kept by `an_output_over_its_limit_is_left_as_it_was`.

use byteorder::{ByteOrder, NetworkEndian};

use super::Encode;
use super::copy::append_bytes;
use crate::{Error, limits};

/// Appends values to an output.
///
/// ```
/// use peers_wire::Writer;
/// # fn main() -> Result<(), peers_wire::Error> {
/// let mut out = Vec::new();
/// let mut writer = Writer::new(&mut out);
/// writer.u16(7);
/// writer.write("hi");
/// writer.finish()?;
/// assert_eq!(out, [0, 7, 0, 0, 0, 2, b'h', b'i']);
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "whether everything was written is told by `finish`"]
pub struct Writer<'w> {
    out: &'w mut Vec<u8>,
    /// Says where this writer's output starts.
    start: usize,
    /// The most bytes the output may have; 0 iff `failed` is set.
    end: usize,
    depth: u32,
    nodes: u32,
    /// Set iff something could not be written.
    failed: Option<Error>,
}

macro_rules! fixed {
    ($($type:ident, $size:literal, $write:expr, $number:literal;)*) => {$(
        #[doc = concat!("Appends a number of ", $number, " bytes.")]
        #[inline]
        pub fn $type(&mut self, value: $type) {
            let mut bytes = [0; $size];
            $write(&mut bytes, value);
            self.put(&bytes);
        }
    )*};
}

impl<'w> Writer<'w> {
    /// Makes a writer behind what `out` holds, with no limit but what a u32 length can say.
    #[inline]
    pub const fn new(out: &'w mut Vec<u8>) -> Self {
        Self::with_limit(out, u32::MAX as usize)
    }

    /// Makes a writer behind what `out` holds that may append `limit` bytes.
    #[inline]
    pub const fn with_limit(out: &'w mut Vec<u8>, limit: usize) -> Self {
        let start = out.len();
        let end = start.saturating_add(limit);
        Self { out, start, end, depth: limits::DEPTH, nodes: limits::NODES, failed: None }
    }

    /// Returns how many bytes were appended.
    #[inline]
    #[must_use]
    pub fn written(&self) -> usize {
        self.out.len() - self.start
    }

    /// Ends writing.
    ///
    /// # Errors
    /// The first thing that could not be written: [`Error::OutputTooLarge`], with the size of the
    /// whole, [`Error::TooManyElements`], [`Error::TooManyNodes`] or [`Error::TooDeep`]. The output
    /// is then as it was before.
    #[inline]
    pub fn finish(mut self) -> Result<(), Error> {
        debug_assert!(self.out.len() >= self.start, "what stood there before is never cut");
        match self.failed.take() {
            None => Ok(()),
            // Whole or not at all: half a frame would break the stream.
            Some(error) => {
                self.out.truncate(self.start);
                Err(error)
            }
        }
    }

    /// Appends a value of any type that can be encoded.
    #[inline]
    pub fn write<T: Encode + ?Sized>(&mut self, value: &T) {
        value.encode(self);
    }

    /// Appends bytes as they are, without a length.
    #[inline]
    pub fn put(&mut self, bytes: &[u8]) {
        if let Some(out) = self.room(bytes.len()) {
            append_bytes(out, bytes);
        }
    }

    /// Returns where to append `size` bytes, if they fit: whoever asks appends exactly so many.
    #[inline]
    pub(crate) fn room(&mut self, size: usize) -> Option<&mut Vec<u8>> {
        // After a failure `end` is zero, so that nothing has room any more.
        if size > self.end.saturating_sub(self.out.len()) {
            self.overflow(size);
            return None;
        }
        Some(self.out)
    }

    /// Appends a byte.
    #[inline]
    pub fn u8(&mut self, value: u8) {
        self.put(&[value]);
    }

    fixed! {
        u16, 2, NetworkEndian::write_u16, "two";
        u32, 4, NetworkEndian::write_u32, "four";
        u64, 8, NetworkEndian::write_u64, "eight";
        u128, 16, NetworkEndian::write_u128, "sixteen";
    }

    /// Appends a u32 length and the bytes.
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) {
        // A length that is cut would tell the reader another place for all that follows.
        let Ok(length) = u32::try_from(bytes.len()) else {
            return self.fail(Error::TooManyElements { count: bytes.len() });
        };
        let size = bytes.len() + 4;
        if let Some(out) = self.room(size) {
            out.reserve(size);
            out.extend_from_slice(&length.to_be_bytes());
            append_bytes(out, bytes);
        }
    }

    /// Appends the count of elements, and the elements one level deeper.
    #[inline]
    pub fn elements(&mut self, count: usize, elements: impl FnOnce(&mut Self)) {
        let Ok(number) = u32::try_from(count) else {
            return self.fail(Error::TooManyElements { count });
        };
        self.u32(number);
        self.nested(elements);
    }

    /// Charges `count` nodes, as every [`Reader`](crate::Reader) of this is going to.
    #[inline]
    pub fn charge_nodes(&mut self, count: u32) {
        // A reader would refuse it, so it must not leave.
        let (left, over) = self.nodes.overflowing_sub(count);
        self.nodes = left;
        if over {
            self.too_many_nodes();
        }
    }

    #[cold]
    #[inline(never)]
    fn too_many_nodes(&mut self) {
        self.nodes = 0;
        self.fail(Error::TooManyNodes { limit: limits::NODES, offset: self.written() });
    }

    /// Appends a structure: what `fields` appends, behind its length.
    #[inline]
    pub fn structure(&mut self, fields: impl FnOnce(&mut Self)) {
        // The length is known only behind the fields.
        let at = self.out.len();
        self.u32(0);
        fields(self);
        self.patch_length(at, 4);
    }

    /// Appends the position of an enum's variant; its fields follow.
    #[inline]
    pub fn variant(&mut self, position: u32) {
        self.u32(position);
    }

    /// Runs `write` one level deeper. Whatever can contain itself must write its contents through
    /// this.
    #[inline]
    pub fn nested(&mut self, write: impl FnOnce(&mut Self)) {
        let Some(depth) = self.depth.checked_sub(1) else {
            return self.fail(Error::TooDeep { limit: limits::DEPTH });
        };
        // A reader refuses what lies deeper, so it must not leave.
        self.depth = depth;
        write(self);
        self.depth += 1;
    }

    /// Returns where the next byte goes in the output.
    #[inline]
    pub(crate) fn position(&self) -> usize {
        self.out.len()
    }

    /// Writes the length of what stands behind a header of `header` bytes at `at` into its first
    /// four.
    #[inline]
    pub(crate) fn patch_length(&mut self, at: usize, header: usize) {
        // What was to be patched may not be there.
        if self.failed.is_some() {
            return;
        }
        match u32::try_from(self.out.len() - at - header) {
            Ok(length) => self.out[at..at + 4].copy_from_slice(&length.to_be_bytes()),
            Err(_) => self.overflow(0),
        }
    }

    /// Fails because something does not fit: from here on, bytes are only counted.
    #[cold]
    fn overflow(&mut self, more: usize) {
        match &mut self.failed {
            None => {
                let (size, limit) = (self.written().saturating_add(more), self.end - self.start);
                self.fail(Error::OutputTooLarge { size, limit });
            }
            // It goes on counting, so that the error says how much room would have been enough.
            Some(Error::OutputTooLarge { size, .. }) => *size = size.saturating_add(more),
            Some(_) => {}
        }
    }

    /// Keeps the first failure; from here on, nothing fits.
    #[cold]
    fn fail(&mut self, error: Error) {
        // The first failure is the cause; later ones follow from it.
        self.failed.get_or_insert(error);
        self.end = 0;
    }
}
