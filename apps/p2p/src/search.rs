//! `search`: all values by query id. Each node passes a query on once, to all peers but the one
//! that it came from, and answers later copies of it with nothing.
//!
//! No list of visited nodes travels, so nobody can poison one, and no living link goes unused:
//! whoever can be reached is found. A connection that ends in the middle may take with it what was
//! found behind it; then whoever began the search begins again, under a new id. `docs/overlay.md`
//! lays the cost beside that of `get_all`.
//!
//! Invariants:
//! 1. A query is passed on at most once for each id remembered, to at most
//!    [`Bounds::fan_out`](crate::Bounds::fan_out) peers. Kept by
//!    `in_a_clique_of_fifty_each_node_searches_once`,
//!    `hops_and_fan_out_bound_what_one_query_sends`.
//! 2. What others claim to have found stays within the bounds of this node. Kept by
//!    `what_a_liar_claims_to_have_found_stays_within_bounds`.

use crate::get_all::Harvest as _;
use crate::overlay::answer_of;
use crate::seen::Verdict;
use crate::{Bounds, Findings, P2pNode, QueryId, chance};
use peers_rpc::kernel::rand_core::Rng as _;
use peers_rpc::{Binding, Collect, Context, Cx, Error, ErrorKind, Reply};

/// A search that began here.
struct Quest {
    key: String,
    caller: Binding,
    rounds: u32,
    found: Findings,
}

impl P2pNode {
    /// Answers with all values in the network.
    pub(crate) fn begin_search(
        &mut self,
        cx: &Context<'_, Self>,
        key: String,
        reply: Reply<Findings>,
    ) {
        let (caller, rounds) = (cx.caller().clone(), self.bounds.rounds);
        let found = Findings::new();
        self.search_round(cx, Quest { key, caller, rounds, found }, reply);
    }

    fn search_round(&mut self, cx: &Cx<Self>, quest: Quest, reply: Reply<Findings>) {
        let mut rng = cx.handle().rng();
        let query = QueryId { high: rng.next_u64(), low: rng.next_u64() };
        let (key, caller, hops) = (quest.key.clone(), quest.caller.clone(), self.bounds.hops);
        let next = |node: &mut Self, cx: &Cx<Self>, found: Findings, reply| {
            node.searched_round(cx, quest, found, reply);
        };
        self.pass_on(cx, &caller, key, query, hops, cx.on_ok(reply, next));
    }

    fn searched_round(
        &mut self,
        cx: &Cx<Self>,
        mut quest: Quest,
        found: Findings,
        reply: Reply<Findings>,
    ) {
        // Only while somebody waits: each round asks the whole network.
        let again = found.broken && quest.rounds > 1 && quest.caller.is_waiting();
        // The request that is being answered counts once.
        let sent = found.requests.saturating_sub(1);
        (quest.found.exhausted, quest.found.broken) = (found.exhausted, found.broken);
        quest.found.requests = quest.found.requests.saturating_add(sent);
        for value in &found.values {
            quest.found.insert(value, &self.bounds);
        }
        if !again {
            return reply.ok(quest.found);
        }
        quest.rounds -= 1;
        self.search_round(cx, quest, reply);
    }

    /// Answers with the values here and behind all peers but the caller, unless this query was here
    /// before.
    pub(crate) fn pass_on(
        &mut self,
        cx: &Cx<Self>,
        caller: &Binding,
        key: String,
        query: QueryId,
        hops: u32,
        reply: Reply<Findings>,
    ) {
        let mut found = Findings::new();
        match self.seen.admit(cx.handle().now(), &query, caller.endpoint()) {
            Verdict::New => self.requests.searched += 1,
            // Whoever sent it first gets what is behind this node; a second answer would count
            // twice.
            Verdict::Known => return reply.ok(found),
            Verdict::Refused => {
                found.exhausted = true;
                return reply.ok(found);
            }
        }
        // What a peer says of the hops that are left must not carry a query farther than ours.
        let hops = hops.min(self.bounds.hops);
        let others = self.peers.iter().filter(|(_, peer)| peer.caller() != caller.endpoint());
        let mut next: Vec<_> = others.map(|(id, peer)| (id.clone(), peer.clone())).collect();
        let most = if hops == 0 { 0 } else { self.bounds.fan_out };
        if next.len() > most {
            found.exhausted = true;
            // By chance, so that no peer is left out of every search.
            chance::shuffle(&mut cx.handle().rng(), &mut next);
            next.truncate(most);
        }
        let question = key.clone();
        let gathered = Collect::all(cx.on_ok(reply, move |node, _, outcomes: Vec<_>, reply| {
            if let Some(value) = node.values.get(&key) {
                found.insert(value, &node.bounds);
            }
            for outcome in outcomes {
                found.merge(outcome, &node.bounds);
            }
            reply.ok(found);
        }));
        for (id, peer) in next {
            let call = peer.search_from(&question, &query, hops - 1);
            call.then(answer_of(cx, id, peer, gathered.branch()));
        }
    }
}

impl Findings {
    /// Adds one branch, which is part of it; one without an answer cost its request.
    pub(crate) fn merge(&mut self, outcome: Result<Self, Error>, bounds: &Bounds) {
        match outcome {
            Ok(branch) => {
                self.requests = self.requests.saturating_add(branch.requests);
                self.exhausted |= branch.exhausted;
                self.broken |= branch.broken;
                for value in &branch.values {
                    self.insert(value, bounds);
                }
            }
            Err(error) => {
                self.requests = self.requests.saturating_add(1);
                match error.kind() {
                    ErrorKind::Disconnected(_) => self.broken = true,
                    _ => self.exhausted = true,
                }
            }
        }
    }

    /// Adds a value, if there is room.
    pub(crate) fn insert(&mut self, value: &str, bounds: &Bounds) {
        // What is there already takes no room, however full it is.
        if self.values.contains(value) {
            return;
        }
        let bytes: usize = self.values.iter().map(String::len).sum();
        if self.values.len() >= bounds.values || bytes + value.len() > bounds.value_bytes {
            self.exhausted = true;
            return;
        }
        self.values.insert(value.to_owned());
    }
}
