//! Serving the peer's requests: from the frame to the object, and from its result to the answer.

mod answer;
mod bind;
pub(crate) mod binding;
pub(crate) mod context;
mod deferred;
mod running;
mod start;
pub mod stub;
