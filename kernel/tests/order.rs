//! Rule 3, order: tasks run first in, first out, whatever made them, and a turn runs those that
//! tasks queue as well.

mod support;

use peers_kernel::{Cont, Kernel, Lost, Wait};
use std::io;
use std::time::Duration;
use support::Trace;

#[test]
fn tasks_run_in_the_order_queued() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    let trace = Trace::new();
    for n in 0..100 {
        let trace = trace.clone();
        kernel.handle().schedule(move || trace.add(n));
    }
    kernel.run()?;
    assert_eq!(trace.all(), (0..100).collect::<Vec<_>>());
    Ok(())
}

#[test]
fn continuations_tasks_and_nodes_share_one_queue() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    let (handle, trace) = (kernel.handle(), Trace::new());
    let node = kernel.node(trace.clone());
    let note = |what| {
        let trace = trace.clone();
        move || trace.add(what)
    };
    handle.schedule(note("task"));
    let first = note("continuation");
    Cont::new(&handle, move |_: Result<(), Lost>| first()).ok(());
    node.cx().schedule(|trace, _| trace.add("node"));
    node.cx()
        .on_any(|trace: &mut Trace<_>, _, _: Result<(), Lost>| trace.add("node's continuation"))
        .ok(());
    handle.schedule(note("last"));
    kernel.run()?;
    assert_eq!(trace.all(), ["task", "continuation", "node", "node's continuation", "last"]);
    Ok(())
}

#[test]
fn a_turn_runs_what_its_tasks_queue() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    let (handle, trace) = (kernel.handle(), Trace::new());
    let (inner, noted) = (handle.clone(), trace.clone());
    handle.schedule(move || inner.schedule(move || noted.add("queued by a task")));
    assert!(!kernel.turn(Wait::No)?, "nothing is left after that turn");
    assert_eq!(trace.all(), ["queued by a task"]);
    Ok(())
}

#[test]
fn a_turn_polls_after_its_tasks_so_a_due_timer_waits_for_the_next_one() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    let (handle, trace) = (kernel.handle(), Trace::new());
    let noted = trace.clone();
    handle.after(Duration::ZERO, move || noted.add("timer"));
    let noted = trace.clone();
    handle.schedule(move || noted.add("task"));
    assert!(kernel.turn(Wait::No)?, "the timer has joined the queue");
    assert_eq!(trace.all(), ["task"]);
    kernel.turn(Wait::No)?;
    assert_eq!(trace.all(), ["task", "timer"]);
    Ok(())
}

#[test]
fn timers_and_posted_tasks_join_the_tail_of_the_queue() -> io::Result<()> {
    let mut kernel = Kernel::new()?;
    let (handle, trace) = (kernel.handle(), Trace::new());
    // More tasks than one turn may run, so that some are left when timers and the inbox are looked
    // at.
    let tasks = 1500;
    for n in 0..tasks {
        let trace = trace.clone();
        handle.schedule(move || trace.add(n));
    }
    let noted = trace.clone();
    handle.after(Duration::ZERO, move || noted.add(tasks));
    kernel.run()?;
    assert_eq!(trace.all(), (0..=tasks).collect::<Vec<_>>());
    Ok(())
}

#[test]
fn the_clock_is_read_once_a_turn() -> io::Result<()> {
    let mut kernel = Kernel::new()?;
    let (handle, trace) = (kernel.handle(), Trace::new());
    for _ in 0..100 {
        let (clock, trace) = (handle.clone(), trace.clone());
        handle.schedule(move || trace.add(clock.now()));
    }
    kernel.set_budget(peers_kernel::Budget { tasks: 100, time: Duration::MAX });
    kernel.turn(Wait::No)?;
    assert_eq!(trace.len(), 100);
    assert!(trace.all().windows(2).all(|pair| pair[0] == pair[1]));
    Ok(())
}

#[test]
fn nothing_alive_ends_the_run_and_stop_ends_it_early() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    kernel.run()?;
    let handle = kernel.handle();
    let trace = Trace::new();
    let (ender, noted) = (handle.clone(), trace.clone());
    handle.after(Duration::from_secs(1), move || {
        let last = noted.clone();
        ender.stop();
        ender.schedule(move || last.add("ready when it was stopped"));
    });
    let noted = trace.clone();
    handle.after(Duration::from_secs(2), move || noted.add("later"));
    kernel.run()?;
    assert_eq!(trace.all(), ["ready when it was stopped"]);
    kernel.run()?;
    assert_eq!(
        trace.all(),
        ["ready when it was stopped", "later"],
        "a stopped kernel can be run again"
    );
    Ok(())
}

#[test]
fn draining_after_stop_ends_though_tasks_go_on_for_ever() -> io::Result<()> {
    fn again(handle: &peers_kernel::Handle) {
        let next = handle.clone();
        handle.schedule(move || again(&next));
    }
    let mut kernel = Kernel::simulated(1);
    again(&kernel.handle());
    kernel.handle().stop();
    kernel.run()
}
