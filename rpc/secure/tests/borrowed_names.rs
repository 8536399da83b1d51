//! Promise: a borrowed name is refused: in a sealed connection a node has the id of the key that it
//! has proven, and no other.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::identity;
use common::service::{client, end_of, everywhere, run_until, secured, server, serves};
use peers_rpc::kernel::{Input, Outlet, Stream};
use peers_rpc::session::{Inbound, Violation};
use peers_rpc::wire::{Bye, Hello, Kind, NodeId, PREAMBLE};
use peers_rpc::{Allow, CloseReason, Cont, Kernel, Limits, SecureTransport as _};
use std::cell::RefCell;
use std::rc::Rc;

/// The opening of a node that says it is another.
fn opening(of: NodeId) -> Vec<u8> {
    let mut said = PREAMBLE.to_vec();
    Hello::new(of).put(&mut said);
    said
}

/// Says that it is `of`, and notes what it is told.
fn speak(stream: Stream, of: NodeId, heard: &Rc<RefCell<Vec<u8>>>) -> Outlet {
    let heard = heard.clone();
    let outlet = stream.start(move |_, input| {
        if let Input::Bytes(bytes) = input {
            heard.borrow_mut().extend_from_slice(bytes);
        }
    });
    outlet.write(&opening(of)).unwrap();
    outlet
}

#[test]
fn a_borrowed_name_is_refused() {
    everywhere("borrowed", |kernel, at| {
        let (node, service) = serves(kernel, at, Allow::anyone());
        // The owner of one key says that it is the owner of another, and the listener itself.
        for name in [secured(kernel, identity(3)).node(), node.node()] {
            let (handle, heard) = (kernel.handle(), Rc::default());
            let (held, to) = (Rc::new(RefCell::new(None)), service.address());
            let (slot, noted) = (held.clone(), Rc::clone(&heard));
            let dial = move |stream: std::io::Result<Stream>| {
                let rng = handle.fresh_rng().unwrap();
                let stream = stream.unwrap().secure(client().dial(to.key().unwrap(), rng));
                *slot.borrow_mut() = Some(speak(stream, name, &noted));
            };
            let handle = kernel.handle();
            handle.connect(&service.address().without_key(), Cont::new(&handle, dial));
            let said = || heard.borrow().clone();
            run_until(kernel, "a goodbye", || bye(&said()).is_some());
            let text = bye(&said()).unwrap();
            assert_eq!(text, Violation::ForeignId.to_string());
            run_until(kernel, "its end", || node.endpoints().is_empty());
        }
    });
}

/// The text of the goodbye in what was heard.
fn bye(heard: &[u8]) -> Option<String> {
    let (mut inbound, mut rest) = (Inbound::new(&Limits::default()), heard);
    while let Some(frame) = inbound.next(&mut rest).unwrap() {
        if frame.kind == Kind::Bye {
            return Some(Bye::decode(frame.body).unwrap().text.to_owned());
        }
    }
    None
}

#[test]
fn a_listener_with_a_borrowed_name_is_refused_as_well() {
    let mut kernel = Kernel::simulated(3);
    let (handle, name) = (kernel.handle(), secured(&kernel, identity(3)).node());
    let held = Rc::new(RefCell::new(None));
    let slot = held.clone();
    let clock = handle.clone();
    let at = "sim:liar".parse().unwrap();
    let _listener = handle
        .listen(&at, move |stream| {
            let stream = stream.secure(server().accept(clock.fresh_rng().unwrap()));
            *slot.borrow_mut() = Some(speak(stream, name, &Rc::default()));
        })
        .unwrap();
    let rpc = secured(&kernel, client());
    let endpoint = rpc.connect(at.with_key(server().key()));
    let end = end_of(&mut kernel, &endpoint);
    assert_eq!(end, CloseReason::Protocol(Violation::ForeignId));
}
