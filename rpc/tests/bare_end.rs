//! Promise: a stream that ends without a goodbye is the end of the connection, at once and whatever
//! is owed on it. Nobody waits for the caller any more, what is called or told afterwards fails
//! with the true reason, and who hears that the connection has gone hears it before its calls fail.
//! Only a peer that has announced it may end its half alone.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Field, Got, Peer, ProbeProxy, everywhere, in_other_worlds, millis};
use peers_rpc::kernel::{Input, Outlet, Stream};
use peers_rpc::wire::{CallHead, HalfClose, Hello, NodeId, PREAMBLE, put_call, put_event};
use peers_rpc::{CloseReason, Cont, Error, ErrorKind};
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;

/// A peer made of bytes.
#[derive(Clone, Default)]
struct Line {
    outlet: Rc<RefCell<Option<Outlet>>>,
    heard: Rc<Cell<usize>>,
    over: Rc<Cell<bool>>,
}

impl Line {
    /// Dials, says hello and what `rest` says, and waits until it has been accepted.
    fn dial(field: &mut Field, from: &Peer, to: &Peer, rest: &[u8]) -> Self {
        let this = Self::default();
        let (line, handle, address) = (this.clone(), from.handle().clone(), to.address().clone());
        let mut hello = PREAMBLE.to_vec();
        Hello::new(NodeId::from_bits(7)).put(&mut hello);
        hello.extend(rest);
        field.on(from, move || {
            let k = Cont::new(&handle, move |stream: io::Result<Stream>| {
                let outlet = line.listen(stream.unwrap());
                outlet.write_chunk(hello).unwrap();
                line.outlet.replace(Some(outlet));
            });
            handle.connect(&address, k);
        });
        field.until(|| this.outlet.borrow().is_some() && to.accepted().len() == 1);
        this
    }

    fn listen(&self, stream: Stream) -> Outlet {
        let line = self.clone();
        stream.start(move |outlet, input| match input {
            Input::Bytes(bytes) => line.heard.set(line.heard.get() + bytes.len()),
            Input::End | Input::Failed(_) => {
                line.over.set(true);
                outlet.close();
            }
        })
    }

    /// Ends its half, behind these bytes.
    fn finish(&self, field: &mut Field, from: &Peer, last: Vec<u8>) {
        let outlet = self.outlet.borrow().clone().unwrap();
        field.on(from, move || {
            outlet.write_chunk(last).unwrap();
            outlet.finish();
        });
    }
}

/// The number of a method of the probe interface.
fn method(name: &str) -> u64 {
    let find = |method: &&&peers_rpc::Method| method.name == format!("probe.probe.{name}");
    common::probe::PROBE.methods.iter().find(find).unwrap().id
}

fn call(id: u64, name: &str, text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_call(&mut bytes, u32::MAX, id, &CallHead::new(method(name)), &(text,)).unwrap();
    bytes
}

fn is_bare_end(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Disconnected(CloseReason::EndOfStream))
}

/// A server that owes an answer to a peer made of bytes, and has called it.
struct Scene {
    server: Peer,
    other: Peer,
    line: Line,
    back: ProbeProxy,
    pending: Got<String>,
    /// Holds what the server was told, in order.
    told: Rc<RefCell<Vec<String>>>,
}

impl Scene {
    fn set(field: &mut Field) -> Self {
        let server = field.peer("server");
        let other = field.peer("other");
        let line = Line::dial(field, &other, &server, &call(1, "hold", "owed"));
        field.until(|| server.holds() == 1);
        let back = ProbeProxy::new(server.accepted()[0].clone());
        let told: Rc<RefCell<Vec<String>>> = Rc::default();
        let (place, ended) = (told.clone(), told.clone());
        let (k, pending) = Got::new(server.handle());
        let (proxy, handle) = (back.clone(), server.handle().clone());
        field.on(&server, move || {
            proxy.echo("never answered").forever().then(Cont::new(&handle, move |outcome| {
                place.borrow_mut().push("call".to_owned());
                k.resume(outcome);
            }));
            proxy.caller().on_close(Cont::new(
                &handle,
                move |reason: Result<CloseReason, Error>| {
                    ended.borrow_mut().push(format!("close: {}", reason.unwrap()));
                },
            ));
        });
        Self { server, other, line, back, pending, told }
    }
}

