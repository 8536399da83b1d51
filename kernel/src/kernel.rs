//! The kernel: owner of everything, and the turn. This is the only place that runs tasks.
//!
//! ```text
//! turn:  run ready tasks  ->  call turn ends  ->  flush streams
//!     ->  poll  ->  read clock  ->  queue what is ready, posted or due
//! ```
//!
//! Invariants:
//! 1. One task at a time, on the stack of [`Kernel::turn`] and nothing else. Kept by `drain_queue`,
//!    `tests/clean_stack.rs`.
//! 2. Nothing below is borrowed while a task runs. Kept by `drain_queue`.
//! 3. A turn ends: its tasks are bounded by the budget, everything else by what was there when it
//!    began. Kept by `a_turn_runs_as_many_tasks_as_its_budget_and_at_least_one`,
//!    `draining_after_stop_ends_though_tasks_go_on_for_ever`.

use crate::core::Core;
use crate::core::budget::Budget;
use crate::core::cause::Cause;
use crate::core::handle::Handle;
use crate::core::remote::{Posted, Remote};
use crate::core::task::{Action, Entry};
use crate::host::Host;
use crate::host::os::RealHost;
use crate::host::ready::{Key, Readiness, Waited};
use crate::host::throttle;
use crate::host::time::Instant;
use crate::node::Node;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::thread::panicking;
use std::time::Duration;

/// Says how long a turn may wait when nothing is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Not at all.
    No,
    /// Until something happens, however long that takes; not at all if nothing is alive.
    Idle,
    /// Until something happens or that instant has come.
    Until(Instant),
}

/// Turns that [`Kernel::run`] makes after it was told to stop, at most.
const LAST_TURNS: u32 = 64;

/// Says how long the tasks of a turn, or the way from them to its wait, may take before the process
/// was probably stopped there.
const STOOD_STILL: Duration = Duration::from_secs(1);

/// The loop. Whoever owns it turns it; everything else sees a [`Handle`], a [`Cx`](crate::Cx) or a
/// [`Remote`].
///
/// Dropping it drops every task, timer, stream and continuation it still has: handlers do not run
/// any more.
pub struct Kernel {
    core: Rc<Core>,
    ready: Vec<(Key, Readiness)>,
}

impl Kernel {
    /// Makes a kernel on the operating system.
    ///
    /// # Errors
    ///
    /// If the system has no descriptors left for a poller, or no randomness.
    pub fn new() -> io::Result<Self> {
        Self::with_host(Rc::new(RealHost::new()?))
    }

    pub(crate) fn with_host(host: Rc<dyn Host>) -> io::Result<Self> {
        Ok(Self { core: Core::new(host)?, ready: Vec::new() })
    }

    /// Returns the loop, for code on it.
    pub fn handle(&self) -> Handle {
        Handle { core: self.core.clone() }
    }

    #[inline]
    pub(crate) fn core(&self) -> &Rc<Core> {
        &self.core
    }

    /// Returns the loop, for other threads. As long as one lives, [`Kernel::run`] does not end by
    /// itself.
    pub fn remote(&self) -> Remote {
        self.core.inbox.remote()
    }

