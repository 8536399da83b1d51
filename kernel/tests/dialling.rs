//! Promise: of the addresses of a name the first that answers wins, soon, whatever the others do,
//! and a name that is not answered stops neither other names nor other work. In virtual time.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

use peers_kernel::sim::{ProcessId, World};
use peers_kernel::{Address, Cont, Handle, Kernel, Listener, Stream};
use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::time::Duration;

const MILLI: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn sim(name: &str) -> Address {
    Address::sim(name)
}

/// The ends of dials: when, counted from their beginning, and with whom or why.
#[derive(Clone, Default)]
struct Ends(Rc<RefCell<Vec<End>>>);

type End = (Duration, Result<String, (ErrorKind, String)>);

impl Ends {
    fn dial(&self, handle: &Handle, to: &Address, within: Duration) {
        let (ends, timers, began) = (self.clone(), handle.clone(), handle.now());
        let k = Cont::new(handle, move |result: io::Result<Stream>| {
            let end = match result {
                Ok(stream) => Ok(stream.peer().unwrap().to_string()),
                Err(error) => Err((error.kind(), error.to_string())),
            };
            ends.0.borrow_mut().push((timers.now() - began, end));
        });
        handle.connect_within(to, within, k);
    }

    fn all(&self) -> Vec<End> {
        self.0.borrow().clone()
    }

    #[track_caller]
    fn only(&self) -> End {
        let all = self.all();
        assert_eq!(all.len(), 1, "{all:?}");
        all[0].clone()
    }
}

/// Servers by these names, each a process, and a client. Accepted connections are counted.
struct Stage {
    world: World,
    servers: Vec<ProcessId>,
    accepted: Rc<RefCell<Vec<&'static str>>>,
    client: ProcessId,
    ends: Ends,
}

impl Stage {
    fn new(seed: u64, names: &[&'static str]) -> Self {
        let (mut world, accepted) = (World::new(seed), Rc::new(RefCell::new(Vec::new())));
        let serve = |world: &mut World, name: &'static str| {
            let accepted = accepted.clone();
            world.process(name, move |kernel: &Kernel| -> Listener {
                let accept = move |_: Stream| accepted.borrow_mut().push(name);
                kernel.handle().listen(&sim(name), accept).unwrap()
            })
        };
        let servers = names.iter().map(|name| serve(&mut world, name)).collect();
        let client = world.process("client", |_| ());
        Self { world, servers, accepted, client, ends: Ends::default() }
    }

    /// Nothing passes between the client and that server.
    fn silence(&mut self, server: usize) {
        self.world.partition(&[self.client], &[self.servers[server]]);
    }

    fn refuse(&mut self, server: usize) {
        self.world.refuse(self.servers[server], true);
    }

    fn dial(&mut self, to: &Address, within: Duration) {
        let ends = self.ends.clone();
        self.world.with(self.client, |handle| ends.dial(handle, to, within));
    }

    /// Dials the name `db`, which has all servers in order, and waits.
    fn dial_db(&mut self, names: &[&str]) -> End {
        let addresses: Vec<String> = names.iter().map(|name| format!("sim:{name}")).collect();
        self.world.name("db", addresses.iter().map(String::as_str));
        self.dial(&sim("db"), 8 * SECOND);
        self.world.run_for(20 * SECOND);
        self.ends.only()
    }

    /// Sources of the client that are left.
    fn sources(&mut self) -> usize {
        self.world.with(self.client, |handle| handle.dump().sources())
    }

    fn timers(&mut self) -> usize {
        self.world.with(self.client, |handle| handle.dump().timers())
    }
}

const ABC: [&str; 3] = ["a", "b", "c"];

#[test]
fn two_silent_addresses_cost_half_a_second() {
    for seed in 0..20 {
        let mut stage = Stage::new(seed, &ABC);
        stage.silence(0);
        stage.silence(1);
        let (took, end) = stage.dial_db(&ABC);
        assert_eq!(end, Ok("sim:c".to_owned()));
        assert!((500 * MILLI..550 * MILLI).contains(&took), "seed {seed}: {took:?}");
        assert_eq!((stage.sources(), stage.timers()), (0, 0), "losers are given back");
    }
}

