//! Promise: the tutorial's helpers do what they did there, and in the corners where those failed
//! they do better.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Field, Got, NoSuchKey, ProbeProxy, everywhere, in_other_worlds, secs};
use peers_rpc::{
    Collect, Cont, Error, ErrorKind, Kernel, Lost, Reply, collect_async, pickle, unpickle, warn,
    with_error_handler, wrap, wrap_left,
};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

type Outcomes = Vec<Result<String, Error>>;

// ---- closures

#[test]
fn wrap_binds_the_right_argument_and_wrap_left_the_left_one() {
    let pair = |a: &str, b: &str| format!("{a}, {b}");
    assert_eq!(wrap(pair, "bound")("given"), "given, bound");
    assert_eq!(wrap_left(pair, "bound")("given"), "bound, given");
}

#[test]
fn they_nest_and_own_what_they_bind() {
    let f = |a: String, b: String, c: &str| a + &b + c;
    let bound = wrap_left(
        move |a: String, b: String| wrap_left(move |b, c: &str| f(a, b, c), b),
        "a".to_owned(),
    );
    assert_eq!(bound("b".to_owned())("c"), "abc");
}

// ---- collect_async

everywhere! {
    fn a_barrier_gives_all_outcomes_in_their_places(field: &mut Field) {
        let (client, server, node) = field.met_pair();
        let (done, got) = Got::<Outcomes>::new(client.handle());
        field.on(&client, move || {
            for (n, k) in collect_async(done, 5).enumerate() {
                node.hold(n.to_string()).then(k);
            }
        });
        field.until(|| server.holds() == 5);
        for n in [4, 2, 0, 1, 3] {
            assert!(!got.is_done());
            field.answer(&server, &n.to_string(), Ok(&format!("value {n}")));
        }
        field.until(|| got.is_done());
        let values: Vec<String> = got.take().unwrap().into_iter().map(Result::unwrap).collect();
        assert_eq!(values, (0..5).map(|n| format!("value {n}")).collect::<Vec<_>>());
    }
}

// In the tutorial the error handler captured the loop's variable, so late failures all reported
// into the last place, and the barrier never opened.
everywhere! {
    fn late_failures_land_in_their_own_places(field: &mut Field) {
        let (client, server, node) = field.met_pair();
        let (done, got) = Got::<Outcomes>::new(client.handle());
        field.on(&client, move || {
            for (n, k) in collect_async(done, 6).enumerate() {
                node.hold(n.to_string()).then(k);
            }
        });
        field.until(|| server.holds() == 6);
        for n in [5, 3, 1] {
            let key = n.to_string();
            field.answer(&server, &n.to_string(), Err(peers_rpc::Exception::raise(NoSuchKey { key })));
        }
        for n in [0, 4, 2] {
            field.answer(&server, &n.to_string(), Ok("fine"));
        }
        field.until(|| got.is_done());
        for (n, outcome) in got.take().unwrap().into_iter().enumerate() {
            match n % 2 {
                0 => assert_eq!(outcome.unwrap(), "fine"),
                _ => assert_eq!(outcome.unwrap_err().get::<NoSuchKey>().unwrap().key, n.to_string()),
            }
        }
    }
}

#[test]
fn peers_that_die_late_do_not_hold_a_barrier_up() {
    let mut field = Field::simulated(1);
    let client = field.peer("client");
    let servers: Vec<_> = (0..4).map(|n| field.peer(&format!("s{n}"))).collect();
    let nodes: Vec<ProbeProxy> = servers.iter().map(|server| field.dial(&client, server)).collect();
    let (done, got) = Got::<Outcomes>::new(client.handle());
    field.on(&client, move || {
        for (node, k) in nodes.iter().zip(collect_async(done, 4)) {
            node.hold("x").then(k);
        }
    });
    field.until(|| servers.iter().all(|server| server.holds() == 1));
    field.crash(&servers[1]);
    field.crash(&servers[3]);
    field.answer(&servers[0], "x", Ok("zero"));
    field.answer(&servers[2], "x", Ok("two"));
    field.until(|| got.is_done());
    let outcomes = got.take().unwrap();
    assert_eq!(outcomes[0].as_ref().unwrap(), "zero");
    assert_eq!(outcomes[2].as_ref().unwrap(), "two");
    for dead in [1, 3] {
        let error = outcomes[dead].as_ref().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Disconnected(_)), "{error}");
    }
}

#[test]
fn a_barrier_of_none_opens_at_once_through_the_queue() {
    let mut kernel = Kernel::simulated(1);
    let (done, got) = Got::<Outcomes>::new(&kernel.handle());
    assert_eq!(collect_async(done, 0).len(), 0);
    assert!(!got.is_done(), "nothing runs inline");
    kernel.run().unwrap();
    assert_eq!(got.take().unwrap().len(), 0);
}

#[test]
fn a_branch_that_is_dropped_counts_as_failed() {
    let mut kernel = Kernel::simulated(1);
    let (done, got) = Got::<Outcomes>::new(&kernel.handle());
    let mut branches = collect_async(done, 3);
    branches.next().unwrap().ok("first".to_owned());
    drop(branches.next());
    drop(branches); // and the third with it
    kernel.run().unwrap();
    let outcomes = got.take().unwrap();
    assert_eq!(outcomes[0].as_ref().unwrap(), "first");
    for outcome in &outcomes[1..] {
        assert_eq!(outcome.as_ref().unwrap_err().kind(), &ErrorKind::Lost(Lost::Dropped));
    }
}

