//! Work in the background: counts primes on worker threads while the loop goes on, and adds up what
//! comes back.
//!
//! `cargo run --release -p peers-kernel --example background`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use peers_kernel::{Collect, Cx, Kernel, Lost, Stop};
use std::ops::Range;
use std::time::Duration;

/// Counts slowly, and looks now and then whether anybody still waits.
fn count_primes(numbers: Range<u64>, stop: &Stop) -> u64 {
    let is_prime = |n: u64| n > 1 && (2..).take_while(|d| d * d <= n).all(|d| !n.is_multiple_of(d));
    numbers.take_while(|_| !stop.is_set()).filter(|n| is_prime(*n)).count() as u64
}

struct Counter;

impl Counter {
    fn start(&mut self, cx: &Cx<Self>) {
        let parts = Collect::first_error(cx.on((), Self::counted, Self::failed));
        for part in 0..8 {
            let numbers = part * 100_000..(part + 1) * 100_000;
            cx.offload(move |stop| Ok(count_primes(numbers, stop)), parts.branch());
        }
        cx.after(Duration::from_millis(1), |_, _| println!("the loop goes on meanwhile"));
    }

    fn counted(&mut self, _: &Cx<Self>, parts: Vec<u64>, (): ()) {
        println!("{} primes below 800000", parts.iter().sum::<u64>());
    }

    fn failed(&mut self, _: &Cx<Self>, lost: Lost, (): ()) {
        println!("no result: {lost}");
    }
}

fn main() -> std::io::Result<()> {
    let mut kernel = Kernel::new()?;
    let counter = kernel.node(Counter);
    counter.cx().schedule(Counter::start);
    kernel.run()
}
