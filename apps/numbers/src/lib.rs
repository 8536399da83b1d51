//! Number theory for whoever asks, computed by one node or by a herd of them. The third application
//! of the tutorial.
//!
//! ```text
//!   numbers serve herd A         numbers serve herd B A         numbers serve herd C A
//!
//!     client --- get_prime ---> A    B and C dial A and say add_peer(): from then on each may
//!                              / \   forward to the other end of such a connection. A node that is
//!                             B   C  asked flips a coin: it computes on a thread of its own, or
//!                                    forwards to some peer, which flips a coin...
//! ```
//!
//! A request is forwarded at most [`HOPS`] times. The deadline of whoever asked first covers the
//! whole chain, and a cancel runs along it and stops the work at its end. Mathematics has no side
//! effects, so what a dying peer leaves undone is simply computed here.
//!
//! [`Number`] is a big number and what can be done with it; [`Client`] asks a node for the same;
//! [`Loner`] and [`Herd`] are the nodes; `numbers.rpc` says how they talk.

#![forbid(unsafe_code)]

mod arithmetic;
mod client;
mod herd;
mod loner;
mod number;
mod operation;
mod wrong;

pub use client::Client;
pub use herd::{HOPS, Herd, Voice};
pub use loner::Loner;
pub use number::Number;
pub use wrong::Wrong;

peers_rpc::include_rpc!("numbers");
