//! Frames: the header of sixteen bytes, and cutting a stream of segments into frames. What the
//! bodies mean lives in `message`; what a session does with frames never lives here.
//!
//! Invariants: 1. a header is judged as soon as its sixteen bytes are there; 2. memory grows only
//! with bytes that arrived, and what it held before is at most doubled; 3. how the stream is cut into
//! segments never shows in the frames; 4. a deframer between frames holds no memory: what the last
//! frame needed is dropped, or lent to the next one by way of the caller.

use byteorder::{ByteOrder, NetworkEndian};

use crate::{Error, Writer};

/// How many bytes stand before the body of each frame.
pub const HEADER: usize = 16;

/// Flag of calls and events: the head carries a [`Trace`](crate::Trace).
pub const TRACED: u8 = 1;

/// Kind, flags and reserved half of headers, as one number.
const CALL: u32 = (Kind::Call.number() as u32) << 24;
const EVENT: u32 = (Kind::Event.number() as u32) << 24;
const REPLY: u32 = (Kind::Reply.number() as u32) << 24;

/// What a frame is for.
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
    /// A frame of a later version that may be skipped without harm; the number is from 128 up.
    Ignorable(u8),
}

impl Kind {
    /// The number on the wire.
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
            Self::Ignorable(number) => number,
        }
    }

    /// The kind with this number.
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
            128.. => Self::Ignorable(number),
            32..=47 => return Err(Error::ReservedKind { found: number }),
            found => return Err(Error::UnknownKind { found }),
        })
    }

    /// Flags that may be set on this kind.
    const fn flags(self) -> u8 {
        match self {
            Self::Call | Self::Event => TRACED,
            Self::Ignorable(_) => u8::MAX,
            _ => 0,
        }
    }

    /// True iff the frame speaks of no call, so that its id must be zero.
    const fn is_without_call(self) -> bool {
        matches!(self, Self::Hello | Self::Event | Self::Credit | Self::Bye)
    }
}

/// The sixteen bytes before a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// How many bytes follow.
    pub length: u32,
    /// What the frame is for.
    pub kind: Kind,
    /// [`TRACED`] or nothing.
    pub flags: u8,
    /// The call the frame speaks of; a number of the sender's choice in ping and pong; else 0.
    pub call: u64,
}

impl Header {
    /// The header as it is sent.
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

    /// Reads and checks a header. Whether the length is acceptable now is for the [`Deframer`].
    ///
    /// # Errors
    /// [`Error::UnknownKind`], [`Error::ReservedKind`], [`Error::UnknownFlags`],
    /// [`Error::NotZero`], [`Error::BadLength`].
    #[inline]
    pub fn from_bytes(bytes: &[u8; HEADER]) -> Result<Self, Error> {
        let kind = Kind::from_number(bytes[4])?;
        let header = Self {
            length: NetworkEndian::read_u32(&bytes[0..4]),
            kind,
            flags: bytes[5],
            call: NetworkEndian::read_u64(&bytes[8..16]),
        };
        if header.flags & !kind.flags() != 0 {
            return Err(Error::UnknownFlags { kind: bytes[4], found: header.flags });
        }
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
            Kind::Cancel | Kind::Ping | Kind::Pong => (0, true),
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
    /// What the frame is for.
    pub kind: Kind,
    /// [`TRACED`] or nothing.
    pub flags: u8,
    /// The call the frame speaks of; a number of the sender's choice in ping and pong; else 0.
    pub call: u64,
    /// What follows the header.
    pub body: &'a [u8],
}

impl<'a> Frame<'a> {
    #[inline]
    const fn new(header: Header, body: &'a [u8]) -> Self {
        Self { kind: header.kind, flags: header.flags, call: header.call, body }
    }
}

/// Cuts a stream of bytes into frames.
///
/// A frame that lies wholly inside the input is borrowed from it; only an incomplete one at the end
/// is kept.
///
/// ```
/// use peers_wire::{Deframer, Kind, Ping};
/// # fn main() -> Result<(), peers_wire::Error> {
/// let mut stream = Vec::new();
/// Ping { number: 7 }.put(&mut stream);
/// Ping { number: 8 }.put(&mut stream);
///
/// let mut deframer = Deframer::new(4096);
/// let mut numbers = Vec::new();
/// for segment in stream.chunks(5) {
///     let mut input = segment;
///     while let Some(frame) = deframer.next(&mut input)? {
///         assert_eq!(frame.kind, Kind::Ping);
///         numbers.push(frame.call);
///     }
/// }
/// assert_eq!(numbers, [7, 8]);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Deframer {
    /// Some iff bytes are kept that were not handed out, or were, and are to be forgotten.
    held: Option<Box<Held>>,
    limit: u32,
}

