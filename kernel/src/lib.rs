//! A single-threaded event kernel in continuation-passing style.
//!
//! Programs that wait for many things at once are written here as handlers: small functions that
//! get an event and the state of their [`Node`] as plain `&mut`, say what shall happen next, and
//! return. What happens next is a [`Cont`], a continuation that is resumed once, with a value or an
//! error. No locks, no `async`, one thread, one stack frame deep.
//!
//! ```
//! use peers_kernel::{Cont, Cx, Kernel, Lost};
//! use std::time::Duration;
//!
//! struct Kettle {
//!     cups: u32,
//! }
//!
//! impl Kettle {
//!     fn boil(&mut self, cx: &Cx<Self>, tea: Cont<u32, Lost>) {
//!         cx.after(Duration::from_secs(180), |kettle, _| {
//!             kettle.cups += 1;
//!             tea.ok(kettle.cups)
//!         });
//!     }
//! }
//!
//! // Three minutes pass at once; `Kernel::new()?` waits for them.
//! let mut kernel = Kernel::simulated(1);
//! let kettle = kernel.node(Kettle { cups: 0 });
//! let drink = Cont::new(&kernel.handle(), |tea: Result<u32, Lost>| assert_eq!(tea, Ok(1)));
//! kettle.cx().schedule(|kettle, cx| kettle.boil(cx, drink));
//! kernel.run()?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # The seven rules
//!
//! 1. **Tasks run in one place**, one at a time, to completion, on a clean stack. Kept by
//!    `tests/clean_stack.rs`.
//! 2. **Resuming a continuation only queues it.** Nothing ever runs a handler inline, not even an
//!    immediate failure; so a handler can borrow state as `&mut`, and a chain of a hundred million
//!    steps needs no stack. Kept by `tests/resume_queues.rs`.
//! 3. **A turn runs ready tasks first in, first out**, including those they queue, until none is
//!    left or its [`Budget`] is spent. Then it tells [those who asked](TurnEnd) so, flushes, polls,
//!    and looks at timers and other threads, whose tasks join the tail of the same queue. So
//!    neither an endless chain nor a flood delays anybody else by more than a turn. Kept by
//!    `tests/order.rs`, `tests/budget.rs`.
//! 4. **A continuation ends exactly once**: with a value, with an error, or by being dropped, which
//!    is an error that whoever waits is told ([`Lost`]). Kept by `tests/exactly_once.rs`.
//! 5. **Only the loop enters a node**, so a handler has the node's state as plain `&mut`. Kept by
//!    `tests/nodes.rs`.
//! 6. **Owners hold strongly, everything handed around is weak.** [`Kernel`], [`Node`] and
//!    [`Listener`] own; a [`Handle`], a [`Cx`], an [`Outlet`] keep nothing alive and are harmless
//!    when it is gone. Kept by
//!    `the_end_of_the_kernel_drops_everything_and_later_calls_are_harmless`.
//! 7. **The kernel never touches the operating system by itself.** Time, entropy and readiness come
//!    through one seam with two hosts behind it: the system, and a simulated [world](sim) where the
//!    same program runs unchanged, in virtual time, the same way for the same seed. Kept by
//!    `tests/tests/rooms.rs`, `tests/simulation.rs`.
//!
//! # A turn
//!
//! ```text
//!             +--------------------- the ready queue ---------------------+
//!             |  continuation   task   source   continuation   timer ...  | <--+
//!             +-----------------------------------------------------------+    |
//!                  |  one after another, until empty or the budget is spent    |
//!                  v                                                           |
//!        handler(&mut state, &cx, ..) --- resumes, schedules -------------------+
//!                  |                                                           |
//!             turn ends: what many tasks have added to is finished             |
//!                  |                                                           |
//!             flush: one write per connection that has output                  |
//!                  |                                                           |
//!             poll: wait for readiness, not at all if tasks are left           |
//!                  |                                                           |
//!             read the clock                                                   |
//!                  |                                                           |
//!             sources that are ready, timers that are due, posted tasks -------+
//! ```
//!
//! # When things go wrong
//!
//! A handler that panics costs its caller an error and nobody else anything: node, connection and
//! process live on, and the log names the line where the handler was made. It also names handlers
//! that run longer than 50 ms. A program that hangs is asked for [`Handle::dump`], which lists what
//! waits, since when, made where.
//!
//! These layers catch panics, from the outside in:
//!
//! | file | of what | who is told |
//! |---|---|---|
//! | `kernel.rs` | whatever runs in a task | the log; the loop goes on with the next task |
//! | `core/turn_end.rs` | a [`TurnEnd`] | the log |
//! | `core/mod.rs` | the program's code, for layers below and secure ones | the log, the layer |
//! | `core/panics.rs` | values of the program that are dropped | the log |
//! | `node/mod.rs`, `node/collect.rs` | a node's handler, a barrier's end | who waits for the outcome |
//! | `core/receiver.rs` | making a value of bytes | who waits for the value |
//! | `io/listener.rs`, `io/signal.rs` | who accepts a stream, who hears a signal | the log |
//! | `io/pipe/read.rs`, `io/pipe/proof.rs` | who hears a stream, who admits a peer | the log |
//! | `io/pipe/closing.rs` | who is shown what a closed stream throws away | the log |
//! | `core/offload.rs` | work on another thread, and what is done with its outcome | who waits for the outcome |
//! | `loop_thread.rs` | what starts a loop on a thread, and what ends with it | who started it; the log |
//!
//! # Where to look
//!
//! | to | use |
//! |---|---|
//! | keep state and handle events | [`Node`], [`Cx`] |
//! | say what happens next | [`Cont`], and [`Collect`] for many at once |
//! | wait | [`Handle::after`], [`Handle::at`] |
//! | talk to the network | [`Handle::connect`], [`Handle::listen`], [`Stream`], [`Outlet`] |
//! | build a protocol | [`Receiver`] for answers yet to be read, [`TurnEnd`], [`Outlet::write_vec`], [`Outlet::read_into`] |
//! | compute for long | [`Handle::offload`] |
//! | come in from other threads | [`Remote`], [`spawn_loop`] |
//! | test | [`sim::World`], [`Kernel::simulated`] |
//!
//! The examples are programs of one page each: `echo`, `ticker`, `chat`, `background`, `shutdown`.
//!
//! # Rooms of the source
//!
//! Lowest first; each uses itself and those above it in this list: `host` (the outside: `os` and
//! `sim`), `core` (tasks, timers, continuations), `node`, `io` (streams and what makes them),
//! `kernel` (the turn), `world` and `loop_thread`.
//!
//! # Where it runs
//!
//! On Linux 5.11 or later, which is where waiting can be as precise as the clock, and on other
//! 64-bit Unix systems that `polling` knows. A sandbox must allow `epoll_pwait2`.

