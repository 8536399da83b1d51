//! Promise: what connections tell the process about their memory is what they hold, after whatever
//! has happened, and nothing when all of them have ended.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Field, Peer, limits, millis, secs};
use peers_rpc::kernel::sim::ProcessId;
use peers_rpc::kernel::{Cont, Outlet, Stream};
use peers_rpc::wire::{CallHead, Hello, NodeId, PREAMBLE, method_id, put_request};
use proptest::prelude::*;
use std::cell::RefCell;
use std::io;
use std::rc::Rc;

const ECHO: u64 = method_id("probe.probe.echo(string)->string");

/// A peer that speaks bytes, and reads only what the system takes in for it.
fn raw(field: &mut Field, server: &Peer) -> (ProcessId, Rc<RefCell<Option<Outlet>>>) {
    let (to, outlet) = (server.address().clone(), Rc::<RefCell<Option<Outlet>>>::default());
    let kept = outlet.clone();
    let process = field.world().process("raw", move |kernel| {
        let k = Cont::new(&kernel.handle(), move |stream: io::Result<Stream>| {
            let outlet = stream.unwrap().start(|_, _| {});
            outlet.set_limit(16 << 20);
            let mut hello = PREAMBLE.to_vec();
            Hello::new(NodeId::from_bits(7)).put(&mut hello);
            outlet.write(&hello).unwrap();
            *kept.borrow_mut() = Some(outlet);
        });
        kernel.handle().connect(&to, k);
    });
    field.pass(millis(50));
    (process, outlet)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn what_is_told_is_what_is_held(
        seed in 0_u64..1_000,
        steps in prop::collection::vec((0_u8..9, 0_usize..60_000), 1..40),
    ) {
        let mut field = Field::simulated(seed);
        let small = || limits(|l| {
            l.process_bytes = 1 << 20;
            l.request_window = 8;
            l.output_low_water = 20_000;
        });
        let server = field.peer_with("server", small());
        let client = field.peer_with("client", small());
        let (process, outlet) = raw(&mut field, &server);
        let mut node = field.dial(&client, &server);
        let mut started = Vec::new();
        for (step, size) in steps {
            let text = "x".repeat(size);
            match step {
                0 | 1 => started.push(field.start(&client, node.echo(text))),
                2 => started.push(field.start(&client, node.hold(size.to_string()))),
                3 => started.truncate(started.len() / 2),
                4 => field.pass(millis(size as u64 % 50)),
                5 => {
                    // Dialled anew, while what was asked before may be under way.
                    let old = node.caller().clone();
                    field.on(&client, move || old.close());
                    node = field.dial(&client, &server);
                }
                6 | 7 => {
                    // A frame, or the beginning of one.
                    let outlet = outlet.borrow().clone().unwrap();
                    field.world().with(process, move |_| {
                        let mut bytes = Vec::new();
                        let head = CallHead::new(ECHO);
                        put_request(&mut bytes, Some(1 + size as u64), &head, &vec![0; size], 0);
                        if step == 7 {
                            bytes.truncate(bytes.len() / 2);
                        }
                        let _full = outlet.write(&bytes);
                    });
                }
                _ => field.pass(millis(1)),
            }
            for peer in [&server, &client] {
                prop_assert_eq!(peer.rpc().audit().consistent(), Ok(()));
            }
        }
        drop(started);
        field.world().crash(process);
        let endpoints = [&client, &server].map(|peer| peer.rpc().endpoints());
        for (peer, endpoints) in [&client, &server].into_iter().zip(endpoints) {
            field.on(peer, move || endpoints.iter().for_each(|endpoint| endpoint.close()));
        }
        field.pass(secs(20));
        for peer in [&server, &client] {
            prop_assert_eq!(peer.rpc().audit().consistent(), Ok(()));
            prop_assert_eq!(peer.rpc().held_memory(), 0);
        }
    }
}