everywhere! {
    fn it_is_the_end_although_an_answer_is_owed(field: &mut Field) {
        let Scene { server, other, line, back, pending, told } = Scene::set(field);
        let caller = server.callers()[0].clone();
        assert!(caller.is_waiting());
        line.finish(field, &other, Vec::new());
        field.until(|| pending.is_done());
        assert_eq!(*told.borrow(), [format!("close: {}", CloseReason::EndOfStream), "call".into()]);
        assert!(is_bare_end(&pending.take().unwrap_err()));
        assert!(!back.caller().is_open() && !caller.is_waiting());
        let (late, proxy) = (back.clone(), back.clone());
        let told = field.on(&server, move || late.note("to nobody"));
        assert!(is_bare_end(&told.unwrap_err()));
        assert!(is_bare_end(&field.outcome(&server, proxy.echo("nobody")).unwrap_err()));
        field.answer(&server, "owed", Ok("to nobody"));
        field.until(|| server.rpc().counters().inert_replies == 1);
    }
}

everywhere! {
    fn what_was_announced_is_no_end_as_long_as_an_answer_is_owed(field: &mut Field) {
        let Scene { server, other, line, back, pending, told } = Scene::set(field);
        let mut last = Vec::new();
        HalfClose.put(&mut last);
        line.finish(field, &other, last);
        field.until(|| pending.is_done());
        let finished = ErrorKind::Disconnected(CloseReason::Finished);
        assert_eq!(*pending.take().unwrap_err().kind(), finished);
        assert_eq!(*told.borrow(), ["call"]);
        assert!(back.caller().is_open() && server.callers()[0].is_waiting());
        let late = back.clone();
        let refused = field.on(&server, move || late.note("it would not hear of"));
        assert_eq!(*refused.unwrap_err().kind(), finished);
        let heard = line.heard.get();
        field.answer(&server, "owed", Ok("late"));
        field.until(|| line.over.get());
        assert!(line.heard.get() > heard, "the answer, and a goodbye");
        assert_eq!(told.borrow().last(), Some(&format!("close: {}", CloseReason::Finished)));
    }
}

#[test]
fn it_is_noticed_within_fifty_milliseconds() {
    let mut field = Field::simulated(1);
    let Scene { server, other, line, back, .. } = Scene::set(&mut field);
    line.finish(&mut field, &other, Vec::new());
    let ended = field.now();
    field.until(|| !back.caller().is_open());
    assert!(field.now() - ended <= millis(50), "after {:?}", field.now() - ended);
    assert!(!server.callers()[0].is_waiting());
}

/// Events that came before the end are started, which may take some turns. Nothing new is taken
/// meanwhile.
#[test]
fn events_before_it_are_started_and_nothing_else_is_done_meanwhile() {
    const EVENTS: usize = 200;
    let mut field = Field::unix();
    let server = field.peer("server");
    let other = field.peer("other");
    let mut last = call(1, "hold", "owed");
    for n in 0..EVENTS {
        let head = CallHead::new(method("note"));
        put_event(&mut last, u32::MAX, &head, &(n.to_string(),)).unwrap();
    }
    last.extend(call(2, "hold", "not started"));
    let line = Line::dial(&mut field, &other, &server, &[]);
    field.take_steps(8);
    let back = ProbeProxy::new(server.accepted()[0].clone());
    line.finish(&mut field, &other, last);
    field.until(|| !back.caller().is_open());
    let started = server.heard().len();
    assert!(started < EVENTS, "{started} were started: the rest waits for its turns");
    assert!(!server.callers()[0].is_waiting());
    let proxy = back.clone();
    let told = field.on(&server, move || proxy.note("to nobody"));
    assert!(is_bare_end(&told.unwrap_err()));
    let ended = server.watch(back.caller());
    field.until(|| ended.is_done());
    field.until(|| server.heard().len() == EVENTS + 1);
    field.on(&server, || ());
    assert_eq!(
        server.heard().len(),
        EVENTS + 1,
        "the call behind them has nobody who waits for it"
    );
}

in_other_worlds! {
    it_is_noticed_within_fifty_milliseconds;
}
