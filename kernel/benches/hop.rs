//! One step from task to task: bare, and through a continuation into a node. The floor is the least
//! that a queue of boxed closures can cost: compare with that, for the machine may be busy.

mod harness;

use harness::{report, timed};
use peers_kernel::{Cx, Handle, Kernel, Lost};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

const HOPS: u64 = 1_000_000;

/// A queue of boxed closures and nothing else.
type Closures = Rc<RefCell<VecDeque<Box<dyn FnOnce()>>>>;

fn floor(queue: &Closures, left: u64) {
    if left > 0 {
        let again = queue.clone();
        queue.borrow_mut().push_back(Box::new(move || floor(&again, left - 1)));
    }
}

fn run(queue: &Closures) {
    loop {
        let Some(task) = queue.borrow_mut().pop_front() else { return };
        task()
    }
}

/// A task that schedules the next one.
fn bare(handle: &Handle, left: u64) {
    if left > 0 {
        let again = handle.clone();
        handle.schedule(move || bare(&again, left - 1));
    }
}

/// A node whose handler makes a continuation and resumes it.
struct Chain;

impl Chain {
    fn hop(&mut self, cx: &Cx<Self>, left: u64) {
        if left > 0 {
            cx.on_any(|chain: &mut Self, cx, left: Result<u64, Lost>| {
                chain.hop(cx, left.unwrap_or(0))
            })
            .ok(left - 1)
        }
    }
}

fn main() -> std::io::Result<()> {
    let mut kernel = Kernel::new()?;
    let handle = kernel.handle();
    let queue = Closures::default();
    report("floor: boxed closures in a queue", "-", HOPS, || {
        floor(&queue, HOPS);
        timed(|| run(&queue))
    });
    report("bare task", "<= 14", HOPS, || {
        bare(&handle, HOPS);
        timed(|| kernel.run().expect("the kernel runs"))
    });
    let chain = kernel.node(Chain);
    report("continuation into a node", "<= 25", HOPS, || {
        chain.cx().schedule(|chain, cx| chain.hop(cx, HOPS));
        timed(|| kernel.run().expect("the kernel runs"))
    });
    Ok(())
}
