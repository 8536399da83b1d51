//! The faces: what programs hold and call, over everything below.

pub(crate) mod audit;
pub(crate) mod dial;
pub(crate) mod helpers;
pub(crate) mod listener;
pub(crate) mod reconnect;
pub(crate) mod rpc;
pub(crate) mod service;
pub(crate) mod sync;
