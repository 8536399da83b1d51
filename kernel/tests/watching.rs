//! Tests what a loop tells about itself: the dump, and the handler that was slow.

mod support;

use peers_kernel::{Budget, Cont, Handle, Kernel, Lost, Remote, Stop};
use std::io;
use std::time::Duration;
use support::{keep_log, logged};

#[test]
fn the_dump_groups_what_waits_by_birth_place() -> io::Result<()> {
    let mut kernel = Kernel::simulated(1);
    let handle = kernel.handle();
    let line = line!() + 1;
    let waiting: Vec<_> = (0..3).map(|_| Cont::new(&handle, |_: Result<(), Lost>| ())).collect();
    kernel.run_until(handle.now() + Duration::from_secs(2))?;
    let other = Cont::new(&handle, |_: Result<(), Lost>| ());
    handle.after(Duration::from_secs(5), || ());
    handle.schedule(|| ());
    handle.offload(|_: &Stop| Ok(()), Cont::new(&handle, |_: Result<(), Lost>| ()));
    let dump = handle.dump();
    assert_eq!(
        (dump.continuations(), dump.timers(), dump.queued(), dump.offloaded()),
        (5, 2, 1, 1)
    );
    let text = dump.to_string();
    let place = format!("{}:{line}:", file!());
    let group = text.lines().find(|line| line.contains(&place)).expect("the place is there");
    assert!(
        group.trim().starts_with("3 made at") && group.ends_with("the oldest 2s ago"),
        "{text}"
    );

    waiting.into_iter().chain([other]).for_each(|k| k.ok(()));
    kernel.run()?;
    let dump = kernel.handle().dump();
    assert_eq!(
        (dump.continuations(), dump.timers(), dump.queued(), dump.offloaded()),
        (0, 0, 0, 0)
    );
    Ok(())
}

/// Keeps the thread busy for longer than a handler should.
fn dawdle(clock: &Remote) {
    let end = clock.now() + Duration::from_millis(60);
    while clock.now() < end {
        std::hint::spin_loop();
    }
}

fn slow_lines(line: u32) -> Vec<String> {
    logged("slow handler")
        .into_iter()
        .filter(|text| text.contains(&format!("{}:{line}:", file!())))
        .collect()
}

#[test]
fn a_slow_handler_is_named_in_the_log() -> io::Result<()> {
    keep_log();
    let mut kernel = Kernel::new()?;
    let (handle, clock) = (kernel.handle(), kernel.remote());
    handle.schedule(|| ());
    let line = line!() + 1;
    handle.schedule(move || dawdle(&clock));
    handle.schedule(|| ());
    kernel.run()?;
    let lines = slow_lines(line);
    assert_eq!(lines.len(), 1);
    assert!(lines[0].starts_with("WARN"), "{lines:?}");
    assert!(lines[0].contains("in the one made at"), "its neighbours are not accused: {lines:?}");
    Ok(())
}

#[test]
fn a_slow_handler_among_many_quick_ones_is_found() -> io::Result<()> {
    keep_log();
    let mut kernel = Kernel::new()?;
    kernel.set_budget(Budget { tasks: 4096, time: Duration::from_secs(3600) });
    let (handle, clock) = (kernel.handle(), kernel.remote());
    let quick = |handle: &Handle| (0..200).for_each(|_| handle.schedule(|| ()));
    quick(&handle);
    let line = line!() + 2;
    let again = clock.clone();
    handle.schedule(move || dawdle(&clock));
    quick(&handle);
    let second = line!() + 1;
    handle.schedule(move || dawdle(&again));
    kernel.run()?;
    assert_eq!(slow_lines(line).len(), 1, "it is among those named");
    let exact = slow_lines(second);
    assert!(
        exact.iter().any(|text| text.contains("in the one made at")),
        "after that it is exact: {exact:?}"
    );
    Ok(())
}
