//! How a connection has ended: why, and what its peer did not take.

use crate::link::name::EndpointName;
use crate::session::CloseReason;
use crate::{Error, ErrorKind};
use std::iter::Sum;
use std::ops::Add;
use std::sync::{Arc, OnceLock};

/// Holds how an endpoint ended, once it has: also for other threads, which hold endpoints by name
/// only. In a box, since most endpoints live.
pub(crate) type End = Arc<OnceLock<Box<Ended>>>;

/// The end of an endpoint.
pub(crate) struct Ended {
    pub(crate) name: EndpointName,
    pub(crate) reason: CloseReason,
    /// Holds what the peer has not taken, once that is known.
    pub(crate) left: OnceLock<Drained>,
}

/// Returns what the peer of an endpoint that has ended did not take.
pub(crate) fn left(end: &End) -> Drained {
    end.get().and_then(|end| end.left.get().copied()).unwrap_or_default()
}

/// Returns what calls fail with when the endpoint has ended.
pub(crate) fn gone(end: &End) -> Error {
    match end.get().map(|end| &**end) {
        Some(Ended { name, reason, .. }) => {
            let error = Error::new(ErrorKind::Disconnected(reason.clone()));
            error.through(&name.to_string().into())
        }
        // It leaves, and has not ended: by our own wish.
        None => Error::new(ErrorKind::Disconnected(CloseReason::Local)),
    }
}

/// Tells what the other side did not take before the end of a connection, or of all connections of
/// an [`Rpc`](crate::Rpc).
///
/// A request that was accepted here leaves before the end, as the peer gives credit, within
/// [`Limits::drain`](crate::Limits::drain). This counts those for which the time was too short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Calls and events that were never sent: the peer gave no credit for them in time, or there
    /// was no connection.
    pub unsent: u64,
    /// Events that were sent, and of which nobody knows whether the peer has started them.
    pub unconfirmed: u64,
}

impl Drained {
    /// Tells whether the other side has taken everything.
    pub fn is_complete(&self) -> bool {
        *self == Self::default()
    }
}

impl Add for Drained {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            unsent: self.unsent + other.unsent,
            unconfirmed: self.unconfirmed + other.unconfirmed,
        }
    }
}

impl Sum for Drained {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Self::add)
    }
}
