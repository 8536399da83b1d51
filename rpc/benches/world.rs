//! The simulated world: whole calls between two processes, and events of the world, in a second of real time. Run with
//! `cargo bench -p peers-rpc --bench world`.

#[path = "../../kernel/benches/harness/mod.rs"]
mod harness;
mod pair;

use harness::{report, say, timed};
use pair::Pair;

/// Calls in each round.
const CALLS: u64 = 32_000;

fn main() {
    for (name, at_a_time) in [("one", 1), ("64", 64), ("1,024", 1024)] {
        let mut pair = Pair::new();
        let mut events = 0;
        let best = report(&format!("a call, {name} at a time"), "-", CALLS, || {
            timed(|| events = pair.calls(CALLS, at_a_time))
        });
        let per_second = |count: u64| count as f64 / best.as_secs_f64() / 1e3;
        let (calls, events) = (per_second(CALLS), per_second(events));
        say("  in a second", &format!("{calls:.0} k calls, {events:.0} k events"));
    }
}
