//! A registry: it keeps values under keys and gives them to whoever asks. The first application of
//! the tutorial.
//!
//! `registry.rpc` says what can be called; [`Registry`] implements it; [`NodeProxy`] calls it. The
//! binary `registry` serves one, and puts and gets from a command line.

#![forbid(unsafe_code)]

mod node;

pub use node::Registry;

peers_rpc::include_rpc!("registry");
