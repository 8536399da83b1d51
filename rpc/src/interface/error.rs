//! Errors of calls: one type, sorted by cause, cheap to clone and to send to other threads.
//!
//! Every call ends in a value or in one of these. Whoever holds one can ask for its kind, for the
//! declared exception it may carry, and for the endpoint that it came from. Printing is in the
//! tutorial's shape.
//!
//! Text that came from outside is escaped and cut where it is printed, never trusted.

use crate::AlreadyBound;
use crate::interface::Exception;
use crate::security::{InsecureBind, SecurityError};
use crate::session::CloseReason;
use crate::session::text::Escaped;
use peers_kernel::{AddressError, Lost};
use peers_wire::DecodeOwned;
use std::fmt;
use std::io;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

/// Says why a call gave no value. `Send`, `Clone`, one pointer wide.
///
/// ```
/// # use peers_rpc::doc::NoSuchKey;
/// use peers_rpc::{Error, ErrorKind};
/// fn advice(error: &Error) -> String {
///     match error.kind() {
///         ErrorKind::TimedOut { .. } => "ask again later".to_owned(),
///         ErrorKind::Disconnected(reason) => format!("dial again: {reason}"),
///         _ => match error.get::<NoSuchKey>() {
///             Some(missing) => format!("put {} first", missing.key),
///             None => error.to_string(),
///         },
///     }
/// }
/// let error = NoSuchKey { key: "arrakis".into() }.raise();
/// assert_eq!(advice(&error), "put arrakis first");
/// ```
#[derive(Clone)]
pub struct Error(Arc<Report>);

#[derive(Clone)]
struct Report {
    kind: ErrorKind,
    /// The printed name of the endpoint concerned; `None` for an error that has not left its
    /// process.
    origin: Option<Arc<str>>,
}

/// The causes, each with what the reader can do about it.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The remote method raised a declared exception: ask [`Error::get`] for it.
    Raised(Raised),
    /// The remote method failed without a declared exception; the text is all that is known.
    Failed(String),
    /// The remote method panicked. Its process lives on and logged where.
    Panicked,
    /// The remote method let go of its reply: a bug over there, named in its log.
    NoReply,
    /// No reply in time. It may still have been executed.
    TimedOut {
        /// The method called.
        method: &'static str,
        /// Says how long was waited for it.
        after: Duration,
        /// Some iff its own deadline had not come, but that of the call that it was made for.
        outer: Option<Box<Outer>>,
    },
    /// Cancelled, by its caller or together with the call that it was made for, or that one was
    /// over before.
    Cancelled,
    /// The connection ended first. Requests that were sent may have been executed.
    Disconnected(CloseReason),
    /// The other side would not start it. It was not executed.
    Refused(Refusal),
    /// Somebody's queue is full; it was not executed. Wait, then try again.
    Overloaded(Overload),
    /// The reply is not of the declared type: the two interfaces differ, compare them with
    /// `rpcc check`.
    BadReply {
        /// The method called.
        method: &'static str,
        /// The Rust type expected.
        expected: &'static str,
        /// Holds what was wrong with the bytes.
        reason: String,
    },
    /// Opaque bytes that do not decode to the type asked for.
    BadPickle(String),
    /// An argument or result is over its limit: send less, or raise the limit on both sides.
    TooLarge {
        /// Its size, in bytes.
        size: u64,
        /// The limit, in bytes.
        limit: u64,
    },
    /// A call within a call within a call… deeper than
    /// [`Limits::call_depth`](crate::Limits::call_depth): two peers that call each other for ever?
    TooDeep {
        /// The depth that this call would have had.
        depth: u16,
    },
    /// Its continuation was lost before an outcome, in this process.
    Lost(Lost),
    /// Says that what was given to the loop to run panicked there. The loop lives on.
    ClosurePanicked(String),
    /// The call was used in a way that can never work.
    Misuse(Misuse),
    /// The operating system said so, in setting up or in a method. The text may name paths: it is
    /// for this process, and what a method's caller is told does not contain it.
    Io {
        /// Its kind.
        kind: io::ErrorKind,
        /// Holds what it says.
        text: String,
    },
    /// The text is no address, in words that say what to write instead.
    BadAddress(AddressError),
    /// Others could reach what would listen: state a policy, or listen on localhost.
    InsecureBind(InsecureBind),
    /// Listening as asked needs a key of one's own.
    Security(SecurityError),
    /// The interface, or a method of it, is bound on the endpoint already.
    AlreadyBound(AlreadyBound),
}

/// A call being served, whose deadline bounds the calls that are made for it.
#[derive(Clone, PartialEq, Eq)]
pub struct Outer {
    /// The method served.
    pub method: &'static str,
    /// Says who called it, as printed; `None` once nobody knows.
    pub caller: Option<String>,
}

/// ` (the time that NAME had given for METHOD)`
impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let caller = self.caller.as_deref().unwrap_or("its caller");
        write!(f, " (the time that {} had given for {})", Escaped(caller), self.method)
    }
}

