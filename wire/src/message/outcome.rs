//! Defines how calls end without a value, and connections end at all: exception, refused, bye.
//! Replies live in `call`.
//!
//! Invariants:
//! 1. All three are structures, so that later versions may add fields. Kept by
//!    `outcomes_of_later_versions_are_read_as_far_as_known`.
//! 2. Texts are bounded in both directions. Kept by `texts_are_cut_exactly_at_their_limits`.
//! 3. A code this version does not know is kept, never an error. Kept by
//!    `outcomes_of_later_versions_are_read_as_far_as_known`.

use std::fmt;

use crate::codec::read_structure;
use crate::frame::{Kind, put_bounded, put_frame};
use crate::text::Quoted;
use crate::{Error, limits};

/// A declared exception on its way to the caller.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Exception<'a> {
    /// Its class, for example `registry.no_such_key`.
    pub class: &'a str,
    /// Says where it was raised: the endpoint as its process prints it. Cut to [`limits::PLACE`].
    pub origin: &'a str,
    /// The source file that raised it. Cut to [`limits::PLACE`].
    pub file: &'a str,
    /// The line in that file.
    pub line: u32,
    /// Holds what a human is told. Cut to [`limits::TEXT`].
    pub text: &'a str,
    /// The exception's fields, encoded.
    pub data: &'a [u8],
}

impl fmt::Debug for Exception<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exception")
            .field("class", &Quoted(self.class))
            .field("origin", &Quoted(self.origin))
            .field("file", &Quoted(self.file))
            .field("line", &self.line)
            .field("text", &Quoted(self.text))
            .field("data", &self.data)
            .finish()
    }
}

impl<'a> Exception<'a> {
    /// Appends the frame.
    ///
    /// # Errors
    /// Those of [`Writer::finish`](crate::Writer::finish); nothing is appended then. `limit` bounds
    /// the body, in bytes.
    pub fn put(&self, out: &mut Vec<u8>, limit: u32, call: u64) -> Result<(), Error> {
        put_frame(out, limit, Kind::Exception, 0, call, |w| {
            w.structure(|w| {
                // Never cut: a class that is not whole would be another one.
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
                // A sender without manners is cut here as well: texts end up in logs.
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
            /// Returns the number on the wire.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self {
                    $(Self::$variant => $number,)*
                    Self::Other(number) => number,
                }
            }

            /// Returns the code with this number.
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
    /// Says why a call has neither value nor exception.
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
    /// Says why a side ends the connection.
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
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Refused<'a> {
    /// Says why.
    pub code: RefusedCode,
    /// Holds what a human is told. Cut to [`limits::REASON`].
    pub text: &'a str,
}

impl fmt::Debug for Refused<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("Refused");
        fields.field("code", &self.code).field("text", &Quoted(self.text)).finish()
    }
}

impl<'a> Refused<'a> {
    /// Appends the frame.
    pub fn put(&self, out: &mut Vec<u8>, call: u64) {
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
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Bye<'a> {
    /// Says why.
    pub code: ByeCode,
    /// Holds what a human is told. Cut to [`limits::REASON`].
    pub text: &'a str,
}

impl fmt::Debug for Bye<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("Bye");
        fields.field("code", &self.code).field("text", &Quoted(self.text)).finish()
    }
}

impl<'a> Bye<'a> {
    /// Appends the frame.
    pub fn put(&self, out: &mut Vec<u8>) {
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

fn put_reason(out: &mut Vec<u8>, kind: Kind, call: u64, code: u16, text: &str) {
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

/// Returns the longest start of `text` that has at most `limit` bytes and is whole characters.
fn cut(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    // A cut inside a character would not be text.
    let end = (0..=limit).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}
