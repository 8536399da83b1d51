//! Rule 4: a continuation ends exactly once, by a value, an error, or being dropped, and being
//! dropped is told.

mod support;

use peers_kernel::{Cont, Cx, Kernel, Lost};
use proptest::prelude::*;
use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use support::Trace;

type Outcome = Result<u32, Lost>;

fn noting(kernel: &Kernel, trace: &Trace<Outcome>) -> Cont<u32, Lost> {
    let trace = trace.clone();
    Cont::new(&kernel.handle(), move |outcome| trace.add(outcome))
}

#[test]
fn a_value_an_error_and_being_dropped_are_outcomes() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    let trace = Trace::new();
    noting(&kernel, &trace).ok(1);
    noting(&kernel, &trace).err(Lost::Panicked);
    drop(noting(&kernel, &trace));
    kernel.run()?;
    assert_eq!(trace.all(), [Ok(1), Err(Lost::Panicked), Err(Lost::Dropped)]);
    Ok(())
}

#[test]
fn of_a_pair_exactly_one_function_runs() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    let trace = Trace::new();
    let pair = || {
        let (good, bad) = (trace.clone(), trace.clone());
        Cont::pair(&kernel.handle(), move |n| good.add(Ok(n)), move |lost| bad.add(Err(lost)))
    };
    let (good, bad, forgotten) = (pair(), pair(), pair());
    good.ok(1);
    bad.err(Lost::OwnerGone);
    drop(forgotten);
    kernel.run()?;
    assert_eq!(trace.all(), [Ok(1), Err(Lost::OwnerGone), Err(Lost::Dropped)]);
    Ok(())
}

#[test]
fn the_first_called_half_of_a_split_wins() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    let trace = Trace::new();
    let (ok, err) = noting(&kernel, &trace).split();
    ok(1);
    err(Lost::OwnerGone);
    let (ok, err) = noting(&kernel, &trace).split();
    err(Lost::OwnerGone);
    ok(2);
    let (ok, err) = noting(&kernel, &trace).split();
    drop(err);
    ok(3);
    drop(noting(&kernel, &trace).split());
    kernel.run()?;
    assert_eq!(trace.all(), [Ok(1), Err(Lost::OwnerGone), Ok(3), Err(Lost::Dropped)]);
    Ok(())
}

#[test]
fn what_a_dead_node_was_to_answer_is_told_that_the_owner_is_gone() -> io::Result<()> {
    struct Keeper {
        _owed: Cont<u32, Lost>,
    }

    let mut kernel = Kernel::simulated(1);
    let trace = Trace::new();
    // Once in the node's state, once in a handler bound to the node, once in a timer's.
    let keeper = kernel.node(Keeper { _owed: noting(&kernel, &trace) });
    let owed = noting(&kernel, &trace);
    let bound = keeper.cx().on_ok(owed, |_, _, n: u32, owed| owed.ok(n));
    let owed = noting(&kernel, &trace);
    keeper.cx().schedule(|_, _| owed.ok(3));
    drop(keeper);
    bound.ok(2);
    kernel.run()?;
    assert_eq!(trace.all(), [Err(Lost::OwnerGone); 3]);
    Ok(())
}

#[test]
fn a_node_dropped_by_its_own_handler_dies_when_the_handler_returns() -> io::Result<()> {
    struct Mortal {
        own: Rc<Cell<Option<peers_kernel::Node<Self>>>>,
        last_words: Trace<&'static str>,
    }

    impl Mortal {
        fn end(&mut self, _: &Cx<Self>) {
            drop(self.own.take());
            self.last_words.add("still here");
        }
    }

    impl Drop for Mortal {
        fn drop(&mut self) {
            self.last_words.add("gone")
        }
    }

    let mut kernel = Kernel::simulated(1);
    let (own, trace) = (Rc::new(Cell::new(None)), Trace::new());
    let node = kernel.node(Mortal { own: own.clone(), last_words: trace.clone() });
    let cx = node.cx();
    own.set(Some(node));
    cx.schedule(Mortal::end);
    cx.schedule(|mortal, _| mortal.last_words.add("never"));
    kernel.run()?;
    assert_eq!(trace.all(), ["still here", "gone"]);
    Ok(())
}

#[test]
fn cancelling_a_timer_tells_whom_its_task_was_to_answer() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    let trace = Trace::new();
    let owed = noting(&kernel, &trace);
    let timer = kernel.handle().after(std::time::Duration::from_secs(1), || owed.ok(1));
    assert!(kernel.handle().cancel(timer));
    kernel.run()?;
    assert_eq!(trace.all(), [Err(Lost::Dropped)]);
    Ok(())
}

