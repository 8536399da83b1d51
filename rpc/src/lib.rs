//! Symmetric remote calls over one connection, in continuation-passing style.
//!
//! Whoever dials and whoever listens are equals: either may call what the other has bound, on the
//! same connection. An interface file says what can be called, `rpcc` turns it into a proxy to call
//! with and a trait to implement, and this crate carries the calls: in order, with deadlines that
//! travel, cancels that cascade, and exactly one outcome each.
//!
//! ```
//! use peers_rpc::doc::{LocalNode, NoSuchKey, NodeProxy};
//! use peers_rpc::{Context, Error, Kernel, Rpc};
//! use std::cell::RefCell;
//! use std::collections::BTreeMap;
//! use std::rc::Rc;
//!
//! #[derive(Default)]
//! struct Registry(BTreeMap<String, String>);
//!
//! impl LocalNode for Registry {
//!     fn put(&mut self, _: &Context<'_, Self>, key: String, value: String) {
//!         self.0.insert(key, value);
//!     }
//!     fn get(&mut self, _: &Context<'_, Self>, key: String) -> Result<String, Error> {
//!         Ok(self.0.get(&key).cloned().ok_or(NoSuchKey { key })?)
//!     }
//! }
//!
//! // Or `Kernel::new()?` and an `inet:` address: nothing else changes.
//! let mut kernel = Kernel::simulated(1);
//! let rpc = Rpc::new(&kernel);
//! let _service = rpc.serve("sim:arrakis", Registry::default(), LocalNode::bind)?;
//!
//! let client = Rpc::new(&kernel); // a connection to oneself would be refused
//! let n: NodeProxy = NodeProxy::new(client.connect("sim:arrakis"));
//! n.put("arrakis", "dune")?;
//! let (handle, answer) = (kernel.handle(), Rc::new(RefCell::new(String::new())));
//! let got = answer.clone();
//! n.get("arrakis").then_or(
//!     move |value| {
//!         got.replace(value);
//!         handle.stop();
//!     },
//!     peers_rpc::warn,
//! );
//! kernel.run()?;
//! assert_eq!(*answer.borrow(), "dune");
//! # Ok::<(), Error>(())
//! ```
//!
//! How a call travels:
//!
//! ```text
//!  caller's process                                   callee's process
//!  node.get(key).then(k)                              LocalNode::get(&mut self, cx, key)
//!    | arguments encoded once                            ^ decoded, state entered by the loop only
//!    v                                                   |
//!  Endpoint -> Link -> Session                        Session -> Link -> stub::Incoming
//!              (credit, id, deadline)                  (credit, order, depth, expiry)
//!    |                                                   |
//!    v       frame: call                                 |      Result<T, Error> or Reply<T>
//!  kernel stream ====================================> kernel stream
//!    ^       frame: reply | exception | refused          |
//!    |<==================================================+
//!  Session -> the pending call's box -> k is queued -> k runs on a clean stack
//! ```
//!
//! # Rooms of the source
//!
//! Lowest first; each uses itself and those before it in this list: [`limits`] bounds all of it,
//! `security` says who may come in; [`session`] is the protocol without input or
//! output; `interface` has methods, exceptions and errors; `link` joins a session to a kernel
//! stream; `call` sends calls ([`Call`]) and `serve` answers those of the peer ([`Binding`], and
//! [`stub`], which generated code is written against); `process` looks after all connections
//! together; `api` has what programs hold ([`Rpc`], [`Listener`], and `sync` for other threads).
//!
//! Owners hold strongly ([`Kernel`], [`Node`], [`Rpc`], [`Listener`]); everything handed around is
//! weak.

#![forbid(unsafe_code)]

extern crate self as peers_rpc;

// The floors, lowest first, a blank line between two: a room uses itself and those before it.
pub mod limits;
mod security;

pub mod session;

mod interface;

mod link;

mod call;
mod serve;

mod process;

mod api;

#[doc(hidden)]
pub mod doc;

#[doc(hidden)]
pub use api::audit::Audit;
pub use api::dial::Dialler;
pub use api::helpers::{
    collect_async, pickle, unpickle, warn, with_error_handler, wrap, wrap_left,
};
pub use api::listener::Listener;
pub use api::reconnect::stay_connected;
pub use api::rpc::Rpc;
pub use api::service::Service;
pub use api::sync::{
    Peers, Started, SyncCall, SyncCancel, SyncEndpoint, spawn_loop, spawn_loop_secured,
    spawn_loop_with,
};
pub use call::{Call, Cancel};
pub use interface::address::ToAddress;
pub use interface::caller::Caller;
pub use interface::error::{Error, ErrorKind, Misuse, Outer, Overload, Raised, Refusal};
#[doc(hidden)]
pub use interface::wrong_thread::{CanContinue, CanWait};
pub use interface::{Convention, Exception, Interface, InterfaceFile, Method, Proxy};
pub use limits::Limits;
pub use link::counters::Counters;
pub use link::end::Drained;
pub use link::endpoint::Endpoint;
pub use link::name::EndpointName;
#[doc(hidden)]
pub use security::allow::Asked;
pub use security::allow::{Allow, Peer};
pub use security::{InsecureBind, SecureTransport, Security, SecurityError};
pub use serve::binding::Binding;
pub use serve::context::Context;
pub use serve::stub;
pub use session::CloseReason;
pub use session::close::AlreadyBound;
#[doc(hidden)]
pub use session::fuzz;
pub use session::text::Escaped;

pub use peers_kernel as kernel;
pub use peers_kernel::{
    Address, Collect, Cont, Cx, Handle, Instant, Kernel, Lost, Node, PublicKey, TimerId,
};
pub use peers_wire as wire;
pub use peers_wire::{NodeId, Trace};

/// Answers an `:async` method: a continuation, soft-bound to the caller's endpoint.
///
/// It is resumed once, or dropped, which answers "no reply" at once. Resuming it after the caller
/// has gone is harmless.
///
/// ```compile_fail,E0382
/// # fn f(reply: peers_rpc::Reply<u32>) {
/// for n in [1, 2] {
///     reply.ok(n); // one reply for a whole loop: `Collect` joins many outcomes into one
/// }
/// # }
/// ```
pub type Reply<T> = Cont<T, Error>;

/// Includes what `rpcc` wrote for `NAME.rpc` in the build script:
/// `peers_rpc::include_rpc!("registry");`.
#[macro_export]
macro_rules! include_rpc {
    ($name:literal) => {
        include!(concat!(env!("OUT_DIR"), "/", $name, ".rs"));
    };
}
