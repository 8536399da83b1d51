//! Promise: a listener tells where it really listens, hands out every connection, and rests and
//! ends when it is told to.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{any_port, dialled, echo_server, run_until, socket_addr, strict_kernel};
use peers_kernel::{Address, Kernel, Listener, Stream, Wait};
use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::net::TcpStream;
use std::rc::Rc;

fn counting(kernel: &Kernel) -> (Listener, Rc<Cell<usize>>) {
    let count = Rc::new(Cell::new(0));
    let counted = count.clone();
    let accept = move |_: Stream| counted.set(counted.get() + 1);
    (kernel.handle().listen(&any_port(), accept).unwrap(), count)
}

#[test]
fn the_address_keeps_its_host_as_given_and_has_the_real_port() {
    let kernel = strict_kernel();
    let listener = kernel.handle().listen(&"inet:localhost:0".parse().unwrap(), drop).unwrap();
    let Address::Inet { host, port, .. } = listener.address() else { panic!("{listener:?}") };
    assert_eq!(host, "localhost");
    assert_ne!(*port, 0);
}

#[test]
fn an_address_that_is_taken_is_an_error_that_names_it() {
    let kernel = strict_kernel();
    let (first, _) = counting(&kernel);
    let error = kernel.handle().listen(first.address(), drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&first.address().to_string()), "{error}");
}

#[test]
fn an_address_can_be_listened_on_again_at_once() {
    let mut kernel = strict_kernel();
    let server = echo_server(&kernel.handle(), &any_port());
    let address = server.address().clone();
    drop(dialled(&mut kernel, &address).unwrap());
    drop(server);
    let server = echo_server(&kernel.handle(), &address);
    drop(dialled(&mut kernel, server.address()).unwrap());
}

#[test]
fn a_crowd_is_accepted_at_most_64_a_turn() {
    let mut kernel = strict_kernel();
    let (listener, count) = counting(&kernel);
    let address = socket_addr(listener.address());
    let peers: Vec<_> = (0..200).map(|_| TcpStream::connect(address).unwrap()).collect();
    let (mut turns, mut before) = (0, 0);
    while count.get() < peers.len() {
        kernel.turn(Wait::No).unwrap();
        assert!(count.get() - before <= 64);
        before = count.get();
        turns += 1;
    }
    assert!(turns >= 4);
}

#[test]
fn rejecting_many_connections_keeps_no_descriptors() {
    let mut kernel = strict_kernel();
    let count = Rc::new(Cell::new(0));
    let counted = count.clone();
    let refuse = move |stream: Stream| {
        drop(stream);
        counted.set(counted.get() + 1);
    };
    let listener = kernel.handle().listen(&any_port(), refuse).unwrap();
    let at = socket_addr(listener.address());
    let crowd: Vec<_> = (0..100).map(|_| TcpStream::connect(at).unwrap()).collect();
    run_until(&mut kernel, "everybody", || count.get() == 100);
    assert_eq!(kernel.handle().dump().sources(), 1, "only the listener is left");
    drop(crowd);
}

#[test]
fn a_paused_listener_accepts_nobody_until_it_resumes() {
    let mut kernel = strict_kernel();
    let (listener, count) = counting(&kernel);
    listener.pause();
    let _peer = TcpStream::connect(socket_addr(listener.address())).unwrap();
    for _ in 0..10 {
        kernel.turn(Wait::No).unwrap();
    }
    assert_eq!(count.get(), 0);
    listener.resume();
    run_until(&mut kernel, "the connection", || count.get() == 1);
}

#[test]
fn a_dropped_listener_accepts_nobody_and_its_connections_live_on() {
    let mut kernel = strict_kernel();
    let server = echo_server(&kernel.handle(), &any_port());
    let address = server.address().clone();
    let heard = common::Heard::default();
    let outlet = heard.listen_to(dialled(&mut kernel, &address).unwrap());
    outlet.write(b"a").unwrap();
    run_until(&mut kernel, "the echo", || heard.len() == 1);
    drop(server);
    let error = dialled(&mut kernel, &address).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    outlet.write(b"b").unwrap();
    run_until(&mut kernel, "the echo", || heard.len() == 2);
}

#[test]
fn a_handler_may_drop_its_own_listener() {
    let mut kernel = strict_kernel();
    let owner: Rc<RefCell<Option<Listener>>> = Rc::default();
    let count = Rc::new(Cell::new(0));
    let (own, counted) = (owner.clone(), count.clone());
    let accept = move |_: Stream| {
        counted.set(counted.get() + 1);
        drop(own.take());
    };
    let listener = kernel.handle().listen(&any_port(), accept).unwrap();
    let address = socket_addr(listener.address());
    *owner.borrow_mut() = Some(listener);
    let peers: Vec<_> = (0..3).map(|_| TcpStream::connect(address).unwrap()).collect();
    run_until(&mut kernel, "the first connection", || owner.borrow().is_none());
    drop(peers);
    kernel.run().unwrap();
    assert_eq!(count.get(), 1);
}

#[test]
fn a_panicking_handler_loses_one_connection() {
    let mut kernel = strict_kernel();
    kernel.set_strict(false);
    let count = Rc::new(Cell::new(0));
    let counted = count.clone();
    let accept = move |_: Stream| {
        counted.set(counted.get() + 1);
        assert_ne!(counted.get(), 1, "as told");
    };
    let listener = kernel.handle().listen(&any_port(), accept).unwrap();
    let address = socket_addr(listener.address());
    let _peers: Vec<_> = (0..3).map(|_| TcpStream::connect(address).unwrap()).collect();
    run_until(&mut kernel, "the others", || count.get() == 3);
}
