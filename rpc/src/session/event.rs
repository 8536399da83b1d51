//! Defines what goes into a session and what comes out of it, as types. No behaviour.

use super::CloseReason;
use peers_kernel::Instant;
use peers_wire::{CallHead, Exception, Hello, RefusedCode, Trace};
use std::fmt;

/// Says which side of the connection a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// It dialled: it hangs up when the connection is unused.
    Dialled,
    /// It accepted.
    Accepted,
}

/// A call made on a session. Never used again for another call of the same session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(pub(super) u64);

impl CallId {
    /// Returns the number that the peer sees.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// Holds what a request says besides its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The method asked for.
    pub method: u64,
    /// Says when the caller stops waiting; [`Instant::FAR`] is never. Crosses the wire as the time
    /// that remains.
    pub deadline: Instant,
    /// Says how many calls stand above this one in its tree.
    pub depth: u16,
    /// Says where it stands in its tree of calls, iff that is traced.
    pub trace: Option<Trace>,
}

impl Head {
    /// Makes the head of a call without a deadline that belongs to no other.
    pub const fn new(method: u64) -> Self {
        Self { method, deadline: Instant::FAR, depth: 0, trace: None }
    }

    /// Counts the bytes of a frame's body with this head and so many bytes of arguments.
    pub(super) const fn size(&self, args: usize) -> usize {
        args.saturating_add(if self.trace.is_some() { 32 } else { 16 })
    }

    /// Returns the head as it crosses the wire at `now`.
    #[inline]
    pub(super) fn wire_head(&self, now: Instant) -> CallHead {
        CallHead {
            method: self.method,
            remaining_ms: remaining_ms(self.deadline, now),
            depth: self.depth,
            trace: self.trace,
        }
    }
}

/// Returns the time from `now` to `deadline` as it crosses the wire: milliseconds rounded up, and
/// not 0, which is for ever.
#[inline]
pub(super) fn remaining_ms(deadline: Instant, now: Instant) -> u32 {
    if deadline == Instant::FAR {
        return 0;
    }
    let nanos = deadline.as_nanos().saturating_sub(now.as_nanos());
    // Rounded up and at least 1: a deadline that is near must not become none, which is 0.
    (nanos.saturating_add(999_999) / 1_000_000).clamp(1, u32::MAX.into()) as u32
}

/// Says what is to be done about a frame of the peer.
#[derive(Debug)]
pub enum Acted<'a, K> {
    /// One of our calls has ended, of which this was kept: the frame's body is its value.
    Value(K),
    /// The peer calls, or sends an event. Each call is to be answered exactly once, each event to
    /// be reported by [`Session::event_started`](super::Session::event_started).
    Request(Request<'a>),
    /// Nothing: it concerned the session only.
    Nothing,
    /// What comes seldom.
    Event(Box<Event<'a, K>>),
    /// The connection must end. The peer was told, where that helps.
    End(Box<CloseReason>),
}

/// Something that a frame means to the endpoint, and that does not come often.
#[derive(Debug)]
pub enum Event<'a, K> {
    /// The peer's hello has arrived; always the first event.
    /// [`Inbound::open`](super::Inbound::open) is due.
    Opened(Hello),
    /// One of our calls has ended without a value.
    Failed {
        /// The call.
        id: CallId,
        /// Holds what was kept for it.
        pending: K,
        /// Says how it ended.
        outcome: Outcome<'a>,
    },
    /// The peer no longer wants an answer to one of its calls; possibly one that was answered
    /// already, or that never was. A call that runs is still owed an answer,
    /// [`RefusedCode::Cancelled`] for example, when the work has stopped: it is what gives the peer
    /// its credit back.
    Cancelled {
        /// The peer's id of the call.
        call: u64,
    },
    /// The peer sends nothing more, but still reads what it is owed: answers can be given within
    /// [`Limits::linger`](crate::limits::Limits::linger), and [`expire`](super::Session::expire)
    /// tells when that is done.
    HalfClosed {
        /// Our calls, in the order in which they were made: none of them will be answered.
        calls: Vec<(CallId, K)>,
    },
}

/// A request of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The peer's id of the call, to be used in the answer; `None` for an event.
    pub call: Option<u64>,
    /// The method asked for.
    pub method: u64,
    /// Says when the caller stops waiting, in this side's time; [`Instant::FAR`] is never. It has
    /// not passed yet.
    pub deadline: Instant,
    /// Says how many calls stand above this one in its tree.
    pub depth: u16,
    /// Says where it stands in its tree of calls, iff that is traced.
    pub trace: Option<Trace>,
    /// The encoded arguments.
    pub args: &'a [u8],
}

/// Says how a call ended that has no value.
#[derive(Clone, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// With a declared exception.
    Exception(Box<Exception<'a>>),
    /// The peer did not execute it, or has nothing to tell about how it ended. The text is the
    /// peer's, unescaped.
    Refused(RefusedCode, &'a str),
}

/// A request that will not be sent, or no longer be waited for, with what was kept for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected<K> {
    /// Says why.
    pub why: Why,
    /// Given back.
    pub pending: K,
}

/// Says why a request will not be sent, or no longer be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// As many requests wait for the peer's credit as may. It was not executed.
    Overloaded,
    /// Its frame would be larger than the peer accepts. It was not executed.
    TooLarge {
        /// Bytes that its frame would have had.
        size: u64,
        /// The peer's limit.
        limit: u64,
    },
    /// Its deadline has passed. If it was sent, it may have been executed.
    Expired,
    /// The session is ending. It was not executed.
    Closing,
    /// The peer has said that it sends nothing more, so it would not answer. It was not executed.
    Finished,
    /// The session has used all its call ids. It was not executed.
    Exhausted,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overloaded => f.write_str("too many requests wait for the peer"),
            Self::TooLarge { size, limit } => {
                write!(f, "a request of {size} bytes, but the peer accepts {limit}")
            }
            Self::Expired => f.write_str("its deadline has passed"),
            Self::Closing => f.write_str("the connection is ending"),
            Self::Finished => f.write_str("the peer sends nothing more"),
            Self::Exhausted => f.write_str("the connection has no call ids left"),
        }
    }
}

/// Holds what has happened on a session that nobody was told about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionCounters {
    /// Answers to calls that had ended before, by time-out or cancel.
    pub late_replies: u32,
    /// Answers to calls that had been answered before.
    pub duplicate_replies: u32,
    /// Requests of the peer that were not started because their time had passed or they were nested
    /// too deeply.
    pub unstarted: u32,
    /// Counts those of them that were events.
    pub unstarted_events: u32,
    /// Our events that were not sent because their time passed while they waited, or the peer
    /// accepts smaller frames.
    pub unsent_events: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        /// In nanoseconds it takes fewer steps, and comes to the same.
        #[test]
        fn remaining_time_is_spelled_as_the_wire_wants_it(
            now in proptest::prelude::any::<u64>(),
            left in proptest::prelude::any::<u64>(),
            shift in 0..64_u32,
        ) {
            let now = Instant::from_nanos(now);
            for nanos in [left >> shift, (left >> shift) / 1_000_000 * 1_000_000, 0, u64::MAX] {
                for deadline in [now + std::time::Duration::from_nanos(nanos), Instant::from_nanos(nanos)] {
                    let never = deadline == Instant::FAR;
                    let millis = if never { 0 } else { CallHead::millis(deadline.since(now)) };
                    assert_eq!(remaining_ms(deadline, now), millis);
                }
            }
        }
    }
}
