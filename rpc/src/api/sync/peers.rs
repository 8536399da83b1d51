//! A loop with an `Rpc` on a thread of its own: how it starts, what it can be asked, how it ends.

use super::endpoint::SyncEndpoint;
use super::names::{enlist, find, loop_gone, post, refused};
use crate::api::rpc::Rpc;
use crate::interface::address::ToAddress;
use crate::interface::error::Misuse;
use crate::limits::Limits;
use crate::link::end::Drained;
use crate::security::SecureTransport;
use crate::{CloseReason, Error, ErrorKind};
use crossbeam_channel::{RecvTimeoutError, bounded};
use peers_kernel::{Cont, Handle, Kernel, LoopThread, Remote};
use std::any::Any;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The time that [`Peers::with`] waits.
const PATIENCE: Duration = Duration::from_secs(30);

/// The time beyond a loop's own that its end is waited for, before its thread is left
/// to itself.
const GRACE: Duration = Duration::from_secs(5);

/// Starts a loop with an [`Rpc`] on a thread of its own.
///
/// # Errors
/// When the thread or its kernel cannot be made.
pub fn spawn_loop() -> Result<Peers, Error> {
    spawn_loop_with(Limits::default(), |_, _| ())
}

/// Does the same with limits, and with a start that runs on the loop's thread; what it returns
/// (nodes, listeners) lives as long as the loop.
///
/// # Errors
/// When the thread or its kernel cannot be made.
pub fn spawn_loop_with<T: 'static>(
    limits: Limits,
    start: impl FnOnce(&Kernel, &Rpc) -> T + Send + 'static,
) -> Result<Peers, Error> {
    spawn(move |kernel| Rpc::with_limits(kernel, limits), start)
}

/// Does the same with a key of one's own, as [`Rpc::secured`] has.
///
/// # Errors
/// When the thread or its kernel cannot be made.
pub fn spawn_loop_secured<T: 'static>(
    limits: Limits,
    identity: impl SecureTransport + 'static,
    start: impl FnOnce(&Kernel, &Rpc) -> T + Send + 'static,
) -> Result<Peers, Error> {
    spawn(move |kernel| Rpc::secured(kernel, limits, identity), start)
}

fn spawn<T: 'static>(
    make: impl FnOnce(&Kernel) -> Rpc + Send + 'static,
    start: impl FnOnce(&Kernel, &Rpc) -> T + Send + 'static,
) -> Result<Peers, Error> {
    let (tell, told) = bounded(1);
    let thread = peers_kernel::spawn_loop(move |kernel: &Kernel| {
        let rpc = Rc::new(make(kernel));
        let name = enlist(&rpc, kernel.remote());
        let owned = start(kernel, &rpc);
        if tell.send((name, rpc.limits().drain)).is_err() {
            log::debug!("a loop started for nobody");
        }
        (owned, rpc)
    })?;
    let (name, drain) =
        told.recv().map_err(|_| io::Error::other("the loop ended while it was starting"))?;
    Ok(Peers { remote: thread.remote(), thread: Some(thread), name, drain })
}

/// A loop with an [`Rpc`] on a thread of its own.
///
/// Dropping it ends both in good order, as [`Rpc::close`] does: running replies are waited for, and
/// then what was accepted leaves, as the peers give credit, each within [`Limits::drain`].
/// [`close`](Self::close) tells how that went. If a handler keeps the loop from ending, the thread
/// is left to itself after some seconds more, and the log says so.
///
/// Dropped on the loop's own thread, it only lets all that begin.
pub struct Peers {
    /// `None` only while it ends.
    thread: Option<LoopThread>,
    remote: Remote,
    name: u64,
    drain: Duration,
}

impl Peers {
    /// Dials. Returns at once: whether there is a connection shows in the first call.
    ///
    /// # Errors
    /// If the text is no address, if the address may not be dialled as it is
    /// ([`SecurityError`](crate::SecurityError)), or if the loop has ended.
    pub fn connect(&self, address: impl ToAddress) -> Result<SyncEndpoint, Error> {
        let address = address.to_address()?;
        let dial = move |rpc: &Rpc| {
            let endpoint = rpc.connect(address);
            endpoint.to_sync().ok_or_else(|| endpoint.why_ended().unwrap_or(CloseReason::RpcGone))
        };
        self.with(dial)?.map_err(|reason| ErrorKind::Disconnected(reason).into())
    }

