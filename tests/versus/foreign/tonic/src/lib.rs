//! The service, as tonic writes it.

#![allow(missing_docs, clippy::all, reason = "generated")]

tonic::include_proto!("bench");

/// Room for large messages on their way, on both sides.
pub const WINDOW: u32 = 4 << 20;
