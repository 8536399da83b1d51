//! Frames: the first bytes of a connection, a header before each body, and a stream cut into them.
//! What the bodies mean lives in `message`.

mod deframer;
mod front;
mod header;
mod preamble;
mod put;

pub use deframer::Deframer;
pub use front::Front;
pub(crate) use front::WORTH_KEEPING_APART;
pub use header::{Frame, HEADER, Header, Kind, TRACED};
pub use preamble::PreambleReader;
pub(crate) use put::put_bounded;
pub use put::{put_frame, put_header};
