//! Promise: both ends of a connection are equals. Whoever is called can call back on the same
//! connection, without set-up; several interfaces live on one endpoint; and a client of a base
//! interface works with an extended server.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{
    Desk, Field, LocalProbe, LocalSideDoor, ProbeProxy, SideDoorProxy, everywhere, probe,
};
use peers_rpc::stub::{Incoming, Served};
use peers_rpc::{
    AlreadyBound, Context, Cx, Endpoint, Error, ErrorKind, Interface, Limits, Refusal, Reply,
};
use std::collections::BTreeSet;

everywhere! {
    fn the_server_calls_its_client_on_the_same_connection(field: &mut Field) {
        let (client, server, node) = field.pair();
        field.outcome(&client, node.echo("hello")).unwrap();
        let caller: ProbeProxy = server.callers()[0].proxy();
        assert_eq!(field.outcome(&server, caller.echo("and hello to you")).unwrap(), "and hello to you");
        assert_eq!(client.heard(), ["and hello to you"]);
        assert_eq!((client.accepted().len(), server.accepted().len()), (0, 1));
    }
}

everywhere! {
    fn a_handler_calls_its_caller_back_before_it_answers(field: &mut Field) {
        let (client, server, node) = field.pair();
        server.when_asked(|_, cx, bd, text, reply| {
            let caller: ProbeProxy = bd.proxy();
            caller.note("being asked").unwrap();
            caller.echo(text).then(cx.on_ok(reply, |_, _, text, reply| reply.ok(format!("you said {text}"))));
        });
        assert_eq!(field.outcome(&client, node.ask("dune")).unwrap(), "you said dune");
        assert_eq!(client.heard(), ["being asked", "dune"]);
    }
}

everywhere! {
    fn the_server_may_call_first(field: &mut Field) {
        let (client, server, node) = field.pair();
        field.until(|| server.accepted().len() == 1);
        let caller = ProbeProxy::new(server.accepted()[0].clone());
        assert_eq!(field.outcome(&server, caller.echo("first")).unwrap(), "first");
        assert_eq!(client.heard(), ["first"]);
        drop(node);
    }
}

everywhere! {
    fn both_call_each_other_at_the_same_time(field: &mut Field) {
        let (client, server, node) = field.met_pair();
        let caller = ProbeProxy::new(server.accepted()[0].clone());
        let mut there = Vec::new();
        let mut back = Vec::new();
        for n in 0..200 {
            there.push(field.start(&client, node.echo(format!("c{n}"))));
            back.push(field.start(&server, caller.echo(format!("s{n}"))));
        }
        let expected = |who: &str| (0..200).map(|n| format!("{who}{n}")).collect::<Vec<_>>();
        let values = |outcomes: Vec<Result<String, Error>>| {
            outcomes.into_iter().map(Result::unwrap).collect::<Vec<_>>()
        };
        assert_eq!(values(field.outcomes(&there)), expected("c"));
        assert_eq!(values(field.outcomes(&back)), expected("s"));
    }
}

// ---- what is bound

everywhere! {
    fn several_interfaces_live_on_one_endpoint(field: &mut Field) {
        let server = field.peer_serving("server", Limits::default(), Desk::default(), |cx, endpoint| {
            LocalProbe::bind(cx, endpoint)?;
            LocalSideDoor::bind(cx, endpoint)
        });
        let client = field.peer("client");
        let node = field.dial(&client, &server);
        let door = SideDoorProxy::new(node.caller().clone());
        assert_eq!(field.outcome(&client, door.knock(3)).unwrap(), 4);
        assert_eq!(field.outcome(&client, node.echo("x")).unwrap(), "x");
    }
}

everywhere! {
    fn an_interface_is_bound_once_on_an_endpoint(field: &mut Field) {
        let (_client, _server, node) = field.pair();
        let other = field.peer("other");
        let error = LocalProbe::bind(&other.cx(), node.caller()).unwrap_err();
        assert!(error.method.starts_with("probe.probe."), "{error}");
        assert_eq!(LocalSideDoor::bind(&other.cx(), node.caller()), Ok(()));
        let again = LocalSideDoor::bind(&other.cx(), node.caller());
        assert_eq!(again, Err(AlreadyBound { method: "probe.side_door.knock" }));
        assert_eq!(
            again.unwrap_err().to_string(),
            "probe.side_door.knock is bound on this endpoint already: bind each interface once, and interfaces with \
             a method in common to one object"
        );
    }
}

everywhere! {
    fn a_connection_whose_binding_fails_is_closed(field: &mut Field) {
        let server = field.peer_serving("server", Limits::default(), Desk::default(), |cx, endpoint| {
            LocalProbe::bind(cx, endpoint)?;
            LocalProbe::bind(cx, endpoint)
        });
        let client = field.peer("client");
        let node = field.dial(&client, &server);
        let error = field.outcome(&client, node.echo("x")).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Disconnected(_)), "{error}");
        assert_eq!(server.rpc().endpoints().len(), 0);
    }
}

