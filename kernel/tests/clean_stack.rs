//! Rules 1 and 2, the stack: a task always starts on a clean one, however long the chain that led
//! to it. Each test runs in a thread with 256 KiB; a release build follows a hundred million
//! continuations, a debug build a million.

use peers_kernel::{Collect, Cont, Cx, Handle, Kernel, Lost};
use std::io;
use std::thread;

const CHAIN: u64 = if cfg!(debug_assertions) { 1_000_000 } else { 100_000_000 };
/// For chains whose links wait all at the same time, each in memory of its own.
const WAITING: u64 = 1_000_000;

fn on_a_small_stack(test: impl FnOnce() -> io::Result<()> + Send + 'static) {
    let thread = thread::Builder::new().stack_size(256 * 1024).spawn(test).expect("a thread");
    thread.join().expect("no panic").expect("no error");
}

#[test]
fn a_chain_of_continuations_needs_no_stack() {
    struct Chain(u64);

    impl Chain {
        fn hop(&mut self, cx: &Cx<Self>, left: Result<u64, Lost>) {
            self.0 += 1;
            if let Ok(left @ 1..) = left {
                cx.on_any(Self::hop).ok(left - 1)
            }
        }
    }

    on_a_small_stack(|| {
        let mut kernel = Kernel::simulated(1);
        let chain = kernel.node(Chain(0));
        chain.cx().schedule(|chain, cx| chain.hop(cx, Ok(CHAIN)));
        kernel.run()?;
        assert_eq!(chain.with(|chain| chain.0), CHAIN + 1);
        Ok(())
    })
}

#[test]
fn a_chain_of_failures_needs_no_stack() {
    /// Each link fails the one before, when it is dropped.
    fn hop(handle: &Handle, left: u64) {
        if left > 0 {
            let next = handle.clone();
            drop(Cont::new(handle, move |outcome: Result<(), Lost>| {
                assert_eq!(outcome, Err(Lost::Dropped));
                hop(&next, left - 1)
            }));
        }
    }

    on_a_small_stack(|| {
        let mut kernel = Kernel::simulated(1);
        hop(&kernel.handle(), WAITING);
        kernel.run()
    })
}

/// A continuation that owns one that owns one, and so on.
fn nested(handle: &Handle, depth: u64) -> Cont<(), Lost> {
    (0..depth).fold(Cont::new(handle, drop::<Result<(), Lost>>), |inner, _| {
        Cont::new(handle, move |outcome| inner.resume(outcome))
    })
}

#[test]
fn resuming_or_dropping_deeply_nested_continuations_needs_no_stack() {
    on_a_small_stack(|| {
        let mut kernel = Kernel::simulated(1);
        nested(&kernel.handle(), WAITING).ok(());
        drop(nested(&kernel.handle(), WAITING));
        kernel.run()
    })
}

#[test]
fn ending_a_kernel_with_deeply_nested_continuations_needs_no_stack() {
    on_a_small_stack(|| {
        let kernel = Kernel::simulated(1);
        let waiting = nested(&kernel.handle(), WAITING);
        let late = nested(&kernel.handle(), WAITING);
        kernel.handle().schedule(move || waiting.ok(()));
        drop(kernel);
        drop(late);
        Ok(())
    })
}

#[test]
fn barriers_that_are_branches_of_barriers_need_no_stack() {
    on_a_small_stack(|| {
        let mut kernel = Kernel::simulated(1);
        let done = kernel.node(0);
        let last = done.cx().on_any(|done, _, result: Result<Vec<Result<(), Lost>>, Lost>| {
            assert_eq!(result, Ok(vec![Ok(())]));
            *done += 1;
        });
        let mut branch = Collect::all(last).branch();
        for _ in 0..WAITING / 10 {
            let outer = branch;
            branch =
                Collect::values(Cont::new(&kernel.handle(), move |_: Result<Vec<()>, Lost>| {
                    outer.ok(())
                }))
                .branch();
        }
        branch.ok(());
        kernel.run()?;
        assert_eq!(done.with(|done| *done), 1);
        Ok(())
    })
}
