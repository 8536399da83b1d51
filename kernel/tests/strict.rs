//! Promise: in a simulated world a panic of a handler, a timer, a continuation or a drop is one of
//! whoever runs the world, with its text and its place, on his own stack, and no other task runs
//! before. Where nobody else tells it, the end of the world does. A lenient process, and a real
//! kernel that was not told to be strict, survive it.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

use peers_kernel::sim::{ProcessId, World};
use peers_kernel::{Budget, Cont, FromBytes, Handle, Input, Kernel, Lost, Stream, TurnEnd};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::rc::Rc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Returns what `f` panics with; the payload must be text.
#[track_caller]
fn panic_of(f: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).expect_err("it must panic");
    payload.downcast_ref::<String>().expect("a panic of another place goes on as text").clone()
}

/// Takes it badly to be dropped.
struct Sore;

impl Drop for Sore {
    fn drop(&mut self) {
        panic!("dropped the wrong thing")
    }
}

/// Is called when a turn's tasks are over.
struct Ending;

impl TurnEnd for Ending {
    fn turn_ends(self: Rc<Self>) {
        panic!("as the test wants it")
    }
}

/// Makes something panic in a process.
type Mischief = fn(&Kernel) -> Box<dyn std::any::Any>;

/// Each place where the code of a program runs.
const PLACES: [(&str, Mischief); 10] = [
    ("a task", |kernel| {
        kernel.handle().schedule(|| panic!("as the test wants it"));
        Box::new(())
    }),
    ("a timer", |kernel| {
        kernel.handle().after(SECOND / 10, || panic!("as the test wants it"));
        Box::new(())
    }),
    ("a continuation", |kernel| {
        Cont::new(&kernel.handle(), |n: Result<u32, Lost>| {
            assert_eq!(n, Ok(2), "as the test wants it")
        })
        .ok(1);
        Box::new(())
    }),
    ("a node's handler", |kernel| {
        let node = kernel.node(());
        node.cx().schedule(|(), _| panic!("as the test wants it"));
        Box::new(node)
    }),
    ("what makes a value of bytes", |kernel| {
        const READ: FromBytes<(), Lost> = FromBytes {
            borrowed: |_, _| panic!("as the test wants it"),
            owned: |_, _| panic!("as the test wants it"),
        };
        let k = Cont::new(&kernel.handle(), |_: Result<(), Lost>| ());
        kernel.handle().schedule(|| k.receiver(&READ).bytes(b"x", "a test"));
        Box::new(())
    }),
    ("offloaded work", |kernel| {
        let k = Cont::new(&kernel.handle(), |_: Result<(), std::io::Error>| ());
        kernel.handle().offload(|_| panic!("as the test wants it"), k);
        Box::new(())
    }),
    ("the end of a turn", |kernel| {
        kernel.handle().at_turn_end(Rc::new(Ending));
        Box::new(())
    }),
    ("a listener", |kernel| {
        let listener = kernel.handle().listen(&echo(), |_| panic!("as the test wants it")).unwrap();
        dial(&kernel.handle());
        Box::new(listener)
    }),
    ("a stream's handler", |kernel| {
        let serve = |stream: Stream| {
            stream.start(|_, input| panic!("as the test wants it: {input:?}"));
        };
        let listener = kernel.handle().listen(&echo(), serve).unwrap();
        dial(&kernel.handle());
        Box::new(listener)
    }),
    ("a node that is entered", |kernel| {
        let node = kernel.node(());
        let cx = node.cx();
        kernel.handle().schedule(move || {
            let entered = cx.enter(|(), _| panic!("as the test wants it"));
            assert_eq!(entered, Err(Lost::Panicked));
        });
        Box::new(node)
    }),
];

/// The file that is named as the birth place of what panicked. The end of a turn has none of its
/// own.
fn made_in(place: &str) -> &'static str {
    if place == "the end of a turn" { "turn_end.rs" } else { file!() }
}

