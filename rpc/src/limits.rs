//! Every bound that the rpc layer keeps, in one place, all of them on by default.
//!
//! This file holds numbers and what they mean. The code that enforces a bound lives beside what it
//! bounds: bytes, frames, credits and clocks of one connection in [`crate::session`], counts of
//! connections in the listener, requests that wait for a turn in the link. What bounds decoding
//! (nesting, counts, memory) is the same for all programs, so that what one may send another may
//! read: see [`crate::wire::limits`].
//!
//! Invariants:
//! 1. Nothing that a peer can make grow is without an entry here. Kept by `tests/nothing_grows.rs`,
//!    `tests/tests/greedy_peers.rs`.
//! 2. [`Limits::default`] is what a program gets that never thought about limits; it is safe
//!    against a hostile peer. Kept by `tests/tests/greedy_peers.rs`,
//!    `tests/tests/slow_connections.rs`.
//!
//! Zero means one thing for each kind of bound, and what cannot be kept is replaced by the nearest
//! value that can:
//!
//! | bound | zero | least | most |
//! |---|---|---|---|
//! | a time | no such limit: never, for ever | 0; `ping_idle` 100 ms | half of `peer_timeout`, for it |
//! | `frame`, `frame_before_hello` | 4 KiB, as any less | 4 KiB | |
//! | `request_window`, `control_rate`, `control_burst` | 1, as the least | 1 | |
//! | `output_low_water`, `inbound_queue` | 1, as the least | 1 | |
//! | `request_window_before_hello` | none | 0 | 64 |
//! | `error_text` | none | 0 | 4 KiB |
//! | any other number | none | 0 | |

#[cfg(test)]
mod each;

use peers_wire::limits as protocol;
use std::time::Duration;

/// Moves a value to the nearest one that is allowed. Returns whether it had to be moved.
fn clamp<V: Copy + Ord>(value: &mut V, least: V, most: V) -> bool {
    let fitted = (*value).clamp(least, most);
    std::mem::replace(value, fitted) != fitted
}

