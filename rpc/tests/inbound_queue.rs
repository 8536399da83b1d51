//! Promise: requests that arrive faster than they are started wait in order and in bounded memory;
//! whatever the peer does meanwhile, none of its events is lost.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::probe::probe_ids::NOTE;
use common::{Desk, Field, LocalProbe, Peer, ProbeProxy, everywhere, limits, secs};
use peers_rpc::kernel::{Budget, Wait};
use peers_rpc::wire::{CallHead, Hello, PREAMBLE, put_event};
use peers_rpc::{Address, CloseReason, Endpoint, Kernel, Limits, NodeId, Rpc};
use std::io::{ErrorKind, Write as _};
use std::os::unix::net::UnixStream;
use std::process::id;

/// More than one turn starts.
const MANY: usize = 3_000;

fn send_numbered(node: &ProbeProxy) {
    for n in 0..MANY {
        node.note(n.to_string()).unwrap();
    }
}

fn assert_all_in_order(server: &Peer) {
    assert!(server.heard().into_iter().eq((0..MANY).map(|n| n.to_string())));
}

everywhere! {
    fn events_sent_before_a_goodbye_are_started(field: &mut Field) {
        let (client, server, node) = field.met_pair();
        let ends = server.watch(&server.accepted()[0]);
        field.on(&client, move || {
            send_numbered(&node);
            node.caller().close();
        });
        field.until(|| ends.is_done());
        assert_all_in_order(&server);
        assert!(matches!(ends.take(), Ok(CloseReason::PeerBye { .. })));
    }
}

everywhere! {
    fn with_a_small_limit_everything_arrives_in_order(field: &mut Field) {
        let small = limits(|limits| limits.inbound_queue = 1_000);
        let (client, server, node) = field.pair_with(Limits::default(), small);
        field.outcome(&client, node.context()).unwrap();
        let all = node.clone();
        field.on(&client, move || send_numbered(&all));
        assert_eq!(field.outcome(&client, node.echo("behind them")).unwrap(), "behind them");
        assert_eq!(server.heard().len(), MANY + 1);
        assert!(server.heard()[..MANY].iter().cloned().eq((0..MANY).map(|n| n.to_string())));
    }
}

everywhere! {
    fn two_that_flood_each_other_with_small_limits_come_to_an_end(field: &mut Field) {
        let small = || limits(|limits| limits.inbound_queue = 1_000);
        let (client, server, node) = field.pair_with(small(), small());
        field.outcome(&client, node.context()).unwrap();
        let back = ProbeProxy::new(server.accepted()[0].clone());
        let (out, again) = (node.clone(), back.clone());
        field.on(&client, move || send_numbered(&out));
        field.on(&server, move || send_numbered(&again));
        field.outcome(&client, node.echo("last")).unwrap();
        field.outcome(&server, back.echo("last")).unwrap();
        assert_eq!((client.heard().len(), server.heard().len()), (MANY + 1, MANY + 1));
    }
}

/// What is sent while a process is busy waits with the sender, not in the busy process.
#[test]
fn what_waits_is_bounded_by_bytes() {
    const SIZE: usize = 16 << 10;
    let mut kernel = Kernel::new().unwrap();
    kernel.set_strict(true);
    kernel.set_budget(Budget { tasks: 1, ..Budget::default() }); // one request a turn
    let little = limits(|limits| limits.inbound_queue = 4 * SIZE);
    let rpc = Rpc::with_limits(&kernel.handle(), little);
    let node = kernel.node(Desk::default());
    let (cx, path) = (node.cx(), std::env::temp_dir().join(format!("peers-queue-{}", id())));
    let address = Address::unix(path.clone());
    let bind = move |endpoint: Endpoint| LocalProbe::bind(&cx, &endpoint);
    let _listener = rpc.listen(&address, bind).unwrap();

    let mut bytes = PREAMBLE.to_vec();
    Hello::new(NodeId::from_bits(1)).put(&mut bytes);
    for _ in 0..MANY {
        put_event(&mut bytes, u32::MAX, &CallHead::new(NOTE), &("x".repeat(SIZE),)).unwrap();
    }
    let mut sender = UnixStream::connect(path).unwrap();
    sender.set_nonblocking(true).unwrap();
    let heard = || node.with(|desk| desk.heard.len());
    let mut sent = 0;
    while sent < bytes.len() {
        match sender.write(&bytes[sent..]) {
            Ok(count) => sent += count,
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        kernel.turn(Wait::No).unwrap();
        let ahead = sent.saturating_sub(heard() * SIZE);
        assert!(ahead < 2 << 20, "{ahead} bytes were taken before their time");
    }
    let end = kernel.remote().now() + secs(30);
    while heard() < MANY {
        kernel.turn(Wait::No).unwrap();
        assert!(kernel.remote().now() < end, "they are not all started");
    }
}
