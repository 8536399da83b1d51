//! What the bodies of frames mean: one type per kind, with its bytes. When a message may be sent, and what to do about
//! it, never lives here.
//!
//! Invariants: 1. a message that is written can be read; 2. hello, exception, refused and bye are structures, so that later versions
//! may add fields; 3. texts are bounded in both directions.

use std::fmt;
use std::time::Duration;

use crate::frame::{Frame, HEADER, Header, Kind, TRACED, put_frame, put_header};
use crate::writer::append;
use crate::{Encode, Error, Reader, Sink, VERSION, Writer, limits};

/// Who a process is: 120 random bits, printed as 30 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u128);

impl NodeId {
    /// The id made of the lower 120 bits of `bits`.
    #[must_use]
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits & (u128::MAX >> 8))
    }

    /// The 120 bits.
    #[must_use]
    pub const fn bits(self) -> u128 {
        self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:030x}", self.0)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({self})")
    }
}

/// The first frame of each side: what it is and what it accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The version of the protocol the sender speaks.
    pub version: u16,
    /// Who the sender is.
    pub node: NodeId,
    /// The largest frame body, in bytes, the sender accepts; at least [`limits::LEAST_FRAME`].
    pub max_frame: u32,
    /// How many unanswered requests the receiver may have, those before the hello included.
    pub grant: u32,
}

impl Hello {
    /// A hello with our version and the default limits.
    #[must_use]
    pub const fn new(node: NodeId) -> Self {
        Self { version: VERSION, node, max_frame: limits::FRAME, grant: limits::GRANT }
    }

    /// Appends the frame.
    pub fn put<S: Sink>(&self, out: &mut S) {
        put_bounded(out, Kind::Hello, 0, |w| {
            w.structure(|w| {
                w.u16(self.version);
                w.u128(self.node.bits());
                w.u32(self.max_frame);
                w.u32(self.grant);
            });
        });
    }

    /// Reads the body of a hello.
    ///
    /// # Errors
    /// Whatever is wrong with the bytes; [`Error::TooSmall`] for a frame limit nobody can live with.
    pub fn decode(body: &[u8]) -> Result<Self, Error> {
        read_structure(body, |r| {
            let hello = Self {
                version: r.u16()?,
                node: read_node(r)?,
                max_frame: r.u32()?,
                grant: r.u32()?,
            };
            let (found, least) = (hello.max_frame, limits::LEAST_FRAME);
            if found < least {
                return Err(Error::TooSmall { field: "frame limit of a hello", found, least });
            }
            Ok(hello)
        })
    }
}

fn read_node(r: &mut Reader<'_>) -> Result<NodeId, Error> {
    let bits = r.u128()?;
    let node = NodeId::from_bits(bits);
    if node.bits() == bits {
        Ok(node)
    } else {
        Err(Error::NotZero { field: "top byte of a node id" })
    }
}

/// Where a call stands in the tree of calls it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The call the whole tree grew from.
    pub root: u64,
    /// The call that made this one.
    pub parent: u64,
}

/// What stands before the arguments of a call or event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallHead {
    /// The number of the method, from [`method_id`](crate::method_id).
    pub method: u64,
    /// Milliseconds the caller will still wait, rounded up; 0: no limit.
    pub remaining_ms: u32,
    /// How many calls stand above this one.
    pub depth: u16,
    /// Where the call belongs, if the sender traces.
    pub trace: Option<Trace>,
}

impl CallHead {
    /// The head of a call by nobody's order and without a deadline.
    #[must_use]
    pub const fn new(method: u64) -> Self {
        Self { method, remaining_ms: 0, depth: 0, trace: None }
    }

