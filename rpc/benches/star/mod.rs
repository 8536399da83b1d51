//! Processes of a simulated world that call one of them: whole calls, both sides and the network
//! between them.

use peers_rpc::doc::{LocalNode, NodeProxy};
use peers_rpc::kernel::sim::{ProcessId, World};
use peers_rpc::{Address, Context, Cx, Error, Node, Rpc};
use std::cell::Cell;
use std::rc::Rc;

/// The argument of each call, and its answer.
pub(crate) const KEY: &str = "key-000000000007";

/// Answers with what it was asked for.
pub(crate) struct Server;

impl LocalNode for Server {
    fn put(&mut self, _: &Context<'_, Self>, _: String, _: String) {}

    fn get(&mut self, _: &Context<'_, Self>, key: String) -> Result<String, Error> {
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

/// The world with its processes, connected.
pub(crate) struct Star {
    world: World,
    clients: Vec<(ProcessId, Cx<Client>)>,
    done: Rc<Cell<u64>>,
}

impl Star {
    /// One that serves, and so many that call.
    pub(crate) fn new(clients: usize) -> Self {
        let mut world = World::new(1);
        let address = Address::sim("server");
        world.process("server", |kernel| {
            let (rpc, node) = (Rpc::new(&kernel.handle()), kernel.node(Server));
            let cx = node.cx();
            let listener = rpc.listen(&address, move |endpoint| LocalNode::bind(&cx, &endpoint));
            (listener.expect("the name is free"), rpc, node)
        });
        let mut star = Self { world, clients: Vec::new(), done: Rc::default() };
        (0..clients).for_each(|number| star.enter(number, &address));
        star.calls(1, 1);
        star
    }

    fn enter(&mut self, number: usize, address: &Address) {
        let mut cx = None;
        let process = self.world.process(&format!("client-{number}"), |kernel| {
            let rpc = Rpc::new(&kernel.handle());
            let server = NodeProxy::new(rpc.connect(address));
            let node: Node<Client> =
                kernel.node(Client { server, left: 0, done: self.done.clone() });
            cx = Some(node.cx());
            (rpc, node)
        });
        self.clients.push((process, cx.expect("the client has started")));
    }

    /// Lets each client make so many calls, so many of them at a time. How many events of the world
    /// that took.
    pub(crate) fn calls(&mut self, calls: u64, at_a_time: u64) -> u64 {
        let end = self.done.get() + calls * self.clients.len() as u64;
        for (process, cx) in &self.clients {
            self.world.with(*process, |_| {
                cx.schedule(move |client, cx| {
                    client.left = calls;
                    (0..at_a_time).for_each(|_| client.call(cx));
                })
            });
        }
        let mut events = 0;
        while self.done.get() < end {
            assert!(self.world.step(), "calls are left, and nothing happens any more");
            events += 1;
        }
        events
    }
}
