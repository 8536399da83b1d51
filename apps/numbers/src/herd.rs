//! The herd's node: it computes on background threads or forwards to a peer, as a coin falls.
//!
//! Invariants:
//! 1. `peers` are endpoints that live, each once, in the order in which they came. Kept by
//!    `asking_twice_to_be_a_peer_changes_nothing`.
//! 2. Nothing is computed on the loop. Kept by
//!    `quick_calls_are_answered_while_a_large_prime_is_being_computed`.
//! 3. A request that may not be forwarded any more is computed here. Kept by
//!    `nobody_can_ask_for_more_hops`.

use crate::operation::{Gcd, GetPrime, GetRandom, Inverse, IsPrime, Operation};
use crate::{HerdNodeProxy, LocalHerdNode};
use peers_rpc::kernel::rand_core::Rng as _;
use peers_rpc::stay_connected;
use peers_rpc::{
    Address, CloseReason, Context, Cx, Endpoint, Error, ErrorKind, Kernel, Listener, Node, Reply,
    Rpc, Security, ToAddress, warn,
};
use std::fmt;
use std::time::Duration;

/// Says how often a request is forwarded at most.
pub const HOPS: u32 = 8;

/// Prints a node's line.
pub type Voice = Box<dyn Fn(&str)>;

/// A node that shares its work with its peers.
pub struct Herd {
    peers: Vec<HerdNodeProxy>,
    voice: Voice,
}

impl Herd {
    /// Makes a node without peers, whose lines `voice` prints.
    pub fn new(voice: Voice) -> Self {
        Self { peers: Vec::new(), voice }
    }

    /// Serves it at `address` and dials its first `peers`, again and again as long as they cannot
    /// be reached. What it returns must be kept: dropping the listener closes the door.
    ///
    /// # Errors
    /// When it cannot listen there.
    pub fn serve(
        self,
        kernel: &Kernel,
        rpc: &Rpc,
        address: impl ToAddress,
        peers: &[Address],
        security: Option<Security>,
    ) -> Result<(Listener, Node<Self>), Error> {
        let node = kernel.node(self);
        let cx = node.cx();
        let accept = move |endpoint| LocalHerdNode::bind(&cx, &endpoint);
        let listener = rpc.listen_with(security, address, accept)?;
        for peer in peers {
            stay_connected(&node.cx(), &rpc.dialler(), peer, Self::greet);
        }
        Ok((listener, node))
    }

    /// Its peers, in the order in which they came.
    pub fn peers(&self) -> impl Iterator<Item = &Endpoint> {
        self.peers.iter().map(|peer| peer.caller())
    }

    /// Greets a peer of the command line over a new connection: binds this node on it and asks to
    /// be a peer over there.
    fn greet(&mut self, cx: &Cx<Self>, endpoint: &Endpoint, failures: u32) {
        if let Err(error) = Self::bind(cx, endpoint) {
            return log::error!("nothing can be bound on a new connection: {error}");
        }
        let peer = HerdNodeProxy::new(endpoint.clone());
        let with = (endpoint.clone(), failures);
        peer.add_peer().then(cx.on(with, Self::greeted, Self::not_greeted));
    }

    fn greeted(&mut self, cx: &Cx<Self>, (): (), (endpoint, _): (Endpoint, u32)) {
        self.enrol(cx, &endpoint);
    }

    fn not_greeted(&mut self, _: &Cx<Self>, error: Error, (endpoint, failures): (Endpoint, u32)) {
        match error.kind() {
            ErrorKind::Disconnected(_) if failures > 0 => log::debug!("still not there: {error}"),
            _ => warn(error),
        }
        // What is closed is dialled again, and greeted anew.
        endpoint.close();
    }

    /// Makes whoever is at the other end a peer until the connection ends. False if he is one.
    fn enrol(&mut self, cx: &Cx<Self>, endpoint: &Endpoint) -> bool {
        // One that has ended already would never be taken out again.
        if self.peers().any(|known| known == endpoint) || !endpoint.is_open() {
            return false;
        }
        self.peers.push(HerdNodeProxy::new(endpoint.clone()));
        let gone = endpoint.clone();
        endpoint.on_close(cx.on_any(move |herd, _, _: Result<CloseReason, Error>| {
            herd.peers.retain(|peer| *peer.caller() != gone);
        }));
        true
    }

    /// Serves a request that may be forwarded `hops` times. A peer has half of the time that is
    /// left: where it stays silent that long, the other half is for computing here.
    fn serve_here_or_there<O: Operation>(
        &mut self,
        cx: &Context<'_, Self>,
        operation: O,
        hops: u32,
        reply: Reply<O::Output>,
    ) {
        (self.voice)(O::NAME);
        let Some(peer) = self.choose_peer(cx, hops) else {
            return compute(cx, operation, reply);
        };
        (self.voice)(&format!("Forward to {}", who(peer.caller())));
        let (call, deadline) =
            (operation.forward(peer, hops.min(HOPS) - 1), cx.caller().deadline());
        let call = match deadline {
            Some(deadline) => call.remaining(deadline.since(cx.handle().now()) / 2),
            None => call.forever(),
        };
        call.then(cx.on_err(reply, move |_, cx, error: Error, reply| match error.kind() {
            // The peer has not done it, or nobody hears of it: computing again harms nobody.
            kind if is_undone(kind) => compute(cx, operation, reply),
            ErrorKind::TimedOut { .. } if deadline.is_some_and(|end| cx.handle().now() < end) => {
                compute(cx, operation, reply);
            }
            ErrorKind::TimedOut { .. } => answer_late(cx, error, reply),
            _ => reply.err(error),
        }));
    }

