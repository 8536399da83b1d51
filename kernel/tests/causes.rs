//! Causes: copied from the running task into whatever it makes, restored when that runs.

mod support;

use peers_kernel::{Address, Cause, Collect, Cont, Handle, Kernel, Lost, Outlet, Stop, Stream};
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::Duration;
use support::Trace;

const SOME: Cause = Cause::from_parts(3, 5);

/// A task that notes its own cause.
fn noting(handle: &Handle, trace: &Trace<Cause>) -> impl FnOnce() + use<> {
    let (handle, trace) = (handle.clone(), trace.clone());
    move || trace.add(handle.cause())
}

#[test]
fn what_a_task_makes_inherits_its_cause() -> io::Result<()> {
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
fn a_continuation_keeps_the_cause_of_its_maker() -> io::Result<()> {
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
fn a_barrier_opens_under_the_cause_of_its_continuation() -> io::Result<()> {
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
fn with_cause_restores_the_cause_after_a_panic() {
    let kernel = Kernel::simulated(1);
    let handle = kernel.handle();
    let inner = std::panic::AssertUnwindSafe(|| handle.with_cause(SOME, || panic!("inside")));
    assert!(std::panic::catch_unwind(inner).is_err());
    assert_eq!(handle.cause(), Cause::NONE);
}

#[test]
fn a_cause_is_eight_bytes_and_keeps_its_parts() {
    assert_eq!(size_of::<Cause>(), 8);
    let cause = Cause::from_parts(u32::MAX, 7);
    assert_eq!((cause.slot(), cause.generation()), (u32::MAX, 7));
    assert!(Cause::NONE.is_none() && !cause.is_none() && !Cause::from_parts(0, 1).is_none());
}

#[test]
fn what_was_made_under_a_cancelled_cause_does_not_fire() {
    let mut kernel = Kernel::simulated(1);
    let handle = kernel.handle();
    let (gone, other) = (Cause::from_parts(0, 1), Cause::from_parts(0, 2));
    let fired: Rc<RefCell<Vec<(u64, Cause)>>> = Rc::default();
    let arm = |cause: Cause, seconds: u64| {
        let (log, clock) = (fired.clone(), handle.clone());
        let note = move || log.borrow_mut().push((seconds, clock.cause()));
        handle.with_cause(cause, || handle.after(Duration::from_secs(seconds), note))
    };
    let all: Vec<_> = (1..=100).map(|n| arm(if n % 2 == 0 { gone } else { other }, n)).collect();
    assert!(handle.cancel(all[1]), "one goes by itself");
    arm(Cause::NONE, 101);
    handle.cancel_cause(gone);
    handle.cancel_cause(Cause::NONE);
    assert!(!handle.cancel(all[3]), "it is disarmed");
    arm(gone, 102);
    handle.forget_cause(gone);
    arm(gone, 103);
    kernel.run().unwrap();
    let mut expected: Vec<_> = (1..=100).step_by(2).map(|n| (n, other)).collect();
    expected.extend([(101, Cause::NONE), (103, gone)]);
    assert_eq!(*fired.borrow(), expected);
}

/// What a timer owned may do anything when it is dropped, also arm and cancel timers.
#[test]
fn what_a_cancelled_timer_owned_is_dropped_on_a_clean_stack() {
    struct Last(Handle, Rc<Cell<u32>>);
    impl Drop for Last {
        fn drop(&mut self) {
            self.0.cancel_cause(Cause::from_parts(0, 1));
            let count = self.1.clone();
            self.0.after(Duration::from_secs(1), move || count.set(count.get() + 1));
        }
    }
    let mut kernel = Kernel::simulated(1);
    let (handle, fired) = (kernel.handle(), Rc::new(Cell::new(0)));
    let cause = Cause::from_parts(0, 1);
    handle.with_cause(cause, || {
        for _ in 0..3 {
            let last = Last(handle.clone(), fired.clone());
            handle.after(Duration::from_secs(9), move || drop(last));
        }
    });
    handle.cancel_cause(cause);
    assert_eq!(handle.dump().timers(), 0, "nothing was dropped yet");
    kernel.run().unwrap();
    assert_eq!(fired.get(), 3);
}

/// A connection that is closed on behalf of a call ends in time, also when that call is cancelled.
#[test]
fn timers_of_the_kernel_have_no_cause() {
    let mut kernel = Kernel::simulated(1);
    let handle = kernel.handle();
    let here: Address = "sim:here".parse().unwrap();
    let kept: Rc<RefCell<Vec<Outlet>>> = Rc::default();
    let accepted = kept.clone();
    let _listener = handle.listen(&here, move |stream| {
        accepted.borrow_mut().push(stream.start(|_, _| ())); // it never closes
    });
    let cause = Cause::from_parts(0, 1);
    let k = Cont::new(&handle, move |stream: io::Result<Stream>| {
        let outlet = stream.unwrap().start(|_, _| ());
        outlet.write(b"something").unwrap();
        outlet.close();
    });
    handle.with_cause(cause, || handle.connect(&here, k));
    kernel.run_until(handle.now() + Duration::from_secs(1)).unwrap();
    let open = handle.dump().sources();
    handle.cancel_cause(cause);
    kernel.run_until(handle.now() + Duration::from_secs(6)).unwrap();
    assert_eq!(handle.dump().sources(), open - 1, "the accepted end alone is left");
}
