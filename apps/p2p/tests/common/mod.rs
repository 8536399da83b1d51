//! A network of simulated nodes, each in a process of its own, and a client that knows all of them.
//!
//! Nothing here waits for real time; one seed, one run.

#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod graphs;

use peers_p2p::{Bounds, P2pNode, P2pNodeProxy, Requests, limits};
use peers_rpc::kernel::sim::{ProcessId, World};
use peers_rpc::wire::DecodeOwned;
use peers_rpc::{Address, Audit, Call, Cont, Error, Listener, Node, Rpc};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

/// A call has its outcome within this virtual time unless a test says otherwise.
const PROMPT: Duration = Duration::from_secs(5);

/// A network comes to rest within this time when its test ends.
const REST: Duration = Duration::from_secs(60);

pub(crate) struct Net {
    pub(crate) world: World,
    pub(crate) bounds: Bounds,
    client: (ProcessId, Rc<Rpc>),
    members: BTreeMap<String, Member>,
    proxies: BTreeMap<String, P2pNodeProxy>,
    lines: Rc<RefCell<Vec<String>>>,
}

struct Member {
    process: ProcessId,
    rpc: Rc<Rpc>,
    node: Rc<Node<P2pNode>>,
    _listener: Rc<Listener>,
}

pub(crate) fn address(name: &str) -> Address {
    format!("sim:{name}").parse().unwrap()
}

impl Net {
    pub(crate) fn new(seed: u64) -> Self {
        let mut world = World::new(seed);
        let client = start_client(&mut world, "client");
        let (members, proxies) = (BTreeMap::new(), BTreeMap::new());
        Self { world, bounds: Bounds::default(), client, members, proxies, lines: Rc::default() }
    }

    /// Nodes `0..n` with these links; the greater number dials.
    pub(crate) fn graph(seed: u64, n: usize, links: &[(usize, usize)]) -> Self {
        Self::bounded_graph(seed, n, links, Bounds::default())
    }

    pub(crate) fn bounded_graph(
        seed: u64,
        n: usize,
        links: &[(usize, usize)],
        bounds: Bounds,
    ) -> Self {
        let mut net = Self::new(seed);
        net.bounds = bounds;
        for node in 0..n {
            let dials = links.iter().filter(|(a, b)| *a.max(b) == node).map(|(a, b)| *a.min(b));
            let dials: Vec<String> = dials.map(|peer| peer.to_string()).collect();
            let dials: Vec<&str> = dials.iter().map(String::as_str).collect();
            net.start(&node.to_string(), &dials);
        }
        net.settle();
        net.take_lines();
        net
    }

    /// The tutorial's: n1 and n4 with links to n2 and n3.
    pub(crate) fn diamond(seed: u64) -> Self {
        let mut net = Self::new(seed);
        for (name, peers) in [("n1", &[] as &[&str]), ("n2", &["n1"]), ("n3", &["n1"])] {
            net.start(name, peers);
            net.settle();
        }
        net.start("n4", &["n2", "n3"]);
        net.settle();
        net
    }

    /// Connects the client to a node, and lets every parcel travel for 10 ms from now on.
    pub(crate) fn slow_motion(&mut self, name: &str) {
        self.proxy(name);
        self.settle();
        let time = Duration::from_millis(10);
        self.world.set_latency(time..=time);
    }

    /// Starts a node, which dials those peers.
    pub(crate) fn start(&mut self, name: &str, peers: &[&str]) {
        let lines = self.lines.clone();
        let voice = move |address: &Address, text: &str| {
            lines.borrow_mut().push(format!("[{address}]: {text}"));
        };
        let node = P2pNode::with_bounds(Box::new(voice), self.bounds.clone());
        let peers: Vec<Address> = peers.iter().map(|peer| address(peer)).collect();
        let mut made = None;
        let process = self.world.process(name, |kernel| {
            let rpc = Rc::new(Rpc::with_limits(&kernel.handle(), limits()));
            let served = node.serve(kernel, &rpc, &address(name), &peers, None).unwrap();
            let (listener, node) = (Rc::new(served.0), Rc::new(served.1));
            made = Some((rpc.clone(), node.clone(), listener.clone()));
            (rpc, node, listener)
        });
        let (rpc, node, _listener) = made.unwrap();
        self.members.insert(name.to_owned(), Member { process, rpc, node, _listener });
    }

    /// Ends a node as `kill -9` does.
    pub(crate) fn crash(&mut self, name: &str) {
        let process = self.process(name);
        self.world.crash(process);
        self.members.remove(name);
        self.settle();
    }

    /// Lets what was begun come to its end.
    pub(crate) fn settle(&mut self) {
        self.world.run_for(Duration::from_millis(200));
    }

    pub(crate) fn process(&self, name: &str) -> ProcessId {
        self.members[name].process
    }

    pub(crate) fn client_process(&self) -> ProcessId {
        self.client.0
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.members.keys().cloned().collect()
    }

    pub(crate) fn requests(&self, name: &str) -> Requests {
        self.members[name].node.with(P2pNode::requests)
    }

    pub(crate) fn value(&self, name: &str, key: &str) -> Option<String> {
        self.members[name].node.with(|node| node.value(key).map(str::to_owned))
    }

    pub(crate) fn peers(&self, name: &str) -> Vec<String> {
        self.members[name].node.with(|node| node.peers().map(str::to_owned).collect())
    }

