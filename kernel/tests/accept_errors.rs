//! Promise: a listener survives running out of descriptors and connections that die in its queue,
//! without spinning.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{any_port, run_until, socket_addr, strict_kernel};
use peers_kernel::{Address, Stream, Wait};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::cell::RefCell;
use std::net::TcpStream;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

/// Set for the child process that lowers its own limits.
const IN_CHILD: &str = "PEERS_KERNEL_TEST_WITHOUT_DESCRIPTORS";

/// Runs the named test again in a process of its own; true in that process.
fn in_a_process_of_its_own(test: &str) -> bool {
    if std::env::var_os(IN_CHILD).is_some() {
        return true;
    }
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(IN_CHILD, "1")
        .status()
        .unwrap();
    assert!(status.success(), "in the child process: {status}");
    false
}

#[test]
fn without_descriptors_accepting_rests_and_comes_back() {
    if !in_a_process_of_its_own("without_descriptors_accepting_rests_and_comes_back") {
        return;
    }
    let mut kernel = strict_kernel();
    let accepted = Rc::new(RefCell::new(Vec::new()));
    let (keep, handle) = (accepted.clone(), kernel.handle());
    let accept = move |stream: Stream| keep.borrow_mut().push((handle.now(), stream));
    let listener = kernel.handle().listen(&any_port(), accept).unwrap();
    let address = socket_addr(listener.address());
    let peers: Vec<_> = (0..4).map(|_| TcpStream::connect(address).unwrap()).collect();
    let unlimited = leave_no_descriptors();

    let began = kernel.handle().now();
    let mut turns = 0;
    while kernel.handle().now() - began < Duration::from_millis(700) {
        let soon = began + Duration::from_millis(700);
        kernel.turn(Wait::Until(soon)).unwrap();
        turns += 1;
    }
    // 5, 10, 20 .. 640 ms: a handful of attempts of about two turns each. A listener that spins
    // makes many thousands.
    assert!(turns < 40, "{turns} turns without descriptors");
    assert!(accepted.borrow().is_empty());

    setrlimit(Resource::Nofile, unlimited).unwrap();
    run_until(&mut kernel, "the connections", || accepted.borrow().len() == peers.len());
}

/// Lowers the limit to what is open already, and returns what it was.
fn leave_no_descriptors() -> Rlimit {
    let before = getrlimit(Resource::Nofile);
    // The lowest free number is the first that the limit must forbid.
    let probe = std::fs::File::open("/dev/null").unwrap();
    let lowest = std::os::fd::AsRawFd::as_raw_fd(&probe) as u64;
    drop(probe);
    setrlimit(Resource::Nofile, Rlimit { current: Some(lowest), maximum: before.maximum }).unwrap();
    assert!(std::fs::File::open("/dev/null").is_err());
    before
}

#[test]
fn connections_that_die_in_the_queue_do_no_harm() {
    let mut kernel = strict_kernel();
    let met: Rc<RefCell<Vec<Address>>> = Rc::default();
    let meet = met.clone();
    let accept = move |stream: Stream| {
        meet.borrow_mut().extend(stream.peer());
        stream.start(|_, _| ());
    };
    let listener = kernel.handle().listen(&any_port(), accept).unwrap();
    let address = socket_addr(listener.address());
    for _ in 0..50 {
        for _ in 0..100 {
            let peer = TcpStream::connect(address).unwrap();
            socket2::SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
        }
        kernel.turn(Wait::No).unwrap();
    }
    // Five thousand resets later, an honest one is served.
    let honest = TcpStream::connect(address).unwrap();
    let its_address = honest.local_addr().unwrap().into();
    run_until(&mut kernel, "the honest one", || met.borrow().contains(&its_address));
}
