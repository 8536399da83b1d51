//! Promise: an error says what its reader can do about it, in words and not in forms of Rust.

use peers_rpc::session::Violation;
use peers_rpc::{CloseReason, Error, ErrorKind, Refusal};

#[test]
fn errors_say_what_to_do() {
    let (method, expected, reason) = ("registry.node.get", "String", "4 bytes".to_owned());
    for (kind, advice) in [
        (
            ErrorKind::BadReply { method, expected, reason },
            "compare the interfaces with `rpcc check`",
        ),
        (
            ErrorKind::Refused(Refusal::BadArguments("4 bytes".to_owned())),
            "compare the interfaces with `rpcc check`",
        ),
        (ErrorKind::TooLarge { size: 9, limit: 8 }, "send less, or raise the limit on both sides"),
        (ErrorKind::TooDeep { depth: 65 }, "do two sides call each other for ever?"),
    ] {
        let shown = Error::from(kind).to_string();
        assert!(shown.contains(advice), "{shown}");
    }
}

#[test]
fn no_end_of_a_connection_shows_a_form_of_rust() {
    let reason = CloseReason::Protocol(Violation::NoHello(peers_wire::Kind::Ignorable(200)));
    let shown = reason.to_string();
    assert!(shown.ends_with("its first frame was no hello, but of kind 200"), "{shown}");
}
