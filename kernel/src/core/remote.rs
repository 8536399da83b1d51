//! The loop as other threads see it: a queue to post tasks into, and a way to wake the loop.
//!
//! Invariants:
//! 1. The loop looks into the inbox after every wait, so a wake-up that coalesces with another
//!    loses nothing. Kept by
//!    `a_hundred_thousand_posts_of_several_threads_at_once_run_once_and_in_order`.
//! 2. While a [`Remote`] lives the loop stays alive; the last one to go wakes it, so that it
//!    notices. Kept by `a_remote_keeps_the_loop_alive_and_the_last_one_to_go_ends_it`.

use crate::core::Core;
use crate::core::handle::Handle;
use crate::core::lost::PostError;
use crate::core::offload::WorkId;
use crate::core::task::Task;
use crate::core::task::unbox;
use crate::host::ready::Waker;
use crate::host::time::Instant;
use crossbeam_channel::{Receiver, Sender};
use std::cell::RefCell;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ThreadId};

/// Tasks that may wait in an inbox; more are refused.
pub const INBOX: usize = 65_536;

/// A message of another thread to the loop.
pub(crate) enum Posted {
    Task(Box<dyn Task + Send>),
    /// A worker is done with this piece of work.
    Done(WorkId),
    /// The owner of the loop's thread wants it to end.
    Stop,
}

impl Posted {
    /// Drops what will never run.
    pub(crate) fn discard(self, core: &Core) {
        if let Self::Task(task) = self {
            core.let_go(task.born(), task);
        }
    }
}

/// A loop as other threads see it. Cheap to clone; keeps its loop alive.
pub struct Remote {
    shared: Arc<InboxSender>,
}

/// Holds what remotes and workers share with the loop.
pub(crate) struct InboxSender {
    sender: Sender<Posted>,
    waker: Option<Waker>,
    loop_thread: ThreadId,
    /// Says how many remotes live.
    remotes: AtomicUsize,
}

/// The loop's end.
pub(crate) struct Inbox {
    receiver: RefCell<Option<Receiver<Posted>>>,
    shared: Arc<InboxSender>,
}

/// A task from another thread.
struct PostedTask<F> {
    f: F,
    born: &'static Location<'static>,
}

impl<F: FnOnce(&Handle)> Task for PostedTask<F> {
    fn run(self: Box<Self>, core: &Rc<Core>) {
        let Self { f, born } = unbox(self);
        core.running(born);
        f(&Handle { core: core.clone() })
    }

    fn born(&self) -> &'static Location<'static> {
        self.born
    }
}

impl Remote {
    /// Runs `task` on the loop, with its handle. Tasks posted by one thread run in the order
    /// posted.
    ///
    /// # Errors
    ///
    /// [`PostError::LoopGone`] after the loop's end, [`PostError::Full`] while [`INBOX`] tasks
    /// wait, [`PostError::Unsupported`] in a simulation. The task is dropped.
    #[track_caller]
    pub fn post(&self, task: impl FnOnce(&Handle) + Send + 'static) -> Result<(), PostError> {
        // Before the task is boxed. Posters that race may exceed the bound by their number.
        if self.shared.waker.is_some() && self.shared.sender.len() >= INBOX {
            return Err(PostError::Full);
        }
        self.post_always(task)
    }

    /// Does what [`post`](Self::post) does, however many tasks wait already: for what must not be
    /// refused, such as the end of something. Whoever uses it sees to it that there are never many.
    ///
    /// # Errors
    ///
    /// [`PostError::LoopGone`] after the loop's end, [`PostError::Unsupported`] in a simulation.
    /// The task is dropped.
    #[track_caller]
    pub fn post_always(
        &self,
        task: impl FnOnce(&Handle) + Send + 'static,
    ) -> Result<(), PostError> {
        if self.shared.waker.is_none() {
            return Err(PostError::Unsupported);
        }
        let task = PostedTask { f: task, born: Location::caller() };
        let sent = self.shared.send(Posted::Task(Box::new(task)));
        if sent { Ok(()) } else { Err(PostError::LoopGone) }
    }

