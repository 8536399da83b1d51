//! A frame and its header of sixteen bytes. What the bodies mean lives in `message`; cutting a
//! stream into frames in `deframer`, writing them in `put`.
//!
//! Invariants:
//! 1. A header that was read is well formed: its kind is known, and what must be zero is. Kept by
//!    `likely`, `a_kind_has_the_lengths_that_the_page_gives_it`.

use byteorder::{ByteOrder, NetworkEndian};

use crate::Error;

/// The length of the header before each body, in bytes.
pub const HEADER: usize = 16;

/// Flag of calls and events: the head carries a [`Trace`](crate::Trace).
pub const TRACED: u8 = 1;

/// Says what a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The first frame of each side.
    Hello,
    /// A request that wants an answer.
    Call,
    /// A request that wants none.
    Event,
    /// The value that answers a call.
    Reply,
    /// The exception that answers a call.
    Exception,
    /// A call was not executed, or has no outcome to tell.
    Refused,
    /// The caller does not want an answer any more.
    Cancel,
    /// The other side may send more requests.
    Credit,
    /// Asks for a pong.
    Ping,
    /// Answers a ping.
    Pong,
    /// The last frame of a side.
    Bye,
    /// Nothing more will be sent, but answers are still read. Older versions skip it.
    HalfClose,
    /// A frame of a later version that may be skipped without harm; the number is from 129 up.
    Ignorable(u8),
}

impl Kind {
    /// Returns the number on the wire.
    #[inline]
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Hello => 1,
            Self::Call => 2,
            Self::Event => 3,
            Self::Reply => 4,
            Self::Exception => 5,
            Self::Refused => 6,
            Self::Cancel => 7,
            Self::Credit => 8,
            Self::Ping => 9,
            Self::Pong => 10,
            Self::Bye => 11,
            Self::HalfClose => 128,
            Self::Ignorable(number) => number,
        }
    }

    /// Returns the kind with this number.
    ///
    /// # Errors
    /// [`Error::ReservedKind`] for 32 to 47, [`Error::UnknownKind`] for others below 128 that are
    /// not assigned.
    #[inline]
    pub const fn from_number(number: u8) -> Result<Self, Error> {
        Ok(match number {
            1 => Self::Hello,
            2 => Self::Call,
            3 => Self::Event,
            4 => Self::Reply,
            5 => Self::Exception,
            6 => Self::Refused,
            7 => Self::Cancel,
            8 => Self::Credit,
            9 => Self::Ping,
            10 => Self::Pong,
            11 => Self::Bye,
            128 => Self::HalfClose,
            129.. => Self::Ignorable(number),
            32..=47 => return Err(Error::ReservedKind { found: number }),
            found => return Err(Error::UnknownKind { found }),
        })
    }

    /// Returns the flags that may be set on this kind.
    const fn flags(self) -> u8 {
        match self {
            Self::Call | Self::Event => TRACED,
            Self::Ignorable(_) => u8::MAX,
            _ => 0,
        }
    }

    /// Returns whether the frame speaks of no call, so that its id must be zero.
    const fn is_without_call(self) -> bool {
        matches!(self, Self::Hello | Self::Event | Self::Credit | Self::Bye | Self::HalfClose)
    }
}

/// The second word of a header without flags, of those kinds that come most often.
const CALL: u32 = (Kind::Call.number() as u32) << 24;
const EVENT: u32 = (Kind::Event.number() as u32) << 24;
const REPLY: u32 = (Kind::Reply.number() as u32) << 24;

/// The sixteen bytes before a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The length of the body, in bytes.
    pub length: u32,
    /// The kind of frame.
    pub kind: Kind,
    /// [`TRACED`] or nothing.
    pub flags: u8,
    /// The call the frame speaks of; a number of the sender's choice in ping and pong; else 0.
    pub call: u64,
}

