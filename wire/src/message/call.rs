//! Requests and replies: the head of a call or event, and putting calls, events and replies. How a
//! call ends without a value lives in `outcome`.
//!
//! Invariants:
//! 1. Head and arguments are written in one pass, or not at all. Kept by
//!    `an_output_over_its_limit_is_left_as_it_was`,
//!    `a_head_alone_and_its_arguments_make_the_same_frame`.
//! 2. A deadline that is not none never becomes 0 on the way. Kept by
//!    `deadlines_round_up_and_never_vanish`.

use std::time::Duration;

use byteorder::{ByteOrder, NetworkEndian};

use crate::Error;
use crate::codec::{Encode, Reader};
use crate::frame::{Frame, HEADER, Kind, TRACED, put_frame};

/// Says where a call stands in the tree of calls it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The call the whole tree grew from.
    pub root: u64,
    /// The call that made this one.
    pub parent: u64,
}

/// The head of a call or event, which stands before the arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallHead {
    /// The number of the method, from [`method_id`](crate::method_id).
    pub method: u64,
    /// Milliseconds the caller will still wait, rounded up; 0: no limit.
    pub remaining_ms: u32,
    /// The number of calls that stand above this one.
    pub depth: u16,
    /// Says where the call belongs, if the sender traces.
    pub trace: Option<Trace>,
}

impl CallHead {
    /// Makes the head of a call that no other call has made, without a deadline.
    #[must_use]
    pub const fn new(method: u64) -> Self {
        Self { method, remaining_ms: 0, depth: 0, trace: None }
    }

    /// Returns what `remaining` is on the wire: milliseconds rounded up, at least 1, at most what
    /// fits (49 days).
    ///
    /// ```
    /// # use peers_wire::CallHead;
    /// # use std::time::Duration;
    /// assert_eq!(CallHead::millis(Duration::from_micros(1)), 1);
    /// assert_eq!(CallHead::millis(Duration::from_secs(30)), 30_000);
    /// ```
    #[inline]
    #[must_use]
    pub fn millis(remaining: Duration) -> u32 {
        // Rounded up, since 0 says that there is no limit.
        let part = remaining.subsec_nanos().div_ceil(1_000_000);
        let millis = remaining.as_secs().saturating_mul(1_000).saturating_add(part.into());
        u32::try_from(millis).unwrap_or(u32::MAX).max(1)
    }

    /// Returns how long the caller will still wait; none: no limit.
    #[must_use]
    pub const fn remaining(&self) -> Option<Duration> {
        match self.remaining_ms {
            0 => None,
            millis => Some(Duration::from_millis(millis as u64)),
        }
    }

    /// Returns the flags of a frame with this head.
    #[inline]
    #[must_use]
    pub const fn flags(&self) -> u8 {
        if self.trace.is_some() { TRACED } else { 0 }
    }

    /// Returns how many bytes the head takes: 16, or 32 with a trace.
    #[inline]
    #[must_use]
    pub const fn size(&self) -> usize {
        if self.trace.is_some() { 32 } else { 16 }
    }

