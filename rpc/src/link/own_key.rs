//! The key that a process has of its own, if it has one, and what it may dial with and without.

use crate::security::{SecureTransport, SecurityError};
use peers_kernel::{Address, Handle, PublicKey, SecureLayer};
use peers_wire::NodeId;
use std::cell::Cell;

/// Makes the secure layers of a process, if it can prove who it is.
pub(crate) struct OwnKey {
    transport: Option<Box<dyn SecureTransport>>,
    /// Set iff addresses elsewhere may be dialled in clear text.
    pub(crate) dials_in_clear: Cell<bool>,
}

type Layer = Result<Box<dyn SecureLayer>, SecurityError>;

impl OwnKey {
    pub(crate) fn none() -> Self {
        Self { transport: None, dials_in_clear: Cell::default() }
    }

    pub(crate) fn of(transport: Box<dyn SecureTransport>) -> Self {
        Self { transport: Some(transport), dials_in_clear: Cell::default() }
    }

    /// Returns the public key.
    pub(crate) fn key(&self) -> Option<PublicKey> {
        self.transport.as_ref().map(|transport| transport.key())
    }

    /// Says why the address is not dialled, if it is not.
    pub(crate) fn may_dial(&self, address: &Address) -> Result<(), SecurityError> {
        match address.key() {
            Some(_) if self.transport.is_none() => Err(SecurityError::NoIdentity),
            Some(_) => Ok(()),
            None if address.is_local() || self.dials_in_clear.get() => Ok(()),
            None => Err(SecurityError::InsecureDial { address: address.clone() }),
        }
    }

    /// Makes the layer of a connection to the peer with this key, or to nobody.
    pub(crate) fn dialling(&self, handle: &Handle, expected: PublicKey) -> Layer {
        let transport = self.transport.as_ref().ok_or(SecurityError::NoIdentity)?;
        Ok(transport.dial(expected, handle.fresh_rng().map_err(no_chance)?))
    }

    /// Makes the layer of a connection that was accepted.
    pub(crate) fn accepting(&self, handle: &Handle) -> Layer {
        let transport = self.transport.as_ref().ok_or(SecurityError::NoIdentity)?;
        Ok(transport.accept(handle.fresh_rng().map_err(no_chance)?))
    }
}

#[allow(clippy::needless_pass_by_value, reason = "it is the shape that map_err wants")]
fn no_chance(error: std::io::Error) -> SecurityError {
    SecurityError::Handshake(format!("the system gives no random bytes: {error}"))
}

/// Returns the id of the node with this key: its first 120 bits.
pub(crate) fn node_of(key: &PublicKey) -> NodeId {
    let bits = key.0[..15].iter().fold(0, |bits, byte| bits << 8 | u128::from(*byte));
    NodeId::from_bits(bits)
}