impl Header {
    /// Spells the header as it is sent.
    #[inline]
    #[must_use]
    pub fn to_bytes(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        NetworkEndian::write_u32(&mut bytes[0..4], self.length);
        bytes[4] = self.kind.number();
        bytes[5] = self.flags;
        NetworkEndian::write_u64(&mut bytes[8..16], self.call);
        bytes
    }

    /// Reads and checks a header. Whether the length is acceptable now is for the
    /// [`Deframer`](crate::Deframer).
    ///
    /// # Errors
    /// [`Error::UnknownKind`], [`Error::ReservedKind`], [`Error::UnknownFlags`],
    /// [`Error::NotZero`], [`Error::BadLength`].
    #[inline]
    pub fn from_bytes(bytes: &[u8; HEADER]) -> Result<Self, Error> {
        Self::likely(bytes).map_or_else(|| Self::from_other_bytes(bytes), Ok)
    }

    /// Reads the header of a reply, or of a call or event without flags: those that come most
    /// often, each of which is one word to compare. `None` of any other, be it good or bad.
    #[inline(always)]
    pub(crate) fn likely(bytes: &[u8; HEADER]) -> Option<Self> {
        let start = NetworkEndian::read_u64(&bytes[..8]);
        let (length, call) = ((start >> 32) as u32, NetworkEndian::read_u64(&bytes[8..]));
        let kind = match start as u32 {
            REPLY => Kind::Reply,
            // Long enough for their heads, so that whoever reads these need not look.
            CALL if length >= 16 => Kind::Call,
            EVENT if length >= 16 && call == 0 => Kind::Event,
            _ => return None,
        };
        debug_assert!(Self::from_other_bytes(bytes).is_ok(), "what is likely is well formed");
        Some(Self { length, kind, flags: 0, call })
    }

    fn from_other_bytes(bytes: &[u8; HEADER]) -> Result<Self, Error> {
        let kind = Kind::from_number(bytes[4])?;
        let header = Self {
            length: NetworkEndian::read_u32(&bytes[0..4]),
            kind,
            flags: bytes[5],
            call: NetworkEndian::read_u64(&bytes[8..16]),
        };
        // A flag changes what the body means, so one that is not known cannot be skipped.
        if header.flags & !kind.flags() != 0 {
            return Err(Error::UnknownFlags { kind: bytes[4], found: header.flags });
        }
        // A later version can give these bytes a meaning only if none has been sent before.
        if bytes[6] | bytes[7] != 0 {
            return Err(Error::NotZero { field: "reserved half of a frame header" });
        }
        if header.call != 0 && kind.is_without_call() {
            return Err(Error::NotZero { field: "call id of a frame without a call" });
        }
        header.check_length()?;
        Ok(header)
    }

    #[inline]
    fn check_length(&self) -> Result<(), Error> {
        let (expected, exact) = match self.kind {
            Kind::Call | Kind::Event if self.flags & TRACED != 0 => (32, false),
            Kind::Call | Kind::Event => (16, false),
            Kind::Cancel | Kind::Ping | Kind::Pong | Kind::HalfClose => (0, true),
            Kind::Credit => (4, true),
            Kind::Hello => (30, false),
            Kind::Exception => (28, false),
            Kind::Refused | Kind::Bye => (10, false),
            Kind::Reply | Kind::Ignorable(_) => return Ok(()),
        };
        if self.length < expected || (exact && self.length != expected) {
            let kind = self.kind.number();
            return Err(Error::BadLength { kind, length: self.length, expected });
        }
        Ok(())
    }
}

/// One frame, borrowed from the segment it arrived in or from the deframer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The kind of frame.
    pub kind: Kind,
    /// [`TRACED`] or nothing.
    pub flags: u8,
    /// The call the frame speaks of; a number of the sender's choice in ping and pong; else 0.
    pub call: u64,
    /// The bytes behind the header.
    pub body: &'a [u8],
}

impl<'a> Frame<'a> {
    #[inline]
    pub(crate) const fn new(header: Header, body: &'a [u8]) -> Self {
        Self { kind: header.kind, flags: header.flags, call: header.call, body }
    }
}
