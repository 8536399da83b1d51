//! `get_all`: all peers at once, a barrier, and the union of what they answer, pruned by the list
//! of visited nodes.
//!
//! The tutorial's algorithm, as it stands: its list sees to it that the search ends, and on trees
//! and cliques that each node is asked once. `docs/overlay.md` says what it costs on other graphs.

use crate::overlay::{Route, answer_of};
use crate::{Bounds, Findings, P2pNode, P2pNodeProxy};
use peers_rpc::wire::{DecodeOwned, Encode};
use peers_rpc::{Call, Collect, Cx, Error, Reply};
use std::collections::BTreeSet;

/// Gathers what such a search finds: values, with or without the bill.
pub(crate) trait Harvest: Default + DecodeOwned + Encode + Send + 'static {
    /// Returns the harvest of one request, before anything is gathered.
    fn new() -> Self;
    /// Asks a peer.
    fn ask(peer: &P2pNodeProxy, key: &str, visited: &[String]) -> Call<Self>;
    /// Adds what a peer answered.
    fn gather(&mut self, outcome: Result<Self, Error>, bounds: &Bounds);
    /// Adds a value of this node.
    fn add(&mut self, value: &str, bounds: &Bounds);
    /// Notes that some peers will not be asked.
    fn cut(&mut self) {}
}

impl Harvest for BTreeSet<String> {
    fn new() -> Self {
        Self::new()
    }

    fn ask(peer: &P2pNodeProxy, key: &str, visited: &[String]) -> Call<Self> {
        peer.get_all_from(key, visited)
    }

    fn gather(&mut self, outcome: Result<Self, Error>, _: &Bounds) {
        self.extend(outcome.into_iter().flatten());
    }

    fn add(&mut self, value: &str, _: &Bounds) {
        self.insert(value.to_owned());
    }
}

impl Harvest for Findings {
    fn new() -> Self {
        Self { requests: 1, ..Self::default() }
    }

    fn ask(peer: &P2pNodeProxy, key: &str, visited: &[String]) -> Call<Self> {
        peer.get_all_counted(key, visited)
    }

    fn gather(&mut self, outcome: Result<Self, Error>, bounds: &Bounds) {
        self.merge(outcome, bounds);
    }

    fn add(&mut self, value: &str, bounds: &Bounds) {
        self.insert(value, bounds);
    }

    fn cut(&mut self) {
        self.exhausted = true;
    }
}

impl P2pNode {
    /// Answers with the values of all peers that are not visited yet, and of whomever they find,
    /// and with this node's.
    pub(crate) fn find_all<H: Harvest>(
        &mut self,
        cx: &Cx<Self>,
        key: String,
        visited: &[String],
        reply: Reply<H>,
    ) {
        let mut harvest = H::new();
        let route = self.route(visited);
        // Without a way on it answers with what is here, and says that there may be more.
        if route.is_none() {
            harvest.cut();
        }
        let Route { next, visited } = route.unwrap_or_default();
        let question = key.clone();
        let gathered = Collect::all(cx.on_ok(reply, move |node, _, outcomes: Vec<_>, reply| {
            for outcome in outcomes {
                harvest.gather(outcome, &node.bounds);
            }
            // Looked up now, not when it was asked: a value may have come meanwhile.
            if let Some(value) = node.values.get(&key) {
                harvest.add(value, &node.bounds);
            }
            reply.ok(harvest);
        }));
        for (id, peer) in next {
            let call = H::ask(&peer, &question, &visited);
            call.then(answer_of(cx, id, peer, gathered.branch()));
        }
    }
}
