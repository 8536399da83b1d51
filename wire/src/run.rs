//! Large frames whose value is one run of bytes: what stands before the bytes is kept apart from
//! them, so that the value can have the memory that they are read into. Where that memory comes
//! from never lives here.
//!
//! Invariants: 1. front and run together are the frame as it was sent; 2. a run is taken whole, or
//! spelled out again, in its memory.

use byteorder::{ByteOrder, NetworkEndian};

use crate::frame::{Frame, HEADER, Header, Kind, TRACED};
use crate::{Error, from_slice, limits};

/// A frame with fewer bytes in its run is not worth the trouble.
pub(crate) const WORTH_KEEPING_APART: usize = 256 << 10;

/// Says how long the length of a run is.
const LENGTH: usize = 4;

/// The most that stands between the header and the run: the head of a traced call, and the length.
const MOST_HEAD: usize = 32 + LENGTH;

/// Holds what stands before the bytes of a large frame whose value is one run of bytes, as far as
/// can be seen: a length and so many bytes, to the frame's end. It may be a structure as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Front {
    header: Header,
    head: [u8; MOST_HEAD],
    head_len: u8,
    run: u32,
}

impl Front {
    /// The front of the frame that begins with `bytes`, if it has one.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        let (header, body) = bytes.split_first_chunk::<HEADER>()?;
        let header = Header::from_bytes(header).ok()?;
        let head_len = match header.kind {
            Kind::Reply => LENGTH,
            Kind::Call | Kind::Event if header.flags & TRACED != 0 => 32 + LENGTH,
            Kind::Call | Kind::Event => 16 + LENGTH,
            _ => return None,
        };
        let seen = body.get(..head_len)?;
        let run = NetworkEndian::read_u32(&seen[head_len - LENGTH..]);
        let is_rest = (header.length as usize).checked_sub(head_len) == Some(run as usize);
        if !is_rest || !(WORTH_KEEPING_APART..=limits::MEMORY).contains(&(run as usize)) {
            return None;
        }
        let mut head = [0; MOST_HEAD];
        head[..head_len].copy_from_slice(seen);
        Some(Self { header, head, head_len: head_len as u8, run })
    }

    /// Returns how many bytes it has.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "it never is")]
    pub fn len(&self) -> usize {
        HEADER + usize::from(self.head_len)
    }

    /// Returns how many bytes the run has.
    #[must_use]
    pub fn run(&self) -> usize {
        self.run as usize
    }

    /// The frame without the run: its body ends with the length.
    #[must_use]
    pub fn frame(&self) -> Frame<'_> {
        Frame::new(self.header, self.head())
    }

    fn head(&self) -> &[u8] {
        &self.head[..usize::from(self.head_len)]
    }
}

/// The bytes that a value is read from.
#[derive(Debug)]
pub enum Body<'a> {
    /// As they are spelled; they belong to somebody else.
    Slice(&'a [u8]),
    /// A run: the value is spelled as the length of these bytes and the bytes, and may keep their
    /// memory. What is left of it then is of no use to anybody else.
    Owned(&'a mut Vec<u8>),
}

impl<'a> Body<'a> {
    /// Returns how many bytes the value takes as it is spelled.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> usize {
        match self {
            Self::Slice(bytes) => bytes.len(),
            Self::Owned(run) => LENGTH + run.len(),
        }
    }

    /// The value as it is spelled.
    #[inline]
    pub(crate) fn spelled(self) -> &'a [u8] {
        match self {
            Self::Slice(bytes) => bytes,
            Self::Owned(run) => spelled(run),
        }
    }

    /// The bytes of a list of them.
    #[inline]
    pub(crate) fn into_bytes(self) -> Result<Vec<u8>, Error> {
        match self {
            // A list may not have more: reading it says so.
            Self::Owned(run) if run.len() <= limits::MEMORY => Ok(std::mem::take(run)),
            body => from_slice(body.spelled()),
        }
    }

    /// The text, if it is one.
    #[inline]
    pub(crate) fn into_text(self) -> Result<String, Error> {
        match self {
            Self::Slice(bytes) => from_slice(bytes),
            Self::Owned(run) => text_of(run),
        }
    }
}

