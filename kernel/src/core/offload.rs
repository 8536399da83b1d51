//! Work on other threads whose result comes back to the loop as a continuation.
//!
//! The continuation never leaves the loop: it is parked here, the worker carries its number.
//! Invariants:
//! 1. A piece of work is parked iff its continuation has not been resumed. Kept by `leave`,
//!    `work_that_nobody_waits_for_leaves_the_queue_at_once`.
//! 2. Workers touch nothing of the loop; they send a result and a number. Kept by the types.
//! 3. The queue of work is bounded; when it is full the work is refused, never blocked on. Whoever
//!    the program serves has a share of it and of the workers' time: see [`Fair`] and [`Shares`].
//!    Kept by `more_than_the_queue_holds_is_refused_at_once`.
//! 4. Work that nobody waits for any more leaves the queue at once, without being started. Kept by
//!    `work_that_nobody_waits_for_leaves_the_queue_at_once`.
//! 5. As long as a job may be taken, a worker is at work, which looks for the next one itself, or a
//!    wake-up waits for one. Kept by `whoever_has_queued_much_does_not_hold_up_the_others`.
//! 6. There is one worker more than processors, and no share has more than one for each processor:
//!    whoever has asked for work that takes long keeps neither the processors idle nor everybody
//!    else waiting. Kept by `a_simulated_process_has_so_many_workers`.

use crate::core::Core;
use crate::core::cause::Cause;
use crate::core::cont::Cont;
use crate::core::fair::{Fair, Share};
use crate::core::lost::{Lost, Overloaded};
use crate::core::panics::{Whose, report_panic, text_of};
use crate::core::remote::Posted;
use crate::core::task::Plain;
use crate::host::time::Instant;
use crossbeam_channel::{Receiver, Sender, bounded};
use rand_core::TryRng;
use slab::Slab;
use std::cell::{Cell, RefCell};
use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Pieces of work that may wait for a worker.
const QUEUE: usize = 1024;
/// Processors of a simulated process.
const SIMULATED_CORES: usize = 3;
/// A simulated worker takes at least and at most this long.
const SIMULATED_NANOS: Range<u64> = 100_000..10_000_000;

/// Tells offloaded work that nobody waits for its result any more. Look at it now and then in long
/// work.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Returns whether the call the work was done for was cancelled or has expired, or the owner or
    /// the kernel is gone.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self) {
        self.0.store(true, Ordering::Relaxed)
    }
}

/// Names parked work: a slot and the serial number of what is parked there.
#[derive(Clone, Copy)]
pub(crate) struct WorkId {
    slot: usize,
    serial: u64,
}

type Finish = Box<dyn FnOnce(&Core)>;

/// A piece of work in the queue.
struct Job {
    id: WorkId,
    stop: Stop,
    /// Holds what a worker does; nothing in a simulation, where the work is done when it is
    /// finished.
    run: Option<Box<dyn FnOnce() + Send>>,
}

impl Job {
    fn run(self) {
        if let Some(run) = self.run {
            run()
        }
    }
}

/// The queue, as the loop and its workers see it.
#[derive(Clone)]
struct Line(Arc<Mutex<Fair<Job>>>);

impl Line {
    fn of(cores: usize) -> Self {
        Self(Arc::new(Mutex::new(Fair::new(QUEUE, cores))))
    }

