//! Timers: in order, ties as created, cancelled cheaply, never reused, never drifting.

mod support;

use peers_kernel::{Cx, Handle, Instant, Kernel, TimerId};
use proptest::prelude::*;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::time::Duration;
use support::Trace;

const MS: Duration = Duration::from_millis(1);

fn noting(handle: &Handle, trace: &Trace<u64>, delay: Duration, n: u64) -> TimerId {
    let trace = trace.clone();
    handle.after(delay, move || trace.add(n))
}

#[test]
fn timers_fire_by_instant_and_ties_by_creation() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    let trace = Trace::new();
    for (n, delay) in [30, 10, 20, 10, 30, 0].into_iter().enumerate() {
        noting(&kernel.handle(), &trace, MS * delay, n as u64);
    }
    kernel.run()?;
    assert_eq!(trace.all(), [5, 1, 3, 2, 0, 4]);
    Ok(())
}

#[test]
fn a_cancelled_timer_does_not_fire_and_cancelling_again_does_nothing() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    let (handle, trace) = (kernel.handle(), Trace::new());
    let first = noting(&handle, &trace, MS, 1);
    assert!(handle.cancel(first));
    assert!(!handle.cancel(first));
    // The next one lives where the first one lived; the old name does not reach it.
    let second = noting(&handle, &trace, MS, 2);
    assert!(!handle.cancel(first));
    assert_ne!(first, second);
    kernel.run()?;
    assert_eq!(trace.all(), [2]);
    assert!(!handle.cancel(second), "it has fired");
    Ok(())
}

#[test]
fn a_timer_armed_at_the_previous_instant_plus_its_period_does_not_drift() -> io::Result<()> {
    struct Ticker {
        ticks: Vec<Instant>,
    }

    impl Ticker {
        fn tick(&mut self, cx: &Cx<Self>, due: Instant) {
            self.ticks.push(due);
            if self.ticks.len() < 1000 {
                let next = due + MS;
                cx.at(next, move |ticker, cx| ticker.tick(cx, next));
            }
        }
    }

    let mut kernel = Kernel::simulated(1);
    let (ticker, start) = (kernel.node(Ticker { ticks: Vec::new() }), kernel.handle().now());
    ticker.cx().at(start, move |ticker, cx| ticker.tick(cx, start));
    kernel.run()?;
    let last = ticker.with(|ticker| ticker.ticks.last().copied());
    assert_eq!(last, Some(start + MS * 999));
    assert!(
        kernel.handle().now().since(start + MS * 999) < MS,
        "the clock is where the last tick was due"
    );
    Ok(())
}

#[test]
fn the_past_is_now_and_the_far_future_is_never() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    let (handle, trace) = (kernel.handle(), Trace::new());
    kernel.run_until(Instant::from_nanos(1_000_000))?;
    let noted = trace.clone();
    handle.at(Instant::default(), move || noted.add(1));
    let never = noting(&handle, &trace, Duration::MAX, 2);
    kernel.run_until(handle.now() + MS)?;
    assert_eq!(trace.all(), [1]);
    assert!(handle.cancel(never));
    Ok(())
}

#[test]
fn waiting_for_a_timer_that_is_never_due_is_waiting_for_ever() {
    let mut kernel = Kernel::simulated(1);
    kernel.handle().after(Duration::MAX, || panic!("never"));
    assert_eq!(kernel.run().unwrap_err().kind(), io::ErrorKind::Deadlock);
    assert_eq!(kernel.handle().now(), Instant::default());
}

#[test]
fn a_simulated_run_ends_exactly_at_its_deadline() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    let end = Instant::from_nanos(123_456_789);
    kernel.run_until(end)?;
    assert_eq!(kernel.handle().now(), end);
    Ok(())
}

#[test]
fn a_real_timer_is_never_early() -> io::Result<()> {
    let mut kernel = Kernel::new()?;
    let (handle, trace) = (kernel.handle(), Trace::new());
    let due = handle.now() + MS * 5;
    let (clock, noted) = (handle.clone(), trace.clone());
    handle.at(due, move || noted.add(clock.now() >= due));
    kernel.run()?;
    assert_eq!(trace.all(), [true]);
    Ok(())
}

#[test]
fn a_million_live_timers_are_cancelled_and_fired() -> io::Result<()> {
    let count = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };
    let mut kernel = Kernel::simulated(1);
    let (handle, fired) = (kernel.handle(), Rc::new(Cell::new(0_u64)));
    let ids: Vec<_> = (0..count)
        .map(|n| {
            let fired = fired.clone();
            handle.after(Duration::from_nanos(n * 7919 % 1_000_003), move || {
                fired.set(fired.get() + 1)
            })
        })
        .collect();
    assert_eq!(handle.dump().timers(), count as usize);
    let cancelled = ids.iter().step_by(2).filter(|id| handle.cancel(**id)).count() as u64;
    assert_eq!(cancelled, count / 2);
    kernel.run()?;
    assert_eq!(fired.get(), count - cancelled);
    assert_eq!(handle.dump().timers(), 0);
    Ok(())
}

proptest! {
    /// Against the obvious implementation: a map ordered by instant and serial number.
    #[test]
    fn they_do_what_an_ordered_map_does(steps in prop::collection::vec((0_u64..50, any::<bool>()), 1..300)) {
        let mut kernel = Kernel::simulated(1);
        let (handle, trace) = (kernel.handle(), Trace::new());
        let mut model = BTreeMap::new();
        let mut ids: Vec<(TimerId, (u64, u64))> = Vec::new();
        for (n, (delay, cancel)) in steps.into_iter().enumerate() {
            if cancel && !ids.is_empty() {
                let (id, key) = ids.swap_remove(delay as usize % ids.len());
                prop_assert_eq!(handle.cancel(id), model.remove(&key).is_some());
            } else {
                let key = (delay, n as u64);
                ids.push((noting(&handle, &trace, MS * delay as u32, key.1), key));
                model.insert(key, ());
            }
        }
        kernel.run().unwrap();
        prop_assert_eq!(trace.all(), model.into_keys().map(|(_, n)| n).collect::<Vec<_>>());
    }
}
