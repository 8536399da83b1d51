//! A simulated world: processes with kernels of their own, on one virtual clock and one in-memory
//! network.
//!
//! The code that runs in it is the code that runs on the operating system; only the host differs.
//! Everything that is left to chance (latency, where bytes are cut, who is first) is drawn from one
//! seed, so a run can be repeated byte for byte. Clock and network are in `net` and `ends`, the
//! host that kernels see is in `host`.
//!
//! Invariants:
//! 1. Same seed and same program, same run: [`World::trace_hash`] tells. Kept by
//!    `many_clients_are_served_in_an_order_drawn_from_the_seed`.
//! 2. One process runs at a time, and time stands still while it does. Kept by `turn`.
//! 3. Nothing here touches the operating system. Kept by `tests/tests/rooms.rs`.
//! 4. A panic in a process is one of whoever runs the world, on its own stack, unless the process
//!    is lenient. Kept by `tests/strict.rs`.

use crate::core::handle::Handle;
use crate::host::sim::host::SimHost;
use crate::host::sim::network::{HostState, Net, Process, Step, TURN};
use crate::host::throttle;
use crate::host::time::Instant;
use crate::io::address::Address;
use crate::kernel::{Kernel, Wait};
use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::ops::RangeInclusive;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::thread::panicking;
use std::time::Duration;

/// Processes, the network between them, and the faults that befall both.
///
/// It is strict: after a panic in a handler, a timer or a continuation, or in what is dropped, no
/// other task runs, and what drives the world ([`step`](Self::step),
/// [`run_until`](Self::run_until)) panics with its text and its place. So a failed assertion fails
/// the test, wherever it stands. Whoever tests that a node survives its panics says
/// [`lenient`](Self::lenient).
///
/// ```
/// use peers_kernel::{Cont, Input, Stream, sim::World};
/// use std::time::Duration;
///
/// let mut world = World::new(7);
/// let server = world.process("server", |kernel| {
///     let serve = |stream: Stream| {
///         stream.start(|outlet, input| {
///             if let Input::Bytes(bytes) = input {
///                 outlet.write(bytes).unwrap();
///             }
///         });
///     };
///     kernel.handle().listen(&"sim:echo".parse().unwrap(), serve).unwrap()
/// });
/// world.process("client", |kernel| {
///     let handle = kernel.handle();
///     let connected = Cont::new(&handle, |stream: Result<Stream, std::io::Error>| {
///         stream.unwrap().start(|_, input| println!("{input:?}")).write(b"hello").unwrap();
///     });
///     handle.connect(&"sim:echo".parse().unwrap(), connected);
/// });
/// world.run_for(Duration::from_secs(1));
/// world.crash(server);
/// world.run_for(Duration::from_secs(1));
/// ```
pub struct World {
    net: Rc<RefCell<Net>>,
    /// One place for each process ever started; empty iff it does not run.
    processes: Vec<Option<Running>>,
}

/// Names a process of a world. A process that is started again under its name keeps its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessId(Process);

struct Running {
    owners: Box<dyn Any>,
    kernel: Kernel,
    /// The instant of its last turn, and how many it has had then.
    turns: (Instant, u32),
}

impl Running {
    /// Drops everything of it, its owners before their kernel, and returns the panic that was met
    /// and not told yet.
    fn end(self) -> Option<String> {
        // In this order: owners use their kernel while they are dropped, and what they drop is its.
        let Self { owners, kernel, .. } = self;
        let core = kernel.handle().core;
        core.drop_quietly(owners);
        core.close();
        let failure = core.take_failure();
        drop(kernel);
        failure
    }

    /// Counts a turn; true if there have been so many at this instant that only the passing of time
    /// helps.
    fn is_stuck_at(&mut self, now: Instant) -> bool {
        let (at, count) = self.turns;
        self.turns = (now, if at == now { count + 1 } else { 0 });
        self.turns.1 >= TURNS_AT_ONCE
    }
}

/// Turns of one process at one instant, before time moves on though it still has something to do.
const TURNS_AT_ONCE: u32 = 8;

impl World {
    /// Makes an empty world at time zero.
    pub fn new(seed: u64) -> Self {
        Self { net: Rc::new(RefCell::new(Net::new(seed, false))), processes: Vec::new() }
    }

