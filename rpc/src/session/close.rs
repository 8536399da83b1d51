//! Says why a connection ended, for whoever waited on it, and what the peer is told about it.
//!
//! Everything that can end a connection is here, also what only endpoints and listeners find out,
//! so that one word serves calls, `on_close` and the log.

use crate::security::SecurityError;
use crate::session::text::Escaped;
use peers_wire::{ByeCode, Kind, Opening, Sniffed};
use std::fmt;
use std::io;

/// Says why a connection ended. The printed form says what to do about it where something can be
/// done.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// Closed by this side.
    Local,
    /// The `Rpc` that owned the endpoint has ended.
    RpcGone,
    /// The peer said goodbye.
    PeerBye {
        /// Its reason.
        code: ByeCode,
        /// Its words, unescaped.
        text: String,
    },
    /// The peer ended the connection without a word: its process may have died.
    EndOfStream,
    /// The peer has said that it sends nothing more, and nothing is owed to it.
    Finished,
    /// The operating system reported an error on the connection.
    Io(io::ErrorKind, String),
    /// The address could not be reached.
    ConnectFailed {
        /// The address, as it was given.
        address: String,
        /// Holds what kind of error it was.
        kind: io::ErrorKind,
        /// The address that could not be reached, and the words of the system or resolver.
        text: String,
    },
    /// No complete hello within
    /// [`Limits::handshake_timeout`](crate::limits::Limits::handshake_timeout).
    HelloTimeout,
    /// A frame began and was not complete within
    /// [`Limits::frame_timeout`](crate::limits::Limits::frame_timeout).
    FrameTimeout,
    /// Nothing came for [`Limits::peer_timeout`](crate::limits::Limits::peer_timeout), not even the
    /// answer to a ping.
    PeerTimeout,
    /// No call for [`Limits::keep_alive`](crate::limits::Limits::keep_alive); this side dialled and
    /// serves nothing, so it hung up.
    Unused,
    /// Output piled up because the peer does not read it.
    SlowPeer,
    /// The connection was ending and took longer than
    /// [`Limits::linger`](crate::limits::Limits::linger).
    Lingered,
    /// The peer has this side's own node id: a process that dialled itself, or something that sends
    /// back what it is sent.
    Myself,
    /// The objects that were to be served on a connection that this side accepted could not be
    /// bound.
    BindFailed(AlreadyBound),
    /// Says that what was to bind objects on a connection that this side accepted has panicked.
    AcceptPanicked,
    /// This side had no room for the connection; why is in the words.
    Crowded(&'static str),
    /// It is not known who is at the other end, or not any more that nothing was changed.
    Security(SecurityError),
    /// The other side speaks something else.
    Foreign(Opening),
    /// The other side speaks another version of the protocol.
    Version {
        /// The version spoken here.
        ours: u16,
        /// The version in the peer's opening.
        theirs: u16,
    },
    /// The other side broke the protocol.
    Protocol(Violation),
    /// All call ids of the connection were used: dial again.
    Exhausted,
}

/// Says how a peer broke the protocol. Only a broken or hostile peer does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// Bytes that are no message.
    Bytes(peers_wire::Error),
    /// A node id in its hello that is not the beginning of the key that it has proven.
    ForeignId,
    /// Its first frame was no hello.
    NoHello(Kind),
    /// A second hello.
    SecondHello,
    /// An answer to a call that was never sent.
    ForgedReply {
        /// The call's id.
        call: u64,
    },
    /// The id of a call that still runs, for another call.
    RepeatedCall {
        /// The id.
        call: u64,
    },
    /// More requests than the window has room for.
    BeyondWindow {
        /// The window.
        window: u32,
    },
    /// A frame behind the one that said that there would be none.
    AfterHalfClose,
    /// More frames that cost it nothing than
    /// [`Limits::control_rate`](crate::limits::Limits::control_rate) allows.
    Calm,
}

impl CloseReason {
    /// Returns what the peer is told: the code of the goodbye. `None` where a goodbye would not be
    /// understood or cannot arrive.
    pub(super) fn bye_code(&self) -> Option<ByeCode> {
        Some(match self {
            Self::Local | Self::RpcGone | Self::Finished | Self::Lingered | Self::Exhausted => {
                ByeCode::Closed
            }
            Self::Myself => ByeCode::Closed,
            Self::BindFailed(_) | Self::AcceptPanicked => ByeCode::Internal,
            Self::Crowded(_) => ByeCode::Overloaded,
            Self::Security(SecurityError::Stranger { .. }) => ByeCode::Closed,
            Self::Unused => ByeCode::Idle,
            Self::HelloTimeout | Self::FrameTimeout | Self::PeerTimeout => ByeCode::TimedOut,
            Self::SlowPeer => ByeCode::SlowPeer,
            Self::Protocol(Violation::Bytes(peers_wire::Error::FrameTooLarge { .. })) => {
                ByeCode::FrameTooLarge
            }
            Self::Protocol(Violation::Calm) => ByeCode::Calm,
            Self::Protocol(_) => ByeCode::Protocol,
            Self::PeerBye { .. }
            | Self::EndOfStream
            | Self::Io(..)
            | Self::ConnectFailed { .. }
            | Self::Security(_)
            | Self::Foreign(_)
            | Self::Version { .. } => return None,
        })
    }
}

