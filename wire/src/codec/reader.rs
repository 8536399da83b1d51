//! Reading: a slice that shrinks from the front, with the budgets that keep hostile bytes cheap.
//! How single types are spelled lives in `codec`; no state survives an input.
//!
//! Invariants:
//! 1. Nothing is allocated for bytes that are not there. Kept by
//!    `lying_counts_fail_before_their_elements_are_read`.
//! 2. `end - rest.len()` is the offset of the next byte in the input the reader was made from, also
//!    inside a structure. Kept by `offset`, `offsets_inside_structures_count_from_the_start`.
//! 3. Depth, nodes and memory are charged against one budget per input, never per value. Kept by
//!    `nested`, `small_elements_cannot_unfold_into_much_memory`.

use std::ops::{Deref, DerefMut};

use byteorder::{ByteOrder, NetworkEndian};

use super::Decode;
use super::copy::{PIECE, copied};
use crate::{Error, limits};

/// Reads values from a slice of bytes, without copying what can be borrowed.
///
/// ```
/// use peers_wire::Reader;
/// # fn main() -> Result<(), peers_wire::Error> {
/// let mut reader = Reader::new(&[0, 7, 0, 0, 0, 2, b'h', b'i']);
/// assert_eq!(reader.u16()?, 7);
/// assert_eq!(reader.str()?, "hi");
/// reader.finish()
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    end: usize,
    depth: u32,
    nodes: u32,
    memory: usize,
}

macro_rules! fixed {
    ($($name:ident, $type:ty, $size:literal, $read:expr, $number:literal;)*) => {$(
        #[doc = concat!("Reads ", $number, ".")]
        ///
        /// # Errors
        /// [`Error::Truncated`].
        #[inline]
        pub fn $name(&mut self) -> Result<$type, Error> {
            let read: fn(&[u8]) -> $type = $read;
            Ok(read(self.array::<$size>()?))
        }
    )*};
}

impl<'a> Reader<'a> {
    /// Makes a reader at the start of `input`, with full budgets.
    #[inline]
    #[must_use]
    pub const fn new(input: &'a [u8]) -> Self {
        Self {
            rest: input,
            end: input.len(),
            depth: limits::DEPTH,
            nodes: limits::NODES,
            memory: limits::MEMORY,
        }
    }

    /// Returns how many bytes were read before the next one.
    #[inline]
    #[must_use]
    pub const fn offset(&self) -> usize {
        debug_assert!(self.rest.len() <= self.end, "what is left lies in the input");
        self.end - self.rest.len()
    }

