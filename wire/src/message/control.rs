//! A connection's own frames: hello, cancel, credit, ping, pong, half-close. When they may be sent,
//! and what to do about them, lives in no file here.
//!
//! Invariants:
//! 1. A message that is written can be read. Kept by `each_frame_survives_reading_and_writing`.
//! 2. A hello is a structure, so that later versions may add fields. Kept by
//!    `frames_of_later_versions_are_read_as_far_as_known`.

use std::fmt;

use crate::codec::{Reader, read_structure};
use crate::frame::{HEADER, Header, Kind, put_bounded, put_header};
use crate::opening::VERSION;
use crate::{Error, limits};

/// Says who a process is: 120 random bits, printed in hexadecimal, without leading zeros.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId {
    // In halves: a `u128` would make whatever holds one as even as itself, and larger.
    high: u64,
    low: u64,
}

impl NodeId {
    /// Makes the id of the lower 120 bits of `bits`.
    #[must_use]
    pub const fn from_bits(bits: u128) -> Self {
        // 120 bits, as they are printed and as they travel.
        let bits = bits & (u128::MAX >> 8);
        Self { high: (bits >> 64) as u64, low: bits as u64 }
    }

    /// Returns the 120 bits.
    #[must_use]
    pub const fn bits(self) -> u128 {
        (self.high as u128) << 64 | self.low as u128
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.bits())
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
    /// Says who the sender is.
    pub node: NodeId,
    /// The largest frame body, in bytes, the sender accepts; at least [`limits::LEAST_FRAME`].
    pub max_frame: u32,
    /// The number of unanswered requests that the receiver may have, those before the hello
    /// included.
    pub window: u32,
}

impl Hello {
    /// Makes a hello with our version and the default limits.
    #[must_use]
    pub const fn new(node: NodeId) -> Self {
        Self { version: VERSION, node, max_frame: limits::FRAME, window: limits::WINDOW }
    }

    /// Appends the frame.
    pub fn put(&self, out: &mut Vec<u8>) {
        put_bounded(out, Kind::Hello, 0, |w| {
            w.structure(|w| {
                w.u16(self.version);
                w.u128(self.node.bits());
                w.u32(self.max_frame);
                w.u32(self.window);
            });
        });
    }

    /// Reads the body of a hello.
    ///
    /// # Errors
    /// Whatever is wrong with the bytes; [`Error::TooSmall`] for a frame limit nobody can live
    /// with.
    pub fn decode(body: &[u8]) -> Result<Self, Error> {
        read_structure(body, |r| {
            let hello = Self {
                version: r.u16()?,
                node: read_node(r)?,
                max_frame: r.u32()?,
                window: r.u32()?,
            };
            let (found, least) = (hello.max_frame, limits::LEAST_FRAME);
            // Frames of that size are sent before anybody's limit is known.
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
    // Two spellings of one id would be two nodes to whoever compares bytes.
    if node.bits() == bits {
        Ok(node)
    } else {
        Err(Error::NotZero { field: "top byte of a node id" })
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

/// The sender will end its half of the stream behind this frame, and still reads the answers owed
/// to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HalfClose;

/// The other side may send `amount` more requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credit {
    /// The number of requests.
    pub amount: u32,
}

impl Cancel {
    /// Appends the frame.
    #[inline]
    pub fn put(&self, out: &mut Vec<u8>) {
        put_header(out, Header { length: 0, kind: Kind::Cancel, flags: 0, call: self.call });
    }
}

impl Ping {
    /// Appends the frame.
    #[inline]
    pub fn put(&self, out: &mut Vec<u8>) {
        put_header(out, Header { length: 0, kind: Kind::Ping, flags: 0, call: self.number });
    }
}

impl Pong {
    /// Appends the frame.
    #[inline]
    pub fn put(&self, out: &mut Vec<u8>) {
        put_header(out, Header { length: 0, kind: Kind::Pong, flags: 0, call: self.number });
    }
}

impl HalfClose {
    /// Appends the frame.
    pub fn put(self, out: &mut Vec<u8>) {
        put_header(out, Header { length: 0, kind: Kind::HalfClose, flags: 0, call: 0 });
    }
}

impl Credit {
    /// Appends the frame.
    #[inline]
    pub fn put(&self, out: &mut Vec<u8>) {
        let header = Header { length: 4, kind: Kind::Credit, flags: 0, call: 0 };
        let mut bytes = [0; HEADER + 4];
        bytes[..HEADER].copy_from_slice(&header.to_bytes());
        bytes[HEADER..].copy_from_slice(&self.amount.to_be_bytes());
        out.extend_from_slice(&bytes);
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
