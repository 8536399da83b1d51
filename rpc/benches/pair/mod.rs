//! Two processes of a simulated world, one calling the other: a whole call, both sides and the network between them.

use peers_rpc::doc::{LocalNode, NodeProxy};
use peers_rpc::kernel::sim::World;
use peers_rpc::{Address, Binding, Cx, Error, Node, Rpc};
use std::cell::Cell;
use std::rc::Rc;

/// What is asked for, and what comes back.
const KEY: &str = "key-000000000007";

/// Answers with what it was asked for.
struct Server;

impl LocalNode for Server {
    fn put(&mut self, _: &Cx<Self>, _: &Binding, _: String, _: String) {}

    fn get(&mut self, _: &Cx<Self>, _: &Binding, key: String) -> Result<String, Error> {
        Ok(key)
    }
}

/// Makes the next call when one has been answered.
struct Client {
    server: NodeProxy,
    left: u64,
    done: Rc<Cell<u64>>,
}

impl Client {
    fn call(&mut self, cx: &Cx<Self>) {
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            let k = cx.on((), Self::found, |_, _, error, ()| panic!("a call fails: {error}"));
            self.server.get(KEY).then(k);
        }
    }

    fn found(&mut self, cx: &Cx<Self>, key: String, _: ()) {
        assert_eq!(key, KEY, "a wrong answer");
        self.done.set(self.done.get() + 1);
        self.call(cx);
    }
}

/// The world with its two processes, connected.
pub(crate) struct Pair {
    world: World,
    client: Cx<Client>,
    done: Rc<Cell<u64>>,
    process: peers_rpc::kernel::sim::ProcessId,
}

impl Pair {
    pub(crate) fn new() -> Self {
        let mut world = World::new(1);
        let address = Address::Sim("server".to_owned());
        world.process("server", |kernel| {
            let (rpc, node) = (Rpc::new(&kernel.handle()), kernel.node(Server));
            let cx = node.cx();
            let listener = rpc.listen(&address, move |endpoint| LocalNode::bind(&cx, &endpoint));
            (listener.expect("the name is free"), rpc, node)
        });
        let done = Rc::new(Cell::new(0));
        let mut client = None;
        let process = world.process("client", |kernel| {
            let rpc = Rpc::new(&kernel.handle());
            let server = NodeProxy::new(rpc.connect(&address));
            let node: Node<Client> = kernel.node(Client { server, left: 0, done: done.clone() });
            client = Some(node.cx());
            (rpc, node)
        });
        let mut pair =
            Self { world, client: client.expect("the client has started"), done, process };
        pair.calls(1, 1);
        pair
    }

    /// Makes so many calls, so many of them at a time. How many events of the world that took.
    pub(crate) fn calls(&mut self, calls: u64, at_a_time: u64) -> u64 {
        let end = self.done.get() + calls;
        let first = move |client: &mut Client, cx: &Cx<Client>| {
            client.left = calls;
            (0..at_a_time).for_each(|_| client.call(cx));
        };
        let client = self.client.clone();
        self.world.with(self.process, move |_| client.schedule(first));
        let mut events = 0;
        while self.done.get() < end {
            assert!(self.world.step(), "calls are left, and nothing happens any more");
            events += 1;
        }
        events
    }
}
