//! `counts-long PROGRAM OPERATIONS` runs a program of those whose requests take longer ways;
//! `counts-long list` names them, as `counts list` does the others.
//!
//! They stand in a program of their own: where one function has two callers the compiler makes
//! other machine code of it, so each would change what the others are counted.

mod requests;
#[allow(unreachable_pub, reason = "shared with a benchmark")]
#[path = "../../../../rpc/benches/star/mod.rs"]
mod star;

use peers_counts::{Program, of};
use std::process::ExitCode;

/// All programs of this kind.
const PROGRAMS: [Program; 3] = [
    of(
        "nested-call",
        "a call answered with what another one is told; 64 at a time",
        6_400,
        requests::nested_call,
    ),
    of(
        "waiting-call",
        "a whole call; 65,536 at a time, most of them waiting for credit",
        requests::MANY,
        requests::waiting_call,
    ),
    of("event", "an event between simulated processes; 64 together", 6_400, requests::event),
];

fn main() -> ExitCode {
    peers_counts::main(&PROGRAMS)
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_program_does_what_it_says() {
        super::PROGRAMS.iter().for_each(|program| (program.run)(program.few));
    }
}
