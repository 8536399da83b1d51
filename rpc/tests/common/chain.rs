//! Three processes in a row, in a simulated world: a client, a server that it calls, and one behind
//! it.

use super::{Field, Peer, ProbeProxy};

pub(crate) struct Chain {
    pub(crate) field: Field,
    pub(crate) client: Peer,
    pub(crate) middle: Peer,
    pub(crate) far: Peer,
    /// The server, as the client calls it.
    pub(crate) node: ProbeProxy,
    /// The one behind, as the server calls it.
    pub(crate) onward: ProbeProxy,
}

/// Connects them.
pub(crate) fn chain() -> Chain {
    let mut field = Field::simulated(1);
    let (client, middle, node) = field.met_pair();
    let far = field.peer("far");
    let onward = field.dial(&middle, &far);
    field.outcome(&middle, onward.context()).unwrap();
    Chain { field, client, middle, far, node, onward }
}
