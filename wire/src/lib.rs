//! Bytes: frames, messages and values, with a limit on everything. No sockets, no loop, no clock:
//! bytes go in, typed values come out, and the other way round.
//!
//! A frame is a header and a body, in network byte order:
//!
//! ```text
//!   0      4     5      6      8                16
//!   +------+-----+------+------+----------------+------------
//!   | len  |kind |flags | zero |    call id     | body: len bytes
//!   +------+-----+------+------+----------------+------------
//! ```
//!
//! A connection carries, in each direction, a [`PREAMBLE`], a [`Hello`] and then frames. What
//! arrives is cut by a [`Deframer`] and read by [`Message::decode`]:
//!
//! ```
//! use peers_wire::{CallHead, Deframer, Message, limits, method_id, put_call};
//! # fn main() -> Result<(), peers_wire::Error> {
//! const GET: u64 = method_id("registry.node.get(string)->string");
//!
//! let mut stream = Vec::new();
//! put_call(&mut stream, limits::FRAME, 1, &CallHead::new(GET), &("arrakis",))?;
//!
//! let mut deframer = Deframer::new(limits::FRAME);
//! let mut input = stream.as_slice();
//! let frame = deframer.next(&mut input)?.expect("the frame is complete");
//! let Message::Call { call: 1, head, mut args } = Message::decode(&frame)? else {
//!     panic!("a call was sent");
//! };
//! assert_eq!(head.method, GET);
//! assert_eq!(args.read::<(String,)>()?.0, "arrakis");
//! args.finish()
//! # }
//! ```
//!
//! Values of the types of the interface language are spelled by [`Encode`] and [`Decode`]; a
//! [`Value`] says itself what it is. `docs/wire-protocol.md` specifies every byte.

#![forbid(unsafe_code)]

mod call;
mod codec;
mod deframer;
mod error;
mod frame;
#[doc(hidden)]
pub mod fuzz;
mod hash;
mod lent;
pub mod limits;
mod message;
mod outcome;
mod preamble;
mod quoted;
mod reader;
mod run;
mod text;
mod trees;
mod tuple;
mod value;
mod writer;

pub use call::{CallHead, Trace, put_bytes_reply, put_call, put_event, put_reply, put_request};
pub use codec::{Decode, DecodeOwned, Encode, Encoded};
pub use deframer::Deframer;
pub use error::Error;
pub use frame::{Frame, HEADER, Header, Kind, TRACED, put_frame, put_header};
pub use hash::method_id;
pub use message::{Cancel, Credit, HalfClose, Hello, Message, NodeId, Ping, Pong};
pub use outcome::{Bye, ByeCode, Exception, Refused, RefusedCode};
pub use preamble::{Opening, PREAMBLE, PreambleReader, Sniffed, VERSION, sniff};
pub use quoted::Quoted;
pub use reader::{Reader, Structure};
pub use run::{Body, Front};
pub use text::is_invisible;
pub use value::{Record, Value};
pub use writer::Writer;

/// Writes a value into a new vector.
///
/// # Errors
/// Those of [`Writer::finish`].
pub fn to_vec<T: Encode + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    append(&mut out, value)?;
    Ok(out)
}

/// Appends a value to `out`, for callers that have memory to write into.
///
/// # Errors
/// Those of [`Writer::finish`]; nothing is appended then.
#[inline]
pub fn append<T: Encode + ?Sized>(out: &mut Vec<u8>, value: &T) -> Result<(), Error> {
    let mut writer = Writer::new(out);
    value.encode(&mut writer);
    writer.finish()
}

/// Reads a value that takes the whole of `bytes`.
///
/// # Errors
/// Whatever is wrong with the bytes; [`Error::TrailingBytes`] if some are left over.
#[inline]
pub fn from_slice<'a, T: Decode<'a>>(bytes: &'a [u8]) -> Result<T, Error> {
    let mut reader = Reader::new(bytes);
    let value = T::decode(&mut reader)?;
    reader.finish()?;
    Ok(value)
}
