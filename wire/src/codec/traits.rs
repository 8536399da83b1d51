//! Values as bytes: the traits that say so, and one value as a whole. The types of the interface
//! language are spelled in `types`, sets and maps in `trees`, references in `borrowed`.
//!
//! Invariants:
//! 1. A value has one spelling, so decoding and encoding again gives the same bytes (sets and maps:
//!    once sorted). Kept by `each_type_has_one_spelling`.
//! 2. A value that takes the whole of some bytes leaves none over. Kept by
//!    `each_bad_vector_gives_its_error`.

use super::{Body, Reader, Writer};
use crate::{Error, limits};

/// A value that can be written.
///
/// Structs write their fields inside [`Writer::structure`], enums a [`Writer::variant`] and its
/// fields.
pub trait Encode {
    /// Appends the value.
    fn encode(&self, w: &mut Writer<'_>);

    /// Appends the elements of a list, without their count. Types for which one pass over the
    /// whole is faster than a step per element override this.
    #[inline]
    fn encode_slice(items: &[Self], w: &mut Writer<'_>)
    where
        Self: Sized,
    {
        for item in items {
            item.encode(w);
        }
    }

    /// Takes the bytes out of a value that is spelled as a length and bytes, if it owns them: so
    /// that they can be sent from where they are. `None` of any other, which stays as it is.
    #[inline]
    fn take_bytes(&mut self) -> Option<Vec<u8>> {
        None
    }

    /// Does what [`take_bytes`](Self::take_bytes) does with a list.
    #[inline]
    fn list_take_bytes(items: &mut Vec<Self>) -> Option<Vec<u8>>
    where
        Self: Sized,
    {
        let _ = items;
        None
    }

    /// Borrows the bytes of a value that is spelled as a length and bytes, whoever owns them;
    /// `None` if it is spelled otherwise. The caller may write the length and these bytes instead
    /// of calling [`encode`](Self::encode).
    #[inline]
    fn as_run(&self) -> Option<&[u8]> {
        None
    }

    /// Does what [`as_run`](Self::as_run) does with a list.
    #[inline]
    fn list_as_run(items: &[Self]) -> Option<&[u8]>
    where
        Self: Sized,
    {
        let _ = items;
        None
    }
}

/// A value that can be read, perhaps borrowing from the input.
///
/// ```
/// use peers_wire::{Decode, Encode, Error, Reader, Writer};
///
/// #[derive(Debug, PartialEq)]
/// struct Point { x: i32, y: i32, label: Option<String> }
///
/// impl Encode for Point {
///     fn encode(&self, w: &mut Writer<'_>) {
///         w.structure(|w| {
///             w.write(&self.x);
///             w.write(&self.y);
///             w.write(&self.label);
///         });
///     }
/// }
///
/// impl<'a> Decode<'a> for Point {
///     const MIN_SIZE: usize = 4;
///
///     fn decode(r: &mut Reader<'a>) -> Result<Self, Error> {
///         let mut fields = r.structure()?;
///         Ok(Self { x: fields.read()?, y: fields.read()?, label: fields.trailing()? })
///     }
/// }
///
/// # fn main() -> Result<(), Error> {
/// let point = Point { x: 1, y: -1, label: None };
/// let bytes = peers_wire::to_vec(&point)?;
/// assert_eq!(peers_wire::from_slice::<Point>(&bytes)?, point);
/// # Ok(()) }
/// ```
pub trait Decode<'a>: Sized {
    /// The fewest bytes a value takes; 4 for structs and enums. Counts of elements are
    /// checked against it before anything is allocated, so it must never be too large.
    const MIN_SIZE: usize;

    /// Reads a value.
    ///
    /// # Errors
    /// Whatever is wrong with the bytes. The reader is then of no further use.
    fn decode(r: &mut Reader<'a>) -> Result<Self, Error>;

    /// Reads `count` elements of a list, whose count was checked by [`Reader::count`]. Types for
    /// which one pass over the whole is faster than a step per element override this.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    #[inline]
    fn decode_vec(r: &mut Reader<'a>, count: usize) -> Result<Vec<Self>, Error> {
        // A count alone makes little room: the bytes of the elements may be wrong.
        let mut items = Vec::with_capacity(count.min(limits::CAPACITY_HINT));
        for _ in 0..count {
            items.push(Self::decode(r)?);
        }
        Ok(items)
    }

    /// Reads the value that takes the whole of a body. Out of [`Body::Owned`], what owns bytes
    /// keeps their memory, and what borrows lies there: the way back from [`Encode::take_bytes`].
    ///
    /// # Errors
    /// As [`from_slice`](crate::from_slice).
    #[inline]
    fn from_body(body: Body<'a>) -> Result<Self, Error> {
        from_slice(body.spelled())
    }

    /// Does what [`from_body`](Self::from_body) does with a list.
    ///
    /// # Errors
    /// As there.
    #[inline]
    fn list_from_body(body: Body<'a>) -> Result<Vec<Self>, Error> {
        from_slice(body.spelled())
    }
}

/// A value that can be read and borrows nothing. Implemented for all such types.
pub trait DecodeOwned: for<'a> Decode<'a> {}

impl<T: for<'a> Decode<'a>> DecodeOwned for T {}

/// Bytes that are encoded already: written as they stand, without a length.
#[derive(Clone, Copy, Debug)]
pub struct Encoded<'a>(pub &'a [u8]);

impl Encode for Encoded<'_> {
    #[inline]
    fn encode(&self, w: &mut Writer<'_>) {
        w.put(self.0);
    }
}

/// Writes a value into a new vector.
///
/// # Errors
/// Those of [`Writer::finish`].
pub fn to_vec<T: Encode + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    append(&mut out, value)?;
    Ok(out)
}

/// Appends a value to `out`, for callers that have memory to write into.
///
/// # Errors
/// Those of [`Writer::finish`]; nothing is appended then.
#[inline]
pub fn append<T: Encode + ?Sized>(out: &mut Vec<u8>, value: &T) -> Result<(), Error> {
    let mut writer = Writer::new(out);
    value.encode(&mut writer);
    writer.finish()
}

/// Reads a value that takes the whole of `bytes`.
///
/// # Errors
/// Whatever is wrong with the bytes; [`Error::TrailingBytes`] if some are left over.
#[inline]
pub fn from_slice<'a, T: Decode<'a>>(bytes: &'a [u8]) -> Result<T, Error> {
    let mut reader = Reader::new(bytes);
    let value = T::decode(&mut reader)?;
    reader.finish()?;
    Ok(value)
}
