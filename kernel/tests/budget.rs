//! Rule 3, budget: a turn ends, so neither an endless chain nor a flood of tasks delays timers and
//! other threads.

mod support;

use peers_kernel::{Budget, Handle, Kernel, Wait};
use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;
use support::Trace;

/// A task that queues itself again until told to stop.
fn endless(handle: &Handle, run: &Rc<Cell<u64>>, go_on: &Rc<Cell<bool>>) {
    run.set(run.get() + 1);
    if go_on.get() {
        let (next, run, go_on) = (handle.clone(), run.clone(), go_on.clone());
        handle.schedule(move || endless(&next, &run, &go_on));
    }
}

#[test]
fn an_endless_chain_does_not_keep_a_timer_from_firing() -> io::Result<()> {
    for mut kernel in [Kernel::simulated(1), Kernel::new()?] {
        let (run, go_on) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(true)));
        endless(&kernel.handle(), &run, &go_on);
        kernel.handle().after(Duration::from_millis(1), move || go_on.set(false));
        kernel.run()?;
        assert!(run.get() > 1);
    }
    Ok(())
}

#[test]
fn an_endless_chain_does_not_keep_out_other_threads() -> io::Result<()> {
    let mut kernel = Kernel::new()?;
    let (run, go_on) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(true)));
    endless(&kernel.handle(), &run, &go_on);
    let remote = kernel.remote();
    let stopper = std::thread::spawn(move || remote.post(Handle::stop));
    kernel.run()?;
    stopper.join().unwrap().unwrap();
    Ok(())
}

#[test]
fn a_turn_runs_as_many_tasks_as_its_budget_and_at_least_one() -> io::Result<()> {
    for (tasks, expected) in [(0, 1), (1, 1), (7, 7), (64, 64), (100, 100), (1024, 500)] {
        let mut kernel = Kernel::simulated(1);
        kernel.set_budget(Budget { tasks, time: Duration::from_secs(1) });
        let run = Rc::new(Cell::new(0));
        for _ in 0..500 {
            let run = run.clone();
            kernel.handle().schedule(move || run.set(run.get() + 1));
        }
        kernel.turn(Wait::No)?;
        assert_eq!(run.get(), expected, "with a budget of {tasks}");
    }
    Ok(())
}

#[test]
fn no_time_still_means_one_task() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    kernel.set_budget(Budget { tasks: 10, time: Duration::ZERO });
    let trace = Trace::new();
    for n in 0..3 {
        let trace = trace.clone();
        kernel.handle().schedule(move || trace.add(n));
    }
    kernel.turn(Wait::No)?;
    assert_eq!(trace.all(), [0]);
    kernel.run()?;
    assert_eq!(trace.all(), [0, 1, 2]);
    Ok(())
}

#[test]
fn work_inside_a_task_is_charged_by_spend() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    kernel.set_budget(Budget { tasks: 100, time: Duration::from_secs(1) });
    let (handle, trace) = (kernel.handle(), Trace::new());
    let (charged, noted) = (handle.clone(), trace.clone());
    handle.schedule(move || {
        let mut units = 0;
        while charged.spend() {
            units += 1;
        }
        noted.add(units);
        assert!(!charged.spend(), "what is spent stays spent");
    });
    let noted = trace.clone();
    handle.schedule(move || noted.add(-1));
    kernel.turn(Wait::No)?;
    assert_eq!(
        trace.all(),
        [99],
        "the task itself is the hundredth, and no other task is started in this turn"
    );
    kernel.turn(Wait::No)?;
    assert_eq!(trace.all(), [99, -1]);
    Ok(())
}

#[test]
fn a_million_due_timers_are_spread_over_turns() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    kernel.set_budget(Budget { tasks: 10, time: Duration::from_secs(1) });
    let run = Rc::new(Cell::new(0));
    for _ in 0..25 {
        let run = run.clone();
        kernel.handle().after(Duration::ZERO, move || run.set(run.get() + 1));
    }
    let mut seen = Vec::new();
    while kernel.turn(Wait::No)? {
        seen.push(run.get());
    }
    assert_eq!(seen, [0, 10, 20]);
    assert_eq!(run.get(), 25);
    Ok(())
}
