//! Promise: the address decides. With a key in it, the connection is sealed and this key is there,
//! or nothing is; without one, nothing leaves the machine in clear text that was not asked to.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::identity;
use common::service::{Map, client, end_of, everywhere, get, refused, secured, server, serves};
use peers_rpc::doc::LocalNode;
use peers_rpc::{
    Address, Allow, CloseReason, ErrorKind, InsecureBind, Kernel, Peer, PublicKey, Rpc, Security,
    SecurityError,
};

#[test]
fn an_address_with_a_key_is_reached_sealed() {
    everywhere("sealed", |kernel, at| {
        let (_server, service) = serves(kernel, at, Allow::anyone());
        let rpc = secured(kernel, client());
        let endpoint = rpc.connect(service.address());
        assert_eq!(endpoint.peer(), Peer::Unknown, "nobody has proven anything yet");
        assert_eq!(get(kernel, &endpoint, "who"), Ok(client().key().to_string()));
        assert_eq!(endpoint.peer(), Peer::Key(server().key()));
        let id = server().key().to_string()[..30].trim_start_matches('0').to_owned();
        assert_eq!(endpoint.peer_node().unwrap().to_string(), id);
    });
}

#[test]
fn the_right_address_with_another_key_gets_nothing() {
    everywhere("another", |kernel, at| {
        let (_server, service) = serves(kernel, at, Allow::anyone());
        let rpc = secured(kernel, client());
        let expected = identity(3).key();
        let endpoint = rpc.connect(service.address().with_key(expected));
        let error = refused(get(kernel, &endpoint, "who"));
        assert_eq!(error, SecurityError::WrongPeer { expected, found: server().key() });
        assert_eq!(service.node().with(|map| map.calls), 0);
    });
}

#[test]
fn a_key_is_needed_to_ask_for_one() {
    everywhere("nobody", |kernel, at| {
        let (_server, service) = serves(kernel, at, Allow::anyone());
        let rpc = Rpc::new(&*kernel);
        let endpoint = rpc.connect(service.address());
        assert_eq!(refused(get(kernel, &endpoint, "who")), SecurityError::NoIdentity);
        let sealed = Security::Sealed(Allow::anyone());
        let error = rpc.serve_with(sealed, at, Map::default(), LocalNode::bind).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Security(SecurityError::NoIdentity));
    });
}

#[test]
fn clear_text_stays_on_the_machine_unless_it_is_asked_to_leave() {
    let mut kernel = Kernel::new().unwrap();
    for rpc in [Rpc::new(&kernel), secured(&kernel, client())] {
        for away in ["inet:192.0.2.1:9", "inet:example.org:9", "inet:[2001:db8::1]:9"] {
            let endpoint = rpc.connect(away);
            let address: Address = away.parse().unwrap();
            let error = refused(get(&mut kernel, &endpoint, "who"));
            assert_eq!(error, SecurityError::InsecureDial { address });
        }
        for here in ["inet:localhost:1", "inet:[::ffff:127.0.0.1]:1", "unix:/nowhere", "sim:x"] {
            let endpoint = rpc.connect(here);
            let end = end_of(&mut kernel, &endpoint);
            assert!(matches!(end, CloseReason::ConnectFailed { .. }), "{here}: {end}");
        }
        rpc.set_insecure_dialling(true);
        let endpoint = rpc.connect("inet:[2001:db8::1]:9");
        assert!(endpoint.is_open(), "it is tried");
        rpc.set_insecure_dialling(false);
        assert!(!rpc.connect("inet:[2001:db8::1]:9").is_open());
    }
}

#[test]
fn what_others_can_reach_names_the_policy_with_a_key_first() {
    let kernel = Kernel::new().unwrap();
    let rpc = secured(&kernel, server());
    let address: Address = "inet:0.0.0.0:0".parse().unwrap();
    let error = rpc.listen(&address, |_| Ok(())).unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::InsecureBind(InsecureBind { address: address.clone() }));
    let words = error.to_string();
    let (sealed, insecure) = (words.find("--key FILE"), words.find("--insecure"));
    assert!(words.contains("Security::Sealed") && sealed.unwrap() < insecure.unwrap(), "{words}");
    let listener =
        rpc.listen_with(Security::Sealed(Allow::anyone()), &address, |_| Ok(())).unwrap();
    assert_eq!(listener.address().key(), Some(server().key()));
    let shown = listener.address().to_string();
    assert_eq!(shown.parse::<Address>().unwrap(), listener.address(), "it can be dialled: {shown}");
}

#[test]
fn a_listener_says_so_if_its_address_names_another_key() {
    let kernel = Kernel::simulated(1);
    let rpc = secured(&kernel, server());
    let sealed = || Security::Sealed(Allow::anyone());
    let with = |key: PublicKey| Address::sim("place").with_key(key);
    let error = rpc.listen_with(sealed(), with(client().key()), |_| Ok(())).unwrap_err();
    assert!(error.to_string().contains(&server().key().to_string()), "{error}");
    let own = rpc.listen_with(sealed(), with(server().key()), |_| Ok(())).unwrap();
    assert_eq!(own.address(), with(server().key()));
    assert!(rpc.listen_with(Security::Insecure, with(server().key()), |_| Ok(())).is_err());
}

#[test]
fn local_connections_are_in_clear_with_an_identity_too() {
    everywhere("clear", |kernel, at| {
        let node = secured(kernel, server());
        let service = node.serve(at, Map::default(), LocalNode::bind).unwrap();
        assert_eq!(service.address().key(), None);
        // Two processes with one key are one node, and no echo of each other.
        for other in [client(), server()] {
            let rpc = secured(kernel, other);
            let endpoint = rpc.connect(service.address());
            let who = get(kernel, &endpoint, "who").unwrap();
            let expected = match at {
                Address::Unix { .. } => "user",
                _ => "somebody on this machine",
            };
            assert!(who.starts_with(expected), "{who}");
            let user = matches!(endpoint.peer(), Peer::User { .. });
            assert!(user == matches!(at, Address::Unix { .. }) || endpoint.peer() == Peer::Local);
        }
    });
}

#[test]
fn two_processes_with_one_key_are_one_node_and_no_echo() {
    everywhere("twins", |kernel, at| {
        let (node, service) = serves(kernel, at, Allow::keys([server().key()]));
        let twin = secured(kernel, server());
        assert_eq!(twin.node(), node.node());
        let endpoint = twin.connect(service.address());
        assert_eq!(get(kernel, &endpoint, "who"), Ok(server().key().to_string()));
    });
}

#[test]
fn who_speaks_in_clear_and_who_does_not_find_out_at_once() {
    everywhere("mixed", |kernel, at| {
        let (_node, service) = serves(kernel, at, Allow::anyone());
        let plain = Rpc::new(&*kernel);
        let endpoint = plain.connect(service.address().without_key());
        let end = end_of(kernel, &endpoint);
        assert!(matches!(end, CloseReason::Foreign(_)), "{end}");
        assert!(end.to_string().ends_with("; encrypted? put its key into the address"), "{end}");
        drop(service);

        let clear = Rpc::new(&*kernel);
        let service = clear.serve(at, Map::default(), LocalNode::bind).unwrap();
        let rpc = secured(kernel, client());
        let endpoint = rpc.connect(service.address().with_key(server().key()));
        assert_eq!(refused(get(kernel, &endpoint, "who")), SecurityError::PlainPeer);
        assert_eq!(service.node().with(|map| map.calls), 0);
    });
}
