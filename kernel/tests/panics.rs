//! Panics: the caller gets an error, the birth place is logged, and node, loop and process live on.

mod support;

use peers_kernel::{Cont, Cx, Kernel, Lost, Wait};
use std::io;
use std::panic::panic_any;
use support::{Trace, keep_log, logged};

struct Clumsy {
    handled: u32,
}

impl Clumsy {
    fn stumble(&mut self, _: &Cx<Self>, reply: Cont<u32, Lost>) {
        self.handled += 1;
        assert!(self.handled > 100, "stumbled over {}", self.handled);
        reply.ok(0)
    }
}

#[test]
fn the_caller_gets_an_error_and_the_node_lives_on() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    kernel.set_strict(false);
    let (clumsy, trace) = (kernel.node(Clumsy { handled: 0 }), Trace::new());
    let noted = trace.clone();
    let reply = Cont::new(&kernel.handle(), move |outcome| noted.add(outcome));
    clumsy.cx().schedule(|clumsy, cx| clumsy.stumble(cx, reply));
    clumsy.cx().schedule(|clumsy, _| clumsy.handled += 10);
    kernel.run()?;
    assert_eq!(trace.all(), [Err(Lost::Panicked)]);
    assert_eq!(clumsy.with(|clumsy| clumsy.handled), 11);
    Ok(())
}

#[test]
fn the_log_names_where_the_handler_was_made_and_what_it_said() -> io::Result<()> {
    keep_log();
    let mut kernel = Kernel::simulated(1);
    kernel.set_strict(false);
    let node = kernel.node(());
    let line = line!() + 1;
    let k = node.cx().on_any(|(), _, _: Result<(), Lost>| panic!("said {}", "something"));
    k.ok(());
    kernel.run()?;
    let lines = logged("said something");
    assert_eq!(lines.len(), 1);
    assert!(lines[0].starts_with("ERROR"), "{lines:?}");
    assert!(lines[0].contains(&format!("{}:{line}:", file!())), "{lines:?}");
    Ok(())
}

#[test]
fn tasks_behind_a_panicking_one_run_in_order_and_in_the_same_turn() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    kernel.set_strict(false);
    let (handle, trace) = (kernel.handle(), Trace::new());
    for n in 0..50 {
        let trace = trace.clone();
        handle.schedule(move || {
            trace.add(n);
            assert!(n % 3 != 0, "every third one panics");
        });
    }
    kernel.turn(Wait::No)?;
    assert_eq!(trace.all(), (0..50).collect::<Vec<_>>());
    Ok(())
}

#[test]
fn a_panic_does_not_colour_the_losses_and_causes_of_later_tasks() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    kernel.set_strict(false);
    let (handle, trace) = (kernel.handle(), Trace::new());
    let cause = peers_kernel::Cause::from_parts(1, 1);
    handle.with_cause(cause, || handle.schedule(|| panic!("under a cause")));
    let (noted, inner) = (trace.clone(), handle.clone());
    handle.schedule(move || {
        assert!(inner.cause().is_none());
        drop(Cont::new(&inner, move |outcome: Result<(), Lost>| noted.add(outcome)));
    });
    kernel.run()?;
    assert_eq!(trace.all(), [Err(Lost::Dropped)]);
    Ok(())
}

/// Panics when dropped, which a panic's payload may do as well.
struct Mine;

impl Drop for Mine {
    fn drop(&mut self) {
        panic!("stepped on")
    }
}

#[test]
fn payloads_and_values_that_panic_when_dropped_are_survived() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    kernel.set_strict(false);
    let (handle, trace) = (kernel.handle(), Trace::new());
    handle.schedule(|| panic_any(Mine));
    handle.schedule(|| drop(Mine));
    let noted = trace.clone();
    handle.schedule(move || noted.add("went on"));
    kernel.run()?;
    assert_eq!(trace.all(), ["went on"]);
    Ok(())
}

#[test]
fn a_kernel_ends_though_what_it_drops_panics() -> io::Result<()> {
    let kernel = Kernel::new()?;
    let (handle, trace) = (kernel.handle(), Trace::new());
    let holding = || {
        let mine = Mine;
        move || drop(mine)
    };
    handle.schedule(holding());
    handle.after(std::time::Duration::from_secs(1), holding());
    let (posted, end) = (holding(), trace.clone());
    kernel.remote().post(move |_| posted()).unwrap();
    let offloaded = holding();
    let k = Cont::new(&handle, move |_: Result<(), Lost>| offloaded());
    handle.after(std::time::Duration::from_secs(2), move || k.ok(()));
    drop(kernel);
    end.add("it has ended");
    assert_eq!(trace.all(), ["it has ended"]);
    Ok(())
}

#[test]
fn a_node_whose_state_panics_when_dropped_leaves_no_trace_in_later_losses() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    kernel.set_strict(false);
    let (handle, trace) = (kernel.handle(), Trace::new());
    let node = kernel.node(Mine);
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(node))).is_err());
    let noted = trace.clone();
    drop(Cont::new(&handle, move |outcome: Result<(), Lost>| noted.add(outcome)));
    kernel.run()?;
    assert_eq!(trace.all(), [Err(Lost::Dropped)]);
    Ok(())
}

#[test]
fn entering_a_node_at_once_catches_its_panic_and_goes_on_in_the_same_task() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    kernel.set_strict(false);
    let (clumsy, trace) = (kernel.node(Clumsy { handled: 0 }), Trace::new());
    let (cx, handle, noted) = (clumsy.cx(), kernel.handle(), trace.clone());
    let answered = trace.clone();
    kernel.handle().schedule(move || {
        let reply = Cont::new(&handle, move |outcome| answered.add(outcome));
        assert_eq!(cx.enter(|clumsy, cx| clumsy.stumble(cx, reply)), Err(Lost::Panicked));
        assert_eq!(cx.enter(|clumsy, _| clumsy.handled), Ok(1), "the same task goes on");
        noted.add(Ok(7));
    });
    kernel.run()?;
    assert_eq!(trace.all(), [Ok(7), Err(Lost::Panicked)]);
    Ok(())
}