/// The beginning of a frame whose end is owed; behind a [`Deframer::lend`], perhaps many frames.
#[derive(Debug, Default)]
struct Held {
    bytes: Vec<u8>,
    /// How many of them were handed out.
    at: usize,
}

/// A frame of fewer bytes is not worth a read of its own.
const WORTH_LENDING: usize = 32 << 10;

/// A read of fewer bytes is not worth asking for.
const LEAST_ROOM: usize = 16 << 10;

/// Bytes beyond which the memory for reading ahead does not grow, unless for one frame.
const READ_AHEAD: usize = 256 << 10;

impl Deframer {
    /// A deframer at the start of a stream that accepts bodies of at most `limit` bytes.
    #[must_use]
    pub const fn new(limit: u32) -> Self {
        Self { held: None, limit }
    }

    /// Changes the limit, from the next call of [`next`](Self::next) on.
    pub const fn set_limit(&mut self, limit: u32) {
        self.limit = limit;
    }

    /// How many bytes of an incomplete frame are kept: non-zero iff a frame has begun and the rest
    /// is owed.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.held.as_ref().map_or(0, |held| held.rest().len())
    }

    /// Takes the next frame from the front of `input`. `None` means that all of `input` was taken
    /// and more is needed.
    ///
    /// # Errors
    /// [`Error::FrameTooLarge`] and those of [`Header::from_bytes`], as soon as the header is
    /// there. The stream cannot be read any further; asking again gives the same error.
    #[inline]
    pub fn next<'s, 'i: 's>(
        &'s mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Frame<'s>>, Error> {
        self.next_with(input, &mut Vec::new())
    }

    /// Like [`next`](Self::next), for callers that cut many large frames: memory for an incomplete
    /// frame is taken out of `spare`, and put there when the frame has been dealt with. What `spare`
    /// contains is thrown away.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    #[inline]
    pub fn next_with<'s, 'i: 's>(
        &'s mut self,
        input: &mut &'i [u8],
        spare: &mut Vec<u8>,
    ) -> Result<Option<Frame<'s>>, Error> {
        if self.has_held(spare) {
            return self.complete(input);
        }
        let Some((header, rest)) = input.split_first_chunk::<HEADER>() else {
            return self.keep(input, HEADER, spare);
        };
        let header = judge(header, self.limit)?;
        let Some((body, rest)) = rest.split_at_checked(header.length as usize) else {
            return self.keep(input, HEADER + header.length as usize, spare);
        };
        *input = rest;
        Ok(Some(Frame::new(header, body)))
    }

    /// Takes the next frame if it lies wholly at the front of `input`, nothing is kept, and it is a
    /// reply, or a call or event without flags: a short way for what comes most often. `None` says
    /// no more than that [`next_with`](Self::next_with) is to be asked.
    #[inline]
    pub fn quick<'i>(&self, input: &mut &'i [u8]) -> Option<Frame<'i>> {
        let (header, rest) = input.split_first_chunk::<HEADER>()?;
        let start = NetworkEndian::read_u64(&header[..8]);
        let (length, kind) = ((start >> 32) as usize, start as u32);
        let call = NetworkEndian::read_u64(&header[8..]);
        let (kind, well) = match kind {
            REPLY => (Kind::Reply, true),
            CALL => (Kind::Call, length >= 16),
            EVENT => (Kind::Event, length >= 16 && call == 0),
            _ => return None,
        };
        if !well || length > self.limit as usize || self.held.is_some() {
            return None;
        }
        let (body, rest) = rest.split_at_checked(length)?;
        *input = rest;
        Some(Frame { kind, flags: 0, call, body })
    }

    /// Lends the beginning of a large frame, once [`next`](Self::next) has returned `None`, to be given back by
    /// [`give_back`](Self::give_back) with what comes next appended: read straight behind it, and
    /// as much as there is room for, be it more than the frame. `None` if no frame is owed for which
    /// that pays.
    pub fn lend(&mut self) -> Option<Vec<u8>> {
        let bytes = &mut self.held.as_mut()?.bytes;
        let header = Header::from_bytes(bytes.first_chunk()?).ok()?;
        let (total, len) = (HEADER + header.length as usize, bytes.len());
        if total < WORTH_LENDING {
            return None;
        }
        if bytes.capacity() - len < LEAST_ROOM {
            if len < LEAST_ROOM {
                return None;
            }
            bytes.reserve_exact(len.min(READ_AHEAD.max(total - len)));
        }
        self.held.take().map(|held| held.bytes)
    }

    /// Takes back what was lent, with more behind it.
    pub fn give_back(&mut self, mut bytes: Vec<u8>) {
        if bytes.len() == bytes.capacity() && bytes.len() < READ_AHEAD {
            bytes.reserve_exact(bytes.len());
        }
        self.held = Some(Box::new(Held { bytes, at: 0 }));
    }

    /// Whether anything is held that was not handed out; if not, the memory goes to `spare`.
    #[inline]
    fn has_held(&mut self, spare: &mut Vec<u8>) -> bool {
        match &self.held {
            None => false,
            Some(held) if held.rest().is_empty() => {
                self.forget(spare);
                false
            }
            Some(_) => true,
        }
    }

    /// Keeps all of `input`, which is less than the `total` bytes wanted.
    #[cold]
    fn keep<'s>(
        &'s mut self,
        input: &mut &[u8],
        total: usize,
        spare: &mut Vec<u8>,
    ) -> Result<Option<Frame<'s>>, Error> {
        if !input.is_empty() {
            let mut held = Held { bytes: std::mem::take(spare), at: 0 };
            held.bytes.clear();
            held.fill(input, total);
            self.held = Some(Box::new(held));
        }
        Ok(None)
    }

    /// All that was held has been handed out and dealt with.
    #[cold]
    fn forget(&mut self, spare: &mut Vec<u8>) {
        if let Some(held) = self.held.take()
            && held.bytes.capacity() > spare.capacity()
        {
            *spare = held.bytes;
        }
    }

    /// Goes on with the frame that has begun.
    #[cold]
    fn complete<'s>(&'s mut self, input: &mut &[u8]) -> Result<Option<Frame<'s>>, Error> {
        let limit = self.limit;
        let Some(held) = &mut self.held else { return Ok(None) };
        held.fill(input, HEADER);
        let Some(header) = held.rest().first_chunk::<HEADER>() else { return Ok(None) };
        let header = judge(header, limit)?;
        let total = HEADER + header.length as usize;
        held.fill(input, total);
        Ok(held.take(total).map(|frame| Frame::new(header, &frame[HEADER..])))
    }
}

