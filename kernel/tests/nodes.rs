//! Rules 5 and 6: only the loop enters a node, and whatever is handed around is weak.

mod support;

use peers_kernel::{Cont, Cx, Kernel, Lost, Node};
use std::io;
use std::time::Duration;
use support::{Trace, keep_log, logged};

#[derive(Default)]
struct Diary(Vec<String>);

impl Diary {
    fn found(&mut self, _: &Cx<Self>, value: u32, (key, reply): (&str, Cont<u32, Lost>)) {
        self.0.push(format!("found {value} under {key}"));
        reply.ok(value)
    }

    fn failed(&mut self, _: &Cx<Self>, lost: Lost, (key, reply): (&str, Cont<u32, Lost>)) {
        self.0.push(format!("{key} {lost}"));
        reply.err(lost)
    }
}

#[test]
fn two_handlers_share_what_they_owe_and_one_of_them_runs() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    let (diary, trace) = (kernel.node(Diary::default()), Trace::new());
    let reply = || {
        let trace = trace.clone();
        Cont::new(&kernel.handle(), move |outcome| trace.add(outcome))
    };
    let cx = diary.cx();
    let good = cx.on(("a", reply()), Diary::found, Diary::failed);
    let bad = cx.on(("b", reply()), Diary::found, Diary::failed);
    good.ok(1);
    drop(bad);
    kernel.run()?;
    diary.with(|diary| assert_eq!(diary.0, ["found 1 under a", "b dropped without an answer"]));
    assert_eq!(trace.all(), [Ok(1), Err(Lost::Dropped)]);
    Ok(())
}

#[test]
fn on_ok_passes_errors_by_and_on_err_passes_values_by() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    let (node, trace) = (kernel.node(0_u32), Trace::new());
    let reply = || {
        let trace = trace.clone();
        Cont::new(&kernel.handle(), move |outcome: Result<u32, Lost>| trace.add(outcome))
    };
    let double = |count: &mut u32, _: &Cx<u32>, n: u32, reply: Cont<u32, Lost>| {
        *count += 1;
        reply.ok(n * 2)
    };
    let forgive = |count: &mut u32, _: &Cx<u32>, _: Lost, reply: Cont<u32, Lost>| {
        *count += 1;
        reply.ok(0)
    };
    let cx = node.cx();
    cx.on_ok(reply(), double).ok(21);
    cx.on_ok(reply(), double).err(Lost::OwnerGone);
    cx.on_err(reply(), forgive).ok(5);
    cx.on_err(reply(), forgive).err(Lost::OwnerGone);
    kernel.run()?;
    let mut seen = trace.all();
    seen.sort_by_key(|outcome| outcome.unwrap_or(99));
    assert_eq!(seen, [Ok(0), Ok(5), Ok(42), Err(Lost::OwnerGone)]);
    assert_eq!(node.with(|count| *count), 2, "a handler runs only for its own kind of outcome");
    Ok(())
}

#[test]
fn everything_bound_to_a_dead_node_is_inert() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    let (node, trace) = (kernel.node(()), Trace::<&str>::new());
    let cx = node.cx();
    let note = || {
        let trace = trace.clone();
        move |(): &mut (), _: &Cx<()>| trace.add("ran")
    };
    cx.schedule(note());
    cx.after(Duration::from_secs(1), note());
    cx.at(kernel.handle().now() + Duration::from_secs(1), note());
    kernel.handle().schedule(cx.task(note()));
    drop(node);
    kernel.run()?;
    assert_eq!(trace.len(), 0);
    assert_eq!(cx.enter(|(), _| ()), Err(Lost::OwnerGone));
    Ok(())
}

#[test]
fn a_context_does_not_keep_the_state_alive_and_a_parent_may_own_children() -> io::Result<()> {
    struct Parent {
        children: Vec<Node<u32>>,
    }

    let mut kernel = Kernel::simulated(1);
    let children: Vec<_> = (0..3).map(|n| kernel.node(n)).collect();
    let contexts: Vec<_> = children.iter().map(Node::cx).collect();
    let parent = kernel.node(Parent { children });
    contexts[1].schedule(|child, _| *child += 10);
    kernel.run()?;
    let trace = Trace::new();
    let noted = trace.clone();
    parent.cx().schedule(move |parent, _| {
        let sum: u32 = parent.children.iter().map(|child| child.with(|n| *n)).sum();
        noted.add(sum);
        parent.children.clear();
    });
    kernel.run()?;
    assert_eq!(trace.all(), [13], "a handler may look into other nodes");
    assert!(contexts.iter().all(|cx| cx.enter(|_, _| ()) == Err(Lost::OwnerGone)));
    Ok(())
}

#[test]
fn contexts_compare_by_node() {
    let kernel = Kernel::simulated(1);
    let (one, other) = (kernel.node(()), kernel.node(()));
    assert_eq!(one.cx(), one.cx().clone());
    assert_ne!(one.cx(), other.cx());
    assert_eq!(format!("{:?}", one.cx()), "Cx<()>");
}

#[test]
fn state_is_reachable_from_outside_between_turns() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    let node = kernel.node(Vec::new());
    node.cx().enter(|list, _| list.push(1)).expect("it may be entered outside of a turn");
    node.cx().schedule(|list, _| list.push(2));
    assert_eq!(node.with(Vec::len), 1);
    kernel.run()?;
    assert_eq!(node.with(Vec::clone), [1, 2]);
    Ok(())
}

#[test]
#[cfg_attr(debug_assertions, should_panic(expected = "Cx::enter inside a node's handler"))]
fn entering_from_inside_a_node_is_refused() {
    let kernel = Kernel::simulated(1);
    let (outer, inner) = (kernel.node(()), kernel.node(0));
    let cx = inner.cx();
    let refused = outer.cx().enter(|(), _| {
        let refused =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| cx.enter(|n, _| *n += 1)));
        refused.unwrap_or_else(|payload| panic_again(&payload))
    });
    if refused == Err(Lost::Panicked) {
        panic!("Cx::enter inside a node's handler: debug builds stop there");
    }
    assert_eq!(refused, Ok(Err(Lost::Dropped)));
    assert_eq!(inner.with(|n| *n), 0);
}

#[test]
fn a_task_called_inside_a_node_leaves_it_inside() {
    keep_log();
    let mut kernel = Kernel::simulated(1);
    kernel.set_strict(false);
    let (outer, inner) = (kernel.node(0), kernel.node(0));
    let cx = inner.cx();
    let line = line!() + 1;
    outer.cx().schedule(move |_, own| {
        cx.task(|n, _| *n += 1)();
        // Still inside: whether this is refused or stops at an assertion, it does not run.
        assert_eq!(own.enter(|_, _| ()), Err(Lost::Dropped));
    });
    kernel.run().unwrap();
    assert_eq!(inner.with(|n| *n), 1);
    if cfg!(debug_assertions) {
        assert_eq!(logged(&format!("{}:{line}:", file!())).len(), 1);
    }
}

fn panic_again<T>(payload: &Box<dyn std::any::Any + Send>) -> T {
    let text = payload.downcast_ref::<&str>().copied().unwrap_or_default();
    panic!("{text}")
}
