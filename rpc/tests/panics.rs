//! Promise: a handler that panics is one call's misfortune. Its caller is told; the node, the
//! connection and the process live on.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Field, Got, everywhere};
use peers_rpc::kernel::Lost;
use peers_rpc::stub::{Incoming, Served};
use peers_rpc::wire::{Body, Decode, Encode, Reader, Writer};
use peers_rpc::{Caller, Collect, Context, Convention, Error, ErrorKind, Interface, Method, Reply};
use std::cell::Cell;
use std::sync::Once;
use std::time::Duration;

/// Ten thousand panics need not be printed.
fn quietly() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let ordinary = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let meant = info.location().is_some_and(|at| at.file().ends_with("desk.rs"));
            if !meant {
                ordinary(info);
            }
        }));
    });
}

everywhere! {
    fn ten_thousand_panics_and_nothing_is_lost(field: &mut Field) {
        field.lenient();
        quietly();
        let (client, server, node) = field.met_pair();
        node.note("before").unwrap();
        for round in 0..10 {
            let (ks, gots): (Vec<_>, Vec<Got<String>>) = (0..1_000).map(|_| Got::new(client.handle())).unzip();
            let proxy = node.clone();
            field.on(&client, move || {
                for (n, k) in ks.into_iter().enumerate() {
                    match n % 2 {
                        0 => proxy.panic().then(k),
                        _ => proxy.panic_holding().then(k),
                    }
                }
            });
            for outcome in field.outcomes(&gots) {
                assert_eq!(outcome.unwrap_err().kind(), &ErrorKind::Panicked, "round {round}");
            }
        }
        assert_eq!(field.outcome(&client, node.echo("after")).unwrap(), "after");
        assert_eq!(server.heard(), ["before", "after"], "the same object, on the same connection");
        assert_eq!(server.accepted().len(), 1);
        assert_eq!(server.rpc().running(), 0);
    }
}

everywhere! {
    fn an_event_that_panics_disturbs_nobody(field: &mut Field) {
        field.lenient();
        quietly();
        let (client, server, node) = field.met_pair();
        for _ in 0..100 {
            node.explode().unwrap();
        }
        assert_eq!(field.outcome(&client, node.echo("after")).unwrap(), "after");
        assert_eq!(server.heard(), ["after"]);
    }
}

everywhere! {
    fn a_panic_fails_the_calls_made_before_it_as_little_as_those_behind(field: &mut Field) {
        field.lenient();
        quietly();
        let (client, server, node) = field.met_pair();
        let held = field.start(&client, node.hold("held"));
        let panicked = field.start(&client, node.panic());
        let behind = field.start(&client, node.echo("behind"));
        field.until(|| panicked.is_done() && behind.is_done());
        field.answer(&server, "held", Ok("still answered"));
        field.until(|| held.is_done());
        assert_eq!(held.take().unwrap(), "still answered");
        assert_eq!(behind.take().unwrap(), "behind");
    }
}

everywhere! {
    fn a_continuation_that_panics_leaves_its_caller_alive(field: &mut Field) {
        field.lenient();
        quietly();
        let (client, _server, node) = field.met_pair();
        let cx = client.cx();
        let call = node.echo("x");
        field.on(&client, move || {
            call.then(cx.on_any(|desk, _, _: Result<String, Error>| common::stumble(desk)));
        });
        for _ in 0..3 {
            assert_eq!(field.outcome(&client, node.echo("after")).unwrap(), "after");
        }
    }
}

/// A type of the program's own whose reading goes wrong.
struct Unreadable;

impl Decode<'_> for Unreadable {
    const MIN_SIZE: usize = 0;

    fn decode(_: &mut Reader<'_>) -> Result<Self, peers_rpc::wire::Error> {
        common::stumble(&mut common::Desk::default())
    }

    fn from_body(body: Body<'_>) -> Result<Self, peers_rpc::wire::Error> {
        RUNS.set(RUNS.get() + u32::from(matches!(body, Body::Owned(_))));
        common::stumble(&mut common::Desk::default())
    }
}

