//! The interface compiler of Peers: from `.rpc` files to readable Rust.
//!
//! A `build.rs` of one line turns an interface file into a module:
//!
//! ```no_run
//! peers_rpcc::compile("registry.rpc");
//! ```
//!
//! and `peers_rpc::include_rpc!("registry");` in the library takes it in. [`Compiler`] does the
//! same without a build script. The language is described in `docs/interface-language.md`.
//!
//! Text passes through four stages, each in a module of its own: `syntax` makes trees, `load` finds
//! what they import, `check` makes a model or reports what is wrong, `emit` writes Rust. No stage
//! panics, recurses deeply or takes more than linear space on any input. Programs look at a model
//! as a [`Schema`], which also prints the files it came from in their normal form.
#![forbid(unsafe_code)]

mod build;
mod check;
mod compat;
mod compiler;
mod diagnostics;
mod emit;
mod excerpt;
#[doc(hidden)]
pub mod fuzz;
mod load;
mod model;
mod names;
mod print;
pub mod schema;
mod source;
mod syntax;
mod text;
mod visible;

pub use build::compile;
#[doc(hidden)]
pub use build::same_output;
pub use compat::Change;
pub use compiler::{Compiler, Output};
pub use diagnostics::{Diagnostic, Diagnostics};
pub use schema::Schema;
#[doc(hidden)]
pub use text::is_invisible;
pub use visible::visible;
