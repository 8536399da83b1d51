//! Promise: what befalls a simulated process is told to others as the real system tells it, and it
//! finds what a real one finds: whether it is killed, stopped and continued, or slow. Each scenario
//! runs under many seeds.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

use peers_kernel::sim::{ProcessId, World};
use peers_kernel::{Address, Budget, Cont, Handle, Input, Instant, Kernel, Outlet, Stream};
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::Duration;

const SEEDS: std::ops::Range<u64> = 0..30;
const SECOND: Duration = Duration::from_secs(1);

fn sim(name: &str) -> Address {
    Address::sim(name)
}

fn at(seconds: u64) -> Instant {
    Instant::default() + SECOND * u32::try_from(seconds).unwrap()
}

/// One end of a connection: what it has heard, in order, and when.
#[derive(Clone, Default)]
struct End {
    outlet: Rc<RefCell<Option<Outlet>>>,
    heard: Rc<RefCell<Vec<(Instant, String)>>>,
    /// For each read, since when what was read may have been there.
    arrived: Rc<RefCell<Vec<Instant>>>,
}

impl End {
    fn start(&self, handle: &Handle, stream: Stream) {
        let (end, handle) = (self.clone(), handle.clone());
        let outlet = stream.start(move |_, input| {
            end.arrived.borrow_mut().push(handle.arrived());
            let text = match input {
                Input::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                Input::End => "(end)".to_owned(),
                Input::Failed(error) => format!("({})", error.kind()),
            };
            end.heard.borrow_mut().push((handle.now(), text));
        });
        *self.outlet.borrow_mut() = Some(outlet);
    }

    fn outlet(&self) -> Outlet {
        self.outlet.borrow().clone().unwrap()
    }

    /// All that was heard.
    fn text(&self) -> String {
        self.heard.borrow().iter().map(|(_, text)| text.as_str()).collect()
    }

    fn last(&self) -> (Instant, String) {
        self.heard.borrow().last().unwrap().clone()
    }
}

/// A server, a client, and both ends of a connection between them, which has had a second to be
/// made.
struct Pair {
    world: World,
    server: ProcessId,
    client: ProcessId,
    here: End,
    there: End,
}

fn dial(handle: &Handle, to: &str, end: &End) {
    let (end, clock) = (end.clone(), handle.clone());
    let dialled = move |stream: io::Result<Stream>| match stream {
        Ok(stream) => end.start(&clock, stream),
        Err(error) => {
            end.heard.borrow_mut().push((clock.now(), format!("({})", error.kind())));
        }
    };
    handle.connect(&sim(to), Cont::new(handle, dialled));
}

fn serve(kernel: &Kernel, end: &End) -> peers_kernel::Listener {
    let (end, handle) = (end.clone(), kernel.handle());
    let accept = move |stream| end.start(&handle, stream);
    kernel.handle().listen(&sim("server"), accept).unwrap()
}

fn pair(seed: u64) -> Pair {
    let (here, there) = (End::default(), End::default());
    let mut world = World::new(seed);
    let server = world.process("server", |kernel| serve(kernel, &there));
    let client = world.process("client", |kernel| dial(&kernel.handle(), "server", &here));
    world.run_until(at(1));
    Pair { world, server, client, here, there }
}

impl Pair {
    fn run_until(&mut self, seconds: u64) {
        self.world.run_until(at(seconds))
    }

    /// The client says something, which has not arrived before the world runs on.
    fn say(&mut self, text: &str) {
        self.here.outlet().write(text.as_bytes()).unwrap();
    }
}

// ---- killed

#[test]
fn a_killed_process_that_had_read_all_ends_its_streams() {
    for seed in SEEDS {
        let mut pair = pair(seed);
        pair.say("read");
        pair.run_until(2);
        pair.world.crash(pair.server);
        pair.run_until(3);
        assert_eq!(pair.here.text(), "(end)", "seed {seed}");
        // Whatever is sent to him now is answered with a reset, as the system does for a process
        // that is gone.
        pair.say("too late");
        pair.run_until(4);
        pair.say("now it is known");
        pair.run_until(5);
        assert!(!pair.here.outlet().is_open(), "seed {seed}");
    }
}

#[test]
fn a_killed_process_with_unread_bytes_resets() {
    for seed in SEEDS {
        let mut pair = pair(seed);
        pair.there.outlet().pause();
        pair.run_until(2);
        pair.say("unread");
        pair.run_until(3);
        pair.world.crash(pair.server);
        pair.run_until(4);
        assert_eq!(pair.here.text(), "(connection reset)", "seed {seed}");
    }
}

