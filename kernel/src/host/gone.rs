//! Stands in for the outside when a kernel has ended: everything fails, and the clock stands still.

use crate::host::os::selector::Selector;
use crate::host::ready::{Key, Readiness, Resolved, Waited, Waker};
use crate::host::time::Clock;
use crate::host::time::Instant;
use crate::host::{Acceptor, AnySocket, Host, Mode};
use std::io;
use std::rc::Rc;
use zeroize::Zeroizing;

/// The host of a kernel that has ended, at its last instant, and which one it had.
#[derive(Debug)]
pub(crate) struct Gone(pub(crate) Instant, pub(crate) Mode);

/// Returns the error that everything fails with there.
pub(crate) fn gone<T>() -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::NotConnected, "the kernel has ended"))
}

impl Clock for Gone {
    fn coarse(&self) -> Instant {
        self.0
    }
}

impl Host for Gone {
    fn mode(&self) -> Mode {
        self.1
    }

    fn now(&self) -> Instant {
        self.0
    }

    fn clock(&self) -> Box<dyn Clock> {
        Box::new(Self(self.0, self.1))
    }

    fn entropy(&self) -> io::Result<Zeroizing<[u8; 32]>> {
        gone()
    }

    fn wait(&self, _: Option<Instant>, _: &mut Vec<(Key, Readiness)>) -> io::Result<Waited> {
        gone()
    }

    fn waker(&self) -> Option<Waker> {
        None
    }

    fn connect(&self, _: Key, _: &Resolved) -> io::Result<AnySocket> {
        gone()
    }

    fn listen(&self, _: Key, _: &Resolved, _: bool) -> io::Result<Box<dyn Acceptor>> {
        gone()
    }

    fn selector(&self) -> Option<&Rc<Selector>> {
        None
    }
}
