//! Promise: a turn takes so much from outside and no more: from other threads as many tasks as the
//! budget says, from a listener as many connections as it may accept. The rest comes in the next
//! turns. And what is used up is given back.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{any_port, run_until, socket_addr, strict_kernel};
use peers_kernel::{Budget, Cause, INBOX, PostError, Stream, Wait};
use std::cell::{Cell, RefCell};
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

fn budget(tasks: u32) -> Budget {
    Budget { tasks, time: Duration::MAX }
}

#[test]
fn a_turn_takes_as_many_tasks_of_other_threads_as_its_budget_says() {
    for posted in [9, 10, 11, 25] {
        let mut kernel = strict_kernel();
        kernel.set_budget(budget(10));
        let ran = Arc::new(AtomicU32::new(0));
        for _ in 0..posted {
            let ran = ran.clone();
            kernel
                .remote()
                .post(move |_| {
                    ran.fetch_add(1, Ordering::Relaxed);
                })
                .unwrap();
        }
        let mut seen = Vec::new();
        while seen.last() != Some(&posted) {
            kernel.turn(Wait::No).unwrap();
            seen.push(ran.load(Ordering::Relaxed));
        }
        let expected: Vec<u32> =
            (0..).map(|turn| (10 * turn).min(posted)).take(seen.len()).collect();
        assert_eq!(seen, expected, "of {posted}");
    }
}

#[test]
fn an_inbox_holds_so_many_tasks_and_not_one_more() {
    let mut kernel = strict_kernel();
    let remote = kernel.remote();
    for _ in 0..INBOX {
        remote.post(|_| ()).unwrap();
    }
    assert_eq!(remote.post(|_| ()), Err(PostError::Full));
    remote.post_always(|_| ()).unwrap();
    kernel.turn(Wait::No).unwrap();
    assert_eq!(remote.post(|_| ()), Ok(()), "there is room again");
    while kernel.handle().dump().queued() > 0 || remote.post(|_| ()).is_err() {
        kernel.turn(Wait::No).unwrap();
    }
}

/// Invariant 3 of listeners: 64 in a turn.
#[test]
fn a_turn_accepts_so_many_connections_and_no_more() {
    const PER_TURN: usize = 64;
    for dialled in [PER_TURN, PER_TURN + 1, 4 * PER_TURN] {
        let mut kernel = strict_kernel();
        let streams = Rc::new(RefCell::new(Vec::<Stream>::new()));
        let keep = streams.clone();
        let listener =
            kernel.handle().listen(&any_port(), move |stream| keep.borrow_mut().push(stream));
        let address = socket_addr(listener.as_ref().unwrap().address());
        let peers: Vec<_> = (0..dialled).map(|_| TcpStream::connect(address).unwrap()).collect();
        let (before, most) = (Cell::new(0), Cell::new(0));
        run_until(&mut kernel, "all connections", || {
            let now = streams.borrow().len();
            most.set(most.get().max(now - before.replace(now)));
            now == dialled
        });
        assert!(most.get() <= PER_TURN, "{} of {dialled}", most.get());
        drop((peers, listener));
    }
}

#[test]
fn a_million_timers_set_and_cancelled_leave_nothing() {
    let mut kernel = peers_kernel::Kernel::simulated(1);
    let handle = kernel.handle();
    let fired = Rc::new(Cell::new(0));
    for n in 0..1_000_000_u64 {
        let count = fired.clone();
        let timer = handle.after(Duration::from_secs(n % 100), move || count.set(count.get() + 1));
        assert!(handle.cancel(timer));
    }
    assert_eq!(handle.dump().timers(), 0);
    kernel.run().unwrap();
    assert_eq!(fired.get(), 0);
}

