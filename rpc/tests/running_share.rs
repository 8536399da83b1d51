//! Promise: of the `:async` calls that a process may run, each connection has a share. Nobody can
//! take all of them, and what is answered before its method returns takes none.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Field, Got, Peer, ProbeProxy, everywhere, limits};
use peers_rpc::{ErrorKind, Overload};

/// Calls that are held by a server of which `name` asks for so many; how many of them were
/// accepted.
fn hold(
    field: &mut Field,
    server: &Peer,
    name: &str,
    count: usize,
) -> (usize, (Peer, ProbeProxy, Vec<Got<String>>)) {
    let client = field.peer(name);
    let node = field.dial(&client, server);
    let before = server.holds();
    let mut calls: Vec<_> = (0..count)
        .map(|n| field.start(&client, node.hold(format!("{name} {n}")).forever()))
        .collect();
    // What is asked afterwards is answered afterwards.
    field.outcome(&client, node.echo("after them")).unwrap();
    let accepted = server.holds() - before;
    let refused: Vec<_> = calls.extract_if(.., |call| call.is_done()).collect();
    assert_eq!(refused.len(), count - accepted);
    for call in refused {
        let error = call.take().unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Overloaded(Overload::Remote));
        assert!(error.is_unexecuted());
    }
    (accepted, (client, node, calls))
}

everywhere! {
    fn a_connection_has_fewer_than_half_of_what_others_leave_and_one_in_any_case(field: &mut Field) {
        let server = field.peer_with("server", limits(|limits| limits.running = 16));
        let names = ["a", "b", "c", "d", "e", "f"];
        let (accepted, held): (Vec<_>, Vec<_>) =
            names.map(|name| hold(field, &server, name, 20)).into_iter().unzip();
        assert_eq!(accepted, [8, 4, 2, 1, 1, 1]);
        // The first has more than its share by now. When it is down to two, the others leave seven,
        // and it may have four.
        for n in 0..6 {
            field.answer(&server, &format!("a {n}"), Ok("done"));
        }
        let (client, node, _) = &held[0];
        let again = [0, 1].map(|n| field.start(client, node.hold(format!("again {n}"))));
        let error = field.outcome(client, node.hold("one too many")).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Overloaded(Overload::Remote));
        assert!(again.iter().all(|call| !call.is_done()));
        assert_eq!(server.holds(), 13);
    }
}

everywhere! {
    fn a_call_that_is_answered_at_once_takes_no_place(field: &mut Field) {
        let server = field.peer_with("server", limits(|limits| limits.running = 4));
        server.when_asked(|_, _, _, text, reply| reply.ok(text));
        let others: Vec<_> =
            ["a", "b", "c", "d"].map(|name| hold(field, &server, name, 9)).into_iter().collect();
        let client = field.peer("honest");
        let node = field.dial(&client, &server);
        // All at once: each would need a place of its own while the answers to the others are on
        // their way.
        let calls: Vec<_> = (0..50).map(|n| field.start(&client, node.ask(n.to_string()))).collect();
        field.until(|| calls.iter().all(Got::is_done));
        for (n, call) in calls.into_iter().enumerate() {
            assert_eq!(call.take().unwrap(), n.to_string());
        }
        drop(others);
    }
}

everywhere! {
    fn a_place_stays_taken_until_the_program_lets_go_of_the_call(field: &mut Field) {
        let server = field.peer_with("server", limits(|limits| limits.running = 8));
        let (accepted, (client, node, _calls)) = hold(field, &server, "a", 9);
        assert_eq!(accepted, 4);
        node.caller().close();
        field.on(&client, || ());
        field.until(|| server.rpc().running() == 0);
        let (accepted, _b) = hold(field, &server, "b", 9);
        assert_eq!(accepted, 2, "its work may be going on");
        for n in 0..4 {
            drop(server.take_held(&format!("a {n}")));
        }
        field.until(|| server.rpc().counters().inert_replies == 4);
        let (accepted, _c) = hold(field, &server, "c", 9);
        assert_eq!(accepted, 3);
        drop(client);
    }
}
