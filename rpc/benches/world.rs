//! The simulated world: whole calls between processes, and events of the world, in a second of real
//! time. Run with `cargo bench -p peers-rpc --bench world`.

#[path = "../../kernel/benches/harness/mod.rs"]
mod harness;
mod star;

use harness::{report, say, timed};
use star::Star;

/// Calls in each round.
const CALLS: u64 = 32_768;

/// Calls of so many clients, each with so many at a time.
fn measure(clients: u64, at_a_time: u64) {
    let mut star = Star::new(clients as usize);
    let mut events = 0;
    let name = format!("a call; {clients} clients, each {at_a_time} at a time");
    let best =
        report(&name, "-", CALLS, || timed(|| events = star.calls(CALLS / clients, at_a_time)));
    let per_second = |count: u64| count as f64 / best.as_secs_f64() / 1e3;
    let (calls, events) = (per_second(CALLS), per_second(events));
    say("  in a second", &format!("{calls:.0} k calls, {events:.0} k events"));
}

fn main() {
    for (clients, at_a_time) in [(1, 1), (1, 64), (1, 1024), (16, 1), (16, 64)] {
        measure(clients, at_a_time);
    }
}
