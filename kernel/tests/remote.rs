//! Other threads: what they post runs on the loop, in order, and keeps nothing waiting for ever.

mod support;

use peers_kernel::{Handle, INBOX, Kernel, PostError, Remote, Wait, spawn_loop};
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use support::{keep_log, logged};

thread_local! {
    static SEEN: RefCell<Vec<(usize, u32)>> = const { RefCell::new(Vec::new()) };
}

#[test]
fn tasks_of_one_thread_run_in_the_order_posted() -> io::Result<()> {
    let mut kernel = Kernel::new()?;
    let threads: Vec<_> = (0..4)
        .map(|who| {
            let remote = kernel.remote();
            thread::spawn(move || {
                for n in 0..1000 {
                    remote.post(move |_| SEEN.with_borrow_mut(|seen| seen.push((who, n)))).unwrap();
                }
            })
        })
        .collect();
    kernel.run()?;
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let seen = SEEN.take();
    for who in 0..4 {
        let mine: Vec<_> = seen.iter().filter(|(by, _)| *by == who).map(|(_, n)| *n).collect();
        assert_eq!(mine, (0..1000).collect::<Vec<_>>());
    }
    Ok(())
}

#[test]
fn a_remote_keeps_the_loop_alive_and_the_last_one_to_go_ends_it() -> io::Result<()> {
    let mut kernel = Kernel::new()?;
    assert!(!kernel.turn(Wait::No)?);
    let remote = kernel.remote();
    let other = remote.clone();
    drop(remote);
    assert!(kernel.turn(Wait::No)?);
    let (waiting, wait) = mpsc::channel();
    let ender = thread::spawn(move || {
        wait.recv().unwrap();
        drop(other);
    });
    kernel.handle().schedule(move || waiting.send(()).unwrap());
    kernel.run()?;
    ender.join().unwrap();
    Ok(())
}

#[test]
fn a_full_inbox_refuses_and_an_ended_loop_says_so() -> io::Result<()> {
    let mut kernel = Kernel::new()?;
    let remote = kernel.remote();
    for _ in 0..INBOX {
        remote.post(|_| ()).unwrap();
    }
    assert_eq!(remote.post(|_| ()), Err(PostError::Full));
    kernel.turn(Wait::No)?;
    assert_eq!(remote.post(|_| ()), Ok(()), "a turn has made room");
    drop(kernel);
    assert_eq!(remote.post(|_| ()), Err(PostError::LoopGone));
    assert_eq!(io::Error::from(PostError::LoopGone).kind(), io::ErrorKind::BrokenPipe);
    Ok(())
}

#[test]
fn what_is_posted_and_never_runs_is_dropped() -> io::Result<()> {
    let kernel = Kernel::new()?;
    let (remote, (tell, told)) = (kernel.remote(), mpsc::channel::<()>());
    remote.post(move |_| drop(tell)).unwrap();
    drop(kernel);
    assert!(told.recv().is_err());
    Ok(())
}

#[test]
fn a_remote_knows_the_loops_thread_and_its_clock() -> io::Result<()> {
    let kernel = Kernel::new()?;
    let (remote, before) = (kernel.remote(), kernel.handle().now());
    assert!(remote.is_loop_thread());
    assert!(remote.now() >= before);
    let elsewhere = thread::spawn(move || (remote.is_loop_thread(), remote.now()));
    let (is_loop, now) = elsewhere.join().unwrap();
    assert!(!is_loop && now >= before);
    Ok(())
}

#[test]
fn a_simulated_kernel_has_no_other_threads() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    let remote = kernel.remote();
    assert_eq!(remote.post(|_| ()), Err(PostError::Unsupported));
    assert_eq!(io::Error::from(PostError::Unsupported).kind(), io::ErrorKind::Unsupported);
    kernel.run()
}

/// Answers on a channel when it is dropped.
struct Farewell(mpsc::Sender<bool>, Remote);

impl Drop for Farewell {
    fn drop(&mut self) {
        self.0.send(self.1.is_loop_thread()).expect("the test waits");
    }
}

#[test]
fn a_loop_thread_keeps_what_start_returns_and_drops_it_there() -> io::Result<()> {
    let (tell, told) = mpsc::channel();
    let (answer, answered) = mpsc::channel();
    let thread = spawn_loop(move |kernel| Rc::new(Farewell(tell, kernel.remote())))?;
    assert!(told.try_recv().is_err());
    for n in 0..1000 {
        let answer = answer.clone();
        thread.remote().post(move |_| answer.send(n).unwrap()).unwrap();
    }
    drop(thread);
    assert_eq!(told.recv(), Ok(true), "on the loop's thread");
    drop(answer);
    assert_eq!(
        answered.iter().collect::<Vec<_>>(),
        (0..1000).collect::<Vec<_>>(),
        "what was posted still ran"
    );
    Ok(())
}

#[test]
fn a_loop_thread_ends_by_stop_as_well() -> io::Result<()> {
    let thread = spawn_loop(|_| ())?;
    let remote = thread.remote();
    let (tell, told) = mpsc::channel::<()>();
    remote
        .post(move |handle: &Handle| {
            handle.stop();
            drop(tell);
        })
        .unwrap();
    assert!(told.recv().is_err());
    drop(thread);
    assert_eq!(remote.post(|_| ()), Err(PostError::LoopGone));
    Ok(())
}

#[test]
fn a_loop_thread_dropped_by_its_own_loop_does_not_wait_for_itself() -> io::Result<()> {
    let (tell, told) = mpsc::channel::<()>();
    let thread = spawn_loop(move |_| tell)?;
    let remote = thread.remote();
    remote.post(move |_| drop(thread)).unwrap();
    assert!(told.recv().is_err());
    Ok(())
}

#[test]
fn a_start_that_panics_is_an_error() {
    keep_log();
    let started = spawn_loop(|_| -> () { panic!("no start today") });
    assert!(started.is_err());
    assert_eq!(logged("no start today").len(), 1);
}

#[test]
fn posts_that_came_in_time_run_before_due_timers() -> io::Result<()> {
    let mut kernel = Kernel::new()?;
    let (handle, remote) = (kernel.handle(), kernel.remote());
    let came = Rc::new(RefCell::new(Vec::new()));
    let (rings, clock, late) = (came.clone(), handle.clone(), came.clone());
    thread_local! {
        static POSTED: RefCell<Option<Rc<RefCell<Vec<&'static str>>>>> = const { RefCell::new(None) };
    }
    POSTED.set(Some(late));
    handle.schedule(move || {
        let due = clock.clock() + Duration::from_millis(20);
        clock.at(due, move || rings.borrow_mut().push("the timer"));
        let poster = thread::spawn(move || {
            let note = |_: &Handle| {
                let place = POSTED.take().unwrap();
                place.borrow_mut().push("what was posted");
            };
            remote.post(note).unwrap();
        });
        poster.join().unwrap();
        // The loop looks up from its work when both are there.
        while clock.clock() <= due + Duration::from_millis(20) {
            thread::yield_now();
        }
    });
    kernel.run()?;
    assert_eq!(*came.borrow(), ["what was posted", "the timer"]);
    Ok(())
}