thread_local! {
    /// Counts how often it was to be made in the memory that it had come in.
    static RUNS: Cell<u32> = const { Cell::new(0) };
}

everywhere! {
    fn a_reply_that_panics_while_it_is_read_is_one_call_s_misfortune(field: &mut Field) {
        field.large_frames();
        field.lenient();
        quietly();
        let (client, _server, node) = field.met_pair();
        let mut methods = common::probe::PROBE.methods.iter();
        let echo = methods.find(|method| method.rust_name == "echo").unwrap();
        let unreadable = field.start(&client, node.caller().call::<Unreadable>(echo, ("x",)));
        let long = "y".repeat(100_000);
        let behind = field.start(&client, node.echo("behind"));
        let in_pieces = field.start(&client, node.echo(&long));
        field.until(|| unreadable.is_done() && behind.is_done() && in_pieces.is_done());
        let error = unreadable.take().err().unwrap();
        assert_eq!(error.kind(), &ErrorKind::Lost(Lost::Panicked));
        assert_eq!(behind.take().unwrap(), "behind");
        assert_eq!(in_pieces.take().unwrap(), long);
        let held = node.hold("held").within(Duration::from_millis(50));
        let late = field.outcome(&client, held).unwrap_err();
        assert!(matches!(late.kind(), ErrorKind::TimedOut { .. }), "{late}");
    }
}

everywhere! {
    fn a_branch_s_reply_that_panics_while_it_is_read_has_its_place(field: &mut Field) {
        field.large_frames();
        field.lenient();
        quietly();
        let (client, _server, node) = field.met_pair();
        let mut methods = common::probe::PROBE.methods.iter();
        let echo = methods.find(|method| method.rust_name == "echo").unwrap();
        // After the first round there is memory where the value of a large one may stay.
        for size in [1, 600_000, 600_000, 600_000] {
            let text = "y".repeat(size);
            let (k, got) = Got::new(client.handle());
            let (proxy, sent) = (node.clone(), text.clone());
            let unreadable = node.caller().call::<Unreadable>(echo, (&text,));
            let behind = field.on(&client, move || {
                let gate = Collect::all(k);
                unreadable.then(gate.branch());
                drop(gate.branch());
                proxy.echo(sent)
            });
            let behind = field.outcome(&client, behind).unwrap();
            assert!(behind == text, "{size} bytes behind one that cannot be read");
            field.until(|| got.is_done());
            let outcomes: Vec<Result<Unreadable, Error>> = got.take().unwrap();
            let kinds = outcomes.iter().map(|outcome| outcome.as_ref().err().unwrap().kind().clone());
            let expected = [Lost::Panicked, Lost::Dropped].map(ErrorKind::Lost);
            assert!(kinds.eq(expected), "each branch has its own outcome");
            assert_eq!(client.handle().dump().continuations(), 0);
        }
        assert!(RUNS.get() > 0, "in none of the rounds was there memory");
    }
}

/// A type of the program's own whose writing goes wrong in the middle.
struct Unwritable;

impl Encode for Unwritable {
    fn encode(&self, w: &mut Writer<'_>) {
        w.write("half of it");
        common::stumble(&mut common::Desk::default())
    }
}

static BROKEN: Method = Method {
    id: 77,
    name: "test.machine.broken",
    rust_name: "broken",
    signature: "broken() -> string",
    convention: Convention::Plain,
    timeout: None,
    throws: &[],
    doc: "",
    deprecated: None,
};

static MACHINE: Interface = Interface::new("test.machine", &[&BROKEN]);

fn serve_machine(
    _: &mut common::Desk,
    _: &Context<'_, common::Desk>,
    call: Incoming<'_>,
) -> Served {
    call.plain(|()| Ok(Unwritable))
}

fn serve_machine_later(
    _: &mut common::Desk,
    cx: &Context<'_, common::Desk>,
    call: Incoming<'_>,
) -> Served {
    call.later(|(), reply: Reply<Unwritable>| cx.schedule(move |_, _| reply.ok(Unwritable)))
}