    /// What `remaining` is on the wire: milliseconds rounded up, at least 1, at most what fits (49 days).
    ///
    /// ```
    /// # use peers_wire::CallHead;
    /// # use std::time::Duration;
    /// assert_eq!(CallHead::millis(Duration::from_micros(1)), 1);
    /// assert_eq!(CallHead::millis(Duration::from_secs(30)), 30_000);
    /// ```
    #[must_use]
    pub fn millis(remaining: Duration) -> u32 {
        let millis = remaining.as_nanos().div_ceil(1_000_000);
        u32::try_from(millis).unwrap_or(u32::MAX).max(1)
    }

    /// How long the caller will still wait; none: no limit.
    #[must_use]
    pub const fn remaining(&self) -> Option<Duration> {
        match self.remaining_ms {
            0 => None,
            millis => Some(Duration::from_millis(millis as u64)),
        }
    }

    /// The flags of a frame with this head.
    #[inline]
    #[must_use]
    pub const fn flags(&self) -> u8 {
        if self.trace.is_some() { TRACED } else { 0 }
    }

    /// How many bytes the head takes: 16, or 32 with a trace.
    #[inline]
    #[must_use]
    pub const fn size(&self) -> usize {
        if self.trace.is_some() { 32 } else { 16 }
    }

    #[inline]
    fn encode(&self, w: &mut Writer<'_>) {
        let mut bytes = [0; 32];
        bytes[0..8].copy_from_slice(&self.method.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.remaining_ms.to_be_bytes());
        bytes[12..14].copy_from_slice(&self.depth.to_be_bytes());
        if let Some(Trace { root, parent }) = self.trace {
            bytes[16..24].copy_from_slice(&root.to_be_bytes());
            bytes[24..32].copy_from_slice(&parent.to_be_bytes());
        }
        w.put(&bytes[..self.size()]);
    }

    /// Reads the head of a call or event; the reader given back stands before the arguments.
    ///
    /// # Errors
    /// [`Error::Truncated`], [`Error::NotZero`].
    #[inline]
    pub fn decode<'a>(frame: &Frame<'a>) -> Result<(Self, Reader<'a>), Error> {
        let mut r = Reader::new(frame.body);
        let method = r.u64()?;
        let remaining_ms = r.u32()?;
        let depth = r.u16()?;
        if r.u16()? != 0 {
            return Err(Error::NotZero { field: "reserved half of a call head" });
        }
        let trace = match frame.flags & TRACED {
            0 => None,
            _ => Some(Trace { root: r.u64()?, parent: r.u64()? }),
        };
        Ok((Self { method, remaining_ms, depth, trace }, r))
    }
}

/// Appends a call and its arguments in one pass. Arguments that are encoded already are given as
/// [`Encoded`](crate::Encoded).
///
/// # Errors
/// Those of [`Writer::finish`]; nothing is appended then. `limit` bounds the body, in bytes.
#[inline]
pub fn put_call<S: Sink, A: Encode + ?Sized>(
    out: &mut S,
    limit: u32,
    call: u64,
    head: &CallHead,
    args: &A,
) -> Result<(), Error> {
    put_frame(out, limit, Kind::Call, head.flags(), call, |w| {
        head.encode(w);
        args.encode(w);
    })
}

/// Appends an event and its arguments; else like [`put_call`].
///
/// # Errors
/// As [`put_call`].
#[inline]
pub fn put_event<S: Sink, A: Encode + ?Sized>(
    out: &mut S,
    limit: u32,
    head: &CallHead,
    args: &A,
) -> Result<(), Error> {
    put_frame(out, limit, Kind::Event, head.flags(), 0, |w| {
        head.encode(w);
        args.encode(w);
    })
}

