//! Tells how many descriptors this process may hold: limits on connections are derived from that.

use rustix::process::{Resource, getrlimit};

/// Returns the most descriptors this process may hold at present, if there is a limit.
pub(crate) fn descriptor_limit() -> Option<usize> {
    getrlimit(Resource::Nofile).current.and_then(|limit| usize::try_from(limit).ok())
}
