//! A barrier over many branches: per branch, and per barrier of one.

mod harness;

use harness::{report, timed};
use peers_kernel::{Collect, Kernel, Lost};

const BRANCHES: u64 = 1_000_000;

fn main() -> std::io::Result<()> {
    let mut kernel = Kernel::new()?;
    let counter = kernel.node(0_u64);
    let cx = counter.cx();
    report("a branch of a barrier of 1 M", "-", BRANCHES, || {
        timed(|| {
            let gate =
                Collect::values(cx.on_any(|sum: &mut u64, _, all: Result<Vec<u64>, Lost>| {
                    *sum += all.map_or(0, |all| all.len() as u64);
                }));
            for n in 0..BRANCHES {
                gate.branch().ok(n)
            }
            drop(gate);
            kernel.run().expect("the kernel runs");
        })
    });
    report("a barrier of 8 branches, per branch", "-", BRANCHES, || {
        timed(|| {
            for _ in 0..BRANCHES / 8 {
                let gate =
                    Collect::values(cx.on_any(|sum: &mut u64, _, all: Result<Vec<u64>, Lost>| {
                        *sum += all.map_or(0, |all| all.len() as u64);
                    }));
                for n in 0..8 {
                    gate.branch().ok(n)
                }
            }
            kernel.run().expect("the kernel runs");
        })
    });
    Ok(())
}
