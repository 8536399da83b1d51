//! A chat: guests enter a room, and hear what the others say. The room calls its guests back on
//! their own connections.

#![forbid(unsafe_code)]

mod room;

pub use room::Room;

peers_rpc::include_rpc!("chat");
