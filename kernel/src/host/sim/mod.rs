//! The simulated host: one clock, one network in memory, and what each process sees of both.
//!
//! [`crate::world`] starts processes on it and drives it.

pub(crate) mod connection;
pub(crate) mod host;
pub(crate) mod lane;
pub(crate) mod network;
pub(crate) mod trace;
pub(crate) mod turns;
