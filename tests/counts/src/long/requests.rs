//! Requests that go the longer ways: calls made for other calls, calls that wait for credit, and
//! events.

use crate::star::{KEY, Server, Star};
use peers_rpc::doc::{LocalNode, NodeProxy};
use peers_rpc::kernel::sim::{ProcessId, World};
use peers_rpc::stub::{Incoming, Served};
use peers_rpc::wire::method_id;
use peers_rpc::{
    Address, AlreadyBound, Caller, Context, Convention, Cx, Endpoint, Error, Interface, Method,
    Node, Reply, Rpc,
};
use std::cell::Cell;
use std::rc::Rc;

/// More calls than a peer grants credit for, and as many as may wait.
pub(crate) const MANY: u64 = 65_536;

pub(crate) fn waiting_call(calls: u64) {
    Star::new(1).calls(calls, MANY);
}

/// Requests that are made together.
const TOGETHER: u64 = 64;

/// Asks somebody else.
static ASK: Method = Method {
    id: method_id("counts.relay.ask(string)->string"),
    name: "counts.relay.ask",
    rust_name: "ask",
    signature: "ask(key: string) -> string",
    convention: Convention::Async,
    timeout: None,
    throws: &[],
    doc: "",
    deprecated: None,
};

static RELAY: Interface = Interface::new("counts.relay", &[&ASK]);

/// Answers calls with what another one is told that it makes for them.
struct Relay {
    server: NodeProxy,
}

impl Relay {
    fn serve(&mut self, _: &Context<'_, Self>, call: Incoming<'_>) -> Served {
        call.later(|(key,): (String,), reply: Reply<String>| self.server.get(key).then(reply))
    }
}

/// Makes the next call when one has been answered.
struct Client {
    relay: Endpoint,
    left: u64,
    done: Rc<Cell<u64>>,
}

impl Client {
    fn call(&mut self, cx: &Cx<Self>) {
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            let k = cx.on((), Self::found, |_, _, error, ()| panic!("a call fails: {error}"));
            self.relay.call::<String>(&ASK, (KEY,)).then(k);
        }
    }

    fn found(&mut self, cx: &Cx<Self>, key: String, _: ()) {
        assert_eq!(key, KEY, "a wrong answer");
        self.done.set(self.done.get() + 1);
        self.call(cx);
    }
}

fn address(name: &str) -> Address {
    Address::sim(name)
}

/// Lets a process of its own serve an object.
fn serve<S: 'static>(
    world: &mut World,
    name: &str,
    state: impl FnOnce(&Rpc) -> S,
    bind: impl Fn(&Cx<S>, &Endpoint) -> Result<(), AlreadyBound> + 'static,
) {
    world.process(name, |kernel| {
        let rpc = Rpc::new(&kernel.handle());
        let node = kernel.node(state(&rpc));
        let cx = node.cx();
        let listener = rpc.listen(&address(name), move |endpoint| bind(&cx, &endpoint));
        (listener.expect("the name is free"), rpc, node)
    });
}

/// Lets a process of its own do what comes to hand with an endpoint that it dials.
fn client<S: 'static>(
    world: &mut World,
    to: &str,
    state: impl FnOnce(Endpoint) -> S,
) -> (ProcessId, Cx<S>) {
    let mut cx = None;
    let process = world.process("client", |kernel| {
        let rpc = Rpc::new(&kernel.handle());
        let node: Node<S> = kernel.node(state(rpc.connect(&address(to))));
        cx = Some(node.cx());
        (rpc, node)
    });
    (process, cx.expect("the client has started"))
}

fn run_until(world: &mut World, done: &Cell<u64>, end: u64) {
    while done.get() < end {
        assert!(world.step(), "something is left, and nothing happens any more");
    }
}

pub(crate) fn nested_call(calls: u64) {
    let (mut world, done) = (World::new(1), Rc::new(Cell::new(0)));
    serve(&mut world, "server", |_| Server, LocalNode::bind);
    let relay = |rpc: &Rpc| Relay { server: NodeProxy::new(rpc.connect(&address("server"))) };
    serve(&mut world, "relay", relay, |cx, end| end.bind(cx, &RELAY, Relay::serve));
    let (process, cx) =
        client(&mut world, "relay", |relay| Client { relay, left: 0, done: done.clone() });
    world.with(process, |_| {
        cx.schedule(move |client, cx| {
            client.left = calls;
            (0..TOGETHER).for_each(|_| client.call(cx));
        })
    });
    run_until(&mut world, &done, calls);
}

/// Counts the events that come.
struct Listener {
    heard: Rc<Cell<u64>>,
}

impl LocalNode for Listener {
    fn put(&mut self, _: &Context<'_, Self>, key: String, value: String) {
        assert_eq!(key, value, "another event");
        self.heard.set(self.heard.get() + 1);
    }

    fn get(&mut self, _: &Context<'_, Self>, key: String) -> Result<String, Error> {
        Ok(key)
    }
}

pub(crate) fn event(events: u64) {
    assert!(events.is_multiple_of(TOGETHER), "{events} events are no batches of {TOGETHER}");
    let (mut world, heard) = (World::new(1), Rc::new(Cell::new(0)));
    let listener = Listener { heard: heard.clone() };
    serve(&mut world, "server", |_| listener, LocalNode::bind);
    let (process, cx) = client(&mut world, "server", NodeProxy::new);
    for batch in 1..=events / TOGETHER {
        world.with(process, |_| {
            cx.schedule(|node: &mut NodeProxy, _| {
                (0..TOGETHER).for_each(|_| node.put(KEY, KEY).expect("there is room"));
            })
        });
        run_until(&mut world, &heard, batch * TOGETHER);
    }
}