everywhere! {
    fn a_later_answer_that_panics_while_it_is_written_is_one_too(field: &mut Field) {
        field.lenient();
        quietly();
        let (client, server, node) = field.met_pair();
        server.accepted()[0].bind(&server.cx(), &MACHINE, serve_machine_later).unwrap();
        for _ in 0..3 {
            let broken = node.caller().call::<String>(&BROKEN, ());
            let error = field.outcome(&client, broken).unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::Panicked);
            assert_eq!(field.outcome(&client, node.echo("after")).unwrap(), "after");
        }
        assert_eq!(server.accepted().len(), 1, "on the same connection");
        assert_eq!(server.rpc().running(), 0);
    }
}

everywhere! {
    fn an_answer_that_panics_while_it_is_written_is_an_error_for_its_caller(field: &mut Field) {
        field.lenient();
        quietly();
        let (client, server, node) = field.met_pair();
        server.accepted()[0].bind(&server.cx(), &MACHINE, serve_machine).unwrap();
        for _ in 0..3 {
            let broken = node.caller().call::<String>(&BROKEN, ());
            let error = field.outcome(&client, broken).unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::Panicked);
            assert_eq!(field.outcome(&client, node.echo("after")).unwrap(), "after");
        }
        assert_eq!(server.accepted().len(), 1, "on the same connection");
    }
}

/// A type of the program's own that goes wrong when it is let go of, having been written well.
struct Sticky(&'static str);

impl Encode for Sticky {
    fn encode(&self, w: &mut Writer<'_>) {
        w.write(self.0);
    }

    fn as_run(&self) -> Option<&[u8]> {
        Some(self.0.as_bytes()).filter(|bytes| bytes.starts_with(b"short"))
    }
}

impl Drop for Sticky {
    fn drop(&mut self) {
        common::stumble(&mut common::Desk::default())
    }
}

fn serve_sticky(_: &mut common::Desk, _: &Context<'_, common::Desk>, call: Incoming<'_>) -> Served {
    call.plain(|(short,): (bool,)| Ok(Sticky(if short { "short way" } else { "long way" })))
}

everywhere! {
    fn an_answer_that_panics_after_it_was_written_has_arrived(field: &mut Field) {
        field.lenient();
        quietly();
        let (client, server, node) = field.met_pair();
        server.accepted()[0].bind(&server.cx(), &MACHINE, serve_sticky).unwrap();
        for (short, text) in [(true, "short way"), (false, "long way")] {
            let call = node.caller().call::<String>(&BROKEN, (short,));
            assert_eq!(field.outcome(&client, call).unwrap(), text);
            assert_eq!(field.outcome(&client, node.echo("after")).unwrap(), "after");
        }
        assert_eq!(server.accepted().len(), 1, "on the same connection");
        assert_eq!(client.rpc().counters().late_replies, 0, "one answer each");
    }
}

everywhere! {
    fn a_later_handler_that_panics_tells_the_caller(field: &mut Field) {
        field.lenient();
        quietly();
        let (client, server, node) = field.met_pair();
        server.when_asked(|_, cx, _, _, reply| {
            cx.schedule(move |desk, _| {
                let _held = reply;
                common::stumble(desk);
            });
        });
        let error = field.outcome(&client, node.ask("x")).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Panicked);
    }
}

#[test]
fn work_on_another_thread_that_panics_tells_the_caller() {
    quietly();
    let mut field = Field::tcp();
    field.lenient();
    let (client, server, node) = field.met_pair();
    server.when_asked(|_, cx, _, _, reply| {
        cx.offload(
            |_| -> Result<String, Error> { common::stumble(&mut common::Desk::default()) },
            reply,
        );
    });
    let error = field.outcome(&client, node.ask("x")).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Panicked);
    assert_eq!(field.outcome(&client, node.echo("after")).unwrap(), "after");
}
