//! Promise: nobody is flooded and nobody is stuck. Requests beyond the other side's grant wait
//! here, within their deadline and within a limit; what is too much is refused as overloaded, which
//! means that it was not executed.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Field, Got, Peer, ProbeProxy, everywhere, in_other_worlds, limits, secs};
use peers_rpc::{Cont, Error, ErrorKind, Limits, Overload};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

fn grant(requests: u32) -> Limits {
    limits(|limits| limits.request_window = requests)
}

/// The protocol lets 64 requests go out before the peer's hello, so that is the smallest grant
/// there is.
const LEAST: usize = 64;

everywhere! {
    fn requests_beyond_the_grant_wait_here(field: &mut Field) {
        let (client, server, node) = field.pair_with(Limits::default(), grant(64));
        let calls: Vec<_> = (0..LEAST + 10)
            .map(|n| field.start(&client, node.hold(n.to_string()))).collect();
        field.until(|| server.holds() == LEAST);
        assert_eq!(node.caller().pending(), LEAST + 10);
        for n in 0..10 {
            field.answer(&server, &n.to_string(), Ok("done"));
            field.until(|| server.heard().len() == LEAST + n + 1);
            assert_eq!(server.holds(), LEAST);
        }
        drop(calls);
    }
}

everywhere! {
    fn an_event_returns_its_credit_when_it_was_started(field: &mut Field) {
        let (client, server, node) = field.pair_with(Limits::default(), grant(64));
        for n in 0..5_000 {
            node.note(n.to_string()).unwrap();
        }
        field.on(&client, || ());
        field.until(|| server.heard().len() == 5_000);
    }
}

everywhere! {
    fn replies_are_never_held_up(field: &mut Field) {
        let (client, server, node) = field.pair_with(grant(64), grant(64));
        field.outcome(&client, node.context()).unwrap();
        let caller = ProbeProxy::new(server.accepted()[0].clone());
        let there: Vec<_> = (0..LEAST + 10).map(|n| field.start(&client, node.hold(n.to_string()))).collect();
        let back: Vec<_> = (0..LEAST + 10).map(|n| field.start(&server, caller.hold(n.to_string()))).collect();
        field.until(|| server.holds() == LEAST && client.holds() == LEAST);
        for n in 0..LEAST + 10 {
            let text = n.to_string();
            field.until(|| server.heard().len() > n && client.heard().len() > n);
            field.answer(&server, &text, Ok("there"));
            field.answer(&client, &text, Ok("back"));
        }
        assert!(field.outcomes(&there).into_iter().all(|outcome| outcome.unwrap() == "there"));
        assert!(field.outcomes(&back).into_iter().all(|outcome| outcome.unwrap() == "back"));
    }
}

// ---- too much

everywhere! {
    fn too_many_that_wait_are_refused_as_overloaded(field: &mut Field) {
        let few = limits(|limits| limits.waiting = 5);
        let (client, server, node) = field.pair_with(few, grant(64));
        field.outcome(&client, node.context()).unwrap();
        let calls: Vec<_> = (0..LEAST + 5).map(|n| field.start(&client, node.hold(n.to_string()))).collect();
        let error = field.outcome(&client, node.hold("one too many")).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Overloaded(Overload::Endpoint));
        assert!(error.is_unexecuted());
        let error = node.note("and an event").unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Overloaded(Overload::Endpoint));

        field.until(|| server.holds() == LEAST);
        field.answer(&server, "0", Ok("done"));
        field.until(|| server.heard().len() == LEAST + 1);
        node.note("there is room again").unwrap();
        drop(calls);
    }
}

everywhere! {
    fn too_many_bytes_that_wait_are_refused_as_overloaded(field: &mut Field) {
        field.large_frames();
        let little = limits(|limits| limits.waiting_bytes = 10_000);
        let (client, _server, node) = field.pair_with(little, grant(64));
        field.outcome(&client, node.context()).unwrap();
        let calls: Vec<_> = (0..LEAST).map(|n| field.start(&client, node.hold(n.to_string()))).collect();
        let waits = field.start(&client, node.hold("x".repeat(8_000)));
        let error = field.outcome(&client, node.hold("x".repeat(8_000))).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Overloaded(Overload::Endpoint));
        assert!(!waits.is_done());
        drop(calls);
    }
}

everywhere! {
    fn a_process_that_runs_as_many_as_it_may_refuses_more(field: &mut Field) {
        let few = limits(|limits| limits.running = 4);
        let server = field.peer_with("server", few);
        let clients = [field.peer("one"), field.peer("two")];
        let nodes: Vec<ProbeProxy> = clients.iter().map(|client| field.dial(client, &server)).collect();
        // Two for the first, which are half of them, and one for the other: half of what is left.
        let held: Vec<_> = (0..3).map(|n| {
            let which = n % 2;
            let got = field.start(&clients[which], nodes[which].hold(n.to_string()));
            field.until(|| server.holds() == n + 1);
            got
        }).collect();
        let error = field.outcome(&clients[1], nodes[1].hold("one too many")).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Overloaded(Overload::Remote));
        assert!(error.is_unexecuted());
        assert_eq!(server.heard(), ["0", "1", "2"], "it was not executed");

        assert_eq!(field.outcome(&clients[1], nodes[1].echo("plain")).unwrap(), "plain", "a plain call does not stay");
        field.answer(&server, "1", Ok("done"));
        let again = field.start(&clients[1], nodes[1].hold("again"));
        field.until(|| server.heard().contains(&"again".to_owned()));
        drop((held, again));
    }
}

