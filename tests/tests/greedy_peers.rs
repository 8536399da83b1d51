//! Peers that take more than their share: that do not read, flood, cancel at once, recurse, or call
//! what computes for ever. They are bounded or cut off, and everybody else is served.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use peers_rpc::kernel::sim::World;
use peers_rpc::kernel::{Budget, Wait};
use peers_rpc::wire::{ByeCode, Cancel, Encode, Kind, Ping, Refused, RefusedCode, method_id};
use peers_rpc::{CloseReason, ErrorKind, Instant, Kernel, Limits, Rpc};
use peers_tests::raw::{ECHO, HOLD, NOTE, Raw, Said, call, event, frame, greeting};
use peers_tests::stage::{Actor, Line, Outcomes};
use peers_tests::trial::{Trial, TrialProxy};
use peers_tests::victim::Victim;
use std::thread;
use std::time::Duration;

const VICTIM: &str = env!("CARGO_BIN_EXE_victim");
const MIB: u64 = 1 << 20;
/// Requests that a peer may have unanswered.
const GRANT: u64 = 4_096;
/// Calls that a process serves at a time.
const RUNNING: usize = 16_384;

const LOAD: u64 = method_id("trial.trial.load(u32)->string");
const PANIC: u64 = method_id("trial.trial.panic(string)->string");

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn at(seconds: u64) -> Instant {
    Instant::default() + secs(seconds)
}

/// The calls `from..to` of a method, in one piece.
fn calls(ids: std::ops::Range<u64>, method: u64, arguments: &impl Encode) -> Vec<u8> {
    ids.flat_map(|id| call(id, method, arguments)).collect()
}

fn cancel(call: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    Cancel { call }.put(&mut bytes);
    bytes
}

fn refusal(said: &Said) -> RefusedCode {
    assert_eq!(said.kind, Kind::Refused, "{said:?}");
    Refused::decode(&said.body).unwrap().code
}

fn count(said: &[Said], kind: Kind) -> usize {
    said.iter().filter(|said| said.kind == kind).count()
}

/// A line that has said hello to a fresh server, and reads nothing more.
fn deaf_line(world: &mut World) -> (Actor, Line) {
    let server = Actor::enter(world, "server", Limits::default());
    let process = world.process("line", |_| ());
    let line = world.with(process, |handle| Line::dial(handle, &server.address));
    world.run_until(at(1));
    line.say(&greeting());
    line.outlet().pause();
    (server, line)
}

#[test]
fn a_peer_that_takes_nothing_for_thirty_seconds_is_cut_off() {
    let mut world = World::new(16);
    let (server, line) = deaf_line(&mut world);
    let endpoint = server.rpc.endpoints().remove(0);
    let end = server.end_of(&endpoint);
    line.say(&calls(1..10, LOAD, &(100_000_u32,)));
    world.run_until(at(30));
    assert!(end.borrow().is_none(), "slow is allowed");
    world.run_until(at(50));
    let (when, why) = end.borrow_mut().take().unwrap();
    assert_eq!(why, CloseReason::SlowPeer, "{when:?}");
    assert!(when <= at(32), "30 s after it has taken the last byte: {when:?}");
}

#[test]
fn a_peer_is_cut_off_at_once_when_too_much_waits_for_it() {
    let mut world = World::new(16);
    let (server, line) = deaf_line(&mut world);
    let endpoint = server.rpc.endpoints().remove(0);
    let end = server.end_of(&endpoint);
    line.say(&calls(1..100, LOAD, &(1_000_000_u32,)));
    world.run_until(at(3));
    let (_, why) = end.borrow_mut().take().unwrap();
    assert_eq!(why, CloseReason::SlowPeer, "over the hard limit it is not waited for");
}