/// Appends a call (`Some`) or an event (`None`) up to its arguments, `args` bytes that the caller sends right behind from a
/// chunk of their own.
///
/// # Errors
/// [`Error::OutputTooLarge`] if head and arguments exceed `limit`; nothing is appended then.
pub fn put_call_head<S: Sink>(
    out: &mut S,
    limit: u32,
    call: Option<u64>,
    head: &CallHead,
    args: usize,
) -> Result<(), Error> {
    let size = head.size().saturating_add(args);
    let length = match u32::try_from(size) {
        Ok(length) if length <= limit => length,
        _ => return Err(Error::OutputTooLarge { size, limit: limit as usize }),
    };
    let kind = if call.is_some() { Kind::Call } else { Kind::Event };
    put_header(out, Header { length, kind, flags: head.flags(), call: call.unwrap_or(0) });
    let mut writer = Writer::new(out);
    head.encode(&mut writer);
    writer.finish()
}

/// Appends the reply to a call.
///
/// # Errors
/// Those of [`Writer::finish`]; nothing is appended then. `limit` bounds the body, in bytes.
#[inline]
pub fn put_reply<S: Sink, T: Encode + ?Sized>(
    out: &mut S,
    limit: u32,
    call: u64,
    value: &T,
) -> Result<(), Error> {
    put_frame(out, limit, Kind::Reply, 0, call, |w| value.encode(w))
}

/// A declared exception on its way to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exception<'a> {
    /// Its class, for example `registry.no_such_key`.
    pub class: &'a str,
    /// Where it was raised: the endpoint as its process prints it. Cut to [`limits::PLACE`].
    pub origin: &'a str,
    /// The source file that raised it. Cut to [`limits::PLACE`].
    pub file: &'a str,
    /// The line in that file.
    pub line: u32,
    /// What a human is told. Cut to [`limits::TEXT`].
    pub text: &'a str,
    /// The exception's fields, encoded.
    pub data: &'a [u8],
}

impl<'a> Exception<'a> {
    /// Appends the frame.
    ///
    /// # Errors
    /// Those of [`Writer::finish`]; nothing is appended then. `limit` bounds the body, in bytes.
    pub fn put<S: Sink>(&self, out: &mut S, limit: u32, call: u64) -> Result<(), Error> {
        put_frame(out, limit, Kind::Exception, 0, call, |w| {
            w.structure(|w| {
                w.write(self.class);
                w.write(cut(self.origin, limits::PLACE));
                w.write(cut(self.file, limits::PLACE));
                w.u32(self.line);
                w.write(cut(self.text, limits::TEXT));
                w.bytes(self.data);
            });
        })
    }

    /// Reads the body of an exception.
    ///
    /// # Errors
    /// Whatever is wrong with the bytes.
    pub fn decode(body: &'a [u8]) -> Result<Self, Error> {
        read_structure(body, |r| {
            Ok(Self {
                class: r.str()?,
                origin: cut(r.str()?, limits::PLACE),
                file: cut(r.str()?, limits::PLACE),
                line: r.u32()?,
                text: cut(r.str()?, limits::TEXT),
                data: r.bytes()?,
            })
        })
    }
}

/// A closed list of numbers of which later versions may know more.
macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $number:literal $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
            /// A number that this version does not know.
            Other(u16),
        }

        impl $name {
            /// The number on the wire.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self {
                    $(Self::$variant => $number,)*
                    Self::Other(number) => number,
                }
            }

            /// The code with this number.
            #[must_use]
            pub const fn from_number(number: u16) -> Self {
                match number {
                    $($number => Self::$variant,)*
                    other => Self::Other(other),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant => f.write_str($text),)*
                    Self::Other(number) => write!(f, "code {number}"),
                }
            }
        }
    };
}

codes! {
    /// Why a call has neither value nor exception.
    RefusedCode {
        /// Nobody bound such a method.
        UnknownMethod = 1 "unknown method",
        /// The arguments are not what the method takes.
        BadArguments = 2 "bad arguments",
        /// Not executed for lack of room: safe to repeat.
        Overloaded = 3 "overloaded",
        /// Not executed because the process is closing.
        Closing = 4 "closing",
        /// Not executed because its time had passed.
        Expired = 5 "expired",
        /// Not executed because too many calls stand above it.
        TooDeep = 6 "calls nested too deep",
        /// The implementation panicked.
        Internal = 7 "internal error",
        /// The implementation dropped the call without an answer.
        NoReply = 8 "no reply",
        /// The implementation failed in a way its interface does not declare.
        Failed = 9 "failed",
        /// Ended because the caller cancelled it.
        Cancelled = 10 "cancelled",
    }
}

