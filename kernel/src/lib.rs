//! A single-threaded event kernel in continuation-passing style.

#![deny(unsafe_code)]

mod address;
mod cause;
mod collect;
mod cont;
mod descriptors;
mod dial;
mod dump;
mod engine;
#[cfg(target_os = "linux")]
mod epoll;
mod handle;
mod host;
mod kernel;
mod listener;
mod lost;
mod meter;
mod node;
mod offload;
mod outlet;
mod output;
mod pipe;
mod poller;
mod real;
mod registry;
mod remote;
mod resolve;
mod rng;
pub mod sim;
mod stream;
mod task;
mod thread;
mod time;
mod timer;
mod watch;

pub use address::{Address, AddressError};
pub use cause::Cause;
pub use collect::Collect;
pub use cont::Cont;
pub use dump::Dump;
pub use handle::Handle;
pub use kernel::{Kernel, Wait};
pub use listener::Listener;
pub use lost::{Lost, Overloaded, PostError};
pub use meter::Budget;
pub use node::{Cx, Node};
pub use offload::Stop;
pub use outlet::{Full, Outlet};
pub use rand_core;
pub use remote::{INBOX, Remote};
pub use rng::{ForkedRng, Rng};
pub use stream::{Input, Stream};
pub use thread::{LoopThread, spawn_loop};
pub use time::Instant;
pub use timer::TimerId;
