//! Promise: what a slow peer does not read costs no more memory than the limit, and nobody else a
//! wait.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{
    Heard, any_port, dialled, echo_server, pair, run_until, socket_addr, strict_kernel, turns_in,
};
use peers_kernel::{Full, Kernel, Outlet, Stream, Wait};
use std::cell::RefCell;
use std::io::Read;
use std::net::TcpStream;
use std::rc::Rc;
use std::time::Duration;

/// Both ends, and the second one does not read.
fn pair_with_a_deaf_peer(kernel: &mut Kernel) -> (Outlet, Outlet, Heard) {
    let (ours, _, theirs, heard) = pair(kernel, &any_port());
    theirs.pause();
    (ours, theirs, heard)
}

/// Writes until the system takes no more for a while, and then until the buffer is full too.
fn fill(kernel: &mut Kernel, outlet: &Outlet) -> usize {
    let mut written = 0;
    for _ in 0..10_000 {
        match outlet.write(&[7; 32 * 1024]) {
            Ok(()) => written += 32 * 1024,
            Err(full) => {
                let before = outlet.buffered();
                for _ in 0..20 {
                    kernel.turn(Wait::No).unwrap();
                }
                if outlet.buffered() == before {
                    assert_eq!(full.buffered, before);
                    return written;
                }
            }
        }
    }
    panic!("a peer that does not read took {written} bytes");
}

#[test]
fn a_write_that_does_not_fit_is_refused_whole() {
    let mut kernel = strict_kernel();
    let (ours, _, _theirs, heard) = pair(&mut kernel, &any_port());
    ours.set_limit(10);
    ours.write(b"12345678").unwrap();
    assert_eq!(ours.write(b"901"), Err(Full { buffered: 8, limit: 10 }));
    assert_eq!(ours.write_chunk(b"901".to_vec()), Err(Full { buffered: 8, limit: 10 }));
    ours.write(b"90").unwrap();
    run_until(&mut kernel, "the bytes", || heard.len() == 10);
    assert_eq!(heard.text(), "1234567890");
    ours.write(b"there is room again"[..10].as_ref()).unwrap();
}

#[test]
fn a_vector_is_taken_whole_and_in_order_also_beyond_the_limit() {
    let mut kernel = strict_kernel();
    let (ours, _, _theirs, heard) = pair(&mut kernel, &any_port());
    let large = vec![b'6'; 5_000];
    ours.set_limit(10);
    let mut bytes = b"12".to_vec();
    assert_eq!(ours.write_vec(&mut bytes), Ok(()));
    assert!(bytes.is_empty());
    ours.write(b"34").unwrap();
    bytes = b"5".to_vec();
    assert_eq!(ours.write_vec(&mut bytes), Ok(()));
    bytes = large.clone();
    assert_eq!(ours.write_vec(&mut bytes), Err(Full { buffered: 5_005, limit: 10 }));
    assert!(bytes.is_empty());
    run_until(&mut kernel, "the bytes", || heard.len() == 5_005);
    assert_eq!(heard.text(), format!("12345{}", String::from_utf8(large).unwrap()));
}

#[test]
fn a_vector_given_to_a_closed_connection_goes_nowhere() {
    let mut kernel = strict_kernel();
    let (ours, _, _theirs, _) = pair(&mut kernel, &any_port());
    ours.abort();
    let mut bytes = vec![1; 5_000];
    assert_eq!((ours.write_vec(&mut bytes), ours.buffered()), (Ok(()), 0));
    assert!(bytes.is_empty());
}

#[test]
fn an_empty_vector_is_accepted() {
    let mut kernel = strict_kernel();
    let (ours, _, _theirs, heard) = pair(&mut kernel, &any_port());
    assert_eq!(ours.write_vec(&mut Vec::new()), Ok(()));
    ours.write(b"something").unwrap();
    assert_eq!(ours.write_vec(&mut Vec::new()), Ok(()));
    run_until(&mut kernel, "the bytes", || heard.len() == 9);
}

#[test]
fn a_peer_that_does_not_read_is_buffered_for_up_to_the_limit_and_no_further() {
    let mut kernel = strict_kernel();
    let (ours, theirs, heard) = pair_with_a_deaf_peer(&mut kernel);
    let written = fill(&mut kernel, &ours);
    assert!(ours.buffered() <= 1 << 20);
    assert_eq!(ours.buffered() + ours.written() as usize, written);
    // Blocked output costs no turns.
    let turns = turns_in(&mut kernel, Duration::from_millis(50));
    assert!(turns < 20, "{turns} turns while nothing moved");
    theirs.resume();
    run_until(&mut kernel, "all of it", || heard.len() == written);
    assert!(heard.bytes.borrow().iter().all(|byte| *byte == 7));
}

#[test]
fn the_system_holds_as_little_for_a_deaf_peer_as_it_is_told() {
    let mut kernel = strict_kernel();
    let accepted = Rc::new(RefCell::new(None));
    let slot = accepted.clone();
    let accept = move |stream: Stream| *slot.borrow_mut() = Some(stream);
    let listener = kernel.handle().listen(&any_port(), accept).unwrap();
    let deaf = dialled(&mut kernel, listener.address()).unwrap();
    run_until(&mut kernel, "a connection", || accepted.borrow().is_some());
    let stream = accepted.take().unwrap();
    deaf.set_buffers(64 * 1024).unwrap();
    stream.set_buffers(64 * 1024).unwrap();
    let outlet = Heard::default().listen_to(stream);
    fill(&mut kernel, &outlet);
    // Left to itself, the system takes more than four megabytes here.
    assert!(outlet.written() < 1 << 20, "the system took {} bytes", outlet.written());
    drop(deaf);
}

