//! Tuples, as arguments are: their fields one after the other, without a length.

use super::{Body, Decode, Encode, Reader, Writer};
use crate::Error;

macro_rules! encode {
    ($(($($name:ident)+))*) => {$(
        impl<$($name: Encode),+> Encode for ($($name,)+) {
            #[inline(always)]
            #[allow(non_snake_case, reason = "the fields are named after their types")]
            fn encode(&self, w: &mut Writer<'_>) {
                let ($($name,)+) = self;
                $($name.encode(w);)+
            }
        }
    )*};
}

macro_rules! decode {
    ($(($($name:ident)+))*) => {$(
        impl<'a, $($name: Decode<'a>),+> Decode<'a> for ($($name,)+) {
            const MIN_SIZE: usize = 0 $(+ $name::MIN_SIZE)+;

            #[inline]
            fn decode(r: &mut Reader<'a>) -> Result<Self, Error> {
                Ok(($($name::decode(r)?,)+))
            }
        }
    )*};
}

encode! {
    (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) (A B C D E F G) (A B C D E F G H)
    (A B C D E F G H I) (A B C D E F G H I J) (A B C D E F G H I J K) (A B C D E F G H I J K L)
}

decode! {
    (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) (A B C D E F G) (A B C D E F G H)
    (A B C D E F G H I) (A B C D E F G H I J) (A B C D E F G H I J K) (A B C D E F G H I J K L)
}

/// Spelled as its field.
impl<'a, A: Decode<'a>> Decode<'a> for (A,) {
    const MIN_SIZE: usize = A::MIN_SIZE;

    #[inline]
    fn decode(r: &mut Reader<'a>) -> Result<Self, Error> {
        Ok((A::decode(r)?,))
    }

    #[inline]
    fn from_body(body: Body<'a>) -> Result<Self, Error> {
        A::from_body(body).map(|field| (field,))
    }
}
