//! Says how much others can make a node do: numbers and what they mean, nothing else.
//!
//! Invariant: whatever a peer or client can make grow has its bound here or in
//! [`Limits`](peers_rpc::Limits). Reaching one makes that branch of a search answer as exhausted;
//! it ends no connection.

use std::time::Duration;

/// The bounds of one node.
///
/// ```
/// let mut bounds = peers_p2p::Bounds::default();
/// // As sparing as the first file-sharing networks should have been.
/// (bounds.hops, bounds.fan_out) = (4, 4);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bounds {
    /// Peers that a node has. Default 4,096.
    pub peers: usize,
    /// Bytes of a peer's id. Default 256.
    pub id_bytes: usize,
    /// Ids in a list of visited nodes. Default 4,096.
    pub visited_ids: usize,
    /// Bytes of all ids in such a list. Default 64 KiB.
    pub visited_bytes: usize,

    /// Hops that a search by id travels. Default 64.
    pub hops: u32,
    /// Peers that a node passes a search by id on to, chosen at random if it has more. Default 64.
    pub fan_out: usize,
    /// Times that a search by id is begun, when connections end in the middle of it. Default 3.
    pub rounds: u32,
    /// Different values in an answer to a search by id. Default 100.
    pub values: usize,
    /// Bytes of all values in such an answer. Default 64 KiB.
    pub value_bytes: usize,

    /// Queries that a node remembers. Default 16,384.
    pub remembered: usize,
    /// Queries of one neighbour among them. Default an eighth of all.
    pub remembered_share: usize,
    /// For how long it remembers them. Default 2 min.
    pub memory: Duration,
    /// Time between two queries of one neighbour, on average. Default 100 ms, which is ten in a
    /// second.
    pub query_interval: Duration,
    /// Queries that a neighbour may send at once. Default 50.
    pub query_burst: u32,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            peers: 4_096,
            id_bytes: 256,
            visited_ids: 4_096,
            visited_bytes: 64 << 10,
            hops: 64,
            fan_out: 64,
            rounds: 3,
            values: 100,
            value_bytes: 64 << 10,
            remembered: 16_384,
            remembered_share: 2_048,
            memory: Duration::from_secs(120),
            query_interval: Duration::from_millis(100),
            query_burst: 50,
        }
    }
}
