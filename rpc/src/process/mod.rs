//! All connections of a process together: what it holds for its peers, and closing in good order.

mod close;
mod deadlines;
pub(crate) mod memory;
mod recheck;
mod wake;
