//! All connections of a process together: what it holds for its peers, and closing in good order.

pub(crate) mod close;
pub(crate) mod memory;
