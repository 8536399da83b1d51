//! The mark that travels from task to task: which piece of work this one belongs to.
//!
//! The kernel copies it and compares it, no more. What a slot and a generation mean is for the layer above to say: rpc
//! keeps there the call that is being served, with its deadline and everything to cancel along with it.
//!
//! Invariant: eight bytes, and all zero is [`Cause::NONE`].

/// On whose behalf a task runs: copied from the running task into whatever it makes, restored when that runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cause(u64);

impl Cause {
    /// On nobody's behalf: what a task made outside the loop carries.
    pub const NONE: Self = Self(0);

    /// Names entry `slot` of a table, as long as `generation` lives there. Use no generation 0 in slot 0: that is
    /// [`Cause::NONE`].
    pub const fn from_parts(slot: u32, generation: u32) -> Self {
        Self((generation as u64) << 32 | slot as u64)
    }

    /// The index in the table that made it.
    pub const fn slot(self) -> u32 {
        self.0 as u32
    }

    /// Which of the successive owners of that index is meant.
    pub const fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Whether there is none.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
}