#[test]
fn a_refusing_address_costs_no_time_and_a_silent_one_250_ms() {
    for seed in 0..20 {
        let mut stage = Stage::new(seed, &ABC);
        stage.refuse(0);
        stage.silence(1);
        let (took, end) = stage.dial_db(&ABC);
        assert_eq!(end, Ok("sim:c".to_owned()));
        assert!((250 * MILLI..300 * MILLI).contains(&took), "seed {seed}: {took:?}");
    }
}

/// The second is tried when the first refuses, and from then on a quarter of a second counts anew.
#[test]
fn an_address_has_250_ms_also_after_a_refusal() {
    const ABCD: [&str; 4] = ["a", "b", "c", "d"];
    for seed in 0..20 {
        let mut stage = Stage::new(seed, &ABCD);
        // It refuses after 0.2 s, and so the timer that was set for the second has not fired.
        stage.world.set_latency(100 * MILLI..=100 * MILLI);
        stage.refuse(0);
        stage.silence(1);
        stage.silence(2);
        let (took, end) = stage.dial_db(&ABCD);
        assert_eq!(end, Ok("sim:d".to_owned()));
        assert!(took >= 700 * MILLI, "seed {seed}: {took:?}");
    }
}

#[test]
fn a_dial_that_has_ended_leaves_no_timer() {
    let mut stage = Stage::new(3, &ABC);
    stage.world.name("db", ["sim:a", "sim:b", "sim:c"]);
    stage.dial(&sim("db"), 8 * SECOND);
    stage.world.run_for(100 * MILLI);
    assert_eq!(stage.ends.only().1, Ok("sim:a".to_owned()));
    assert_eq!((stage.sources(), stage.timers()), (0, 0));
}

#[test]
fn the_first_address_is_taken_if_it_answers() {
    let mut stage = Stage::new(3, &ABC);
    let (took, end) = stage.dial_db(&ABC);
    assert_eq!(end, Ok("sim:a".to_owned()));
    assert!(took < 20 * MILLI, "{took:?}");
    assert_eq!(*stage.accepted.borrow(), ["a"], "nobody else was bothered");
}

#[test]
fn the_first_that_connects_wins_and_the_others_are_closed() {
    for seed in 0..20 {
        let mut stage = Stage::new(seed, &ABC);
        // A connection takes about 0.6 s here: three are under way when the first one stands.
        stage.world.set_latency(290 * MILLI..=310 * MILLI);
        let (_, end) = stage.dial_db(&ABC);
        assert!(end.is_ok(), "{end:?}");
        assert_eq!((stage.sources(), stage.timers()), (0, 0));
    }
}

#[test]
fn an_address_that_was_silent_may_still_win() {
    let mut stage = Stage::new(5, &ABC);
    stage.silence(0);
    stage.refuse(1);
    stage.refuse(2);
    stage.world.name("db", ["sim:a", "sim:b", "sim:c"]);
    stage.dial(&sim("db"), 8 * SECOND);
    stage.world.run_for(2 * SECOND);
    assert!(stage.ends.all().is_empty(), "a is still waited for");
    stage.world.heal();
    stage.world.run_for(SECOND);
    assert_eq!(stage.ends.only().1, Ok("sim:a".to_owned()));
}

#[test]
fn when_all_fail_the_error_says_what_each_did() {
    let mut stage = Stage::new(1, &ABC);
    stage.refuse(0);
    stage.silence(1);
    stage.refuse(2);
    let (took, end) = stage.dial_db(&ABC);
    let (kind, text) = end.unwrap_err();
    assert_eq!(kind, ErrorKind::TimedOut);
    assert!(took < 8 * SECOND + 20 * MILLI && took >= 8 * SECOND, "{took:?}");
    let expected = "cannot reach sim:db: sim:a: connection refused; sim:c: connection refused; \
                    nothing answers at sim:b within 8s";
    assert_eq!(text, expected);
    assert_eq!((stage.sources(), stage.timers()), (0, 0));
}