#[test]
fn what_a_killed_process_had_sent_arrives_first() {
    for seed in SEEDS {
        let mut pair = pair(seed);
        pair.there.outlet().write(b"last words").unwrap();
        pair.world.with(pair.server, |handle| handle.schedule(|| ()));
        while pair.world.now() < at(1) + SECOND / 1_000_000 && pair.world.step() {}
        pair.world.crash(pair.server);
        pair.run_until(3);
        assert_eq!(pair.here.text(), "last words(end)", "seed {seed}");
    }
}

#[test]
fn a_crash_resets_the_backlog_and_refuses_later_dials() {
    for seed in SEEDS {
        let mut pair = pair(seed);
        pair.world.stop(pair.server);
        let (early, late) = (End::default(), End::default());
        pair.world.with(pair.client, |handle| dial(handle, "server", &early));
        pair.run_until(2);
        assert!(early.outlet.borrow().is_some(), "the system has taken the connection");
        pair.world.crash(pair.server);
        pair.world.with(pair.client, |handle| dial(handle, "server", &late));
        pair.run_until(3);
        assert_eq!(early.text(), "(connection reset)");
        assert_eq!(late.text(), "(connection refused)");
        let again = pair.world.process("server", |kernel| serve(kernel, &End::default()));
        assert_eq!(again, pair.server);
        let new = End::default();
        pair.world.with(pair.client, |handle| dial(handle, "server", &new));
        pair.run_until(4);
        assert!(new.outlet.borrow().is_some(), "who was stopped when it died is not stopped now");
    }
}

// ---- stopped

#[test]
fn a_stopped_process_keeps_its_connections_and_hears_everything_when_it_continues() {
    for seed in SEEDS {
        let mut pair = pair(seed);
        pair.world.stop(pair.server);
        let large = "x".repeat(40_000);
        pair.say(&large);
        let dialled = End::default();
        pair.world.with(pair.client, |handle| dial(handle, "server", &dialled));
        pair.run_until(60);
        assert_eq!((pair.here.text(), pair.there.text()), (String::new(), String::new()));
        assert!(dialled.outlet.borrow().is_some(), "nobody is told");
        pair.world.resume(pair.server);
        pair.run_until(61);
        assert!(pair.there.text() == large);
        assert!(pair.there.heard.borrow().iter().all(|(when, _)| *when >= at(60)));
    }
}

#[test]
fn what_came_while_it_was_stopped_may_have_been_there_since_then() {
    for seed in SEEDS {
        let mut pair = pair(seed);
        pair.say("before");
        pair.run_until(3);
        pair.world.stop(pair.server);
        let waits_since = pair.there.last().0;
        pair.run_until(5);
        pair.say("meanwhile");
        pair.run_until(60);
        pair.world.resume(pair.server);
        pair.run_until(61);
        pair.say("after");
        pair.run_until(62);
        assert_eq!(pair.there.text(), "beforemeanwhileafter");
        let arrived = pair.there.arrived.borrow();
        let heard = pair.there.heard.borrow();
        for ((when, text), arrived) in heard.iter().zip(&*arrived) {
            let told = *when == *arrived;
            assert!(
                told || (*when == at(60) && *arrived <= at(5)),
                "{text} at {when:?}, {arrived:?}"
            );
        }
        let meanwhile = heard.iter().position(|(when, _)| *when == at(60)).unwrap();
        assert!(arrived[meanwhile] >= waits_since && arrived[meanwhile] <= at(3), "seed {seed}");
    }
}

#[test]
fn a_timer_that_is_overdue_comes_behind_what_lay_in_the_socket() {
    for seed in SEEDS {
        let mut pair = pair(seed);
        let there = pair.there.clone();
        let rang = Rc::new(Cell::new(None));
        let place = rang.clone();
        pair.world.with(pair.server, |handle| {
            handle.after(2 * SECOND, move || place.set(Some(there.text())));
        });
        pair.run_until(2);
        pair.world.stop(pair.server);
        pair.say("x");
        pair.run_until(10);
        pair.world.resume(pair.server);
        pair.run_until(11);
        assert_eq!(rang.take().as_deref(), Some("x"), "seed {seed}");
    }
}

#[test]
fn a_process_stopped_at_work_continues_without_an_interrupted_wait() {
    let mut world = World::new(1);
    let ran = Rc::new(Cell::new(false));
    let place = ran.clone();
    let busy = world.process("busy", |kernel| kernel.handle().schedule(move || place.set(true)));
    world.stop(busy);
    world.run_until(at(5));
    assert!(!ran.get());
    world.resume(busy);
    world.run_until(at(6));
    assert!(ran.get());
}

// ---- slow