    /// Starts a process: `boot` sets it up, and what it returns is kept until the process ends. A
    /// process ends by [`World::crash`] or by [`Handle::stop`]; then it may be started again under
    /// the same name, with nothing of its former state.
    ///
    /// # Panics
    /// If a process of that name is running.
    pub fn process<T: 'static>(
        &mut self,
        name: &str,
        boot: impl FnOnce(&Kernel) -> T,
    ) -> ProcessId {
        let process = self.place_for(name);
        let host = SimHost { net: self.net.clone(), process };
        let kernel = start(host);
        kernel.set_strict(!self.net.borrow().hosts[process].lenient);
        let owners = Box::new(boot(&kernel));
        self.processes[process] = Some(Running { owners, kernel, turns: (Instant::default(), 0) });
        self.wake(process);
        ProcessId(process)
    }

    fn place_for(&mut self, name: &str) -> Process {
        let mut net = self.net.borrow_mut();
        let known = net.hosts.iter().position(|host| host.name == name);
        let process = known.unwrap_or(net.hosts.len());
        assert!(
            known.is_none_or(|known| self.processes[known].is_none()),
            "process {name} is running: crash it before starting it again"
        );
        if known.is_none() {
            net.hosts.push(HostState { name: name.to_owned(), ..HostState::default() });
            self.processes.push(None);
        }
        net.hosts[process].alive = true;
        process
    }

    // ---- time

    /// Returns the virtual time.
    pub fn now(&self) -> Instant {
        self.net.borrow().now
    }

    /// Handles one event; false if there is none, which means that nothing will ever happen by
    /// itself again.
    pub fn step(&mut self) -> bool {
        self.step_until(Instant::FAR)
    }

    /// Handles all events until `end`, which the time is then. Every process gets a turn first, so
    /// that what was done to its outlets, nodes and listeners from outside has its effect.
    pub fn run_until(&mut self, end: Instant) {
        for process in 0..self.processes.len() {
            self.wake(process)
        }
        // Also what is due at `end` itself.
        while self.step_until(end) {}
        let mut net = self.net.borrow_mut();
        net.now = net.now.max(end);
    }

    /// Handles all events of that span of time.
    pub fn run_for(&mut self, span: Duration) {
        self.run_until(self.now() + span)
    }

    fn step_until(&mut self, limit: Instant) -> bool {
        let step = self.net.borrow_mut().step(limit);
        match step {
            Step::Nothing => false,
            Step::Handled => true,
            Step::Turn(process) => {
                self.turn(process);
                true
            }
        }
    }

    fn turn(&mut self, process: Process) {
        let Some(running) = &mut self.processes[process] else { return };
        let _current = throttle::enter(&running.kernel.core().throttle);
        // The first half of a turn has run if its handlers took time; only the wait is left.
        let began = self.net.borrow().now;
        if !self.net.borrow().hosts[process].in_turn {
            running.kernel.core().read_clock();
            running.kernel.run_tasks();
        }
        let mut net = self.net.borrow_mut();
        debug_assert_eq!(net.now, began, "time stands still while a process runs");
        let until = net.clock(process);
        net.hosts[process].in_turn = until > net.now;
        if until > net.now {
            return net.want_turn(process, until); // it looks outside when its handlers are done
        }
        drop(net);
        turned(running.kernel.look_outside(Wait::No));
        if running.kernel.core().stopping.get() {
            turned(running.kernel.drain());
            let mut net = self.net.borrow_mut();
            net.hosts[process].alive = false;
            net.set_free(process);
            drop(net);
            return self.end(process);
        }
        if let Some(wake) = running.kernel.next_wake() {
            let mut net = self.net.borrow_mut();
            // A process that never runs dry would stop the clock for all others.
            let at = if running.is_stuck_at(net.now) { net.now + TURN } else { wake };
            net.want_turn(process, at);
        }
    }

    /// Drops a process, and panics if something of it did.
    fn end(&mut self, process: Process) {
        let Some(running) = self.processes[process].take() else { return };
        if let Some(text) = running.end() {
            let name = self.net.borrow().hosts[process].name.clone();
            resume_unwind(Box::new(format!("at the end of the process {name}: {text}")))
        }
    }

    fn wake(&self, process: Process) {
        let mut net = self.net.borrow_mut();
        let now = net.now;
        net.want_turn(process, now);
    }

    // ---- processes

    /// Runs `f` in a process, now, between its tasks. It sees the time of the world.
    ///
    /// # Panics
    /// If the process is not running.
    pub fn with<R>(&mut self, process: ProcessId, f: impl FnOnce(&Handle) -> R) -> R {
        let Some(running) = self.processes[process.0].as_mut() else {
            let name = self.net.borrow().hosts[process.0].name.clone();
            panic!(
                "the process {name} is not running: it was crashed, or has not been started again"
            )
        };
        let handle = running.kernel.handle();
        let _current = throttle::enter(&handle.core.throttle);
        handle.core.read_clock();
        let result = f(&handle);
        running.kernel.raise();
        self.wake(process.0);
        result
    }

    /// Returns whether a process has neither crashed nor stopped.
    pub fn is_running(&self, process: ProcessId) -> bool {
        self.processes[process.0].is_some()
    }

    /// Kills a process: nothing of it runs any more, and its listeners are gone. What it has sent
    /// still arrives, and then its peers hear what the system says for it: the end of the stream if
    /// it had read all that they sent, else a reset. Whoever dials it is refused.
    pub fn crash(&mut self, process: ProcessId) {
        self.net.borrow_mut().crash(process.0);
        self.end(process.0);
    }

    /// Lets a process survive the panics of its handlers, as it does on a real kernel: for tests of
    /// just that. It stays so when the process is started again.
    pub fn lenient(&mut self, process: ProcessId) {
        self.net.borrow_mut().hosts[process.0].lenient = true;
        if let Some(running) = &self.processes[process.0] {
            running.kernel.set_strict(false)
        }
    }

    /// Gives a process no turn for `span`, as if its machine were busy. Bytes still arrive
    /// meanwhile.
    pub fn stall(&mut self, process: ProcessId, span: Duration) {
        let mut net = self.net.borrow_mut();
        let until = net.now + span;
        net.hosts[process.0].stalled_until = until;
    }

    /// Stops a process, as SIGSTOP does, until [`resume`](Self::resume). The system keeps its
    /// connections: bytes for it pile up, dialling it succeeds, nobody is told. Its clock goes on.
    pub fn stop(&mut self, process: ProcessId) {
        self.net.borrow_mut().hosts[process.0].stopped = true;
    }

    /// Lets a process that was stopped continue. Unless it had something to do, it was stopped in
    /// its wait, which is interrupted by that: the kernel hears of the time that has passed before
    /// it hears of what came meanwhile.
    pub fn resume(&mut self, process: ProcessId) {
        let Some(running) = &self.processes[process.0] else { return };
        // Whoever was stopped at work finds no interrupted wait when it continues.
        let waited = !running.kernel.core().is_ready();
        let mut net = self.net.borrow_mut();
        let host = &mut net.hosts[process.0];
        if std::mem::take(&mut host.stopped) {
            host.interrupted |= waited && !host.in_turn;
            host.in_turn |= waited;
        }
        drop(net);
        self.wake(process.0);
    }

    /// Lets a process refuse every connection, or accept them again.
    pub fn refuse(&mut self, process: ProcessId, on: bool) {
        self.net.borrow_mut().hosts[process.0].refusing = on;
    }

    /// Takes all descriptors away from a process, so that it can neither accept nor dial, or gives
    /// them back.
    pub fn exhaust(&mut self, process: ProcessId, on: bool) {
        self.net.borrow_mut().hosts[process.0].exhausted = on;
    }

    /// Lets the peers of a process count as working while it does, each on a processor of its own,
    /// or on the same as it, as at first: what
    /// [`Outlet::is_peer_on_other_cpu`](crate::Outlet::is_peer_on_other_cpu) says there.
    pub fn set_peers_on_other_cpu(&mut self, process: ProcessId, on: bool) {
        self.net.borrow_mut().hosts[process.0].peers_on_other_cpu = on;
    }

    // ---- the network

    /// Sets how long a parcel travels, from now on: drawn from this range each time, but never
    /// overtaking.
    pub fn set_latency(&mut self, latency: RangeInclusive<Duration>) {
        self.net.borrow_mut().latency = latency;
    }

    /// Cuts what is read, written and sent into small pieces, the next `times` times: of little at
    /// most `most` bytes at once, of much at most a 32nd. So frames begin and end anywhere, and one
    /// that is read whole is the exception.
    pub fn in_pieces(&mut self, most: usize, times: u64) {
        self.net.borrow_mut().pieces = (most.max(1), times);
    }

    /// Gives a name several addresses: dialling `sim:NAME` looks it up, which takes up to 10 ms,
    /// and then tries them in this order as those of a name in the real world.
    ///
    /// # Panics
    /// If one of them is no `sim:` address.
    pub fn name<'a>(&mut self, name: &str, addresses: impl IntoIterator<Item = &'a str>) {
        let found = addresses.into_iter().map(|address| match address.parse() {
            Ok(Address::Sim { name: place, .. }) => place,
            _ => panic!("{address} is no address of a simulated world: write sim:NAME"),
        });
        self.net.borrow_mut().aliases.insert(name.to_owned(), (found.collect(), None));
    }

    /// Lets look-ups of a name take so long from now on; those that have begun are not concerned.
    pub fn slow_name(&mut self, name: &str, took: Duration) {
        self.net.borrow_mut().aliases.entry(name.to_owned()).or_default().1 = Some(took);
    }

    /// Breaks every connection between two processes: both hear a reset, and what was on its way is
    /// lost.
    pub fn cut(&mut self, one: ProcessId, other: ProcessId) {
        self.net.borrow_mut().cut(one.0, other.0)
    }

    /// Lets nothing pass between the two groups until [`heal`](Self::heal): bytes, ends and resets
    /// are held up, and dialling hangs. Nobody is told.
    pub fn partition(&mut self, some: &[ProcessId], others: &[ProcessId]) {
        let places = |group: &[ProcessId]| group.iter().map(|id| id.0).collect::<Vec<_>>();
        self.net.borrow_mut().part(&places(some), &places(others))
    }

    /// Ends all partitions; what was held up arrives now.
    pub fn heal(&mut self) {
        self.net.borrow_mut().heal()
    }

    /// Returns a fingerprint of everything that has happened: who ran when, what was sent, where it
    /// was cut. Two runs of one program with one seed have the same.
    pub fn trace_hash(&self) -> u64 {
        self.net.borrow().trace.hash()
    }
}