fn echo() -> peers_kernel::Address {
    "sim:echo".parse().unwrap()
}

/// Dials the listener and says something.
fn dial(handle: &Handle) {
    let dialled = |stream: Result<Stream, std::io::Error>| {
        stream.unwrap().start(|_, _: Input<'_>| ()).write(b"hello").unwrap();
    };
    handle.connect(&echo(), Cont::new(handle, dialled));
}

#[test]
fn a_panic_in_a_process_is_raised_by_the_world() {
    for (place, mischief) in PLACES {
        let mut world = World::new(1);
        world.process("clumsy", mischief);
        let text = panic_of(|| world.run_for(SECOND));
        assert!(text.contains("as the test wants it"), "{place}: {text}");
        assert!(text.contains(made_in(place)), "{place}: {text}");
        assert!(text.starts_with("in the process clumsy: "), "{place}: {text}");
    }
}

#[test]
fn a_panic_in_a_simulated_kernel_is_raised_by_its_turn() {
    for (place, mischief) in PLACES {
        let mut kernel = Kernel::simulated(1);
        let _owner = mischief(&kernel);
        let text = panic_of(|| kernel.run_until(kernel.handle().now() + SECOND).unwrap());
        assert!(text.contains("as the test wants it"), "{place}: {text}");
        assert!(text.contains(made_in(place)), "{place}: {text}");
    }
}

#[test]
fn lenient_processes_survive_panics_also_after_a_restart() {
    for (_, mischief) in PLACES {
        let mut world = World::new(1);
        let process = world.process("clumsy", mischief);
        world.lenient(process);
        world.run_for(SECOND);
        world.crash(process);
        world.process("clumsy", mischief);
        world.run_for(SECOND);
        assert!(world.is_running(process));
    }
}

#[test]
fn only_the_process_that_was_named_is_lenient() {
    let mut world = World::new(1);
    let lenient =
        world.process("lenient", |kernel| kernel.handle().schedule(|| panic!("survived")));
    world.lenient(lenient);
    world.process("strict", |kernel| kernel.handle().after(SECOND, || panic!("not survived")));
    let text = panic_of(|| world.run_for(2 * SECOND));
    assert!(text.starts_with("in the process strict: not survived"), "{text}");
}

#[test]
fn a_real_kernel_is_strict_if_it_is_told_to_be() {
    let panicking = || {
        let kernel = Kernel::new().unwrap();
        kernel.handle().schedule(|| panic!("a task over sockets"));
        kernel
    };
    panicking().run().unwrap();
    let mut strict = panicking();
    strict.set_strict(true);
    let text = panic_of(|| strict.run().unwrap());
    assert!(text.starts_with("a task over sockets (in the handler made at "), "{text}");
}

#[test]
fn work_on_another_thread_that_panics_is_told_by_a_strict_kernel() {
    let mut kernel = Kernel::new().unwrap();
    kernel.set_strict(true);
    let k = Cont::new(&kernel.handle(), |_: Result<(), std::io::Error>| ());
    kernel.handle().offload(|_| panic!("on a worker"), k);
    let text = panic_of(|| kernel.run().unwrap());
    assert!(text.starts_with("on a worker"), "{text}");
}

#[test]
fn after_the_first_panic_no_other_task_starts() {
    for seed in 0..20 {
        let ran = Rc::new(Cell::new(0));
        let mut world = World::new(seed);
        let count = ran.clone();
        world.process("clumsy", move |kernel| {
            kernel.set_budget(Budget { tasks: 1 + seed as u32, ..Budget::default() });
            for n in 0..10 {
                let count = count.clone();
                kernel.handle().schedule(move || {
                    count.set(count.get() + 1);
                    assert!(n < 3, "the fourth of ten");
                });
            }
        });
        let text = panic_of(|| world.run_for(SECOND));
        assert_eq!(ran.get(), 4, "{text}");
    }
}

#[test]
fn the_first_of_two_panics_is_told() {
    let mut world = World::new(1);
    world.process("clumsy", |kernel| {
        let node = kernel.node(());
        let cx = node.cx();
        kernel.handle().schedule(move || {
            let first = cx.enter(|(), _| panic!("the first"));
            let second = cx.enter(|(), _| panic!("not even run"));
            assert_eq!((first, second), (Err(Lost::Panicked), Err(Lost::Panicked)));
            panic!("the second");
        });
        node
    });
    let text = panic_of(|| world.run_for(SECOND));
    assert!(text.contains("the first"), "{text}");
}

#[test]
fn a_payload_that_is_no_text_and_panics_when_dropped_is_told_too() {
    let mut world = World::new(1);
    world.process("clumsy", |kernel| kernel.handle().schedule(|| panic_any(Sore)));
    let text = panic_of(|| world.run_for(SECOND));
    assert!(text.contains("no message"), "{text}");
}

// ---- drops

/// A process that holds something sore: in what boot returned, in a queued task, in a timer.
const HOLDERS: [Mischief; 3] = [
    |_| Box::new(Sore),
    |kernel| {
        let handle = kernel.handle();
        let sore = Sore;
        handle.after(SECOND * 1_000, move || drop(sore));
        Box::new(())
    },
    |kernel| {
        let sore = Sore;
        Box::new(Cont::new(&kernel.handle(), move |_: Result<(), Lost>| drop(sore)))
    },
];

fn holding(hold: Mischief) -> (World, ProcessId) {
    let mut world = World::new(1);
    let process = world.process("sore", hold);
    world.run_for(SECOND);
    (world, process)
}

#[test]
fn a_panicking_drop_is_raised_by_what_ends_the_process() {
    for hold in HOLDERS {
        let (mut world, process) = holding(hold);
        let text = panic_of(|| world.crash(process));
        assert!(text.starts_with("at the end of the process sore: dropped the wrong"), "{text}");
        drop(world);

        let (world, _) = holding(hold);
        let text = panic_of(|| drop(world));
        assert!(text.contains("dropped the wrong thing"), "{text}");

        let (mut world, process) = holding(hold);
        world.with(process, Handle::stop);
        let text = panic_of(|| world.run_for(SECOND));
        assert!(text.contains("dropped the wrong thing"), "{text}");
    }
}

#[test]
fn a_panicking_drop_is_raised_when_a_simulated_kernel_is_dropped() {
    let kernel = Kernel::simulated(1);
    let sore = Sore;
    kernel.handle().schedule(move || drop(sore));
    let text = panic_of(|| drop(kernel));
    assert!(text.starts_with("dropped the wrong thing"), "{text}");
}

#[test]
fn a_panicking_test_keeps_its_own_message() {
    for hold in HOLDERS {
        let failed = catch_unwind(|| {
            let (_world, _) = holding(hold);
            let (_another, _) = holding(hold);
            let kernel = Kernel::simulated(1);
            let sore = Sore;
            kernel.handle().schedule(move || drop(sore));
            panic_any("the test's own words");
        });
        let payload = failed.unwrap_err();
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"the test's own words"));
    }
}

#[test]
fn lenient_processes_survive_their_drops() {
    for hold in HOLDERS {
        let (mut world, process) = holding(hold);
        world.lenient(process);
        world.crash(process);
        let (mut world, process) = holding(hold);
        world.lenient(process);
        drop(world);
    }
}

#[test]
fn a_panic_outside_of_turns_is_raised_by_the_next_step() {
    let mut world = World::new(1);
    let mut cx = None;
    world.process("clumsy", |kernel| {
        let node = kernel.node(0);
        cx = Some(node.cx());
        node
    });
    world.run_for(SECOND);
    assert_eq!(cx.unwrap().enter(|_, _| panic!("from outside")), Err::<(), _>(Lost::Panicked));
    let text = panic_of(|| world.run_for(SECOND));
    assert!(text.contains("from outside"), "{text}");
    world.run_for(SECOND);
}
