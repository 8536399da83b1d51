//! Promise: a kernel that ends while a process is being closed leaves nothing of it behind: neither
//! what its connections held, nor who waits for the close.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Desk, LocalProbe, ProbeProxy, limits, secs};
use peers_rpc::kernel::Kernel;
use peers_rpc::kernel::sim::World;
use peers_rpc::{Address, CloseReason, Cont, Drained, Error, Limits, Listener, Node, Rpc};
use std::rc::Rc;

/// What a close may be waiting for when the kernel ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    Nothing,
    /// A call of the peer that runs.
    Reply,
    /// The peer's credit.
    Credit,
}

/// Two ends in one process.
struct Ends {
    node: Node<Desk>,
    _listener: Listener,
    server: Rpc,
    client: Rpc,
    proxy: ProbeProxy,
}

fn ends(kernel: &Kernel) -> Ends {
    let (handle, node) = (kernel.handle(), kernel.node(Desk::default()));
    let server = Rpc::with_limits(&handle, limits(|limits| limits.request_window = 64));
    let client = Rpc::with_limits(&handle, Limits::default());
    let (at, cx) = (Address::sim("here"), node.cx());
    let accept = move |endpoint| LocalProbe::bind(&cx, &endpoint);
    let _listener = server.listen(&at, accept).unwrap();
    let proxy = ProbeProxy::new(client.connect(&at));
    Ends { node, _listener, server, client, proxy }
}

/// Ends a world in which one end is being closed, and returns how many still know of the sentinel.
fn left(wait: Wait, owner_goes_first: bool) -> usize {
    let (mut world, mut made) = (World::new(1), None);
    let process = world.process("both", |kernel| made = Some((kernel.handle(), ends(kernel))));
    let (handle, Ends { node, _listener, server, client, proxy }) = made.unwrap();
    let sentinel = Rc::new(());
    world.run_for(secs(1));
    let kept = sentinel.clone();
    let here = handle.clone();
    let (server, client) = world.with(process, |_| {
        let watch =
            |kept: Rc<()>| Cont::new(&here, move |_: Result<CloseReason, Error>| drop(kept));
        for endpoint in server.endpoints().into_iter().chain(client.endpoints()) {
            endpoint.on_close(watch(kept.clone()));
        }
        proxy.hold("x").forever().then(Cont::new(&here, |_: Result<String, Error>| ()));
        (server, client)
    });
    drop(kept);
    world.run_for(secs(1));
    world.with(process, |_| {
        let told = |kept: Rc<()>| Cont::new(&handle, move |_: Result<Drained, Error>| drop(kept));
        match wait {
            Wait::Nothing => {}
            Wait::Reply => server.close(told(sentinel.clone())),
            Wait::Credit => {
                (0..200).for_each(|n| proxy.note(n.to_string()).unwrap());
                client.close(told(sentinel.clone()));
            }
        }
    });
    let owners = (server, client, _listener, node, proxy, handle);
    if owner_goes_first {
        world.with(process, |_| drop(owners));
        drop(world);
    } else {
        drop(world);
        drop(owners);
    }
    Rc::strong_count(&sentinel) - 1
}

#[test]
fn nothing_is_left_of_a_process_whose_kernel_ends_while_it_closes() {
    for wait in [Wait::Nothing, Wait::Reply, Wait::Credit] {
        for owner_goes_first in [false, true] {
            assert_eq!(left(wait, owner_goes_first), 0, "{wait:?}, {owner_goes_first}");
        }
    }
}
