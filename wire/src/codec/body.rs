//! The bytes that a value is read from, and what becomes of their memory.
//!
//! Invariants:
//! 1. A run is taken whole, or spelled out again, in its memory. Kept by
//!    `what_is_not_taken_leaves_its_memory`, `bytes_and_texts_stay_where_they_are`.

/// The length of the length of a run, in bytes.
const LENGTH: usize = 4;

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

    /// Spells the value out: a run gets its length in front.
    #[inline]
    pub(crate) fn spelled(self) -> &'a [u8] {
        match self {
            Self::Slice(bytes) => bytes,
            Self::Owned(run) => spelled(run),
        }
    }
}

#[cold]
pub(super) fn spelled(run: &mut Vec<u8>) -> &[u8] {
    let length = u32::try_from(run.len()).unwrap_or(u32::MAX);
    // In its memory, which has room for four bytes more or grows once.
    run.splice(..0, length.to_be_bytes());
    run
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
