//! Carries the calls of proxies: an endpoint on the loop, or its stand-in on other threads.

use crate::Error;
use crate::interface::Method;
use peers_wire::{DecodeOwned, Encode};
use std::fmt::Debug;

/// Turns a method and its arguments into a call. [`Endpoint`](crate::Endpoint) makes
/// [`Call`](crate::Call)s that end in a continuation, [`SyncEndpoint`](crate::SyncEndpoint) makes
/// [`SyncCall`](crate::SyncCall)s that can be waited for.
///
/// Generated proxies are generic over it, so each method is written once for all calling
/// conventions.
pub trait Caller: Clone + Debug + 'static {
    /// A call described but not sent.
    type Call<T: DecodeOwned + Send + 'static>;

    /// Describes a call of `method`; the arguments are encoded here, once.
    fn call<T: DecodeOwned + Send + 'static>(
        &self,
        method: &'static Method,
        arguments: impl Encode,
    ) -> Self::Call<T>;

    /// Sends an event, now or when the peer gives credit. What was accepted leaves before an
    /// orderly end.
    ///
    /// # Errors
    /// Only what is known at once: the endpoint is gone, its queue is full, or an argument is over
    /// its limit. On threads that are not the loop's, see [`SyncEndpoint`](crate::SyncEndpoint).
    fn event(&self, method: &'static Method, arguments: impl Encode) -> Result<(), Error>;
}
