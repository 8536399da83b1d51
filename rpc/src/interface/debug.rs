//! `Debug` of the types that hold text of a peer: as if it were derived, with escapes for what
//! cannot be seen in the text.

use crate::interface::error::{ErrorKind, Outer, Raised, Refusal};
use crate::session::{CloseReason, Outcome};
use peers_wire::Quoted;
use std::fmt::{Debug, Formatter, Result};

impl Debug for ErrorKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Raised(raised) => f.debug_tuple("Raised").field(raised).finish(),
            Self::Failed(text) => f.debug_tuple("Failed").field(&Quoted(text)).finish(),
            Self::Panicked => f.write_str("Panicked"),
            Self::NoReply => f.write_str("NoReply"),
            Self::TimedOut { method, after, outer } => {
                let mut fields = f.debug_struct("TimedOut");
                fields.field("method", method).field("after", after).field("outer", outer).finish()
            }
            Self::Cancelled => f.write_str("Cancelled"),
            Self::Disconnected(reason) => f.debug_tuple("Disconnected").field(reason).finish(),
            Self::Refused(why) => f.debug_tuple("Refused").field(why).finish(),
            Self::Overloaded(why) => f.debug_tuple("Overloaded").field(why).finish(),
            Self::BadReply { method, expected, reason } => f
                .debug_struct("BadReply")
                .field("method", method)
                .field("expected", expected)
                .field("reason", &Quoted(reason))
                .finish(),
            Self::BadPickle(reason) => f.debug_tuple("BadPickle").field(&Quoted(reason)).finish(),
            Self::TooLarge { size, limit } => {
                f.debug_struct("TooLarge").field("size", size).field("limit", limit).finish()
            }
            Self::TooDeep { depth } => f.debug_struct("TooDeep").field("depth", depth).finish(),
            Self::Lost(lost) => f.debug_tuple("Lost").field(lost).finish(),
            Self::ClosurePanicked(text) => {
                f.debug_tuple("ClosurePanicked").field(&Quoted(text)).finish()
            }
            Self::Misuse(misuse) => f.debug_tuple("Misuse").field(misuse).finish(),
            Self::Io { kind, text } => {
                f.debug_struct("Io").field("kind", kind).field("text", &Quoted(text)).finish()
            }
            Self::BadAddress(error) => f.debug_tuple("BadAddress").field(error).finish(),
            Self::InsecureBind(refused) => f.debug_tuple("InsecureBind").field(refused).finish(),
            Self::Security(error) => f.debug_tuple("Security").field(error).finish(),
            Self::AlreadyBound(error) => f.debug_tuple("AlreadyBound").field(error).finish(),
        }
    }
}

impl Debug for Outer {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let mut fields = f.debug_struct("Outer");
        let caller = self.caller.as_deref().map(Quoted);
        fields.field("method", &self.method).field("caller", &caller).finish()
    }
}

impl Debug for Refusal {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::UnknownMethod(method) => f.debug_tuple("UnknownMethod").field(method).finish(),
            Self::BadArguments(text) => f.debug_tuple("BadArguments").field(&Quoted(text)).finish(),
            Self::Closing => f.write_str("Closing"),
            Self::TooDeep => f.write_str("TooDeep"),
            Self::Other(text) => f.debug_tuple("Other").field(&Quoted(text)).finish(),
        }
    }
}

impl Debug for Raised {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Raised")
            .field("class", &Quoted(&self.class))
            .field("text", &Quoted(&self.text))
            .field("file", &Quoted(&self.file))
            .field("line", &self.line)
            .field("data", &self.data)
            .finish()
    }
}

impl Debug for CloseReason {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::PeerBye { code, text } => {
                let mut fields = f.debug_struct("PeerBye");
                fields.field("code", code).field("text", &Quoted(text)).finish()
            }
            Self::Io(kind, text) => f.debug_tuple("Io").field(kind).field(&Quoted(text)).finish(),
            Self::ConnectFailed { address, kind, text } => f
                .debug_struct("ConnectFailed")
                .field("address", &Quoted(address))
                .field("kind", kind)
                .field("text", &Quoted(text))
                .finish(),
            Self::BindFailed(why) => f.debug_tuple("BindFailed").field(why).finish(),
            Self::Crowded(why) => f.debug_tuple("Crowded").field(why).finish(),
            Self::Security(error) => f.debug_tuple("Security").field(error).finish(),
            Self::Foreign(opening) => f.debug_tuple("Foreign").field(opening).finish(),
            Self::Version { ours, theirs } => {
                f.debug_struct("Version").field("ours", ours).field("theirs", theirs).finish()
            }
            Self::Protocol(violation) => f.debug_tuple("Protocol").field(violation).finish(),
            Self::Local => f.write_str("Local"),
            Self::RpcGone => f.write_str("RpcGone"),
            Self::EndOfStream => f.write_str("EndOfStream"),
            Self::Finished => f.write_str("Finished"),
            Self::HelloTimeout => f.write_str("HelloTimeout"),
            Self::FrameTimeout => f.write_str("FrameTimeout"),
            Self::PeerTimeout => f.write_str("PeerTimeout"),
            Self::Unused => f.write_str("Unused"),
            Self::SlowPeer => f.write_str("SlowPeer"),
            Self::Lingered => f.write_str("Lingered"),
            Self::Myself => f.write_str("Myself"),
            Self::AcceptPanicked => f.write_str("AcceptPanicked"),
            Self::Exhausted => f.write_str("Exhausted"),
        }
    }
}

impl Debug for Outcome<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Exception(exception) => f.debug_tuple("Exception").field(exception).finish(),
            Self::Refused(code, text) => {
                f.debug_tuple("Refused").field(code).field(&Quoted(text)).finish()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use std::io;

    /// Nothing in it shows, and the standard library escapes the first two only.
    const HIDDEN: &str = "\u{1b}\u{202e}\u{3164}\u{fe0f}\u{2800}";
    const SHOWN: &str = r"\u{1b}\u{202e}\u{3164}\u{fe0f}\u{2800}";

    #[test]
    fn no_text_of_a_peer_hides_in_a_debug_form() {
        let hidden = || HIDDEN.to_owned();
        let (class, text, file) = (hidden(), hidden(), hidden());
        let kinds = [
            ErrorKind::Raised(Raised { class, text, file, line: 1, data: Vec::new() }),
            ErrorKind::Failed(hidden()),
            ErrorKind::BadPickle(hidden()),
            ErrorKind::ClosurePanicked(hidden()),
            ErrorKind::BadReply { method: "m", expected: "u8", reason: hidden() },
            ErrorKind::Refused(Refusal::BadArguments(hidden())),
            ErrorKind::Refused(Refusal::Other(hidden())),
            ErrorKind::Disconnected(CloseReason::Io(io::ErrorKind::Other, hidden())),
            ErrorKind::Disconnected(CloseReason::PeerBye {
                code: peers_wire::ByeCode::Closed,
                text: hidden(),
            }),
        ];
        for kind in kinds {
            let error = Error::from(kind);
            for shown in [format!("{error:?}"), format!("{:?}", error.kind())] {
                assert!(shown.contains(SHOWN), "{shown}");
                assert!(!shown.contains(peers_kernel::is_invisible), "{shown}");
            }
        }
    }
}