#[test]
fn replies_that_nobody_reads_cost_little() {
    let victim = Victim::start(VICTIM);
    let mut deaf: Vec<Raw> = (0..50).map(|_| victim.greeted()).collect();
    let before = victim.peak_memory();
    for raw in &mut deaf {
        raw.send(&calls(1..65, LOAD, &(1_000_000_u32,))); // 3 GB in all
        victim.assert_well();
    }
    for raw in &mut deaf {
        raw.drain();
    }
    victim.assert_well();
    let grown = victim.peak_memory() - before;
    assert!(grown <= 64 * MIB, "{grown} bytes at the worst");
}

#[test]
fn two_sides_full_of_calls_answer_them_all() {
    let mut world = World::new(17);
    let one = Actor::enter(&mut world, "one", Limits::default());
    let other = Actor::enter(&mut world, "other", Limits::default());
    let there = one.dial(&mut world, &other);
    world.run_until(at(1));
    let back = TrialProxy::new(other.rpc.endpoints().remove(0));
    let text = "x".repeat(1_000);
    let mut outcomes: Vec<Outcomes<String>> = Vec::new();
    for _ in 0..6_000 {
        outcomes.push(one.call(&mut world, there.echo(text.as_str())));
        outcomes.push(other.call(&mut world, back.echo(text.as_str())));
    }
    world.run_until(at(20));
    assert!(outcomes.iter().all(|outcome| outcome.take().as_ref() == Ok(&text)));
}

#[test]
fn a_flood_within_the_grant_is_answered_once_each_in_order() {
    let victim = Victim::start(VICTIM);
    let mut raw = victim.greeted();
    let before = victim.memory();
    for round in 0..12 {
        let ids = round * GRANT..(round + 1) * GRANT;
        raw.send(&calls(ids.clone(), ECHO, &("x",)));
        for id in ids {
            let said = raw.read().unwrap();
            assert_eq!((said.kind, said.call), (Kind::Reply, id), "each once, in order");
        }
    }
    let grown = victim.memory().saturating_sub(before);
    assert!(grown <= 16 * MIB, "{grown} bytes");
    victim.assert_well();
}

#[test]
fn one_call_more_than_granted_ends_the_connection() {
    let victim = Victim::start(VICTIM);
    let mut raw = victim.greeted();
    raw.send(&calls(1..GRANT + 1, HOLD, &("x",)));
    raw.send(&calls(GRANT + 1..GRANT + 2, ECHO, &("one too many",)));
    let said = raw.rest();
    assert_eq!(count(&said, Kind::Reply), 0);
    assert_eq!(said.last().map(|said| said.kind), Some(Kind::Bye));
    victim.assert_well();
}

#[test]
fn calls_beyond_what_a_process_may_run_are_refused_as_overloaded() {
    let victim = Victim::start(VICTIM);
    let mut holders: Vec<Raw> = (0..5).map(|_| victim.greeted()).collect();
    let mut refused = 0;
    for raw in &mut holders {
        raw.send(&calls(1..GRANT, HOLD, &("x",)));
        raw.echo(0, "after them");
        while let Some(said) = raw.read().filter(|said| said.kind != Kind::Reply) {
            assert_eq!(refusal(&said), RefusedCode::Overloaded);
            refused += 1;
        }
    }
    // Each has half of what the others leave: three have all they asked for, the next 2,050 places,
    // the last 1,025.
    let held = 3 * (GRANT as usize - 1) + 2_050 + 1_025;
    assert_eq!(victim.honest().holds().wait(), Ok(held as u32));
    assert_eq!(refused, 5 * (GRANT as usize - 1) - held);
    let mut raw = victim.greeted();
    raw.send(&call(1, HOLD, &("of another",)));
    raw.settle(2);
    assert_eq!(victim.honest().holds().wait(), Ok(held as u32 + 1), "nobody takes them all");
    victim.assert_well();
    assert_eq!(victim.honest().release(true).wait(), Ok(held as u32 + 1));
    let mut raw = victim.greeted();
    raw.send(&call(1, HOLD, &("again",)));
    raw.settle(2);
    assert_eq!(victim.honest().release(true).wait(), Ok(1), "there is room again");
    assert_eq!(raw.reply_to(1), "again");
}