#[test]
fn the_end_of_the_kernel_drops_everything_and_later_calls_are_harmless() {
    let alive = Rc::new(());
    let kernel = Kernel::simulated(1);
    let (handle, node) = (kernel.handle(), kernel.node(alive.clone()));
    let hold = || {
        let alive = alive.clone();
        move || drop(alive)
    };
    handle.schedule(hold());
    handle.after(std::time::Duration::from_secs(1), hold());
    let (held, at_the_end) = (hold(), handle.clone());
    let late = Cont::new(&handle, move |_: Outcome| held());
    handle.schedule(move || at_the_end.schedule(hold_nothing));
    drop(kernel);
    assert_eq!(Rc::strong_count(&alive), 3, "the test, the node, and a continuation in our hands");

    late.ok(1);
    handle.schedule(hold());
    let timer = handle.at(handle.now(), hold());
    assert!(!handle.cancel(timer));
    node.cx().schedule(|_, _| unreachable!("nothing runs any more"));
    drop(Cont::new(&handle, |_: Outcome| unreachable!("nothing runs any more")));
    drop(node);
    assert_eq!(Rc::strong_count(&alive), 1);
}

fn hold_nothing() {}

/// Says what a test does with a continuation.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Ok,
    Err,
    Drop,
    Park,
    Wrap,
    Panic,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = [Deed::Ok, Deed::Err, Deed::Drop, Deed::Park, Deed::Wrap, Deed::Panic];
    prop::collection::vec(prop::sample::select(deed.to_vec()), 1..40)
}

struct Player {
    parked: Vec<Cont<u32, Lost>>,
}

impl Player {
    fn play(&mut self, cx: &Cx<Self>, deeds: &[Deed], k: Cont<u32, Lost>) {
        let Some((deed, rest)) = deeds.split_first() else { return };
        match deed {
            Deed::Ok => k.ok(1),
            Deed::Err => k.err(Lost::Dropped),
            Deed::Drop => drop(k),
            Deed::Park => self.parked.push(k),
            Deed::Wrap => {
                let wrapped =
                    cx.on(k, |_, _, n: u32, k| k.ok(n), |_, _, lost: Lost, k| k.err(lost));
                self.play(cx, rest, wrapped)
            }
            Deed::Panic => {
                std::panic::set_hook(Box::new(|_| {}));
                panic!("as told")
            }
        }
    }
}

proptest! {
    /// Whatever handlers do with continuations, each one ends once.
    #[test]
    fn whatever_is_done_each_continuation_ends_once(deeds in deeds()) {
        let mut kernel = Kernel::simulated(1);
        kernel.set_strict(false);
        let ended = Rc::new(Cell::new(0));
        let player = kernel.node(Player { parked: Vec::new() });
        for start in 0..deeds.len() {
            let (deeds, ended) = (deeds[start..].to_vec(), ended.clone());
            let k = Cont::new(&kernel.handle(), move |_: Outcome| ended.set(ended.get() + 1));
            player.cx().schedule(move |player, cx| player.play(cx, &deeds, k));
        }
        kernel.run().unwrap();
        drop(player);
        kernel.run().unwrap();
        prop_assert_eq!(ended.get(), deeds.len());
        prop_assert_eq!(kernel.handle().dump().continuations(), 0);
    }
}

// ---- handing on

#[test]
fn hand_to_reports_the_end_at_each_depth_of_nesting() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    let trace = Trace::new();
    let (outer, inner) = (noting(&kernel, &trace), noting(&kernel, &trace));
    let mut inner_ended = None;
    // The inner one ends the outer one, whose place is another's at once.
    let mut successors = Vec::new();
    let outer_ended = outer.hand_to(|outer| {
        let ended = inner.hand_to(|inner| {
            outer.ok(1);
            successors.extend([noting(&kernel, &trace), noting(&kernel, &trace)]);
            successors.push(inner);
        });
        inner_ended = Some(ended);
    });
    assert_eq!((outer_ended, inner_ended), (true, Some(false)));
    // Both end, the inner one first, or neither does.
    let (outer, inner) = (noting(&kernel, &trace), noting(&kernel, &trace));
    assert!(outer.hand_to(|outer| {
        assert!(inner.hand_to(|inner| inner.ok(2)));
        outer.ok(3);
    }));
    let (outer, inner) = (noting(&kernel, &trace), noting(&kernel, &trace));
    assert!(!outer.hand_to(|outer| {
        assert!(!inner.hand_to(|inner| successors.push(inner)));
        successors.push(outer);
    }));
    successors.into_iter().for_each(|k| k.ok(9));
    kernel.run()?;
    assert_eq!(trace.all(), [1, 2, 3, 9, 9, 9, 9, 9].map(Ok));
    Ok(())
}

#[test]
fn a_panic_in_an_inner_hand_to_leaves_the_outer_watched() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    let trace = Trace::new();
    for ends in [false, true] {
        let (outer, inner) = (noting(&kernel, &trace), noting(&kernel, &trace));
        let mut kept = None;
        let ended = outer.hand_to(|outer| {
            let within = AssertUnwindSafe(|| inner.hand_to(|_lost| panic!("within")));
            assert!(catch_unwind(within).is_err());
            if ends { outer.ok(1) } else { kept = Some(outer) }
        });
        assert_eq!(ended, ends);
        kept.into_iter().for_each(|k| k.ok(2));
    }
    kernel.run()?;
    let lost = Err(Lost::Panicked);
    assert_eq!(trace.all(), [lost, Ok(2), lost, Ok(1)]);
    Ok(())
}
