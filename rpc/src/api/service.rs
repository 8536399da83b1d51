//! Serving an object: the node that it lives in and the listener that lets callers in, as one
//! thing.

use crate::api::listener::Listener;
use crate::interface::address::ToAddress;
use crate::link::context::LinkContext;
use crate::link::endpoint::Endpoint;
use crate::security::Security;
use crate::{Address, AlreadyBound, Error};
use peers_kernel::{Cx, Node};
use std::fmt;
use std::rc::Rc;

/// An object that is served: [`Rpc::serve`](crate::Rpc::serve) makes it.
///
/// It owns the listener and the node. Dropping it ends both: nobody new is let in, the state is
/// dropped, and calls on connections that are still there fail.
#[must_use = "dropping it ends the service"]
pub struct Service<S: 'static> {
    listener: Listener,
    node: Node<S>,
}

impl<S: 'static> Service<S> {
    #[track_caller]
    pub(crate) fn open(
        context: &Rc<LinkContext>,
        security: Option<Security>,
        at: &dyn ToAddress,
        state: S,
        bind: impl Fn(&Cx<S>, &Endpoint) -> Result<(), AlreadyBound> + 'static,
    ) -> Result<Self, Error> {
        // First what can fail without a trace: a text that is no address makes no node.
        let address = at.to_address()?;
        let node = context.handle.node(state);
        let cx = node.cx();
        // Weak, as every `Cx` is: a connection does not keep the state.
        let accept = move |endpoint| bind(&cx, &endpoint);
        let listener = Listener::open(context, &address, security, accept)?;
        Ok(Self { listener, node })
    }

    /// Returns where it listens: the address as given, port 0 replaced by the real one.
    pub fn address(&self) -> Address {
        self.listener.address()
    }

    /// Asks the policy whether those may stay whom it has let in: see [`Listener::recheck`].
    pub fn recheck(&self) {
        self.listener.recheck();
    }

    /// Returns the node as its handlers see it, for what the program itself asks of the object.
    pub fn cx(&self) -> Cx<S> {
        self.node.cx()
    }

    /// Returns the node, whose state can be looked at from outside of its handlers.
    pub fn node(&self) -> &Node<S> {
        &self.node
    }
}

impl<S: 'static> fmt::Debug for Service<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("address", &self.address()).finish_non_exhaustive()
    }
}
