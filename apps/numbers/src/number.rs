//! A big number, and its three forms: limbs to compute with, decimal digits for people, bytes for
//! the wire.
//!
//! What is computed with numbers stands in `arithmetic`. Invariants:
//! 1. A number has as few limbs as its value needs, at least one: equal numbers are equal in every
//!    respect. Kept by `equal_numbers_are_equal_however_they_were_made`.
//! 2. Its bytes are big-endian without leading zeros, none for zero: one number, one spelling. Kept
//!    by `bytes_are_big_endian_without_leading_zeros`.
//! 3. It has at most [`Number::MAX_BITS`] bits if it came from outside, so that no peer can ask for
//!    endless work. Kept by `the_largest_number_is_taken_and_a_larger_one_is_not`.

use crate::Wrong;
use crypto_bigint::{BoxedUint, Resize as _};
use peers_rpc::wire;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

/// A natural number of any size.
///
/// ```
/// use peers_numbers::Number;
///
/// let x: Number = "170141183460469231731687303715884105727".parse()?; // 2^127 - 1
/// let y = Number::from(65_537);
/// assert!(x.is_prime());
/// let z = y.inverse(&x)?;
/// assert_eq!(z.times(&y).modulo(&x)?, Number::from(1));
/// # Ok::<(), peers_numbers::Wrong>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number(BoxedUint);

impl Number {
    /// Bits of the largest number taken from outside: the product of two of the largest numbers
    /// made here.
    pub const MAX_BITS: u32 = 2 * Self::MAX_MADE;
    /// Bits of the largest random number or prime made here: a prime of that size takes seconds.
    pub const MAX_MADE: u32 = 4_096;

    /// Decimal digits of the largest number taken from outside.
    const MAX_DIGITS: usize = 2_467;

    /// Returns the number that these big-endian bytes spell.
    ///
    /// # Errors
    /// [`Wrong::LeadingZeros`], [`Wrong::TooLong`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Wrong> {
        if bytes.first() == Some(&0) {
            return Err(Wrong::LeadingZeros);
        }
        if bytes.len() > Self::MAX_BITS as usize / 8 {
            return Err(Wrong::TooLong);
        }
        Ok(Self::from(BoxedUint::from_be_slice_vartime(bytes)))
    }

    /// Its big-endian bytes, without leading zeros.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.to_be_bytes_trimmed_vartime().into_vec()
    }

    /// Returns how many bits it has; none for zero.
    pub fn bits(&self) -> u32 {
        self.0.bits_vartime()
    }

    /// Returns what the library computes with.
    pub fn as_uint(&self) -> &BoxedUint {
        &self.0
    }
}

impl From<BoxedUint> for Number {
    fn from(value: BoxedUint) -> Self {
        let bits = value.bits_vartime().max(1);
        Self(value.resize_unchecked(bits))
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self::from(BoxedUint::from(value))
    }
}

impl FromStr for Number {
    type Err = Wrong;

    fn from_str(digits: &str) -> Result<Self, Wrong> {
        if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(Wrong::NotDecimal);
        }
        let digits = digits.trim_start_matches('0');
        if digits.is_empty() {
            return Ok(Self::from(0));
        }
        // Before it is read: reading takes the square of the length.
        if digits.len() > Self::MAX_DIGITS {
            return Err(Wrong::TooLong);
        }
        let value = BoxedUint::from_str_radix_vartime(digits, 10).map_err(|_| Wrong::NotDecimal)?;
        if value.bits_vartime() > Self::MAX_BITS { Err(Wrong::TooLong) } else { Ok(value.into()) }
    }
}

/// Decimal digits.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad_integral(true, "", &self.0.to_string_radix_vartime(10))
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_words().hash(state);
    }
}

/// Travels as the interface's opaque bytes.
impl wire::Encode for Number {
    fn encode(&self, w: &mut wire::Writer<'_>) {
        w.bytes(&self.to_bytes());
    }
}

impl<'a> wire::Decode<'a> for Number {
    const MIN_SIZE: usize = 4;

    fn decode(r: &mut wire::Reader<'a>) -> Result<Self, wire::Error> {
        let what = "number without leading zeros, of at most 8,192 bits";
        Self::from_bytes(r.bytes()?).map_err(|_| wire::Error::Invalid { what })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_digits_in_and_out() {
        for digits in [
            "0",
            "1",
            "18446744073709551615",
            "18446744073709551616",
            "340282366920938463463374607431768211457",
        ] {
            assert_eq!(digits.parse::<Number>().unwrap().to_string(), digits);
        }
        assert_eq!("0007".parse(), Ok(Number::from(7)));
        assert_eq!(format!("{:>4}|{:?}", Number::from(42), Number::from(42)), "  42|42");
        for text in ["", "-1", "+1", "12x", "1_000", " 1", "0x10", "٣"] {
            assert_eq!(text.parse::<Number>(), Err(Wrong::NotDecimal), "{text:?}");
        }
    }

    #[test]
    fn bytes_are_big_endian_without_leading_zeros() {
        assert_eq!(Number::from(0).to_bytes(), []);
        assert_eq!(Number::from_bytes(&[]), Ok(Number::from(0)));
        assert_eq!(Number::from(0x01_00).to_bytes(), [1, 0]);
        assert_eq!(Number::from_bytes(&[1, 0]), Ok(Number::from(256)));
        assert_eq!(Number::from_bytes(&[0, 1]), Err(Wrong::LeadingZeros));
        assert_eq!(Number::from_bytes(&[0]), Err(Wrong::LeadingZeros));
    }

    #[test]
    fn the_largest_number_is_taken_and_a_larger_one_is_not() {
        let mut bytes = vec![0xff; Number::MAX_BITS as usize / 8];
        let largest = Number::from_bytes(&bytes).unwrap();
        assert_eq!(largest.bits(), Number::MAX_BITS);
        let digits = largest.to_string();
        assert_eq!(digits.len(), Number::MAX_DIGITS);
        assert_eq!(digits.parse(), Ok(largest.clone()));
        assert_eq!("9".repeat(Number::MAX_DIGITS).parse::<Number>(), Err(Wrong::TooLong));
        assert_eq!(format!("{digits}0").parse::<Number>(), Err(Wrong::TooLong));
        bytes.push(0);
        assert_eq!(Number::from_bytes(&bytes), Err(Wrong::TooLong));
    }

    #[test]
    fn equal_numbers_are_equal_however_they_were_made() {
        let wide = BoxedUint::from(7_u32).resize_unchecked(1_024);
        let (wide, narrow) = (Number::from(wide), Number::from(7));
        assert_eq!(wide, narrow);
        assert_eq!(wide.as_uint().bits_precision(), narrow.as_uint().bits_precision());
        let hash = |number: &Number| {
            let mut state = std::hash::DefaultHasher::new();
            number.hash(&mut state);
            state.finish()
        };
        assert_eq!(hash(&wide), hash(&narrow));
    }

    #[test]
    fn on_the_wire_a_number_is_a_value_of_type_bytes() {
        let number: Number = "18446744073709551616".parse().unwrap();
        let sent = peers_rpc::pickle(&number).unwrap();
        assert_eq!(sent, peers_rpc::pickle(&number.to_bytes()).unwrap());
        assert_eq!(peers_rpc::unpickle::<Number>(&sent), Ok(number));
        let zeros = peers_rpc::pickle(&vec![0_u8, 1]).unwrap();
        let error = peers_rpc::unpickle::<Number>(&zeros).unwrap_err();
        assert!(error.to_string().contains("without leading zeros"), "{error}");
    }
}