/// A cancelled call keeps its place among those that run until the work for it has really ended.
#[test]
fn a_cancelled_call_keeps_its_place_until_its_work_has_ended() {
    let victim = Victim::start(VICTIM);
    let mut raw = victim.greeted();
    let overloaded = (0..100).any(|wave| {
        let ids = wave * GRANT + 1..(wave + 1) * GRANT;
        let pairs = ids.flat_map(|id| [call(id, HOLD, &("x",)), cancel(id)].concat());
        raw.send(&pairs.collect::<Vec<u8>>());
        raw.echo(0, "after them");
        let said = std::iter::from_fn(|| raw.read()).take_while(|said| said.call != 0);
        let codes: Vec<RefusedCode> = said.map(|said| refusal(&said)).collect();
        assert_eq!(codes.len() as u64, GRANT - 1, "one answer for each");
        victim.assert_well();
        codes.contains(&RefusedCode::Overloaded)
    });
    assert!(overloaded, "each that was started is held, and nobody is told to slow down");
    let held = victim.honest().holds().wait();
    assert_eq!(
        held,
        Ok(RUNNING as u32 / 2),
        "no more run than its share, however many are cancelled"
    );
    drop(raw);
    let mut raw = victim.greeted();
    raw.send(&call(1, HOLD, &("x",)));
    raw.settle(2);
    assert_eq!(victim.honest().holds().wait(), Ok(RUNNING as u32 / 2 + 1), "nor when it has gone");

    assert_eq!(victim.honest().release(false).wait(), Ok(RUNNING as u32 / 2 + 1));
    raw.send(&call(3, HOLD, &("again",)));
    raw.settle(4);
    assert_eq!(victim.honest().release(true).wait(), Ok(1));
    assert_eq!(raw.reply_to(3), "again");
}

#[test]
fn two_running_calls_of_one_id_end_the_connection() {
    let victim = Victim::start(VICTIM);
    let mut raw = victim.greeted();
    raw.send(&calls(7..8, HOLD, &("one",)));
    raw.send(&calls(7..8, HOLD, &("and the same",)));
    assert_eq!(raw.bye(), Some(ByeCode::Protocol));
    victim.assert_well();
}

#[test]
fn floods_of_frames_that_cost_nothing_are_cut_off() {
    let victim = Victim::start(VICTIM);
    let mut ping = Vec::new();
    Ping { number: 7 }.put(&mut ping);
    let ignorable = frame(0, 200, 0, 0, b"");
    let pong = frame(0, Kind::Pong.number(), 0, 1, b"");
    let credit = frame(4, Kind::Credit.number(), 0, 0, &[0; 4]);
    for flood in [ping, ignorable, pong, credit, cancel(1)] {
        let mut raw = victim.greeted();
        raw.send(&flood.repeat(100_000));
        let said = raw.rest();
        assert!(count(&said, Kind::Pong) <= 300, "{} pongs", count(&said, Kind::Pong));
        victim.assert_well();
    }
    let log = victim.log();
    assert_eq!(log.matches("too many pings").count(), 5, "{log}");
}

/// Duplicates of an answer are free: they may be the peer's honest mistake of timing. They are only
/// counted.
#[test]
fn only_the_first_of_many_replies_counts() {
    let victim = Victim::start(VICTIM);
    let mut raw = victim.greeted();
    raw.send(&call(1, method_id("trial.trial.bounce()->u16"), &()));
    let id = raw.read().unwrap().call;
    raw.send(&frame(2, Kind::Reply.number(), 0, id, &[0, 5]).repeat(50_000));
    assert_eq!(raw.answer_to(1).body, [0, 5], "the first one counts");
    raw.echo(2, "still there");
    assert_eq!(raw.reply_to(2), "still there");
}

