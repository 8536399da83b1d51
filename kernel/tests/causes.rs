//! Causes: copied from the running task into whatever it makes, restored when that runs.

mod support;

use peers_kernel::{Cause, Collect, Cont, Handle, Kernel, Lost, Stop};
use std::io;
use std::time::Duration;
use support::Trace;

const SOME: Cause = Cause::from_parts(3, 5);

/// A task that notes its own cause.
fn noting(handle: &Handle, trace: &Trace<Cause>) -> impl FnOnce() + use<> {
    let (handle, trace) = (handle.clone(), trace.clone());
    move || trace.add(handle.cause())
}

#[test]
fn whatever_a_task_makes_runs_on_the_same_behalf() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    let (handle, trace, node) = (kernel.handle(), Trace::new(), kernel.node(()));
    let (cx, noted) = (node.cx(), trace.clone());
    let maker = handle.clone();
    let make_everything = move || {
        let note = || noting(&maker, &noted);
        let bound = |note: Box<dyn FnOnce()>| move |(): &mut (), _: &peers_kernel::Cx<()>| note();
        maker.schedule(note());
        maker.after(Duration::from_secs(1), note());
        maker.at(maker.now(), note());
        cx.schedule(bound(Box::new(note())));
        cx.after(Duration::from_secs(1), bound(Box::new(note())));
        let first = note();
        Cont::new(&maker, move |_: Result<(), Lost>| first()).ok(());
        let second = note();
        cx.on_any(move |(), _, _: Result<(), Lost>| second()).ok(());
        let third = note();
        let work = |_: &Stop| Ok::<_, Lost>(());
        maker.offload(work, Cont::new(&maker, move |_: Result<(), Lost>| third()));
    };
    handle.with_cause(SOME, || handle.schedule(make_everything));
    assert_eq!(handle.cause(), Cause::NONE, "it was set for that call only");
    handle.schedule(noting(&handle, &trace));
    kernel.run()?;
    assert_eq!(trace.all(), [&[Cause::NONE], &[SOME; 8][..]].concat());
    Ok(())
}

#[test]
fn a_continuation_runs_on_behalf_of_its_maker_whoever_resumes_it() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    let (handle, trace) = (kernel.handle(), Trace::new());
    let note = noting(&handle, &trace);
    let k = handle.with_cause(SOME, || Cont::new(&handle, move |_: Result<(), Lost>| note()));
    assert_eq!(k.cause(), SOME);
    let other = Cause::from_parts(9, 9);
    handle.with_cause(other, || handle.schedule(move || k.ok(())));
    kernel.run()?;
    assert_eq!(trace.all(), [SOME]);
    Ok(())
}

#[test]
fn a_barrier_opens_on_behalf_of_who_waits_behind_it() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    let (handle, trace) = (kernel.handle(), Trace::new());
    let note = noting(&handle, &trace);
    let done =
        handle.with_cause(SOME, || Cont::new(&handle, move |_: Result<Vec<()>, Lost>| note()));
    let gate = Collect::values(done);
    let branch = gate.branch();
    drop(gate);
    handle.schedule(move || branch.ok(()));
    kernel.run()?;
    assert_eq!(trace.all(), [SOME]);
    Ok(())
}

#[test]
fn it_is_restored_after_a_panic_inside_with_cause() {
    let kernel = Kernel::simulated(1);
    let handle = kernel.handle();
    let inner = std::panic::AssertUnwindSafe(|| handle.with_cause(SOME, || panic!("inside")));
    assert!(std::panic::catch_unwind(inner).is_err());
    assert_eq!(handle.cause(), Cause::NONE);
}

#[test]
fn it_is_eight_bytes_that_come_apart_as_they_were_put_together() {
    assert_eq!(size_of::<Cause>(), 8);
    let cause = Cause::from_parts(u32::MAX, 7);
    assert_eq!((cause.slot(), cause.generation()), (u32::MAX, 7));
    assert!(Cause::NONE.is_none() && !cause.is_none() && !Cause::from_parts(0, 1).is_none());
}