    /// Returns whether this is the thread the loop runs on: there, waiting for the loop would be
    /// waiting for ever.
    pub fn is_loop_thread(&self) -> bool {
        thread::current().id() == self.shared.loop_thread
    }

    /// Reads the clock: on the same scale as [`Handle::now`]. Zero in a simulation, whose clock has
    /// no now.
    pub fn now(&self) -> Instant {
        if self.shared.waker.is_some() {
            crate::host::os::clock::clock()
        } else {
            Instant::default()
        }
    }
}

impl Clone for Remote {
    fn clone(&self) -> Self {
        Self::new(&self.shared)
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        // The loop may be waiting for nothing else, and would do so for ever.
        if self.shared.remotes.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.shared.wake()
        }
    }
}

impl Remote {
    /// Asks the loop to stop, however full its inbox is.
    pub(crate) fn end(&self) {
        self.shared.send(Posted::Stop);
    }

    fn new(shared: &Arc<InboxSender>) -> Self {
        shared.remotes.fetch_add(1, Ordering::AcqRel);
        Self { shared: shared.clone() }
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("loop_thread", &self.shared.loop_thread)
            .finish_non_exhaustive()
    }
}

impl InboxSender {
    /// Puts something into the inbox, whatever waits there already; false if the loop has ended.
    pub(crate) fn send(&self, posted: Posted) -> bool {
        // In this order: the loop looks into its inbox after each wake-up, never before.
        let sent = self.sender.send(posted).is_ok();
        if sent {
            self.wake()
        }
        sent
    }

    /// Runs `f` on the loop, whatever waits in its inbox already; for threads of the kernel's own,
    /// which keep no loop alive.
    pub(crate) fn post(
        &self,
        born: &'static Location<'static>,
        f: impl FnOnce(&Handle) + Send + 'static,
    ) -> bool {
        self.send(Posted::Task(Box::new(PostedTask { f, born })))
    }

    fn wake(&self) {
        if let Some(wake) = &self.waker {
            wake()
        }
    }
}

impl Inbox {
    pub(crate) fn new(waker: Option<Waker>) -> Self {
        let (sender, receiver) = crossbeam_channel::unbounded();
        let loop_thread = thread::current().id();
        let shared =
            Arc::new(InboxSender { sender, waker, loop_thread, remotes: AtomicUsize::new(0) });
        Self { receiver: RefCell::new(Some(receiver)), shared }
    }

    pub(crate) fn remote(&self) -> Remote {
        Remote::new(&self.shared)
    }

    pub(crate) fn shared(&self) -> &Arc<InboxSender> {
        &self.shared
    }

    /// Returns whether there are other threads at all.
    pub(crate) fn is_threaded(&self) -> bool {
        self.shared.waker.is_some()
    }

    pub(crate) fn take(&self) -> Option<Posted> {
        let receiver = self.receiver.borrow();
        // Most often there is nothing, and it is cheaper to ask that.
        receiver.as_ref().filter(|receiver| !receiver.is_empty())?.try_recv().ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.receiver.borrow().as_ref().is_none_or(Receiver::is_empty)
    }

    /// Returns whether something waits here, or could still be posted.
    pub(crate) fn is_alive(&self) -> bool {
        (self.is_threaded() && self.shared.remotes.load(Ordering::Acquire) > 0) || !self.is_empty()
    }

    /// Ends posting. What waits there is handed to `discard`, one by one.
    pub(crate) fn close(&self, discard: impl Fn(Posted)) {
        // Taken first: whoever posts from here on is told that the loop has ended.
        let Some(receiver) = self.receiver.take() else { return };
        // Bounded, since others may be posting still; what is left goes with the receiver.
        receiver.try_iter().take(INBOX).for_each(discard)
    }
}
