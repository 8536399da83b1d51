//! Promise: a large value that is one run of bytes has the memory that it was read into, if the
//! process had some to spare and it does not wait for its turn, and no more than it needs. Nothing
//! else tells how it came: neither its bytes, nor its place among others, nor what becomes of it
//! when there is nobody for it.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::probe::probe_ids::{ECHO, NOTE};
use common::{Desk, Field, Got, LocalProbe, LocalSideDoor, Peer, ProbeProxy, everywhere, secs};
use peers_rpc::kernel::{Budget, Wait};
use peers_rpc::wire::{CallHead, Hello, PREAMBLE, put_call, put_event};
use peers_rpc::{Address, Endpoint, ErrorKind, Kernel, Limits, NodeId, Refusal, Rpc};
use std::cell::Cell;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::id;
use std::rc::Rc;

const LARGE: usize = 600_000;
/// More room than this is not kept for nothing.
const PAGE: usize = 4 << 10;
/// Memory with so much more room than needed is known again. Its address would not do: the
/// allocator may move it, or find the same place for another.
const MARK: usize = 1_111;

fn text(seed: usize, size: usize) -> String {
    let letter = |n: usize| char::from(b'a' + ((n >> 6) + seed) as u8 % 26);
    (0..size).map(letter).collect()
}

/// A client and a server that have exchanged a large value, so that either has memory that its
/// output is done with. What waits for its turn is copied, so here nothing does.
fn warm_pair(field: &mut Field) -> (Peer, Peer, ProbeProxy) {
    let (client, server, node) = field.met_pair();
    field.take_time();
    for n in 0..2 {
        let sent = text(n, LARGE);
        assert!(field.outcome(&client, node.echo(&sent)).unwrap() == sent);
    }
    (client, server, node)
}

everywhere! {
    fn they_go_round_in_the_memory_that_they_arrive_in(field: &mut Field) {
        field.large_frames();
        let (client, server, node) = warm_pair(field);
        let strange = Rc::new(Cell::new(0));
        let count = strange.clone();
        server.when_asked(move |_, _, _, mut text, reply| {
            assert!(text.capacity() < LARGE + PAGE);
            if text.capacity() != LARGE + MARK {
                count.set(count.get() + 1);
                text.reserve_exact(MARK);
            }
            reply.ok(text);
        });
        for n in 0..8 {
            let sent = text(n, LARGE);
            let back = field.outcome(&client, node.ask(&sent)).unwrap();
            assert!(back == sent, "round {n}");
            assert!(back.capacity() < LARGE + PAGE);
            let left = client.handle().pooled_buffer_just_for(LARGE);
            assert_eq!(left, None, "the arguments left from it, and the result has it now");
        }
        // The memory is the kernel's until the next request. What waits for its turn, as with one
        // task a turn all requests do, is copied.
        let others = strange.get();
        assert!(others <= 1 || field.one_task, "{others} came in other memory");
    }
}

everywhere! {
    fn they_keep_their_place_among_others(field: &mut Field) {
        field.large_frames();
        let (client, server, node) = warm_pair(field);
        let heard = server.heard().len();
        let sizes = [LARGE, LARGE, 10, 300_000, LARGE, 70_000, 0, LARGE - 1, LARGE + 5_000, LARGE];
        let calls: Vec<_> = sizes
            .iter()
            .enumerate()
            .map(|(n, size)| field.start(&client, node.echo(text(n, *size))))
            .collect();
        for (n, back) in field.outcomes(&calls).into_iter().enumerate() {
            assert!(back.unwrap() == text(n, sizes[n]), "call {n}");
        }
        let heard = server.heard().split_off(heard);
        assert!(heard.into_iter().enumerate().all(|(n, heard)| heard == text(n, sizes[n])));
    }
}

