//! A registry over many nodes: each keeps its own values and asks its peers for what it lacks. The
//! second application of the tutorial.
//!
//! ```text
//!   p2p serve A          p2p serve B A         p2p serve C A         p2p serve D B C
//!
//!        A        B dials A, binds itself on that connection, says add_peer("B"); A answers "A".
//!      /   \      From then on either calls the other over it: the overlay is a graph of equals,
//!     B     C     and nobody knows more of it than his own peers.
//!      \   /
//!        D
//! ```
//!
//! Three ways of asking (`p2p.rpc`), each in a file of its own:
//!
//! * `get`: a randomised depth-first search that ends at the first value and leaves copies along
//!   the way back;
//! * `get_all`: everybody at once, a barrier, and the union of all answers, pruned by the list of
//!   visited nodes;
//! * `search`: the same by query id: each node answers once, whatever the graph, and all living
//!   links are used.
//!
//! [`P2pNode`] is the node, [`P2pNodeProxy`] calls it, [`Bounds`] says how much others can make it
//! do. The clients of the plain registry work with it unchanged.

#![forbid(unsafe_code)]

mod bounds;
mod chance;
mod get;
mod get_all;
mod node;
mod overlay;
mod search;
mod seen;

pub use bounds::Bounds;
pub use node::{P2pNode, Requests, Voice};

peers_rpc::include_rpc!("p2p");

/// Returns the limits that nodes live by: calls may be nested as deeply as a search through a long
/// chain of nodes needs.
pub fn limits() -> peers_rpc::Limits {
    let mut limits = peers_rpc::Limits::default();
    limits.call_depth = 1_024;
    limits
}
