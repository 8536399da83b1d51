//! Offloaded work: on another thread, its result on the loop; bounded; told when nobody waits any
//! more.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod support;

use peers_kernel::{Budget, Cause, Cont, Handle, Kernel, Lost, Overloaded, Shares, Stop, Wait};
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;
use std::time::Duration;
use support::{Trace, keep_log, logged};

type Outcome = Result<u32, io::ErrorKind>;

fn noting(handle: &Handle, trace: &Trace<Outcome>) -> Cont<u32, io::Error> {
    let trace = trace.clone();
    Cont::new(handle, move |outcome: io::Result<u32>| {
        trace.add(outcome.map_err(|error| error.kind()))
    })
}

#[test]
fn work_runs_elsewhere_and_its_result_comes_back_to_the_loop() -> io::Result<()> {
    let mut kernel = Kernel::new()?;
    let (handle, trace) = (kernel.handle(), Trace::new());
    let here = thread::current().id();
    let elsewhere = move |_: &Stop| Ok(u32::from(thread::current().id() != here));
    handle.offload(elsewhere, noting(&handle, &trace));
    handle.offload(|_| Err(io::ErrorKind::NotFound.into()), noting(&handle, &trace));
    kernel.run()?;
    let mut seen = trace.all();
    seen.sort_by_key(Result::is_err);
    assert_eq!(seen, [Ok(1), Err(io::ErrorKind::NotFound)]);
    Ok(())
}

#[test]
fn a_panic_of_the_work_is_an_error_and_names_the_place() -> io::Result<()> {
    keep_log();
    for mut kernel in [Kernel::new()?, Kernel::simulated(1)] {
        kernel.set_strict(false);
        let (handle, trace) = (kernel.handle(), Trace::new());
        let noted = trace.clone();
        let k = Cont::new(&handle, move |outcome: Result<(), Lost>| noted.add(outcome));
        let line = line!() + 1;
        handle.offload(|_| panic!("in the work made at {}", line!()), k);
        kernel.run()?;
        assert_eq!(trace.all(), [Err(Lost::Panicked)]);
        let lines = logged(&format!("in the work made at {line}"));
        assert!(
            lines.iter().all(|text| text.contains(&format!("{}:{line}:", file!()))),
            "{lines:?}"
        );
        assert!(!lines.is_empty());
    }
    Ok(())
}

/// Blocks workers until it is dropped.
struct Gate {
    _open: mpsc::Sender<()>,
    closed: Arc<std::sync::Mutex<mpsc::Receiver<()>>>,
}

impl Gate {
    fn new() -> Self {
        let (open, closed) = mpsc::channel();
        Self { _open: open, closed: Arc::new(std::sync::Mutex::new(closed)) }
    }

    /// Work that waits for the gate, one piece after another.
    fn work(&self) -> impl FnOnce(&Stop) -> io::Result<u32> + Send + 'static + use<> {
        let closed = self.closed.clone();
        move |_| {
            let closed = closed.lock().expect("no worker panics");
            // The sender never sends: this ends when it is gone.
            assert!(closed.recv().is_err());
            Ok(1)
        }
    }
}

#[test]
fn more_than_the_queue_holds_is_refused_at_once() -> io::Result<()> {
    let mut kernel = Kernel::new()?;
    // One turn runs all that is queued, however long this machine takes.
    kernel.set_budget(Budget { tasks: 1_000_000, time: Duration::MAX });
    let (handle, trace, gate) = (kernel.handle(), Trace::new(), Gate::new());
    let (workers, queue) = (thread::available_parallelism()?.get(), 1024);
    for _ in 0..workers + queue + 100 {
        handle.offload(gate.work(), noting(&handle, &trace));
    }
    let refused =
        || trace.all().iter().filter(|outcome| **outcome == Err(io::ErrorKind::WouldBlock)).count();
    kernel.turn(Wait::No)?;
    assert!((100..=100 + workers).contains(&refused()), "{} were refused", refused());
    let accepted = workers + queue + 100 - refused();
    drop(gate);
    kernel.run()?;
    assert_eq!(trace.all().iter().filter(|outcome| **outcome == Ok(1)).count(), accepted);
    Ok(())
}

#[test]
fn overload_converts_into_the_errors_programs_use() {
    assert_eq!(io::Error::from(Overloaded).kind(), io::ErrorKind::WouldBlock);
    assert_eq!(Lost::from(Overloaded), Lost::Dropped);
}

