//! Sends events in front of an end, and says what became of them.

use super::{Field, Got, Peer, ProbeProxy, limits, secs};
use peers_rpc::{Drained, Error, Limits};

/// Returns generous limits: where the clock is real, a busy machine must not decide.
pub(crate) fn patient() -> Limits {
    limits(|limits| limits.drain = secs(60))
}

/// Sends so many events, all of which are accepted.
pub(crate) fn notes(node: &ProbeProxy, events: usize) {
    for n in 0..events {
        node.note(n.to_string()).unwrap();
    }
}

/// Sends events and closes the endpoint in the same task.
pub(crate) fn send_and_close(
    field: &mut Field,
    client: &Peer,
    node: &ProbeProxy,
    events: usize,
) -> Got<Drained> {
    let (k, closed) = Got::new(client.handle());
    let node = node.clone();
    field.on(client, move || {
        notes(&node, events);
        node.caller().close_then(k);
    });
    closed
}

/// Returns how many events were not sent, and how many may not have arrived.
pub(crate) fn left(drained: Result<Drained, Error>) -> (u64, u64) {
    let drained = drained.unwrap();
    (drained.unsent, drained.unconfirmed)
}
