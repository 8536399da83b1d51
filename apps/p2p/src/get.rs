//! `get`: a randomised depth-first search, one peer at a time, that leaves copies along its way
//! back.
//!
//! Iteration is by continuation: each answer decides about the next question, so no stack grows
//! however many peers are asked in vain.

use crate::overlay::{Route, is_dead};
use crate::{NoSuchKey, P2pNode, P2pNodeProxy, chance};
use peers_rpc::{Binding, Context, Cx, Error, ErrorKind, Reply};
use std::time::Duration;

/// When a peer has used up the caller's time but for this, no other is asked: that could only turn
/// a time-out into "nobody has it".
const TOO_LATE: Duration = Duration::from_millis(50);
/// Says how long the caller is left to notice by itself that its time is over, before it is told.
const GRACE: Duration = Duration::from_millis(100);

/// A search on behalf of a caller, between two questions.
struct Hunt {
    key: String,
    /// Holds what the peers are told not to visit.
    visited: Vec<String>,
    /// Says whom to ask, the next one last.
    rest: Vec<(String, P2pNodeProxy)>,
    caller: Binding,
    reply: Reply<String>,
}

impl P2pNode {
    /// Answers with the value kept here, or with the first that a peer answers with; `no_such_key`
    /// if nobody does.
    pub(crate) fn find_one(
        &mut self,
        cx: &Context<'_, Self>,
        key: String,
        visited: &[String],
        reply: Reply<String>,
    ) {
        if let Some(value) = self.values.get(&key) {
            return reply.ok(value.clone());
        }
        let route = self.route(visited);
        let Route { next: mut rest, visited } = route.unwrap_or_default();
        // By chance, so that what many ask for spreads over the network.
        chance::shuffle(&mut cx.handle().rng(), &mut rest);
        self.ask_next(cx, Hunt { key, visited, rest, caller: cx.caller().clone(), reply });
    }

    fn ask_next(&mut self, cx: &Cx<Self>, mut hunt: Hunt) {
        let Some((id, peer)) = hunt.rest.pop() else {
            return hunt.reply.err(NoSuchKey { key: hunt.key }.raise());
        };
        is_dead(&id, &peer); // asking it will say so, and remove it
        let call = peer.get_from(&hunt.key, &hunt.visited);
        call.then(cx.on((id, peer, hunt), Self::found, Self::not_found));
    }

    /// Keeps the value that a peer has, and answers with it. If this node got one meanwhile, that
    /// one counts.
    fn found(&mut self, _: &Cx<Self>, value: String, (_, _, hunt): (String, P2pNodeProxy, Hunt)) {
        let Hunt { key, reply, .. } = hunt;
        if let Some(own) = self.values.get(&key) {
            self.say(&format!("ignored value: {key} -> {value}"));
            return reply.ok(own.clone());
        }
        self.say(&format!("cached value: {key} -> {value}"));
        self.values.insert(key, value.clone());
        reply.ok(value);
    }

    fn not_found(
        &mut self,
        cx: &Cx<Self>,
        error: Error,
        (id, peer, hunt): (String, P2pNodeProxy, Hunt),
    ) {
        self.fault(&id, &peer, &error);
        // Nobody waits any more, so asking on would be work for nothing.
        if !hunt.caller.is_waiting() {
            return hunt.reply.err(error);
        }
        if hunt.is_late(cx, &error) {
            // Silence, so that the caller says "timed out" and not "the other side failed".
            cx.after(GRACE, move |_, _| hunt.reply.err(error));
            return;
        }
        self.ask_next(cx, hunt);
    }
}

impl Hunt {
    /// Returns whether the caller waits for so short a time only that nothing can come of it.
    fn is_late(&self, cx: &Cx<P2pNode>, error: &Error) -> bool {
        let timed_out = matches!(error.kind(), ErrorKind::TimedOut { .. } | ErrorKind::Failed(_));
        let end = cx.handle().now() + TOO_LATE;
        timed_out && self.caller.deadline().is_some_and(|deadline| deadline <= end)
    }
}
