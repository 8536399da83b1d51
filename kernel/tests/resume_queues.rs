//! Rule 2: resuming a continuation only queues it. Whoever resumes goes on first, whatever the
//! outcome.

mod support;

use peers_kernel::{Collect, Cont, Cx, Kernel, Lost};
use std::io;
use support::Trace;

/// Ends a continuation in some way.
type End = fn(Cont<u32, Lost>);

const WAYS: [End; 5] =
    [|k| k.ok(1), |k| k.err(Lost::Dropped), |k| k.resume(Ok(1)), drop, |k| (k.split().0)(1)];

#[test]
fn no_way_of_ending_runs_the_handler_inline() -> io::Result<()> {
    for end in WAYS {
        let mut kernel = Kernel::simulated(1);
        let (handle, trace) = (kernel.handle(), Trace::new());
        let (at, noted) = (handle.clone(), trace.clone());
        handle.schedule(move || {
            let inner = noted.clone();
            end(Cont::new(&at, move |_| inner.add("handler")));
            noted.add("went on");
        });
        kernel.run()?;
        assert_eq!(trace.all(), ["went on", "handler"]);
    }
    Ok(())
}

#[test]
fn a_handler_may_resume_a_continuation_of_its_own_node() -> io::Result<()> {
    struct Own(Vec<&'static str>);

    impl Own {
        fn start(&mut self, cx: &Cx<Self>) {
            cx.on_any(|own: &mut Self, _, _: Result<(), Lost>| own.0.push("handler")).ok(());
            self.0.push("went on");
        }
    }

    let mut kernel = Kernel::simulated(1);
    let own = kernel.node(Own(Vec::new()));
    own.cx().schedule(Own::start);
    kernel.run()?;
    own.with(|own| assert_eq!(own.0, ["went on", "handler"]));
    Ok(())
}

#[test]
fn the_last_branch_of_a_barrier_does_not_run_what_waits_behind_it() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    let trace = Trace::new();
    let noted = trace.clone();
    let gate =
        Collect::all(Cont::new(&kernel.handle(), move |_: Result<Vec<Result<(), Lost>>, _>| {
            noted.add("opened")
        }));
    let branch = gate.branch();
    drop(gate);
    branch.ok(());
    trace.add("went on");
    kernel.run()?;
    assert_eq!(trace.all(), ["went on", "opened"]);
    Ok(())
}

#[test]
fn outside_the_loop_nothing_runs_at_all() {
    let kernel = Kernel::simulated(1);
    let trace = Trace::new();
    let noted = trace.clone();
    Cont::new(&kernel.handle(), move |_: Result<(), Lost>| noted.add("handler")).ok(());
    drop(kernel);
    assert_eq!(trace.len(), 0);
}
