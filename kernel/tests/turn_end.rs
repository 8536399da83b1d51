//! What is to be done once for all tasks of a turn is done when the last of them has run, and
//! before streams write.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use peers_kernel::{Kernel, TurnEnd, Wait};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

type Log = Rc<RefCell<Vec<String>>>;

/// Writes its name down, and does a little more.
struct Ending {
    name: &'static str,
    log: Log,
    then: Cell<Option<Box<dyn FnOnce()>>>,
}

impl Ending {
    fn new(name: &'static str, log: &Log) -> Rc<Self> {
        Rc::new(Self { name, log: log.clone(), then: Cell::new(None) })
    }

    fn then(self: &Rc<Self>, then: impl FnOnce() + 'static) -> Rc<Self> {
        self.then.set(Some(Box::new(then)));
        self.clone()
    }
}

impl TurnEnd for Ending {
    fn turn_ends(self: Rc<Self>) {
        self.log.borrow_mut().push(self.name.to_owned());
        if let Some(then) = self.then.take() {
            then();
        }
    }
}

fn note(log: &Log, what: &'static str) -> impl FnOnce() + 'static + use<> {
    let log = log.clone();
    move || log.borrow_mut().push(what.to_owned())
}

fn turn(kernel: &mut Kernel, log: &Log) -> String {
    kernel.turn(Wait::No).unwrap();
    log.take().join(" ")
}

#[test]
fn endings_come_after_all_tasks_of_the_turn_in_the_order_they_were_asked_for() {
    let (mut kernel, log) = (Kernel::simulated(1), Log::default());
    let handle = kernel.handle();
    let (first, second) = (Ending::new("first", &log), Ending::new("second", &log));
    let (at_end, last) = (handle.clone(), note(&log, "task"));
    handle.schedule(move || {
        at_end.at_turn_end(first);
        at_end.at_turn_end(second);
        at_end.schedule(last);
    });
    assert_eq!(turn(&mut kernel, &log), "task first second");
    assert_eq!(turn(&mut kernel, &log), "", "once");
}

#[test]
fn what_an_ending_schedules_or_asks_for_belongs_to_the_next_turn() {
    let (mut kernel, log) = (Kernel::simulated(1), Log::default());
    let handle = kernel.handle();
    let (again, task) = (handle.clone(), note(&log, "task"));
    let later = Ending::new("later", &log);
    handle.at_turn_end(Ending::new("now", &log).then(move || {
        again.at_turn_end(later);
        again.schedule(task);
    }));
    assert_eq!(turn(&mut kernel, &log), "now");
    assert_eq!(turn(&mut kernel, &log), "task later");
}

#[test]
fn a_waiting_turn_end_keeps_the_loop_alive() {
    let (mut kernel, log) = (Kernel::simulated(1), Log::default());
    kernel.handle().at_turn_end(Ending::new("ending", &log));
    kernel.run().unwrap();
    assert_eq!(log.take(), ["ending"]);
}

#[test]
fn a_panic_in_one_ending_spares_the_others() {
    let (mut kernel, log) = (Kernel::simulated(1), Log::default());
    kernel.set_strict(false);
    let handle = kernel.handle();
    handle.at_turn_end(Ending::new("bad", &log).then(|| panic!("on purpose")));
    handle.at_turn_end(Ending::new("good", &log));
    assert_eq!(turn(&mut kernel, &log), "bad good");
}

#[test]
fn an_ending_is_dropped_uncalled_with_its_kernel() {
    let (kernel, log) = (Kernel::simulated(1), Log::default());
    let handle = kernel.handle();
    let ending = Ending::new("never", &log);
    handle.at_turn_end(ending.clone());
    drop(kernel);
    handle.at_turn_end(ending.clone());
    assert_eq!(Rc::strong_count(&ending), 1);
    assert!(log.take().is_empty());
}
