//! The loop as code on it sees it: what every handler may ask for.
//!
//! Streams, listeners, signals and descriptors add their own methods in their own files.
//! Invariants:
//! 1. A handle owns nothing: when its kernel has ended every method is harmless. Kept by
//!    `what_is_asked_of_an_ended_kernel_says_so`.
//! 2. Nothing here runs a handler. Kept by `tests/resume_queues.rs`.

use crate::core::Core;
use crate::core::cause::Cause;
use crate::core::cont::Cont;
use crate::core::lost::{Lost, Overloaded};
use crate::core::offload::{Shares, Stop};
use crate::core::rng::Rng;
use crate::core::task::Plain;
use crate::core::timers::TimerId;
use crate::host::Mode;
use crate::host::rng::ForkedRng;
use crate::host::time::Instant;
use std::fmt;
use std::io;
use std::panic::Location;
use std::rc::{Rc, Weak};
use std::time::Duration;

/// The loop, from inside: cheap to clone, bound to the loop's thread, keeps nothing alive.
///
/// After the end of its kernel everything is harmless: tasks are dropped, timers never fire, the
/// clock stands still.
#[derive(Clone)]
pub struct Handle {
    pub(crate) core: Rc<Core>,
}

impl From<&Self> for Handle {
    fn from(handle: &Self) -> Self {
        handle.clone()
    }
}

impl Handle {
    /// Returns the time, as read once in this turn.
    #[inline]
    pub fn now(&self) -> Instant {
        self.core.now()
    }