    /// Makes a node that owns `state`.
    pub fn node<S: 'static>(&self, state: S) -> Node<S> {
        Node::new(self.handle(), state)
    }

    /// Sets how much a turn may do before it looks at sockets, timers and other threads.
    pub fn set_budget(&self, budget: Budget) {
        self.core.meter.set_budget(budget)
    }

    /// Lets a panic in a handler, a timer or a continuation, or in what is dropped, be one of
    /// whoever turns or drops the kernel, as in a simulated world; or lets the kernel survive it
    /// and log it, as real kernels do from the beginning. For tests over sockets: what a handler
    /// asserts there fails them.
    ///
    /// A strict kernel starts no other task after the first panic. [`turn`](Self::turn) and
    /// [`run`](Self::run) then panic with its text and with the place where the handler was made.
    ///
    /// ```should_panic
    /// let mut kernel = peers_kernel::Kernel::new()?;
    /// kernel.set_strict(true);
    /// kernel.handle().schedule(|| assert_eq!(1 + 1, 3));
    /// kernel.run()?; // panics
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_strict(&self, on: bool) {
        self.core.set_strict(on)
    }

    /// Makes one turn: runs what is ready, flushes, polls, and queues what happened for the next
    /// turn. True if something is still alive: ready tasks, timers, streams, listeners, sources,
    /// signals, offloaded work, remotes.
    ///
    /// # Errors
    ///
    /// If polling fails, which means that the poller is broken.
    ///
    /// # Panics
    ///
    /// If a handler did, and the kernel is [strict](Self::set_strict).
    pub fn turn(&mut self, wait: Wait) -> io::Result<bool> {
        let _current = throttle::enter(&self.core.throttle);
        self.core.read_clock();
        self.cycle(wait)
    }

    /// Turns until nothing is alive, or until [`Handle::stop`] was called, and then a little
    /// longer: what is ready is run and what is buffered is written, in at most 64 turns that wait
    /// for nothing.
    ///
    /// # Errors
    ///
    /// As [`Kernel::turn`].
    pub fn run(&mut self) -> io::Result<()> {
        self.run_until(Instant::FAR)
    }

    /// Does what [`Kernel::run`] does, but not beyond `deadline`. On a simulated kernel the clock
    /// stands at `deadline` then.
    ///
    /// # Errors
    ///
    /// As [`Kernel::turn`].
    pub fn run_until(&mut self, deadline: Instant) -> io::Result<()> {
        let _current = throttle::enter(&self.core.throttle);
        let wait = if deadline == Instant::FAR { Wait::Idle } else { Wait::Until(deadline) };
        self.core.read_clock();
        // Asked before each turn: a deadline that has come already allows none.
        while self.core.now() < deadline {
            let alive = self.cycle(wait)?;
            if self.core.stopping.get() {
                return self.drain();
            }
            if !alive {
                break;
            }
        }
        Ok(())
    }

    /// Makes the last turns before the end. Afterwards the kernel can be run again.
    pub(crate) fn drain(&mut self) -> io::Result<()> {
        // Bounded, since tasks may go on making tasks for ever.
        for _ in 0..LAST_TURNS {
            if !self.core.is_ready() && self.core.inbox.is_empty() {
                break;
            }
            self.cycle(Wait::No)?;
        }
        self.core.stopping.set(false);
        Ok(())
    }

    /// Returns when this kernel next has something to do by itself; `None`: only the outside can
    /// wake it.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        if self.core.is_ready() { Some(self.core.now()) } else { self.core.next_timer() }
    }

    /// Makes a turn whose clock was just read.
    fn cycle(&mut self, wait: Wait) -> io::Result<bool> {
        self.run_tasks();
        self.look_outside(wait)
    }

    /// Does the first half of a turn: everything up to the wait.
    pub(crate) fn run_tasks(&self) {
        let core = &self.core;
        self.raise();
        if core.sealing.was_busy() {
            let_handshakes_go_on(core)
        }
        core.meter.begin(core.now());
        // In this order: what ends of turns write has to leave with this turn's flush.
        run_ready(core);
        crate::core::turn_end::end(core);
        self.raise();
        flush(core);
    }

    /// Does the second half of a turn: the wait, and what happened meanwhile.
    pub(crate) fn look_outside(&mut self, wait: Wait) -> io::Result<bool> {
        let core = &self.core;
        // A simulated clock moves only by waiting, so there even a wait for nothing has a meaning.
        let simulated = !core.inbox.is_threaded();
        if core.is_alive() || (simulated && matches!(wait, Wait::Until(_))) {
            let since = self.poll(wait)?;
            self.collect(since);
            self.raise();
        }
        Ok(self.core.is_alive())
    }

    /// Panics as a handler of a strict kernel did.
    #[inline]
    pub(crate) fn raise(&self) {
        if self.core.has_failed() {
            raise(&self.core)
        }
    }

    /// Waits, and reads the clock. What is ready may have been there since the instant that is
    /// returned: in doubt it is older, since nobody tells how long the process was stopped.
    fn poll(&mut self, wait: Wait) -> io::Result<Instant> {
        self.ready.clear();
        let until = self.until(wait);
        let (core, host) = (&self.core, self.core.host());
        let (began, ended) = (core.now(), core.meter.tasks_ended());
        // A process that was stopped on its way to the wait is not interrupted in it.
        let stood_still = until != Some(began) && core.coarse.coarse().since(ended) >= STOOD_STILL;
        let wait = if stood_still { Some(Instant::default()) } else { until };
        let interrupted = host.wait(wait, &mut self.ready)? == Waited::Interrupted;
        if interrupted {
            // The process may have been stopped for long: before the clock judges anything, look at
            // what came meanwhile.
            host.wait(Some(Instant::default()), &mut self.ready)?;
        }
        core.read_clock();
        let late = until.is_some_and(|until| core.now().since(until) >= STOOD_STILL);
        Ok(if ended.since(began) >= STOOD_STILL {
            began // it was stopped at work, or one handler kept it from looking
        } else if interrupted || stood_still || late {
            ended
        } else {
            core.now()
        })
    }

    /// Returns how long the host may wait.
    fn until(&self, wait: Wait) -> Option<Instant> {
        let core = &self.core;
        let now = core.now();
        // Whoever is queued, posted or told to stop must not wait for somebody else's readiness.
        if wait == Wait::No || core.is_ready() || core.stopping.get() || !core.inbox.is_empty() {
            return Some(now);
        }
        match (wait, core.next_timer()) {
            (Wait::Until(end), Some(due)) => Some(due.min(end)),
            (Wait::Until(end), None) => Some(end),
            (_, due) => due,
        }
    }

    /// Queues what happened outside: first sources and what other threads say, so that what came in
    /// time is heard before a timer says that it did not; then timers.
    fn collect(&mut self, since: Instant) {
        let core = &self.core;
        for (key, readiness) in self.ready.drain(..) {
            core.note(key, readiness, since);
        }
        // A flood of posts must not keep the turn from ending, nor timers from firing.
        let limit = core.meter.budget().tasks.max(1);
        for _ in 0..limit {
            match core.inbox.take() {
                Some(Posted::Task(task)) => core.push(Cause::NONE, task),
                Some(Posted::Done(id)) => core.works.finish(core, id),
                Some(Posted::Stop) => core.stopping.set(true),
                None => break,
            }
        }
        core.expire(limit);
    }
}