/// Before a server that starts one request a turn.
#[test]
fn they_wait_for_their_turn_like_others() {
    let mut kernel = Kernel::new().unwrap();
    kernel.set_strict(true);
    kernel.set_budget(Budget { tasks: 1, ..Budget::default() });
    let rpc = Rpc::new(&kernel.handle());
    let node = kernel.node(Desk::default());
    let (cx, path) = (node.cx(), std::env::temp_dir().join(format!("peers-turn-{}", id())));
    let bind = move |endpoint: Endpoint| LocalProbe::bind(&cx, &endpoint);
    let _listener = rpc.listen(&Address::unix(path.clone()), bind).unwrap();

    let mut bytes = PREAMBLE.to_vec();
    Hello::new(NodeId::from_bits(1)).put(&mut bytes);
    // The answer to the first leaves memory for one of the others.
    let sent: Vec<_> = (0..500).map(|n| text(n, if n % 400 == 0 { LARGE } else { 4 })).collect();
    put_call(&mut bytes, u32::MAX, 1, &CallHead::new(ECHO), &(&sent[0],)).unwrap();
    for text in &sent[1..] {
        put_event(&mut bytes, u32::MAX, &CallHead::new(NOTE), &(text,)).unwrap();
    }
    let mut socket = UnixStream::connect(path).unwrap();
    socket.set_nonblocking(true).unwrap();
    let (mut rest, mut answer, end) =
        (&bytes[..], vec![0; LARGE], kernel.remote().now() + secs(30));
    while node.with(|desk| desk.heard.len()) < sent.len() {
        if let Ok(count) = socket.write(rest) {
            rest = &rest[count..];
        }
        let _nothing_yet = socket.read(&mut answer);
        kernel.turn(Wait::No).unwrap();
        assert!(kernel.remote().now() < end, "they are not all started");
    }
    assert!(node.with(|desk| desk.heard == sent));
}

everywhere! {
    fn nobody_waits_for_one_that_was_cancelled(field: &mut Field) {
        field.large_frames();
        let (client, server, node) = warm_pair(field);
        let (k, got) = Got::new(client.handle());
        let (note, call) = (node.clone(), node.hold("x"));
        let cancel = field.on(&client, move || {
            note.note(text(0, LARGE)).unwrap(); // whose memory is then there for the answer
            call.then_cancellable(k)
        });
        field.until(|| server.holds() == 1);
        // Both at once: the answer leaves before the server hears of the cancel.
        let (reply, sent) = (server.take_held("x"), text(1, LARGE));
        reply.ok(sent);
        field.on(&client, move || cancel.now());
        field.until(|| got.is_done());
        assert!(matches!(got.take().unwrap_err().kind(), ErrorKind::Cancelled));
        field.until(|| client.rpc().counters().late_replies == 1);
        let sent = text(2, LARGE);
        assert!(field.outcome(&client, node.echo(&sent)).unwrap() == sent);
    }
}

everywhere! {
    fn a_method_that_nobody_bound_is_refused(field: &mut Field) {
        field.large_frames();
        let server = field.peer_serving("server", Limits::default(), Desk::default(), LocalSideDoor::bind);
        let client = field.peer("client");
        let node = field.dial(&client, &server);
        field.until(|| server.accepted().len() == 1);
        let caller = ProbeProxy::new(server.accepted()[0].clone());
        assert_eq!(field.outcome(&server, caller.echo(text(0, LARGE))).unwrap().len(), LARGE);
        for n in 0..3 {
            let error = field.outcome(&client, node.echo(text(n, LARGE))).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Refused(Refusal::UnknownMethod(_))), "{error}");
        }
        let again = field.outcome(&server, caller.echo(text(0, LARGE))).unwrap();
        assert!(again == text(0, LARGE));
    }
}

everywhere! {
    fn a_traced_one_is_no_different(field: &mut Field) {
        field.large_frames();
        let (client, server, node) = warm_pair(field);
        client.rpc().set_tracing(true);
        for n in 0..3 {
            let sent = text(n, LARGE);
            assert!(field.outcome(&client, node.echo(&sent)).unwrap() == sent);
        }
        assert_eq!(server.heard().len(), 5);
    }
}
