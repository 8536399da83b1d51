//! The owner of all endpoints and listeners of a process.

use crate::api::listener::Listener;
use crate::api::service::Service;
use crate::interface::address::ToAddress;
use crate::limits::Limits;
use crate::link::Link;
use crate::link::context::LinkContext;
use crate::link::counters::Counters;
use crate::link::end::Drained;
use crate::link::endpoint::Endpoint;
use crate::session::CloseReason;
use crate::{AlreadyBound, Error, Reply};
use peers_kernel::{Address, Cause, Cont, Cx, Handle};
use peers_wire::NodeId;
use rand_core::Rng as _;
use std::fmt;
use std::io;
use std::rc::Rc;

/// Says who may talk to a listener on an address that others can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Security {
    /// Everybody, in clear text. Loopback, Unix and simulated addresses need no policy; any other
    /// does.
    Insecure,
}

/// The rpc side of one process: a node id, limits, and the strong hold on every connection.
///
/// [`close`](Self::close) ends them all in good order. Dropping it ends them at once: what was
/// written still leaves for as long as the kernel runs, but requests that wait for credit are lost,
/// which [`Counters::unsent_events`] counts, and calls fail as disconnected. Everything made from
/// it ([`Endpoint`], proxies, bindings, replies) keeps no connection open. It stays on its loop's
/// thread; [`spawn_loop`](crate::spawn_loop) is for programs without one:
///
/// ```compile_fail,E0277
/// # fn f(rpc: peers_rpc::Rpc) {
/// std::thread::spawn(move || drop(rpc));
/// # }
/// ```
pub struct Rpc {
    context: Rc<LinkContext>,
}

impl Rpc {
    /// Makes one for a loop, given as a `&Kernel` or a `&Handle`, with the default limits. The node
    /// id is drawn from the kernel's generator.
    pub fn new(kernel: impl Into<Handle>) -> Self {
        Self::with_limits(kernel, Limits::default())
    }

    /// Makes one with limits of your own. Those that cannot be kept are replaced: see
    /// [`Limits::fitted`].
    pub fn with_limits(kernel: impl Into<Handle>, limits: Limits) -> Self {
        let handle = kernel.into();
        let mut rng = handle.rng();
        let bits = u128::from(rng.next_u64()) << 64 | u128::from(rng.next_u64());
        let node = NodeId::from_bits(bits >> 8);
        // What cannot be kept must not be announced to peers either.
        let (limits, changed) = limits.fitted();
        if !changed.is_empty() {
            let changed = changed.join(", ");
            log::warn!(
                "limits that cannot be kept are replaced by the nearest that can: {changed}"
            );
        }
        Self { context: LinkContext::new(handle, node, limits) }
    }

    /// Returns this node's id: 120 random bits.
    pub fn node(&self) -> NodeId {
        self.context.node
    }

    /// Returns the limits that its endpoints keep.
    pub fn limits(&self) -> &Limits {
        &self.context.limits
    }

    /// Keeps what is held for peers to half of the memory that the system lets the process have, if
    /// that is less than [`Limits::process_bytes`]. Limits that change later are followed.
    pub fn follow_memory_limit(&self) {
        self.context.follow_system()
    }

    /// Returns what happened so far.
    pub fn counters(&self) -> Counters {
        let mut counters = *self.context.counters.borrow();
        for link in self.context.all_links() {
            counters.add(&link.counters());
        }
        counters
    }

    /// Marks calls that nobody's call led to as roots of call trees, so that
    /// [`Binding::trace`](crate::Binding::trace) shows the tree at every node that the calls reach.
    pub fn set_tracing(&self, on: bool) {
        self.context.tracing.set(on);
    }

    /// Returns a weak handle for code that dials from inside handlers.
    pub fn dialler(&self) -> Dialler {
        Dialler { context: Rc::downgrade(&self.context) }
    }

    /// Dials. Returns at once: calls and events wait for the connection, and fail through the queue
    /// if there is none, or if this side is closing. So it is, too, if the text is no address: the
    /// endpoint has ended as [`CloseReason::ConnectFailed`].
    pub fn connect(&self, address: impl ToAddress) -> Endpoint {
        connect(&self.context, &address)
    }