    /// Locks the queue. Nothing of a user's runs or is dropped while it is held.
    fn lock(&self) -> MutexGuard<'_, Fair<Job>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells on whose account work is done, by its cause: whoever shares a program's workers with
/// others.
///
/// Those who share take turns, whoever came first, and each has a part of the places in the queue:
/// see [`Handle::share_work`](crate::Handle::share_work).
pub trait Shares {
    /// Returns whose work the cause stands for, by any number; `None` if that cannot be told, or
    /// not any more.
    fn share(&self, cause: Cause) -> Option<u64>;
}

/// One piece of work under way.
pub(crate) struct Parked {
    serial: u64,
    cause: Cause,
    share: Share,
    /// The node it was done for.
    owner: Option<usize>,
    stop: Stop,
    pub(crate) born: &'static Location<'static>,
    pub(crate) since: Instant,
    /// Resumes the continuation with what the worker left.
    finish: Finish,
}

/// All work of one kernel that is under way, and its workers.
pub(crate) struct Works {
    parked: RefCell<Slab<Parked>>,
    serial: Cell<u64>,
    line: Line,
    cores: usize,
    pool: RefCell<Option<Pool>>,
    /// Simulated workers that have something to do.
    busy: Cell<usize>,
    /// Says who tells on whose account work is done.
    shares: RefCell<Vec<Weak<dyn Shares>>>,
}

/// The workers. They end when this is dropped.
struct Pool {
    /// Sent for each piece of work that is queued.
    wakeups: Sender<()>,
    woken: Receiver<()>,
    threads: usize,
}

/// Hands work out: see [`Handle::offload`](crate::Handle::offload).
pub(crate) fn offload<T, E>(
    core: &Rc<Core>,
    born: &'static Location<'static>,
    owner: Option<usize>,
    work: impl FnOnce(&Stop) -> Result<T, E> + Send + 'static,
    k: Cont<T, E>,
) where
    T: Send + 'static,
    E: From<Lost> + From<Overloaded> + Send + 'static,
{
    let share = core.works.share_of(core.cause.get());
    let request = WorkRequest { born, owner, share, stop: Stop::default() };
    // It goes through the queue all the same: its continuation must end by a task.
    if core.is_cancelled(core.cause.get()) {
        request.stop.set();
    }
    if !core.is_open() {
        drop(k)
    } else if !core.works.has_room(core, share) {
        k.err(Overloaded)
    } else if core.inbox.is_threaded() {
        request.hand_to_worker(core, work, k)
    } else {
        request.simulate(core, work, k)
    }
}

/// Holds what is known of a piece of work besides its types.
struct WorkRequest {
    born: &'static Location<'static>,
    owner: Option<usize>,
    share: Share,
    stop: Stop,
}

impl WorkRequest {
    fn hand_to_worker<T, E>(
        self,
        core: &Core,
        work: impl FnOnce(&Stop) -> Result<T, E> + Send + 'static,
        k: Cont<T, E>,
    ) where
        T: Send + 'static,
        E: From<Lost> + Send + 'static,
    {
        let (leave, left) = bounded::<Result<_, String>>(1);
        let (stop, born, home) = (self.stop.clone(), self.born, core.inbox.shared().clone());
        let finish = move |core: &Core| match left.try_recv() {
            Ok(Ok(Some(result))) => k.resume(result),
            Ok(Ok(None)) => drop(k),
            Ok(Err(panicked)) => {
                core.keep_panic(born, &panicked);
                core.lose(Lost::Panicked, k)
            }
            Err(_) => core.lose(Lost::Panicked, k),
        };
        core.works.park(core, self, Box::new(finish), |id| {
            Some(Box::new(move || {
                let started = (!stop.is_set()).then_some(());
                match catch_unwind(AssertUnwindSafe(|| started.map(|()| work(&stop)))) {
                    Ok(outcome) => drop(leave.send(Ok(outcome))),
                    Err(payload) => {
                        drop(leave.send(Err(text_of(&*payload).to_owned())));
                        report_panic(Whose::made_at(born), payload)
                    }
                }
                home.send(Posted::Done(id));
            }))
        });
        // Behind the parking, since a worker that is quick asks for what is parked.
        core.works.wake_worker();
    }

