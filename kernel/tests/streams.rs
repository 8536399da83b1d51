//! Promise: bytes written to a stream arrive in order and unchanged, and every end is heard once
//! and last.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Heard, any_port, dialled, echo_server, pair, run_until, socket_addr, strict_kernel};
use peers_kernel::{Input, Stream};
use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::time::Duration;

#[test]
fn what_is_written_comes_back() {
    let mut kernel = strict_kernel();
    let server = echo_server(&kernel.handle(), &any_port());
    let heard = Heard::default();
    let outlet = heard.listen_to(dialled(&mut kernel, server.address()).unwrap());
    outlet.write(b"Muad'").unwrap();
    outlet.write_chunk(b"Dib".to_vec()).unwrap();
    run_until(&mut kernel, "the echo", || heard.len() == 8);
    assert_eq!(heard.text(), "Muad'Dib");
}

#[test]
fn a_megabyte_arrives_unchanged_in_pieces_of_at_most_64_kib() {
    let mut kernel = strict_kernel();
    let (ours, _, _theirs, heard) = pair(&mut kernel, &any_port());
    let data: Vec<u8> =
        (0..1_u32 << 20).map(|index| (index.wrapping_mul(index) >> 7) as u8).collect();
    for piece in data.chunks(300_000) {
        ours.write_chunk(piece.to_vec()).unwrap();
    }
    run_until(&mut kernel, "a megabyte", || heard.len() == data.len());
    assert!(*heard.bytes.borrow() == data);
    assert_eq!((ours.buffered(), ours.written()), (0, data.len() as u64));
}

#[test]
fn bytes_written_before_the_stream_is_started_are_sent() {
    let mut kernel = strict_kernel();
    let server = echo_server(&kernel.handle(), &any_port());
    let stream = dialled(&mut kernel, server.address()).unwrap();
    stream.outlet().write(b"early").unwrap();
    for _ in 0..10 {
        // The echo comes meanwhile, and must wait for its listener without keeping the loop busy.
        kernel.turn(peers_kernel::Wait::No).unwrap();
    }
    let heard = Heard::default();
    heard.listen_to(stream);
    run_until(&mut kernel, "the echo", || heard.text() == "early");
}

#[test]
fn a_stream_that_is_dropped_is_closed() {
    let mut kernel = strict_kernel();
    let accepted = Rc::new(Cell::new(false));
    let seen = accepted.clone();
    let accept = move |stream: Stream| {
        seen.set(true);
        drop(stream);
    };
    let listener = kernel.handle().listen(&any_port(), accept).unwrap();
    let mut peer = TcpStream::connect(socket_addr(listener.address())).unwrap();
    run_until(&mut kernel, "the connection", || accepted.get());
    drop(listener);
    kernel.run().unwrap();
    peer.set_read_timeout(Some(common::DEADLINE)).unwrap();
    assert_eq!(peer.read(&mut [0]).unwrap(), 0, "an end in good order");

    let listener = kernel.handle().listen(&any_port(), drop).unwrap();
    let heard = Heard::default();
    heard.listen_to(dialled(&mut kernel, listener.address()).unwrap());
    run_until(&mut kernel, "the end", || heard.ended.get());
}

