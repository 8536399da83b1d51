//! Says what a command prints when its call gave no value: the error, and what its reader can do
//! about it.
//!
//! Invariant: advice never contradicts the error. Only where nobody listens is it said that a node
//! is to be started.

use super::{Failure, RAISED, UNREACHED};
use peers_rpc::kernel::Address;
use peers_rpc::{CloseReason, Error, ErrorKind, Refusal, SecurityError};
use std::io;
use std::net::IpAddr;

/// Returns the words and the exit code for the outcome of a call to the node at `address`, made by
/// a process with or without a key that others can know.
pub(super) fn failure(address: &Address, error: &Error, has_key: bool) -> Failure {
    let (reached, hint) = match error.kind() {
        ErrorKind::Raised(_) | ErrorKind::Failed(_) | ErrorKind::Panicked | ErrorKind::NoReply => {
            return Failure { text: error.to_string(), code: RAISED };
        }
        ErrorKind::TimedOut { .. } => (false, late(address, error)),
        ErrorKind::Disconnected(reason) => (false, ended(address, reason, has_key)),
        ErrorKind::Refused(refusal) => (true, refused(refusal)),
        _ => (true, None),
    };
    let head = if reached { String::new() } else { format!("no answer from {address}: ") };
    let tail = hint.map(|hint| format!("\n{hint}")).unwrap_or_default();
    Failure { text: format!("{head}{error}{tail}"), code: UNREACHED }
}

/// The words and the exit code for an error that no address explains.
pub(super) fn unaddressed(error: &Error) -> Failure {
    match error.kind() {
        ErrorKind::Raised(_) | ErrorKind::Failed(_) | ErrorKind::Panicked | ErrorKind::NoReply => {
            Failure { text: error.to_string(), code: RAISED }
        }
        kind @ (ErrorKind::Io { .. }
        | ErrorKind::BadAddress(_)
        | ErrorKind::InsecureBind(_)
        | ErrorKind::AlreadyBound(_)) => Failure { text: kind.to_string(), code: UNREACHED },
        _ => Failure { text: error.to_string(), code: UNREACHED },
    }
}

/// Advises after a time-out. Before the node has said hello, its id is unknown; an IP address needs
/// no look-up.
fn late(address: &Address, error: &Error) -> Option<&'static str> {
    let met = error.origin().is_some_and(|origin| !origin.starts_with("[?]"));
    if met {
        return Some("it is busy or stopped: try a longer --timeout");
    }
    Some(match address {
        Address::Inet { host, .. } if host.parse::<IpAddr>().is_err() => {
            "there is no connection yet, and the name may not be looked up yet: check the address, \
             or try a longer --timeout"
        }
        _ => "there is no connection yet: check the address, or try a longer --timeout",
    })
}

fn ended(address: &Address, reason: &CloseReason, has_key: bool) -> Option<&'static str> {
    match reason {
        // A key made for one run is on no list.
        CloseReason::Security(SecurityError::NotAdmitted { .. }) if !has_key => {
            Some("give --key FILE with a key on its list")
        }
        CloseReason::ConnectFailed { kind, .. } => unreachable_at(address, *kind),
        CloseReason::Foreign(_) => None,
        CloseReason::HelloTimeout => {
            Some("check the address; if it is right, the node is busy or stopped")
        }
        CloseReason::PeerBye { .. } => Some("it is ending, or has had enough: try again later"),
        CloseReason::EndOfStream | CloseReason::Io(..) | CloseReason::PeerTimeout => {
            Some("it may have died: look at its log, or try again")
        }
        _ => None,
    }
}