/// The bounds within which endpoints work. One set is shared by all endpoints of an `Rpc`.
///
/// ```
/// use std::time::Duration;
/// let mut limits = peers_rpc::limits::Limits::default();
/// limits.keep_alive = Duration::ZERO; // never hang up an unused endpoint
/// limits.call_depth = 1_024;
/// assert_eq!(limits.output_high_water(), limits.output_low_water + 2 * limits.frame as usize);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Largest frame taken from a peer that has not said hello yet, in bytes after the frame's
    /// header. Default 4 KiB.
    pub frame_before_hello: u32,
    /// Largest frame taken from a peer that has said hello, in bytes after the frame's header; it
    /// is announced to the peer. Default 4 MiB.
    pub frame: u32,

    /// Time in which a dialled address must have accepted the connection, all addresses of a name
    /// together; zero means as long as the system tries. The look-up of a name is apart from it,
    /// and takes 5 s at most. Default 8 s.
    pub connect: Duration,
    /// Time in which the peer's preamble and hello must have arrived completely, from when the
    /// connection stands. Default 5 s.
    pub handshake_timeout: Duration,
    /// Time for the same on a sealed connection, where the proof of both keys comes before; zero
    /// means no such limit. Default 10 s.
    pub sealed_handshake_timeout: Duration,
    /// Time in which a frame that has begun must have arrived completely, however it drips. Default
    /// 30 s.
    pub frame_timeout: Duration,
    /// Silence of the peer after which it is sent a ping; zero means never, and then it is never
    /// taken for dead either. Default 15 s.
    pub ping_idle: Duration,
    /// Silence of the peer after which it is taken for dead. Default 45 s.
    pub peer_timeout: Duration,
    /// Time without a call pending or sent in either direction after which the side that dialled
    /// hangs up, unless it serves the other with an object of its own; zero means never. Default 5
    /// min.
    pub keep_alive: Duration,
    /// Time for which replies still owed are waited for once the peer has ended its half of the
    /// connection, and for which the last output may take to leave once ours has ended; where that
    /// was closed in good order, counted from when [`drain`](Self::drain) is over, or all has left
    /// before. Default 5 s.
    pub linger: Duration,
    /// Time in which what was accepted leaves when a connection is closed in good order, however
    /// short [`linger`](Self::linger) is, and in which events of the peer that have arrived are
    /// started; when the whole `Rpc` closes, running replies are waited for as long before that.
    /// Default 5 s.
    pub drain: Duration,
    /// Time for which output may wait in this process, or, over TCP on Linux, in the system,
    /// without the peer taking a single byte of it. Default 30 s.
    pub write_stall_timeout: Duration,
    /// Says how long a call waits for its reply when neither the caller nor the interface says
    /// otherwise. Default 30 s.
    pub default_timeout: Duration,

    /// Requests (calls and events) that a peer may have with us unanswered; announced to the peer,
    /// which may have sent 64 before it hears of that, so that less than these is not enforced.
    /// Default 4,096.
    pub request_window: u32,
    /// Requests that may be sent before the other side's hello has arrived; part of the grant and
    /// of protocol version 1, so both sides must agree on it. Default 64.
    pub request_window_before_hello: u32,
    /// Requests that wait in this process for the peer's credit, for each endpoint. Default 65,536.
    pub waiting: usize,
    /// Bytes of arguments that those waiting requests may hold, for each endpoint. Default 64 MiB.
    pub waiting_bytes: usize,
    /// Hops that a tree of calls may have from its root. Default 64.
    pub call_depth: u16,
    /// `:async` calls being served at one time, for the whole process; one whose caller has let go
    /// of it counts until its reply is given or dropped, one that is answered before its method
    /// returns does not count. A connection may have fewer than half of what the others leave, and
    /// one in any case. Default 16,384.
    pub running: usize,

    /// Bytes that the process may hold for all its peers together: output, requests that wait on
    /// either side, frames that have begun. From three quarters on, new requests of this process
    /// wait; at all of it, requests from either side are
    /// [`Overloaded`](crate::ErrorKind::Overloaded), and the connection that holds most is ended as
    /// [`SlowPeer`](crate::CloseReason::SlowPeer): of those without progress for a second, if there
    /// are any. Each [`Rpc`](crate::Rpc) counts by itself. The binaries lower it to half of what
    /// the system lets the process have. Default 256 MiB.
    pub process_bytes: usize,
    /// Bytes that the system may hold for each connection in each direction; `None` stands for as
    /// many as it finds best, which can be megabytes for a peer that does not read. For servers of
    /// strangers; it costs speed over long distances. It cannot be changed later: set under
    /// pressure, it frees nothing. Default `None`.
    pub socket_buffers: Option<usize>,
    /// Bytes of output waiting for the socket beyond which new requests wait too; replies and
    /// control frames do not. Default 1 MiB.
    pub output_low_water: usize,
    /// Bytes of requests that have arrived on one connection and wait for this process to have time
    /// for them, beyond which it is not read for a while; more by what one read has brought.
    /// Default 2 MiB.
    pub inbound_queue: usize,
    /// Cancels beyond the first of a call, pings, pongs nobody asked for, credits beyond the events
    /// that are out, and frames to be ignored, per second, that a peer may send for ever. Default
    /// 100.
    pub control_rate: u32,
    /// Says how many of those it may send at once. Default 200.
    pub control_burst: u32,

    /// Connections that a process holds; `None` stands for three quarters of its descriptor limit.
    /// Default `None`.
    pub connections: Option<usize>,
    /// Accepted connections that have not said hello yet, or proven their key; not for loopback and
    /// Unix sockets. When there are so many, the oldest of them that has had a second ends, and if
    /// none has, the newcomer is turned away. Default 128.
    pub half_open: usize,
    /// Accepted connections from one source address; not for loopback and Unix sockets. Default 64.
    pub per_source: usize,
    /// Connections that are let in by one key; more are turned away. Default 64.
    pub per_key: usize,

    /// Bytes of a reason or error that quotes outside text, in a log line. Default 256.
    pub log_field: usize,
    /// Lines per second that the loop of this `Rpc` writes into the log about its peers, slow
    /// handlers and panics together; the rest is counted, and the count is one of them. Of two
    /// `Rpc`s of one loop the later decides. Default 10.
    pub log_rate: u32,
    /// Bytes of text that an error carries to the peer; the protocol itself cuts that of an
    /// exception at 4 KiB and any other at 1 KiB. Default 4 KiB.
    pub error_text: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_before_hello: 4 << 10,
            frame: 4 << 20,
            connect: Duration::from_secs(8),
            handshake_timeout: Duration::from_secs(5),
            sealed_handshake_timeout: Duration::from_secs(10),
            frame_timeout: Duration::from_secs(30),
            ping_idle: Duration::from_secs(15),
            peer_timeout: Duration::from_secs(45),
            keep_alive: Duration::from_secs(300),
            linger: Duration::from_secs(5),
            drain: Duration::from_secs(5),
            write_stall_timeout: Duration::from_secs(30),
            default_timeout: Duration::from_secs(30),
            request_window: 4_096,
            request_window_before_hello: 64,
            waiting: 65_536,
            waiting_bytes: 64 << 20,
            call_depth: 64,
            running: 16_384,
            process_bytes: 256 << 20,
            socket_buffers: None,
            output_low_water: 1 << 20,
            inbound_queue: 2 << 20,
            control_rate: 100,
            control_burst: 200,
            connections: None,
            half_open: 128,
            per_source: 64,
            per_key: 64,
            log_field: 256,
            log_rate: 10,
            error_text: 4 << 10,
        }
    }
}