/// Ends all processes. What panicked in one of them and was not told yet panics here, unless the
/// thread does already; and so does a world in which a socket is still open then: something owns
/// itself, and its connections with it.
impl Drop for World {
    fn drop(&mut self) {
        let ended = self.processes.iter_mut().filter_map(Option::take).map(Running::end);
        let mut failures: Vec<String> = ended.flatten().collect();
        failures.extend(self.net.borrow().left_open());
        if !failures.is_empty() && !panicking() {
            resume_unwind(Box::new(failures.swap_remove(0)))
        }
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("now", &self.now())
            .field("processes", &self.processes.len())
            .finish_non_exhaustive()
    }
}

impl Kernel {
    /// Makes a kernel alone in a simulated world: its clock is virtual and jumps to the next event
    /// whenever the kernel would wait, and `sim:` addresses reach its own listeners.
    /// [`run`](Kernel::run) fails if it would wait for ever. It is [strict](Kernel::set_strict).
    pub fn simulated(seed: u64) -> Self {
        let mut net = Net::new(seed, true);
        let name = "simulated".to_owned();
        net.hosts.push(HostState { name, alive: true, ..HostState::default() });
        let kernel = start(SimHost { net: Rc::new(RefCell::new(net)), process: 0 });
        kernel.set_strict(true);
        kernel
    }
}

fn start(host: SimHost) -> Kernel {
    Kernel::with_host(Rc::new(host)).expect("a simulated host always has entropy")
}

fn turned<T>(result: std::io::Result<T>) {
    assert!(result.is_ok(), "a simulated host that does not move the clock never fails to wait");
}