    /// Connections that a node has.
    pub(crate) fn connections(&self, name: &str) -> usize {
        self.members[name].rpc.endpoints().len()
    }

    pub(crate) fn running(&self, name: &str) -> usize {
        self.members[name].rpc.running()
    }

    /// The lines printed since the last time.
    pub(crate) fn take_lines(&mut self) -> Vec<String> {
        self.lines.take()
    }

    /// A proxy for a node, as the client has it: one connection for all of its calls.
    pub(crate) fn proxy(&mut self, name: &str) -> P2pNodeProxy {
        if let Some(known) = self.proxies.get(name).filter(|known| known.caller().is_open()) {
            return known.clone();
        }
        let rpc = self.client.1.clone();
        let endpoint = self.world.with(self.client.0, |_| rpc.connect(&address(name)));
        endpoint.set_keepalive(Duration::ZERO);
        let proxy = P2pNodeProxy::new(endpoint);
        self.proxies.insert(name.to_owned(), proxy.clone());
        proxy
    }

    /// Sends a call from the client, and says where its outcome will be.
    pub(crate) fn begin<T: DecodeOwned + 'static>(
        &mut self,
        name: &str,
        call: impl FnOnce(&P2pNodeProxy) -> Call<T>,
    ) -> Rc<RefCell<Option<Result<T, Error>>>> {
        let outcome = Rc::new(RefCell::new(None));
        let (proxy, told) = (self.proxy(name), outcome.clone());
        self.world.with(self.client.0, |handle| {
            call(&proxy).then(Cont::new(handle, move |result| {
                told.replace(Some(result));
            }));
        });
        outcome
    }

    /// Runs until there is an outcome, which is soon.
    pub(crate) fn finish<T>(
        &mut self,
        outcome: &RefCell<Option<Result<T, Error>>>,
    ) -> Result<T, Error> {
        self.finish_within(PROMPT, outcome)
    }

    /// Runs until there is an outcome, before `span` has passed.
    #[track_caller]
    pub(crate) fn finish_within<T>(
        &mut self,
        span: Duration,
        outcome: &RefCell<Option<Result<T, Error>>>,
    ) -> Result<T, Error> {
        let end = self.world.now() + span;
        while outcome.borrow().is_none() {
            assert!(self.world.step(), "nothing will ever happen any more");
            assert!(self.world.now() <= end, "no outcome in {span:?}");
        }
        outcome.take().unwrap()
    }

    pub(crate) fn ask<T: DecodeOwned + 'static>(
        &mut self,
        name: &str,
        call: impl FnOnce(&P2pNodeProxy) -> Call<T>,
    ) -> Result<T, Error> {
        let outcome = self.begin(name, call);
        self.finish(&outcome)
    }

    /// Asks likewise where the outcome may take so long.
    pub(crate) fn ask_within<T: DecodeOwned + 'static>(
        &mut self,
        span: Duration,
        name: &str,
        call: impl FnOnce(&P2pNodeProxy) -> Call<T>,
    ) -> Result<T, Error> {
        let outcome = self.begin(name, call);
        self.finish_within(span, &outcome)
    }

    pub(crate) fn put(&mut self, name: &str, key: &str, value: &str) {
        self.send_put(name, key, value);
        self.settle();
    }

    /// Puts a value without waiting until it has arrived.
    pub(crate) fn send_put(&mut self, name: &str, key: &str, value: &str) {
        let proxy = self.proxy(name);
        self.world.with(self.client.0, |_| proxy.put(key, value)).unwrap();
    }

    pub(crate) fn get(&mut self, name: &str, key: &str) -> Result<String, Error> {
        self.ask(name, |node| node.get(key))
    }

    pub(crate) fn get_all(&mut self, name: &str, key: &str) -> Vec<String> {
        self.ask(name, |node| node.get_all(key)).unwrap().into_iter().collect()
    }
}

/// Every run ends with a check: the network comes to rest, with no call served or made, and no
/// credit missing.
impl Drop for Net {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        self.world.heal();
        let members = self.members.values().map(|member| (member.process, &member.rpc));
        let all = members.chain([(self.client.0, &self.client.1)]);
        let running = all.filter(|(process, _)| self.world.is_running(*process));
        let audits: Vec<Audit> = running.map(|(_, rpc)| rpc.audit()).collect();
        audits.iter().try_for_each(Audit::consistent).expect("invariants hold when the test ends");
        let end = self.world.now() + REST;
        while let Err(broken) = at_rest(&audits) {
            assert!(self.world.now() < end, "it does not come to rest: {broken}");
            self.world.run_for(Duration::from_millis(500));
        }
    }
}

fn at_rest(audits: &[Audit]) -> Result<(), String> {
    audits.iter().try_for_each(Audit::quiet)?;
    let others = |(at, one)| audits[..at].iter().map(move |other| (one, other));
    audits.iter().enumerate().flat_map(others).try_for_each(|(one, other)| one.agrees_with(other))
}

/// A process with nothing but connections.
pub(crate) fn start_client(world: &mut World, name: &str) -> (ProcessId, Rc<Rpc>) {
    let mut made = None;
    let process = world.process(name, |kernel| {
        let rpc = Rc::new(Rpc::with_limits(&kernel.handle(), limits()));
        made = Some(rpc.clone());
        rpc
    });
    (process, made.unwrap())
}
