//! The grounds that processes meet on, and the processes.

use super::desk::Desk;
use super::outcome::Got;
use super::probe::{LocalProbe, ProbeProxy};
use super::rest::{Owners, Rest};
use super::secs;
use peers_rpc::kernel::sim::{ProcessId, World};
use peers_rpc::kernel::{Budget, Wait};
use peers_rpc::wire::DecodeOwned;
use peers_rpc::{
    Address, AlreadyBound, Binding, Call, CloseReason, Cx, Endpoint, Error, Handle, Kernel, Limits,
    Listener, Node, Reply, Rpc,
};
use std::cell::{Cell, Ref, RefCell};
use std::env;
use std::mem;
use std::process;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

/// Says how long a test may wait for one thing, in real time: a working test never comes near.
const REAL_PATIENCE: Duration = secs(30);
/// Says how soon things happen in virtual time unless a test says otherwise: what nothing holds up,
/// within this. Ways take up to some tens of milliseconds there.
const PROMPT: Duration = secs(1);
/// Says what runs everything.
enum Ground {
    Simulated(World),
    Tcp(Vec<Kernel>),
    Unix(Vec<Kernel>),
}

/// Lets processes meet.
pub(crate) struct Field {
    ground: Ground,
    /// Iff the processes survive their panics.
    lenient: bool,
    /// Iff each turn of a process runs one task.
    pub(crate) one_task: bool,
    /// Iff queues and windows that a test leaves alone are small.
    pub(super) little_room: bool,
    /// Iff sockets take and give a few bytes at once, and frames that a test leaves alone are
    /// small.
    pub(super) small_pieces: bool,
    rest: Rest,
}

/// One process: an `Rpc`, an object, a listener, and what they have seen.
pub(crate) struct Peer<S: 'static = Desk> {
    process: Option<ProcessId>,
    handle: Handle,
    owners: Rc<Owners<S>>,
    address: Address,
    accepted: Rc<RefCell<Vec<Endpoint>>>,
}

/// Says what is bound on a connection that was accepted.
type Bind<S> = fn(&Cx<S>, &Endpoint) -> Result<(), AlreadyBound>;

impl Field {
    /// A simulated world: each peer is a process of its own, and time is virtual.
    pub(crate) fn simulated(seed: u64) -> Self {
        Self::set(seed, |seed| Self::of(Ground::Simulated(World::new(seed))))
    }

    /// TCP on loopback.
    pub(crate) fn tcp() -> Self {
        Self::of(Ground::Tcp(Vec::new()))
    }

    /// Unix sockets.
    pub(crate) fn unix() -> Self {
        Self::of(Ground::Unix(Vec::new()))
    }

    fn of(ground: Ground) -> Self {
        Self {
            ground,
            lenient: false,
            one_task: false,
            little_room: false,
            small_pieces: false,
            rest: Rest::default(),
        }
    }

    /// The simulated world, for its faults.
    pub(crate) fn world(&mut self) -> &mut World {
        match &mut self.ground {
            Ground::Simulated(world) => world,
            _ => panic!("only a simulated world has faults"),
        }
    }

    /// Returns whether it is one: there, background work is done on the loop, and time is virtual.
    pub(crate) fn is_simulated(&self) -> bool {
        matches!(self.ground, Ground::Simulated(_))
    }

    // ---- processes

    /// Lets the processes that come survive the panics of their handlers, as nodes do outside of
    /// tests. Without this, a panic in a process is one of the test.
    pub(crate) fn lenient(&mut self) {
        self.lenient = true;
    }

    /// A process with the default limits.
    pub(crate) fn peer(&mut self, name: &str) -> Peer {
        self.peer_with(name, Limits::default())
    }

    /// A process that listens and serves the probe interface on every connection.
    pub(crate) fn peer_with(&mut self, name: &str, limits: Limits) -> Peer {
        self.peer_serving(name, limits, Desk::default(), LocalProbe::bind)
    }

