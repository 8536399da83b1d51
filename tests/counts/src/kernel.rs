//! Tasks, continuations, timers, barriers. On a simulated kernel, whose loop is the one that runs
//! on the system.

use peers_rpc::{Collect, Cont, Cx, Handle, Kernel, Lost};
use std::cell::Cell;
use std::hint::black_box;
use std::rc::Rc;
use std::time::Duration;

/// Tasks and timers that are live at the same time.
const BATCH: u64 = 1_000;

/// Runs a kernel until it has nothing to do.
fn run(kernel: &mut Kernel) {
    kernel.run().expect("a simulated kernel ends when nothing is left")
}

/// Runs `f` for each batch of `operations`.
fn batches(operations: u64, size: u64, f: impl FnMut(u64)) {
    assert!(operations.is_multiple_of(size), "{operations} operations are no batches of {size}");
    (0..operations / size).for_each(f)
}

pub(crate) fn hop(hops: u64) {
    fn hop(handle: &Handle, left: u64) {
        if left > 0 {
            let again = handle.clone();
            handle.schedule(move || hop(&again, left - 1));
        }
    }
    let mut kernel = Kernel::simulated(1);
    hop(&kernel.handle(), hops);
    run(&mut kernel);
}

pub(crate) fn cont(hops: u64) {
    fn hop(handle: &Handle, left: u64) {
        if left > 0 {
            let again = handle.clone();
            Cont::new(handle, move |left: Result<u64, Lost>| hop(&again, left.unwrap_or(0)))
                .ok(left - 1)
        }
    }
    let mut kernel = Kernel::simulated(1);
    hop(&kernel.handle(), hops);
    run(&mut kernel);
}

/// Counts what its handlers are resumed with.
#[derive(Default)]
struct Counter(u64);

impl Counter {
    fn hop(&mut self, cx: &Cx<Self>, left: u64) {
        self.0 += 1;
        if left > 0 {
            cx.on_any(|counter: &mut Self, cx, left: Result<u64, Lost>| {
                counter.hop(cx, left.unwrap_or(0))
            })
            .ok(left - 1)
        }
    }

    fn collected(&mut self, _: &Cx<Self>, all: Result<Vec<u64>, Lost>) {
        self.0 += all.map_or(0, |all| all.len() as u64);
    }
}

pub(crate) fn node(hops: u64) {
    let mut kernel = Kernel::simulated(1);
    let counter = kernel.node(Counter::default());
    counter.cx().schedule(move |counter, cx| counter.hop(cx, hops));
    run(&mut kernel);
    assert_eq!(counter.with(|counter| counter.0), hops + 1);
}

pub(crate) fn queue(tasks: u64) {
    let mut kernel = Kernel::simulated(1);
    let (handle, count) = (kernel.handle(), Rc::new(Cell::new(0)));
    batches(tasks, BATCH, |_| {
        for _ in 0..BATCH {
            let count = count.clone();
            handle.schedule(move || count.set(count.get() + 1));
        }
        run(&mut kernel);
    });
    assert_eq!(count.get(), tasks);
}

/// Delays of up to a second, in no order.
fn delay(n: u64) -> Duration {
    Duration::from_nanos(n.wrapping_mul(2_654_435_761) % 1_000_000_000)
}

pub(crate) fn timer(timers: u64) {
    let kernel = Kernel::simulated(1);
    let handle = kernel.handle();
    for n in 0..BATCH {
        handle.after(delay(n), || ());
    }
    for n in 0..timers {
        let id = handle.after(delay(n + 7), || ());
        assert!(handle.cancel(id), "it has not fired");
    }
}

pub(crate) fn fire(timers: u64) {
    let mut kernel = Kernel::simulated(1);
    let (handle, count) = (kernel.handle(), Rc::new(Cell::new(0)));
    batches(timers, BATCH, |_| {
        for n in 0..BATCH {
            let count = count.clone();
            handle.after(delay(n), move || count.set(count.get() + 1));
        }
        run(&mut kernel);
    });
    assert_eq!(count.get(), timers);
}

pub(crate) fn collect(barriers: u64) {
    const BRANCHES: u64 = 8;
    let mut kernel = Kernel::simulated(1);
    let counter = kernel.node(Counter::default());
    let cx = counter.cx();
    batches(barriers, 100, |_| {
        for _ in 0..100 {
            let gate = Collect::values(cx.on_any(Counter::collected));
            // As far as the compiler knows they are handed on, as in programs: else it may make no
            // boxes of them, which depends on what it does with the rest.
            (0..BRANCHES).for_each(|n| black_box(gate.branch()).ok(n));
        }
        run(&mut kernel);
    });
    assert_eq!(counter.with(|counter| counter.0), barriers * BRANCHES);
}
