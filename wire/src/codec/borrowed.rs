//! Values that are written from where they are: references, and what is borrowed or owned. Reading
//! them never lives here: that is the reader's, who lends what it can.
//!
//! Invariants:
//! 1. Whoever lends a value spells it like its owner. Kept by
//!    `what_is_lent_is_spelled_like_what_is_owned`.
//! 2. Memory is given away only by whoever owns it. Kept by
//!    `what_is_lent_is_spelled_like_what_is_owned`.

use std::borrow::Cow;

use super::{Encode, Writer};

impl<T: Encode + ?Sized> Encode for &T {
    #[inline]
    fn encode(&self, w: &mut Writer<'_>) {
        (**self).encode(w);
    }

    #[inline]
    fn as_run(&self) -> Option<&[u8]> {
        (**self).as_run()
    }
}

impl<B: Encode + ToOwned<Owned: Encode> + ?Sized> Encode for Cow<'_, B> {
    #[inline]
    fn encode(&self, w: &mut Writer<'_>) {
        (**self).encode(w);
    }

    #[inline]
    fn take_bytes(&mut self) -> Option<Vec<u8>> {
        match self {
            Cow::Borrowed(_) => None,
            Cow::Owned(value) => value.take_bytes(),
        }
    }

    #[inline]
    fn as_run(&self) -> Option<&[u8]> {
        (**self).as_run()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::{Encoded, Value, to_vec};
    use std::collections::BTreeSet;

    /// Whoever lends a value writes what its owner would, and gives its memory only if that is its
    /// own.
    fn same<B: Encode + ToOwned<Owned: Encode + Clone> + ?Sized>(owned: &B::Owned, lent: &B) {
        let spelled = to_vec(owned).unwrap();
        let [borrowed, kept] = [Cow::Borrowed(lent), Cow::Owned(owned.clone())];
        assert_eq!(to_vec(&lent).unwrap(), spelled);
        assert_eq!(to_vec(&borrowed).unwrap(), spelled);
        assert_eq!(to_vec(&kept).unwrap(), spelled);
        let bytes = owned.as_run().map(<[u8]>::to_vec);
        if let Some(bytes) = &bytes {
            let mut behind_length = u32::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
            behind_length.extend_from_slice(bytes);
            assert_eq!(behind_length, spelled);
        }
        for lender in [&borrowed, &kept] {
            assert_eq!(lender.as_run(), bytes.as_deref());
        }
        assert_eq!((&lent).as_run(), bytes.as_deref());
        let [mut borrowed, mut kept] = [borrowed, kept];
        assert_eq!(borrowed.take_bytes(), None);
        assert_eq!(kept.take_bytes(), bytes);
        assert_eq!(owned.clone().take_bytes(), bytes);
    }

    #[test]
    fn what_is_lent_is_spelled_like_what_is_owned() {
        for text in ["", "arrakis", "Muad\u{2019}Dib"] {
            same(&text.to_owned(), text);
            same(&text.as_bytes().to_vec(), text.as_bytes());
        }
        same(&vec![1_u32, 2, 3], [1, 2, 3].as_slice());
        same(&vec!["a".to_owned()], ["a".to_owned()].as_slice());
        same(&7_u64, &7);
        same(&BTreeSet::from([1_u8, 2]), &BTreeSet::from([1, 2]));
        same(&Value::from("self-describing"), &Value::from("self-describing"));
    }

    #[test]
    fn bytes_that_are_not_spelled_behind_a_length_are_not_taken_for_it() {
        assert_eq!(Encoded(b"spice").as_run(), None);
        assert_eq!(vec![1_i8].as_run(), None);
        assert_eq!(Some("text").as_run(), None);
        assert_eq!(("text",).as_run(), None);
    }
}