    /// A process with an object of its own, which `bind` binds on every connection that it accepts.
    pub(crate) fn peer_serving<S: 'static>(
        &mut self,
        name: &str,
        limits: Limits,
        state: S,
        bind: Bind<S>,
    ) -> Peer<S> {
        let limits = self.limits(limits);
        let one_task = self.one_task;
        match &mut self.ground {
            Ground::Simulated(world) => {
                let address = Address::sim(name);
                let mut peer = None;
                let process = world.process(name, |kernel| {
                    if one_task {
                        kernel.set_budget(Budget { tasks: 1, ..Budget::default() });
                    }
                    peer = Some(Peer::new(kernel, &address, limits, state, bind));
                });
                if self.lenient {
                    world.lenient(process);
                }
                // What is said early is said in worlds; over sockets, where all share a thread, at
                // the end of the turn.
                world.set_peers_on_other_cpu(process, true);
                let peer = Peer { process: Some(process), ..peer.unwrap() };
                self.rest.watch(name, Some(process), &peer.owners);
                peer
            }
            Ground::Tcp(kernels) => {
                let address = "inet:localhost:0".parse().unwrap();
                kernels.push(real_kernel(!self.lenient));
                let peer = Peer::new(&kernels[kernels.len() - 1], &address, limits, state, bind);
                self.rest.watch(name, None, &peer.owners);
                peer
            }
            Ground::Unix(kernels) => {
                kernels.push(real_kernel(!self.lenient));
                let (kernel, address) = (&kernels[kernels.len() - 1], fresh_path(name));
                let peer = Peer::new(kernel, &address, limits, state, bind);
                self.rest.watch(name, None, &peer.owners);
                peer
            }
        }
    }

    /// Dials from one process to another, and serves nothing there.
    pub(crate) fn dial_only(&mut self, from: &Peer, to: &Peer<impl Sized>) -> ProbeProxy {
        let (dialler, address) = (from.rpc().dialler(), to.address.clone());
        self.on(from, move || ProbeProxy::new(dialler.connect(&address).unwrap()))
    }

    /// Dials from one process to another, and serves the probe interface there as well.
    pub(crate) fn dial(&mut self, from: &Peer, to: &Peer<impl Sized>) -> ProbeProxy {
        let (dialler, cx, address) = (from.rpc().dialler(), from.cx(), to.address.clone());
        self.on(from, move || {
            let endpoint = dialler.connect(&address).unwrap();
            LocalProbe::bind(&cx, &endpoint).unwrap();
            ProbeProxy::new(endpoint)
        })
    }

    /// Ends a process of the simulated world on the spot.
    pub(crate) fn crash(&mut self, peer: &Peer<impl Sized>) {
        self.world().crash(peer.process.unwrap());
    }

    /// A client and a server with the default limits, and the client's proxy.
    pub(crate) fn pair(&mut self) -> (Peer, Peer, ProbeProxy) {
        self.pair_with(Limits::default(), Limits::default())
    }

    /// A client and a server.
    pub(crate) fn pair_with(&mut self, client: Limits, server: Limits) -> (Peer, Peer, ProbeProxy) {
        let server = self.peer_with("server", server);
        let client = self.peer_with("client", client);
        let node = self.dial(&client, &server);
        (client, server, node)
    }

    /// Returns such a pair that has met: the hellos are exchanged.
    pub(crate) fn met_pair(&mut self) -> (Peer, Peer, ProbeProxy) {
        let (client, server, node) = self.pair();
        self.outcome(&client, node.context()).unwrap();
        (client, server, node)
    }

    /// Lets what a process of the simulated world has to say be said early, or at the end of each
    /// turn.
    pub(crate) fn speak_early(&mut self, peer: &Peer<impl Sized>, on: bool) {
        self.world().set_peers_on_other_cpu(peer.process.unwrap(), on);
    }

    // ---- driving

    /// Runs `f` as a task of that process.
    #[track_caller]
    pub(crate) fn on<R: 'static>(
        &mut self,
        peer: &Peer<impl Sized>,
        f: impl FnOnce() -> R + 'static,
    ) -> R {
        let done = Rc::new(Cell::new(None));
        let place = done.clone();
        peer.handle.schedule(move || place.set(Some(f())));
        self.wake(peer);
        let mut result = None;
        self.until(|| {
            result = result.take().or_else(|| done.take());
            result.is_some()
        });
        result.unwrap()
    }

    /// Makes a call from that process.
    pub(crate) fn start<T>(&mut self, from: &Peer<impl Sized>, call: Call<T>) -> Got<T>
    where
        T: DecodeOwned + 'static,
    {
        let (k, got) = Got::new(&from.handle);
        self.on(from, move || call.then(k));
        got
    }

    /// Waits for an outcome that may take so long in virtual time.
    #[track_caller]
    pub(crate) fn outcome_within<T>(
        &mut self,
        span: Duration,
        from: &Peer<impl Sized>,
        call: Call<T>,
    ) -> Result<T, Error>
    where
        T: DecodeOwned + 'static,
    {
        let got = self.start(from, call);
        self.until_within(span, || got.is_done());
        got.take()
    }

    /// Makes a call from that process and drives until it has its outcome.
    #[track_caller]
    pub(crate) fn outcome<T>(&mut self, from: &Peer<impl Sized>, call: Call<T>) -> Result<T, Error>
    where
        T: DecodeOwned + 'static,
    {
        let got = self.start(from, call);
        self.until(|| got.is_done());
        got.take()
    }

    /// Drives until all of these have their outcome, and gives them in order.
    #[track_caller]
    pub(crate) fn outcomes<T: 'static>(&mut self, all: &[Got<T>]) -> Vec<Result<T, Error>> {
        self.until(|| all.iter().all(Got::is_done));
        all.iter().map(Got::take).collect()
    }

    /// Waits for outcomes, the last of which may take so long in virtual time.
    #[track_caller]
    pub(crate) fn outcomes_within<T: 'static>(
        &mut self,
        span: Duration,
        all: &[Got<T>],
    ) -> Vec<Result<T, Error>> {
        self.until_within(span, || all.iter().all(Got::is_done));
        all.iter().map(Got::take).collect()
    }

    /// Answers a call that the probe of `peer` holds.
    pub(crate) fn answer(&mut self, peer: &Peer, text: &str, result: Result<&str, Error>) {
        let reply = peer.take_held(text);
        let result = result.map(str::to_owned);
        self.on(peer, move || reply.resume(result));
    }

    /// Lets each turn run all that is ready, however long the machine takes: of the peers that are
    /// there.
    pub(crate) fn take_time(&self) {
        if let Ground::Tcp(kernels) | Ground::Unix(kernels) = &self.ground {
            for kernel in kernels {
                kernel.set_budget(Budget { time: Duration::MAX, ..Budget::default() });
            }
        }
    }

    /// Lets each turn run only so many tasks: over sockets, of the peers that are there.
    pub(crate) fn take_steps(&self, tasks: u32) {
        if let Ground::Tcp(kernels) | Ground::Unix(kernels) = &self.ground {
            for kernel in kernels {
                kernel.set_budget(Budget { tasks, time: Duration::MAX });
            }
        }
    }

    /// Drives until `condition` holds, which in virtual time is soon.
    #[track_caller]
    pub(crate) fn until(&mut self, condition: impl FnMut() -> bool) {
        self.until_within(PROMPT, condition);
    }

    /// Drives until `condition` holds, in virtual time before `span` has passed.
    #[track_caller]
    pub(crate) fn until_within(&mut self, span: Duration, mut condition: impl FnMut() -> bool) {
        match &mut self.ground {
            Ground::Simulated(world) => {
                let (begun, end) = (world.now(), world.now() + span);
                while !condition() {
                    assert!(world.step(), "nothing will ever happen any more");
                    let took = world.now() - begun;
                    assert!(
                        world.now() <= end,
                        "it did not happen in {span:?}, but in {took:?} or never"
                    );
                }
            }
            Ground::Tcp(kernels) | Ground::Unix(kernels) => {
                let end = kernels[0].remote().now() + REAL_PATIENCE;
                while !condition() {
                    for kernel in kernels.iter_mut() {
                        kernel.turn(Wait::No).unwrap();
                    }
                    assert!(kernels[0].remote().now() < end, "it does not happen");
                }
            }
        }
    }

    /// Drives until that span of virtual time has passed.
    pub(crate) fn pass(&mut self, span: Duration) {
        self.world().run_for(span);
    }

    /// The virtual time since the world began.
    pub(crate) fn now(&mut self) -> Duration {
        self.world().now().since(peers_rpc::Instant::default())
    }

    /// Tells the simulated world that something was done in a process from outside.
    fn wake(&mut self, peer: &Peer<impl Sized>) {
        if let (Ground::Simulated(world), Some(process)) = (&mut self.ground, peer.process) {
            world.with(process, |_| ());
        }
    }
}

