//! Calls from other threads: a loop on a thread of its own, proxies that are `Send`, calls that
//! block their caller.
//!
//! A [`SyncEndpoint`] is a name, not a pointer: what it names lives on the loop's thread and is
//! looked up there. The loop takes no lock for a request, and a thread that was told `Ok` has a
//! place for its request already (see `session::permits`): nothing that is posted to the loop can
//! fail there without somebody being told.

mod call;
mod endpoint;
mod names;
mod peers;

pub use call::{Started, SyncCall, SyncCancel};
pub use endpoint::SyncEndpoint;
pub use peers::{Peers, spawn_loop, spawn_loop_secured, spawn_loop_with};
