//! The two halves of a connection, each with a life of its own: the states a pipe goes through.
//!
//! Invariant: a half that has ended, or was closed, never opens again.

/// Says what becomes of bytes that arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inward {
    /// Nobody has started the stream yet; they stay in the system's buffer.
    Unstarted,
    /// They go to the handler.
    Open,
    /// They stay in the system's buffer.
    Paused,
    /// There will be none.
    Ended,
    /// Closed on our side: they are thrown away.
    Discarded,
    /// Closed on our side, and so many were thrown away that the others stay in the system's
    /// buffer.
    Spent,
}

impl Inward {
    /// Returns whether a handler may still be told of bytes.
    pub(crate) fn may_hear(self) -> bool {
        matches!(self, Self::Unstarted | Self::Open | Self::Paused)
    }

    /// Returns whether bytes are taken out of the system's buffer.
    pub(crate) fn is_read(self) -> bool {
        matches!(self, Self::Open | Self::Discarded)
    }
}

/// Says what becomes of bytes that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outward {
    /// They are sent.
    Open,
    /// Buffered bytes are sent, then the peer is told that there will be none. No more are taken.
    Finishing,
    /// The peer has been told.
    Finished,
    /// The socket takes none any more; the pipe keeps why.
    Broken,
}
