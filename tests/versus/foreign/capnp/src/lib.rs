//! The interface, as capnpc writes it.

#![allow(missing_docs, clippy::all, unused_qualifications, reason = "generated")]

capnp::generated_code!(pub mod bench_capnp);