    /// Runs `work` on the loop's thread and returns what it returns; on that thread itself, at
    /// once.
    ///
    /// # Errors
    /// [`ErrorKind::ClosurePanicked`] if `work` panics: the loop lives on. [`ErrorKind::TimedOut`]
    /// if the loop does not come to it within 30 s: then it is not run, unless it was running. An
    /// error, too, when the loop has ended, or too much waits for it.
    pub fn with<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Rpc) -> R + Send + 'static,
    ) -> Result<R, Error> {
        let name = self.name;
        let run = move || {
            let rpc = find(name).ok_or_else(loop_gone)?;
            // The loop lives on: whoever sent the closure is told, and nobody else.
            let worked = catch_unwind(AssertUnwindSafe(|| work(&rpc)));
            worked.map_err(|panic| ErrorKind::ClosurePanicked(text_of(panic)).into())
        };
        if self.remote.is_loop_thread() {
            return run();
        }
        let abandoned = Arc::new(AtomicBool::new(false));
        let (tell, told) = bounded(1);
        let nobody_waits = abandoned.clone();
        post(&self.remote, move || {
            // Its effects would surprise a thread that was told that it did not run.
            if !nobody_waits.load(Ordering::Acquire) {
                drop(tell.send(run())); // nobody listens any more: fine
            }
        })?;
        told.recv_timeout(PATIENCE).unwrap_or_else(|error| {
            abandoned.store(true, Ordering::Release);
            Err(match error {
                RecvTimeoutError::Disconnected => loop_gone(),
                RecvTimeoutError::Timeout => {
                    ErrorKind::TimedOut { method: "peers.with", after: PATIENCE, outer: None }
                        .into()
                }
            })
        })
    }

    /// Ends the loop in good order, as dropping it does, and tells what the other sides did not
    /// take in that time.
    ///
    /// # Errors
    /// [`Misuse::CloseOnLoop`] on the loop's own thread, which cannot wait for its own end: that
    /// begins all the same. An error, too, when the loop had ended before, or a handler keeps it
    /// from ending.
    pub fn close(mut self) -> Result<Drained, Error> {
        self.thread.take().map_or_else(|| Err(loop_gone()), |thread| self.end(thread))
    }

    fn end(&self, thread: LoopThread) -> Result<Drained, Error> {
        let name = self.name;
        if self.remote.is_loop_thread() {
            if let Some(rpc) = find(name) {
                let handle = rpc.context().handle.clone();
                rpc.close(Cont::new(&handle, move |_: Result<_, Error>| drop(thread)));
            }
            return Err(ErrorKind::Misuse(Misuse::CloseOnLoop).into());
        }
        let (tell, told) = bounded(1);
        let begin = move |handle: &Handle| {
            if let Some(rpc) = find(name) {
                rpc.close(Cont::new(handle, move |drained| drop(tell.send(drained))));
            }
        };
        self.remote.post_always(begin).map_err(refused)?;
        let longest = self.drain.saturating_mul(2).saturating_add(GRACE);
        let drained = told.recv_timeout(longest).unwrap_or_else(|error| {
            Err(match error {
                RecvTimeoutError::Disconnected => loop_gone(),
                RecvTimeoutError::Timeout => {
                    ErrorKind::TimedOut { method: "peers.close", after: longest, outer: None }
                        .into()
                }
            })
        });
        drop(thread);
        drained
    }

    /// Returns the loop as other threads reach it.
    pub fn remote(&self) -> Remote {
        self.remote.clone()
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        if let Ok(Drained { unsent, unconfirmed, .. }) = self.end(thread)
            && unsent + unconfirmed > 0
        {
            log::warn!(
                "a loop ended: {unsent} requests not sent, {unconfirmed} events not confirmed"
            );
        }
    }
}

impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peers").finish_non_exhaustive()
    }
}

/// Returns the text of a panic.
fn text_of(panic: Box<dyn Any + Send>) -> String {
    let text = match panic.downcast_ref::<&str>() {
        Some(text) => (*text).to_owned(),
        None => panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "no message".to_owned()),
    };
    // It is a value of the program's: even its drop may panic.
    drop(catch_unwind(AssertUnwindSafe(|| drop(panic))));
    text
}
