//! Names a connection without holding it.

/// The slot of a connection in the table of links, and its number, which tells it from those that
/// had the slot before.
///
/// Only the lower half of the number is kept: for a mistake, four thousand million connections must
/// come and go while somebody keeps the key of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LinkKey {
    pub(crate) slot: u32,
    pub(crate) number: u32,
}

impl LinkKey {
    /// Makes the key of the connection with that number, in that slot.
    #[allow(clippy::cast_possible_truncation, reason = "the lower half is meant")]
    pub(crate) const fn new(slot: u32, number: u64) -> Self {
        Self { slot, number: number as u32 }
    }

    /// Returns both in one number, for those who only compare.
    pub(crate) const fn to_bits(self) -> u64 {
        (self.slot as u64) << u32::BITS | self.number as u64
    }
}