#[test]
fn all_refusing_is_refused_at_once_and_said_once() {
    let mut stage = Stage::new(1, &ABC);
    (0..3).for_each(|server| stage.refuse(server));
    let (took, end) = stage.dial_db(&ABC);
    let refused = (ErrorKind::ConnectionRefused, "cannot reach sim:db: connection refused".into());
    assert_eq!(end, Err(refused));
    assert!(took < 50 * MILLI, "{took:?}");
}

#[test]
fn an_address_that_stands_twice_is_tried_once() {
    let mut stage = Stage::new(2, &["a", "b"]);
    stage.silence(0);
    let (took, end) = stage.dial_db(&["a", "a", "a", "b", "a"]);
    assert_eq!(end, Ok("sim:b".to_owned()));
    assert!(took < 300 * MILLI, "{took:?}");
}

#[test]
fn dialling_a_name_without_addresses_fails() {
    let mut stage = Stage::new(2, &[]);
    let (took, end) = stage.dial_db(&[]);
    let (kind, text) = end.unwrap_err();
    assert_eq!(kind, ErrorKind::NotFound);
    assert_eq!(text, "cannot reach sim:db: the name db has no address");
    assert!(took < 20 * MILLI, "{took:?}");
}

#[test]
fn a_dial_after_a_failed_one_begins_anew() {
    let mut stage = Stage::new(4, &ABC);
    (0..3).for_each(|server| stage.refuse(server));
    assert!(stage.dial_db(&ABC).1.is_err());
    (0..3).for_each(|server| stage.world.refuse(stage.servers[server], false));
    stage.ends.0.borrow_mut().clear();
    let (took, end) = stage.dial_db(&ABC);
    assert_eq!(end, Ok("sim:a".to_owned()));
    assert!(took < 20 * MILLI, "{took:?}");
}

#[test]
fn a_dial_without_a_limit_waits_as_long_as_it_takes() {
    let mut stage = Stage::new(6, &["a"]);
    stage.silence(0);
    stage.dial(&sim("a"), Duration::ZERO);
    stage.world.run_for(3_600 * SECOND);
    assert!(stage.ends.all().is_empty());
    stage.world.heal();
    stage.world.run_for(SECOND);
    assert_eq!(stage.ends.only().1, Ok("sim:a".to_owned()));
}

#[test]
fn a_look_up_that_does_not_end_is_given_up_after_five_seconds() {
    let mut stage = Stage::new(1, &["a"]);
    stage.world.name("db", ["sim:a"]);
    stage.world.slow_name("db", 3_600 * SECOND);
    stage.dial(&sim("db"), 8 * SECOND);
    stage.world.run_for(4_999 * MILLI);
    assert!(stage.ends.all().is_empty());
    stage.world.run_for(2 * MILLI);
    let (took, end) = stage.ends.only();
    let (kind, text) = end.unwrap_err();
    assert_eq!((took, kind), (5 * SECOND, ErrorKind::TimedOut));
    assert!(text.contains("sim:db: the look-up of db did not end in 5s; "), "{text}");
}

#[test]
fn the_time_for_connecting_counts_from_the_end_of_the_look_up() {
    let mut stage = Stage::new(1, &["a"]);
    stage.silence(0);
    stage.world.name("db", ["sim:a"]);
    stage.world.slow_name("db", 4 * SECOND);
    stage.dial(&sim("db"), 2 * SECOND);
    stage.world.run_for(20 * SECOND);
    let (took, end) = stage.ends.only();
    assert_eq!((took, end.unwrap_err().0), (6 * SECOND, ErrorKind::TimedOut));
}

