//! Promise: every implementation is told who is calling. A binding compares and hashes by the
//! caller's endpoint alone, so it can be a map's key and a history's token; it makes proxies for
//! calling back; it reads the call being served; and it keeps nothing alive.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Context, Field, Got, ProbeProxy, everywhere, in_other_worlds, millis, secs};
use peers_rpc::{Binding, ErrorKind};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

everywhere! {
    fn calls_of_one_connection_have_equal_bindings_and_others_have_not(field: &mut Field) {
        let (client, server, node) = field.pair();
        let second = field.dial(&client, &server);
        for (proxy, text) in [(&node, "a"), (&second, "b"), (&node, "c")] {
            field.outcome(&client, proxy.echo(text)).unwrap();
        }
        let [a, b, c] = server.callers().try_into().unwrap();
        assert!(a == c && a != b && b != c);
        assert_eq!(a.endpoint(), c.endpoint());
        assert_eq!(a.cmp(&c), std::cmp::Ordering::Equal);
        let nth = |binding: &Binding| {
            server.accepted().iter().position(|endpoint| endpoint == binding.endpoint()).unwrap()
        };
        assert_eq!(a < b, nth(&a) < nth(&b), "the order in which connections were made");
    }
}

everywhere! {
    fn a_binding_is_a_key_of_any_map(field: &mut Field) {
        let server = field.peer("server");
        let clients = [field.peer("one"), field.peer("two"), field.peer("three")];
        let nodes: Vec<ProbeProxy> = clients.iter().map(|client| field.dial(client, &server)).collect();
        for round in 0..3 {
            for (client, node) in clients.iter().zip(&nodes) {
                field.outcome(client, node.echo(round.to_string())).unwrap();
            }
        }
        let (mut tree, mut hashed) = (BTreeMap::new(), HashMap::new());
        for binding in server.callers() {
            *tree.entry(binding.clone()).or_insert(0) += 1;
            *hashed.entry(binding).or_insert(0) += 1;
        }
        assert_eq!(tree.values().copied().collect::<Vec<i32>>(), [3, 3, 3]);
        assert!(hashed.len() == 3 && hashed.values().all(|calls| *calls == 3));
    }
}

everywhere! {
    fn access_can_be_decided_by_who_calls(field: &mut Field) {
        let (client, server, node) = field.pair();
        let stranger = field.dial(&client, &server);
        let owner: Rc<RefCell<Option<Binding>>> = Rc::default();
        let claimed = owner.clone();
        server.when_asked(move |_, _, bd, text, reply| {
            let mut owner = claimed.borrow_mut();
            match &*owner {
                Some(owner) if owner != bd => reply.err(peers_rpc::Error::failed("not yours")),
                _ => {
                    *owner = Some(bd.clone());
                    reply.ok(text);
                }
            }
        });
        assert_eq!(field.outcome(&client, node.ask("mine")).unwrap(), "mine");
        assert!(field.outcome(&client, stranger.ask("mine too")).is_err());
        assert_eq!(field.outcome(&client, node.ask("still mine")).unwrap(), "still mine");
    }
}

everywhere! {
    fn a_kept_binding_calls_back_long_after_the_call(field: &mut Field) {
        let (client, server, node) = field.pair();
        node.note("remember me").unwrap();
        field.until(|| !server.callers().is_empty());
        let caller: ProbeProxy = server.callers()[0].proxy();
        assert_eq!(field.outcome(&server, caller.echo("there?")).unwrap(), "there?");
        assert_eq!(field.outcome(&client, node.echo("yes")).unwrap(), "yes");
    }
}

// ---- what it knows of the call

#[test]
fn it_reads_the_deadline_and_the_depth() {
    let mut field = Field::simulated(1);
    let (client, _server, node) = field.met_pair();
    let context = field.outcome(&client, node.context().within(secs(5))).unwrap();
    assert_eq!(context, Context { remaining: Some(5_000), depth: 0, trace: None });
    let context = field.outcome(&client, node.context().forever()).unwrap();
    assert_eq!(context, Context { remaining: None, depth: 0, trace: None });
}