fn unreachable_at(address: &Address, kind: io::ErrorKind) -> Option<&'static str> {
    const NOBODY: &str =
        "nobody listens there: start a node with the serve command, or check the address";
    match (address, kind) {
        (_, io::ErrorKind::ConnectionRefused) => Some(NOBODY),
        (Address::Unix { .. }, io::ErrorKind::NotFound) => Some(NOBODY),
        (Address::Inet { .. }, io::ErrorKind::NotFound) => Some("check the name"),
        (_, io::ErrorKind::TimedOut) => None, // the error says what did not answer
        (_, io::ErrorKind::PermissionDenied) => None,
        _ => Some("check the address"),
    }
}

fn refused(refusal: &Refusal) -> Option<&'static str> {
    match refusal {
        Refusal::UnknownMethod(_) => {
            Some("a node of another kind listens there: check the address")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use peers_rpc::Overload;
    use std::sync::Arc;
    use std::time::Duration;

    fn said(kind: ErrorKind) -> Failure {
        let address = "inet:localhost:5000".parse().unwrap();
        let error = Error::new(kind).through(&Arc::from("[1f]@{{AF_INET:localhost:5000}}"));
        failure(&address, &error, true)
    }

    fn no_connection(kind: io::ErrorKind) -> ErrorKind {
        let (address, text) = ("inet:localhost:5000".to_owned(), "it did not work".to_owned());
        ErrorKind::Disconnected(CloseReason::ConnectFailed { address, kind, text })
    }

    #[test]
    fn a_node_is_to_be_started_only_where_nobody_listens() {
        let refused = said(no_connection(io::ErrorKind::ConnectionRefused));
        assert!(refused.text.contains("start a node"), "{}", refused.text);
        for kind in [
            no_connection(io::ErrorKind::TimedOut),
            no_connection(io::ErrorKind::NotFound),
            no_connection(io::ErrorKind::Other),
            ErrorKind::TimedOut {
                method: "registry.node.get",
                after: Duration::from_secs(1),
                outer: None,
            },
            ErrorKind::Overloaded(Overload::Remote),
            ErrorKind::Refused(Refusal::Closing),
            ErrorKind::Refused(Refusal::UnknownMethod("registry.node.get")),
            ErrorKind::Disconnected(CloseReason::HelloTimeout),
            ErrorKind::Disconnected(CloseReason::EndOfStream),
            ErrorKind::TooLarge { size: 9, limit: 8 },
        ] {
            let failure = said(kind);
            assert!(!failure.text.contains("start a node"), "{}", failure.text);
            assert_eq!(failure.code, UNREACHED);
        }
    }

    #[test]
    fn who_answered_is_not_said_to_have_given_no_answer() {
        for kind in [
            ErrorKind::Overloaded(Overload::Remote),
            ErrorKind::Refused(Refusal::UnknownMethod("registry.node.get")),
            ErrorKind::Failed("no".to_owned()),
        ] {
            assert!(!said(kind.clone()).text.contains("no answer"), "{kind:?}");
        }
        assert!(said(no_connection(io::ErrorKind::TimedOut)).text.starts_with("no answer from "));
    }

    #[test]
    fn a_time_is_shown_as_it_was_asked_for() {
        let after = Duration::from_nanos(2_000_036_927);
        let late = ErrorKind::TimedOut { method: "registry.node.get", after, outer: None };
        assert!(said(late.clone()).text.contains("registry.node.get in 2s"), "{late}");
    }

    #[test]
    fn a_node_that_was_never_met_is_not_called_busy() {
        let late =
            ErrorKind::TimedOut { method: "registry.node.get", after: Duration::ZERO, outer: None };
        assert!(said(late.clone()).text.contains("busy"));
        let address = "inet:localhost:5000".parse().unwrap();
        let unmet = Error::new(late).through(&Arc::from("[?]@{{AF_INET:localhost:5000}}"));
        let by_name = failure(&address, &unmet, true).text;
        assert!(!by_name.contains("busy") && by_name.contains("the name may not"), "{by_name}");
        let by_number = failure(&"inet:127.0.0.1:5000".parse().unwrap(), &unmet, true).text;
        assert!(!by_number.contains("busy") && !by_number.contains("name"), "{by_number}");
    }
}