/// Lets those go on whose handshakes had to wait for another turn.
#[cold]
fn let_handshakes_go_on(core: &Core) {
    let readable = Readiness { readable: true, writable: false };
    for (key, since) in core.sealing.begin_turn() {
        core.note(key, readable, since);
    }
}

/// Runs ready tasks until none is left or the budget is spent. A panic ends one task, not the loop.
fn run_ready(core: &Rc<Core>) {
    // Entered anew after each panic: those behind the task that panicked run in this turn too.
    while let Err(payload) = catch_unwind(AssertUnwindSafe(|| drain_queue(core))) {
        core.task_panicked(payload)
    }
    // What runs from here on, at the end of the turn, is done for nobody.
    core.cause.set(Cause::NONE);
    core.finish_tasks();
}

/// Runs ready tasks, one after the other, until a panic leaves it.
fn drain_queue(core: &Rc<Core>) {
    while let Some(Entry { cause, action }) = core.next_entry() {
        debug_assert!(core.is_unborrowed(), "a task may use all of the kernel");
        debug_assert!(!core.inside.get(), "a task begins outside of all nodes");
        core.cause.set(cause);
        match action {
            Action::Task(task) => task.run(core),
            Action::Ready(key) => {
                // None if the source has ended since it was queued; its slot may be another's.
                if let Some((watch, readiness)) = core.take_noted(key) {
                    watch.ready(core, readiness)
                }
            }
        }
    }
}

/// Lets every stream write what it buffered in this turn.
fn flush(core: &Rc<Core>) {
    if !core.wants_flush() {
        return;
    }
    // Taken out first: what a flush asks for belongs to the next turn.
    let mut flushes = core.take_flushes();
    for watch in flushes.drain(..) {
        watch.flush(core)
    }
    core.recycle_flushes(flushes)
}

/// Goes on with the panic of a handler, here. Its payload is text: that of the handler may be
/// anything.
#[cold]
fn raise(core: &Rc<Core>) {
    let dump = Handle { core: core.clone() }.dump();
    if let Some(text) = core.take_failure() {
        log::error!("a handler panicked, and the kernel is strict. {dump}");
        resume_unwind(Box::new(match core.host().name() {
            Some(name) => format!("in the process {name}: {text}"),
            None => text,
        }))
    }
}

impl From<&Kernel> for Handle {
    fn from(kernel: &Kernel) -> Self {
        kernel.handle()
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        self.core.close();
        // Not into another panic: two of them end the process.
        if !panicking() {
            self.raise()
        }
    }
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernel").field("now", &self.core.now()).finish_non_exhaustive()
    }
}
