//! A ticker: prints every tenth of a second, ten times, and does not drift.
//!
//! `cargo run -p peers-kernel --example ticker`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use peers_kernel::{Cx, Instant, Kernel};
use std::time::Duration;

const PERIOD: Duration = Duration::from_millis(100);

struct Ticker {
    ticks: u32,
}

impl Ticker {
    /// Arms itself again at the instant that was due plus the period, not at now plus the period:
    /// so a late tick does not make all later ones late.
    fn tick(&mut self, cx: &Cx<Self>, due: Instant) {
        self.ticks += 1;
        println!("tick {}, {:?} late", self.ticks, cx.handle().now() - due);
        if self.ticks < 10 {
            let next = due + PERIOD;
            cx.at(next, move |ticker, cx| ticker.tick(cx, next));
        }
    }
}

fn main() -> std::io::Result<()> {
    let mut kernel = Kernel::new()?;
    let ticker = kernel.node(Ticker { ticks: 0 });
    let start = kernel.handle().now();
    ticker.cx().at(start, move |ticker, cx| ticker.tick(cx, start));
    kernel.run()
}
