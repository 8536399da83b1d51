//! Calls without generated code: what the types of a [`Schema`] are on the wire, values of them,
//! their text, and methods and interfaces made while the program runs.
//!
//! ```
//! use peers_dynamic::{Interface, Typed, parse};
//! use peers_rpcc::Compiler;
//! use std::sync::Arc;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let text = "struct point { x: f64, y: f64 }\ninterface chart { far(of: list<point>) -> f64 }";
//! let schema = Arc::new(Compiler::with_loader(|_path| Ok(text.into())).schema("chart.rpc")?);
//! let chart = schema.interface_named("chart.chart").expect("it is declared");
//! let far = Interface::new(&schema, chart)?.find("far").expect("it has the method");
//!
//! let ty = far.arguments()[0].ty();
//! let points = parse(&schema, ty, "[point(x=1, y=2.5)]")?;
//! assert_eq!(Typed::new(&schema, ty, &points)?.to_string(), "[point(x=1.0, y=2.5)]");
//! let bytes = far.encode_arguments(&[points])?;
//! assert_eq!(bytes.len(), 4 + 4 + 8 + 8); // a count, a length, two numbers
//! # Ok(()) }
//! ```
//!
//! # Rooms of the source
//!
//! Lowest first: `value` has the values; `types` knows what a type takes; `fit` says whether a
//! value is of a type, and whatever writes relies on it; `encode` and `decode` are the codec,
//! `text` reads and prints; `intern` keeps descriptions for ever; `interface` makes calls and
//! `serve` answers them.
//!
//! Invariants:
//! 1. A value that fits its type is written as generated code writes it. Kept by
//!    `tests/same_bytes.rs`.
//! 2. What arrives is refused for what generated code refuses it for, and held in order. Kept by
//!    `tests/same_bytes.rs`.
//! 3. What was printed reads as the same value. Kept by `what_was_printed_reads_as_the_same_value`.

#![forbid(unsafe_code)]

mod types;
mod value;

mod fit;
mod intern;

mod decode;
mod encode;

mod interface;
mod text;

mod serve;

pub use decode::decode;
pub use encode::Typed;
pub use fit::Misfit;
pub use interface::{Interface, Method, Rest, Unfit};
pub use intern::{Full, MOST_BYTES, MOST_METHODS};
pub use peers_rpcc::Schema;
pub use serve::{Answer, Later, Object, bind};
pub use text::{TextError, parse};
pub use value::{Numbers, Repeated, Value};