#[test]
fn on_drained_runs_once_for_each_caller() {
    let mut kernel = strict_kernel();
    let (ours, theirs, _) = pair_with_a_deaf_peer(&mut kernel);
    fill(&mut kernel, &ours);
    let told = Rc::new(RefCell::new(Vec::new()));
    for asker in 0..3 {
        let (told, outlet) = (told.clone(), ours.clone());
        ours.on_drained(move || {
            assert_eq!(outlet.buffered(), 0);
            told.borrow_mut().push(asker);
        });
    }
    for _ in 0..10 {
        kernel.turn(Wait::No).unwrap();
    }
    assert!(told.borrow().is_empty());
    theirs.resume();
    run_until(&mut kernel, "room", || told.borrow().len() == 3);
    let again = told.clone();
    // Nothing is buffered, so it comes by itself.
    ours.on_drained(move || again.borrow_mut().push(3));
    run_until(&mut kernel, "the last one", || told.borrow().len() == 4);
    assert_eq!(*told.borrow(), [0, 1, 2, 3]);
}

#[test]
fn a_blocked_connection_is_dropped_with_its_buffer_when_it_is_aborted() {
    let mut kernel = strict_kernel();
    let (ours, _theirs, _) = pair_with_a_deaf_peer(&mut kernel);
    fill(&mut kernel, &ours);
    let dropped = Rc::new(());
    let witness = dropped.clone();
    ours.on_drained(move || drop(witness));
    ours.abort();
    assert_eq!((ours.buffered(), ours.is_open()), (0, false));
    assert_eq!(Rc::strong_count(&dropped), 1, "what can never run is dropped");
}

#[test]
fn a_paused_connection_hears_of_a_broken_one_when_it_writes() {
    let mut kernel = strict_kernel();
    let heard = Heard::default();
    let (noted, slot) = (heard.clone(), Rc::new(RefCell::new(None)));
    let keep = slot.clone();
    let accept = move |stream: Stream| *keep.borrow_mut() = Some(noted.listen_to(stream));
    let listener = kernel.handle().listen(&any_port(), accept).unwrap();
    let peer = TcpStream::connect(socket_addr(listener.address())).unwrap();
    run_until(&mut kernel, "the connection", || slot.borrow().is_some());
    let outlet = slot.take().unwrap();
    outlet.pause();
    socket2::SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
    drop(peer);
    for _ in 0..10 {
        kernel.turn(Wait::No).unwrap();
    }
    assert!(!heard.is_over(), "nobody reads and nobody writes, so nobody is told");
    outlet.write(b"anybody there?").unwrap();
    run_until(&mut kernel, "the failure", || heard.failed.borrow().is_some());
}

#[test]
fn a_flooding_peer_delays_neither_timers_nor_other_connections() {
    let mut kernel = strict_kernel();
    let server = echo_server(&kernel.handle(), &any_port());
    let flooded = Heard::default();
    let accept = {
        let flooded = flooded.clone();
        move |stream: Stream| {
            let flooded = flooded.clone();
            stream.start(move |_, input| {
                flooded.bytes.borrow_mut().clear();
                flooded.note(input)
            });
        }
    };
    let sink = kernel.handle().listen(&any_port(), accept).unwrap();
    let address = socket_addr(sink.address());
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = stop.clone();
    let flood = std::thread::spawn(move || {
        let mut peer = TcpStream::connect(address).unwrap();
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            std::io::Write::write_all(&mut peer, &[0; 64 * 1024]).unwrap();
        }
    });
    run_until(&mut kernel, "the flood", || flooded.len() > 0);
    let heard = Heard::default();
    let outlet = heard.listen_to(dialled(&mut kernel, server.address()).unwrap());
    for round in 1..=20 {
        outlet.write(b"x").unwrap();
        // An honest round trip takes a handful of turns, each of which takes one read from the
        // flood.
        let mut turns = 0;
        while heard.len() < round {
            kernel.turn(Wait::No).unwrap();
            turns += 1;
            assert!(turns < 1_000_000, "the flood keeps everybody else waiting");
        }
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    while !flood.is_finished() {
        kernel.turn(Wait::No).unwrap();
    }
    flood.join().unwrap();
}

#[test]
fn what_is_not_read_stays_with_the_peer() {
    let mut kernel = strict_kernel();
    let slot = Rc::new(RefCell::new(None));
    let keep = slot.clone();
    let heard = Heard::default();
    let noted = heard.clone();
    let accept = move |stream: Stream| {
        let outlet = noted.listen_to(stream);
        outlet.pause();
        *keep.borrow_mut() = Some(outlet);
    };
    let listener = kernel.handle().listen(&any_port(), accept).unwrap();
    let mut peer = TcpStream::connect(socket_addr(listener.address())).unwrap();
    run_until(&mut kernel, "the connection", || slot.borrow().is_some());
    std::io::Write::write_all(&mut peer, b"patience").unwrap();
    for _ in 0..20 {
        kernel.turn(Wait::No).unwrap();
    }
    assert_eq!(heard.len(), 0);
    let outlet = slot.take().unwrap();
    outlet.resume();
    run_until(&mut kernel, "the bytes", || heard.text() == "patience");
    outlet.write(b"thanks").unwrap();
    run_until(&mut kernel, "the answer to leave", || outlet.buffered() == 0);
    let mut answer = [0; 6];
    peer.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"thanks");
}