everywhere! {
    fn a_method_that_nobody_bound_is_named(field: &mut Field) {
        let (client, _server, node) = field.pair();
        let door = SideDoorProxy::new(node.caller().clone());
        let error = field.outcome(&client, door.knock(1)).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Refused(Refusal::UnknownMethod("probe.side_door.knock")));
        assert!(error.is_unexecuted());
        let text = error.to_string();
        assert!(text.ends_with(
            "refused: nobody there bound probe.side_door.knock; an older server, or another kind of node?"
        ), "{text}");
    }
}

everywhere! {
    fn an_event_that_nobody_bound_is_counted(field: &mut Field) {
        let server = field.peer_serving("server", Limits::default(), Desk::default(), LocalSideDoor::bind);
        let client = field.peer("client");
        let node = field.dial(&client, &server);
        node.note("nobody hears").unwrap();
        let door = SideDoorProxy::new(node.caller().clone());
        assert_eq!(field.outcome(&client, door.knock(1)).unwrap(), 2);
        assert_eq!(server.rpc().counters().dropped_events, 1);
    }
}

// ---- an extended server

mod p2p {
    #![allow(clippy::all, unreachable_pub, dead_code)]
    include!("../rpcc/tests/golden/p2p/p2p.rs");
}

/// Overrides a plain method of the base interface as `:async`, and adds methods.
struct Extended(Option<String>);

impl p2p::LocalP2pNode for Extended {
    fn put(&mut self, _: &Context<'_, Self>, key: String, value: String) {
        self.0 = Some(format!("{key} = {value}"));
    }

    fn get(&mut self, cx: &Context<'_, Self>, _: String, reply: Reply<String>) {
        let found = self.0.clone().ok_or_else(|| Error::failed("empty"));
        cx.schedule(move |_, _| reply.resume(found));
    }

    fn get_from(
        &mut self,
        _: &Context<'_, Self>,
        key: String,
        visited: Vec<String>,
        reply: Reply<String>,
    ) {
        reply.ok(format!("{key} after {visited:?}"));
    }

    fn get_all(&mut self, _: &Context<'_, Self>, key: String, reply: Reply<BTreeSet<String>>) {
        reply.ok(BTreeSet::from([key]));
    }

    fn get_all_from(
        &mut self,
        _: &Context<'_, Self>,
        _: String,
        _: Vec<String>,
        reply: Reply<BTreeSet<String>>,
    ) {
        reply.ok(BTreeSet::new());
    }

    fn add_peer(&mut self, _: &Context<'_, Self>, id: String) -> Result<String, Error> {
        Ok(id)
    }
}

everywhere! {
    fn a_client_of_the_base_interface_works_with_an_extended_server(field: &mut Field) {
        use peers_rpc::doc::NodeProxy;
        let bind = p2p::LocalP2pNode::bind;
        let server = field.peer_serving("server", Limits::default(), Extended(None), bind);
        let client = field.peer("client");
        let endpoint = client.rpc().connect(server.address());

        let old: NodeProxy = NodeProxy::new(endpoint.clone());
        old.put("arrakis", "dune").unwrap();
        assert_eq!(field.outcome(&client, old.get("arrakis")).unwrap(), "arrakis = dune");

        let new: p2p::P2pNodeProxy = p2p::P2pNodeProxy::new(endpoint);
        assert_eq!(field.outcome(&client, new.get("arrakis")).unwrap(), "arrakis = dune");
        let visited = vec!["n1".to_owned()];
        let from = new.get_from("arrakis", &visited);
        assert_eq!(field.outcome(&client, from).unwrap(), "arrakis after [\"n1\"]");
    }
}

// ---- an object without generated code

static BY_HAND: Interface = Interface::new("by hand", &[&probe::probe_methods::ECHO]);

fn serve_by_hand(count: &mut u32, _: &Context<'_, u32>, call: Incoming<'_>) -> Served {
    if call.method() != probe::probe_ids::ECHO {
        return call.unknown();
    }
    call.plain(|(text,): (&str,)| {
        *count += 1;
        Ok(format!("{count}: {text}"))
    })
}

fn bind_by_hand(cx: &Cx<u32>, endpoint: &Endpoint) -> Result<(), AlreadyBound> {
    endpoint.bind(cx, &BY_HAND, serve_by_hand)
}

everywhere! {
    fn a_native_object_serves_without_generated_code(field: &mut Field) {
        let server = field.peer_serving("server", Limits::default(), 0, bind_by_hand);
        let client = field.peer("client");
        let proxy: ProbeProxy = ProbeProxy::new(client.rpc().connect(server.address()));
        assert_eq!(field.outcome(&client, proxy.echo("one")).unwrap(), "1: one");
        assert_eq!(field.outcome(&client, proxy.echo("two")).unwrap(), "2: two");
        let error = field.outcome(&client, proxy.hold("x")).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Refused(Refusal::UnknownMethod(_))), "{error}");
    }
}