/// Says why the other side would not start a request.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// Nobody bound this method there: an older server, or another kind of node.
    UnknownMethod(&'static str),
    /// The arguments did not decode there: the two interfaces differ.
    BadArguments(String),
    /// It is closing and takes no new requests: ask somebody else.
    Closing,
    /// It would be nested too deeply.
    TooDeep,
    /// A reason from a newer protocol.
    Other(String),
}

/// Says which queue was full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overload {
    /// Too many requests wait for this endpoint's credit.
    Endpoint,
    /// The other process has as much to do as it may: calls that run, work for its threads, or what
    /// it holds for its peers.
    Remote,
    /// This process holds as much for its peers as it may: see
    /// [`Limits::process_bytes`](crate::Limits::process_bytes).
    Process,
    /// The worker threads of this process have no room.
    Workers,
    /// The loop's inbox for other threads is full.
    Inbox,
}

/// Says what can never work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misuse {
    /// `wait` on the loop's own thread would wait for itself: use a loop proxy and `then`.
    SyncOnLoop,
    /// `close` of a [`SyncEndpoint`](crate::SyncEndpoint) or of [`Peers`](crate::Peers) on the
    /// loop's own thread would wait for itself: use
    /// [`Endpoint::close_then`](crate::Endpoint::close_then) or [`Rpc::close`](crate::Rpc::close)
    /// there.
    CloseOnLoop,
    /// The loop that would make the call has ended.
    LoopGone,
}

/// A declared exception as it travels.
#[derive(Clone, PartialEq, Eq)]
pub struct Raised {
    /// The wire class, `stem.name`.
    pub class: String,
    /// The arguments, readable.
    pub text: String,
    /// Base name of the source file that raised it.
    pub file: String,
    /// Line of the raise.
    pub line: u32,
    /// The encoded exception.
    pub data: Vec<u8>,
}

impl Error {
    /// Makes an error of this kind, raised in this process.
    pub fn new(kind: ErrorKind) -> Self {
        Self(Arc::new(Report { kind, origin: None }))
    }

    /// Makes an error of a declared exception, raised at the caller's line. `exception.raise()`
    /// reads better.
    ///
    /// An exception too large for the wire becomes [`ErrorKind::TooLarge`].
    #[track_caller]
    pub fn raise<E: Exception>(exception: &E) -> Self {
        let at = Location::caller();
        let file = at.file().rsplit(['/', '\\']).next().unwrap_or_default();
        match peers_wire::to_vec(exception) {
            Err(error) => error.into(),
            Ok(data) => Self::new(ErrorKind::Raised(Raised {
                class: E::CLASS.to_owned(),
                text: exception.to_string(),
                file: file.to_owned(),
                line: at.line(),
                data,
            })),
        }
    }

    /// Makes an error of an undeclared failure, in words for whoever called.
    pub fn failed(text: impl Into<String>) -> Self {
        Self::new(ErrorKind::Failed(text.into()))
    }

    /// Returns the cause.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// Returns the endpoint that it came through, as printed; `None` for an error that has not left
    /// its process.
    pub fn origin(&self) -> Option<&str> {
        self.0.origin.as_deref()
    }

    /// Returns whether it is the declared exception `E`, by its wire class.
    pub fn is<E: Exception>(&self) -> bool {
        matches!(self.kind(), ErrorKind::Raised(raised) if raised.class == E::CLASS)
    }

    /// Returns the declared exception, if it is an `E` and its data decodes.
    pub fn get<E: Exception + DecodeOwned>(&self) -> Option<E> {
        match self.kind() {
            ErrorKind::Raised(raised) if raised.class == E::CLASS => {
                peers_wire::from_slice(&raised.data).ok()
            }
            _ => None,
        }
    }

    /// Returns whether trying again elsewhere or later is safe: it was certainly not executed.
    pub fn is_unexecuted(&self) -> bool {
        match self.kind() {
            ErrorKind::Refused(_) | ErrorKind::Overloaded(_) => true,
            ErrorKind::Disconnected(CloseReason::Security(error)) | ErrorKind::Security(error) => {
                error.is_unexecuted()
            }
            _ => false,
        }
    }

    /// Returns the error; a time-out then says that it was the time of the call that this one was
    /// made for.
    pub(crate) fn in_time_of(mut self, of: Outer) -> Self {
        if let ErrorKind::TimedOut { outer, .. } = &mut Arc::make_mut(&mut self.0).kind {
            *outer = Some(Box::new(of));
        }
        self
    }

