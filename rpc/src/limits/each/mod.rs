//! Promise: each limit holds exactly: what is at it is allowed, what is one beyond is not.
//!
//! A table names each field of [`Limits`] and where its test is. A field that is not in the table
//! does not compile, and neither does one without a test.

mod connections;
mod frames;
mod memory;
mod requests;
mod texts;
mod times;

use super::Limits;

#[path = "../../../tests/common/mod.rs"]
mod common;
#[path = "../../../tests/session_harness/mod.rs"]
mod harness;

macro_rules! every_limit {
    ($($limit:ident in $group:ident),* $(,)?) => {
        const _: fn(Limits) = |Limits { $($limit: _),* }| ();
        $(
            #[test]
            fn $limit() {
                $group::$limit()
            }
        )*
    };
}

every_limit! {
    frame_before_hello in frames,
    frame in frames,
    connect in times,
    handshake_timeout in times,
    sealed_handshake_timeout in times,
    frame_timeout in times,
    ping_idle in times,
    peer_timeout in times,
    keep_alive in times,
    linger in times,
    drain in times,
    write_stall_timeout in times,
    default_timeout in times,
    request_window in requests,
    request_window_before_hello in requests,
    waiting in requests,
    waiting_bytes in requests,
    call_depth in requests,
    running in requests,
    process_bytes in memory,
    socket_buffers in memory,
    output_low_water in memory,
    inbound_queue in memory,
    control_rate in requests,
    control_burst in requests,
    connections in connections,
    half_open in connections,
    per_source in connections,
    per_key in connections,
    log_field in texts,
    log_rate in texts,
    error_text in texts,
}
