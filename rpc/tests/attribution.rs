//! Promise: what goes wrong is put down to whoever it belongs to. After a panic the log names the
//! method, or the line where the handler was made; and a callback that outlives the call for which
//! it was made keeps neither its deadline nor its end.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Context, Desk, Field, LocalProbe, Peer, ProbeProxy, in_other_worlds, millis, secs};
use peers_rpc::kernel::{Input, Stream};
use peers_rpc::{Cont, Error, ErrorKind, Limits, Reply};
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::{Mutex, Once, PoisonError};

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Keeper;

impl log::Log for Keeper {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(record.args().to_string());
    }

    fn flush(&self) {}
}

/// A field whose processes survive panics, and a log that is kept.
fn field() -> Field {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Keeper).unwrap();
        log::set_max_level(log::LevelFilter::Error);
    });
    let mut field = Field::simulated(1);
    field.lenient();
    field
}

/// Returns what the log says about panics with this text.
fn logged(text: &str) -> Vec<String> {
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    let about = format!("panicked: {text} (");
    lines.iter().filter(|line| line.starts_with(&about)).cloned().collect()
}

#[track_caller]
fn assert_made_in(text: &str, line: u32) {
    let place = format!("panicked: {text} (in the handler made at {}:{line}:", file!());
    let lines = logged(text);
    assert!(lines.len() == 1 && lines[0].starts_with(&place), "expected {place} in {lines:?}");
}

// ---- who is named after a panic

#[test]
fn methods_are_named_however_they_answer() {
    let mut field = field();
    let (client, _server, node) = field.met_pair();
    node.explode().unwrap();
    for call in [node.panic(), node.panic_holding()] {
        assert_eq!(field.outcome(&client, call).unwrap_err().kind(), &ErrorKind::Panicked);
    }
    for (text, method) in [
        ("the event explodes", "explode"),
        ("the method panics", "panic"),
        ("the method panics with the reply in its hands", "panic_holding"),
    ] {
        assert_eq!(logged(text), [format!("panicked: {text} (in probe.probe.{method})")]);
    }
}

/// What the method said it was must not stick to what comes after.
#[test]
fn what_a_method_leaves_behind_is_named_by_where_it_was_made() {
    let mut field = field();
    let (client, server, node) = field.met_pair();
    let line = Rc::new(RefCell::new(0));
    let at = line.clone();
    server.when_asked(move |_, cx, _, text, reply| {
        at.replace(line!() + 1);
        cx.schedule(|_, _| panic!("in a task of a method"));
        cx.after(millis(1), |_, _| panic!("in a timer of a method"));
        reply.ok(text);
    });
    field.outcome(&client, node.ask("x")).unwrap();
    field.until(|| !logged("in a timer of a method").is_empty());
    assert_made_in("in a task of a method", *line.borrow());
    assert_made_in("in a timer of a method", *line.borrow() + 1);
}

#[test]
fn continuations_of_calls_and_ends_are_named_by_where_they_were_made() {
    let mut field = field();
    let (client, server, node) = field.met_pair();
    let (call, failing) = (node.echo("x"), node.fail("y"));
    let first = line!() + 2;
    field.on(&client, move || {
        call.then_or(|_| panic!("with a value"), |_| ());
        failing.then_or(|_| (), |_| panic!("with an error"));
    });
    field.until(|| !logged("with an error").is_empty());
    assert_made_in("with a value", first);
    assert_made_in("with an error", first + 1);

    let line = line!() + 1;
    let told: Reply<_> = Cont::new(client.handle(), |_| panic!("at the end of a connection"));
    node.caller().on_close(told);
    server.accepted()[0].close();
    field.on(&server, || ());
    field.until(|| !logged("at the end of a connection").is_empty());
    assert_made_in("at the end of a connection", line);
}

#[test]
fn what_binds_objects_is_named_by_where_its_program_listens() {
    let mut field = field();
    let (client, server) = (field.peer("client"), field.peer("server"));
    drop(server.take_listener());
    let address = server.address().clone();
    let line = line!() + 1;
    let listener = server.rpc().listen(&address, |_| panic!("while it binds")).unwrap();
    let node = field.dial(&client, &server);
    field.outcome(&client, node.echo("x")).unwrap_err();
    assert_made_in("while it binds", line);
    drop(listener);
}

// ---- which deadline and which end a callback keeps

/// Somebody who says a word each second.
fn ticker(field: &mut Field, at: &Peer) -> peers_rpc::kernel::Listener {
    let handle = at.handle().clone();
    field.on(at, move || {
        let timers = handle.clone();
        let tick = move |stream: Stream| {
            let outlet = stream.start(|_, _| ());
            for n in 1..100 {
                let outlet = outlet.clone();
                timers.after(secs(n), move || outlet.write(b"tick").unwrap());
            }
        };
        handle.listen(&"sim:ticker".parse().unwrap(), tick).unwrap()
    })
}