    /// Returns the error, said to have come through `origin`, unless it already says where it comes
    /// from.
    #[doc(hidden)]
    pub fn through(self, origin: &Arc<str>) -> Self {
        match self.0.origin {
            // An error that is passed on names where it came from, not who passed it on.
            Some(_) => self,
            None => {
                Self(Arc::new(Report { kind: self.0.kind.clone(), origin: Some(origin.clone()) }))
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rpc error: ")?;
        if let Some(origin) = self.origin() {
            write!(f, "{}: ", Escaped(origin))?;
        }
        self.kind().fmt(f)
    }
}

/// As `Display`: what `main` returns and `unwrap` fails with is printed like this.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}

/// By cause, not by where it came through.
impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        self.kind() == other.kind()
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Raised(raised) => raised.fmt(f),
            Self::Failed(text) => write!(f, "remote failure: {}", Escaped(text)),
            Self::Panicked => f.write_str("remote failure: the method panicked"),
            Self::NoReply => f.write_str("remote failure: the method let go of its reply"),
            Self::TimedOut { method, after, outer } => {
                // A thread that waits wakes some microseconds later; nobody needs to read of those.
                let millis = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
                let after = if millis > 0 { Duration::from_millis(millis) } else { *after };
                write!(f, "timed out: no reply to {method} in {after:?}")?;
                outer.as_ref().map_or(Ok(()), |outer| outer.fmt(f))
            }
            Self::Cancelled => f.write_str("cancelled"),
            Self::Disconnected(reason) => write!(f, "disconnected: {reason}"),
            Self::Refused(refusal) => write!(f, "refused: {refusal}"),
            Self::Overloaded(place) => {
                write!(f, "overloaded: {place}; not executed, try again later")
            }
            Self::BadReply { method, expected, reason } => write!(
                f,
                "bad reply to {method}: not a {expected} ({}); compare the interfaces with `rpcc check`",
                Escaped(reason)
            ),
            Self::BadPickle(reason) => write!(f, "bad encoding: {}", Escaped(reason)),
            Self::TooLarge { size, limit } => {
                write!(
                    f,
                    "too large: {size} bytes, over the limit of {limit}; send less, or raise the limit on both sides"
                )
            }
            Self::TooDeep { depth } => write!(
                f,
                "too deep: a call at depth {depth}; do two sides call each other for ever?"
            ),
            Self::Lost(lost) => write!(f, "lost: {lost}"),
            Self::ClosurePanicked(text) => {
                write!(f, "what was given to the loop to run panicked: {}", Escaped(text))
            }
            Self::Misuse(misuse) => misuse.fmt(f),
            Self::Io { text, .. } => write!(f, "{}", Escaped(text)),
            Self::BadAddress(error) => error.fmt(f),
            Self::InsecureBind(refused) => refused.fmt(f),
            Self::Security(error) => error.fmt(f),
            Self::AlreadyBound(error) => error.fmt(f),
        }
    }
}

/// `remote exception: [node.rs:36] ::no_such_key: Muad'Dib`
impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let class = self.class.rsplit('.').next().unwrap_or_default();
        write!(f, "remote exception: [{}:{}] ", Escaped(&self.file), self.line)?;
        write!(f, "::{}: {}", Escaped(class), Escaped(&self.text))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownMethod(method) => {
                write!(f, "nobody there bound {method}; an older server, or another kind of node?")
            }
            Self::BadArguments(text) => {
                write!(
                    f,
                    "the arguments did not decode there: {}; compare the interfaces with `rpcc check`",
                    Escaped(text)
                )
            }
            Self::Closing => f.write_str("the other side is closing; ask somebody else"),
            Self::TooDeep => f.write_str("calls are nested too deeply"),
            Self::Other(text) => write!(f, "{}", Escaped(text)),
        }
    }
}

impl fmt::Display for Overload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Endpoint => "too many requests wait for this endpoint",
            Self::Remote => "the other process has as much to do as it may",
            Self::Process => "this process holds as much for its peers as it may",
            Self::Workers => "the worker threads have no room",
            Self::Inbox => "the loop's inbox is full",
        })
    }
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SyncOnLoop => {
                "misuse: wait() on the loop's own thread would never end; use a loop proxy and then()"
            }
            Self::CloseOnLoop => {
                "misuse: close() on the loop's own thread would wait for itself; close the endpoint or the Rpc there"
            }
            Self::LoopGone => "the loop that would make the call has ended; start one with spawn_loop()",
        })
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self::new(kind)
    }
}

impl From<Lost> for Error {
    fn from(lost: Lost) -> Self {
        Self::new(ErrorKind::Lost(lost))
    }
}

impl From<peers_kernel::Overloaded> for Error {
    fn from(_: peers_kernel::Overloaded) -> Self {
        Self::new(ErrorKind::Overloaded(Overload::Workers))
    }
}

impl From<peers_wire::Error> for Error {
    fn from(error: peers_wire::Error) -> Self {
        match error {
            peers_wire::Error::OutputTooLarge { size, limit } => {
                Self::new(ErrorKind::TooLarge { size: size as u64, limit: limit as u64 })
            }
            other => Self::new(ErrorKind::BadPickle(other.to_string())),
        }
    }
}