impl Held {
    /// What was not handed out.
    #[inline]
    fn rest(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    /// Hands out `total` bytes, if they are there.
    fn take(&mut self, total: usize) -> Option<&[u8]> {
        let (frame, _) = self.bytes[self.at..].split_at_checked(total)?;
        self.at += total;
        Some(frame)
    }

    /// Moves bytes from `input` until `total` are there. Room at most doubles what is there, and
    /// never exceeds the frame.
    fn fill(&mut self, input: &mut &[u8], total: usize) {
        if self.rest().len() >= total {
            return;
        }
        self.bytes.drain(..std::mem::take(&mut self.at));
        let taken = input.len().min(total - self.bytes.len());
        let (head, rest) = input.split_at(taken);
        let needed = self.bytes.len() + taken;
        if needed > self.bytes.capacity() {
            let room = (self.bytes.len() * 2).clamp(needed, total.max(needed));
            self.bytes.reserve_exact(room - self.bytes.len());
        }
        self.bytes.extend_from_slice(head);
        *input = rest;
    }
}

#[inline]
fn judge(bytes: &[u8; HEADER], limit: u32) -> Result<Header, Error> {
    let header = Header::from_bytes(bytes)?;
    if header.length > limit {
        return Err(Error::FrameTooLarge { length: header.length, limit });
    }
    Ok(header)
}

/// Appends a frame whose body, of at most `limit` bytes, is written by `body`; the length is filled
/// in afterwards.
///
/// # Errors
/// Those of [`Writer::finish`]; sizes and limit count the body only. The output is then as it was
/// before.
#[inline]
pub fn put_frame(
    out: &mut Vec<u8>,
    limit: u32,
    kind: Kind,
    flags: u8,
    call: u64,
    body: impl FnOnce(&mut Writer<'_>),
) -> Result<(), Error> {
    let mut writer = Writer::with_limit(out, (limit as usize).saturating_add(HEADER));
    let at = writer.position();
    writer.put(&Header { length: 0, kind, flags, call }.to_bytes());
    body(&mut writer);
    writer.patch_length(at, HEADER);
    writer.finish().map_err(without_header)
}

/// Appends only the header of a frame: the `length` bytes of its body are appended or sent by the
/// caller.
#[inline]
pub fn put_header(out: &mut Vec<u8>, header: Header) {
    out.extend_from_slice(&header.to_bytes());
}

/// Appends a frame whose body has a bounded size.
pub(crate) fn put_bounded(
    out: &mut Vec<u8>,
    kind: Kind,
    call: u64,
    body: impl FnOnce(&mut Writer<'_>),
) {
    put_frame(out, u32::MAX, kind, 0, call, body)
        .expect("a body of bounded size and depth fits a frame");
}

/// Sizes in errors speak of the body, as limits do.
#[cold]
fn without_header(error: Error) -> Error {
    match error {
        Error::OutputTooLarge { size, limit } => {
            Error::OutputTooLarge { size: size - HEADER, limit: limit - HEADER }
        }
        other => other,
    }
}