/// Work that goes on until it is told to stop.
fn until_stopped(started: mpsc::Sender<()>) -> impl FnOnce(&Stop) -> io::Result<u32> + Send {
    move |stop| {
        started.send(()).map_err(io::Error::other)?;
        while !stop.is_set() {
            thread::yield_now();
        }
        Ok(7)
    }
}

#[test]
fn work_is_told_when_its_cause_is_stopped() -> io::Result<()> {
    let mut kernel = Kernel::new()?;
    let (handle, trace) = (kernel.handle(), Trace::new());
    let (started, starting) = mpsc::channel();
    let cause = Cause::from_parts(1, 1);
    handle.with_cause(cause, || handle.offload(until_stopped(started), noting(&handle, &trace)));
    starting.recv().unwrap();
    handle.stop_work(Cause::from_parts(1, 2));
    handle.stop_work(Cause::NONE);
    assert_eq!(handle.dump().offloaded(), 1);
    handle.stop_work(cause);
    kernel.run()?;
    assert_eq!(trace.all(), [Ok(7)], "its result still counts");
    Ok(())
}

#[test]
fn work_is_told_when_its_cause_is_cancelled() -> io::Result<()> {
    let mut kernel = Kernel::new()?;
    let (handle, trace) = (kernel.handle(), Trace::new());
    let (started, starting) = mpsc::channel();
    let (told, hearing) = mpsc::channel();
    let cause = Cause::from_parts(1, 1);
    let until = until_stopped(started);
    let work = move |stop: &Stop| {
        let outcome = until(stop);
        told.send(()).map_err(io::Error::other)?;
        outcome
    };
    handle.with_cause(cause, || handle.offload(work, noting(&handle, &trace)));
    starting.recv().unwrap();
    handle.cancel_cause(Cause::from_parts(1, 2));
    assert!(hearing.try_recv().is_err(), "another cause is none of its business");
    handle.cancel_cause(cause);
    hearing.recv_timeout(Duration::from_secs(20)).expect("it is told");
    kernel.run()?;
    assert_eq!(trace.all(), [Ok(7)], "its result still counts");
    Ok(())
}

#[test]
fn work_of_a_node_is_told_when_the_node_is_gone() -> io::Result<()> {
    let mut kernel = Kernel::new()?;
    let (node, trace) = (kernel.node(()), Trace::new());
    let (started, starting) = mpsc::channel();
    node.cx().offload(until_stopped(started), noting(&kernel.handle(), &trace));
    starting.recv().unwrap();
    drop(node);
    kernel.run()?;
    assert_eq!(trace.all(), [Ok(7)]);
    Ok(())
}

#[test]
fn work_is_told_when_the_kernel_is_gone() -> io::Result<()> {
    let kernel = Kernel::new()?;
    let (handle, trace) = (kernel.handle(), Trace::new());
    let (started, starting) = mpsc::channel();
    let (done, finished) = mpsc::channel();
    let work = until_stopped(started);
    handle.offload(
        move |stop| {
            let outcome = work(stop);
            done.send(()).map_err(io::Error::other)?;
            outcome
        },
        noting(&handle, &trace),
    );
    starting.recv().unwrap();
    drop(kernel);
    finished.recv().unwrap();
    assert_eq!(trace.len(), 0, "nobody is left to be told");
    Ok(())
}

#[test]
fn work_that_was_stopped_before_it_started_is_not_started() -> io::Result<()> {
    for (real, mut kernel) in [(true, Kernel::new()?), (false, Kernel::simulated(1))] {
        let (handle, trace, gate) = (kernel.handle(), Trace::new(), Gate::new());
        if real {
            for _ in 0..thread::available_parallelism()?.get() {
                handle.offload(gate.work(), noting(&handle, &Trace::new()));
            }
        }
        let ran = Arc::new(AtomicBool::new(false));
        let (node, flag) = (kernel.node(()), ran.clone());
        let work = move |_: &Stop| {
            flag.store(true, Ordering::SeqCst);
            Ok(1)
        };
        node.cx().offload(work, noting(&handle, &trace));
        drop(node);
        drop(gate);
        kernel.run()?;
        assert_eq!(trace.all(), [Err(io::Error::from(Lost::Dropped).kind())]);
        assert!(!ran.load(Ordering::SeqCst));
    }
    Ok(())
}

