//! A simulated world with processes that keep the protocol and clients that speak bytes, in virtual
//! time.

use crate::trial::{LocalTrial, Trial, TrialProxy};
use peers_rpc::kernel::sim::{ProcessId, World};
use peers_rpc::kernel::{Input, Outlet, Stream};
use peers_rpc::wire::DecodeOwned;
use peers_rpc::{
    Address, Call, CloseReason, Cont, Cx, Endpoint, Error, Handle, Instant, Limits, Rpc,
};
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;

/// One process that keeps the protocol: an `Rpc` and a trial object, listening under its name.
#[derive(Clone, Debug)]
pub struct Actor {
    /// Its name in the world.
    pub process: ProcessId,
    /// Says where it listens.
    pub address: Address,
    /// Its connections.
    pub rpc: Rc<Rpc>,
    /// Its object.
    pub cx: Cx<Trial>,
    handle: Handle,
}

impl Actor {
    /// Enters the world.
    ///
    /// # Panics
    /// When the name is taken.
    pub fn enter(world: &mut World, name: &str, limits: Limits) -> Self {
        let address = Address::sim(name);
        let mut parts = None;
        let process = world.process(name, |kernel| {
            let handle = kernel.handle();
            let rpc = Rc::new(Rpc::with_limits(&handle, limits));
            let served = Trial::serve(kernel, &rpc, &address).expect("a free name");
            parts = Some((handle, rpc.clone(), served.1.cx()));
            (served, rpc)
        });
        let (handle, rpc, cx) = parts.expect("it has started");
        Self { process, address, rpc, cx, handle }
    }

    /// Dials another, and serves its own object there as well.
    ///
    /// # Panics
    /// When it cannot be bound.
    pub fn dial(&self, world: &mut World, other: &Self) -> TrialProxy {
        let endpoint = self.rpc.connect(&other.address);
        LocalTrial::bind(&self.cx, &endpoint).expect("a fresh endpoint");
        world.with(self.process, |_| ());
        TrialProxy::new(endpoint)
    }

    /// Looks at its object.
    ///
    /// # Panics
    /// When the process has ended.
    pub fn look<R>(&self, look: impl FnOnce(&mut Trial) -> R) -> R {
        self.cx.enter(|trial, _| look(trial)).expect("it lives")
    }

    /// Makes a call; its outcomes will be in what is returned.
    pub fn call<T>(&self, world: &mut World, call: Call<T>) -> Outcomes<T>
    where
        T: DecodeOwned + Send + 'static,
    {
        let outcomes = Outcomes::default();
        let log = outcomes.clone();
        let k = Cont::new(&self.handle, move |outcome| log.0.borrow_mut().push(outcome));
        world.with(self.process, |handle| handle.schedule(move || call.then(k)));
        outcomes
    }

    /// Returns why and when an endpoint of this process ends; nothing as long as it lives.
    pub fn end_of(&self, endpoint: &Endpoint) -> Rc<RefCell<Option<(Instant, CloseReason)>>> {
        let end = Rc::new(RefCell::new(None));
        let (place, handle) = (end.clone(), self.handle.clone());
        endpoint.on_close(Cont::new(&self.handle, move |reason: Result<_, Error>| {
            *place.borrow_mut() = reason.ok().map(|reason| (handle.now(), reason));
        }));
        end
    }
}

/// The outcomes that one call has had: one, in the end.
#[derive(Debug)]
pub struct Outcomes<T>(Rc<RefCell<Vec<Result<T, Error>>>>);

impl<T> Default for Outcomes<T> {
    fn default() -> Self {
        Self(Rc::default())
    }
}

impl<T> Clone for Outcomes<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Outcomes<T> {
    /// Returns how many there are.
    pub fn count(&self) -> usize {
        self.0.borrow().len()
    }

    /// The one that there is.
    ///
    /// # Panics
    /// When there is none, or more than one.
    #[track_caller]
    pub fn take(&self) -> Result<T, Error> {
        assert_eq!(self.count(), 1, "outcomes of one call");
        self.0.borrow_mut().remove(0)
    }
}

/// A connection from outside the protocol: it says what it is told to, and writes down what it
/// hears.
#[derive(Clone, Debug, Default)]
pub struct Line {
    outlet: Rc<RefCell<Option<Outlet>>>,
    heard: Rc<RefCell<Vec<u8>>>,
    ended: Rc<Cell<Option<Instant>>>,
}

impl Line {
    /// Dials from the process of `handle`.
    ///
    /// # Panics
    /// When nobody listens there.
    pub fn dial(handle: &Handle, to: &Address) -> Self {
        let line = Self::default();
        let (this, clock) = (line.clone(), handle.clone());
        let connected = move |stream: io::Result<Stream>| {
            let outlet = stream.expect("somebody listens").start({
                let this = this.clone();
                move |_, input| match input {
                    Input::Bytes(bytes) => this.heard.borrow_mut().extend_from_slice(bytes),
                    Input::End | Input::Failed(_) => this.ended.set(Some(clock.now())),
                }
            });
            *this.outlet.borrow_mut() = Some(outlet);
        };
        handle.connect(to, Cont::new(handle, connected));
        line
    }

    /// The writing end.
    ///
    /// # Panics
    /// Before it is connected.
    pub fn outlet(&self) -> Outlet {
        self.outlet.borrow().clone().expect("it is connected")
    }

    /// Writes.
    ///
    /// # Panics
    /// When more than 1 MiB waits.
    pub fn say(&self, bytes: &[u8]) {
        self.outlet().write(bytes).expect("there is room");
    }

    /// Returns what it has heard so far.
    pub fn heard(&self) -> Vec<u8> {
        self.heard.borrow().clone()
    }

    /// Returns when the other side ended it, if it has.
    pub fn ended(&self) -> Option<Instant> {
        self.ended.get()
    }
}
