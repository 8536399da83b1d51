//! Offloaded work: on another thread, its result on the loop; bounded; told when nobody waits any more.

mod support;

use peers_kernel::{Budget, Cause, Cont, Handle, Kernel, Lost, Overloaded, Stop, Wait};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
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
    for mut kernel in [Kernel::new()?, Kernel::simulated(1)] {
        let (handle, trace, gate) = (kernel.handle(), Trace::new(), Gate::new());
        let real = handle.now() != peers_kernel::Instant::default();
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