#[test]
fn simulated_work_takes_a_while_that_depends_on_the_seed_alone() -> io::Result<()> {
    let run = |seed| -> io::Result<_> {
        let mut kernel = Kernel::simulated(seed);
        let (handle, trace) = (kernel.handle(), Trace::new());
        for n in 0..5 {
            let (clock, trace) = (handle.clone(), trace.clone());
            let k = Cont::new(&handle, move |n: Result<u32, Lost>| trace.add((n, clock.now())));
            handle.offload(move |_| Ok(n), k);
        }
        kernel.run()?;
        Ok(trace.all())
    };
    assert_eq!(run(1)?, run(1)?);
    assert_ne!(run(1)?, run(2)?);
    assert!(run(1)?.iter().all(|(_, at)| *at > peers_kernel::Instant::default()));
    Ok(())
}

/// Twenty users: a cause's slot is the number of one.
struct Users;

impl Shares for Users {
    fn share(&self, cause: Cause) -> Option<u64> {
        (cause.slot() < 20).then_some(cause.slot().into())
    }
}

const fn user(slot: u32) -> Cause {
    Cause::from_parts(slot, 1)
}

/// A real and a simulated loop, told apart, whose workers twenty users share. One turn runs all
/// that is queued, however long this machine takes.
fn shared() -> io::Result<[Ground; 2]> {
    Ok([(true, Kernel::new()?), (false, Kernel::simulated(1))].map(|(real, kernel)| {
        kernel.set_budget(Budget { tasks: 1_000_000, time: Duration::MAX });
        // Others have told before, and have gone: their place is taken.
        let gone: Rc<dyn Shares> = Rc::new(Users);
        kernel.handle().share_work(Rc::downgrade(&gone));
        drop(gone);
        let users: Rc<dyn Shares> = Rc::new(Users);
        kernel.handle().share_work(Rc::downgrade(&users));
        (real, kernel, users)
    }))
}

type Ground = (bool, Kernel, Rc<dyn Shares>);

/// Lets offloaded works go so far and no further: each notes that it has begun, then waits for a
/// permit.
struct Turnstile {
    begun: Mutex<Vec<&'static str>>,
    permits: Mutex<usize>,
    changed: Condvar,
}

impl Turnstile {
    fn new(permits: usize) -> Arc<Self> {
        let (begun, changed) = (Mutex::new(Vec::new()), Condvar::new());
        Arc::new(Self { begun, permits: Mutex::new(permits), changed })
    }

    fn begun(&self) -> Vec<&'static str> {
        self.begun.lock().unwrap().clone()
    }

    fn pass(&self, name: &'static str) {
        self.begun.lock().unwrap().push(name);
        self.changed.notify_all();
        let mut permits = self.permits.lock().unwrap();
        while *permits == 0 {
            permits = self.changed.wait(permits).unwrap();
        }
        *permits -= 1;
    }

    fn add(&self, permits: usize) {
        *self.permits.lock().unwrap() += permits;
        self.changed.notify_all();
    }
}

#[test]
fn whoever_has_queued_much_does_not_hold_up_the_others() -> io::Result<()> {
    let workers = thread::available_parallelism()?.get().max(4);
    // The workers may have something of the flood already when the others come; from then on it
    // is one each.
    let passed = 10 + 2 * workers;
    for (real, mut kernel, _users) in shared()? {
        let handle = kernel.handle();
        let turnstile = Turnstile::new(if real { 0 } else { 404 });
        let work = |cause: Cause, name: &'static str| {
            let turnstile = turnstile.clone();
            let k = Cont::new(&handle, |outcome: io::Result<()>| assert!(outcome.is_ok()));
            let work = move |_: &Stop| {
                turnstile.pass(name);
                Ok(())
            };
            handle.with_cause(cause, || handle.offload(work, k))
        };
        (0..400).for_each(|_| work(user(1), "flood"));
        (0..3).for_each(|_| work(user(2), "second"));
        work(Cause::NONE, "own");
        let others = |begun: &[&str]| begun.iter().filter(|name| **name != "flood").count();
        if real {
            // Whatever the system does to the threads, only so many works end before the others
            // have all begun.
            turnstile.add(passed);
            let clock = kernel.remote();
            let late = clock.now() + Duration::from_secs(30);
            while others(&turnstile.begun()) < 4 && clock.now() < late {
                thread::yield_now();
            }
            let begun = turnstile.begun();
            turnstile.add(404);
            assert_eq!(others(&begun), 4, "only {passed} works ended: {begun:?}");
        }
        kernel.run()?;
        let begun = turnstile.begun();
        assert_eq!(begun.len(), 404);
        if !real {
            assert_eq!(others(&begun[..passed]), 4, "{begun:?}");
        }
    }
    Ok(())
}

