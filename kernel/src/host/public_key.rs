//! Public keys: who a peer is, as far as a connection can prove it.
//!
//! Text and bytes only. No curve is known here: whether a key is a point, and who holds its secret,
//! is for a secure layer to find out.

use crate::host::text::is_invisible;
use std::fmt;
use std::str::FromStr;

/// Letters of a key's printed form.
pub(crate) const KEY_DIGITS: usize = 64;
/// Letters of a wrong text that are shown: a key with some too many.
const SHOWN: usize = 70;

/// Names a peer by its Ed25519 public key: 64 hex digits, printed in lower case.
///
/// ```
/// use peers_kernel::PublicKey;
///
/// let text = "07fe1c8a5d7b3e90aa41c6d2f8350b9e6611d04f7ac29385be0c5df1e8724a36";
/// let key: PublicKey = text.to_uppercase().parse()?;
/// assert_eq!(key.to_string(), text);
/// assert_eq!(key.0[..2], [0x07, 0xfe]);
/// # Ok::<(), peers_kernel::PublicKeyError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicKey(pub [u8; 32]);

impl PublicKey {
    /// Returns the bytes of the key.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for PublicKey {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Shows the whole key: it is public.
impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl FromStr for PublicKey {
    type Err = PublicKeyError;

    fn from_str(text: &str) -> Result<Self, PublicKeyError> {
        let digits = text.as_bytes();
        if digits.len() != KEY_DIGITS || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(PublicKeyError { text: shown(text) });
        }
        let mut key = [0; KEY_DIGITS / 2];
        for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair.iter().fold(0, |high, digit| high << 4 | value(*digit));
        }
        Ok(Self(key))
    }
}

/// Returns what a hex digit stands for.
fn value(digit: u8) -> u8 {
    (digit as char).to_digit(16).unwrap_or_default() as u8
}

/// Returns a text as an error shows it: its beginning, with what cannot be seen spelled out.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars().take(SHOWN) {
        if is_invisible(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// Says that a text is no key, and what a key looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKeyError {
    /// Shortened and escaped for printing.
    text: String,
}

impl fmt::Display for PublicKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no key: 64 hex digits", self.text)
    }
}

impl std::error::Error for PublicKeyError {}

impl From<PublicKeyError> for std::io::Error {
    fn from(error: PublicKeyError) -> Self {
        Self::new(std::io::ErrorKind::InvalidInput, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_64_hex_digits_and_nothing_else() {
        let digits = "0".repeat(64);
        assert_eq!(digits.parse(), Ok(PublicKey([0; 32])));
        for text in ["", &digits[1..], &format!("{digits}0"), &digits.replacen('0', "g", 1)] {
            let error = text.parse::<PublicKey>().unwrap_err().to_string();
            assert!(error.ends_with("is no key: 64 hex digits"), "{error}");
        }
        // A `+` would be taken by `from_str_radix`, and letters of two bytes make 64 of them.
        for text in [&digits.replacen("00", "+0", 1), &"é".repeat(32)] {
            assert!(text.parse::<PublicKey>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_words_of_a_fault_are_short_and_can_be_printed() {
        let error = format!("\u{1b}[31m{}", "a".repeat(1000)).parse::<PublicKey>().unwrap_err();
        assert!(error.to_string().len() < 150, "{error}");
        assert!(error.to_string().starts_with("`\\u{1b}[31maaa"), "{error}");
    }

    proptest::proptest! {
        #[test]
        fn what_is_printed_parses_back(bytes: [u8; 32]) {
            let key = PublicKey(bytes);
            proptest::prop_assert_eq!(key.to_string().parse(), Ok(key));
            proptest::prop_assert_eq!(key.to_string().to_uppercase().parse(), Ok(key));
            proptest::prop_assert_eq!(format!("{key:?}"), format!("PublicKey({key})"));
        }
    }
}
