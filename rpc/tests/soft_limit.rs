//! Requests that wait because the socket is full leave as soon as it is not, though the peer
//! answers nothing.

use peers_rpc::kernel::sim::World;
use peers_rpc::stub::{Incoming, Served};
use peers_rpc::wire::method_id;
use peers_rpc::{Address, Caller, Context, Convention, Endpoint, Interface, Method, Reply, Rpc};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

const HOLD_ID: u64 = method_id("test.holder.hold(bytes)->()");

static HOLD: Method = Method {
    id: HOLD_ID,
    name: "test.holder.hold",
    rust_name: "hold",
    signature: "hold(data: bytes)",
    convention: Convention::Async,
    timeout: Some(Duration::ZERO),
    throws: &[],
    doc: "",
    deprecated: None,
};

static HOLDER: Interface = Interface::new("test.holder", &[&HOLD]);

/// Keeps every reply for ever.
struct Holder {
    replies: Vec<Reply<()>>,
    received: Rc<Cell<usize>>,
}

fn serve(holder: &mut Holder, _: &Context<'_, Holder>, call: Incoming<'_>) -> Served {
    call.later(|(data,): (Vec<u8>,), reply| {
        holder.received.set(holder.received.get() + data.len());
        holder.replies.push(reply);
    })
}

/// A world with a server that counts the bytes of calls that it never answers.
fn holding() -> (World, Address, Rc<Cell<usize>>) {
    let mut world = World::new(1);
    let address: Address = "sim:holder".parse().expect("an address");
    let received = Rc::new(Cell::new(0));
    let (at, count) = (address.clone(), received.clone());
    world.process("server", move |kernel| {
        let rpc = Rpc::new(&kernel.handle());
        let node = kernel.node(Holder { replies: Vec::new(), received: count });
        let cx = node.cx();
        let bind = move |endpoint: Endpoint| endpoint.bind(&cx, &HOLDER, serve);
        let listener = rpc.listen(&at, bind).expect("a free name");
        (rpc, node, listener)
    });
    (world, address, received)
}

fn hold(endpoint: &Endpoint, size: usize) {
    endpoint.call::<()>(&HOLD, (vec![7_u8; size],)).then_or(|()| {}, |_| {});
}

#[test]
fn megabytes_of_unanswered_requests_arrive_without_waiting_for_a_ping() {
    const CALLS: usize = 400;
    const SIZE: usize = 10_000;
    let (mut world, address, received) = holding();
    world.process("client", move |kernel| {
        let rpc = Rpc::new(&kernel.handle());
        let endpoint = rpc.connect(&address);
        (0..CALLS).for_each(|_| hold(&endpoint, SIZE));
        rpc
    });
    world.run_for(Duration::from_secs(10));
    assert_eq!(received.get(), CALLS * SIZE);
}

#[test]
fn a_request_behind_a_large_one_that_has_left_does_not_wait() {
    const LARGE: usize = 3 << 20;
    let (mut world, address, received) = holding();
    world.process("client", move |kernel| {
        let rpc = Rpc::new(&kernel.handle());
        let endpoint = rpc.connect(&address);
        let handle = kernel.handle();
        for (seconds, size) in [(1, LARGE), (3, 10), (5, 20)] {
            let endpoint = endpoint.clone();
            handle.after(Duration::from_secs(seconds), move || hold(&endpoint, size));
        }
        rpc
    });
    world.run_for(Duration::from_secs(2));
    assert_eq!(received.get(), LARGE);
    world.run_for(Duration::from_secs(2));
    assert_eq!(received.get(), LARGE + 10);
    world.run_for(Duration::from_secs(2));
    assert_eq!(received.get(), LARGE + 30);
}
