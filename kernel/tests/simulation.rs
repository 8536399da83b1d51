//! Promise: a simulated world runs the same code as the real one, and the same seed gives the same
//! run, whatever befalls it. Every scenario here runs twice and its traces are compared.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

use peers_kernel::sim::{ProcessId, World};
use peers_kernel::{Address, Cont, Handle, Input, Instant, Kernel, Listener, Outlet, Stream};
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::Duration;

const SEEDS: std::ops::Range<u64> = 0..20;
const SECOND: Duration = Duration::from_secs(1);

/// Runs a scenario twice for each seed; what it tells and the trace must be the same. Different
/// seeds must differ.
fn replayed<T: PartialEq + std::fmt::Debug>(scenario: impl Fn(&mut World) -> T) {
    let mut hashes = Vec::new();
    for seed in SEEDS {
        let run = || {
            let mut world = World::new(seed);
            let told = scenario(&mut world);
            (told, world.trace_hash(), world.now())
        };
        let (first, second) = (run(), run());
        assert_eq!(first, second, "seed {seed} is not repeatable");
        hashes.push(first.1);
    }
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), SEEDS.count(), "the seed makes no difference");
}

fn sim(name: &str) -> Address {
    Address::sim(name)
}

/// Holds what a client hears, and when.
#[derive(Clone, Default)]
struct Log {
    bytes: Rc<RefCell<Vec<u8>>>,
    end: Rc<Cell<Option<(Instant, &'static str)>>>,
    failure: Rc<RefCell<Option<io::ErrorKind>>>,
    outlet: Rc<RefCell<Option<Outlet>>>,
}

impl Log {
    fn len(&self) -> usize {
        self.bytes.borrow().len()
    }

    fn failure(&self) -> Option<io::ErrorKind> {
        *self.failure.borrow()
    }

    fn send(&self, bytes: &[u8]) {
        self.outlet.borrow().as_ref().unwrap().write(bytes).unwrap()
    }

