//! Promise: how deep calls nest is carried along and bounded, so two peers that call each other for
//! ever are stopped.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Context, Field, Peer, ProbeProxy, everywhere, limits};
use peers_rpc::{Error, ErrorKind, Limits, Refusal};
use std::cell::RefCell;
use std::rc::Rc;

/// Lets whoever is asked ask its caller the same, and notes how that ends.
fn bounces(peer: &Peer) -> Rc<RefCell<Vec<ErrorKind>>> {
    let ends = Rc::new(RefCell::new(Vec::new()));
    let log = ends.clone();
    peer.when_asked(move |_, cx, bd, text, reply| {
        let log = log.clone();
        let k = cx.on_err(reply, move |_, _, error: Error, reply| {
            log.borrow_mut().push(error.kind().clone());
            reply.err(error);
        });
        bd.proxy::<ProbeProxy>().ask(text).then(k);
    });
    ends
}

everywhere! {
    fn a_recursion_between_two_peers_is_stopped(field: &mut Field) {
        let (client, server, node) = field.met_pair();
        let (here, there) = (bounces(&client), bounces(&server));
        let error = field.outcome(&client, node.ask("x")).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Failed(_)), "the first one was executed: {error}");
        assert_eq!(client.heard().len() + server.heard().len(), 65, "depths 0 to 64");
        let ends: Vec<ErrorKind> = here.take().into_iter().chain(there.take()).collect();
        let too_deep = ends.iter().filter(|kind| matches!(kind, ErrorKind::TooDeep { depth: 65 }));
        assert_eq!(too_deep.count(), 1);
        assert_eq!(field.outcome(&client, node.echo("alive")).unwrap(), "alive");
    }
}

everywhere! {
    fn the_stricter_side_decides(field: &mut Field) {
        let strict = limits(|limits| limits.call_depth = 4);
        let (client, server, node) = field.pair_with(Limits::default(), strict);
        let (_here, there) = (bounces(&client), bounces(&server));
        field.outcome(&client, node.ask("x")).unwrap_err();
        assert_eq!(server.heard().len(), 3, "depths 0, 2 and 4");
        assert_eq!(client.heard().len(), 2, "depths 1 and 3");
        assert!(there.take().contains(&ErrorKind::TooDeep { depth: 5 }));
    }
}

everywhere! {
    fn a_request_that_is_too_deep_is_refused_and_not_executed(field: &mut Field) {
        let strict = limits(|limits| limits.call_depth = 0);
        let middle = field.peer("middle");
        let (client, far) = (field.peer("client"), field.peer_with("far", strict));
        let (node, onward) = (field.dial(&client, &middle), field.dial(&middle, &far));
        let seen: Rc<RefCell<Option<Error>>> = Rc::default();
        let log = seen.clone();
        middle.when_asked(move |_, cx, _, text, reply| {
            let log = log.clone();
            let k = cx.on_err(reply, move |_, _, error: Error, reply| {
                *log.borrow_mut() = Some(error.clone());
                reply.err(error);
            });
            onward.echo(text).then(k);
        });
        field.outcome(&client, node.ask("x")).unwrap_err();
        let error = seen.take().unwrap();
        assert_eq!(error.kind(), &ErrorKind::Refused(Refusal::TooDeep));
        assert!(error.is_unexecuted());
        assert_eq!(far.heard(), [""; 0]);
    }
}

everywhere! {
    fn siblings_are_at_the_same_depth(field: &mut Field) {
        let (client, server, node) = field.met_pair();
        let depths: Rc<RefCell<Vec<u16>>> = Rc::default();
        let log = depths.clone();
        server.when_asked(move |_, cx, bd, text, reply| {
            let caller: ProbeProxy = bd.proxy();
            let log = log.clone();
            let (first, second) = (caller.context(), caller.context());
            first.then(cx.on_ok(reply, move |_, cx, context: Context, reply| {
                log.borrow_mut().push(context.depth);
                second.then(cx.on_ok(reply, move |_, _, context: Context, reply| {
                    log.borrow_mut().push(context.depth);
                    reply.ok(text);
                }));
            }));
        });
        field.outcome(&client, node.ask("x")).unwrap();
        assert_eq!(depths.take(), [1, 1], "what is done one after the other does not nest");
    }
}

everywhere! {
    fn events_nest_too(field: &mut Field) {
        let strict = limits(|limits| limits.call_depth = 0);
        let middle = field.peer("middle");
        let (client, far) = (field.peer("client"), field.peer_with("far", strict));
        let (node, onward) = (field.dial(&client, &middle), field.dial(&middle, &far));
        field.outcome(&middle, onward.context()).unwrap();
        middle.when_asked(move |_, _, _, text, reply| {
            onward.note("too deep").unwrap();
            reply.ok(text);
        });
        field.outcome(&client, node.ask("x")).unwrap();
        field.until(|| far.rpc().counters().dropped_events == 1);
        assert_eq!(far.heard(), [""; 0]);
    }
}

everywhere! {
    fn what_is_done_after_a_call_was_served_is_not_done_for_it(field: &mut Field) {
        let strict = limits(|limits| limits.call_depth = 0);
        let middle = field.peer("middle");
        let (client, far) = (field.peer("client"), field.peer_with("far", strict));
        let (node, onward) = (field.dial(&client, &middle), field.dial(&middle, &far));
        assert_eq!(field.outcome(&client, node.echo("x")).unwrap(), "x");
        assert_eq!(field.outcome(&middle, onward.echo("y")).unwrap(), "y");
        field.on(&middle, move || onward.note("mine").unwrap());
        field.until(|| far.heard().contains(&"mine".to_owned()));
    }
}
