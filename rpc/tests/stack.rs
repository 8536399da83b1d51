//! Promise: the stack does not grow with what a program does. Everything here runs on a thread
//! whose stack is small, so that one frame for each step would end the process.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Field, Got, ProbeProxy, in_other_worlds, limits, secs};
use peers_rpc::{Address, Cont, Error, Handle, Kernel, Limits, Rpc, with_error_handler};
use std::cell::Cell;
use std::rc::Rc;
use std::thread;

/// Runs `f` on a stack of a quarter of a megabyte.
fn on_a_small_stack(f: impl FnOnce() + Send + 'static) {
    let small = thread::Builder::new().stack_size(256 << 10);
    small.spawn(f).unwrap().join().unwrap();
}

/// An endpoint that has ended before anything could be said.
fn dead(kernel: &mut Kernel, rpc: &Rpc) -> ProbeProxy {
    let endpoint = rpc.connect(&Address::sim("nobody"));
    let ended = Rc::new(Cell::new(false));
    let (set, handle) = (ended.clone(), kernel.handle());
    endpoint.on_close(Cont::new(&kernel.handle(), move |_| {
        set.set(true);
        handle.stop();
    }));
    kernel.run().unwrap();
    assert!(ended.get());
    ProbeProxy::new(endpoint)
}

/// Calls again from each failure, until `left` calls have failed.
fn fail_again(handle: Handle, node: ProbeProxy, left: u32) {
    let next = (handle.clone(), node.clone());
    let k = Cont::new(&handle, move |outcome: Result<String, Error>| {
        outcome.expect_err("nobody is there");
        match left {
            1 => next.0.stop(),
            _ => fail_again(next.0, next.1, left - 1),
        }
    });
    node.echo("x").then(k);
}

#[test]
fn a_million_calls_that_fail_at_once_one_after_the_other() {
    on_a_small_stack(|| {
        let mut kernel = Kernel::simulated(1);
        let rpc = Rpc::new(&kernel.handle());
        let node = dead(&mut kernel, &rpc);
        fail_again(kernel.handle(), node, 1_000_000);
        kernel.run().unwrap();
    });
}

#[test]
fn a_million_calls_that_fail_at_once_all_together() {
    on_a_small_stack(|| {
        let mut kernel = Kernel::simulated(1);
        let rpc = Rpc::new(&kernel.handle());
        let node = dead(&mut kernel, &rpc);
        let failed = Rc::new(Cell::new(0_u32));
        for _ in 0..1_000_000 {
            let (failed, handle) = (failed.clone(), kernel.handle());
            let count = move |_: Result<String, Error>| {
                failed.set(failed.get() + 1);
                if failed.get() == 1_000_000 {
                    handle.stop();
                }
            };
            node.echo("x").then(Cont::new(&kernel.handle(), count));
        }
        assert_eq!(failed.get(), 0, "nothing runs inline");
        kernel.run().unwrap();
        assert_eq!(failed.get(), 1_000_000);
    });
}

/// The tutorial's way to go on with the next peer when one is dead, which would nest in the
/// tutorial's own system.
fn try_next(handle: Handle, peers: Rc<Vec<ProbeProxy>>, at: usize, tried: Rc<Cell<usize>>) {
    let Some(peer) = peers.get(at) else { return handle.stop() };
    let next = (handle.clone(), peers.clone(), tried.clone());
    let on_error = move |_| {
        next.2.set(next.2.get() + 1);
        try_next(next.0, next.1, at + 1, next.2);
    };
    with_error_handler(&handle, || peer.note("are you there?"), on_error);
}

#[test]
fn a_hundred_thousand_dead_peers_with_an_error_handler_each() {
    on_a_small_stack(|| {
        let mut kernel = Kernel::simulated(1);
        let rpc = Rpc::new(&kernel.handle());
        let node = dead(&mut kernel, &rpc);
        let peers = Rc::new(vec![node; 100_000]);
        let tried = Rc::new(Cell::new(0));
        try_next(kernel.handle(), peers, 0, tried.clone());
        kernel.run().unwrap();
        assert_eq!(tried.get(), 100_000);
    });
}

#[test]
fn a_hundred_thousand_calls_that_wait_when_the_connection_ends() {
    on_a_small_stack(|| {
        let mut field = Field::simulated(1);
        let patient = limits(|limits| limits.waiting = 200_000);
        let (client, _server, node) = field.pair_with(patient, Limits::default());
        let proxy = node.clone();
        let failed = Rc::new(Cell::new(0));
        let (count, handle) = (failed.clone(), client.handle().clone());
        field.on(&client, move || {
            for _ in 0..100_000 {
                let count = count.clone();
                let k = move |outcome: Result<String, Error>| {
                    outcome.unwrap_err();
                    count.set(count.get() + 1);
                };
                proxy.hold("x").then(Cont::new(&handle, k));
            }
        });
        field.pass(secs(1));
        let endpoint = node.caller().clone();
        field.on(&client, move || endpoint.close());
        field.until_within(secs(6), || failed.get() == 100_000);
    });
}

#[test]
fn a_chain_of_a_thousand_nested_calls_and_their_replies() {
    on_a_small_stack(|| {
        let mut field = Field::simulated(1);
        let deep = || limits(|limits| limits.call_depth = 1_024);
        let (client, server, node) = field.pair_with(deep(), deep());
        for peer in [&client, &server] {
            peer.when_asked(|_, _, bd, text, reply| {
                let left: u32 = text.parse().unwrap();
                match left {
                    0 => reply.ok("the bottom".to_owned()),
                    _ => bd.proxy::<ProbeProxy>().ask((left - 1).to_string()).then(reply),
                }
            });
        }
        assert_eq!(
            field.outcome_within(secs(30), &client, node.ask("1000")).unwrap(),
            "the bottom"
        );
    });
}

#[test]
fn a_kernel_that_ends_with_a_hundred_thousand_calls_pending() {
    on_a_small_stack(|| {
        let kernel = Kernel::simulated(1);
        let handle = kernel.handle();
        let patient = limits(|limits| limits.waiting = 200_000);
        let rpc = Rpc::with_limits(&handle, patient);
        let node: ProbeProxy = ProbeProxy::new(rpc.connect(&Address::sim("nobody")));
        let _gots: Vec<Got<String>> = (0..100_000)
            .map(|_| {
                let (k, got) = Got::new(&handle);
                node.echo("x").then(k);
                got
            })
            .collect();
        drop(kernel);
        drop(rpc);
    });
}

in_other_worlds! {
    a_hundred_thousand_calls_that_wait_when_the_connection_ends;
    a_chain_of_a_thousand_nested_calls_and_their_replies;
}