#[test]
fn it_reads_them_as_long_as_the_call_is_being_served() {
    let mut field = Field::simulated(1);
    let (client, server, node) = field.met_pair();
    let held = field.start(&client, node.hold("x").within(secs(5)));
    field.until(|| server.holds() == 1);
    let binding = server.callers()[0].clone();
    let deadline = binding.deadline().unwrap();
    assert!(deadline > server.handle().now() + millis(4_900));

    field.answer(&server, "x", Ok("done"));
    field.until(|| held.is_done());
    assert_eq!((binding.deadline(), binding.depth(), binding.trace()), (None, 0, None));
}

#[test]
fn it_reads_the_call_tree_when_the_caller_traces() {
    let mut field = Field::simulated(1);
    let (client, _server, node) = field.met_pair();
    client.rpc().set_tracing(true);
    let first = field.outcome(&client, node.context()).unwrap().trace.unwrap();
    let second = field.outcome(&client, node.context()).unwrap().trace.unwrap();
    assert_ne!(first.0, second.0, "each call of nobody's is the root of a tree");
    client.rpc().set_tracing(false);
    assert_eq!(field.outcome(&client, node.context()).unwrap().trace, None);
}

#[test]
fn a_tree_has_one_root_and_each_call_its_own_parent() {
    let mut field = Field::simulated(1);
    let (client, server, node) = field.met_pair();
    let far = field.peer("far");
    let onward = field.dial(&server, &far);
    let seen: Rc<RefCell<Vec<Context>>> = Rc::default();
    let log = seen.clone();
    server.when_asked(move |_, cx, _, text, reply| {
        let log = log.clone();
        let k = cx.on_ok(reply, move |_, _, context, reply| {
            log.borrow_mut().push(context);
            reply.ok(text);
        });
        onward.context().then(k);
    });
    client.rpc().set_tracing(true);
    let root = field.outcome(&client, node.context()).unwrap().trace.unwrap();
    assert_eq!(root.0, root.1, "nobody's call is its own parent");
    for _ in 0..2 {
        field.outcome(&client, node.ask("onward")).unwrap();
    }
    let traces: Vec<(u64, u64)> =
        seen.borrow().iter().map(|context| context.trace.unwrap()).collect();
    assert!(traces.iter().all(|(root, parent)| root != parent), "{traces:?}");
    assert_ne!(traces[0].0, traces[1].0);
    assert_ne!(traces[0].1, traces[1].1);
}

// ---- what it holds

everywhere! {
    fn it_keeps_nothing_alive(field: &mut Field) {
        let (client, server, node) = field.pair();
        field.outcome(&client, node.echo("x")).unwrap();
        let binding = server.callers()[0].clone();
        assert!(binding.name().is_some());
        drop(server.take_rpc());
        field.on(&server, || ());
        assert_eq!(binding.name(), None);
        assert!(!binding.endpoint().is_open());
        let caller: ProbeProxy = binding.proxy();
        let error = field.outcome(&server, caller.echo("x")).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Disconnected(peers_rpc::CloseReason::RpcGone)), "{error}");
        assert!(caller.note("x").is_err());
    }
}

everywhere! {
    fn an_endpoint_that_has_ended_still_says_why(field: &mut Field) {
        let (client, server, node) = field.met_pair();
        let before = client.watch(node.caller());
        server.accepted()[0].close();
        field.on(&server, || ());
        field.until(|| before.is_done());
        let reason = before.take().unwrap();
        let after: Got<_> = client.watch(node.caller());
        field.on(&client, || ());
        field.until(|| after.is_done());
        assert_eq!(after.take().unwrap(), reason);
        let error = field.outcome(&client, node.echo("x")).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Disconnected(reason));
        assert!(error.origin().unwrap().starts_with(&format!("[{}]@{{", server.rpc().node())));
    }
}

in_other_worlds! {
    it_reads_the_deadline_and_the_depth,
        not SmallPieces: "a frame in pieces takes a while, which counts";
    it_reads_them_as_long_as_the_call_is_being_served;
    it_reads_the_call_tree_when_the_caller_traces;
    a_tree_has_one_root_and_each_call_its_own_parent;
}