    /// Returns the bytes not read yet; inside a structure, those of the structure.
    #[inline]
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Returns whether nothing is left to read.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Ends reading.
    ///
    /// # Errors
    /// [`Error::TrailingBytes`] if something is left.
    #[inline]
    pub fn finish(self) -> Result<(), Error> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(Error::TrailingBytes { count: self.rest.len(), offset: self.offset() })
    }

    /// Reads a value of any type that can be decoded.
    ///
    /// # Errors
    /// Whatever its type finds wrong.
    #[inline]
    pub fn read<T: Decode<'a>>(&mut self) -> Result<T, Error> {
        T::decode(self)
    }

    /// Borrows the next `count` bytes.
    ///
    /// # Errors
    /// [`Error::Truncated`].
    #[inline]
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        match self.rest.split_at_checked(count) {
            Some((head, rest)) => {
                self.rest = rest;
                Ok(head)
            }
            // Nothing is taken, so that the error names the place where it began.
            None => Err(self.truncated(count)),
        }
    }

    /// Borrows the next `N` bytes.
    ///
    /// # Errors
    /// [`Error::Truncated`].
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], Error> {
        match self.rest.split_first_chunk::<N>() {
            Some((head, rest)) => {
                self.rest = rest;
                Ok(head)
            }
            None => Err(self.truncated(N)),
        }
    }

    fixed! {
        u8, u8, 1, |bytes| bytes[0], "a byte";
        u16, u16, 2, NetworkEndian::read_u16, "two bytes as a number";
        u32, u32, 4, NetworkEndian::read_u32, "four bytes as a number";
        u64, u64, 8, NetworkEndian::read_u64, "eight bytes as a number";
        u128, u128, 16, NetworkEndian::read_u128, "sixteen bytes as a number";
    }

    /// Borrows a string: a u32 length and so many bytes of UTF-8.
    ///
    /// # Errors
    /// [`Error::Truncated`], [`Error::BadUtf8`].
    #[inline]
    pub fn str(&mut self) -> Result<&'a str, Error> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map_err(|error| self.bad_utf8(bytes, error))
    }

    /// Reads a string into memory of its own.
    ///
    /// # Errors
    /// As [`str`](Self::str).
    #[inline]
    pub fn string(&mut self) -> Result<String, Error> {
        let bytes = self.bytes()?;
        // Copied first and judged there: what is long is read once, from near memory.
        if bytes.len() > PIECE {
            return self.checked(bytes, copied(bytes));
        }
        self.checked(bytes, bytes.to_vec())
    }

    /// Checks a copy of `bytes`, which becomes the string: that goes a word at a time where memory
    /// is aligned, as new memory is.
    #[inline]
    fn checked(&self, bytes: &[u8], copy: Vec<u8>) -> Result<String, Error> {
        match String::from_utf8(copy) {
            Ok(string) => Ok(string),
            Err(error) => Err(self.bad_utf8(bytes, error.utf8_error())),
        }
    }

    /// Borrows a run of bytes: a u32 length and so many bytes.
    ///
    /// # Errors
    /// [`Error::Truncated`].
    #[inline]
    pub fn bytes(&mut self) -> Result<&'a [u8], Error> {
        let Some((head, behind)) = self.rest.split_first_chunk::<4>() else {
            return Err(self.truncated(4));
        };
        let count = NetworkEndian::read_u32(head) as usize;
        // One step for both, so that the reader is written to once.
        let Some((bytes, rest)) = behind.split_at_checked(count) else {
            self.rest = behind;
            return Err(self.truncated(count));
        };
        self.rest = rest;
        Ok(bytes)
    }

    /// Reads a count of elements that take at least `min_size` bytes each and `memory` bytes once
    /// decoded, and charges the budgets.
    ///
    /// # Errors
    /// [`Error::BadCount`] if the bytes left cannot hold them, [`Error::TooManyNodes`] for too
    /// many elements without bytes, [`Error::TooMuchMemory`].
    #[inline]
    pub fn count(&mut self, min_size: usize, memory: usize) -> Result<usize, Error> {
        let offset = self.offset();
        let count = self.u32()?;
        // Elements without bytes cost the sender nothing, so they are counted in another way.
        if min_size == 0 {
            self.charge_nodes(count)?;
        } else if count as usize > self.rest.len() / min_size {
            return Err(Error::BadCount { count, left: self.rest.len(), offset });
        }
        // Before anything is made: a count of few bytes may stand for much memory.
        self.charge_memory((count as usize).saturating_mul(memory))?;
        Ok(count as usize)
    }

    /// Opens a structure: a u32 length, then its fields. The reader given back ends where the
    /// structure ends. Dropping it skips fields that were not read, which a newer peer may have
    /// added.
    ///
    /// ```
    /// # use peers_wire::{Error, Reader};
    /// # fn main() -> Result<(), Error> {
    /// let mut reader = Reader::new(&[0, 0, 0, 2, 7, 99, 42]);
    /// let mut fields = reader.structure()?;
    /// assert_eq!(fields.u8()?, 7);
    /// drop(fields);
    /// assert_eq!(reader.u8()?, 42);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Truncated`].
    #[inline]
    pub fn structure(&mut self) -> Result<Structure<'_, 'a>, Error> {
        let fields = self.bytes()?;
        let after = self.rest;
        let end = self.end;
        // So that offsets stay those of the whole input: `end` less what is left of the fields.
        self.end = self.offset();
        debug_assert!(self.end >= fields.len(), "fields lie in the input");
        self.rest = fields;
        Ok(Structure { reader: self, after, end })
    }

    /// Reads a field that older peers do not send: its default (`None` for options) if nothing is
    /// left.
    ///
    /// # Errors
    /// Whatever its type finds wrong.
    #[inline]
    pub fn trailing<T: Decode<'a> + Default>(&mut self) -> Result<T, Error> {
        // A sender of an earlier version ends its structure here.
        if self.rest.is_empty() { Ok(T::default()) } else { T::decode(self) }
    }

    /// Reads the position of an enum's variant. A position that the type does not have is reported
    /// by [`unknown_variant`](Self::unknown_variant).
    ///
    /// # Errors
    /// [`Error::Truncated`].
    #[inline]
    pub fn variant(&mut self) -> Result<u32, Error> {
        self.u32()
    }

    /// Returns the error for the position `found`, just read, of the enum `name`.
    #[cold]
    #[must_use]
    pub const fn unknown_variant(&self, name: &'static str, found: u32) -> Error {
        Error::UnknownVariant { name, found, offset: self.offset().saturating_sub(4) }
    }

    /// Runs `read` one level deeper. Whatever can contain itself must read its contents through
    /// this.
    ///
    /// # Errors
    /// [`Error::TooDeep`] at the limit, else those of `read`.
    #[inline]
    pub fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        // Before anything is read: the stack is what is short.
        let Some(depth) = self.depth.checked_sub(1) else {
            return Err(Error::TooDeep { limit: limits::DEPTH });
        };
        self.depth = depth;
        let result = read(self);
        // Also after an error, which may be a value's own business.
        self.depth += 1;
        debug_assert!(self.depth <= limits::DEPTH, "levels are left as often as entered");
        result
    }

    /// Charges `count` nodes: things that cost work without costing their sender bytes.
    ///
    /// # Errors
    /// [`Error::TooManyNodes`].
    #[inline]
    pub fn charge_nodes(&mut self, count: u32) -> Result<(), Error> {
        // One budget for the whole input: many small lists cost what one large list does.
        let Some(left) = self.nodes.checked_sub(count) else {
            return Err(Error::TooManyNodes { limit: limits::NODES, offset: self.offset() });
        };
        self.nodes = left;
        Ok(())
    }

    /// Charges `bytes` of memory that a decoded value is going to take.
    ///
    /// # Errors
    /// [`Error::TooMuchMemory`].
    #[inline]
    pub fn charge_memory(&mut self, bytes: usize) -> Result<(), Error> {
        let Some(left) = self.memory.checked_sub(bytes) else {
            return Err(Error::TooMuchMemory { limit: limits::MEMORY, offset: self.offset() });
        };
        self.memory = left;
        Ok(())
    }

    #[cold]
    fn truncated(&self, needed: usize) -> Error {
        Error::Truncated { needed, left: self.rest.len(), offset: self.offset() }
    }

    #[cold]
    fn bad_utf8(&self, bytes: &[u8], error: std::str::Utf8Error) -> Error {
        Error::BadUtf8 { offset: self.offset() - bytes.len() + error.valid_up_to() }
    }
}

/// A [`Reader`] of one structure's fields, made by [`Reader::structure`]. The reader it came from
/// goes on behind the structure when this is dropped.
#[derive(Debug)]
pub struct Structure<'r, 'a> {
    reader: &'r mut Reader<'a>,
    after: &'a [u8],
    end: usize,
}

impl<'a> Deref for Structure<'_, 'a> {
    type Target = Reader<'a>;

    #[inline]
    fn deref(&self) -> &Reader<'a> {
        self.reader
    }
}

impl<'a> DerefMut for Structure<'_, 'a> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Reader<'a> {
        self.reader
    }
}

impl Drop for Structure<'_, '_> {
    #[inline]
    fn drop(&mut self) {
        // What later versions have added, and nobody has read, is skipped.
        self.reader.rest = self.after;
        self.reader.end = self.end;
    }
}

/// Reads a body that is one structure; fields of later versions are skipped.
pub(crate) fn read_structure<'a, T>(
    body: &'a [u8],
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut r = Reader::new(body);
    let value = read(&mut *r.structure()?)?;
    r.finish()?;
    Ok(value)
}