    /// Flips the coin: `None` is to compute here.
    fn choose_peer(&self, cx: &Cx<Self>, hops: u32) -> Option<&HerdNodeProxy> {
        let mut rng = cx.handle().rng();
        // No more hops, or nobody to ask: the coin decides only where there is a choice.
        if hops == 0 || self.peers.is_empty() || rng.next_u32() & 1 == 0 {
            return None;
        }
        let chosen = rng.next_u64() % self.peers.len() as u64;
        self.peers.get(usize::try_from(chosen).ok()?)
    }
}

/// Returns an endpoint as its peer is told from others: by its name, in which the id is that of the
/// node that listens, and on a link that was accepted, where that is this node, by the id of the
/// peer as well.
fn who(endpoint: &Endpoint) -> String {
    let listener = endpoint.name().and_then(|name| name.node());
    match endpoint.peer_node() {
        Some(peer) if Some(peer) != listener => format!("{endpoint}, node {peer}"),
        _ => endpoint.to_string(),
    }
}

/// Computes on a background thread.
fn compute<O: Operation>(cx: &Cx<Herd>, operation: O, reply: Reply<O::Output>) {
    let rng = cx.handle().fork_rng();
    cx.offload(move |stop| operation.compute(rng, stop), reply);
}

/// Returns whether the fault is the peer's and not the request's. Computing has no effects, so it
/// can be done again elsewhere.
fn is_undone(kind: &ErrorKind) -> bool {
    let refused = matches!(kind, ErrorKind::Refused(_) | ErrorKind::Overloaded(_));
    refused || matches!(kind, ErrorKind::Disconnected(_))
}

/// Answers late. The time of whoever asked is over but for the moment that the inherited deadline
/// leaves for an answer. He knows best that he was not answered in time, so he is told only if he
/// still waits after that.
fn answer_late<T: 'static>(cx: &Cx<Herd>, error: Error, reply: Reply<T>) {
    cx.after(Duration::from_millis(100), |_, _| reply.err(error));
}

impl LocalHerdNode for Herd {
    fn get_random(&mut self, cx: &Context<'_, Self>, bits: u32, reply: Reply<Vec<u8>>) {
        self.get_random_in(cx, bits, HOPS, reply);
    }

    fn get_prime(&mut self, cx: &Context<'_, Self>, bits: u32, reply: Reply<Vec<u8>>) {
        self.get_prime_in(cx, bits, HOPS, reply);
    }

    fn is_prime(&mut self, cx: &Context<'_, Self>, x: Vec<u8>, reply: Reply<bool>) {
        self.is_prime_in(cx, x, HOPS, reply);
    }

    fn gcd(&mut self, cx: &Context<'_, Self>, x: Vec<u8>, y: Vec<u8>, reply: Reply<Vec<u8>>) {
        self.gcd_in(cx, x, y, HOPS, reply);
    }

    fn inverse(&mut self, cx: &Context<'_, Self>, u: Vec<u8>, v: Vec<u8>, reply: Reply<Vec<u8>>) {
        self.inverse_in(cx, u, v, HOPS, reply);
    }

    fn get_random_in(
        &mut self,
        cx: &Context<'_, Self>,
        bits: u32,
        hops: u32,
        reply: Reply<Vec<u8>>,
    ) {
        self.serve_here_or_there(cx, GetRandom { bits }, hops, reply);
    }

    fn get_prime_in(
        &mut self,
        cx: &Context<'_, Self>,
        bits: u32,
        hops: u32,
        reply: Reply<Vec<u8>>,
    ) {
        self.serve_here_or_there(cx, GetPrime { bits }, hops, reply);
    }

    fn is_prime_in(&mut self, cx: &Context<'_, Self>, x: Vec<u8>, hops: u32, reply: Reply<bool>) {
        self.serve_here_or_there(cx, IsPrime { x }, hops, reply);
    }

    fn gcd_in(
        &mut self,
        cx: &Context<'_, Self>,
        x: Vec<u8>,
        y: Vec<u8>,
        hops: u32,
        reply: Reply<Vec<u8>>,
    ) {
        self.serve_here_or_there(cx, Gcd { x, y }, hops, reply);
    }

    fn inverse_in(
        &mut self,
        cx: &Context<'_, Self>,
        u: Vec<u8>,
        v: Vec<u8>,
        hops: u32,
        reply: Reply<Vec<u8>>,
    ) {
        self.serve_here_or_there(cx, Inverse { u, v }, hops, reply);
    }

    fn add_peer(&mut self, cx: &Context<'_, Self>) -> Result<(), Error> {
        if self.enrol(cx, cx.caller().endpoint()) {
            (self.voice)(&format!("Added peer at {}", who(cx.caller().endpoint())));
        }
        Ok(())
    }
}

impl fmt::Debug for Herd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Herd").field("peers", &self.peers).finish_non_exhaustive()
    }
}