impl CloseReason {
    /// Returns what the peer is told besides the code: how it broke the protocol, else nothing it
    /// does not know.
    pub(super) fn bye_text(&self) -> String {
        match self {
            Self::Protocol(violation) => violation.to_string(),
            Self::Myself => "a node id that is this side's own".to_owned(),
            Self::BindFailed(error) => format!("nothing can be served here: {error}"),
            Self::AcceptPanicked => "nothing can be served here".to_owned(),
            Self::Crowded(why) => (*why).to_owned(),
            Self::Security(SecurityError::Stranger { .. }) => "your key is off the list".to_owned(),
            _ => String::new(),
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("closed by this side"),
            Self::RpcGone => f.write_str("this side's Rpc has ended"),
            Self::PeerBye { code, text } if text.is_empty() => {
                write!(f, "the peer said goodbye: {code}")
            }
            Self::PeerBye { code, text } => {
                write!(f, "the peer said goodbye: {code}: {}", Escaped(text))
            }
            Self::EndOfStream => f.write_str("the peer ended the connection; has it died?"),
            Self::Finished => f.write_str("the peer sends nothing more; dial again when needed"),
            Self::Io(_, text) => write!(f, "connection broken: {}", Escaped(text)),
            Self::ConnectFailed { address, kind, text } => {
                let deaf = match kind {
                    io::ErrorKind::ConnectionRefused => true,
                    io::ErrorKind::NotFound => address.starts_with("unix:"),
                    _ => false,
                };
                write!(f, "{}{}", Escaped(text), if deaf { "; does it listen?" } else { "" })
            }
            Self::BindFailed(error) => write!(f, "nothing could be served: {error}"),
            Self::Crowded(why) => write!(f, "turned away: {why}"),
            Self::Security(error) => error.fmt(f),
            Self::Foreign(opening) => {
                write!(f, "not a peer: {opening}; check the address")?;
                let alert = opening.looks_like() == Sniffed::TlsAlert;
                f.write_str(if alert { "; encrypted? put its key into the address" } else { "" })
            }
            Self::Version { ours, theirs } => write!(
                f,
                "the peer speaks protocol version {theirs}, this side {ours}; upgrade the older one"
            ),
            Self::Protocol(violation) => write!(f, "the peer broke the protocol: {violation}"),
            Self::Exhausted => f.write_str("all call ids of the connection are used; dial again"),
            Self::Myself => f.write_str(
                "this process has reached itself: the address is its own, or what answers there is an echo",
            ),
            Self::AcceptPanicked => {
                f.write_str("nothing could be served: what binds objects here has panicked")
            }
            _ => self.fmt_clock(f),
        }
    }
}

impl CloseReason {
    fn fmt_clock(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HelloTimeout => {
                "connected, but no hello in time; is it a peer, and is it overloaded?"
            }
            Self::FrameTimeout => "a message began and did not end in time",
            Self::PeerTimeout => {
                "the peer has been silent for too long; it or the way to it is down"
            }
            Self::Unused => "unused for long; dial again when needed",
            Self::SlowPeer => "the peer does not read what it is sent",
            _ => "the connection took too long to end",
        })
    }
}

impl std::error::Error for CloseReason {}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(error) => error.fmt(f),
            Self::NoHello(kind) => {
                write!(f, "its first frame was no hello, but of kind {}", kind.number())
            }
            Self::ForeignId => f.write_str("a node id that is not the beginning of its key"),
            Self::SecondHello => f.write_str("a second hello"),
            Self::ForgedReply { call } => {
                write!(f, "an answer to call {call:#x}, which was never sent")
            }
            Self::RepeatedCall { call } => write!(f, "the id of running call {call:#x} once more"),
            Self::BeyondWindow { window } => write!(f, "more than the {window} requests granted"),
            Self::AfterHalfClose => f.write_str("a frame after it said that it sends nothing more"),
            Self::Calm => f.write_str("too many pings, cancels or frames without a meaning"),
        }
    }
}

impl std::error::Error for Violation {}

/// Sorts what a decoder found: foreign and older peers are no criminals.
impl From<peers_wire::Error> for CloseReason {
    fn from(error: peers_wire::Error) -> Self {
        match error {
            peers_wire::Error::Foreign(opening) => Self::Foreign(opening),
            peers_wire::Error::UnsupportedVersion { found } => {
                Self::Version { ours: peers_wire::VERSION, theirs: found }
            }
            error => Self::Protocol(Violation::Bytes(error)),
        }
    }
}

impl From<Violation> for CloseReason {
    fn from(violation: Violation) -> Self {
        Self::Protocol(violation)
    }
}

/// A method was bound twice on one endpoint: for two objects, or with the same interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlreadyBound {
    /// The first method that was bound before.
    pub method: &'static str,
}

impl fmt::Display for AlreadyBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = self.method;
        write!(
            f,
            "{method} is bound on this endpoint already: bind each interface once, and interfaces with a method in \
             common to one object"
        )
    }
}

impl std::error::Error for AlreadyBound {}