#[test]
fn a_barrier_may_be_a_branch_of_another() {
    let mut kernel = Kernel::simulated(1);
    let (done, got) = Got::<Vec<Result<Outcomes, Error>>>::new(&kernel.handle());
    for outer in collect_async(done, 2) {
        for (n, inner) in collect_async(outer, 2).enumerate() {
            inner.ok(n.to_string());
        }
    }
    kernel.run().unwrap();
    for inner in got.take().unwrap() {
        let values: Vec<String> = inner.unwrap().into_iter().map(Result::unwrap).collect();
        assert_eq!(values, ["0", "1"]);
    }
}

everywhere! {
    fn a_continuation_is_passed_straight_through(field: &mut Field) {
        let (client, middle, node) = field.met_pair();
        let far = field.peer("far");
        let onward = field.dial(&middle, &far);
        middle.when_asked(move |_, _, _, text, reply: Reply<String>| onward.echo(text).then(reply));
        assert_eq!(field.outcome(&client, node.ask("through")).unwrap(), "through");
        assert_eq!(far.heard(), ["through"]);
    }
}

everywhere! {
    fn the_first_failure_or_all_values(field: &mut Field) {
        let (client, _server, node) = field.met_pair();
        let (done, got) = Got::<Vec<String>>::new(client.handle());
        field.on(&client, move || {
            let all = Collect::first_error(done);
            node.echo("fine").then(all.branch());
            node.raise("Muad'Dib").then(all.branch());
            node.hold("never answered").forever().then(all.branch());
        });
        field.until(|| got.is_done());
        assert!(got.take().unwrap_err().is::<NoSuchKey>());
    }
}

// ---- error handlers

#[test]
fn an_error_that_is_returned_reaches_the_handler_through_the_queue_once() {
    let mut kernel = Kernel::simulated(1);
    let handle = kernel.handle();
    let count = Rc::new(Cell::new(0));
    let seen = count.clone();
    let failing = || Err(Error::failed("at once"));
    with_error_handler(&handle, failing, move |_| seen.set(seen.get() + 1));
    assert_eq!(count.get(), 0, "nothing runs inline");
    kernel.run().unwrap();
    assert_eq!(count.get(), 1);
}

#[test]
fn without_an_error_the_handler_is_not_run() {
    let mut kernel = Kernel::simulated(1);
    with_error_handler(&kernel.handle(), || Ok(()), |error| panic!("{error}"));
    kernel.run().unwrap();
}

/// Holds what was logged at which level, on this thread's behalf.
mod logged {
    use std::sync::Mutex;

    pub(super) static LINES: Mutex<Vec<(log::Level, String)>> = Mutex::new(Vec::new());
    struct Keeper;

    impl log::Log for Keeper {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }

        fn log(&self, record: &log::Record<'_>) {
            LINES.lock().unwrap().push((record.level(), record.args().to_string()));
        }

        fn flush(&self) {}
    }

    pub(super) fn start() {
        if log::set_logger(&Keeper).is_ok() {
            log::set_max_level(log::LevelFilter::Warn);
        }
    }
}

#[test]
fn warn_logs_and_goes_on() {
    logged::start();
    warn(Error::failed("the worm\nis coming"));
    let lines = logged::LINES.lock().unwrap();
    let expected = "rpc error: remote failure: the worm\\u{a}is coming".to_owned();
    assert!(lines.contains(&(log::Level::Warn, expected)), "{lines:?}");
}

// ---- pickles

#[test]
fn a_pickle_is_the_plain_encoding_and_comes_back() {
    let value = ("dune".to_owned(), vec![1_u64, 2, 3], Some(true));
    let bytes = pickle(&value).unwrap();
    assert_eq!(unpickle::<(String, Vec<u64>, Option<bool>)>(&bytes).unwrap(), value);
    let repetitive = vec![0_u8; 100_000];
    assert!(pickle(&repetitive).unwrap().len() >= 100_000, "never compressed");
}

#[test]
fn what_is_no_pickle_of_that_type_is_a_typed_error() {
    let bytes = pickle(&"dune").unwrap();
    for wrong in [&bytes[..bytes.len() - 1], &[bytes.as_slice(), b"x"].concat(), b""] {
        let error = unpickle::<String>(wrong).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::BadPickle(_)), "{error}");
    }
    assert!(unpickle::<bool>(&[7]).is_err());
}

#[test]
fn continuations_made_from_two_functions_run_one_of_them_once() {
    let mut kernel = Kernel::simulated(1);
    let log = Rc::new(RefCell::new(Vec::new()));
    for outcome in [Ok(1), Err(Error::failed("two"))] {
        let (values, errors) = (log.clone(), log.clone());
        let k = Cont::pair(
            &kernel.handle(),
            move |value: u32| values.borrow_mut().push(value.to_string()),
            move |error: Error| errors.borrow_mut().push(error.to_string()),
        );
        k.resume(outcome);
    }
    kernel.run_until(peers_rpc::Instant::default() + secs(1)).unwrap();
    assert_eq!(*log.borrow(), ["1", "rpc error: remote failure: two"]);
}

in_other_worlds! {
    peers_that_die_late_do_not_hold_a_barrier_up;
}