    /// Returns whether both are handles of one loop.
    pub fn is_of_same_loop(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.core, &other.core)
    }

    /// Returns the time, read anew: what [`now`](Self::now) says, or later if this turn has taken
    /// long. It is up to ten milliseconds behind, and costs little: for code that does many things
    /// in one task and shall stop in time.
    #[inline]
    pub fn clock(&self) -> Instant {
        self.core.clock()
    }

    /// Returns the latest reading of the clock: by [`clock`](Self::clock) or
    /// [`spend`](Self::spend), or that of this turn.
    #[inline]
    pub fn latest(&self) -> Instant {
        self.core.latest()
    }

    /// Returns the earliest instant at which the input that is being handled may have been there:
    /// when the loop was told of it, or, if its wait was interrupted (which is what a process sees
    /// that was stopped and continues), when that wait began. In the handler of a stream; anywhere
    /// else it means nothing.
    #[inline]
    pub fn arrived(&self) -> Instant {
        self.core.arrived.get()
    }

    /// Lets the running handler take so long in a simulated world, where handlers take no time by
    /// themselves: the clock of its process goes on, what it sends leaves then, and nothing else of
    /// the process runs before. Elsewhere it does nothing.
    ///
    /// ```
    /// use peers_kernel::sim::World;
    /// use std::time::Duration;
    ///
    /// let mut world = World::new(1);
    /// let slow = world.process("slow", |kernel| {
    ///     let handle = kernel.handle();
    ///     kernel.handle().schedule(move || handle.take_time(Duration::from_secs(3)));
    ///     kernel.handle().clone()
    /// });
    /// while world.step() {}
    /// assert_eq!(world.with(slow, |handle| handle.clock()).as_nanos(), 3_000_000_000);
    /// ```
    pub fn take_time(&self, span: Duration) {
        self.core.host().pass(span)
    }

    /// Queues a task.
    #[track_caller]
    pub fn schedule(&self, task: impl FnOnce() + 'static) {
        self.core.push(self.core.cause.get(), Plain::boxed(Location::caller(), move |_| task()))
    }

    /// Queues a task when `delay` has passed, unless the cause that it is made under is
    /// [cancelled](Self::cancel_cause) before.
    #[track_caller]
    pub fn after(&self, delay: Duration, task: impl FnOnce() + 'static) -> TimerId {
        let task = Plain::boxed(Location::caller(), move |_: &Rc<Core>| task());
        self.core.at_for_running(self.now() + delay, task)
    }

    /// Queues a task at a point in time; at once if that is past. A ticker that arms itself again
    /// at the previous instant plus its period does not drift.
    #[track_caller]
    pub fn at(&self, at: Instant, task: impl FnOnce() + 'static) -> TimerId {
        self.core.at_for_running(at, Plain::boxed(Location::caller(), move |_| task()))
    }

    /// Disarms a timer; true if it would still have fired. Continuations its task owned are lost.
    #[expect(
        clippy::must_use_candidate,
        reason = "most callers do not care whether it was still armed"
    )]
    pub fn cancel(&self, timer: TimerId) -> bool {
        self.core.cancel(timer)
    }

    /// Runs `work` on another thread; its outcome comes back as `k`. There is one worker per core
    /// and one more, started when needed, and 1,024 pieces of work may wait for them, shared out as
    /// [`share_work`](Self::share_work) says. Work whose [`Stop`] is set before it starts is not
    /// started.
    ///
    /// `k` gets [`Overloaded`] if too much waits already, [`Lost::Panicked`] if `work` panics, and
    /// [`Lost::Dropped`] if it was never started. On a simulated kernel there are four workers, and
    /// `work` runs on the loop when one of them has had it for a time drawn from the seed.
    #[track_caller]
    pub fn offload<T, E>(
        &self,
        work: impl FnOnce(&Stop) -> Result<T, E> + Send + 'static,
        k: Cont<T, E>,
    ) where
        T: Send + 'static,
        E: From<Lost> + From<Overloaded> + Send + 'static,
    {
        crate::core::offload::offload(&self.core, Location::caller(), None, work, k)
    }

    /// Sets the [`Stop`] of all offloaded work that carries `cause`; what has not been started
    /// leaves the queue.
    pub fn stop_work(&self, cause: Cause) {
        self.core.works.stop_caused_by(&self.core, cause)
    }

    /// Lets `shares` tell, from now on, on whose account offloaded work with a cause is done: for
    /// layers that serve others. Whoever shares the workers takes turns with the others and with
    /// the program itself, never has all of them, and has at most half of those places in the queue
    /// that the others leave. Work whose share nobody can tell has one together; work without a
    /// cause is the program's own.
    ///
    /// ```
    /// use peers_kernel::{Cause, Kernel, Shares};
    /// use std::rc::{Rc, Weak};
    ///
    /// /// Ten users; causes are made with their number as the slot.
    /// struct Users;
    ///
    /// impl Shares for Users {
    ///     fn share(&self, cause: Cause) -> Option<u64> {
    ///         (cause.slot() < 10).then_some(cause.slot().into())
    ///     }
    /// }
    ///
    /// let kernel = Kernel::simulated(1);
    /// let users: Rc<dyn Shares> = Rc::new(Users);
    /// kernel.handle().share_work(Rc::downgrade(&users));
    /// ```
    pub fn share_work(&self, shares: Weak<dyn Shares>) {
        self.core.works.add_shares(shares)
    }

    /// Cancels what was made under `cause`, and what will be made under it until
    /// [`forget_cause`](Self::forget_cause): its timers do not fire, and are dropped; the [`Stop`]
    /// of its offloaded work is set. Tasks that are queued already still run.
    ///
    /// ```
    /// use peers_kernel::{Cause, Kernel};
    /// use std::time::Duration;
    ///
    /// let mut kernel = Kernel::simulated(1);
    /// let (handle, call) = (kernel.handle(), Cause::from_parts(0, 1));
    /// handle.with_cause(call, || {
    ///     handle.after(Duration::from_secs(1), || panic!("nobody waits for it"))
    /// });
    /// handle.cancel_cause(call);
    /// kernel.run()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn cancel_cause(&self, cause: Cause) {
        self.core.cancel_cause(cause)
    }

    /// Ends what [`cancel_cause`](Self::cancel_cause) has begun: `cause` will not come up again.
    pub fn forget_cause(&self, cause: Cause) {
        self.core.forget_cause(cause)
    }

    /// Returns whether `cause` was [cancelled](Self::cancel_cause), and not forgotten since.
    pub fn is_cancelled(&self, cause: Cause) -> bool {
        self.core.is_cancelled(cause)
    }

    /// Returns on whose behalf the running task runs.
    #[inline]
    pub fn cause(&self) -> Cause {
        self.core.cause.get()
    }

    /// Runs `f` under another cause: what it makes carries that one.
    #[inline]
    pub fn with_cause<R>(&self, cause: Cause, f: impl FnOnce() -> R) -> R {
        self.core.with_cause(cause, f)
    }

    /// Charges one unit of work, done inside the running task, to the turn's budget, and reads the
    /// [`clock`](Self::clock). False: the budget is spent, so schedule the rest and return.
    #[inline]
    pub fn spend(&self) -> bool {
        self.core.spend()
    }

    /// Says what the running task does, for the log should it take too long: the name of a method,
    /// for example.
    #[inline]
    pub fn name_task(&self, name: &'static str) {
        self.core.meter.name(name)
    }

    /// Returns the most descriptors this process may hold at present; `None` in a simulation, where
    /// there are none, and where the system sets no limit.
    pub fn descriptor_limit(&self) -> Option<usize> {
        self.core.host().descriptor_limit()
    }

    /// Returns the most bytes of memory that this process may have, as far as the system says: the
    /// least of the limits of its control groups and on its address space. `None` if there is none,
    /// and in a simulation.
    pub fn memory_limit(&self) -> Option<u64> {
        self.core.host().memory_limit()
    }

    /// Returns whether a line that others can cause may be written to this loop's log: see
    /// [`may_log`](crate::may_log).
    pub fn may_log(&self) -> bool {
        self.core.throttle.admits()
    }

    /// Lets so many lines a second pass [`may_log`](crate::may_log) on this loop. The count of
    /// those withheld is one of them.
    pub fn set_log_rate(&self, per_second: u32) {
        self.core.throttle.set_rate(per_second)
    }

    /// Returns an empty vector, with memory that a stream is done with if there is any: for what
    /// will be given to [`Outlet::write_vec`](crate::Outlet::write_vec).
    pub fn pooled_buffer(&self) -> Vec<u8> {
        self.core.buffers.take()
    }

    /// Returns empty memory with room for at least so many bytes, for what will be given to
    /// [`Outlet::write_chunk`](crate::Outlet::write_chunk): whoever sends large chunks one after
    /// the other asks the system for their memory once.
    pub fn pooled_buffer_for(&self, bytes: usize) -> Vec<u8> {
        self.core.buffers.take_for(bytes)
    }

    /// Returns memory that a stream is done with, with room for so many bytes and less than a page
    /// more, if there is any: for values that last, which should not keep more than they need.
    pub fn pooled_buffer_just_for(&self, bytes: usize) -> Option<Vec<u8>> {
        self.core.buffers.take_just(bytes)
    }

    /// Returns how many bytes of memory the output of all streams of this loop holds. It is counted
    /// as it changes, so asking is cheap.
    #[inline]
    pub fn output_memory(&self) -> usize {
        self.core.buffers.used()
    }

    /// Gives memory back to the system that is kept for what is to come: for when there was much to
    /// do and is no more. It takes about a tenth of a millisecond for each megabyte, of the whole
    /// process.
    pub fn release_memory(&self) {
        self.core.release_memory()
    }

    /// Gives the system back what the allocator holds and nobody uses: for when much was freed, and
    /// little is to be had. See [`release_memory`](Self::release_memory).
    pub fn give_pages_back(&self) {
        self.core.host().give_pages_back()
    }

    /// Keeps no memory for what is to come from now on, since there is little of it, or keeps some
    /// again.
    pub fn save_memory(&self, on: bool) {
        self.core.buffers.set_scarce(on);
    }

    /// Returns the kernel's generator.
    pub fn rng(&self) -> Rng {
        Rng(self.clone())
    }

    /// Makes a generator of its own, for work on other threads.
    pub fn fork_rng(&self) -> ForkedRng {
        self.core.rng.borrow_mut().fork()
    }

    /// Returns a generator with a seed of its own, fresh from the operating system or, in a
    /// simulation, from the world's seed: for secrets that must stay secret even if somebody reads
    /// this process's memory later. The kernel's generator, and what is [forked](Self::fork_rng)
    /// from it, would give them away: whoever knows its state can tell what comes, and where the
    /// same state is kept, what came.
    ///
    /// # Errors
    /// If the system has no entropy to give, or the kernel has ended.
    ///
    /// ```
    /// use peers_kernel::{Kernel, rand_core::Rng as _};
    ///
    /// let kernel = Kernel::new()?;
    /// let mut nonce = [0; 16];
    /// kernel.handle().fresh_rng()?.fill_bytes(&mut nonce);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn fresh_rng(&self) -> io::Result<ForkedRng> {
        let host = self.core.host();
        host.entropy().map(|seed| ForkedRng::from_seed(&seed, host.mode()))
    }

    /// Returns whether the kernel lives in a simulation: its time is virtual, its network in
    /// memory, and the same seed gives the same run.
    pub fn is_simulated(&self) -> bool {
        self.core.host().mode() == Mode::Simulated
    }

    /// Ends [`Kernel::run`](crate::Kernel::run): it returns after it has run what is ready and
    /// written what is buffered, without waiting for anything.
    pub fn stop(&self) {
        self.core.stopping.set(true)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("now", &self.now()).finish_non_exhaustive()
    }
}
