//! The owner of all endpoints and listeners of a process.

use crate::api::dial::{self, Dialler};
use crate::api::listener::Listener;
use crate::api::service::Service;
use crate::interface::address::ToAddress;
use crate::limits::Limits;
use crate::link::context::LinkContext;
use crate::link::counters::Counters;
use crate::link::end::Drained;
use crate::link::endpoint::Endpoint;
use crate::link::own_key::{OwnKey, node_of};
use crate::security::{SecureTransport, Security};
use crate::{AlreadyBound, Error, Reply};
use peers_kernel::{Cx, Handle};
use peers_wire::NodeId;
use rand_core::Rng as _;
use std::fmt;
use std::rc::Rc;

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
        Self::open(kernel.into(), limits, OwnKey::none())
    }

    /// Makes one that has a key of its own: it dials addresses with a key, and may listen as
    /// [`Security::Sealed`]. The node id is the beginning of the public key, so that processes with
    /// one key are one node.
    ///
    /// ```
    /// use peers_rpc::{Kernel, Limits, Rpc, SecureTransport};
    ///
    /// // `peers_secure::Identity::load("registry.key")?` is a `SecureTransport`.
    /// fn open(kernel: &Kernel, me: impl SecureTransport + 'static) -> Rpc {
    ///     Rpc::secured(kernel, Limits::default(), me)
    /// }
    /// ```
    pub fn secured(
        kernel: impl Into<Handle>,
        limits: Limits,
        identity: impl SecureTransport + 'static,
    ) -> Self {
        Self::open(kernel.into(), limits, OwnKey::of(Box::new(identity)))
    }

    fn open(handle: Handle, limits: Limits, own: OwnKey) -> Self {
        let node = own.key().map_or_else(|| drawn(&handle), |key| node_of(&key));
        // What cannot be kept must not be announced to peers either.
        let (limits, changed) = limits.fitted();
        if !changed.is_empty() {
            let changed = changed.join(", ");
            log::warn!(
                "limits that cannot be kept are replaced by the nearest that can: {changed}"
            );
        }
        Self { context: LinkContext::new(handle, node, limits, own) }
    }

    /// Returns this node's id: 120 random bits, or the first 120 of its public key.
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

    /// Allows to dial addresses elsewhere that have no key, in clear text. Until then only
    /// addresses of this machine are: see [`Address::is_local`](crate::Address::is_local).
    pub fn set_insecure_dialling(&self, on: bool) {
        self.context.own.dials_in_clear.set(on);
    }

    /// Returns a weak handle for code that dials from inside handlers.
    pub fn dialler(&self) -> Dialler {
        Dialler::of(&self.context)
    }

    /// Dials. Returns at once: calls and events wait for the connection, and fail through the queue
    /// if there is none, or if this side is closing. So it is, too, if the text is no address: the
    /// endpoint has ended as [`CloseReason::ConnectFailed`](crate::CloseReason::ConnectFailed).
    ///
    /// An address with a key is reached sealed, and there this key must be proven, or there is no
    /// connection. One without is dialled in clear text, which only addresses of this machine are
    /// without [`set_insecure_dialling`](Self::set_insecure_dialling). What is against these rules
    /// has ended as [`CloseReason::Security`](crate::CloseReason::Security).
    pub fn connect(&self, address: impl ToAddress) -> Endpoint {
        dial::connect(&self.context, &address)
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

    /// Listens on this machine, in clear text; on a Unix socket for processes of the same user, and
    /// root's, alone. `accept` is run for each connection before its first request is started: the
    /// place to bind objects. A connection whose `accept` fails is closed.
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
    /// With [`Security::Sealed`], `accept` is run for each peer that has proven its key and may
    /// come in, before anything of ours is sent to it: who that is, [`Endpoint::peer`] tells.
    ///
    /// # Errors
    /// The same as of [`listen`](Self::listen); with a policy, only what the operating system says,
    /// and [`ErrorKind::Security`](crate::ErrorKind::Security) if this side should prove a key and
    /// has none.
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

    /// Lists all living endpoints, oldest first. Peers that have not been let in yet are none.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        let links = self.context.all_links();
        let inside = links.iter().filter(|link| !link.is_unadmitted());
        let mut all: Vec<Endpoint> = inside.map(Endpoint::of).collect();
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

fn drawn(handle: &Handle) -> NodeId {
    let mut rng = handle.rng();
    let bits = u128::from(rng.next_u64()) << 64 | u128::from(rng.next_u64());
    NodeId::from_bits(bits >> 8)
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
