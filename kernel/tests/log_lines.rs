//! Promise: all lines that others can cause share ten a second, whatever their kind, and none of
//! the rest goes uncounted.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

use peers_kernel::sim::World;
use peers_kernel::{Address, Cont, Handle, Kernel, Stream, may_log};
use std::cell::Cell;
use std::io;
use std::sync::Mutex;
use std::time::Duration;

/// The lines logged so far, warnings and errors only.
static LOGGED: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Collector;

impl log::Log for Collector {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Warn
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            LOGGED.lock().unwrap().push(record.args().to_string());
        }
    }

    fn flush(&self) {}
}

fn logged() -> Vec<String> {
    std::mem::take(&mut *LOGGED.lock().unwrap())
}

/// The number in a line that stands for others.
fn withheld(line: &str) -> u64 {
    match line.split_once(" more log line") {
        Some((count, _)) => count.parse().unwrap(),
        None => 0,
    }
}

/// Dials a listener that cannot accept and can again, so that it complains each time, and panics as
/// often.
fn trouble(world: &mut World, rounds: u32) {
    let place: Address = "sim:place".parse().unwrap();
    let at = place.clone();
    let server = world.process("server", move |kernel: &Kernel| {
        kernel.handle().listen(&at, |_: Stream| ()).unwrap()
    });
    world.lenient(server);
    let client = world.process("client", |_| ());
    for _ in 0..rounds {
        world.exhaust(server, true);
        world.with(client, |handle: &Handle| {
            handle.connect(&place, Cont::new(handle, |_: io::Result<Stream>| ()));
        });
        world.run_for(Duration::from_millis(10));
        world.exhaust(server, false);
        world.with(server, |handle| handle.schedule(|| panic!("trouble")));
        world.run_for(Duration::from_millis(10));
    }
    world.crash(server);
}

/// One test, since all share the process's log.
#[test]
fn all_kinds_together_have_ten_lines_a_second_and_the_rest_is_counted() {
    log::set_logger(&Collector).unwrap();
    log::set_max_level(log::LevelFilter::Warn);
    std::panic::set_hook(Box::new(|panic| {
        let text = panic.to_string();
        if !text.ends_with("\ntrouble") {
            drop(std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes()));
        }
    }));

    let mut world = World::new(1);
    trouble(&mut world, 250); // five seconds
    let lines = logged();
    let accepting = lines.iter().filter(|line| line.contains("accepts nobody")).count();
    let panics = lines
        .iter()
        .filter(|line| line.contains("panicked: trouble (in the handler made at "))
        .count();
    assert!(accepting > 5 && panics > 5, "both kinds are there: {lines:#?}");
    assert!(lines.len() <= 6 * 10, "{} lines in five seconds: {lines:#?}", lines.len());
    let uncounted: u64 = lines.iter().map(|line| withheld(line)).sum();
    let all = (accepting + panics) as u64 + uncounted;
    assert!((400..=500).contains(&all), "250 panics, and almost as many rests: {all}");

    // The rate is the loop's.
    let mut kernel = Kernel::simulated(1);
    let handle = kernel.handle();
    handle.set_log_rate(3);
    let passed = std::rc::Rc::new(Cell::new(0));
    for _ in 0..100 {
        let passed = passed.clone();
        handle.schedule(move || passed.set(passed.get() + u32::from(may_log())));
    }
    kernel.run().unwrap();
    assert_eq!((passed.get(), logged().len()), (3, 0));
    drop(kernel);
    assert_eq!(logged(), ["97 more log lines were withheld"], "said at the end at the latest");

    // Threads without a loop have lines of their own.
    let passed = std::thread::spawn(|| (0..100).filter(|_| may_log()).count()).join().unwrap();
    assert!((10..=20).contains(&passed), "{passed}, or twice as many around the turn of a second");
}