    fn note(&self, now: Instant, input: Input<'_>) {
        assert!(self.end.get().is_none(), "heard {input:?} after the end");
        match input {
            Input::Bytes(bytes) => self.bytes.borrow_mut().extend_from_slice(bytes),
            Input::End => self.end.set(Some((now, "end"))),
            Input::Failed(error) => {
                self.end.set(Some((now, "failed")));
                *self.failure.borrow_mut() = Some(error.kind());
            }
        }
    }
}

fn serve_echo(kernel: &Kernel) -> Listener {
    let serve = |stream: Stream| {
        stream.start(|outlet, input| {
            if let Input::Bytes(bytes) = input {
                outlet.write(bytes).unwrap();
            }
        });
    };
    kernel.handle().listen(&sim("echo"), serve).unwrap()
}

/// Dials `to`, sends `bytes`, and logs what comes.
fn dial(handle: &Handle, to: &str, bytes: Vec<u8>, log: &Log) {
    let (log, clock) = (log.clone(), handle.clone());
    let dialled = move |outcome: io::Result<Stream>| match outcome {
        Ok(stream) => {
            let heard = log.clone();
            let outlet = stream.start(move |_, input| heard.note(clock.now(), input));
            outlet.write_chunk(bytes).unwrap();
            *log.outlet.borrow_mut() = Some(outlet);
        }
        Err(error) => log.note(clock.now(), Input::Failed(error)),
    };
    handle.connect(&sim(to), Cont::new(handle, dialled));
}

fn echo_world(world: &mut World, bytes: &[u8]) -> (ProcessId, ProcessId, Log) {
    let log = Log::default();
    let server = world.process("server", serve_echo);
    let client =
        world.process("client", |kernel| dial(&kernel.handle(), "echo", bytes.to_vec(), &log));
    (server, client, log)
}

#[test]
fn half_a_megabyte_comes_back_unchanged_however_it_is_cut() {
    let data: Vec<u8> = (0..500_000_u32).map(|index| (index ^ index >> 9) as u8).collect();
    replayed(|world| {
        let (_, _, log) = echo_world(world, &data);
        world.run_for(SECOND);
        assert!(*log.bytes.borrow() == data);
    });
}

/// A chunk whose memory begins so many bytes into a page.
fn chunk_at(place: usize) -> Vec<u8> {
    let mut others = Vec::new();
    for _ in 0..100_000 {
        let chunk = vec![2; 2_500];
        if chunk.as_ptr().addr() % 4096 == place {
            return chunk;
        }
        others.push(chunk);
    }
    panic!("no memory lies {place} bytes into a page")
}

/// Real hosts send a chunk in another way if it lies a few bytes ahead of where the system copies
/// it to. With many chunks that shows in how much a write is offered.
#[test]
fn addresses_in_memory_do_not_change_a_run() {
    for seed in SEEDS {
        let run = |place: usize| {
            let mut world = World::new(seed);
            let (_, client, log) = echo_world(&mut world, b"first");
            world.run_for(SECOND);
            let (outlet, first) = (log.outlet.borrow().clone().unwrap(), chunk_at(place));
            world.with(client, move |_| {
                for chunk in std::iter::once(first).chain(vec![vec![2; 2_500]; 19]) {
                    outlet.write(&[1; 20]).unwrap();
                    outlet.write_chunk(chunk).unwrap();
                }
            });
            world.run_for(SECOND);
            assert_eq!(log.len(), 5 + 20 * 2_520);
            (world.trace_hash(), world.now())
        };
        assert_eq!(run(16), run(2048), "seed {seed}");
    }
}

#[test]
fn many_clients_are_served_in_an_order_drawn_from_the_seed() {
    let orders = RefCell::new(Vec::new());
    replayed(|world| {
        let order = Rc::new(RefCell::new(Vec::new()));
        let seen = order.clone();
        world.process("server", move |kernel| {
            let serve = move |stream: Stream| {
                let seen = seen.clone();
                stream.start(move |_, input| {
                    if let Input::Bytes(bytes) = input {
                        seen.borrow_mut().extend_from_slice(bytes)
                    }
                });
            };
            kernel.handle().listen(&sim("echo"), serve).unwrap()
        });
        for client in 0..200_u8 {
            let name = format!("client{client}");
            world.process(&name, |kernel| {
                dial(&kernel.handle(), "echo", vec![client], &Log::default())
            });
        }
        world.run_for(SECOND);
        let order = order.borrow().clone();
        assert_eq!(order.len(), 200);
        orders.borrow_mut().push(order.clone());
        order
    });
    let mut orders = orders.into_inner();
    orders.sort();
    orders.dedup();
    assert_eq!(orders.len(), SEEDS.count());
}

#[test]
fn a_name_nobody_listens_on_is_refused_and_so_is_a_refusing_process() {
    replayed(|world| {
        let (nobody, refused, accepted) = (Log::default(), Log::default(), Log::default());
        let server = world.process("server", serve_echo);
        let client = world.process("client", |kernel| {
            dial(&kernel.handle(), "nobody", vec![1], &nobody);
        });
        world.refuse(server, true);
        world.with(client, |handle| dial(handle, "echo", vec![2], &refused));
        world.run_for(SECOND);
        world.refuse(server, false);
        world.with(client, |handle| dial(handle, "echo", vec![3], &accepted));
        world.run_for(SECOND);
        for log in [&nobody, &refused] {
            assert_eq!(log.failure(), Some(io::ErrorKind::ConnectionRefused));
        }
        assert_eq!(*accepted.bytes.borrow(), [3]);
    });
}

#[test]
fn a_stalled_process_answers_late_and_loses_nothing() {
    replayed(|world| {
        let (server, _, log) = echo_world(world, b"first");
        world.run_for(SECOND);
        world.stall(server, 10 * SECOND);
        log.send(b" second");
        world.run_for(9 * SECOND);
        assert_eq!(*log.bytes.borrow(), b"first");
        world.run_for(2 * SECOND);
        assert_eq!(*log.bytes.borrow(), b"first second");
    });
}

#[test]
fn a_cut_is_heard_at_both_ends_as_a_reset() {
    replayed(|world| {
        let (server, client, log) = echo_world(world, b"x");
        world.run_for(SECOND);
        world.cut(client, server);
        world.run_for(SECOND);
        assert_eq!(log.failure(), Some(io::ErrorKind::ConnectionReset));
        let again = Log::default();
        world.with(client, |handle| dial(handle, "echo", b"y".to_vec(), &again));
        world.run_for(SECOND);
        assert_eq!(*again.bytes.borrow(), b"y");
        log.end.get()
    });
}

#[test]
fn a_partition_holds_everything_up_and_healing_lets_it_through() {
    replayed(|world| {
        let (server, client, log) = echo_world(world, b"before");
        world.run_for(SECOND);
        world.partition(&[client], &[server]);
        log.send(b" during");
        let hanging = Log::default();
        world.with(client, |handle| dial(handle, "echo", b"hello".to_vec(), &hanging));
        world.run_for(20 * SECOND);
        assert_eq!(*log.bytes.borrow(), b"before");
        assert_eq!((hanging.len(), hanging.failure()), (0, None));
        world.heal();
        world.run_for(SECOND);
        assert_eq!(*log.bytes.borrow(), b"before during");
        assert_eq!(*hanging.bytes.borrow(), b"hello");
    });
}

#[test]
fn dialling_into_a_partition_gives_up_after_half_a_minute() {
    replayed(|world| {
        let server = world.process("server", serve_echo);
        let client = world.process("client", |_| ());
        world.partition(&[server], &[client]);
        let log = Log::default();
        let began = world.now();
        world.with(client, |handle| dial(handle, "echo", vec![], &log));
        world.run_for(60 * SECOND);
        assert_eq!(log.failure(), Some(io::ErrorKind::TimedOut));
        assert_eq!(log.end.get().unwrap().0 - began, 30 * SECOND);
    });
}

#[test]
fn a_crash_is_heard_and_a_restarted_process_knows_nothing() {
    replayed(|world| {
        let (server, client, log) = echo_world(world, b"x");
        world.run_for(SECOND);
        world.crash(server);
        assert!(!world.is_running(server));
        world.run_for(SECOND);
        assert_eq!(log.end.get().map(|(_, how)| how), Some("end"), "it had read everything");
        let refused = Log::default();
        world.with(client, |handle| dial(handle, "echo", vec![1], &refused));
        world.run_for(SECOND);
        assert_eq!(refused.failure(), Some(io::ErrorKind::ConnectionRefused));
        assert_eq!(world.process("server", serve_echo), server);
        let again = Log::default();
        world.with(client, |handle| dial(handle, "echo", vec![2], &again));
        world.run_for(SECOND);
        assert_eq!(*again.bytes.borrow(), [2]);
    });
}

#[test]
fn a_process_that_stops_says_goodbye_with_an_end() {
    replayed(|world| {
        let (server, _, log) = echo_world(world, b"x");
        world.run_for(SECOND);
        world.with(server, |handle| handle.stop());
        world.run_for(SECOND);
        assert!(!world.is_running(server));
        assert_eq!(log.end.get().map(|(_, how)| how), Some("end"));
    });
}

#[test]
fn a_listener_without_descriptors_rests_and_comes_back() {
    replayed(|world| {
        let server = world.process("server", serve_echo);
        world.exhaust(server, true);
        let log = Log::default();
        world.process("client", |kernel| dial(&kernel.handle(), "echo", vec![7], &log));
        world.run_for(10 * SECOND);
        assert_eq!((log.len(), log.failure()), (0, None));
        world.exhaust(server, false);
        world.run_for(SECOND + SECOND / 10);
        assert_eq!(*log.bytes.borrow(), [7]);
    });
}

#[test]
fn closing_waits_for_the_output_and_not_for_ever() {
    replayed(|world| {
        let heard = Rc::new(Cell::new(0));
        let count = heard.clone();
        // A server that does not read until it is told to.
        let paused = Rc::new(RefCell::new(None));
        let keep = paused.clone();
        world.process("server", move |kernel| {
            let serve = move |stream: Stream| {
                let count = count.clone();
                let outlet = stream.start(move |_, input| {
                    if let Input::Bytes(bytes) = input {
                        count.set(count.get() + bytes.len());
                    }
                });
                outlet.pause();
                *keep.borrow_mut() = Some(outlet);
            };
            kernel.handle().listen(&sim("deaf"), serve).unwrap()
        });
        let log = Log::default();
        let client = world
            .process("client", |kernel| dial(&kernel.handle(), "deaf", vec![0; 200_000], &log));
        world.run_for(SECOND);
        log.outlet.borrow().as_ref().unwrap().close();
        world.run_for(SECOND);
        assert_eq!(heard.get(), 0);
        paused.borrow().as_ref().unwrap().resume();
        world.run_for(SECOND);
        assert_eq!(heard.get(), 200_000, "closing sends what is buffered");

        let log = Log::default();
        world.with(client, |handle| dial(handle, "deaf", vec![0; 200_000], &log));
        world.run_for(SECOND);
        let outlet = log.outlet.take().unwrap();
        outlet.close();
        world.run_for(4 * SECOND);
        assert!(outlet.buffered() > 0);
        world.run_for(2 * SECOND);
        assert_eq!(outlet.buffered(), 0, "after five seconds it is cut");
    });
}

#[test]
fn an_endless_chain_of_tasks_stops_neither_clock_nor_others() {
    fn chain(handle: &Handle) {
        let next = handle.clone();
        handle.schedule(move || chain(&next))
    }
    let mut world = World::new(1);
    let (_, _, log) = echo_world(&mut world, b"x");
    let ticks = Rc::new(Cell::new(0));
    let ticked = ticks.clone();
    world.process("busy", move |kernel| {
        chain(&kernel.handle());
        kernel.handle().after(Duration::from_millis(3), move || ticked.set(1));
    });
    world.run_for(Duration::from_millis(20));
    assert_eq!((log.len(), ticks.get()), (1, 1));
}

#[test]
fn with_sees_the_time_of_the_world() {
    let mut world = World::new(1);
    let process = world.process("slept", |_| ());
    world.run_for(SECOND);
    let now = world.now();
    assert_eq!(world.with(process, |handle| handle.now()), now);
}

#[test]
fn one_kernel_alone_can_talk_to_itself_and_says_when_it_would_wait_for_ever() {
    let run = |seed| {
        let mut kernel = Kernel::simulated(seed);
        let listener = serve_echo(&kernel);
        let log = Log::default();
        dial(&kernel.handle(), "echo", b"hello".to_vec(), &log);
        let error = kernel.run().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Deadlock);
        assert_eq!(*log.bytes.borrow(), b"hello");
        drop(listener);
        kernel.handle().now()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn only_simulated_addresses_exist() {
    let mut kernel = Kernel::simulated(1);
    for text in ["inet:localhost:1", "inet:example.org:1", "unix:/tmp/x"] {
        let address: Address = text.parse().unwrap();
        let failure = Rc::new(Cell::new(None));
        let seen = failure.clone();
        let handle = kernel.handle();
        let noted = move |outcome: io::Result<Stream>| seen.set(outcome.err().map(|e| e.kind()));
        handle.connect(&address, Cont::new(&handle, noted));
        kernel.run().unwrap();
        assert_eq!(failure.get(), Some(io::ErrorKind::Unsupported), "{text}");
        assert!(handle.listen(&address, drop).is_err());
    }
}

#[test]
#[should_panic = "the process client is not running"]
fn a_process_that_was_crashed_is_named_when_it_is_asked_for() {
    let mut world = World::new(1);
    let client = world.process("client", |_| ());
    world.crash(client);
    world.with(client, |_| ());
}