    fn simulate<T, E>(
        self,
        core: &Core,
        work: impl FnOnce(&Stop) -> Result<T, E> + 'static,
        k: Cont<T, E>,
    ) where
        T: 'static,
        E: From<Lost> + 'static,
    {
        let (stop, born) = (self.stop.clone(), self.born);
        let finish = move |core: &Core| {
            if stop.is_set() {
                return drop(k);
            }
            match core.catch(born, || work(&stop)) {
                Some(result) => k.resume(result),
                None => core.lose(Lost::Panicked, k),
            }
        };
        core.works.park(core, self, Box::new(finish), |_| None);
        core.works.start_simulated(core);
    }
}

impl Works {
    /// Makes an empty table; `threaded` iff there are other threads.
    pub(crate) fn new(threaded: bool) -> Self {
        let cores = match threaded {
            true => thread::available_parallelism().map_or(1, usize::from),
            false => SIMULATED_CORES,
        };
        Self {
            parked: RefCell::default(),
            serial: Cell::default(),
            line: Line::of(cores),
            cores,
            pool: RefCell::default(),
            busy: Cell::default(),
            shares: RefCell::default(),
        }
    }

    /// Parks a piece of work and queues what a worker has to do with it.
    fn park(
        &self,
        core: &Core,
        request: WorkRequest,
        finish: Finish,
        run: impl FnOnce(WorkId) -> Option<Box<dyn FnOnce() + Send>>,
    ) {
        let serial = self.serial.get();
        self.serial.set(serial + 1);
        let WorkRequest { born, owner, share, stop } = request;
        let (cause, since, told) = (core.cause.get(), core.now(), stop.clone());
        let parked = Parked { serial, cause, share, owner, stop, born, since, finish };
        let id = WorkId { slot: self.parked.borrow_mut().insert(parked), serial };
        let job = Job { id, stop: told, run: run(id) };
        self.line.lock().push(share, job);
    }

    /// Lets simulated workers that have nothing to do take what is queued.
    fn start_simulated(&self, core: &Core) {
        // One worker more than processors, as on a real kernel.
        while self.busy.get() <= self.cores {
            let Some((share, Job { id, .. })) = self.line.lock().pop() else { return };
            self.busy.set(self.busy.get() + 1);
            let Ok(draw) = core.rng.borrow_mut().try_next_u64();
            let Range { start, end } = SIMULATED_NANOS;
            let delay = Duration::from_nanos(start + draw % (end - start));
            let done = move |core: &Rc<Core>| {
                core.works.busy.set(core.works.busy.get() - 1);
                core.works.line.lock().done(share);
                core.works.start_simulated(core);
                core.works.finish(core, id)
            };
            let done = Plain::boxed(Location::caller(), done);
            core.with_cause(Cause::NONE, || core.at(core.now() + delay, done));
        }
    }

    /// Asks `shares` as well from now on.
    pub(crate) fn add_shares(&self, shares: Weak<dyn Shares>) {
        let mut all = self.shares.borrow_mut();
        match all.iter_mut().find(|other| other.strong_count() == 0) {
            Some(gone) => *gone = shares,
            None => all.push(shares),
        }
    }

    /// Returns on whose account work with this cause is done.
    fn share_of(&self, cause: Cause) -> Share {
        let all = self.shares.borrow();
        if cause.is_none() || all.is_empty() {
            return Share::Own;
        }
        let tell = |(at, shares): (usize, &Weak<dyn Shares>)| {
            Some(Share::Of(at, shares.upgrade()?.share(cause)?))
        };
        all.iter().enumerate().find_map(tell).unwrap_or(Share::Unknown)
    }

    /// Resumes the continuation of work that is done.
    pub(crate) fn finish(&self, core: &Core, id: WorkId) {
        let mut table = self.parked.borrow_mut();
        // Work that was stopped has ended before, and its slot may be another's.
        if table.get(id.slot).is_none_or(|parked| parked.serial != id.serial) {
            return;
        }
        let parked = table.remove(id.slot);
        drop(table);
        // The user's conversions and drops may run here, outside of any task.
        core.catch(parked.born, || core.with_cause(parked.cause, || (parked.finish)(core)));
    }

