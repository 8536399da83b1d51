//! The overlay as one node sees it: its peers, how they are met, and how they are lost.
//!
//! Peers named on the command line are dialled, again and again until they are there; whoever dials
//! binds itself on the connection, so that one connection serves calls both ways. A dead peer is
//! noticed when somebody asks it.
//!
//! Invariants:
//! 1. Only the end of a connection removes a peer, and only the connection that the peer is known
//!    by. Kept by `a_dead_peer_is_removed_when_it_is_asked_and_the_search_goes_on`.
//! 2. A connection stands for one peer at a time. Kept by
//!    `a_connection_stands_for_one_peer_and_a_newer_one_takes_its_place`.

use crate::{LocalP2pNode as _, P2pNode, P2pNodeProxy};
use peers_rpc::kernel::may_log;
use peers_rpc::stay_connected;
use peers_rpc::{
    Address, CloseReason, Cx, Dialler, Endpoint, Error, ErrorKind, Escaped, Reply, warn,
};
use std::collections::BTreeSet;

/// Says whom a search goes to next, and whom it has visited then.
#[derive(Default)]
pub(crate) struct Route {
    pub(crate) next: Vec<(String, P2pNodeProxy)>,
    pub(crate) visited: Vec<String>,
}

impl P2pNode {
    /// Dials each of `others`, again and again, for as long as the process lives.
    pub(crate) fn join(cx: &Cx<Self>, dialler: &Dialler, others: &[Address]) {
        for address in others {
            stay_connected(cx, dialler, address, Self::meet);
        }
    }

    /// Introduces itself on a connection that is being made.
    fn meet(&mut self, cx: &Cx<Self>, endpoint: &Endpoint, failures: u32) {
        if let Err(error) = Self::bind(cx, endpoint) {
            return log::error!("nothing can be bound on a new connection: {error}");
        }
        let peer = P2pNodeProxy::new(endpoint.clone());
        peer.add_peer(&self.id).then(cx.on((peer, failures), Self::met, Self::not_met));
    }

    fn met(&mut self, _: &Cx<Self>, id: String, (peer, _): (P2pNodeProxy, u32)) {
        if let Err(why) = self.enrol(&id, peer.clone()) {
            log::warn!("{} is not taken as a peer: {why}", peer.caller());
            peer.caller().close();
        }
    }

    /// Reports why a peer was not met. The first failure is worth a warning, further ones are not:
    /// it goes on trying.
    fn not_met(&mut self, _: &Cx<Self>, error: Error, (peer, failures): (P2pNodeProxy, u32)) {
        match error.kind() {
            ErrorKind::Disconnected(_) if failures > 0 => log::debug!("still not there: {error}"),
            _ => warn(error),
        }
        peer.caller().close();
    }

    /// Makes whoever is at the other end of `peer` a peer, known by `id`; in place of whoever was
    /// known by that id, and of whatever that connection was known by.
    pub(crate) fn enrol(&mut self, id: &str, peer: P2pNodeProxy) -> Result<(), &'static str> {
        // It would ask itself, and wait for itself.
        if id == self.id {
            return Err("it goes by this node's own address; has the node dialled itself?");
        }
        if id.len() > self.bounds.id_bytes {
            return Err("its address is too long");
        }
        // A connection stands for one peer: whoever gives another id has left the first.
        self.peers.retain(|_, known| known.caller() != peer.caller());
        if self.peers.len() >= self.bounds.peers && !self.peers.contains_key(id) {
            return Err("this node has as many peers as it may");
        }
        peer.caller().measure(); // so that a search ends with its caller, however long the ways are
        self.peers.insert(id.to_owned(), peer);
        Ok(())
    }

    /// Looks at why a peer did not answer: one whose connection has ended is no peer any more.
    pub(crate) fn fault(&mut self, id: &str, peer: &P2pNodeProxy, error: &Error) {
        let dead = match error.kind() {
            ErrorKind::Disconnected(reason) => *reason != CloseReason::RpcGone,
            _ => false,
        };
        // The peer may be back over another connection by now, and that one lives.
        let known = self.peers.get(id).is_some_and(|known| known.caller() == peer.caller());
        if dead && known {
            self.peers.remove(id);
            self.say(&format!("removed dead peer: {id}"));
        }
    }

    /// Returns the way of a search that has visited these nodes: the other peers are next, and all
    /// of them, with this node, are visited from then on. `None` if the list is longer than it may
    /// be, or would be.
    pub(crate) fn route(&self, visited: &[String]) -> Option<Route> {
        if !self.fits(visited.iter()) {
            return None;
        }
        let mut all: BTreeSet<&String> = visited.iter().collect();
        let unvisited = self.peers.iter().filter(|(id, _)| !all.contains(id));
        let next = unvisited.map(|(id, peer)| (id.clone(), peer.clone())).collect();
        all.extend(self.peers.keys());
        all.insert(&self.id);
        // What is sent on is bounded as what is taken, or the next node would refuse it.
        let fits = self.fits(all.iter().copied());
        fits.then(|| Route { next, visited: all.into_iter().cloned().collect() })
    }

    fn fits<'a>(&self, mut ids: impl ExactSizeIterator<Item = &'a String>) -> bool {
        let (bounds, count) = (&self.bounds, ids.len());
        let within = |sum: usize, id: &String| {
            let sum = sum + id.len();
            (sum <= bounds.visited_bytes).then_some(sum)
        };
        count <= bounds.visited_ids && ids.try_fold(0, within).is_some()
    }
}

/// Says so when a peer is about to be asked whose connection has ended: first in the words of the
/// tutorial, then whose.
pub(crate) fn is_dead(id: &str, peer: &P2pNodeProxy) -> bool {
    let dead = !peer.caller().is_open();
    if dead && may_log() {
        let id = Escaped(id);
        log::warn!(target: "illegal_operation", "Invalid endpoint: the connection to {id} has ended");
    }
    dead
}

/// Passes on to `branch` what `peer` answers. A peer that was dead before it was asked is no
/// failure of the search: it is removed, and nothing was spent on it or lost with it.
pub(crate) fn answer_of<H: Default + 'static>(
    cx: &Cx<P2pNode>,
    id: String,
    peer: P2pNodeProxy,
    branch: Reply<H>,
) -> Reply<H> {
    let dead = is_dead(&id, &peer);
    cx.on_err(branch, move |node, _, error, branch| {
        node.fault(&id, &peer, &error);
        if dead { branch.ok(H::default()) } else { branch.err(error) }
    })
}
