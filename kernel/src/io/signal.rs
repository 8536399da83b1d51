//! Signals as events: the loop hears of them like of anything else.
//!
//! Invariants:
//! 1. Each signal of a [`Signals`] has a pipe of its own, so that its bytes need not say which one
//!    it was. Kept by `everybody_who_listens_hears_and_nobody_else`.
//! 2. Registrations end with their [`Signals`]; bytes written meanwhile are lost with it. Kept by
//!    `a_handler_may_drop_what_owns_it_and_may_panic`.

use crate::core::Core;
use crate::core::handle::Handle;
use crate::core::sources::Watch;
use crate::host::os::signals::{SignalPipe, number};
use crate::host::ready::{Key, Readiness};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::{self, ErrorKind};
use std::panic::Location;
use std::rc::{Rc, Weak};

/// Signals that a program may hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Signal {
    /// SIGINT: someone pressed Ctrl-C.
    Interrupt,
    /// SIGTERM: someone asks the program to end.
    Terminate,
    /// SIGHUP: the terminal has gone, or someone asks to read the configuration again.
    Hangup,
    /// SIGQUIT: someone pressed Ctrl-\.
    Quit,
    /// SIGUSR1: whatever the program makes of it.
    User1,
    /// SIGUSR2: whatever the program makes of it.
    User2,
    /// SIGCHLD: a child has ended.
    Child,
    /// SIGWINCH: the terminal has another size.
    WindowChange,
}

impl Signal {
    fn number(self) -> i32 {
        match self {
            Self::Interrupt => number::SIGINT,
            Self::Terminate => number::SIGTERM,
            Self::Hangup => number::SIGHUP,
            Self::Quit => number::SIGQUIT,
            Self::User1 => number::SIGUSR1,
            Self::User2 => number::SIGUSR2,
            Self::Child => number::SIGCHLD,
            Self::WindowChange => number::SIGWINCH,
        }
    }
}

/// Prints the name that the system and its tools use: `SIGTERM`.
impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
            Self::Hangup => "SIGHUP",
            Self::Quit => "SIGQUIT",
            Self::User1 => "SIGUSR1",
            Self::User2 => "SIGUSR2",
            Self::Child => "SIGCHLD",
            Self::WindowChange => "SIGWINCH",
        })
    }
}

impl Handle {
    /// Calls `handler` for each of these signals from now on, as a task. The system may merge
    /// signals of one kind that come close together.
    ///
    /// While registered they do not have their usual effect, and not afterwards either: once this
    /// was called for a signal, the process ignores it when nobody listens.
    ///
    /// # Errors
    /// `Unsupported` on a simulated kernel; otherwise if the process has no descriptors left.
    #[track_caller]
    pub fn signals(
        &self,
        which: &[Signal],
        handler: impl FnMut(Signal) + 'static,
    ) -> io::Result<Signals> {
        let hearing = Rc::new(Hearing {
            core: Rc::downgrade(&self.core),
            born: Location::caller(),
            handler: Cell::new(Some(Box::new(handler))),
        });
        // Built up one by one, so that an error undoes what was done.
        let mut signals = Signals { sources: Vec::new(), hearing };
        for &signal in which {
            let source = SignalSource::open(&self.core, signal, &signals.hearing)?;
            signals.sources.push(source);
        }
        Ok(signals)
    }
}

/// Hears signals for as long as it lives.
#[must_use = "signals are heard only as long as this lives"]
pub struct Signals {
    sources: Vec<Rc<SignalSource>>,
    hearing: Rc<Hearing>,
}

impl Drop for Signals {
    fn drop(&mut self) {
        for source in self.sources.drain(..) {
            source.close()
        }
        self.hearing.end();
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.sources.iter().map(|source| source.signal)).finish()
    }
}

type SignalHandler = dyn FnMut(Signal);

struct Hearing {
    core: Weak<Core>,
    born: &'static Location<'static>,
    /// `None` while it runs, and after the end.
    handler: Cell<Option<Box<SignalHandler>>>,
}

impl Hearing {
    fn end(&self) {
        let handler = self.handler.take();
        if let Some(core) = self.core.upgrade() {
            core.let_go(self.born, handler);
        }
    }
}

/// One signal of one [`Signals`].
struct SignalSource {
    core: Weak<Core>,
    key: Key,
    signal: Signal,
    /// `Some` until it is closed.
    pipe: RefCell<Option<SignalPipe>>,
    hearing: Rc<Hearing>,
}

impl SignalSource {
    fn open(core: &Rc<Core>, signal: Signal, hearing: &Rc<Hearing>) -> io::Result<Rc<Self>> {
        core.check_open()?;
        let host = core.host();
        let Some(selector) = host.selector() else {
            return Err(io::Error::new(
                ErrorKind::Unsupported,
                "there are no signals in a simulated world",
            ));
        };
        let key = core.reserve();
        match SignalPipe::open(selector, signal.number(), key) {
            Ok(pipe) => {
                let source = Rc::new(Self {
                    core: Rc::downgrade(core),
                    key,
                    signal,
                    pipe: RefCell::new(Some(pipe)),
                    hearing: hearing.clone(),
                });
                core.fill(key, source.clone());
                Ok(source)
            }
            Err(error) => {
                core.unregister(key);
                Err(error)
            }
        }
    }

    fn close(&self) {
        drop(self.pipe.take());
        if let Some(core) = self.core.upgrade() {
            core.unregister(self.key);
        }
    }

    /// Returns how often it came since it was last asked, as far as the system tells.
    fn count(&self) -> io::Result<usize> {
        let pipe = self.pipe.borrow();
        pipe.as_ref().map_or(Ok(0), SignalPipe::count)
    }
}

impl Watch for SignalSource {
    fn ready(self: Rc<Self>, core: &Rc<Core>, _: Readiness) {
        let count = match self.count() {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => return log::error!("cannot hear of {}: {error}", self.signal),
        };
        for _ in 0..count {
            let Some(mut handler) = self.hearing.handler.take() else { return };
            core.catch(self.hearing.born, || handler(self.signal));
            // The handler may have dropped what owns it, and then it goes too.
            if self.pipe.borrow().is_some() {
                self.hearing.handler.set(Some(handler))
            }
        }
    }

    fn flush(self: Rc<Self>, _: &Rc<Core>) {}

    fn end(&self) {
        self.hearing.end();
    }

    fn describe(&self) -> String {
        format!("signal {}", self.signal)
    }
}