#![deny(unsafe_code)]

// The floors, lowest first, a blank line between two: a room uses itself and those before it.
mod host;

mod core;

mod node;

mod io;

mod kernel;

mod loop_thread;
mod world;

#[doc(hidden)]
pub mod fuzz;
pub mod sim;

pub use self::core::budget::Budget;
pub use self::core::cause::Cause;
pub use self::core::cont::Cont;
pub use self::core::dump::Dump;
pub use self::core::handle::Handle;
pub use self::core::lost::{Lost, Overloaded, PostError};
pub use self::core::offload::{Shares, Stop};
#[doc(hidden)]
pub use self::core::panics::note_panic;
pub use self::core::receiver::{FromBytes, Receiver};
pub use self::core::remote::{INBOX, Remote};
pub use self::core::rng::Rng;
pub use self::core::timers::TimerId;
pub use self::core::turn_end::TurnEnd;
pub use host::os::lines::Lines;
pub use host::os::poller::Descriptor;
pub use host::public_key::{PublicKey, PublicKeyError};
pub use host::rng::ForkedRng;
pub use host::socket::Credentials;
#[doc(hidden)]
pub use host::text::is_invisible;
pub use host::throttle::may_log;
pub use host::time::Instant;
pub use io::address::{Address, AddressError};
pub use io::listener::Listener;
pub use io::outlet::{Full, Outlet};
pub use io::secure_layer::{Opened, SecureLayer};
pub use io::signal::{Signal, Signals};
pub use io::source::Source;
pub use io::stream::{Input, Listen, Stream};
pub use kernel::{Kernel, Wait};
pub use loop_thread::{LoopThread, spawn_loop};
pub use node::collect::Collect;
pub use node::{Cx, Node};
pub use rand_core;
