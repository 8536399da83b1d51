//! A simulated herd: each node a process of its own, and a client that knows all of them.
//!
//! Nothing here waits for real time; one seed, one run.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]
#![allow(dead_code, reason = "each test file uses its part")]

use peers_numbers::{Client, Herd, HerdNodeProxy, Loner};
use peers_rpc::kernel::sim::{ProcessId, World};
use peers_rpc::wire::DecodeOwned;
use peers_rpc::{Address, Audit, Call, Cancel, Cont, Endpoint, Error, Listener, Node, Rpc};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

/// A call has its outcome within this virtual time unless a test says otherwise.
const PROMPT: Duration = Duration::from_secs(10);

/// A herd comes to rest within this time when its test ends: numbers that nobody asks for any more
/// are tried to their end.
const REST: Duration = Duration::from_secs(300);

pub(crate) struct Field {
    pub(crate) world: World,
    client: ProcessId,
    rpc: Rc<Rpc>,
    members: BTreeMap<String, Member>,
    lines: Rc<RefCell<Vec<String>>>,
}

struct Member {
    process: ProcessId,
    rpc: Rc<Rpc>,
    node: Rc<Node<Herd>>,
    _listener: Rc<Listener>,
}

/// Every run ends with a check: the herd comes to rest, with no call served or made, and no credit
/// missing.
impl Drop for Field {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        self.world.heal();
        let members = self.members.values().map(|member| (member.process, &member.rpc));
        let all = members.chain([(self.client, &self.rpc)]);
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

fn address(name: &str) -> Address {
    format!("sim:{name}").parse().unwrap()
}

impl Field {
    pub(crate) fn new(seed: u64) -> Self {
        let mut world = World::new(seed);
        let mut made = None;
        let client = world.process("client", |kernel| {
            let rpc = Rc::new(Rpc::new(&kernel.handle()));
            made = Some(rpc.clone());
            rpc
        });
        let (members, lines) = (BTreeMap::new(), Rc::default());
        Self { world, client, rpc: made.unwrap(), members, lines }
    }

    /// The tutorial's herd: `a`, and `b` and `c`, who dial it.
    pub(crate) fn of_three(seed: u64) -> Self {
        let mut field = Self::new(seed);
        for (name, peers) in [("a", &[] as &[&str]), ("b", &["a"]), ("c", &["a"])] {
            field.start(name, peers);
            field.settle();
        }
        field
    }

    pub(crate) fn start(&mut self, name: &str, peers: &[&str]) {
        let peers: Vec<Address> = peers.iter().map(|peer| address(peer)).collect();
        let (lines, speaker) = (self.lines.clone(), name.to_owned());
        let voice = move |text: &str| lines.borrow_mut().push(format!("{speaker}: {text}"));
        let mut made = None;
        let process = self.world.process(name, |kernel| {
            let rpc = Rc::new(Rpc::new(&kernel.handle()));
            let herd = Herd::new(Box::new(voice));
            let (listener, node) = herd.serve(kernel, &rpc, &address(name), &peers, None).unwrap();
            let (listener, node) = (Rc::new(listener), Rc::new(node));
            made = Some((rpc.clone(), node.clone(), listener.clone()));
            (node, listener, rpc)
        });
        let (rpc, node, listener) = made.unwrap();
        let member = Member { process, rpc, node, _listener: listener };
        self.members.insert(name.to_owned(), member);
    }

    pub(crate) fn start_loner(&mut self, name: &str) {
        self.world.process(name, |kernel| {
            let rpc = Rpc::new(&kernel.handle());
            let served = Loner::serve(kernel, &rpc, &address(name), None).unwrap();
            (served, rpc)
        });
    }

    pub(crate) fn crash(&mut self, name: &str) {
        let member = self.members.remove(name).unwrap();
        self.world.crash(member.process);
    }

    /// Lets everything happen that is under way.
    pub(crate) fn settle(&mut self) {
        self.world.run_for(Duration::from_secs(2));
    }

    pub(crate) fn process(&self, name: &str) -> ProcessId {
        self.members[name].process
    }

    /// The names of a node's peers, as endpoints print them.
    pub(crate) fn peers(&self, name: &str) -> Vec<String> {
        self.members[name].node.with(|herd| herd.peers().map(ToString::to_string).collect())
    }

    pub(crate) fn rpc(&self, name: &str) -> &Rpc {
        &self.members[name].rpc
    }

    /// A new connection of the client's.
    pub(crate) fn dial(&mut self, name: &str) -> Endpoint {
        let (rpc, address) = (self.rpc.clone(), address(name));
        self.world.with(self.client, |_| rpc.connect(&address))
    }

    pub(crate) fn client(&mut self, name: &str) -> Client {
        Client::new(self.dial(name))
    }

    pub(crate) fn herd_proxy(&mut self, name: &str) -> HerdNodeProxy {
        HerdNodeProxy::new(self.dial(name))
    }

    /// Sends a call; what becomes of it is in the cell sooner or later.
    pub(crate) fn send<T: DecodeOwned + Clone + 'static>(
        &mut self,
        call: Call<T>,
    ) -> Rc<RefCell<Option<Result<T, Error>>>> {
        let outcome = Rc::new(RefCell::new(None));
        let seen = outcome.clone();
        self.world.with(self.client, |handle| {
            call.then(Cont::new(handle, move |result| {
                seen.replace(Some(result));
            }));
        });
        outcome
    }

    /// Sends a call that will be cancelled.
    pub(crate) fn send_for_now<T: DecodeOwned + 'static>(&mut self, call: Call<T>) -> Cancel {
        self.world.with(self.client, |handle| {
            call.then_cancellable(Cont::new(handle, |_: Result<T, Error>| ()))
        })
    }

    pub(crate) fn cancel(&mut self, cancels: Vec<Cancel>) {
        self.world.with(self.client, |_| cancels.into_iter().for_each(Cancel::now));
    }

    /// Sends a call and runs the world until its outcome, which comes soon.
    #[track_caller]
    pub(crate) fn ask<T: DecodeOwned + Clone + 'static>(
        &mut self,
        call: Call<T>,
    ) -> Result<T, Error> {
        self.ask_within(PROMPT, call)
    }

    /// Sends a call and runs the world until its outcome, which comes before `span` has passed.
    #[track_caller]
    pub(crate) fn ask_within<T: DecodeOwned + Clone + 'static>(
        &mut self,
        span: Duration,
        call: Call<T>,
    ) -> Result<T, Error> {
        let outcome = self.send(call);
        let end = self.world.now() + span;
        while outcome.borrow().is_none() && self.world.now() < end {
            self.world.run_for(Duration::from_millis(5));
        }
        outcome.take().unwrap_or_else(|| panic!("no outcome in {span:?}"))
    }

    pub(crate) fn take_lines(&mut self) -> Vec<String> {
        self.lines.take()
    }
}
