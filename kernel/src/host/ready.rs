//! Holds the small types of the seam: which source, ready for what, at which place, how a wait
//! ended.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// Names a registered source: a slot and the generation that lived in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

/// Holds what a source is ready for. Errors and hang-ups show as both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Readiness {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}

/// An address with nothing left to look up.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Resolved {
    Inet(SocketAddr),
    Unix(PathBuf),
    Sim(String),
}

/// Says how a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    /// Everything that is ready has been told, if anything is.
    Over,
    /// A signal came, or the process was stopped and continues: nothing has been told, whatever is
    /// ready.
    Interrupted,
}

/// Wakes a waiting host from any thread; calls before the next wait coalesce.
pub(crate) type Waker = Arc<dyn Fn() + Send + Sync>;
