//! Lone calls between two simulated processes, one after the other, whose way the script `way`
//! beside this crate writes down: from the method that makes a call to the one that hears of its
//! result.

#![forbid(unsafe_code)]

#[allow(dead_code, unreachable_pub, reason = "shared with a benchmark, which uses all of it")]
#[path = "../../../../rpc/benches/star/mod.rs"]
mod star;

/// Calls that are made: of some the network cuts the bytes, or interrupts a wait.
const CALLS: u64 = 64;

fn main() {
    star::Star::new(1).calls(CALLS, 1);
}
