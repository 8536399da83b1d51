//! Serving the peer's requests: from the frame to the object, and from its result to the answer.

pub(crate) mod backlog;
pub(crate) mod binding;
pub(crate) mod context;
pub(crate) mod deferred;
pub(crate) mod start;
pub mod stub;
