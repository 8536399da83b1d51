//! A simulated world: processes with kernels of their own, on one virtual clock and one in-memory
//! network. [`World`] says more.

pub use crate::world::{ProcessId, World};