impl Field {
    /// Says that work is under way by design when the test ends, and why: then only counters are
    /// checked before the owners go.
    pub(crate) fn leaves_work_behind(&mut self, why: &'static str) {
        self.rest.left = Some(why);
    }
}

/// Every run ends with a check of the invariants.
impl Drop for Field {
    fn drop(&mut self) {
        if thread::panicking() {
            return;
        }
        let rest = mem::take(&mut self.rest);
        match &mut self.ground {
            Ground::Simulated(world) => rest.check(world),
            Ground::Tcp(kernels) | Ground::Unix(kernels) => rest.check_real(kernels),
        }
    }
}

impl<S: 'static> Peer<S> {
    fn new(kernel: &Kernel, at: &Address, limits: Limits, state: S, bind: Bind<S>) -> Self {
        let handle = kernel.handle();
        let rpc = Rpc::with_limits(&handle, limits);
        let node = kernel.node(state);
        let accepted = Rc::new(RefCell::new(Vec::new()));
        let (cx, log) = (node.cx(), accepted.clone());
        let accept = move |endpoint: Endpoint| {
            log.borrow_mut().push(endpoint.clone());
            bind(&cx, &endpoint)
        };
        let listener = rpc.listen(at, accept).unwrap();
        Self {
            process: None,
            handle,
            address: listener.address(),
            owners: Rc::new(Owners {
                rpc: RefCell::new(Some(rpc)),
                node: RefCell::new(Some(node)),
                listener: RefCell::new(Some(listener)),
            }),
            accepted,
        }
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    pub(crate) fn process(&self) -> ProcessId {
        self.process.unwrap()
    }

    pub(crate) fn rpc(&self) -> Ref<'_, Rpc> {
        Ref::map(self.owners.rpc.borrow(), |rpc| rpc.as_ref().unwrap())
    }

    /// Takes the owner of its connections away from it.
    pub(crate) fn take_rpc(&self) -> Rpc {
        self.owners.rpc.take().unwrap()
    }

    /// Takes its object away from it.
    pub(crate) fn take_node(&self) -> Node<S> {
        self.owners.node.take().unwrap()
    }

    /// Takes its listener away from it.
    pub(crate) fn take_listener(&self) -> Listener {
        self.owners.listener.take().unwrap()
    }

    /// The context of its object.
    pub(crate) fn cx(&self) -> Cx<S> {
        self.owners.node.borrow().as_ref().unwrap().cx()
    }

    /// The connections that it has accepted, oldest first.
    pub(crate) fn accepted(&self) -> Vec<Endpoint> {
        self.accepted.borrow().clone()
    }

    /// Forgets those that it has accepted so far: an endpoint keeps what is left of a connection.
    pub(crate) fn forget_accepted(&self) {
        self.accepted.take();
    }

    /// Looks at the state of its object.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&S) -> R) -> R {
        self.owners.node.borrow().as_ref().unwrap().with(look)
    }

    /// Notes why an endpoint of this process ends: a continuation that gets it, and where it will
    /// be.
    pub(crate) fn watch(&self, endpoint: &Endpoint) -> Got<CloseReason> {
        let (k, got) = Got::new(&self.handle);
        endpoint.on_close(k);
        got
    }
}

/// A path for a socket that nobody else uses.
fn fresh_path(name: &str) -> Address {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let file = format!("peers-{}-{}-{name}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    Address::unix(env::temp_dir().join(file))
}

fn real_kernel(strict: bool) -> Kernel {
    let kernel = Kernel::new().unwrap();
    kernel.set_strict(strict);
    kernel
}
