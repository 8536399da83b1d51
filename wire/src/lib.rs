//! Bytes: frames, messages and values, with a limit on everything. No sockets, no loop, no clock:
//! bytes go in, typed values come out, and the other way round.
//!
//! Floors, the lowest at the bottom; a room uses itself and what is below it:
//!
//! ```text
//!   message    what a frame means: calls, replies, exceptions, a connection's own frames
//!   frame      a header before each body; a stream cut into frames; the preamble
//!   codec      values and their bytes, with budgets
//!   error      every way bytes can be wrong
//!   limits  opening  text    numbers; first bytes; what of a text may be shown
//! ```
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

pub mod limits;
mod opening;
mod text;

mod error;

mod codec;

mod frame;

mod message;

#[doc(hidden)]
pub mod fuzz;

pub use codec::{Body, Decode, DecodeOwned, Encode, Encoded, Reader, Record, Structure, Value};
pub use codec::{Writer, append, from_slice, to_vec};
pub use error::Error;
pub use frame::{Deframer, Frame, Front, HEADER, Header, Kind, PreambleReader, TRACED};
pub use frame::{put_frame, put_header};
pub use message::{Bye, ByeCode, CallHead, Cancel, Credit, Exception, HalfClose, Hello, Message};
pub use message::{NodeId, Ping, Pong, Refused, RefusedCode, Trace, method_id};
pub use message::{put_bytes_reply, put_call, put_event, put_reply, put_request};
pub use opening::{Opening, PREAMBLE, Sniffed, VERSION, sniff};
pub use text::{Quoted, is_invisible};