#[test]
fn callers_share_a_look_up_and_each_has_its_own_patience() {
    let mut stage = Stage::new(1, &["a"]);
    stage.world.name("db", ["sim:a"]);
    stage.world.slow_name("db", 7 * SECOND);
    stage.dial(&sim("db"), SECOND);
    stage.world.run_for(3 * SECOND);
    stage.dial(&sim("db"), SECOND);
    // A second look-up would take until 10 s; the shared one ends at 7 s, when only the second
    // caller still waits.
    stage.world.run_for(7 * SECOND);
    let ends = stage.ends.all();
    assert_eq!((ends.len(), ends[0].0), (2, 5 * SECOND), "{ends:?}");
    assert_eq!(ends[0].1.as_ref().unwrap_err().0, ErrorKind::TimedOut);
    assert_eq!(ends[1].1, Ok("sim:a".to_owned()));
    assert!((4 * SECOND..4 * SECOND + 20 * MILLI).contains(&ends[1].0), "{ends:?}");
}

#[test]
fn a_name_asked_for_again_after_its_answer_is_looked_up_again() {
    let mut stage = Stage::new(1, &["a", "b"]);
    assert_eq!(stage.dial_db(&["a"]).1, Ok("sim:a".to_owned()));
    stage.ends.0.borrow_mut().clear();
    assert_eq!(stage.dial_db(&["b"]).1, Ok("sim:b".to_owned()));
}

/// Names `slow0`, `slow1`… whose look-ups take so long, and a dial of each.
fn hang(stage: &mut Stage, count: usize, took: Duration) {
    for n in 0..count {
        let name = format!("slow{n}");
        stage.world.name(&name, ["sim:a"]);
        stage.world.slow_name(&name, took);
        stage.dial(&sim(&name), SECOND);
    }
}

#[test]
fn two_names_that_hang_delay_no_third() {
    let mut stage = Stage::new(1, &["a"]);
    hang(&mut stage, 2, 3_600 * SECOND);
    // Again and again, as those do who stay connected: each name holds one place.
    for _ in 0..100 {
        (0..2).for_each(|n| stage.dial(&sim(&format!("slow{n}")), SECOND));
        stage.world.run_for(SECOND);
    }
    stage.ends.0.borrow_mut().clear();
    stage.world.name("db", ["sim:a"]);
    stage.dial(&sim("db"), SECOND);
    stage.world.run_for(100 * MILLI);
    assert_eq!(stage.ends.only().1, Ok("sim:a".to_owned()));
}

#[test]
fn a_fourth_name_that_nobody_knows_waits_for_its_turn_and_no_longer_than_its_caller() {
    let mut stage = Stage::new(1, &["a"]);
    hang(&mut stage, 3, 12 * SECOND);
    stage.world.name("db", ["sim:a"]);
    stage.dial(&sim("db"), SECOND);
    stage.world.run_for(6 * SECOND);
    let ends = stage.ends.all();
    assert_eq!(ends.len(), 4, "{ends:?}");
    let texts: Vec<&String> = ends.iter().map(|end| &end.1.as_ref().unwrap_err().1).collect();
    assert!(texts[3].contains("db was not looked up: 3 other look-ups hang"), "{texts:?}");
    stage.ends.0.borrow_mut().clear();
    // At 12 s there is room again. This caller has come at 8 s.
    stage.world.run_for(2 * SECOND);
    stage.dial(&sim("db"), SECOND);
    stage.world.run_for(3_900 * MILLI);
    assert!(stage.ends.all().is_empty());
    stage.world.run_for(200 * MILLI);
    assert_eq!(stage.ends.only().1, Ok("sim:a".to_owned()));
}

#[test]
fn a_process_that_ends_in_the_middle_leaves_nobody_waiting() {
    let mut stage = Stage::new(1, &ABC);
    stage.silence(0);
    stage.silence(1);
    hang(&mut stage, 5, 3_600 * SECOND);
    stage.world.name("db", ["sim:a", "sim:b"]);
    stage.dial(&sim("a"), Duration::ZERO);
    stage.world.run_for(SECOND);
    let alive = Rc::strong_count(&stage.ends.0);
    assert!(alive > 1);
    stage.world.crash(stage.client);
    assert_eq!(Rc::strong_count(&stage.ends.0), 1, "no continuation is kept");
}

