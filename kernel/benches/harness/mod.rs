//! A stopwatch for the benchmarks of all crates: the best of a few rounds, per operation. No
//! statistics; compare figures of one run with each other.
#![allow(dead_code, reason = "each bench uses its part")]
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures time from outside the kernel")]

use std::time::{Duration, Instant};

/// Rounds of each measurement; the best one counts, because whatever else the machine does only
/// adds.
const ROUNDS: usize = 15;

/// Reads the system's clock.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Runs `round` a few times; it says how long `operations` of something took. Prints nanoseconds
/// for one, beside the target, if there is one. Returns the best round.
pub(crate) fn report(
    name: &str,
    target: &str,
    operations: u64,
    mut round: impl FnMut() -> Duration,
) -> Duration {
    let best = (0..ROUNDS).map(|_| round()).min().unwrap_or_default();
    let nanos = best.as_nanos() as f64 / operations as f64;
    let target = if target == "-" { String::new() } else { format!("   target {target}") };
    println!("{name:<58} {nanos:>8.1} ns{target}");
    best
}

/// Nanoseconds that one run of `work` takes, which is too short to be timed alone: the best of many
/// short rounds.
pub(crate) fn nanos(mut work: impl FnMut()) -> f64 {
    const ROUND: Duration = Duration::from_millis(2);
    const ROUNDS: u32 = 100;
    let mut runs = 1_u32;
    let mut round = |runs: u32| timed(|| (0..runs).for_each(|_| work()));
    loop {
        let took = round(runs);
        if took > ROUND / 2 {
            let scaled = f64::from(runs) * ROUND.as_secs_f64() / took.as_secs_f64();
            runs = (scaled as u32).max(1);
            break;
        }
        runs = runs.saturating_mul(2);
    }
    let best = (0..ROUNDS).map(|_| round(runs)).min().unwrap_or(ROUND);
    best.as_secs_f64() * 1e9 / f64::from(runs)
}

/// Prints a figure that is not a time.
pub(crate) fn say(name: &str, what: &str) {
    println!("{name:<58} {what}");
}

/// Returns how long `f` takes.
pub(crate) fn timed(f: impl FnOnce()) -> Duration {
    let start = now();
    f();
    start.elapsed()
}
