//! A single-threaded event kernel in continuation-passing style.

#![deny(unsafe_code)]

mod address;
mod cause;
mod cont;
mod engine;
mod epoll;
mod handle;
mod host;
mod kernel;
mod lost;
mod meter;
mod node;
mod offload;
mod output;
mod poller;
mod real;
mod registry;
mod remote;
mod rng;
mod task;
mod time;
mod timer;
mod watch;

pub use address::{Address, AddressError};
pub use cause::Cause;
pub use cont::Cont;
pub use handle::Handle;
pub use kernel::{Kernel, Wait};
pub use lost::{Lost, Overloaded, PostError};
pub use meter::Budget;
pub use node::{Cx, Node};
pub use offload::Stop;
pub use rand_core;
pub use remote::{INBOX, Remote};
pub use rng::{ForkedRng, Rng};
pub use time::Instant;
pub use timer::TimerId;