    /// Serves an object to whoever connects: makes a node of `state`, listens, and runs `bind` for
    /// each connection, before its first request is started. `LocalNode::bind` is enough for one
    /// interface; a closure binds several, or fewer for some callers.
    ///
    /// ```
    /// # use peers_rpc::doc::{LocalNode, NoSuchKey};
    /// # use peers_rpc::{Context, Error, Kernel, Rpc};
    /// # #[derive(Default)]
    /// # struct Registry;
    /// # impl LocalNode for Registry {
    /// #     fn put(&mut self, _: &Context<'_, Self>, _: String, _: String) {}
    /// #     fn get(&mut self, _: &Context<'_, Self>, key: String) -> Result<String, Error> {
    /// #         Err(NoSuchKey { key })?
    /// #     }
    /// # }
    /// let kernel = Kernel::simulated(1);
    /// let rpc = Rpc::new(&kernel);
    /// let service = rpc.serve("sim:arrakis", Registry::default(), LocalNode::bind)?;
    /// assert_eq!(service.address().to_string(), "sim:arrakis");
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As of [`listen`](Self::listen).
    #[track_caller]
    pub fn serve<S: 'static>(
        &self,
        at: impl ToAddress,
        state: S,
        bind: impl Fn(&Cx<S>, &Endpoint) -> Result<(), AlreadyBound> + 'static,
    ) -> Result<Service<S>, Error> {
        Service::open(&self.context, None, &at, state, bind)
    }

    /// Serves an object with a stated policy; with `None` it is [`serve`](Self::serve).
    ///
    /// # Errors
    /// As of [`listen_with`](Self::listen_with).
    #[track_caller]
    pub fn serve_with<S: 'static>(
        &self,
        security: impl Into<Option<Security>>,
        at: impl ToAddress,
        state: S,
        bind: impl Fn(&Cx<S>, &Endpoint) -> Result<(), AlreadyBound> + 'static,
    ) -> Result<Service<S>, Error> {
        Service::open(&self.context, security.into(), &at, state, bind)
    }

    /// Listens. `accept` is run for each connection before its first request is started: the place
    /// to bind objects. A connection whose `accept` fails is closed.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) with what the operating system says (address in use,
    /// no permission…), [`ErrorKind::InsecureBind`](crate::ErrorKind::InsecureBind) for an address
    /// that others can reach: [`listen_with`](Self::listen_with) states a policy.
    #[track_caller]
    pub fn listen(
        &self,
        address: impl ToAddress,
        accept: impl FnMut(Endpoint) -> Result<(), AlreadyBound> + 'static,
    ) -> Result<Listener, Error> {
        Listener::open(&self.context, &address.to_address()?, None, accept)
    }

    /// Listens with a stated policy; with `None` it is [`listen`](Self::listen).
    ///
    /// # Errors
    /// The same as of [`listen`](Self::listen); with a policy, only what the operating system says.
    #[track_caller]
    pub fn listen_with(
        &self,
        security: impl Into<Option<Security>>,
        address: impl ToAddress,
        accept: impl FnMut(Endpoint) -> Result<(), AlreadyBound> + 'static,
    ) -> Result<Listener, Error> {
        Listener::open(&self.context, &address.to_address()?, security.into(), accept)
    }

    /// Returns what its connections share.
    pub(crate) fn context(&self) -> &Rc<LinkContext> {
        &self.context
    }

    /// Lists all living endpoints, oldest first.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        let mut all: Vec<Endpoint> = self.context.all_links().iter().map(Endpoint::of).collect();
        all.sort();
        all
    }

    /// Counts the bytes that this process holds for its peers, of the [`Limits::process_bytes`]
    /// that it may: output, requests that wait on either side, frames that have begun.
    pub fn held_memory(&self) -> usize {
        self.context.held()
    }

    /// Counts the calls of others that run here and owe a reply.
    pub fn running(&self) -> usize {
        self.context.serving.borrow().running()
    }

    /// Closes in good order. New calls are refused as closing, and running replies are waited
    /// for, within [`Limits::drain`]; then every connection takes its leave as [`Endpoint::close`]
    /// does, within [`Limits::drain`] again: requests that wait leave as the peers give credit,
    /// output leaves, then comes the goodbye. `k` is told what the peers did not take in that time.
    /// Close listeners first, by dropping them.
    ///
    /// Dropping the `Rpc` meanwhile changes nothing: it ends when the closing does.
    pub fn close(&self, k: Reply<Drained>) {
        self.context.close(k);
    }
}

/// Dials without owning: for handlers, which must not hold the `Rpc` that holds them.
#[derive(Clone)]
pub struct Dialler {
    context: std::rc::Weak<LinkContext>,
}

impl Dialler {
    /// Dials, as [`Rpc::connect`] does; `None` if the `Rpc` is gone or closing.
    pub fn connect(&self, address: impl ToAddress) -> Option<Endpoint> {
        let context = self.context.upgrade()?;
        let over = context.shutdown.has_begun();
        (!over).then(|| connect(&context, &address))
    }
}

fn connect(context: &Rc<LinkContext>, named: &dyn ToAddress) -> Endpoint {
    match named.to_address() {
        Ok(address) => dial(context, &address),
        Err(error) => {
            let link = Link::dialled(context, &Address::unix(""));
            let (address, text) = (named.as_written(), error.to_string());
            let kind = io::ErrorKind::InvalidInput;
            link.end(CloseReason::ConnectFailed { address, kind, text });
            Endpoint::of(&link)
        }
    }
}

fn dial(context: &Rc<LinkContext>, address: &Address) -> Endpoint {
    let link = Link::dialled(context, address);
    let endpoint = Endpoint::of(&link);
    if context.shutdown.has_begun() {
        link.end(CloseReason::RpcGone);
        return endpoint;
    }
    // Weak: a dial that takes long keeps no process alive. Whoever is reached then is told.
    let (weak, to, farewell) = (Rc::downgrade(&link), address.clone(), context.farewell.clone());
    context.handle.with_cause(Cause::NONE, || {
        let k = Cont::new(&context.handle, move |result: io::Result<_>| {
            match (weak.upgrade(), result) {
                (Some(link), result) => link.dialled_to(&to, result),
                (None, Ok(stream)) => farewell.say(stream, &CloseReason::Local),
                (None, Err(_)) => {}
            }
        });
        context.handle.connect_within(address, context.limits.connect, k);
    });
    endpoint
}

impl Drop for Rpc {
    fn drop(&mut self) {
        // An orderly end that is under way goes on; its last closing ends the rest.
        self.context.shutdown.abandoned.set(true);
        if self.context.shutdown.closings.get() == 0 {
            self.context.end();
        }
    }
}

impl fmt::Debug for Rpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rpc")
            .field("node", &self.node())
            .field("endpoints", &self.context.links.borrow().len())
            .field("running", &self.running())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Dialler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialler").finish_non_exhaustive()
    }
}
