//! Reads the first eight bytes of a connection. What else they may be is said in `opening`.
//!
//! Invariants:
//! 1. A foreign opening is recognised at the first byte that differs. Kept by
//!    `foreign_openings_are_named_in_words`.

use byteorder::{ByteOrder, NetworkEndian};

use crate::Error;
use crate::opening::{MAGIC, Opening, PREAMBLE, VERSION};

/// Reads the peer's [`PREAMBLE`], however it is cut into segments.
///
/// ```
/// use peers_wire::{PREAMBLE, PreambleReader};
/// let mut reader = PreambleReader::new();
/// let mut input = &PREAMBLE[..3];
/// assert_eq!(reader.read(&mut input), Ok(false));
/// let mut input = &PREAMBLE[3..];
/// assert_eq!(reader.read(&mut input), Ok(true));
/// ```
#[derive(Clone, Debug, Default)]
pub struct PreambleReader {
    seen: [u8; PREAMBLE.len()],
    len: usize,
}

impl PreambleReader {
    /// Makes a reader at the start of a connection.
    #[must_use]
    pub const fn new() -> Self {
        Self { seen: [0; PREAMBLE.len()], len: 0 }
    }

    /// Takes what is missing from the front of `input`; true once the preamble is complete.
    ///
    /// # Errors
    /// [`Error::Foreign`] at the first wrong byte, [`Error::UnsupportedVersion`] when all
    /// eight are there and the last two are not ours.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<bool, Error> {
        let taken = input.len().min(PREAMBLE.len() - self.len);
        let (head, rest) = input.split_at(taken);
        self.seen[self.len..self.len + taken].copy_from_slice(head);
        self.len += taken;
        let seen = &self.seen[..self.len];
        let magic = &seen[..seen.len().min(MAGIC)];
        // At the first byte that differs, so that whoever speaks something else is not waited for.
        if *magic != PREAMBLE[..magic.len()] {
            return Err(Error::Foreign(Opening::new(seen, rest)));
        }
        // What is foreign stays in the input, to be shown.
        *input = rest;
        debug_assert!(self.len <= PREAMBLE.len(), "no more is taken than a preamble has");
        if self.len < PREAMBLE.len() {
            return Ok(false);
        }
        match NetworkEndian::read_u16(&self.seen[MAGIC..]) {
            VERSION => Ok(true),
            found => Err(Error::UnsupportedVersion { found }),
        }
    }

    /// Returns whether some bytes of the preamble, but not all, have arrived.
    #[must_use]
    pub const fn is_partial(&self) -> bool {
        self.len > 0 && self.len < PREAMBLE.len()
    }
}
