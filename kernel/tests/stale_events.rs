//! Promise: an event for a connection that is gone reaches nobody, though its descriptor and its
//! slot are reused at once.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Heard, any_port, pair, run_until, strict_kernel};
use peers_kernel::{Outlet, Wait};
use std::cell::RefCell;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;

#[test]
fn a_ready_source_may_be_ended_by_another_before_its_turn() {
    for _ in 0..20 {
        let mut kernel = strict_kernel();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().into();
        let outlets: Rc<RefCell<Vec<Outlet>>> = Rc::default();
        let calls = Rc::new(RefCell::new(Vec::new()));
        let mut peers = Vec::new();
        for name in 0..2 {
            let stream = common::dialled(&mut kernel, &address).unwrap();
            peers.push(listener.accept().unwrap().0);
            let (all, calls) = (outlets.clone(), calls.clone());
            let outlet = stream.start(move |_, _| {
                calls.borrow_mut().push(name);
                all.borrow().iter().for_each(Outlet::abort);
            });
            outlets.borrow_mut().push(outlet);
        }
        for peer in &mut peers {
            peer.write_all(b"x").unwrap();
        }
        run_until(&mut kernel, "the first one's bytes", || !calls.borrow().is_empty());
        kernel.run().unwrap();
        assert_eq!(calls.borrow().len(), 1, "both had an event in the same batch");
    }
}

#[test]
fn a_new_connection_in_an_old_slot_hears_only_its_own_bytes() {
    let mut kernel = strict_kernel();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address: peers_kernel::Address = listener.local_addr().unwrap().into();
    let mut old: Option<(Outlet, TcpStream)> = None;
    for round in 0..300_u32 {
        if let Some((outlet, mut peer)) = old.take() {
            // Ready to be read and to be written, and gone: before the kernel hears of either.
            peer.write_all(b"stale").unwrap();
            outlet.write(b"stale").unwrap();
            outlet.abort();
        }
        let stream = common::dialled(&mut kernel, &address).unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        let heard = Heard::default();
        let outlet = heard.listen_to(stream);
        peer.write_all(&round.to_be_bytes()).unwrap();
        run_until(&mut kernel, "the number", || heard.len() == 4);
        assert_eq!(*heard.bytes.borrow(), round.to_be_bytes());
        old = Some((outlet, peer));
    }
}

#[test]
fn outlets_of_an_ended_connection_do_not_reach_its_successor() {
    let mut kernel = strict_kernel();
    let (old, _, _theirs, _) = pair(&mut kernel, &any_port());
    old.abort();
    let (_ours, heard, _theirs, they_heard) = pair(&mut kernel, &any_port());
    old.write(b"stale").unwrap();
    old.finish();
    old.abort();
    for _ in 0..20 {
        kernel.turn(Wait::No).unwrap();
    }
    assert_eq!((heard.len(), they_heard.len()), (0, 0));
    assert!(!heard.is_over() && !they_heard.is_over());
}