#[test]
fn a_million_posts_leave_nothing() {
    let mut kernel = strict_kernel();
    let (remote, ran) = (kernel.remote(), Arc::new(AtomicU32::new(0)));
    let mut posted = 0;
    while posted < 1_000_000 {
        let ran = ran.clone();
        match remote.post(move |_| {
            ran.fetch_add(1, Ordering::Relaxed);
        }) {
            Ok(()) => posted += 1,
            Err(_) => drop(kernel.turn(Wait::No).unwrap()),
        }
    }
    run_until(&mut kernel, "all tasks", || ran.load(Ordering::Relaxed) == 1_000_000);
    assert_eq!((Arc::strong_count(&ran), kernel.handle().dump().queued()), (1, 0));
}

#[test]
fn ten_thousand_listeners_and_sources_leave_nothing() {
    let mut kernel = peers_kernel::Kernel::simulated(1);
    let handle = kernel.handle();
    for n in 0..10_000 {
        let listener = handle.listen(&"sim:here".parse().unwrap(), |_| ()).unwrap();
        if n % 100 == 0 {
            kernel.turn(Wait::No).unwrap();
        }
        drop(listener);
    }
    assert_eq!(handle.dump().sources(), 0);
}

#[test]
fn a_million_tasks_leave_nothing() {
    let mut kernel = peers_kernel::Kernel::simulated(1);
    let handle = kernel.handle();
    let ran = Rc::new(Cell::new(0));
    for _ in 0..100 {
        for _ in 0..10_000 {
            let ran = ran.clone();
            handle.schedule(move || ran.set(ran.get() + 1));
        }
        kernel.run().unwrap();
    }
    assert_eq!((ran.get(), Rc::strong_count(&ran), handle.dump().queued()), (1_000_000, 1, 0));
}

/// Each of them has a timer, and every other one is cancelled before that fires.
#[test]
fn a_million_causes_leave_nothing() {
    let mut kernel = peers_kernel::Kernel::simulated(1);
    let handle = kernel.handle();
    let fired = Rc::new(Cell::new(0));
    for batch in 0..100 {
        for n in 0..10_000 {
            let (cause, fired) = (Cause::from_parts(n, batch + 1), fired.clone());
            let soon = Duration::from_millis(1);
            let task = move || fired.set(fired.get() + 1);
            handle.with_cause(cause, || {
                let _timer = handle.after(soon, task);
            });
            if n % 2 == 0 {
                handle.cancel_cause(cause);
            }
            handle.forget_cause(cause);
        }
        kernel.run().unwrap();
        assert_eq!(handle.dump().timers(), 0, "batch {batch}");
    }
    assert_eq!((fired.get(), Rc::strong_count(&fired)), (500_000, 1));
}

/// As many as there are, from several threads at once: each runs once, and those of one thread in
/// its order.
#[test]
fn a_hundred_thousand_posts_of_several_threads_at_once_run_once_and_in_order() {
    const EACH: u32 = 25_000;
    let mut kernel = strict_kernel();
    let (seen, done) = (Arc::new(Mutex::new(vec![0; 4])), Arc::new(AtomicU32::new(0)));
    let threads: Vec<_> = (0..4)
        .map(|of: usize| {
            let (remote, seen, done) = (kernel.remote(), seen.clone(), done.clone());
            thread::spawn(move || {
                for n in 0..EACH {
                    let (seen, done) = (seen.clone(), done.clone());
                    let task = move |_: &peers_kernel::Handle| {
                        let before = std::mem::replace(&mut seen.lock().unwrap()[of], n + 1);
                        assert_eq!(before, n, "of thread {of}");
                        done.fetch_add(1, Ordering::Relaxed);
                    };
                    remote.post_always(task).unwrap();
                }
            })
        })
        .collect();
    run_until(&mut kernel, "all tasks", || done.load(Ordering::Relaxed) == 4 * EACH);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(*seen.lock().unwrap(), [EACH; 4]);
    assert_eq!((Arc::strong_count(&seen), kernel.handle().dump().queued()), (1, 0));
}