/// Lets the server's object, when it is asked, listen to the ticker and make a call at each word.
/// What the far end of these calls knows of them is returned, and how they end.
fn call_at_each_word(
    server: &Peer,
    onward: &ProbeProxy,
    reply: impl Fn(Reply<String>) + 'static,
) -> Rc<RefCell<Vec<Result<Context, Error>>>> {
    let seen: Rc<RefCell<Vec<Result<Context, Error>>>> = Rc::default();
    let (log, onward) = (seen.clone(), onward.clone());
    server.when_asked(move |_, cx, _, _, k| {
        let (log, onward, handle) = (log.clone(), onward.clone(), cx.handle().clone());
        let inner = cx.handle().clone();
        let listen = Cont::new(&handle, move |stream: io::Result<Stream>| {
            stream.unwrap().start(move |_, input| {
                let Input::Bytes(_) = input else { return };
                let log = log.clone();
                let note = Cont::new(&inner, move |seen| log.borrow_mut().push(seen));
                onward.context().then(note);
            });
        });
        handle.connect(&"sim:ticker".parse().unwrap(), listen);
        reply(k);
    });
    seen
}

/// They end as calls of nobody's do: 30 s, and no call above them.
#[track_caller]
fn assert_nobodys(seen: &[Result<Context, Error>]) {
    let nobodys = Context { remaining: Some(30_000), depth: 0, trace: None };
    assert!(!seen.is_empty());
    for context in seen {
        let context = context.as_ref().unwrap();
        assert_eq!((context.depth, context.trace), (nobodys.depth, nobodys.trace));
        assert!(context.remaining > Some(29_900), "{context:?}");
    }
}

#[test]
fn a_stream_started_for_a_call_outlives_its_deadline() {
    let mut field = field();
    let (client, server, node) = field.met_pair();
    let far = field.peer("far");
    let onward = field.dial(&server, &far);
    let ticker = ticker(&mut field, &far);
    let seen = call_at_each_word(&server, &onward, |reply| reply.ok("listening".to_owned()));
    field.outcome(&client, node.ask("listen").within(secs(2))).unwrap();
    field.pass(secs(10));
    assert!(seen.borrow().len() >= 9);
    assert_nobodys(&seen.borrow());
    drop(ticker);
}

#[test]
fn a_stream_started_for_a_call_that_is_cancelled_goes_on() {
    let mut field = field();
    field.leaves_work_behind("the reply of the cancelled call is kept");
    let (client, server, node) = field.met_pair();
    let far = field.peer("far");
    let onward = field.dial(&server, &far);
    let ticker = ticker(&mut field, &far);
    let held: Rc<RefCell<Vec<Reply<String>>>> = Rc::default();
    let holding = held.clone();
    let seen = call_at_each_word(&server, &onward, move |reply| holding.borrow_mut().push(reply));
    let call = node.ask("listen").forever();
    let (k, outcome) = common::Got::new(client.handle());
    let cancel = field.on(&client, move || call.then_cancellable(k));
    field.pass(secs(3));
    let before = seen.borrow().len();
    assert!(before >= 2);
    field.on(&client, move || cancel.now());
    field.pass(secs(5));
    assert_eq!(outcome.take().unwrap_err().kind(), &ErrorKind::Cancelled);
    assert!(seen.borrow().len() >= before + 4);
    assert_nobodys(&seen.borrow());
    drop(ticker);
}

/// Its place in the table of served calls is filled anew by others, whose deadlines are not its
/// own.
#[test]
fn a_callback_does_not_take_the_next_call_in_its_place_for_its_own() {
    let mut field = field();
    let (client, server, node) = field.met_pair();
    let far = field.peer("far");
    let onward = field.dial(&server, &far);
    let seen: Rc<RefCell<Vec<Result<Context, Error>>>> = Rc::default();
    let (log, first) = (seen.clone(), Rc::new(std::cell::Cell::new(true)));
    server.when_asked(move |desk, cx, _, text, reply| {
        if first.replace(false) {
            let (log, onward, handle) = (log.clone(), onward.clone(), cx.handle().clone());
            cx.after(secs(5), move |_, _| {
                let note = Cont::new(&handle, move |seen| log.borrow_mut().push(seen));
                onward.context().forever().then(note);
            });
            reply.ok(text);
        } else {
            desk.held.push_back((text, reply));
        }
    });
    field.outcome(&client, node.ask("first").within(secs(3))).unwrap();
    let later = field.start(&client, node.ask("later").within(secs(20)));
    field.until_within(secs(21), || seen.borrow().len() == 1 || later.is_done());
    let context = seen.borrow_mut().pop().unwrap().unwrap();
    assert_eq!(context, Context { remaining: None, depth: 0, trace: None });
    field.answer(&server, "later", Ok("done"));
    field.until(|| later.is_done());
    assert_eq!(later.take().unwrap(), "done");
}

/// A process of its own, whose limits and object are as usual: the helpers above must not have
/// changed them.
#[test]
fn a_method_itself_keeps_its_callers_deadline() {
    let mut field = field();
    let server = field.peer_serving("server", Limits::default(), Desk::default(), LocalProbe::bind);
    let client = field.peer("client");
    let node = field.dial(&client, &server);
    let context = field.outcome(&client, node.context().within(secs(2))).unwrap();
    assert!(context.remaining <= Some(2_000) && context.remaining > Some(1_900), "{context:?}");
}

in_other_worlds! {
    a_stream_started_for_a_call_outlives_its_deadline;
    a_stream_started_for_a_call_that_is_cancelled_goes_on;
    a_callback_does_not_take_the_next_call_in_its_place_for_its_own;
    a_method_itself_keeps_its_callers_deadline;
}
