//! The numbers that bound what bytes may cost. Protocol constants and decoding defaults live here;
//! limits of a running session (queues, deadlines, connections) are the business of whoever owns
//! sockets and never appear in this crate.

/// The deepest that lists, sets, maps and recursive references may nest, in a typed value or in a
/// [`Value`](crate::Value), when reading and when writing.
pub const DEPTH: u32 = 64;

/// The most nodes that one input may hold: elements that take no bytes, and every
/// [`Value`](crate::Value).
pub const NODES: u32 = 65_536;

/// The most bytes of memory that the elements of collections and boxes decoded from one input may
/// take. Stops small elements from unfolding into large ones; strings are bounded by their own
/// bytes.
pub const MEMORY: usize = 64 << 20;

/// The most elements room is made for on the strength of a count alone.
pub const CAPACITY_HINT: usize = 1_024;

/// The largest frame body, in bytes, a side accepts before it has read the peer's hello.
pub const FRAME_BEFORE_HELLO: u32 = 4 << 10;

/// The largest frame body, in bytes, a side accepts afterwards unless told otherwise.
pub const FRAME: u32 = 4 << 20;

/// The number of requests that a side may send before it has read the peer's hello.
pub const WINDOW_BEFORE_HELLO: u32 = 64;

/// The number of unanswered requests that a hello allows unless told otherwise.
pub const WINDOW: u32 = 4_096;

/// The smallest frame limit, in bytes of the body, that a hello may announce.
pub const LEAST_FRAME: u32 = FRAME_BEFORE_HELLO;

/// The longest text, in bytes, of an exception. Longer ones are cut when sent and when received.
pub const TEXT: usize = 4_096;

/// The longest text, in bytes, of a refusal or a goodbye; cut like [`TEXT`], so that they fit every
/// frame limit.
pub const REASON: usize = 1_024;

/// The longest name of a place (origin, file), in bytes, in an exception; cut like [`TEXT`].
pub const PLACE: usize = 256;