#[test]
fn a_connection_that_was_not_accepted_is_reset_with_its_listener() {
    let mut kernel = strict_kernel();
    let listener = kernel.handle().listen(&any_port(), drop).unwrap();
    let mut peer = TcpStream::connect(socket_addr(listener.address())).unwrap();
    drop(listener);
    kernel.run().unwrap();
    peer.set_read_timeout(Some(common::DEADLINE)).unwrap();
    let error = peer.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn the_end_is_heard_once_and_the_handler_dropped() {
    let mut kernel = strict_kernel();
    let (ours, _, _theirs, heard) = pair(&mut kernel, &any_port());
    ours.write(b"last words").unwrap();
    ours.close();
    run_until(&mut kernel, "the end", || heard.ended.get());
    assert_eq!(heard.text(), "last words");
    run_until(&mut kernel, "the handler's death", || Rc::strong_count(&heard.bytes) == 1);
}

#[test]
fn a_reset_is_heard_as_a_failure() {
    let mut kernel = strict_kernel();
    let heard = Heard::default();
    let noted = heard.clone();
    let listener = kernel
        .handle()
        .listen(&any_port(), move |stream: Stream| {
            noted.listen_to(stream);
        })
        .unwrap();
    let peer = TcpStream::connect(socket_addr(listener.address())).unwrap();
    (&peer).write_all(b"x").unwrap();
    run_until(&mut kernel, "the byte", || heard.len() == 1);
    // Closing with time zero to linger sends a reset.
    socket2::SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
    drop(peer);
    run_until(&mut kernel, "the failure", || heard.failed.borrow().is_some());
    assert_eq!(*heard.failed.borrow(), Some(ErrorKind::ConnectionReset));
}

#[test]
fn bytes_sent_before_a_peer_left_are_delivered_though_writing_fails() {
    let mut kernel = strict_kernel();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().into();
    let stream = dialled(&mut kernel, &address).unwrap();
    let (peer, _) = listener.accept().unwrap();
    (&peer).write_all(b"goodbye").unwrap();
    drop(peer);
    let heard = Heard::default();
    let outlet = heard.listen_to(stream);
    outlet.write(b"hello?").unwrap();
    run_until(&mut kernel, "the end", || heard.is_over());
    assert_eq!(heard.text(), "goodbye");
}

#[test]
fn a_refused_connection_says_whom_it_dialled() {
    let mut kernel = strict_kernel();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address: peers_kernel::Address = free.local_addr().unwrap().into();
    drop(free);
    let error = dialled(&mut kernel, &address).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert!(error.to_string().contains(&address.to_string()), "{error}");
    kernel.run().unwrap(); // nothing is left alive
}

#[test]
fn localhost_reaches_a_listener_of_the_other_family() {
    let mut kernel = strict_kernel();
    let Ok(listener) = kernel.handle().listen(&"inet:[::1]:0".parse().unwrap(), drop) else {
        return; // a machine without IPv6
    };
    let peers_kernel::Address::Inet { port, .. } = *listener.address() else { unreachable!() };
    let stream = dialled(&mut kernel, &format!("inet:localhost:{port}").parse().unwrap()).unwrap();
    assert_eq!(stream.peer().unwrap(), *listener.address());
}

#[test]
fn names_are_looked_up_off_the_loop() {
    let mut kernel = strict_kernel();
    let address = "inet:no-such-host.invalid:1".parse().unwrap();
    let error = dialled(&mut kernel, &address).unwrap_err();
    assert!(error.to_string().contains("no-such-host.invalid"), "{error}");
}

#[test]
fn a_handler_may_close_its_own_stream() {
    let mut kernel = strict_kernel();
    let calls = Rc::new(Cell::new(0));
    let counted = calls.clone();
    let serve = move |stream: Stream| {
        let counted = counted.clone();
        stream.start(move |outlet, _| {
            counted.set(counted.get() + 1);
            outlet.write(b"bye").unwrap();
            outlet.close();
        });
    };
    let listener = kernel.handle().listen(&any_port(), serve).unwrap();
    let heard = Heard::default();
    let outlet = heard.listen_to(dialled(&mut kernel, listener.address()).unwrap());
    outlet.write(b"go away").unwrap();
    run_until(&mut kernel, "the end", || heard.ended.get());
    outlet.write(b"ignored").unwrap();
    outlet.close();
    drop(listener);
    kernel.run().unwrap();
    assert_eq!((heard.text().as_str(), calls.get()), ("bye", 1));
}

#[test]
fn a_panicking_handler_loses_its_bytes_and_nothing_else() {
    let mut kernel = strict_kernel();
    kernel.set_strict(false);
    let panicked = Rc::new(Cell::new(false));
    let seen = panicked.clone();
    let serve = move |stream: Stream| {
        let seen = seen.clone();
        stream.start(move |outlet, input| match input {
            Input::Bytes(b"panic") => {
                seen.set(true);
                panic!("as told")
            }
            Input::Bytes(bytes) => outlet.write(bytes).unwrap(),
            _ => {}
        });
    };
    let listener = kernel.handle().listen(&any_port(), serve).unwrap();
    let heard = Heard::default();
    let outlet = heard.listen_to(dialled(&mut kernel, listener.address()).unwrap());
    outlet.write(b"panic").unwrap();
    run_until(&mut kernel, "the panic", || panicked.get());
    outlet.write(b"still there").unwrap();
    run_until(&mut kernel, "the echo", || heard.text() == "still there");
}

#[test]
fn a_stream_started_in_a_node_is_heard_there_and_closes_when_the_node_has_gone() {
    let mut kernel = strict_kernel();
    let node = kernel.node(Vec::new());
    let cx = node.cx();
    let serve = move |stream: Stream| {
        stream.start_in(&cx, |log: &mut Vec<u8>, _, outlet, input| {
            if let Input::Bytes(bytes) = input {
                log.extend_from_slice(bytes);
                outlet.write(bytes).unwrap();
            }
        });
    };
    let listener = kernel.handle().listen(&any_port(), serve).unwrap();
    let heard = Heard::default();
    let outlet = heard.listen_to(dialled(&mut kernel, listener.address()).unwrap());
    outlet.write(b"one").unwrap();
    run_until(&mut kernel, "the echo", || heard.len() == 3);
    assert_eq!(node.with(|log| log.clone()), b"one");
    drop(node);
    outlet.write(b"two").unwrap();
    run_until(&mut kernel, "the end", || heard.is_over());
    assert_eq!(heard.text(), "one");
}

#[test]
fn when_all_streams_have_ended_nothing_is_alive() {
    let mut kernel = strict_kernel();
    let server = echo_server(&kernel.handle(), &any_port());
    let heard = Heard::default();
    let outlet = heard.listen_to(dialled(&mut kernel, server.address()).unwrap());
    outlet.write(b"x").unwrap();
    outlet.finish();
    drop(outlet);
    let server = RefCell::new(Some(server));
    run_until(&mut kernel, "the end", || heard.ended.get());
    drop(server.take());
    kernel.run().unwrap();
    assert_eq!(heard.text(), "x");
}
