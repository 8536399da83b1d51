//! Promise: a connection may end while the rest of a large frame is being read straight to where
//! its beginning is. Then each call has its one outcome, nothing of the frame is delivered,
//! whatever still comes, and nothing stays behind. It makes no difference whether its value could
//! have stayed there, in memory that the output was done with.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Field, Got, Peer, ProbeProxy, everywhere};
use peers_rpc::kernel::{Input, Outlet, Stream};
use peers_rpc::wire::{Deframer, Hello, Kind, NodeId, PREAMBLE, put_reply};
use peers_rpc::{CloseReason, Cont, ErrorKind};
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;

/// Bytes of the value of which half arrives: more than one read takes.
const LARGE: usize = 400_000;

/// A connection to a peer that keeps the protocol, by one that speaks bytes.
#[derive(Clone, Default)]
struct Line {
    outlet: Rc<RefCell<Option<Outlet>>>,
    heard: Rc<RefCell<Vec<u8>>>,
    over: Rc<Cell<bool>>,
}

impl Line {
    /// Dials from one process to another, and says hello.
    fn dial(field: &mut Field, from: &Peer, to: &Peer) -> Self {
        let this = Self::default();
        let (line, handle, address) = (this.clone(), from.handle().clone(), to.address().clone());
        field.on(from, move || {
            let k = Cont::new(&handle, move |stream| line.start(stream));
            handle.connect(&address, k);
        });
        field.until(|| this.outlet.borrow().is_some());
        let mut hello = PREAMBLE.to_vec();
        Hello::new(NodeId::from_bits(7)).put(&mut hello);
        this.say(field, from, hello);
        field.until(|| to.accepted().len() == 1);
        this
    }

    fn start(&self, stream: io::Result<Stream>) {
        let line = self.clone();
        let outlet = stream.unwrap().start(move |outlet, input| match input {
            Input::Bytes(bytes) => line.heard.borrow_mut().extend_from_slice(bytes),
            Input::End | Input::Failed(_) => {
                line.over.set(true);
                outlet.close();
            }
        });
        self.outlet.replace(Some(outlet));
    }

    fn outlet(&self) -> Outlet {
        self.outlet.borrow().clone().unwrap()
    }

    fn say(&self, field: &mut Field, from: &Peer, bytes: Vec<u8>) {
        let outlet = self.outlet();
        field.on(from, move || outlet.write_chunk(bytes).unwrap());
    }

    /// The ids of the calls that it has heard.
    fn calls(&self) -> Vec<u64> {
        let heard = self.heard.borrow();
        let (mut deframer, mut rest) =
            (Deframer::new(u32::MAX), heard.get(PREAMBLE.len()..).unwrap_or_default());
        let mut ids = Vec::new();
        while let Some(frame) = deframer.next(&mut rest).unwrap() {
            if frame.kind == Kind::Call {
                ids.push(frame.call);
            }
        }
        ids
    }
}

fn reply(call: u64, text: &str) -> Vec<u8> {
    let mut frame = Vec::new();
    put_reply(&mut frame, u32::MAX, call, text).unwrap();
    frame
}

/// A server that is in the middle of reading the answer to one of two calls.
struct Scene {
    client: Peer,
    server: Peer,
    line: Line,
    /// Holds what is left to be said of the answer, and another one.
    rest: Vec<u8>,
    /// The call that the large answer is for, and one without any.
    pending: [Got<String>; 2],
    ended: Got<CloseReason>,
    /// Holds what the server's loop waits for when there is no connection.
    sources: usize,
}

impl Scene {
    /// If `spare`, the server has memory for the value of the large answer.
    fn set(field: &mut Field, spare: bool) -> Self {
        let server = field.peer(&format!("server {spare}"));
        let client = field.peer(&format!("client {spare}"));
        let sources = server.handle().dump().sources();
        let line = Line::dial(field, &client, &server);
        let node = ProbeProxy::new(server.accepted()[0].clone());
        let ended = server.watch(node.caller());
        if spare {
            let note = node.clone();
            field.on(&server, move || note.note("x".repeat(LARGE)).unwrap());
            field.until(|| line.heard.borrow().len() > LARGE);
        }
        let mut call = |text: &str| field.start(&server, node.hold(text).forever());
        let (small, pending) = (call("small"), [call("large"), call("none")]);
        field.until(|| line.calls().len() == 3);

        let ids = line.calls();
        let mut said = reply(ids[0], "small");
        said.extend(reply(ids[1], &"x".repeat(LARGE)));
        let mut rest = said.split_off(LARGE / 2);
        rest.extend(reply(ids[2], "none"));
        line.say(field, &client, said);
        // The first answer and the beginning of the second are one write, and so they are read
        // together.
        field.until(|| small.is_done());
        assert_eq!(small.take().unwrap(), "small");
        assert_eq!(
            server.handle().pooled_buffer_just_for(LARGE),
            None,
            "it was lent, or never there"
        );
        Self { client, server, line, rest, pending, ended, sources }
    }

    /// Says what is left; then nobody hears it, and nothing is kept.
    fn finish(self, field: &mut Field, expected: impl Fn(&CloseReason) -> bool) {
        let Self { client, server, line, rest, pending, ended, sources } = self;
        field.until(|| ended.is_done() && pending.iter().all(Got::is_done));
        let reason = ended.take().unwrap();
        assert!(expected(&reason), "{reason}");
        line.say(field, &client, rest);
        field.until(|| line.over.get() && server.handle().dump().sources() == sources);
        for got in pending {
            assert_eq!(got.take().unwrap_err().kind(), &ErrorKind::Disconnected(reason.clone()));
        }
        let left = server.handle().dump();
        assert_eq!(left.continuations(), 0, "{left}");
    }
}

everywhere! {
    fn this_side_closes(field: &mut Field) {
        field.large_frames();
        for spare in [false, true] {
            let scene = Scene::set(field, spare);
            let endpoint = scene.server.accepted()[0].clone();
            field.on(&scene.server, move || endpoint.close());
            let server = &scene.server;
            assert_eq!(server.rpc().endpoints().len(), 0);
            scene.finish(field, |reason| *reason == CloseReason::Local);
        }
    }
}

everywhere! {
    fn the_rpc_goes(field: &mut Field) {
        field.large_frames();
        for spare in [false, true] {
            let scene = Scene::set(field, spare);
            drop(scene.server.take_rpc());
            field.on(&scene.server, || ());
            scene.finish(field, |reason| *reason == CloseReason::RpcGone);
        }
    }
}

everywhere! {
    fn the_peer_ends_its_half(field: &mut Field) {
        field.large_frames();
        for spare in [false, true] {
            let scene = Scene::set(field, spare);
            let outlet = scene.line.outlet();
            field.on(&scene.client, move || outlet.finish());
            scene.finish(field, |reason| *reason == CloseReason::EndOfStream);
        }
    }
}

everywhere! {
    fn the_peer_cuts_the_connection(field: &mut Field) {
        field.large_frames();
        for spare in [false, true] {
            let scene = Scene::set(field, spare);
            let outlet = scene.line.outlet();
            scene.line.over.set(true); // it will not hear of what it does itself
            field.on(&scene.client, move || outlet.abort());
            // A system may tell as an end what was cut.
            scene.finish(field, |reason| {
                matches!(reason, CloseReason::Io(..) | CloseReason::EndOfStream)
            });
        }
    }
}
