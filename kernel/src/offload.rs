//! Work on other threads whose result comes back to the loop as a continuation.
//!
//! The continuation never leaves the loop: it is parked here, the worker carries its number. Invariants:
//! 1. A piece of work is parked iff its continuation has not been resumed.
//! 2. Workers touch nothing of the loop; they send a result and a number.
//! 3. The queue of work is bounded; when it is full the work is refused, never blocked on.

use crate::cause::Cause;
use crate::cont::Cont;
use crate::engine::Core;
use crate::lost::{Lost, Overloaded};
use crate::panics::{report_panic, text_of};
use crate::remote::Posted;
use crate::task::Plain;
use crate::time::Instant;
use crossbeam_channel::{Receiver, Sender, bounded};
use rand_core::TryRng;
use slab::Slab;
use std::cell::{Cell, RefCell};
use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Pieces of work that may wait for a worker.
const QUEUE: usize = 1024;
/// A simulated worker takes at least and at most this long.
const SIMULATED_NANOS: Range<u64> = 100_000..10_000_000;

/// Tells offloaded work that nobody waits for its result any more. Look at it now and then in long work.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Whether the call the work was done for was cancelled or has expired, or the owner or the kernel is gone.
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
type Job = Box<dyn FnOnce() + Send>;

/// One piece of work under way.
pub(crate) struct Parked {
    serial: u64,
    cause: Cause,
    /// The node it was done for.
    owner: Option<usize>,
    stop: Stop,
    pub(crate) born: &'static Location<'static>,
    pub(crate) since: Instant,
    /// Resumes the continuation with what the worker left.
    finish: Finish,
}

/// All work of one kernel that is under way, and its workers.
#[derive(Default)]
pub(crate) struct Works {
    parked: RefCell<Slab<Parked>>,
    serial: Cell<u64>,
    pool: RefCell<Option<Pool>>,
}

/// The workers. They end when this is dropped and the queue is empty.
struct Pool {
    jobs: Sender<Job>,
    waiting: Receiver<Job>,
    threads: usize,
    most: usize,
}

/// See [`Handle::offload`](crate::Handle::offload).
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
    let order = Order { born, owner, stop: Stop::default() };
    if !core.is_open() {
        drop(k)
    } else if core.inbox.is_threaded() {
        order.hand_to_worker(core, work, k)
    } else {
        order.simulate(core, work, k)
    }
}

/// What is known of a piece of work besides its types.
struct Order {
    born: &'static Location<'static>,
    owner: Option<usize>,
    stop: Stop,
}

impl Order {
    fn hand_to_worker<T, E>(
        self,
        core: &Core,
        work: impl FnOnce(&Stop) -> Result<T, E> + Send + 'static,
        k: Cont<T, E>,
    ) where
        T: Send + 'static,
        E: From<Lost> + From<Overloaded> + Send + 'static,
    {
        if !core.works.has_room() {
            return k.err(Overloaded);
        }
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
        let id = core.works.park(core, self, Box::new(finish));
        core.works.submit(Box::new(move || {
            let started = (!stop.is_set()).then_some(());
            match catch_unwind(AssertUnwindSafe(|| started.map(|()| work(&stop)))) {
                Ok(outcome) => drop(leave.send(Ok(outcome))),
                Err(payload) => {
                    drop(leave.send(Err(text_of(&*payload).to_owned())));
                    report_panic(born, payload)
                }
            }
            home.send(Posted::Done(id));
        }));
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
        let id = core.works.park(core, self, Box::new(finish));
        let Ok(draw) = core.rng.borrow_mut().try_next_u64();
        let Range { start, end } = SIMULATED_NANOS;
        let delay = Duration::from_nanos(start + draw % (end - start));
        core.at(core.now() + delay, Plain::boxed(born, move |core| core.works.finish(core, id)));
    }
}

impl Works {
    fn park(&self, core: &Core, order: Order, finish: Finish) -> WorkId {
        let serial = self.serial.get();
        self.serial.set(serial + 1);
        let Order { born, owner, stop } = order;
        let (cause, since) = (core.cause.get(), core.now());
        let parked = Parked { serial, cause, owner, stop, born, since, finish };
        WorkId { slot: self.parked.borrow_mut().insert(parked), serial }
    }

    /// Resumes the continuation of work that is done.
    pub(crate) fn finish(&self, core: &Core, id: WorkId) {
        let mut table = self.parked.borrow_mut();
        if table.get(id.slot).is_none_or(|parked| parked.serial != id.serial) {
            return;
        }
        let parked = table.remove(id.slot);
        drop(table);
        // The user's conversions and drops may run here, outside of any task.
        core.catch(parked.born, || (parked.finish)(core));
    }

    pub(crate) fn stop_caused_by(&self, cause: Cause) {
        self.stop_if(|parked| !cause.is_none() && parked.cause == cause)
    }

    pub(crate) fn stop_owned_by(&self, owner: usize) {
        self.stop_if(|parked| parked.owner == Some(owner))
    }

    fn stop_if(&self, meant: impl Fn(&Parked) -> bool) {
        self.parked
            .borrow()
            .iter()
            .filter(|(_, parked)| meant(parked))
            .for_each(|(_, parked)| parked.stop.set())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.parked.borrow().is_empty()
    }

    /// Birth place and beginning of all work under way.
    pub(crate) fn all(&self) -> Vec<(&'static Location<'static>, Instant)> {
        self.parked.borrow().iter().map(|(_, parked)| (parked.born, parked.since)).collect()
    }

    /// Tells all work to stop. The workers end when what this returns is dropped; they are not waited for.
    pub(crate) fn close(&self) -> impl Sized + use<> {
        self.stop_if(|_| true);
        self.pool.take()
    }

    /// Forgets what is parked.
    pub(crate) fn clear(&self) -> Vec<Parked> {
        self.parked.borrow_mut().drain().collect()
    }

    /// Whether there is a worker, or one can be started, and room in their queue.
    fn has_room(&self) -> bool {
        let waiting = self.parked.borrow().len();
        let mut pool = self.pool.borrow_mut();
        let pool = pool.get_or_insert_with(Pool::new);
        pool.grow(waiting + 1);
        pool.threads > 0 && !pool.jobs.is_full()
    }

    fn submit(&self, job: Job) {
        if let Some(pool) = &*self.pool.borrow() {
            // Only the loop's thread sends, and it has just seen that there is room.
            drop(pool.jobs.try_send(job));
        }
    }
}

impl Pool {
    fn new() -> Self {
        let (jobs, waiting) = bounded(QUEUE);
        let most = thread::available_parallelism().map_or(1, usize::from);
        Self { jobs, waiting, threads: 0, most }
    }

    /// Starts a worker if all are busy with `wanted` pieces of work and there may be more workers.
    fn grow(&mut self, wanted: usize) {
        if self.threads >= self.most || wanted <= self.threads {
            return;
        }
        match spawn_worker(self.waiting.clone()) {
            Ok(()) => self.threads += 1,
            Err(error) => log::warn!("no thread for a worker: {error}"),
        }
    }
}

fn spawn_worker(jobs: Receiver<Job>) -> io::Result<()> {
    let work = move || jobs.iter().for_each(|job| job());
    thread::Builder::new().name("peers-worker".to_owned()).spawn(work).map(drop)
}
