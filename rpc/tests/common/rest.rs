//! Ends every run: the world comes to rest, and the invariants of all its processes are
//! checked.
//!
//! First all counters must be those of what they count. Then faults are healed, held replies are
//! dropped, and within a bound nothing may be under way, and both ends of each connection count the
//! same credit. At last the processes' owners are dropped, and nothing may be left of their
//! connections.

use super::desk::Desk;
use super::secs;
use peers_rpc::kernel::Wait;
use peers_rpc::kernel::sim::{ProcessId, World};
use peers_rpc::{Audit, Instant, Kernel, Listener, Node, Rpc};
use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// Says how long the world may take to come to rest, in virtual time; over sockets, how long its
/// connections may take to end.
const BOUND: Duration = secs(30);

/// Says how often it is looked at meanwhile.
const STEP: Duration = Duration::from_millis(50);

/// The owners of what a process has, which may be taken away from it.
pub(crate) struct Owners<S: 'static> {
    pub(crate) rpc: RefCell<Option<Rpc>>,
    pub(crate) node: RefCell<Option<Node<S>>>,
    pub(crate) listener: RefCell<Option<Listener>>,
}

/// A process that is looked at when the test ends.
struct Watched {
    name: String,
    /// Absent over sockets.
    process: Option<ProcessId>,
    audit: Audit,
    /// Drops the replies that its object holds.
    let_go: Box<dyn Fn()>,
    /// Drops its owners.
    leave: Box<dyn Fn()>,
}

impl Watched {
    fn is_running(&self, world: &World) -> bool {
        self.process.is_some_and(|process| world.is_running(process))
    }

    /// Does something in it, if it runs.
    fn inside(&self, world: &mut World, act: &dyn Fn()) {
        if let Some(process) = self.process.filter(|process| world.is_running(*process)) {
            world.with(process, |_| act());
        }
    }
}

/// All processes that are.
#[derive(Default)]
pub(crate) struct Rest {
    watched: Vec<Watched>,
    /// Some iff work is under way at the end by design: why.
    pub(crate) left: Option<&'static str>,
}

impl Rest {
    /// Looks at a process, too.
    pub(crate) fn watch<S: 'static>(
        &mut self,
        name: &str,
        process: Option<ProcessId>,
        owners: &Rc<Owners<S>>,
    ) {
        let audit = owners.rpc.borrow().as_ref().unwrap().audit();
        let (desk, all) = (owners.clone() as Rc<dyn Any>, owners.clone());
        let let_go = move || {
            let Some(owners) = desk.downcast_ref::<Owners<Desk>>() else { return };
            let Some(cx) = owners.node.borrow().as_ref().map(Node::cx) else { return };
            drop(cx.enter(|desk, _| std::mem::take(&mut desk.held)));
        };
        let leave = move || {
            drop(all.listener.take());
            drop(all.rpc.take());
            drop(all.node.take());
        };
        let (let_go, leave) = (Box::new(let_go), Box::new(leave));
        self.watched.push(Watched { name: name.to_owned(), process, audit, let_go, leave });
    }

    /// Lets the world come to rest and checks what must hold.
    pub(crate) fn check(mut self, world: &mut World) {
        self.watched.retain(|one| one.is_running(world));
        let begun = self.each(Audit::consistent);
        begun
            .unwrap_or_else(|broken| panic!("an invariant is broken when the test ends: {broken}"));
        world.heal();
        for one in &self.watched {
            one.process.into_iter().for_each(|process| world.resume(process));
        }
        if self.left.is_none() {
            self.settle(world, "when the test ends", |rest| {
                rest.each(Audit::quiet)?;
                rest.agree()
            });
        }
        for one in &self.watched {
            one.inside(world, &one.leave);
        }
        self.settle(world, "when all owners have gone", |rest| rest.each(Audit::empty));
        self.check_timers(world);
    }

    /// Fails if a process without connections has a timer: what it was for is over, and it would
    /// keep the process from ending.
    fn check_timers(&self, world: &mut World) {
        for one in &self.watched {
            let Some(process) = one.process.filter(|process| world.is_running(*process)) else {
                continue;
            };
            let dump = world.with(process, |handle| handle.dump());
            let (sources, timers) = (dump.sources(), dump.timers());
            let name = &one.name;
            assert!(sources > 0 || timers == 0, "no timer left: {name} has {timers}");
        }
    }

    /// Checks over sockets what needs no waiting for pings: the counters as they are, and that
    /// nothing is left of the connections when their owners have gone.
    pub(crate) fn check_real(self, kernels: &mut [Kernel]) {
        self.each(Audit::consistent)
            .unwrap_or_else(|broken| panic!("an invariant is broken when the test ends: {broken}"));
        for one in &self.watched {
            (one.let_go)();
            (one.leave)();
        }
        let Some(clock) = kernels.first().map(Kernel::remote) else { return };
        let end = clock.now() + BOUND;
        while let Err(broken) = self.each(Audit::empty) {
            for kernel in kernels.iter_mut() {
                kernel.turn(Wait::No).unwrap();
            }
            assert!(
                clock.now() < end,
                "an invariant is broken when all owners have gone: {broken}"
            );
        }
    }

    /// Lets time pass until that holds, within the bound.
    fn settle(
        &mut self,
        world: &mut World,
        when: &str,
        holds: impl Fn(&Self) -> Result<(), String>,
    ) {
        let end: Instant = world.now() + BOUND;
        loop {
            world.run_for(STEP);
            self.watched.retain(|one| one.is_running(world));
            for one in &self.watched {
                one.inside(world, &one.let_go); // what came meanwhile, too
            }
            match holds(self) {
                Ok(()) => return,
                Err(broken) if world.now() >= end => {
                    panic!("an invariant is broken {when}: {broken}")
                }
                Err(_) => {}
            }
        }
    }

    fn each(&self, check: impl Fn(&Audit) -> Result<(), String>) -> Result<(), String> {
        self.watched.iter().try_for_each(|one| {
            check(&one.audit).map_err(|broken| format!("{broken}, of {}", one.name))
        })
    }

    /// Fails unless both ends of each connection count the same credit.
    fn agree(&self) -> Result<(), String> {
        for (at, one) in self.watched.iter().enumerate() {
            for other in &self.watched[..at] {
                let between = |broken| format!("{broken}, between {} and {}", one.name, other.name);
                one.audit.agrees_with(&other.audit).map_err(between)?;
            }
        }
        Ok(())
    }
}