#[cold]
fn spelled(run: &mut Vec<u8>) -> &[u8] {
    let length = u32::try_from(run.len()).unwrap_or(u32::MAX);
    run.splice(..0, length.to_be_bytes());
    run
}

#[cold]
fn text_of(run: &mut Vec<u8>) -> Result<String, Error> {
    String::from_utf8(std::mem::take(run)).or_else(|error| {
        // It is put back, so that reading it as it is spelled says what is wrong with it.
        *run = error.into_bytes();
        from_slice(spelled(run))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::Body;
    use crate::{Decode, DecodeOwned, Error, from_slice, to_vec};
    use std::fmt::Debug;

    /// Reads a value as its receiver does, who has a run.
    fn read<'a, T: Decode<'a>>(run: &'a mut Vec<u8>) -> Result<T, Error> {
        T::from_body(Body::Owned(run))
    }

    #[test]
    fn bytes_and_texts_stay_where_they_are() {
        let mut run = b"the spice".to_vec();
        let place = run.as_ptr();
        let bytes: Vec<u8> = read(&mut run).unwrap();
        assert_eq!((bytes.as_ptr(), &bytes[..], run.capacity()), (place, &b"the spice"[..], 0));
        let (text,): (String,) = read(&mut bytes.clone()).unwrap();
        assert_eq!(text, "the spice");
        let mut run = bytes;
        let text: String = read(&mut run).unwrap();
        assert_eq!((text.as_ptr(), run.capacity()), (place, 0));
    }

    #[test]
    fn bytes_that_are_lent_are_those_of_the_run() {
        let mut run = b"the spice".to_vec();
        let place = run.as_ptr();
        let (lent,): (&[u8],) = read(&mut run).unwrap();
        assert_eq!((lent.as_ptr(), lent), (place, &b"the spice"[..]));
    }

    #[test]
    fn what_is_not_taken_leaves_its_memory() {
        let mut run = vec![0xff; 100];
        assert_eq!(read::<String>(&mut run), Err(Error::BadUtf8 { offset: 4 }));
        assert_eq!(run.len(), 104);
        let mut run = vec![1; 100];
        assert!(read::<u32>(&mut run).is_err());
        assert!(run.capacity() >= 104);
    }

    fn same<T: DecodeOwned + PartialEq + Debug>(run: &[u8]) {
        let spelled = to_vec(run).unwrap();
        assert_eq!(read::<T>(&mut run.to_vec()), from_slice::<T>(&spelled));
    }

    proptest::proptest! {
        /// Whatever the type and whatever the bytes, they are read as they would be behind their
        /// length.
        #[test]
        fn a_value_is_what_its_spelling_is(run in proptest::collection::vec(0..4_u8, 0..40)) {
            same::<Vec<u8>>(&run);
            same::<(Vec<u8>,)>(&run);
            same::<Vec<i8>>(&run);
            same::<Vec<u16>>(&run);
            same::<Vec<(u8,)>>(&run);
            same::<String>(&run);
            same::<(String,)>(&run);
            same::<(u32, bool)>(&run);
            same::<(Vec<u8>, Vec<u8>)>(&run);
            same::<Option<Vec<u8>>>(&run);
            same::<u32>(&run);
            same::<()>(&run);
            let spelled = to_vec(&run).unwrap();
            let [mut bytes, mut text] = [run.clone(), run];
            proptest::prop_assert_eq!(read::<&[u8]>(&mut bytes), from_slice(&spelled));
            proptest::prop_assert_eq!(read::<&str>(&mut text), from_slice(&spelled));
        }
    }
}