// ---- nobody is stuck

/// Keeps `width` calls of `text` under way until `left` are done.
fn keep_calling(
    handle: peers_rpc::Handle,
    node: ProbeProxy,
    width: u32,
    left: u32,
) -> Rc<Cell<u32>> {
    let done = Rc::new(Cell::new(0));
    let begun = Rc::new(Cell::new(width.min(left)));
    for _ in 0..begun.get() {
        next_call(handle.clone(), node.clone(), left, begun.clone(), done.clone());
    }
    done
}

fn next_call(
    handle: peers_rpc::Handle,
    node: ProbeProxy,
    left: u32,
    begun: Rc<Cell<u32>>,
    done: Rc<Cell<u32>>,
) {
    let proxy = node.clone();
    let k = Cont::new(&handle.clone(), move |outcome: Result<_, Error>| {
        outcome.expect("there is a reply to each");
        done.set(done.get() + 1);
        if begun.get() < left {
            begun.set(begun.get() + 1);
            next_call(handle, node, left, begun, done);
        }
    });
    proxy.context().forever().then(k);
}

everywhere! {
    fn two_peers_that_call_each_other_100_000_times_with_small_limits_come_to_an_end(field: &mut Field) {
        let small = limits(|limits| {
            limits.request_window = 64;
            limits.waiting = 256;
            limits.output_low_water = 4 << 10;
        });
        let (client, server, node) = field.pair_with(small.clone(), small);
        field.outcome(&client, node.context()).unwrap();
        let caller = ProbeProxy::new(server.accepted()[0].clone());
        let (here, there) = (client.handle().clone(), server.handle().clone());
        let sent = field.on(&client, move || keep_calling(here, node, 200, 100_000));
        let answered = field.on(&server, move || keep_calling(there, caller, 200, 100_000));
        field.until_within(secs(600), || sent.get() == 100_000 && answered.get() == 100_000);
    }
}

/// Lets whoever is asked call its caller back before it answers.
fn calls_back(peer: &Peer) {
    peer.when_asked(|_, _, bd, text, reply| bd.proxy::<ProbeProxy>().echo(text).then(reply));
}

everywhere! {
    fn both_at_their_limit_and_every_handler_calling_back_ends_inside_the_deadline(field: &mut Field) {
        let (client, server, node) = field.pair_with(grant(64), grant(64));
        field.outcome(&client, node.context()).unwrap();
        let caller = ProbeProxy::new(server.accepted()[0].clone());
        calls_back(&client);
        calls_back(&server);
        let all: Rc<RefCell<Vec<Got<String>>>> = Rc::default();
        for (peer, proxy) in [(&client, &node), (&server, &caller)] {
            let (handle, proxy, all) = (peer.handle().clone(), proxy.clone(), all.clone());
            field.on(peer, move || {
                for n in 0..500 {
                    let (k, got) = Got::new(&handle);
                    proxy.ask(n.to_string()).within(common::millis(1_500)).then(k);
                    all.borrow_mut().push(got);
                }
            });
        }
        let all = all.take();
        for outcome in field.outcomes_within(secs(2), &all) {
            if let Err(error) = outcome {
                let kind = error.kind();
                let typed = matches!(kind, ErrorKind::TimedOut { .. } | ErrorKind::Overloaded(_) | ErrorKind::Failed(_));
                assert!(typed, "{error}");
            }
        }
        assert_eq!(field.outcome(&client, node.echo("alive")).unwrap(), "alive");
        assert_eq!(field.outcome(&server, caller.echo("alive")).unwrap(), "alive");
    }
}

/// A peer that takes nothing is given up, and only its own connection suffers.
#[test]
fn a_peer_that_does_not_read_is_cut_off() {
    let mut field = Field::simulated(1);
    let server = field.peer("server");
    let (stuck, fine) = (field.peer("stuck"), field.peer("fine"));
    let (to_stuck, to_fine) = (field.dial(&server, &stuck), field.dial(&server, &fine));
    field.outcome(&server, to_stuck.context()).unwrap();
    let ends = server.watch(to_stuck.caller());
    let process = stuck.process();
    field.world().stall(process, secs(600));
    for _ in 0..40 {
        to_stuck.note("x".repeat(100_000)).unwrap();
    }
    assert_eq!(field.outcome(&server, to_fine.echo("unharmed")).unwrap(), "unharmed");
    let before = field.now();
    field.until_within(secs(46), || ends.is_done());
    assert!(field.now() - before <= secs(46));
    ends.take().unwrap();
    assert_eq!(field.outcome(&server, to_fine.echo("unharmed")).unwrap(), "unharmed");
}

in_other_worlds! {
    a_peer_that_does_not_read_is_cut_off,
        not SmallPieces: "its answers are larger";
}
