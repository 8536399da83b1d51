//! Promise: a key that went is out: within fifteen seconds, or as soon as the program asks; its
//! owner is told why, and does not take what it asked for unexecuted.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::identity;
use common::service::{client, end_of, everywhere, get, refused, secured, serves};
use peers_rpc::wire::ByeCode;
use peers_rpc::{Allow, CloseReason, Kernel, PublicKey, SecurityError};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

/// A list that changes, and how often it was asked.
#[derive(Clone, Default)]
struct List(Rc<(RefCell<BTreeSet<PublicKey>>, Cell<u32>)>);

impl List {
    fn of(keys: &[PublicKey]) -> Self {
        let list = Self::default();
        list.0.0.borrow_mut().extend(keys);
        list
    }

    fn allow(&self) -> Allow {
        let list = self.clone();
        Allow::when(move |key| {
            list.0.1.set(list.0.1.get() + 1);
            list.0.0.borrow().contains(key)
        })
    }

    fn take(&self, key: PublicKey) {
        assert!(self.0.0.borrow_mut().remove(&key));
    }
}

#[track_caller]
fn told(reason: &CloseReason) {
    let bye =
        CloseReason::PeerBye { code: ByeCode::Closed, text: "your key is off the list".to_owned() };
    assert_eq!(*reason, bye);
}

#[test]
fn a_key_that_went_is_out() {
    let mut kernel = Kernel::simulated(1);
    let list = List::of(&[client().key(), identity(3).key()]);
    let (node, service) = serves(&kernel, &"sim:place".parse().unwrap(), list.allow());
    let (gone, stays) = (secured(&kernel, client()), secured(&kernel, identity(3)));
    let (one, other) = (gone.connect(service.address()), stays.connect(service.address()));
    get(&mut kernel, &one, "who").unwrap();
    get(&mut kernel, &other, "who").unwrap();
    list.take(client().key());
    let since = kernel.handle().now();
    let pending = common::service::ask(&kernel, &one, "who");
    told(&end_of(&mut kernel, &one));
    let took = kernel.handle().now() - since;
    assert!(took <= Duration::from_secs(16), "{took:?}");
    drop(pending);
    assert_eq!(get(&mut kernel, &other, "who"), Ok(identity(3).key().to_string()));
    assert_eq!(node.endpoints().len(), 1);
    // It does not come in again.
    let again = gone.connect(service.address());
    let error = refused(get(&mut kernel, &again, "who"));
    assert_eq!(error, SecurityError::NotAdmitted { ours: client().key() });
}

#[test]
fn the_program_may_ask_at_once() {
    everywhere("recheck", |kernel, at| {
        let list = List::of(&[client().key()]);
        let (node, service) = serves(kernel, at, list.allow());
        let rpc = secured(kernel, client());
        let endpoint = rpc.connect(service.address());
        get(kernel, &endpoint, "who").unwrap();
        service.recheck();
        get(kernel, &endpoint, "who").unwrap();
        list.take(client().key());
        let since = kernel.handle().now();
        service.recheck();
        assert!(endpoint.is_open(), "the policy runs on a clean stack");
        told(&end_of(kernel, &endpoint));
        assert!(
            kernel.handle().now() - since < Duration::from_secs(14),
            "by itself, not by a timer"
        );
        assert_eq!(node.endpoints(), []);
    });
}

#[test]
fn a_call_that_may_have_been_executed_is_not_called_unexecuted() {
    let mut kernel = Kernel::simulated(1);
    let list = List::of(&[client().key()]);
    let (_node, service) = serves(&kernel, &"sim:place".parse().unwrap(), list.allow());
    let rpc = secured(&kernel, client());
    let endpoint = rpc.connect(service.address());
    get(&mut kernel, &endpoint, "who").unwrap();
    list.take(client().key());
    service.recheck();
    let error = get(&mut kernel, &endpoint, "who").unwrap_err();
    assert!(!error.is_unexecuted(), "{error}");
}

#[test]
fn nobody_is_asked_when_nobody_is_in() {
    let mut kernel = Kernel::simulated(1);
    let list = List::of(&[client().key()]);
    let (_node, service) = serves(&kernel, &"sim:place".parse().unwrap(), list.allow());
    let rpc = secured(&kernel, client());
    let endpoint = rpc.connect(service.address());
    get(&mut kernel, &endpoint, "who").unwrap();
    assert_eq!(list.0.1.get(), 1);
    let pass = |kernel: &mut Kernel| {
        let end = kernel.handle().now() + Duration::from_secs(60);
        kernel.run_until(end).unwrap();
    };
    pass(&mut kernel);
    assert_eq!(list.0.1.get(), 1 + 4, "every fifteen seconds");
    endpoint.close();
    pass(&mut kernel);
    assert_eq!(list.0.1.get(), 1 + 4);
}