#[test]
fn a_recursion_between_two_peers_is_stopped_after_64_hops() {
    let mut world = World::new(30);
    let one = Actor::enter(&mut world, "one", Limits::default());
    let other = Actor::enter(&mut world, "other", Limits::default());
    let node = one.dial(&mut world, &other);
    let outcome = one.call(&mut world, node.bounce());
    world.run_until(at(5));
    assert_eq!(outcome.take(), Ok(64), "the limit of hops");
    assert_eq!((one.rpc.running(), other.rpc.running()), (0, 0));
}

#[test]
fn a_handler_that_computes_for_seconds_holds_no_caller_beyond_its_deadline() {
    let mut world = World::new(32);
    let server = Actor::enter(&mut world, "server", Limits::default());
    let client = Actor::enter(&mut world, "client", Limits::default());
    let node = client.dial(&mut world, &server);
    let first = client.call(&mut world, node.echo("x"));
    world.run_until(at(1));
    assert_eq!(first.take().as_deref(), Ok("x"));
    world.stall(server.process, secs(10));
    let late = client.call(&mut world, node.echo("late").within(secs(2)));
    let patient = client.call(&mut world, node.echo("patient").within(secs(20)));
    world.run_until(at(3) + Duration::from_millis(1));
    let error = late.take().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TimedOut { .. }), "at the caller, in time: {error}");
    world.run_until(at(15));
    assert_eq!(patient.take().as_deref(), Ok("patient"));
}

#[test]
fn a_slow_handler_is_named_in_the_log() {
    let victim = Victim::start(VICTIM);
    let slow = (16..40).any(|power| {
        drop(victim.honest().ponder(1_u64 << power).wait());
        victim.log().contains("slow handler") || victim.log().contains("ponder")
    });
    let log = victim.log();
    assert!(slow && log.contains("trial.trial.ponder"), "{log}");
}

#[test]
fn an_endless_chain_of_continuations_keeps_nobody_waiting_on_a_small_stack() {
    let (tell, told) = std::sync::mpsc::channel();
    let server = thread::Builder::new().stack_size(256 << 10).spawn(move || {
        let mut kernel = Kernel::new().unwrap();
        kernel.set_strict(true);
        let rpc = Rpc::new(&kernel.handle());
        let address = "inet:localhost:0".parse().unwrap();
        let served = Trial::serve(&kernel, &rpc, &address).unwrap();
        tell.send((served.0.address(), kernel.remote())).unwrap();
        let chain = kernel.node(0_u64);
        chain.cx().schedule(link);
        kernel.run().unwrap();
        chain.with(|links| *links)
    });
    let (address, remote) = told.recv().unwrap();
    let mut raw = Raw::greeted(&address);
    for id in 0..200 {
        raw.echo(id, "in between");
        assert_eq!(raw.reply_to(id), "in between");
    }
    remote.post(|handle| handle.stop()).unwrap();
    let links = server.unwrap().join().unwrap();
    assert!(links > 10_000, "a chain of {links}");
}

fn link(links: &mut u64, cx: &peers_rpc::Cx<u64>) {
    *links += 1;
    cx.schedule(link);
}

#[test]
fn ten_thousand_panics_of_a_handler_cost_nothing_and_tell_nothing() {
    const PANICS: u64 = 10_000;
    let victim = Victim::start(VICTIM);
    let mut raw = victim.greeted();
    let wave = |raw: &mut Raw, ids: std::ops::Range<u64>| {
        raw.send(&calls(ids.clone(), PANIC, &("swordfish",)));
        for id in ids {
            let said = raw.read().unwrap();
            assert_eq!((said.call, refusal(&said)), (id, RefusedCode::Internal));
            assert_eq!(Refused::decode(&said.body).unwrap().text, "", "no word of it leaks");
        }
    };
    wave(&mut raw, 0..1_000);
    let before = victim.memory();
    for thousand in 1..PANICS / 1_000 {
        wave(&mut raw, thousand * 1_000..(thousand + 1) * 1_000);
    }
    let grown = victim.memory().saturating_sub(before);
    assert!(grown <= 2 * MIB, "{grown} bytes for {PANICS} panics");
    raw.echo(PANICS, "still there");
    assert_eq!(raw.reply_to(PANICS), "still there", "the connection lives on");
    victim.assert_well();
    let lines = victim.log().lines().count();
    assert!(lines <= 500, "{lines} lines in the log for {PANICS} panics");
}

