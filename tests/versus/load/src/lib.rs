//! Holds what all programs of the comparison share, so that they differ in the system under test
//! and in nothing else: flags, keys and values, the stopwatch, the line of results.
//!
//! Knows no system under test.

mod data;
mod options;
mod process;
mod recorder;
mod span;

pub use data::{KEY_SIZE, KEYS, VALUE_SIZE, Words, key, keys, table, value};
pub use options::{Mode, Options};
pub use process::{Usage, raise_descriptor_limit, resident};
pub use recorder::{Mark, Recorder, Report};
pub use span::Span;

/// Bytes of one echo.
pub const LARGE: usize = 1 << 20;

/// Bytes of one message of a one-way stream.
pub const CHUNK: usize = 64 << 10;

/// Messages of a stream that share one acknowledgement, for systems that have none of their own.
pub const BATCH: usize = 16;

/// Connections that are opened at the same time, so that no listener's backlog overflows.
pub const BURST: usize = 100;
