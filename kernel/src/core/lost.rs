//! The errors of the kernel itself: why something that was owed was not delivered.
//!
//! Invariant: each converts into [`io::Error`], so that programs on the bare kernel need no error
//! type of their own.

use std::error::Error;
use std::fmt;
use std::io;

/// Says why a continuation ended though nobody resumed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lost {
    /// Whoever held it let it go without an answer. Look for a path that forgets its reply.
    Dropped,
    /// It belonged to a node that is gone. Nothing to mend: there is nobody left to answer.
    OwnerGone,
    /// The handler that held it panicked; the log names its birth place.
    Panicked,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dropped => "dropped without an answer",
            Self::OwnerGone => "its owner is gone",
            Self::Panicked => "its handler panicked",
        })
    }
}

impl Error for Lost {}

impl From<Lost> for io::Error {
    fn from(lost: Lost) -> Self {
        Self::other(lost)
    }
}

/// All workers are busy and their queue is full: the work was not started. Try later, or do less at
/// once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Overloaded;

impl fmt::Display for Overloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too much offloaded work is waiting already")
    }
}

impl Error for Overloaded {}

impl From<Overloaded> for io::Error {
    fn from(overloaded: Overloaded) -> Self {
        Self::new(io::ErrorKind::WouldBlock, overloaded)
    }
}

impl From<Overloaded> for Lost {
    /// Converts the error, for continuations whose only error is being lost: work that never
    /// started was dropped.
    fn from(_: Overloaded) -> Self {
        Self::Dropped
    }
}

/// Says why a task posted from another thread will not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PostError {
    /// The loop has ended.
    LoopGone,
    /// Too many posted tasks wait already: the loop does not keep up.
    Full,
    /// A simulated kernel has no other threads.
    Unsupported,
}

impl fmt::Display for PostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LoopGone => "the loop has ended",
            Self::Full => "the loop does not keep up: too many posted tasks wait already",
            Self::Unsupported => "a simulated kernel has no other threads",
        })
    }
}

impl Error for PostError {}

impl From<PostError> for io::Error {
    fn from(error: PostError) -> Self {
        let kind = match error {
            PostError::LoopGone => io::ErrorKind::BrokenPipe,
            PostError::Full => io::ErrorKind::WouldBlock,
            PostError::Unsupported => io::ErrorKind::Unsupported,
        };
        Self::new(kind, error)
    }
}
