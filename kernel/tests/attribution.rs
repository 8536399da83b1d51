//! Promise: after a panic the log names the handler whose code it was, where it was made, by
//! whatever way it came to run: also one that did other things before, and one whose values panic
//! as they are dropped. And what runs later on behalf of nobody carries nobody's cause.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;
mod support;

use common::{any_port, run_until};
use peers_kernel::{
    Address, Cause, Cont, Handle, Input, Kernel, Listener, Lost, Outlet, Signal, Stop, Stream, Wait,
};
use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;
use support::{Trace, keep_log, logged};

fn kernel() -> Kernel {
    keep_log();
    let kernel = Kernel::simulated(1);
    kernel.set_strict(false);
    kernel
}

fn sim(name: &str) -> Address {
    Address::sim(name)
}

/// Checks that a panic with this text was logged, as one of the handler made in this line of this
/// file.
#[track_caller]
fn assert_named(text: &str, line: u32) {
    let place = format!("in the handler made at {}:{line}:", file!());
    let lines: Vec<String> =
        logged(text).into_iter().filter(|line| line.contains("panicked: ")).collect();
    assert!(!lines.is_empty(), "{text}");
    assert!(lines.iter().all(|line| line.contains(&place)), "expected {place} in {lines:?}");
}

/// Panics when it is dropped.
struct Fragile(&'static str);

impl Drop for Fragile {
    fn drop(&mut self) {
        panic!("{}", self.0)
    }
}

/// A closure that owns one and does nothing.
fn holding<A>(text: &'static str) -> impl FnMut(A) + 'static {
    let fragile = Fragile(text);
    move |_| {
        let _held = &fragile;
    }
}

fn pass(kernel: &mut Kernel, span: Duration) {
    let end = kernel.handle().now() + span;
    kernel.run_until(end).unwrap();
}

// ---- handlers

#[test]
fn tasks_timers_and_continuations_are_named() {
    let mut kernel = kernel();
    let (handle, node) = (kernel.handle(), kernel.node(()));
    let cx = node.cx();
    let first = line!() + 1;
    handle.schedule(|| panic!("in a task"));
    handle.after(Duration::from_secs(1), || panic!("in a timer"));
    cx.schedule(|(), _| panic!("in a node's task"));
    cx.after(Duration::from_secs(1), |(), _| panic!("in a node's timer"));
    Cont::new(&handle, |_: Result<(), Lost>| panic!("in a continuation")).ok(());
    Cont::pair(&handle, |()| panic!("in a pair"), |_: Lost| ()).ok(());
    drop(Cont::pair(&handle, |()| (), |_: Lost| panic!("in an error handler")));
    cx.on_any(|(), _, _: Result<(), Lost>| panic!("in a node's continuation")).ok(());
    kernel.run().unwrap();
    for (n, text) in [
        "in a task",
        "in a timer",
        "in a node's task",
        "in a node's timer",
        "in a continuation",
        "in a pair",
        "in an error handler",
        "in a node's continuation",
    ]
    .into_iter()
    .enumerate()
    {
        assert_named(text, first + n as u32);
    }
}

#[test]
fn the_one_that_panics_is_named_and_not_one_before_it() {
    let mut kernel = kernel();
    let handle = kernel.handle();
    handle.schedule(|| ());
    handle.schedule(|| panic!("the first of two"));
    let line = line!() + 1;
    handle.schedule(|| panic!("the second of two"));
    handle.schedule(|| ());
    kernel.run().unwrap();
    assert_named("the second of two", line);
}

#[test]
fn a_task_that_has_entered_a_node_is_still_itself() {
    let mut kernel = kernel();
    let (handle, node) = (kernel.handle(), kernel.node(0));
    let cx = node.cx();
    let line = line!() + 1;
    handle.schedule(move || {
        cx.enter(|count, _| *count += 1).unwrap();
        let caught = cx.enter(|_, _| panic!("in the node"));
        assert_eq!(caught, Err(Lost::Panicked));
        panic!("behind the node")
    });
    kernel.run().unwrap();
    assert_named("in the node", line + 2);
    assert_named("behind the node", line);
}

#[test]
fn work_that_was_handed_out_is_named_and_so_is_what_waits_for_it() {
    let mut kernel = kernel();
    let handle = kernel.handle();
    let line = line!() + 2;
    let work = |_: &Stop| panic!("in the work");
    handle.offload(work, Cont::new(&handle, |_: Result<(), Lost>| panic!("behind the work")));
    kernel.run().unwrap();
    assert_named("in the work", line);
    assert_named("behind the work", line);
}

#[test]
fn a_task_that_says_what_it_does_is_named_so_and_no_other() {
    let mut kernel = kernel();
    let handle = kernel.handle();
    let named = handle.clone();
    handle.schedule(move || {
        named.name_task("weaving");
        panic!("at the loom")
    });
    kernel.turn(Wait::No).unwrap();
    // The clock of a simulation has not moved, and this is the first task of a turn as well.
    let line = line!() + 1;
    handle.schedule(|| panic!("beside the loom"));
    kernel.turn(Wait::No).unwrap();
    let lines = logged("at the loom");
    assert_eq!(lines, ["ERROR: panicked: at the loom (in weaving)"]);
    assert_named("beside the loom", line);
}

// ---- streams

/// A place that answers each connection with a few bytes.
fn greeter(handle: &Handle) -> Listener {
    let greet = |stream: Stream| {
        let outlet = stream.start(|_, _| ());
        outlet.write(b"welcome").unwrap();
    };
    handle.listen(&sim("greeter"), greet).unwrap()
}

/// Dials it under a cause.
fn greeted(kernel: &mut Kernel, cause: Cause, hear: impl FnOnce(Stream) + 'static) {
    let handle = kernel.handle();
    let _listener = greeter(&handle);
    handle.with_cause(cause, || {
        let k = Cont::new(&handle, move |stream: io::Result<Stream>| hear(stream.unwrap()));
        handle.connect(&sim("greeter"), k);
    });
    pass(kernel, Duration::from_secs(1));
}

#[test]
fn callbacks_of_a_stream_are_named() {
    let mut kernel = kernel();
    let node = kernel.node(0);
    let (cx, inner) = (node.cx(), node.cx());
    let line = line!() + 2;
    greeted(&mut kernel, Cause::NONE, move |stream| {
        stream.start(move |_, _| {
            cx.enter(|count, _| *count += 1).unwrap();
            panic!("in a stream")
        });
    });
    assert_named("in a stream", line);
    let line = line!() + 2;
    greeted(&mut kernel, Cause::NONE, move |stream| {
        stream.start_in(&inner, |_, _, _, _| panic!("in a node's stream"));
    });
    assert_named("in a node's stream", line);
    let line = line!() + 3;
    greeted(&mut kernel, Cause::NONE, |stream| {
        let outlet = stream.start(|_, _| ());
        outlet.read_into(Vec::new(), |_| panic!("in a block"));
    });
    assert_named("in a block", line);
    let line = line!() + 3;
    greeted(&mut kernel, Cause::NONE, |stream| {
        let outlet = stream.start(|_, _| ());
        outlet.on_drained(|| panic!("behind the output"));
    });
    assert_named("behind the output", line);
}

#[test]
fn the_handler_of_a_listener_is_named() {
    let mut kernel = kernel();
    let handle = kernel.handle();
    let line = line!() + 1;
    let listener = handle.listen(&sim("here"), |_| panic!("at the door")).unwrap();
    handle.connect(&sim("here"), Cont::new(&handle, |_: io::Result<Stream>| ()));
    pass(&mut kernel, Duration::from_secs(1));
    assert_named("at the door", line);
    drop(listener);
}

#[test]
fn what_the_system_and_other_threads_bring_is_named() {
    keep_log();
    let mut kernel = Kernel::new().unwrap();
    let handle = kernel.handle();
    let remote = kernel.remote();
    let posted = line!() + 1;
    remote.post(|_| panic!("in what was posted")).unwrap();
    let (reader, writer) = io::pipe().unwrap();
    let source = handle.source(reader).unwrap();
    drop(writer);
    let ready = line!() + 1;
    source.readable(|| panic!("at a descriptor")).unwrap();
    let heard = line!() + 1;
    let signals = handle.signals(&[Signal::User2], |_| panic!("at a signal")).unwrap();
    let signal = signal_hook::consts::signal::SIGUSR2;
    signal_hook::low_level::raise(signal).unwrap();
    let texts = ["in what was posted (", "at a descriptor (", "at a signal ("];
    let all = || texts.iter().all(|text| !logged(text).is_empty());
    run_until(&mut kernel, "three panics", all);
    drop(signals);
    assert_named("in what was posted", posted);
    assert_named("at a descriptor", ready);
    assert_named("at a signal", heard);
}

/// Later they serve whoever speaks, not who had the stream opened.
#[test]
fn callbacks_of_a_stream_carry_no_cause() {
    let mut kernel = kernel();
    let cause = Cause::from_parts(3, 5);
    let (handle, trace) = (kernel.handle(), Trace::new());
    let (noting, noted) = (handle.clone(), trace.clone());
    greeted(&mut kernel, cause, move |stream| {
        noted.add(("dialled", noting.cause()));
        let hearing = noting.clone();
        stream.start(move |_, input| {
            let Input::Bytes(_) = input else { return };
            noted.add(("heard", hearing.cause()));
            let (later, again) = (hearing.clone(), noted.clone());
            hearing.schedule(move || again.add(("made by it", later.cause())));
        });
    });
    let none = Cause::NONE;
    assert_eq!(trace.all(), [("dialled", cause), ("heard", none), ("made by it", none)]);
}

#[test]
fn a_connection_is_accepted_for_nobody_whoever_listens() {
    let mut kernel = kernel();
    let (handle, trace) = (kernel.handle(), Trace::new());
    let (noting, noted) = (handle.clone(), trace.clone());
    let listener = handle.with_cause(Cause::from_parts(3, 5), || {
        handle.listen(&sim("here"), move |_| noted.add(noting.cause())).unwrap()
    });
    handle.connect(&sim("here"), Cont::new(&handle, |_: io::Result<Stream>| ()));
    pass(&mut kernel, Duration::from_secs(1));
    assert_eq!(trace.all(), [Cause::NONE]);
    drop(listener);
}

/// Drawing the line here: it is a task that somebody asked for once.
#[test]
fn what_waits_for_the_output_is_done_for_whoever_asked() {
    let mut kernel = kernel();
    let cause = Cause::from_parts(3, 5);
    let (handle, trace) = (kernel.handle(), Trace::new());
    let (noting, noted) = (handle.clone(), trace.clone());
    greeted(&mut kernel, cause, move |stream| {
        let outlet = stream.start(|_, _| ());
        outlet.write(b"thanks").unwrap();
        outlet.on_drained(move || noted.add(noting.cause()));
    });
    assert_eq!(trace.all(), [cause]);
}

// ---- values that panic as they are dropped

#[test]
fn what_a_handler_owns_is_named_by_where_the_handler_was_made() {
    let mut kernel = kernel();
    let (handle, node) = (kernel.handle(), kernel.node(()));
    let cx = node.cx();
    let mut gone = holding("of a node that is gone");
    let line = line!() + 1;
    cx.schedule(move |(), _| gone(()));
    drop(node);
    let canceller = handle.clone();
    let mut timer = holding("of a timer that is cancelled");
    let armed = line!() + 1;
    let id = handle.after(Duration::from_secs(1), move || timer(()));
    handle.schedule(move || assert!(canceller.cancel(id)));
    kernel.run().unwrap();
    assert_named("of a node that is gone", line);
    assert_named("of a timer that is cancelled", armed);
}

#[test]
fn what_a_stream_or_a_listener_owns_is_named_likewise() {
    let mut kernel = kernel();
    let handle = kernel.handle();
    let line = Rc::new(Cell::new(0));
    let (at, outlets) = (line.clone(), Rc::new(Cell::new(None::<Outlet>)));
    let kept = outlets.clone();
    greeted(&mut kernel, Cause::NONE, move |stream| {
        let mut owned = holding("of a stream that is cut");
        at.set(line!() + 1);
        kept.set(Some(stream.start(move |_, _| owned(()))));
    });
    let outlet = outlets.take().unwrap();
    handle.schedule(move || outlet.abort());
    let door = line!() + 1;
    let listener = handle.listen(&sim("here"), holding("of a listener that is closed")).unwrap();
    handle.schedule(move || drop(listener));
    pass(&mut kernel, Duration::from_secs(1));
    assert_named("of a stream that is cut", line.get());
    assert_named("of a listener that is closed", door);
}

#[test]
fn what_is_left_when_a_kernel_ends_is_named_likewise() {
    keep_log();
    let mut kernel = Kernel::new().unwrap();
    let handle = kernel.handle();
    kernel.turn(Wait::No).unwrap();
    let first = line!() + 1;
    handle.schedule(once(holding("of a task at the end")));
    handle.after(Duration::from_secs(1), once(holding("of a timer at the end")));
    kernel.remote().post(posted(holding("of what was posted at the end"))).unwrap();
    let listener = handle.listen(&any_port(), holding("of a listener at the end")).unwrap();
    let signals = handle.signals(&[Signal::Hangup], holding("of signals at the end")).unwrap();
    drop(kernel);
    drop((listener, signals));
    for (n, text) in [
        "of a task at the end",
        "of a timer at the end",
        "of what was posted at the end",
        "of a listener at the end",
        "of signals at the end",
    ]
    .into_iter()
    .enumerate()
    {
        assert_named(text, first + n as u32);
    }
}

fn once(mut f: impl FnMut(())) -> impl FnOnce() {
    move || f(())
}

fn posted(mut f: impl FnMut(()) + Send) -> impl FnOnce(&Handle) + Send {
    move |_| f(())
}
