//! Promise: dialling on the system tries all addresses of a name, and looking a name up delays
//! nothing else.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

use peers_kernel::{Address, Cont, Kernel, Lost, Overloaded, Stream};
use socket2::{Domain, Socket, Type};
use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::rc::Rc;
use std::time::Duration;

/// A listener on 127.0.0.1 whose queue is full, so that the system drops whoever dials: nothing
/// answers there.
struct Deaf {
    _listener: Socket,
    _queued: Vec<Socket>,
    port: u16,
}

impl Deaf {
    fn new() -> Self {
        let socket = || Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let listener = socket();
        listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        listener.listen(0).unwrap();
        let place = listener.local_addr().unwrap();
        let queue = |_| {
            let dialler = socket();
            dialler.set_nonblocking(true).unwrap();
            let error = dialler.connect(&place).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::INPROGRESS.raw_os_error()));
            dialler
        };
        let queued = (0..3).map(queue).collect();
        let port = place.as_socket().unwrap().port();
        Self { _listener: listener, _queued: queued, port }
    }
}

fn inet(host: &str, port: u16) -> Address {
    Address::inet(host, port)
}

/// Dials and returns the outcome.
fn dial(to: &Address, within: Duration) -> io::Result<Address> {
    let mut kernel = Kernel::new().unwrap();
    let (handle, outcome) = (kernel.handle(), Rc::new(RefCell::new(None)));
    let (ended, stop) = (outcome.clone(), handle.clone());
    let k = Cont::new(&handle, move |result: io::Result<Stream>| {
        *ended.borrow_mut() = Some(result.and_then(|stream| stream.peer()));
        stop.stop();
    });
    handle.connect_within(to, within, k);
    kernel.run().unwrap();
    outcome.take().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn an_address_where_nothing_answers_is_passed_over() {
    let deaf = Deaf::new();
    let _six = TcpListener::bind(("::1", deaf.port)).unwrap();
    let reached = dial(&inet("localhost", deaf.port), Duration::from_secs(60)).unwrap();
    assert_eq!(reached, inet("::1", deaf.port));
}

#[cfg(target_os = "linux")]
#[test]
fn the_error_names_the_address_where_nothing_answers() {
    let deaf = Deaf::new();
    let error = dial(&inet("127.0.0.1", deaf.port), Duration::from_millis(500)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let text = format!("nothing answers at 127.0.0.1:{} within 500ms", deaf.port);
    assert!(error.to_string().ends_with(&text), "{error}");
}

#[test]
fn where_nobody_listens_it_is_refused() {
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let error = dial(&inet("127.0.0.1", port), Duration::from_secs(60)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{error}");
}

#[test]
fn a_name_that_is_none_is_not_found() {
    // Longer than a name's part may be, so no resolver asks anybody else.
    let name = format!("{}.invalid", "x".repeat(64));
    let error = dial(&inet(&name, 1), Duration::from_secs(60)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(error.to_string().starts_with(&format!("cannot reach inet:{name}:1: ")), "{error}");
}

#[test]
fn look_ups_and_offloaded_work_do_not_wait_for_each_other() {
    let mut kernel = Kernel::new().unwrap();
    let handle = kernel.handle();
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Arc::new(std::sync::Mutex::new(held));
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    for _ in 0..workers {
        let held = held.clone();
        let work = move |_: &peers_kernel::Stop| -> Result<(), Failed> {
            assert!(held.lock().unwrap().recv().is_err(), "it is closed, not sent to");
            Ok(())
        };
        handle.offload(work, Cont::new(&handle, |_: Result<(), Failed>| ()));
    }
    let release = RefCell::new(Some(hold));
    let k = Cont::new(&handle, move |result: io::Result<Stream>| {
        assert!(result.is_err());
        drop(release.take()); // only now do the workers go on
    });
    handle.connect(&inet(&format!("{}.invalid", "y".repeat(64)), 1), k);
    kernel.run().unwrap();
}

#[derive(Debug)]
struct Failed;

impl From<Lost> for Failed {
    fn from(_: Lost) -> Self {
        Self
    }
}

impl From<Overloaded> for Failed {
    fn from(_: Overloaded) -> Self {
        Self
    }
}
