//! Promise: a declared exception crosses the wire as a value, with its class, its arguments, and
//! the place where it was raised, and is printed as in the tutorial.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Field, NoSuchKey, OutOfRange, everywhere, in_other_worlds, limits};
use peers_rpc::{Address, Error, ErrorKind, Exception, Limits};

/// The line of the harness's object that contains `code`.
fn line_of(code: &str) -> u32 {
    let at = include_str!("common/desk.rs").lines().position(|line| line.contains(code));
    u32::try_from(at.unwrap() + 1).unwrap()
}

const RAISE: &str = "Err(NoSuchKey { key }.raise())";
const RAISE_LATER: &str = "reply.err(NoSuchKey { key }.raise())";
const RAISE_RANGE: &str = "Err(OutOfRange { value, least, most }.raise())";

everywhere! {
    fn the_class_and_the_arguments_arrive(field: &mut Field) {
        let (client, _server, node) = field.pair();
        let error = field.outcome(&client, node.raise("Muad'Dib")).unwrap_err();
        assert!(error.is::<NoSuchKey>() && !error.is::<OutOfRange>());
        assert_eq!(error.get::<NoSuchKey>().unwrap().key, "Muad'Dib");
        assert_eq!(error.get::<OutOfRange>(), None);

        let error = field.outcome(&client, node.raise_range(11, 1, 10)).unwrap_err();
        assert_eq!(error.get(), Some(OutOfRange { value: 11, least: 1, most: 10 }));
    }
}

everywhere! {
    fn the_place_of_the_raise_arrives(field: &mut Field) {
        let (client, _server, node) = field.pair();
        let places = [
            (field.outcome(&client, node.raise("x")).unwrap_err(), RAISE),
            (field.outcome(&client, node.raise_later("x")).unwrap_err(), RAISE_LATER),
            (field.outcome(&client, node.raise_range(1, 2, 3)).unwrap_err(), RAISE_RANGE),
        ];
        for (error, code) in places {
            let ErrorKind::Raised(raised) = error.kind() else { panic!("{error}") };
            assert_eq!((raised.file.as_str(), raised.line), ("desk.rs", line_of(code)));
        }
    }
}

/// Returns how endpoint names show an address.
fn site(address: &Address) -> String {
    match address {
        Address::Inet { host, port, .. } => format!("{{AF_INET:{host}:{port}}}"),
        Address::Unix { path, .. } => format!("{{AF_UNIX:{}}}", path.display()),
        Address::Sim { name, .. } => format!("{{AF_SIM:{name}}}"),
    }
}

everywhere! {
    /// Three braces: it was made at the server, where the connection was accepted.
    fn the_printed_form_is_the_tutorials(field: &mut Field) {
        let (client, server, node) = field.pair();
        let error = field.outcome(&client, node.raise("Muad'Dib")).unwrap_err();
        let accepted = server.accepted()[0].name().unwrap().to_string();
        let line = line_of(RAISE);
        assert_eq!(
            error.to_string(),
            format!("rpc error: {accepted}: remote exception: [desk.rs:{line}] ::no_such_key: Muad'Dib")
        );
        let node = server.rpc().node();
        assert!(accepted.starts_with(&format!("[{node}]@{{{{{{AF_")), "{accepted}");
        assert!(accepted.ends_with("}}}"), "{accepted}");
    }
}

everywhere! {
    fn the_two_ends_of_a_connection_are_named_after_the_listening_node(field: &mut Field) {
        let (client, server, node) = field.met_pair();
        let second = field.dial(&client, &server);
        field.outcome(&client, second.context()).unwrap();
        let id = server.rpc().node();
        let names: Vec<_> = server.accepted().iter().chain([node.caller(), second.caller()])
            .map(|endpoint| endpoint.name().unwrap()).collect();
        assert!(names.iter().all(|name| name.node() == Some(id)));
        let dialled = node.caller().to_string();
        assert!(dialled.starts_with(&format!("[{id}]@{{{{AF_")) && dialled.ends_with("}}"), "{dialled}");
    }
}

#[test]
fn the_printed_form_over_tcp_byte_for_byte() {
    let mut field = Field::tcp();
    let (client, server, node) = field.pair();
    let error = field.outcome(&client, node.raise_range(11, 1, 10)).unwrap_err();
    let origin = error.origin().unwrap();
    let (id, rest) = origin.split_once("]@{{").unwrap();
    assert_eq!(id, format!("[{}", server.rpc().node()));
    let Address::Inet { port, .. } = server.address() else { panic!("it is TCP") };
    let from = rest.strip_suffix(&format!(":{{AF_INET:127.0.0.1:{port}}}}}}}")).unwrap();
    let from_port = from.strip_prefix("{AF_INET:127.0.0.1:").and_then(|p| p.strip_suffix("}"));
    assert!(from_port.unwrap().parse::<u16>().is_ok(), "{origin}");
    let line = line_of(RAISE_RANGE);
    let text = format!(
        "rpc error: {origin}: remote exception: [desk.rs:{line}] ::out_of_range: 11, 1, 10"
    );
    assert_eq!(error.to_string(), text);
}

