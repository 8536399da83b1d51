//! Encrypted connections between peers that know each other by their keys.
//!
//! An [`Identity`] is a key of one's own. An `Rpc` that has one proves it to whoever dials, and
//! dials addresses that say whose key must be there. The protocol is TLS 1.3 with raw Ed25519 keys
//! on both sides; nothing else is negotiated, resumed or compressed.
//!
//! ```
//! use peers_secure::Identity;
//!
//! let me = Identity::fresh(&mut peers_rpc::Kernel::new()?.handle().rng())?;
//! let again = Identity::from_pem(&me.to_pem())?;
//! assert_eq!(again.key(), me.key());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Rooms of this house, lowest first: `primitives` has the ciphers, `provider` shows them to
//! rustls; `scope` gives rustls what belongs to one handshake; `records` seals and opens what
//! follows a handshake; `config` and `handshake` drive rustls; `layer` is both together, as the
//! kernel wants it; `pem`, `files` and `identity` are the keys, `allow_file` is the list of those
//! who may come.

#![forbid(unsafe_code)]

mod allow_file;
mod config;
mod files;
#[doc(hidden)]
pub mod fuzz;
mod handshake;
mod identity;
mod layer;
mod pem;
mod primitives;
mod provider;
mod records;
mod scope;

pub use allow_file::{AllowFile, AllowFileError};
pub use identity::{Identity, KeyError};
pub use zeroize::Zeroizing;
