//! A kernel on a thread of its own.
//!
//! Invariant: what `start` returns lives, and dies, on the loop's thread, before its kernel does.

use crate::core::panics::{Whose, report_panic};
use crate::core::remote::Remote;
use crate::kernel::Kernel;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Says how long dropping a [`LoopThread`] waits for the loop to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// A kernel that runs on a thread of its own.
///
/// Dropping it ends the loop: it runs what is ready, writes what is buffered, drops what `start`
/// returned, and the thread is joined. If a handler keeps the loop from ending for ten seconds, the
/// thread is left to itself and the log says so. Dropped on the loop's own thread, it only asks the
/// loop to end.
pub struct LoopThread {
    remote: Remote,
    born: &'static Location<'static>,
    /// Closed by the thread when it is done.
    ended: Receiver<()>,
    /// `None` only while it is joined.
    thread: Option<JoinHandle<()>>,
}

/// Starts a kernel on a thread of its own and lets `start` set it up there. What `start` returns is
/// kept until the loop ends: return the nodes, listeners and whatever else shall live.
///
/// Returns when `start` has returned. The loop runs until the [`LoopThread`] is dropped or
/// [`Handle::stop`](crate::Handle::stop) is called.
///
/// ```
/// use peers_kernel::spawn_loop;
///
/// let (answer, answered) = std::sync::mpsc::channel();
/// let thread = spawn_loop(|kernel| kernel.node(0))?;
/// thread.remote().post(move |handle| {
///     let now = handle.now();
///     answer.send(now).expect("the main thread waits");
/// })?;
/// assert!(answered.recv().is_ok());
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// If there is no thread to be had, if [`Kernel::new`] fails, or if `start` panics.
#[track_caller]
pub fn spawn_loop<T: 'static>(
    start: impl FnOnce(&Kernel) -> T + Send + 'static,
) -> io::Result<LoopThread> {
    let born = Location::caller();
    let (tell, told) = bounded(1);
    let (ending, ended) = bounded(0);
    let thread = thread::Builder::new().name("peers-loop".to_owned()).spawn(move || {
        let _ending: Sender<()> = ending;
        live(born, start, &tell)
    })?;
    let remote =
        told.recv().unwrap_or_else(|_| Err(io::Error::other("the loop's start panicked")))?;
    Ok(LoopThread { remote, born, ended, thread: Some(thread) })
}

/// Runs a loop from its beginning to its end, on its thread.
fn live<T>(
    born: &'static Location<'static>,
    start: impl FnOnce(&Kernel) -> T,
    tell: &Sender<io::Result<Remote>>,
) {
    let told = |answer| drop(tell.send(answer));
    let mut kernel = match Kernel::new() {
        Ok(kernel) => kernel,
        Err(error) => return told(Err(error)),
    };
    let remote = kernel.remote();
    let owners = match catch_unwind(AssertUnwindSafe(|| start(&kernel))) {
        Ok(owners) => owners,
        Err(payload) => {
            report_panic(Whose::made_at(born), payload);
            return told(Err(io::Error::other("the loop's start panicked")));
        }
    };
    told(Ok(remote));
    let ran = kernel.run();
    // The owners go before their kernel, and what they still write leaves with the last turns.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(owners))) {
        report_panic(Whose::made_at(born), payload)
    }
    if let Err(error) = ran.and_then(|()| kernel.drain()) {
        log::error!("the loop made at {born} broke: {error}");
    }
}

impl LoopThread {
    /// Returns the loop, as this and other threads see it.
    pub fn remote(&self) -> Remote {
        self.remote.clone()
    }

    /// Asks the loop to end, and does not wait for that.
    pub fn stop(&self) {
        self.remote.end()
    }
}

impl Drop for LoopThread {
    fn drop(&mut self) {
        self.stop();
        // It would wait for itself.
        if self.remote.is_loop_thread() {
            return;
        }
        // Nothing is ever sent: the channel closes when the thread is done.
        if self.ended.recv_timeout(PATIENCE) == Err(crossbeam_channel::RecvTimeoutError::Timeout) {
            log::error!(
                "a loop does not end: one of its handlers has been running for {PATIENCE:?}"
            );
            return;
        }
        if let Some(Err(payload)) = self.thread.take().map(JoinHandle::join) {
            report_panic(Whose::made_at(self.born), payload)
        }
    }
}

impl fmt::Debug for LoopThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopThread").field("remote", &self.remote).finish_non_exhaustive()
    }
}