#[test]
fn the_dialled_end_prints_the_address_it_dialled() {
    for mut field in [Field::simulated(1), Field::unix()] {
        let (_client, server, node) = field.met_pair();
        let expected = format!("[{}]@{{{}}}", server.rpc().node(), site(server.address()));
        assert_eq!(node.caller().to_string(), expected);
    }
}

everywhere! {
    fn a_forwarded_exception_keeps_its_origin(field: &mut Field) {
        let (client, middle, node) = field.pair();
        let far = field.peer("far");
        let onward = field.dial(&middle, &far);
        middle.when_asked(move |_, _, _, key, reply| onward.raise(key).then(reply));
        let error = field.outcome(&client, node.ask("Muad'Dib")).unwrap_err();
        assert_eq!(error.get::<NoSuchKey>().unwrap().key, "Muad'Dib");
        assert_eq!(error.origin().unwrap(), far.accepted()[0].name().unwrap().to_string());
        let ErrorKind::Raised(raised) = error.kind() else { panic!("{error}") };
        assert_eq!((raised.file.as_str(), raised.line), ("desk.rs", line_of(RAISE)));
    }
}

everywhere! {
    fn what_a_handler_wraps_in_words_of_its_own_is_its_own(field: &mut Field) {
        let (client, middle, node) = field.pair();
        let far = field.peer("far");
        let onward = field.dial(&middle, &far);
        middle.when_asked(move |_, cx, _, key, reply| {
            let k = cx.on_err(reply, |_, _, error: Error, reply| {
                let NoSuchKey { key } = error.get().unwrap();
                reply.err(NoSuchKey { key: format!("{key}, nor here") }.raise());
            });
            onward.raise(key).then(k);
        });
        let error = field.outcome(&client, node.ask("Muad'Dib")).unwrap_err();
        assert_eq!(error.get::<NoSuchKey>().unwrap().key, "Muad'Dib, nor here");
        assert_eq!(error.origin().unwrap(), middle.accepted()[0].name().unwrap().to_string());
    }
}

everywhere! {
    fn outside_text_cannot_move_the_cursor(field: &mut Field) {
        let (client, _server, node) = field.pair();
        let error = field.outcome(&client, node.raise("a\u{1b}[2J\nb")).unwrap_err();
        assert_eq!(error.get::<NoSuchKey>().unwrap().key, "a\u{1b}[2J\nb", "the value itself is untouched");
        let text = error.to_string();
        assert!(text.ends_with("::no_such_key: a\\u{1b}[2J\\u{a}b"), "{text}");
    }
}

everywhere! {
    fn an_undeclared_failure_prints_its_words(field: &mut Field) {
        let (client, _server, node) = field.pair();
        let error = field.outcome(&client, node.fail("no water left")).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("rpc error: [") && text.ends_with(": remote failure: no water left"), "{text}");
    }
}

everywhere! {
    fn long_texts_are_cut_and_values_are_not(field: &mut Field) {
        let terse = limits(|limits| limits.error_text = 10);
        let (client, _server, node) = field.pair_with(Limits::default(), terse);
        let error = field.outcome(&client, node.fail("0123456789")).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Failed("0123456789".into()));
        let error = field.outcome(&client, node.fail("012345678\u{e9}")).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Failed("012345678".into()), "whole characters");
        let error = field.outcome(&client, node.raise("longer than ten bytes")).unwrap_err();
        assert_eq!(error.get::<NoSuchKey>().unwrap().key, "longer than ten bytes");
        let ErrorKind::Raised(raised) = error.kind() else { panic!("{error}") };
        assert_eq!(raised.text.len(), 10);
    }
}

#[test]
fn an_error_is_one_pointer_and_goes_to_other_threads() {
    let error = NoSuchKey { key: "arrakis".into() }.raise();
    assert_eq!(size_of_val(&error), size_of::<usize>());
    let copy = error.clone();
    let there = std::thread::spawn(move || copy.get::<NoSuchKey>().unwrap().key);
    assert_eq!(there.join().unwrap(), "arrakis");
    assert_eq!(error.origin(), None, "it has not left its process");
}

#[test]
fn a_class_whose_data_does_not_decode_gives_no_value() {
    /// Another program's idea of the same exception.
    #[derive(Debug)]
    struct Other(u8);
    impl std::fmt::Display for Other {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "{}", self.0)
        }
    }
    impl peers_rpc::wire::Encode for Other {
        fn encode(&self, w: &mut peers_rpc::wire::Writer<'_>) {
            w.write(&self.0);
        }
    }
    impl<'a> peers_rpc::wire::Decode<'a> for Other {
        const MIN_SIZE: usize = 1;
        fn decode(r: &mut peers_rpc::wire::Reader<'a>) -> Result<Self, peers_rpc::wire::Error> {
            Ok(Self(r.read()?))
        }
    }
    impl Exception for Other {
        const CLASS: &'static str = NoSuchKey::CLASS;
    }
    let error = Other(7).raise();
    assert!(error.is::<NoSuchKey>(), "classes compare by name");
    assert_eq!(error.get::<NoSuchKey>(), None);
}

in_other_worlds! {
    the_dialled_end_prints_the_address_it_dialled;
}
