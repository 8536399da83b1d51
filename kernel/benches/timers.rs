//! Timers with a million of them live: arm and cancel, churn, and draining.

mod harness;

use harness::{report, timed};
use peers_kernel::{Handle, Kernel, TimerId};
use std::time::Duration;

const LIVE: u64 = 1_000_000;

/// Spreads timers over an hour, far from now, in no order.
fn delay(n: u64) -> Duration {
    Duration::from_secs(3600) + Duration::from_micros(n.wrapping_mul(2_654_435_761) % 3_600_000_000)
}

fn arm(handle: &Handle) -> Vec<TimerId> {
    (0..LIVE).map(|n| handle.after(delay(n), || ())).collect()
}

fn cancel_all(handle: &Handle, ids: impl IntoIterator<Item = TimerId>) {
    for id in ids {
        handle.cancel(id);
    }
}

fn main() -> std::io::Result<()> {
    let mut kernel = Kernel::new()?;
    let handle = kernel.handle();
    let mut ids = arm(&handle);
    report("arm one and cancel it, 1 M live", "<= 100", LIVE, || {
        timed(|| {
            for n in 0..LIVE {
                let id = handle.after(delay(n + 7), || ());
                handle.cancel(id);
            }
        })
    });
    report("cancel an old one and arm a new one, 1 M live", "-", LIVE, || {
        timed(|| {
            for n in 0..LIVE {
                let old = (n.wrapping_mul(7_368_787) % LIVE) as usize;
                handle.cancel(ids[old]);
                ids[old] = handle.after(delay(n + 13), || ());
            }
        })
    });
    report("arm 1 M, from none", "-", LIVE, || {
        cancel_all(&handle, ids.drain(..));
        timed(|| ids = arm(&handle))
    });
    report("cancel 1 M", "-", LIVE, || {
        let victims = if ids.is_empty() { arm(&handle) } else { std::mem::take(&mut ids) };
        timed(|| cancel_all(&handle, victims))
    });
    report("fire 1 M that are due", "-", LIVE, || {
        for n in 0..LIVE {
            handle.after(Duration::from_nanos(n.wrapping_mul(2_654_435_761) % 1_000_000), || ());
        }
        timed(|| kernel.run().expect("the kernel runs"))
    });
    report("drain a heap that is half stale", "each < 1000", LIVE, || {
        let ids: Vec<_> = (0..LIVE)
            .map(|n| {
                handle.after(Duration::from_nanos(n.wrapping_mul(2_654_435_761) % 1_000_000), || ())
            })
            .collect();
        cancel_all(&handle, ids.into_iter().step_by(2));
        timed(|| kernel.run().expect("the kernel runs"))
    });
    Ok(())
}