#[test]
fn a_share_has_half_of_the_places_that_the_others_leave() -> io::Result<()> {
    for (real, mut kernel, _users) in shared()? {
        let (handle, gate) = (kernel.handle(), Gate::new());
        let fill = |kernel: &mut Kernel, cause: Cause| -> io::Result<usize> {
            let refused = Trace::new();
            for _ in 0..1_500 {
                let noted = refused.clone();
                let k = Cont::new(&handle, move |outcome: io::Result<u32>| {
                    if outcome.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
                        noted.add(())
                    }
                });
                let work = gate.work();
                handle.with_cause(cause, || match real {
                    true => handle.offload(work, k),
                    false => handle.offload(|_| Ok(1), k),
                });
            }
            kernel.turn(Wait::No)?;
            Ok(1_500 - refused.len())
        };
        // What a worker has taken is in the queue no more.
        let workers = thread::available_parallelism()?.get().max(3) + 1;
        let mut left = 1_024_usize;
        for share in [user(1), user(2), Cause::from_parts(99, 1)] {
            let half = left.div_ceil(2);
            let filled = fill(&mut kernel, share)?;
            assert!((half..=half + workers).contains(&filled), "{filled} of {left}, real: {real}");
            left -= half;
        }
        let filled = fill(&mut kernel, Cause::NONE)?;
        assert!((left..=left + workers).contains(&filled), "{filled} of {left}");
        drop(gate);
    }
    Ok(())
}

#[test]
fn work_that_nobody_waits_for_leaves_the_queue_at_once() -> io::Result<()> {
    for (real, mut kernel, _users) in shared()? {
        let (handle, gate, lost) = (kernel.handle(), Gate::new(), Trace::new());
        let ran = Arc::new(AtomicBool::new(false));
        if real {
            // One for each worker: nobody may have them all.
            let (started, starting) = mpsc::channel();
            for n in 0..=thread::available_parallelism()?.get() {
                let (started, work) = (started.clone(), gate.work());
                let blocking = move |stop: &Stop| {
                    started.send(()).map_err(io::Error::other)?;
                    work(stop)
                };
                let k = noting(&handle, &Trace::new());
                let of_another = user(2 + u32::from(n == 0));
                handle.with_cause(of_another, || handle.offload(blocking, k));
                starting.recv().unwrap();
            }
        }
        let fill = |count: usize| {
            (0..count).for_each(|_| {
                let (flag, noted) = (ran.clone(), lost.clone());
                let k = Cont::new(&handle, move |outcome: Result<(), Lost>| noted.add(outcome));
                let work = move |stop: &Stop| {
                    flag.fetch_or(!stop.is_set(), Ordering::SeqCst);
                    Ok(())
                };
                handle.with_cause(user(1), || handle.offload(work, k));
            });
        };
        fill(500);
        handle.stop_work(user(1));
        kernel.turn(Wait::No)?;
        // Simulated workers have some in hand; they are told, and no worker had to be free for the
        // others.
        let least = if real { 500 } else { 497 };
        assert!(lost.len() >= least, "{}", lost.len());
        assert!(!ran.load(Ordering::SeqCst));
        // The places are free again.
        fill(500);
        kernel.turn(Wait::No)?;
        assert!(lost.len() <= 500, "{}", lost.len());
        drop(gate);
        kernel.run()?;
        assert_eq!(lost.all().iter().filter(|outcome| outcome.is_ok()).count(), 500);
        assert_eq!(
            lost.all().iter().filter(|outcome| **outcome == Err(Lost::Dropped)).count(),
            500
        );
    }
    Ok(())
}

#[test]
fn a_simulated_process_has_so_many_workers() -> io::Result<()> {
    let mut kernel = Kernel::simulated(3);
    let handle = kernel.handle();
    let spans = Trace::new();
    for _ in 0..400 {
        let (clock, spans) = (handle.clone(), spans.clone());
        let k = Cont::new(&handle, move |_: Result<(), Lost>| spans.add(clock.now()));
        handle.offload(|_| Ok(()), k);
    }
    kernel.run()?;
    // Each takes 5 ms on average, and three of one share are worked on at a time.
    let end = spans.all().into_iter().max().expect("all were done");
    let took = end.since(peers_kernel::Instant::default());
    assert!((Duration::from_millis(500)..Duration::from_millis(900)).contains(&took), "{took:?}");
    Ok(())
}
