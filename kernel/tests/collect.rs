//! Barriers: open exactly once, when the `Collect` and all its branches are gone, with the outcomes
//! in branch order.

mod support;

use peers_kernel::{Collect, Cont, Kernel, Lost};
use std::fmt::Debug;
use std::io;
use support::Trace;

fn noting<T: Clone + PartialEq + Debug + 'static>(
    kernel: &Kernel,
    trace: &Trace<Result<T, Lost>>,
) -> Cont<T, Lost> {
    let trace = trace.clone();
    Cont::new(&kernel.handle(), move |outcome| trace.add(outcome))
}

#[test]
fn all_passes_on_every_outcome_in_branch_order() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    let trace = Trace::new();
    let gate = Collect::all(noting(&kernel, &trace));
    let (first, second, third) = (gate.branch(), gate.branch(), gate.branch());
    drop(gate);
    third.ok(3);
    first.ok(1);
    kernel.run()?;
    assert_eq!(trace.len(), 0, "one is still out");
    drop(second);
    kernel.run()?;
    assert_eq!(trace.all(), [Ok(vec![Ok(1), Err(Lost::Dropped), Ok(3)])]);
    Ok(())
}

#[test]
fn values_leaves_failures_out() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    let trace = Trace::new();
    let gate = Collect::values(noting(&kernel, &trace));
    for n in 0..6 {
        let branch = gate.branch();
        if n % 2 == 0 { branch.ok(n) } else { branch.err(Lost::OwnerGone) }
    }
    drop(gate);
    kernel.run()?;
    assert_eq!(trace.all(), [Ok(vec![0, 2, 4])]);
    Ok(())
}

#[test]
fn first_error_fails_at_once_and_only_once() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    let trace = Trace::new();
    let gate = Collect::<u32, Lost>::first_error(noting(&kernel, &trace));
    let (slow, bad, worse) = (gate.branch(), gate.branch(), gate.branch());
    bad.err(Lost::Panicked);
    kernel.run()?;
    assert_eq!(trace.all(), [Err(Lost::Panicked)], "the others are not waited for");
    worse.err(Lost::OwnerGone);
    slow.ok(1);
    drop(gate);
    kernel.run()?;
    assert_eq!(trace.len(), 1);

    let gate = Collect::first_error(noting(&kernel, &trace));
    for n in 0..3 {
        gate.branch().ok(n)
    }
    drop(gate);
    kernel.run()?;
    assert_eq!(trace.all()[1], Ok(vec![0, 1, 2]));
    Ok(())
}

#[test]
fn a_barrier_without_branches_opens_when_dropped() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    let (all, values) = (Trace::new(), Trace::new());
    drop(Collect::<u32, Lost>::all(noting(&kernel, &all)));
    drop(Collect::<u32, Lost>::values(noting(&kernel, &values)));
    drop(Collect::<u32, Lost>::first_error(noting(&kernel, &values)));
    kernel.run()?;
    assert_eq!(all.all(), [Ok(vec![])]);
    assert_eq!(values.all(), [Ok(vec![]), Ok(vec![])]);
    Ok(())
}

#[test]
fn a_barrier_stays_closed_while_it_can_make_branches() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    let trace = Trace::new();
    let gate = Collect::values(noting(&kernel, &trace));
    gate.branch().ok(1);
    kernel.run()?;
    assert_eq!(trace.len(), 0);
    gate.branch().ok(2);
    drop(gate);
    kernel.run()?;
    assert_eq!(trace.all(), [Ok(vec![1, 2])]);
    Ok(())
}

#[test]
fn a_branch_lost_to_a_dead_node_or_a_panic_still_counts() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    kernel.set_strict(false);
    let trace = Trace::new();
    let gate = Collect::<u32, Lost>::all(noting(&kernel, &trace));
    let (node, branch) = (kernel.node(()), gate.branch());
    node.cx().schedule(|(), _| branch.ok(1));
    drop(node);
    let branch = gate.branch();
    kernel.handle().schedule(move || {
        let _held = branch;
        panic!("with a branch in hand");
    });
    drop(gate);
    kernel.run()?;
    assert_eq!(trace.all(), [Ok(vec![Err(Lost::OwnerGone), Err(Lost::Panicked)])]);
    Ok(())
}

#[test]
fn the_end_of_the_kernel_opens_nothing() {
    let kernel = Kernel::simulated(1);
    let trace = Trace::new();
    let gate = Collect::values(noting(&kernel, &trace));
    let branch = gate.branch();
    drop(kernel);
    branch.ok(1);
    drop(gate);
    assert_eq!(trace.len(), 0);
}
