//! Promise: a signal is an event like any other; it wakes the loop, is heard as often as it came
//! apart, and by everybody.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{run_until, strict_kernel};
use peers_kernel::{Kernel, Signal, Signals};
use rustix::process::{Signal as Raw, getpid, kill_process};
use std::cell::RefCell;
use std::io::ErrorKind;
use std::rc::Rc;

fn raise(signal: Raw) {
    kill_process(getpid(), signal).unwrap()
}

fn noting(kernel: &Kernel, which: &[Signal]) -> (Signals, Rc<RefCell<Vec<Signal>>>) {
    let heard = Rc::new(RefCell::new(Vec::new()));
    let note = heard.clone();
    let signals =
        kernel.handle().signals(which, move |signal| note.borrow_mut().push(signal)).unwrap();
    (signals, heard)
}

// Signals go to the whole process, so each test has its own.

#[test]
fn a_second_signal_is_heard_as_well() {
    let mut kernel = strict_kernel();
    let (_signals, heard) = noting(&kernel, &[Signal::Interrupt, Signal::Terminate]);
    raise(Raw::INT);
    run_until(&mut kernel, "the first signal", || heard.borrow().len() == 1);
    raise(Raw::TERM);
    run_until(&mut kernel, "the second signal", || heard.borrow().len() == 2);
    assert_eq!(*heard.borrow(), [Signal::Interrupt, Signal::Terminate]);
}

#[test]
fn a_signal_wakes_a_loop_that_waits() {
    let mut kernel = strict_kernel();
    let handle = kernel.handle();
    let signals = kernel.handle().signals(&[Signal::Hangup], move |_| handle.stop()).unwrap();
    let raiser = std::thread::spawn(|| raise(Raw::HUP));
    kernel.run().unwrap(); // would wait for ever
    raiser.join().unwrap();
    drop(signals);
    kernel.run().unwrap(); // nothing is alive
}

#[test]
fn everybody_who_listens_hears_and_nobody_else() {
    let mut kernel = strict_kernel();
    let (_first, one) = noting(&kernel, &[Signal::User1]);
    let (second, two) = noting(&kernel, &[Signal::User1]);
    raise(Raw::USR1);
    run_until(&mut kernel, "the signal", || one.borrow().len() == 1 && two.borrow().len() == 1);
    drop(second);
    raise(Raw::USR1);
    run_until(&mut kernel, "the signal", || one.borrow().len() == 2);
    assert_eq!(two.borrow().len(), 1);
}

#[test]
fn a_handler_may_drop_what_owns_it_and_may_panic() {
    let mut kernel = strict_kernel();
    kernel.set_strict(false);
    let owner: Rc<RefCell<Option<Signals>>> = Rc::default();
    let (own, count) = (owner.clone(), Rc::new(RefCell::new(0)));
    let counted = count.clone();
    let handler = move |_| {
        *counted.borrow_mut() += 1;
        match *counted.borrow() {
            1 => panic!("as told"),
            _ => drop(own.take()),
        }
    };
    *owner.borrow_mut() = Some(kernel.handle().signals(&[Signal::User2], handler).unwrap());
    for round in 1..=2 {
        raise(Raw::USR2);
        run_until(&mut kernel, "the signal", || *count.borrow() == round);
    }
    assert!(owner.borrow().is_none());
    kernel.run().unwrap();
}

#[test]
fn a_simulated_world_has_none() {
    let kernel = Kernel::simulated(1);
    let error = kernel.handle().signals(&[Signal::Quit], |_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn a_signal_prints_the_name_that_the_system_uses() {
    let names = [Signal::Interrupt, Signal::Terminate, Signal::Hangup].map(|one| one.to_string());
    assert_eq!(names, ["SIGINT", "SIGTERM", "SIGHUP"]);
}