    /// Spells the head, of which the first [`size`](Self::size) bytes count.
    #[inline]
    fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        NetworkEndian::write_u64(&mut bytes[0..8], self.method);
        NetworkEndian::write_u32(&mut bytes[8..12], self.remaining_ms);
        NetworkEndian::write_u16(&mut bytes[12..14], self.depth);
        if let Some(Trace { root, parent }) = self.trace {
            NetworkEndian::write_u64(&mut bytes[16..24], root);
            NetworkEndian::write_u64(&mut bytes[24..32], parent);
        }
        bytes
    }

    /// Reads the head of a call or event, and gives the bytes of the arguments.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    #[inline]
    pub fn split<'a>(frame: &Frame<'a>) -> Result<(Self, &'a [u8]), Error> {
        if let (0, Some((head, args))) = (frame.flags, frame.body.split_first_chunk::<16>()) {
            let method = NetworkEndian::read_u64(&head[..8]);
            let rest = NetworkEndian::read_u64(&head[8..]);
            let (remaining_ms, depth) = ((rest >> 32) as u32, (rest >> 16) as u16);
            if rest as u16 == 0 {
                return Ok((Self { method, remaining_ms, depth, trace: None }, args));
            }
        }
        let (head, args) = Self::decode(frame)?;
        Ok((head, args.rest()))
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
        // A later version can give these bytes a meaning only if none has been sent before.
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
/// Those of [`Writer::finish`](crate::Writer::finish); nothing is appended then. `limit` bounds the
/// body, in bytes.
#[inline]
pub fn put_call<A: Encode + ?Sized>(
    out: &mut Vec<u8>,
    limit: u32,
    call: u64,
    head: &CallHead,
    args: &A,
) -> Result<(), Error> {
    put_frame(out, limit, Kind::Call, head.flags(), call, |w| {
        w.put(&head.to_bytes()[..head.size()]);
        args.encode(w);
    })
}

/// Appends an event and its arguments; else like [`put_call`].
///
/// # Errors
/// As [`put_call`].
#[inline]
pub fn put_event<A: Encode + ?Sized>(
    out: &mut Vec<u8>,
    limit: u32,
    head: &CallHead,
    args: &A,
) -> Result<(), Error> {
    put_frame(out, limit, Kind::Event, head.flags(), 0, |w| {
        w.put(&head.to_bytes()[..head.size()]);
        args.encode(w);
    })
}

/// Appends a call (`Some`) or an event (`None`) whose arguments are encoded already: `args`, and
/// `behind` more bytes that the caller sends right behind from memory of their own.
///
/// That they fit the peer's frames is for the caller to know; of arguments beyond 4 GiB the length
/// would be cut.
#[inline(always)]
pub fn put_request(
    out: &mut Vec<u8>,
    call: Option<u64>,
    head: &CallHead,
    args: &[u8],
    behind: usize,
) {
    debug_assert!(u32::try_from(args.len() + behind).is_ok_and(|args| args <= u32::MAX - 32));
    let kind = if call.is_some() { Kind::Call } else { Kind::Event };
    let length = (head.size() + args.len() + behind) as u64;
    let fields = [
        length << 32 | u64::from(kind.number()) << 24 | u64::from(head.flags()) << 16,
        call.unwrap_or(0),
        head.method,
        u64::from(head.remaining_ms) << 32 | u64::from(head.depth) << 16,
    ];
    let mut block = [0; HEADER + 16];
    NetworkEndian::write_u64_into(&fields, &mut block);
    out.reserve(block.len() + 16 + args.len());
    out.extend_from_slice(&block);
    // The head of a traced request goes on: so its flag says.
    if let Some(Trace { root, parent }) = head.trace {
        out.extend_from_slice(&root.to_be_bytes());
        out.extend_from_slice(&parent.to_be_bytes());
    }
    out.extend_from_slice(args);
}

/// Appends the reply to a call whose value is spelled as a length and bytes: `bytes`, and `behind`
/// more that the caller sends right behind from memory of their own.
///
/// That they fit the peer's frames is for the caller to know; of more than 4 GiB the length would
/// be cut.
#[inline]
pub fn put_bytes_reply(out: &mut Vec<u8>, call: u64, bytes: &[u8], behind: usize) {
    debug_assert!(u32::try_from(bytes.len() + behind).is_ok_and(|all| all <= u32::MAX - 4));
    let all = bytes.len() + behind;
    let mut block = [0; HEADER + 4];
    let start = (all as u64 + 4) << 32 | u64::from(Kind::Reply.number()) << 24;
    NetworkEndian::write_u64(&mut block[..8], start);
    NetworkEndian::write_u64(&mut block[8..16], call);
    NetworkEndian::write_u32(&mut block[16..], all as u32);
    out.reserve(block.len() + bytes.len());
    out.extend_from_slice(&block);
    out.extend_from_slice(bytes);
}

/// Appends the reply to a call.
///
/// # Errors
/// Those of [`Writer::finish`](crate::Writer::finish); nothing is appended then. `limit` bounds the
/// body, in bytes.
#[inline]
pub fn put_reply<T: Encode + ?Sized>(
    out: &mut Vec<u8>,
    limit: u32,
    call: u64,
    value: &T,
) -> Result<(), Error> {
    put_frame(out, limit, Kind::Reply, 0, call, |w| value.encode(w))
}
