//! Tells how many descriptors this process may hold: limits on connections are derived from that.

use crate::handle::Handle;

impl Handle {
    /// The most descriptors this process may hold at present; `None` in a simulation, where there
    /// are none, and where the system sets no limit.
    pub fn descriptor_limit(&self) -> Option<usize> {
        self.core.host().real()?;
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        limit.current.and_then(|limit| usize::try_from(limit).ok())
    }
}