#[test]
fn the_same_seed_dials_the_same_way() {
    let run = |seed| {
        let mut stage = Stage::new(seed, &ABC);
        stage.silence(0);
        let end = stage.dial_db(&ABC);
        (end, stage.world.trace_hash())
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn names_that_hang_again_and_again_leave_half_of_the_threads_to_others() {
    let mut stage = Stage::new(1, &["a"]);
    stage.world.name("db", ["sim:a"]);
    hang(&mut stage, 4, 12 * SECOND);
    stage.world.run_for(40 * SECOND);
    stage.dial(&sim("slow3"), SECOND); // it was not looked up
    stage.world.run_for(40 * SECOND);
    for round in 0..5 {
        hang(&mut stage, 4, 12 * SECOND);
        if round == 1 {
            // One that nobody has asked for before, too.
            stage.world.name("other", ["sim:a"]);
            let before = stage.ends.all().len();
            stage.dial(&sim("other"), SECOND);
            stage.world.run_for(50 * MILLI);
            assert_eq!(stage.ends.all().len(), before + 1);
        }
        let before = stage.ends.all().len();
        stage.dial(&sim("db"), SECOND);
        stage.world.run_for(50 * MILLI);
        let ends = stage.ends.all();
        assert_eq!(ends.len(), before + 1, "{ends:?}");
        assert_eq!(ends[before].1.as_deref(), Ok("sim:a"));
        stage.world.run_for(40 * SECOND);
    }
}

#[test]
fn names_that_hang_for_the_first_time_leave_a_thread_to_those_that_were_answered_before() {
    let mut stage = Stage::new(1, &["a"]);
    stage.world.name("db", ["sim:a"]);
    stage.dial(&sim("db"), SECOND);
    stage.world.run_for(SECOND);
    stage.ends.0.borrow_mut().clear();
    hang(&mut stage, 20, 3_600 * SECOND);
    for _ in 0..10 {
        stage.dial(&sim("db"), SECOND);
        stage.world.run_for(50 * MILLI);
        assert_eq!(stage.ends.only().1, Ok("sim:a".to_owned()));
        stage.ends.0.borrow_mut().clear();
    }
    // It hangs for once, and is not known to be answered any more.
    stage.world.slow_name("db", 2 * SECOND);
    stage.dial(&sim("db"), SECOND);
    stage.world.run_for(3 * SECOND);
    assert_eq!(stage.ends.only().1, Ok("sim:a".to_owned()));
    stage.ends.0.borrow_mut().clear();
    stage.dial(&sim("db"), SECOND);
    stage.world.run_for(10 * SECOND);
    let ends = stage.ends.all();
    let (_, end) = ends.last().unwrap();
    assert!(end.as_ref().unwrap_err().1.contains("db was not looked up"), "{ends:?}");
}

#[test]
fn a_name_that_was_slow_once_is_not_slow_for_ever() {
    let mut stage = Stage::new(1, &["a"]);
    for took in [2 * SECOND, MILLI] {
        hang(&mut stage, 4, took);
        stage.world.run_for(10 * SECOND);
    }
    // They are answered soon by now, and have all threads.
    stage.ends.0.borrow_mut().clear();
    hang(&mut stage, 4, 500 * MILLI);
    stage.world.run_for(600 * MILLI);
    assert_eq!(stage.ends.all().len(), 4, "{:?}", stage.ends.all());
}

#[test]
fn so_many_names_wait_for_their_turn_and_not_one_more() {
    let mut stage = Stage::new(1, &["a"]);
    hang(&mut stage, 3 + 256, 12 * SECOND);
    stage.world.name("more", ["sim:a"]);
    stage.world.run_for(MILLI);
    assert_eq!(stage.ends.all(), [], "all of them wait");
    // One that waits already may be asked for by many.
    stage.dial(&sim("slow7"), SECOND);
    stage.world.run_for(MILLI);
    assert_eq!(stage.ends.all(), []);
    stage.dial(&sim("more"), SECOND);
    stage.world.run_for(MILLI);
    let (_, end) = stage.ends.only();
    let (kind, text) = end.unwrap_err();
    assert_eq!(kind, ErrorKind::ResourceBusy);
    assert!(text.contains("256 other names wait"), "{text}");
}
