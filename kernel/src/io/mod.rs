//! Bytes in and out: streams and what makes them, addresses, signals, foreign descriptors.

pub(crate) mod address;
pub(crate) mod connect;
pub(crate) mod listener;
pub(crate) mod outlet;
pub(crate) mod pipe;
pub(crate) mod resolve;
pub(crate) mod secure;
pub(crate) mod secure_layer;
pub(crate) mod signal;
pub(crate) mod source;
pub(crate) mod stream;
