//! Values and their bytes, in both directions, with budgets that keep hostile bytes cheap.
//!
//! ```text
//!   types, trees, tuple, borrowed, value     how each type is spelled
//!   traits  reader  writer                   what spelling is, and where it goes
//!   body  copy                               memory
//! ```

mod body;
mod borrowed;
mod copy;
mod reader;
mod traits;
mod trees;
mod tuple;
mod types;
mod value;
mod writer;

pub use body::Body;
pub(crate) use copy::append_bytes;
pub(crate) use reader::read_structure;
pub use reader::{Reader, Structure};
pub use traits::{Decode, DecodeOwned, Encode, Encoded, append, from_slice, to_vec};
pub use value::{Record, Value};
pub use writer::Writer;
