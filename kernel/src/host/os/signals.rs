//! Hears of a signal by a socket pair: its handler writes a byte, and the loop reads it.
//!
//! Nothing of ours runs inside a signal handler.

use crate::host::os::poller::Registered;
use crate::host::os::selector::Selector;
use crate::host::ready::{Key, Readiness};
use signal_hook::SigId;
pub(crate) use signal_hook::consts::signal as number;
use signal_hook::low_level::{pipe, unregister};
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::rc::Rc;

/// Reports one signal for as long as it lives.
pub(crate) struct SignalPipe {
    registration: SigId,
    pipe: Registered<UnixStream>,
}

impl SignalPipe {
    /// Begins to report the signal of this number as readiness of `key`.
    pub(crate) fn open(selector: &Rc<Selector>, number: i32, key: Key) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let readable = Readiness { readable: true, writable: false };
        let pipe = Registered::new(selector, ours, key, readable)?;
        Ok(Self { registration: pipe::register(number, theirs)?, pipe })
    }

    /// Counts how often the signal came since this was last asked, as far as the system tells.
    pub(crate) fn count(&self) -> io::Result<usize> {
        let mut bytes = [0; 64];
        let mut io = self.pipe.io();
        let count = io.read(&mut bytes);
        self.pipe.rearm();
        count
    }
}

impl Drop for SignalPipe {
    fn drop(&mut self) {
        // First, so that no signal handler writes into a socket whose other end is closed.
        unregister(self.registration);
    }
}
