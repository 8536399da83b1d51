//! Says whom a session may meet: by the node id in the peer's hello, and within which time.

use super::{Meets, Phase, Session};
use peers_kernel::Instant;
use peers_wire::NodeId;
use std::time::Duration;

impl<K> Session<K> {
    /// Says that other processes may have this one's key: then this node's id in a hello is no
    /// echo.
    pub fn may_meet_its_like(&mut self) {
        self.meets = Meets::Anyone;
    }

    /// Says that the connection is sealed: the peer's hello is due within
    /// [`Limits::sealed_handshake_timeout`](crate::Limits::sealed_handshake_timeout) from when it
    /// is [`connected`](Self::connected), and what is put into the output before
    /// [`expect`](Self::expect) must not leave.
    pub fn seal(&mut self) {
        self.meets = Meets::Unproven;
    }

    /// Says who has proven to be at the other end of a sealed connection: the id in its hello must
    /// be this one.
    pub fn expect(&mut self, peer: NodeId) {
        debug_assert_eq!(self.phase, Phase::Opening, "no hello comes before the proof");
        if self.phase == Phase::Opening {
            self.meets = Meets::Proven;
            self.greeting.node = peer;
        }
    }

    /// Returns how long the peer's hello is waited for.
    pub(super) fn time_for_hello(&self) -> Duration {
        match self.meets {
            Meets::Others | Meets::Anyone => self.limits.handshake_timeout,
            Meets::Unproven | Meets::Proven => self.limits.sealed_handshake_timeout,
        }
    }

    /// Returns since when the peer's hello has been waited for; `None` if it is not.
    pub(crate) fn waits_for_hello_since(&self) -> Option<Instant> {
        if self.phase != Phase::Opening {
            return None;
        }
        let until = self.clock.until().as_nanos();
        let allowed = u64::try_from(self.time_for_hello().as_nanos()).unwrap_or(u64::MAX);
        Some(Instant::from_nanos(until.saturating_sub(allowed)))
    }
}