    pub(crate) fn stop_caused_by(&self, core: &Core, cause: Cause) {
        if !cause.is_none() {
            self.stop_if(core, |parked| parked.cause == cause)
        }
    }

    pub(crate) fn stop_owned_by(&self, core: &Core, owner: usize) {
        self.stop_if(core, |parked| parked.owner == Some(owner))
    }

    /// Tells work to stop. What has not been started goes, in tasks of their own, since it may own
    /// anything.
    fn stop_if(&self, core: &Core, meant: impl Fn(&Parked) -> bool) {
        let mut shares: Vec<Share> = Vec::new();
        for (_, parked) in self.parked.borrow().iter().filter(|(_, parked)| meant(parked)) {
            parked.stop.set();
            if !shares.contains(&parked.share) {
                shares.push(parked.share);
            }
        }
        // The lock is let go of before anything of a user's runs or is dropped.
        for share in shares {
            let unwanted = self.line.lock().remove(share, |job| job.stop.is_set());
            for job in unwanted {
                let skip = move |core: &Rc<Core>| {
                    let id = job.id;
                    job.run();
                    core.works.finish(core, id)
                };
                core.push(Cause::NONE, Plain::boxed(Location::caller(), skip));
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.parked.borrow().is_empty()
    }

    /// Returns the birth place and beginning of all work under way.
    pub(crate) fn all(&self) -> Vec<(&'static Location<'static>, Instant)> {
        self.parked.borrow().iter().map(|(_, parked)| (parked.born, parked.since)).collect()
    }

    /// Tells all work to stop. What is queued is not started, and the workers end, when what this
    /// returns is dropped; they are not waited for.
    pub(crate) fn close(&self) -> impl Sized + use<> {
        self.parked.borrow().iter().for_each(|(_, parked)| parked.stop.set());
        let queued = self.line.lock().clear();
        (queued, self.pool.take())
    }

    /// Forgets what is parked.
    pub(crate) fn clear(&self) -> Vec<Parked> {
        self.parked.borrow_mut().drain().collect()
    }

    /// Returns whether there is a worker, or one can be started, and room in the queue for that
    /// share.
    fn has_room(&self, core: &Core, share: Share) -> bool {
        let has_workers = !core.inbox.is_threaded() || self.has_workers();
        has_workers && self.line.lock().has_room(share)
    }

    fn has_workers(&self) -> bool {
        let waiting = self.parked.borrow().len();
        let mut pool = self.pool.borrow_mut();
        let pool = pool.get_or_insert_with(Pool::new);
        // One more only while all that there are have something to do.
        if pool.threads <= self.cores && waiting >= pool.threads {
            pool.grow(&self.line);
        }
        pool.threads > 0
    }

    /// Wakes a worker. If that many wake-ups wait already, there is one for each job.
    fn wake_worker(&self) {
        if let Some(pool) = &*self.pool.borrow() {
            pool.wakeups.try_send(()).ok();
        }
    }
}

impl Pool {
    fn new() -> Self {
        let (wakeups, woken) = bounded(QUEUE);
        Self { wakeups, woken, threads: 0 }
    }

    /// Starts one worker more.
    fn grow(&mut self, line: &Line) {
        match spawn_worker(self.woken.clone(), line.clone()) {
            Ok(()) => self.threads += 1,
            Err(error) => {
                log::warn!("cannot start one more worker thread, so work waits for others: {error}")
            }
        }
    }
}

fn spawn_worker(woken: Receiver<()>, line: Line) -> io::Result<()> {
    let work = move || {
        let next = || line.lock().pop();
        for () in woken {
            while let Some((share, job)) = next() {
                job.run();
                line.lock().done(share);
            }
        }
    };
    thread::Builder::new().name("peers-worker".to_owned()).spawn(work).map(drop)
}
