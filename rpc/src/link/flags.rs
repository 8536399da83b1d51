//! Says in one byte what holds for a link now and then.

/// Signs in one byte.
#[derive(Clone, Copy, Default)]
pub(crate) struct Signs(pub(super) u8);

impl Signs {
    /// Set iff the stream will tell when it has written everything.
    pub(crate) const WATCHES_DRAIN: u8 = 1;
    /// Set iff it takes no more requests, and ends when those it has taken have left.
    pub(crate) const LEAVES: u8 = 2;
    /// Set if a request waits for a turn, and for some time afterwards.
    pub(crate) const DEFERS: u8 = 4;
    /// Set iff what the session needs is seen to at the end of a batch.
    pub(crate) const BATCHES: u8 = 8;
    /// Set iff a secure layer covers the stream.
    pub(crate) const SEALED: u8 = 16;
    /// Set iff its peer, which came to a listener, was let in by its key.
    pub(crate) const ADMITTED: u8 = 32;
}
