//! The memory of queries: which were here, whose they were, and how many more a neighbour may send.
//!
//! Invariants:
//! 1. `order` holds what `known` holds, oldest first, and never more than the bounds allow. Kept by
//!    `admit`.
//! 2. A neighbour has an entry iff at least one of its queries is remembered; so entries cannot
//!    outgrow queries. Kept by `admit`.
//! 3. Old queries are forgotten by time first; a neighbour that fills its share is refused, and
//!    makes nobody forget. Kept by `one_neighbours_flood_makes_nobody_forget_a_query_of_another`.

use crate::{Bounds, QueryId};
use peers_rpc::{Endpoint, Instant};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// Says what to do with a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It was never here: pass it on.
    New,
    /// It was here before.
    Known,
    /// Its sender sends too many.
    Refused,
}

/// A query that is remembered.
struct Memory {
    until: Instant,
    query: (u64, u64),
    from: Endpoint,
}

/// A neighbour's part in the memory.
struct Neighbour {
    remembered: usize,
    /// Says when its queries so far would have been sent at the allowed rate.
    paid_until: Instant,
}

/// The queries that were here lately.
pub(crate) struct Seen {
    known: BTreeSet<(u64, u64)>,
    order: VecDeque<Memory>,
    neighbours: BTreeMap<Endpoint, Neighbour>,
    limit: usize,
    share: usize,
    memory: Duration,
    interval: Duration,
    /// Says how far ahead of its rate a neighbour may be.
    slack: Duration,
}

impl Seen {
    pub(crate) fn new(bounds: &Bounds) -> Self {
        Self {
            known: BTreeSet::new(),
            order: VecDeque::new(),
            neighbours: BTreeMap::new(),
            limit: bounds.remembered,
            share: bounds.remembered_share,
            memory: bounds.memory,
            interval: bounds.query_interval,
            slack: bounds.query_interval * bounds.query_burst.saturating_sub(1),
        }
    }

    /// Judges a query that came from a neighbour, and remembers it if it is new.
    pub(crate) fn admit(&mut self, now: Instant, query: &QueryId, from: &Endpoint) -> Verdict {
        self.forget_old(now);
        let query = (query.high, query.low);
        if self.known.contains(&query) {
            return Verdict::Known;
        }
        let (remembered, paid_until) =
            self.neighbours.get(from).map_or((0, now), |n| (n.remembered, n.paid_until.max(now)));
        // Refused before it is remembered: who floods this node makes nobody else's query
        // forgotten.
        if remembered >= self.share || paid_until - now > self.slack {
            return Verdict::Refused;
        }
        let neighbour =
            Neighbour { remembered: remembered + 1, paid_until: paid_until + self.interval };
        self.neighbours.insert(from.clone(), neighbour);
        self.known.insert(query);
        self.order.push_back(Memory { until: now + self.memory, query, from: from.clone() });
        if self.order.len() > self.limit {
            self.forget_oldest();
        }
        debug_assert!(self.is_sound(), "what is remembered stands in all three places");
        Verdict::New
    }

    /// Returns whether the memory holds what its front page promises.
    fn is_sound(&self) -> bool {
        let neighbours = self.neighbours.values().map(|neighbour| neighbour.remembered);
        let counted = neighbours.clone().all(|count| count > 0);
        let sums =
            self.known.len() == self.order.len() && neighbours.sum::<usize>() == self.order.len();
        counted && sums && self.order.len() <= self.limit
    }

    fn forget_old(&mut self, now: Instant) {
        while self.order.front().is_some_and(|memory| memory.until <= now) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some(Memory { query, from, .. }) = self.order.pop_front() else { return };
        self.known.remove(&query);
        if let Some(neighbour) = self.neighbours.get_mut(&from) {
            neighbour.remembered -= 1;
            if neighbour.remembered == 0 {
                self.neighbours.remove(&from);
            }
        }
    }
}
