//! A million tasks queued before the first one runs: memory, not code, sets the speed.

mod harness;

use harness::{report, timed};
use peers_kernel::{Kernel, Lost};
use std::cell::Cell;
use std::rc::Rc;

const TASKS: u64 = 1_000_000;

fn main() -> std::io::Result<()> {
    let mut kernel = Kernel::new()?;
    let handle = kernel.handle();
    report("1 M bare tasks, queue and run", "<= 50", TASKS, || {
        let count = Rc::new(Cell::new(0));
        timed(|| {
            for _ in 0..TASKS {
                let count = count.clone();
                handle.schedule(move || count.set(count.get() + 1));
            }
            kernel.run().expect("the kernel runs");
        })
    });
    let counter = kernel.node(0_u64);
    let cx = counter.cx();
    report("1 M continuations into a node", "<= 90", TASKS, || {
        timed(|| {
            for n in 0..TASKS {
                cx.on_any(|sum: &mut u64, _, n: Result<u64, Lost>| *sum += n.unwrap_or(0)).ok(n)
            }
            kernel.run().expect("the kernel runs");
        })
    });
    Ok(())
}