codes! {
    /// Why a side ends the connection.
    ByeCode {
        /// Its owner closed it.
        Closed = 1 "closed",
        /// Nobody used it for long.
        Idle = 2 "idle",
        /// The other side broke the protocol.
        Protocol = 3 "protocol error",
        /// The other side sent a frame over the limit.
        FrameTooLarge = 4 "frame too large",
        /// The other side does not read.
        SlowPeer = 5 "slow peer",
        /// The other side sends too many frames that cost it nothing.
        Calm = 6 "too many control frames",
        /// The other side was silent, or did not finish what it began.
        TimedOut = 7 "timed out",
        /// No room for another connection.
        Overloaded = 8 "overloaded",
        /// Something broke on this side.
        Internal = 9 "internal error",
    }
}

/// The answer to a call that has neither value nor exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused<'a> {
    /// Why.
    pub code: RefusedCode,
    /// What a human is told. Cut to [`limits::REASON`].
    pub text: &'a str,
}

impl<'a> Refused<'a> {
    /// Appends the frame.
    pub fn put<S: Sink>(&self, out: &mut S, call: u64) {
        put_reason(out, Kind::Refused, call, self.code.number(), self.text);
    }

    /// Reads the body of a refusal.
    ///
    /// # Errors
    /// Whatever is wrong with the bytes.
    pub fn decode(body: &'a [u8]) -> Result<Self, Error> {
        let (number, text) = read_reason(body)?;
        Ok(Self { code: RefusedCode::from_number(number), text })
    }
}

/// The last frame of a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bye<'a> {
    /// Why.
    pub code: ByeCode,
    /// What a human is told. Cut to [`limits::REASON`].
    pub text: &'a str,
}

impl<'a> Bye<'a> {
    /// Appends the frame.
    pub fn put<S: Sink>(&self, out: &mut S) {
        put_reason(out, Kind::Bye, 0, self.code.number(), self.text);
    }

    /// Reads the body of a goodbye.
    ///
    /// # Errors
    /// Whatever is wrong with the bytes.
    pub fn decode(body: &'a [u8]) -> Result<Self, Error> {
        let (number, text) = read_reason(body)?;
        Ok(Self { code: ByeCode::from_number(number), text })
    }
}

/// The caller does not want an answer to `call` any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancel {
    /// The call.
    pub call: u64,
}

/// Asks whether the other side is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ping {
    /// Comes back in the pong.
    pub number: u64,
}

/// Answers a ping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pong {
    /// The ping's number.
    pub number: u64,
}

/// The other side may send `amount` more requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credit {
    /// How many.
    pub amount: u32,
}

impl Cancel {
    /// Appends the frame.
    #[inline]
    pub fn put<S: Sink>(&self, out: &mut S) {
        put_header(out, Header { length: 0, kind: Kind::Cancel, flags: 0, call: self.call });
    }
}

impl Ping {
    /// Appends the frame.
    #[inline]
    pub fn put<S: Sink>(&self, out: &mut S) {
        put_header(out, Header { length: 0, kind: Kind::Ping, flags: 0, call: self.number });
    }
}

impl Pong {
    /// Appends the frame.
    #[inline]
    pub fn put<S: Sink>(&self, out: &mut S) {
        put_header(out, Header { length: 0, kind: Kind::Pong, flags: 0, call: self.number });
    }
}