/// Turns are counted, not milliseconds: what an honest request waits for is a turn's budget of the
/// flood.
#[test]
fn an_honest_request_waits_for_a_budget_of_the_flood_at_most() {
    const BUDGET: u32 = 64;
    let mut kernel = Kernel::new().unwrap();
    kernel.set_strict(true);
    kernel.set_budget(Budget { tasks: BUDGET, time: secs(60) });
    let handle = kernel.handle();
    let rpc = Rpc::new(&handle);
    let address = "inet:localhost:0".parse().unwrap();
    let (listener, node) = Trial::serve(&kernel, &rpc, &address).unwrap();
    let mut turn = || kernel.turn(Wait::Until(handle.now() + Duration::from_millis(20))).unwrap();

    let mut greedy = Raw::connect(&listener.address());
    let mut honest = Raw::connect(&listener.address());
    greedy.send(&greeting());
    honest.send(&greeting());
    honest.echo(0, "ready");
    greedy.echo(0, "ready");
    while node.with(|trial| trial.heard.len()) < 2 {
        turn();
    }
    greedy.send(&calls(1..4_000, ECHO, &("flood",)));
    for round in 1..8 {
        turn();
        let flooded = node.with(|trial| trial.heard.len());
        honest.echo(round, "honest");
        let served =
            || node.with(|trial| trial.heard.iter().filter(|text| *text == "honest").count());
        while served() < round as usize {
            turn();
        }
        let waited = node.with(|trial| trial.heard.len()) - flooded;
        assert!(waited <= 4 * BUDGET as usize, "{waited} requests of the flood went first");
    }
    let left = 4_001 - node.with(|trial| trial.heard.len());
    assert!(left > 500, "the flood was still on: {left}");
}

/// Requests that wait for their turn are bounded in bytes: beyond that the budget yields.
#[test]
fn what_waits_for_its_turn_is_bounded() {
    const EVENTS: usize = 3_000;
    let mut kernel = Kernel::new().unwrap();
    kernel.set_strict(true);
    kernel.set_budget(Budget { tasks: 1, time: secs(60) });
    let handle = kernel.handle();
    let rpc = Rpc::new(&handle);
    let address = "inet:localhost:0".parse().unwrap();
    let (listener, node) = Trial::serve(&kernel, &rpc, &address).unwrap();
    let address = listener.address();
    let (tell, told) = std::sync::mpsc::channel();
    let greedy = thread::spawn(move || {
        let mut raw = Raw::greeted(&address);
        raw.send(&event(NOTE, &("x".repeat(10_000),)).repeat(EVENTS));
        raw.send(&frame(0, Kind::Ping.number(), 0, 9, b""));
        while raw.read().unwrap().kind != Kind::Pong {}
        tell.send(()).unwrap();
        raw.finish();
        raw.drain();
    });
    let mut turn = || kernel.turn(Wait::Until(handle.now() + Duration::from_millis(20))).unwrap();
    while told.try_recv().is_err() {
        assert!(!greedy.is_finished());
        turn();
    }
    let waiting = EVENTS - node.with(|trial| trial.heard.len());
    assert!(waiting <= 220, "{waiting} of them wait: two megabytes were allowed");
    while !greedy.is_finished() {
        turn();
    }
    greedy.join().unwrap();
    assert_eq!(node.with(|trial| trial.heard.len()), EVENTS, "what came before the end is started");
}

#[test]
fn a_flood_of_events_keeps_its_order_and_nobody_waiting() {
    let victim = Victim::start(VICTIM);
    let mut greedy = victim.greeted();
    for round in 0..50 {
        greedy.send(&event(NOTE, &("flood",)).repeat(2_000));
        greedy.echo(round, "behind it");
        victim.assert_well();
        assert_eq!(greedy.reply_to(round), "behind it");
    }
}
