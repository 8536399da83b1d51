//! Promise: the end of a kernel is the end of everything it had, whoever still points to whom, and
//! whatever that does when it is dropped.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Heard, any_port, dialled, echo_server, run_until, socket_addr, strict_kernel};
use peers_kernel::{Address, Cont, Handle, Kernel, Lost, Signal, Stream};
use std::cell::RefCell;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;

/// A place for what owns the very handler that holds this.
type Knot<T> = Rc<RefCell<Option<T>>>;

fn knot<T>() -> (Knot<T>, Knot<T>) {
    let place = Knot::default();
    (place.clone(), place)
}

#[test]
fn a_source_ends_though_its_task_owns_it() {
    let kernel = strict_kernel();
    let (reader, mut writer) = std::io::pipe().unwrap();
    let source = Rc::new(kernel.handle().source(reader).unwrap());
    let own = source.clone();
    source.readable(move || drop(own)).unwrap();
    drop(source);
    drop(kernel);
    assert_eq!(writer.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn a_listener_ends_though_its_handler_owns_it() {
    let kernel = strict_kernel();
    let (place, own) = knot();
    let accept = move |_: Stream| drop(own.take());
    let listener = kernel.handle().listen(&any_port(), accept).unwrap();
    let at = socket_addr(listener.address());
    *place.borrow_mut() = Some(listener);
    drop(place);
    drop(kernel);
    assert_eq!(TcpStream::connect(at).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn signals_end_though_their_handler_owns_them() {
    let kernel = strict_kernel();
    let (place, own) = knot();
    let witness = Rc::new(());
    let seen = witness.clone();
    let hear = move |_| drop((own.take(), seen.clone()));
    *place.borrow_mut() = Some(kernel.handle().signals(&[Signal::User1], hear).unwrap());
    drop(place);
    drop(kernel);
    assert_eq!(Rc::strong_count(&witness), 1);
}

#[test]
fn a_stream_dropped_after_its_kernel_is_closed_though_handles_live() {
    let mut kernel = strict_kernel();
    let handle = kernel.handle();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = dialled(&mut kernel, &listener.local_addr().unwrap().into()).unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    drop(kernel);
    drop(stream);
    peer.set_read_timeout(Some(common::DEADLINE)).unwrap();
    assert_eq!(peer.read(&mut [0]).unwrap(), 0);
    drop(handle);
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("dropped")
    }
}

#[test]
fn any_number_of_streams_may_panic_when_they_are_dropped() {
    let mut kernel = strict_kernel();
    kernel.set_strict(false);
    let server = echo_server(&kernel.handle(), &any_port());
    for _ in 0..3 {
        let bomb = Bomb;
        dialled(&mut kernel, server.address()).unwrap().start(move |_, _| {
            let _owned = &bomb;
        });
    }
    let handle = kernel.handle();
    drop(kernel);
    assert_eq!(handle.dump().sources(), 0);
}

#[test]
fn what_waits_for_a_broken_connection_may_panic_when_it_is_dropped() {
    let mut kernel = strict_kernel();
    kernel.set_strict(false);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = dialled(&mut kernel, &listener.local_addr().unwrap().into()).unwrap();
    let (peer, _) = listener.accept().unwrap();
    let heard = Heard::default();
    let ours = heard.listen_to(stream);
    // Nobody reads, so it is writing at the end of a turn that finds out.
    ours.pause();
    socket2::SockRef::from(&peer).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    drop(peer);
    ours.write(b"into the void").unwrap();
    let bomb = Bomb;
    ours.on_drained(move || drop(bomb));
    run_until(&mut kernel, "the failure", || heard.is_over());
    assert!(heard.failed.borrow().is_some());
}

#[test]
fn what_is_asked_of_an_ended_kernel_says_so() {
    let kernel = strict_kernel();
    let handle: Handle = kernel.handle();
    drop(kernel);
    let (reader, _writer) = std::io::pipe().unwrap();
    let errors = [
        handle.source(reader).unwrap_err(),
        handle.signals(&[Signal::User2], |_| ()).unwrap_err(),
        handle.listen(&any_port(), |_| ()).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::NotConnected, "{error}");
        assert!(error.to_string().contains("the kernel has ended"), "{error}");
    }
    let unheard =
        Cont::new(&handle, |_: Result<Stream, std::io::Error>| panic!("nobody runs this"));
    handle.connect(&"inet:example.org:1".parse::<Address>().unwrap(), unheard);
}

#[test]
fn a_conversion_that_panics_costs_an_answer_and_not_the_one_who_waits() {
    struct Unspeakable;
    impl From<Unspeakable> for Lost {
        fn from(_: Unspeakable) -> Self {
            panic!("no words for it")
        }
    }
    let mut kernel = Kernel::simulated(1);
    kernel.set_strict(false);
    let heard = Rc::new(RefCell::new(None));
    let slot = heard.clone();
    let k = Cont::new(&kernel.handle(), move |result: Result<(), Lost>| {
        *slot.borrow_mut() = Some(result)
    });
    kernel.handle().schedule(move || k.err(Unspeakable));
    kernel.run().unwrap();
    assert_eq!(*heard.borrow(), Some(Err(Lost::Panicked)));
    assert_eq!(kernel.handle().dump().continuations(), 0);
}

#[test]
fn work_whose_late_result_panics_when_dropped_does_not_end_the_loop() {
    let mut kernel = strict_kernel();
    kernel.set_strict(false);
    let handle = kernel.handle();
    let heard = Heard::default();
    let ended = heard.ended.clone();
    let first: Cont<Vec<Bomb>, std::io::Error> = Cont::new(&handle, move |_| ended.set(true));
    let all = peers_kernel::Collect::first_error(first);
    let (failed, late) = (all.branch(), all.branch());
    failed.err(ErrorKind::Other);
    handle.offload(|_| Ok(Bomb), late);
    drop(all);
    kernel.run().unwrap();
    assert!(heard.ended.get());
}