/// The least silence after which a peer is asked: more often would be taken for a flood.
const LEAST_PING_IDLE: Duration = Duration::from_millis(100);

impl Limits {
    /// Returns the nearest limits that can be kept, and the names of those that had to be changed.
    /// A time of zero, which is no such limit, comes out as [`Duration::MAX`], and that is no
    /// change. [`Rpc::with_limits`](crate::Rpc::with_limits) does this by itself, and says in the
    /// log what it has changed.
    ///
    /// ```
    /// let mut limits = peers_rpc::limits::Limits::default();
    /// limits.frame = 1_024;
    /// let (fitted, changed) = limits.fitted();
    /// assert_eq!((fitted.frame, &changed[..]), (4_096, &["frame"][..]));
    /// ```
    #[must_use]
    pub fn fitted(mut self) -> (Self, Vec<&'static str>) {
        let times = [
            &mut self.connect,
            &mut self.handshake_timeout,
            &mut self.sealed_handshake_timeout,
            &mut self.frame_timeout,
            &mut self.ping_idle,
            &mut self.peer_timeout,
            &mut self.linger,
            &mut self.drain,
            &mut self.write_stall_timeout,
        ];
        for time in times.into_iter().filter(|time| time.is_zero()) {
            *time = Duration::MAX;
        }
        let mut changed = Vec::new();
        let mut fit = |name, changes: bool| changed.extend(changes.then_some(name));
        let (least, most) = (protocol::LEAST_FRAME, protocol::WINDOW_BEFORE_HELLO);
        fit("frame", clamp(&mut self.frame, least, u32::MAX));
        fit("frame_before_hello", clamp(&mut self.frame_before_hello, least, u32::MAX));
        fit("request_window", clamp(&mut self.request_window, 1, u32::MAX));
        fit("request_window_before_hello", clamp(&mut self.request_window_before_hello, 0, most));
        fit("control_rate", clamp(&mut self.control_rate, 1, u32::MAX));
        fit("control_burst", clamp(&mut self.control_burst, 1, u32::MAX));
        fit("output_low_water", clamp(&mut self.output_low_water, 1, usize::MAX));
        fit("inbound_queue", clamp(&mut self.inbound_queue, 1, usize::MAX));
        fit("error_text", clamp(&mut self.error_text, 0, 4 << 10));
        if self.ping_idle != Duration::MAX {
            let most = (self.peer_timeout / 2).max(LEAST_PING_IDLE);
            fit("ping_idle", clamp(&mut self.ping_idle, LEAST_PING_IDLE, most));
        }
        (self, changed)
    }

    /// Bytes of output beyond which a connection is given up: the soft limit and two frames of the
    /// largest size, which leaves room for a reply and its neighbour whatever their size.
    pub fn output_high_water(&self) -> usize {
        self.output_low_water.saturating_add((self.frame as usize).saturating_mul(2))
    }
}