#[test]
fn what_a_slow_handler_sends_leaves_when_it_is_done_and_it_hears_nothing_meanwhile() {
    for seed in SEEDS {
        let mut pair = pair(seed);
        let (there, outlet) = (pair.there.clone(), pair.there.outlet());
        pair.world.with(pair.server, |handle| {
            let clock = handle.clone();
            handle.schedule(move || {
                clock.take_time(3 * SECOND);
                assert_eq!(clock.clock(), at(4));
                assert_eq!(clock.now(), at(1), "the clock of the turn stands");
                outlet.write(b"done").unwrap();
            });
            let clock = handle.clone();
            // Due while the handler is at work: what came meanwhile goes first.
            handle.after(2 * SECOND, move || {
                assert_eq!((clock.now(), there.text().as_str()), (at(4), "m"));
            });
        });
        pair.say("m");
        pair.run_until(3);
        assert_eq!((pair.there.text(), pair.here.text()), (String::new(), String::new()));
        pair.run_until(5);
        assert_eq!((pair.there.last(), pair.here.text()), ((at(4), "m".into()), "done".into()));
        assert!(pair.here.last().0 > at(4), "seed {seed}");
    }
}

#[test]
fn slow_tasks_spend_the_budget_of_their_turns() {
    let mut world = World::new(1);
    let turns = Rc::new(RefCell::new(Vec::new()));
    let log = turns.clone();
    world.process("slow", move |kernel| {
        let handle = kernel.handle();
        for _ in 0..10 {
            let (handle, log) = (handle.clone(), log.clone());
            kernel.handle().schedule(move || {
                handle.take_time(SECOND);
                log.borrow_mut().push(handle.now());
            });
        }
    });
    world.run_until(at(20));
    assert_eq!(*turns.borrow(), (0..10).map(at).collect::<Vec<_>>(), "one in a turn");
}

#[test]
fn slow_units_of_one_task_spend_the_budget_too() {
    let mut kernel = Kernel::simulated(1);
    kernel.set_budget(Budget { tasks: 1024, time: SECOND });
    let handle = kernel.handle();
    let done = Rc::new(Cell::new(0));
    let count = done.clone();
    kernel.handle().schedule(move || {
        while handle.spend() {
            handle.take_time(SECOND / 4);
            count.set(count.get() + 1);
        }
        assert_eq!(handle.latest(), at(1));
    });
    kernel.run().unwrap();
    assert_eq!(done.get(), 4);
}

// ---- chance

#[test]
fn the_seed_decides_which_ready_connection_comes_first() {
    let mut firsts = [0, 0];
    for seed in SEEDS {
        let order = Rc::new(RefCell::new(Vec::new()));
        let mut world = World::new(seed);
        let log = order.clone();
        let server = world.process("server", move |kernel| {
            let accept = move |stream: Stream| {
                let log = log.clone();
                stream.start(move |_, input| {
                    if let Input::Bytes([first, ..]) = input {
                        log.borrow_mut().push(*first);
                    }
                });
            };
            kernel.handle().listen(&sim("server"), accept).unwrap()
        });
        let ends = [End::default(), End::default()];
        for (end, name) in ends.iter().zip(["a", "b"]) {
            world.process(name, |kernel| dial(&kernel.handle(), "server", end));
        }
        world.run_until(at(1));
        world.stall(server, SECOND);
        for (end, word) in ends.iter().zip([b"0", b"1"]) {
            end.outlet().write(word).unwrap();
        }
        world.run_until(at(3));
        firsts[usize::from(order.borrow()[0] - b'0')] += 1;
        assert_eq!(order.borrow().len(), 2);
    }
    assert!(firsts.iter().all(|count| *count >= 8), "{firsts:?}");
}

#[test]
fn a_cut_and_a_partition_are_felt_at_both_ends() {
    for seed in SEEDS {
        for turn in [false, true] {
            let mut pair = pair(seed);
            let (one, other) =
                if turn { (pair.server, pair.client) } else { (pair.client, pair.server) };
            pair.world.partition(&[one], &[other]);
            pair.say("held up");
            pair.there.outlet().write(b"held up").unwrap();
            pair.run_until(20);
            assert_eq!((pair.here.text(), pair.there.text()), (String::new(), String::new()));
            pair.world.heal();
            pair.run_until(21);
            assert_eq!((pair.here.text(), pair.there.text()), ("held up".into(), "held up".into()));
            pair.world.cut(one, other);
            pair.run_until(22);
            for end in [&pair.here, &pair.there] {
                assert_eq!(end.last().1, "(connection reset)", "seed {seed}");
            }
        }
    }
}
