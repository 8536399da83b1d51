//! Promise: what an outlet is asked to flush leaves at once, as far as the socket takes it, and
//! everything else about it stays as it is at the end of a turn. Whether that pays is for the host
//! to say.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Heard, any_port, dialled, pair, run_until, socket_path, strict_kernel};
use peers_kernel::sim::{ProcessId, World};
use peers_kernel::{Address, Cont, Input, Kernel, Outlet, Stream, Wait};
use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::time::Duration;

/// An outlet to a peer outside of any loop, who reads what has arrived when it is asked to.
fn outlet_to_a_peer(kernel: &mut Kernel) -> (Outlet, TcpStream, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::inet("127.0.0.1", listener.local_addr().unwrap().port());
    let stream = dialled(kernel, &address).unwrap();
    let (peer, _) = listener.accept().unwrap();
    let heard = Heard::default();
    (heard.listen_to(stream), peer, heard)
}

fn read(peer: &mut TcpStream, count: usize) -> String {
    peer.set_read_timeout(Some(common::DEADLINE)).unwrap();
    let mut bytes = vec![0; count];
    peer.read_exact(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn what_is_flushed_leaves_before_the_turn_ends_and_the_rest_after_it() {
    let mut kernel = strict_kernel();
    let (outlet, mut peer, _) = outlet_to_a_peer(&mut kernel);
    let seen = Rc::new(RefCell::new(String::new()));
    let (noted, writer) = (seen.clone(), outlet.clone());
    kernel.handle().schedule(move || {
        writer.write(b"early ").unwrap();
        writer.flush();
        assert_eq!((writer.buffered(), writer.written()), (0, 6));
        writer.write(b"late").unwrap();
        assert_eq!((writer.buffered(), writer.written()), (4, 6), "not flushed");
        *noted.borrow_mut() = read(&mut peer, 6);
        peer.set_nonblocking(true).unwrap();
        assert_eq!(peer.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    });
    kernel.turn(Wait::No).unwrap();
    assert_eq!(*seen.borrow(), "early ");
    assert_eq!((outlet.buffered(), outlet.written()), (0, 10));
}

#[test]
fn a_flush_of_nothing_and_one_of_a_connection_that_has_ended_do_nothing() {
    let mut kernel = strict_kernel();
    let (ours, _, theirs, heard) = pair(&mut kernel, &any_port());
    ours.flush();
    assert_eq!((ours.buffered(), ours.written()), (0, 0));
    ours.write(b"last words").unwrap();
    ours.close();
    ours.flush();
    ours.flush();
    run_until(&mut kernel, "the end", || heard.ended.get());
    assert_eq!(heard.text(), "last words");
    theirs.abort();
    theirs.flush();
    run_until(&mut kernel, "our end to be gone", || ours.written() == 0);
    ours.flush();
    drop(kernel);
    ours.flush();
    assert!(!ours.is_peer_on_other_cpu(), "nobody is");
}

#[test]
fn on_drained_is_queued_by_the_flush_that_empties_the_output() {
    let mut kernel = strict_kernel();
    let (outlet, _peer, _) = outlet_to_a_peer(&mut kernel);
    let log = Rc::new(RefCell::new(Vec::new()));
    let (first, second) = (log.clone(), log.clone());
    kernel.handle().schedule(move || {
        outlet.write(b"something").unwrap();
        outlet.on_drained(move || second.borrow_mut().push("drained"));
        outlet.flush();
        first.borrow_mut().push("flushed");
    });
    kernel.turn(Wait::No).unwrap();
    assert_eq!(*log.borrow(), ["flushed", "drained"], "in this turn, but on a clean stack");
}

#[test]
fn a_socket_that_takes_no_more_is_left_alone_until_it_says_so_and_nothing_is_lost() {
    let mut kernel = strict_kernel();
    let (ours, _, theirs, heard) = pair(&mut kernel, &any_port());
    ours.set_limit(64 << 20);
    theirs.pause();
    let mut sent = 0_u32;
    // The host takes some, and then, in the middle of a flush, no more.
    while ours.buffered() == 0 {
        ours.write(&sent.to_be_bytes().repeat(16 << 10)).unwrap();
        ours.flush();
        sent += 1;
    }
    let before = (ours.buffered(), ours.written());
    for _ in 0..100 {
        ours.flush();
    }
    assert_eq!((ours.buffered(), ours.written()), before);
    ours.write(&sent.to_be_bytes()).unwrap();
    ours.flush();
    assert_eq!((ours.buffered(), ours.written()), (before.0 + 4, before.1));
    theirs.resume();
    let total = (sent as usize * (64 << 10)) + 4;
    run_until(&mut kernel, "all of it", || heard.len() == total);
    let bytes = heard.bytes.borrow();
    let words = bytes.chunks_exact(4).map(|word| u32::from_be_bytes(word.try_into().unwrap()));
    assert!(words.enumerate().all(|(at, word)| at / (16 << 10) == word as usize), "in order");
}

#[test]
fn a_flush_into_a_broken_connection_is_told_by_the_handler_later_and_once() {
    let mut kernel = strict_kernel();
    let (outlet, peer, heard) = outlet_to_a_peer(&mut kernel);
    // Closing with something unread makes the system answer with a reset.
    outlet.write(b"never read").unwrap();
    outlet.flush();
    drop(peer);
    let clock = kernel.remote();
    let end = clock.now() + common::DEADLINE;
    while outlet.is_open() {
        outlet.write(b"into the void").unwrap();
        outlet.flush();
        assert!(!heard.is_over(), "a flush runs no handler");
        assert!(clock.now() < end, "it never broke");
    }
    outlet.write(b"goes nowhere").unwrap();
    outlet.flush();
    run_until(&mut kernel, "the failure", || heard.is_over());
    assert!(heard.failed.borrow().is_some());
}

#[test]
fn a_half_that_is_finished_ends_with_the_flush() {
    let mut kernel = strict_kernel();
    let (outlet, mut peer, _) = outlet_to_a_peer(&mut kernel);
    outlet.write(b"all there is").unwrap();
    outlet.finish();
    outlet.flush();
    peer.set_read_timeout(Some(common::DEADLINE)).unwrap();
    let mut text = String::new();
    peer.read_to_string(&mut text).unwrap();
    assert_eq!(text, "all there is");
}

/// Keeps the thread that calls it on one of the processors that it may use; the `n`th, if there are
/// so many.
#[cfg(target_os = "linux")]
fn stay_on(n: usize) -> bool {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let allowed = sched_getaffinity(None).unwrap();
    let Some(chosen) = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).nth(n) else {
        return false;
    };
    let mut only = CpuSet::new();
    only.set(chosen);
    sched_setaffinity(None, &only).unwrap();
    true
}

#[cfg(target_os = "linux")]
#[test]
fn tells_a_peer_on_this_cpu_from_one_on_another() {
    let mut kernel = strict_kernel();
    let (outlet, mut peer, heard) = outlet_to_a_peer(&mut kernel);
    let write_from = |n: usize, mut peer: TcpStream| {
        let write = move || stay_on(n).then(|| peer.write_all(b"hello").unwrap()).map(|()| peer);
        std::thread::spawn(write).join().unwrap()
    };
    peer = write_from(0, peer).unwrap();
    let other = write_from(1, peer.try_clone().unwrap());
    assert!(stay_on(0));
    run_until(&mut kernel, "the bytes", || heard.len() == if other.is_some() { 10 } else { 5 });
    assert_eq!(
        outlet.is_peer_on_other_cpu(),
        other.is_some(),
        "it spoke last from another one, if there is one"
    );
    peer = write_from(0, peer).unwrap();
    let answers: Vec<bool> = (0..100).map(|_| outlet.is_peer_on_other_cpu()).collect();
    assert!(!answers[99], "now it is where we are");
    drop(peer);
}

#[test]
fn the_cpu_of_a_unix_peer_is_unknown() {
    let mut kernel = strict_kernel();
    let (ours, _, theirs, heard) = pair(&mut kernel, &Address::unix(socket_path("beside")));
    theirs.write(b"hello").unwrap();
    ours.write(b"hello").unwrap();
    run_until(&mut kernel, "the bytes", || heard.len() == 5);
    assert!(!ours.is_peer_on_other_cpu());
}

/// Two processes and a connection between them, and both its ends.
fn world_of_two() -> (World, [ProcessId; 2], [Outlet; 2]) {
    let mut world = World::new(1);
    let ends = [Rc::new(Cell::new(None)), Rc::new(Cell::new(None))];
    let start = |end: &Rc<Cell<Option<Outlet>>>| {
        let end = end.clone();
        move |stream: Stream| end.set(Some(stream.start(|_, _: Input<'_>| ())))
    };
    let (accept, dial) = (start(&ends[0]), start(&ends[1]));
    let address: Address = "sim:server".parse().unwrap();
    let server =
        world.process("server", |kernel| kernel.handle().listen(&address, accept).unwrap());
    let client = world.process("client", |kernel| {
        let handle = kernel.handle();
        let dialled = move |stream: std::io::Result<Stream>| dial(stream.unwrap());
        handle.connect(&address, Cont::new(&handle, dialled));
    });
    world.run_for(Duration::from_secs(1));
    (world, [server, client], ends.map(|end| end.take().unwrap()))
}

#[test]
fn a_world_decides_whose_peers_are_on_another_cpu() {
    let (mut world, [server, client], [server_end, client_end]) = world_of_two();
    assert!(!server_end.is_peer_on_other_cpu() && !client_end.is_peer_on_other_cpu());
    world.set_peers_on_other_cpu(server, true);
    // Each answer is good for a while.
    let turned = |end: &Outlet, to| (0..100).find(|_| end.is_peer_on_other_cpu() == to).is_some();
    assert!(turned(&server_end, true));
    assert!(!turned(&client_end, true));
    world.set_peers_on_other_cpu(client, true);
    assert!(turned(&client_end, true));
    world.set_peers_on_other_cpu(server, false);
    assert!(turned(&server_end, false));
}