impl Credit {
    /// Appends the frame.
    #[inline]
    pub fn put<S: Sink>(&self, out: &mut S) {
        let header = Header { length: 4, kind: Kind::Credit, flags: 0, call: 0 };
        let mut bytes = [0; HEADER + 4];
        bytes[..HEADER].copy_from_slice(&header.to_bytes());
        bytes[HEADER..].copy_from_slice(&self.amount.to_be_bytes());
        append(out, &bytes);
    }

    /// Reads the body of a credit.
    ///
    /// # Errors
    /// [`Error::Truncated`], [`Error::TrailingBytes`].
    #[inline]
    pub fn decode(body: &[u8]) -> Result<Self, Error> {
        let mut r = Reader::new(body);
        let amount = r.u32()?;
        r.finish()?;
        Ok(Self { amount })
    }
}

/// A frame with its body read.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the variants are the kinds, their fields the types above")]
pub enum Message<'a> {
    Hello(Hello),
    Call {
        call: u64,
        head: CallHead,
        args: Reader<'a>,
    },
    Event {
        head: CallHead,
        args: Reader<'a>,
    },
    Reply {
        call: u64,
        value: Reader<'a>,
    },
    Exception {
        call: u64,
        exception: Exception<'a>,
    },
    Refused {
        call: u64,
        refused: Refused<'a>,
    },
    Cancel(Cancel),
    Credit(Credit),
    Ping(Ping),
    Pong(Pong),
    Bye(Bye<'a>),
    /// Of no meaning to this version.
    Ignorable,
}

impl<'a> Message<'a> {
    /// Reads a frame. Arguments and values are left to whoever knows their types.
    ///
    /// # Errors
    /// Whatever is wrong with the body.
    #[inline]
    pub fn decode(frame: &Frame<'a>) -> Result<Self, Error> {
        let call = frame.call;
        Ok(match frame.kind {
            Kind::Call => {
                let (head, args) = CallHead::decode(frame)?;
                Self::Call { call, head, args }
            }
            Kind::Event => {
                let (head, args) = CallHead::decode(frame)?;
                Self::Event { head, args }
            }
            Kind::Reply => Self::Reply { call, value: Reader::new(frame.body) },
            Kind::Exception => Self::Exception { call, exception: Exception::decode(frame.body)? },
            Kind::Refused => Self::Refused { call, refused: Refused::decode(frame.body)? },
            Kind::Cancel => Self::Cancel(Cancel { call }),
            Kind::Credit => Self::Credit(Credit::decode(frame.body)?),
            Kind::Ping => Self::Ping(Ping { number: call }),
            Kind::Pong => Self::Pong(Pong { number: call }),
            Kind::Hello => Self::Hello(Hello::decode(frame.body)?),
            Kind::Bye => Self::Bye(Bye::decode(frame.body)?),
            Kind::Ignorable(_) => Self::Ignorable,
        })
    }
}

/// Appends a frame whose body has a bounded size.
fn put_bounded<S: Sink>(out: &mut S, kind: Kind, call: u64, body: impl FnOnce(&mut Writer<'_>)) {
    put_frame(out, u32::MAX, kind, 0, call, body)
        .expect("a body of bounded size and depth fits a frame");
}

fn put_reason<S: Sink>(out: &mut S, kind: Kind, call: u64, code: u16, text: &str) {
    put_bounded(out, kind, call, |w| {
        w.structure(|w| {
            w.u16(code);
            w.write(cut(text, limits::REASON));
        });
    });
}

fn read_reason(body: &[u8]) -> Result<(u16, &str), Error> {
    read_structure(body, |r| Ok((r.u16()?, cut(r.str()?, limits::REASON))))
}

/// Reads a body that is one structure; fields of later versions are skipped.
fn read_structure<'a, T>(
    body: &'a [u8],
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut r = Reader::new(body);
    let value = read(&mut *r.structure()?)?;
    r.finish()?;
    Ok(value)
}

/// The longest start of `text` that has at most `limit` bytes and is whole characters.
fn cut(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    let end = (0..=limit).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}
