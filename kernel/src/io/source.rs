//! Descriptors of the user's own in the loop: pipes, datagram sockets, a terminal.
//!
//! Readiness only. Reading and writing is the owner's business, through a shared reference.
//!
//! Invariants:
//! 1. A source is registered with the poller iff a task waits for it. Kept by
//!    `an_armed_task_runs_once_and_waits_until_there_is_something`.
//! 2. A task that was armed runs once, or is dropped: by the next one for the same readiness, or
//!    with its source. Kept by `arming_again_replaces_and_dropping_disarms`.

use crate::core::Core;
use crate::core::cause::Cause;
use crate::core::handle::Handle;
use crate::core::sources::Watch;
use crate::core::task::{Plain, Task};
use crate::host::os::poller::{Descriptor, Registered};
use crate::host::ready::{Key, Readiness};
use crate::host::throttle::may_log;
use std::cell::RefCell;
use std::fmt;
use std::io::{self, ErrorKind};
use std::ops::Deref;
use std::panic::Location;
use std::rc::{Rc, Weak};

impl Handle {
    /// Takes a descriptor into the loop. It should be in non-blocking mode unless every readiness
    /// is followed by one operation only.
    ///
    /// # Errors
    /// `Unsupported` on a simulated kernel, `NotConnected` on one that has ended.
    pub fn source<D: Descriptor>(&self, io: D) -> io::Result<Source<D>> {
        self.core.check_open()?;
        let host = self.core.host();
        let Some(selector) = host.selector() else {
            return Err(io::Error::new(
                ErrorKind::Unsupported,
                "there are no descriptors in a simulated world",
            ));
        };
        let key = self.core.reserve();
        let io = match Registered::new(selector, io, key, Readiness::default()) {
            Ok(io) => io,
            Err(error) => {
                self.core.unregister(key);
                return Err(error);
            }
        };
        let core = Rc::downgrade(&self.core);
        let watched = Rc::new(Watched { core, key, io, armed: RefCell::default() });
        self.core.fill(key, watched.clone());
        Ok(Source { watched })
    }
}

/// A descriptor in the loop. Derefs to what was put in, so `(&*source).read(..)` and the like work.
/// Closes on drop.
///
/// ```
/// use peers_kernel::Kernel;
/// use std::io::{Read, Write};
///
/// let mut kernel = Kernel::new()?;
/// let (reader, mut writer) = std::io::pipe()?;
/// let source = std::rc::Rc::new(kernel.handle().source(reader)?);
/// let pipe = source.clone();
/// source.readable(move || {
///     let mut byte = [0];
///     (&**pipe).read(&mut byte).unwrap();
///     assert_eq!(&byte, b"!");
/// })?;
/// drop(source);
/// writer.write_all(b"!")?;
/// kernel.run()?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Source<D: Descriptor> {
    watched: Rc<Watched<D>>,
}

impl<D: Descriptor> Source<D> {
    /// Queues `task` once, as soon as there is something to read, or an end, or an error. Arming
    /// again before it has run replaces and drops the earlier task.
    ///
    /// # Errors
    /// If the kernel has ended, or the system cannot wait for this kind of descriptor: a regular
    /// file is always ready and never waited for. The task is dropped.
    #[track_caller]
    pub fn readable(&self, task: impl FnOnce() + 'static) -> io::Result<()> {
        self.watched.wait(|armed| &mut armed.readable, Location::caller(), task)
    }

    /// Queues `task` once, as soon as writing would not block, or fails. Otherwise as
    /// [`readable`](Self::readable).
    ///
    /// # Errors
    /// As [`readable`](Self::readable).
    #[track_caller]
    pub fn writable(&self, task: impl FnOnce() + 'static) -> io::Result<()> {
        self.watched.wait(|armed| &mut armed.writable, Location::caller(), task)
    }
}

impl<D: Descriptor> Deref for Source<D> {
    type Target = D;

    fn deref(&self) -> &D {
        self.watched.io.io()
    }
}

impl<D: Descriptor> Drop for Source<D> {
    fn drop(&mut self) {
        self.watched.disarm();
        if let Some(core) = self.watched.core.upgrade() {
            core.unregister(self.watched.key);
        }
    }
}

impl<D: Descriptor> fmt::Debug for Source<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({:?})", self.watched.io)
    }
}

struct Watched<D: Descriptor> {
    core: Weak<Core>,
    key: Key,
    io: Registered<D>,
    armed: RefCell<ArmedTasks>,
}

/// The tasks that wait, each with its cause.
#[derive(Default)]
struct ArmedTasks {
    readable: ArmedTask,
    writable: ArmedTask,
}

type ArmedTask = Option<(Cause, Box<dyn Task>)>;

impl<D: Descriptor> Watched<D> {
    /// Lets `task` wait in that place. It does not stay there if it would wait in vain.
    fn wait(
        &self,
        place: fn(&mut ArmedTasks) -> &mut ArmedTask,
        born: &'static Location<'static>,
        task: impl FnOnce() + 'static,
    ) -> io::Result<()> {
        let core = self.core.upgrade().ok_or(ErrorKind::NotConnected)?;
        core.check_open()?;
        let task = (core.cause.get(), Plain::boxed(born, move |_: &Rc<Core>| task()));
        // Bound, so that it is dropped when nothing is borrowed: it may arm this very source.
        let before = place(&mut self.armed.borrow_mut()).replace(task);
        drop(before);
        self.arm().inspect_err(|_| {
            let task = place(&mut self.armed.borrow_mut()).take();
            drop(task);
        })
    }

    /// Drops all tasks that wait.
    fn disarm(&self) {
        let armed = self.armed.take();
        drop(armed);
        if let Err(error) = self.arm()
            && may_log()
        {
            log::error!("cannot stop waiting for a descriptor: {error}");
        }
    }

    /// Asks the poller for what is waited for.
    fn arm(&self) -> io::Result<()> {
        let armed = self.armed.borrow();
        let wanted =
            Readiness { readable: armed.readable.is_some(), writable: armed.writable.is_some() };
        self.io.set_interest(wanted)
    }
}

impl<D: Descriptor> Watch for Watched<D> {
    fn ready(self: Rc<Self>, core: &Rc<Core>, readiness: Readiness) {
        let (read, write) = {
            let mut armed = self.armed.borrow_mut();
            let read = if readiness.readable { armed.readable.take() } else { None };
            let write = if readiness.writable { armed.writable.take() } else { None };
            (read, write)
        };
        // Queued, not run: this is the turn of a source, and theirs comes with their cause.
        for (cause, task) in read.into_iter().chain(write) {
            core.push(cause, task)
        }
        if let Err(error) = self.arm()
            && may_log()
        {
            log::error!("cannot wait for {:?}: {error}", self.io);
        }
    }

    fn flush(self: Rc<Self>, _: &Rc<Core>) {}

    fn end(&self) {
        self.disarm()
    }

    fn describe(&self) -> String {
        format!("descriptor {}", self.io.io().as_raw_fd())
    }
}
