//! Processes that talk to each other, on three grounds: a simulated world, TCP on loopback, and
//! Unix sockets.
//!
//! A test asks for a [`Field`], starts a [`Peer`] or more on it, dials, and drives until what it
//! waits for has happened. The same code runs on every ground: [`everywhere!`] makes three tests of
//! one scenario. Each peer is a process with a kernel of its own. In the simulated world time is
//! virtual; on the real grounds the kernels take turns on one thread, and only a deadline that no
//! working test ever meets ends the waiting.
//!
//! Nothing here sleeps, and nothing here knows what a test wants to prove.

#![allow(dead_code, unused_imports, unused_macros, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod chain;
mod desk;
mod field;
mod outcome;
mod rest;
mod seen;
mod sending;
mod setting;

pub(crate) use chain::{Chain, chain};
pub(crate) use desk::{Desk, stumble};
pub(crate) use field::{Field, Peer};
pub(crate) use outcome::Got;
pub(crate) use sending::{left, notes, patient, send_and_close};
pub(crate) use setting::{Played, Setting, in_other_worlds, play};

/// The interface that the tests call: see `interfaces/probe.rpc`.
#[allow(clippy::all, unreachable_pub, missing_docs)]
pub(crate) mod probe {
    include!("../interfaces/golden/probe.rs");
}

pub(crate) use probe::{
    Context, LocalProbe, LocalSideDoor, NoSuchKey, OutOfRange, ProbeProxy, SideDoorProxy,
};

use peers_rpc::Limits;
use std::time::Duration;

pub(crate) const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(crate) const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// The default limits with a change.
pub(crate) fn limits(change: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits);
    limits
}

/// Makes tests of a scenario: in simulated worlds of several kinds, over TCP, over a Unix socket.
macro_rules! everywhere {
    ($(#[$attribute:meta])* fn $name:ident($field:ident: &mut Field) $body:block) => {
        $(#[$attribute])*
        mod $name {
            use super::*;

            fn scenario($field: &mut Field) $body

            #[test]
            fn simulated() {
                scenario(&mut Field::simulated(1));
            }

            /// Other numbers, and so other latencies and another order of what happens at one time.
            #[test]
            fn simulated_with_other_seeds() {
                for seed in 2..=4 {
                    Field::shown(seed, "any turn");
                    scenario(&mut Field::simulated(seed));
                }
            }

            /// Whatever may wait for the next turn does.
            #[test]
            fn simulated_with_one_task_a_turn() {
                for seed in 1..=2 {
                    Field::shown(seed, "one task a turn");
                    scenario(&mut Field::simulated(seed).one_task_a_turn());
                }
            }

            /// Whatever may wait for room does.
            #[test]
            fn simulated_with_little_room() {
                for seed in 1..=2 {
                    Field::shown(seed, "little room");
                    scenario(&mut Field::simulated(seed).little_room());
                }
            }

            /// Frames are cut anywhere, and a value that fills one is short.
            #[test]
            fn simulated_in_small_pieces() {
                for seed in 1..=2 {
                    Field::shown(seed, "in small pieces");
                    scenario(&mut Field::simulated(seed).in_small_pieces());
                }
            }

            #[test]
            fn tcp() {
                scenario(&mut Field::tcp());
            }

            #[test]
            fn unix() {
                scenario(&mut Field::unix());
            }
        }
    };
}
pub(crate) use everywhere;
