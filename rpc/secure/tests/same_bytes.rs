//! Promise: in a simulated world the same seed gives the same bytes, cipher text included.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::service::{Map, client, secured, server};
use peers_rpc::doc::{LocalNode, NodeProxy};
use peers_rpc::kernel::sim::World;
use peers_rpc::{Address, Allow, Cont, Error, Kernel, Security};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// Records what the world did, and what a caller was told there.
fn play(seed: u64) -> (u64, Option<Result<String, Error>>) {
    let mut world = World::new(seed);
    let at: Address = "sim:place".parse().unwrap();
    let to = at.with_key(server().key());
    world.process("server", move |kernel: &Kernel| {
        let rpc = secured(kernel, server());
        let sealed = Security::Sealed(Allow::keys([client().key()]));
        (rpc.serve_with(sealed, &at, Map::default(), LocalNode::bind).unwrap(), rpc)
    });
    let said = Rc::new(RefCell::new(None));
    let slot = said.clone();
    world.process("client", move |kernel: &Kernel| {
        let rpc = secured(kernel, client());
        let node = NodeProxy::new(rpc.connect(&to));
        let told = move |answer| *slot.borrow_mut() = Some(answer);
        node.get("who").then(Cont::new(&kernel.handle(), told));
        rpc
    });
    world.run_for(Duration::from_secs(5));
    (world.trace_hash(), said.take())
}

#[test]
fn same_seed_same_bytes() {
    let (one, said) = play(1);
    assert_eq!(said, Some(Ok(client().key().to_string())));
    assert_eq!(play(1).0, one);
    let (other, said) = play(2);
    assert_eq!(said, Some(Ok(client().key().to_string())));
    assert_ne!(other, one);
}
