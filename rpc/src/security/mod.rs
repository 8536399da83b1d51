//! Errors of secure connections, and the interface to the package that makes them.
//!
//! No cryptography is here: `peers-secure` has it, and gives an `Rpc` a [`SecureTransport`].

pub(crate) mod allow;

use crate::security::allow::Allow;
use peers_kernel::{Address, ForkedRng, PublicKey, SecureLayer};
use std::fmt;

/// Says who may talk to a listener, and whether in clear text. It is fixed when listening begins;
/// nothing that a peer says changes it.
///
/// ```
/// use peers_rpc::{Allow, PublicKey, Security};
///
/// let owner: PublicKey = "07".repeat(32).parse()?;
/// let sealed = Security::Sealed(Allow::keys([owner]));
/// # Ok::<(), peers_rpc::kernel::PublicKeyError>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Security {
    /// Everybody, in clear text. Loopback, Unix and simulated addresses need no policy; any other
    /// does.
    Insecure,
    /// Those whose proven keys the policy lets in, encrypted. It takes a key of one's own:
    /// [`Rpc::secured`](crate::Rpc::secured).
    Sealed(Allow),
}

/// Makes the secure layers of one identity's connections. `peers_secure::Identity` is one.
pub trait SecureTransport: Send {
    /// Returns our public key.
    fn key(&self) -> PublicKey;

    /// Makes the layer of a connection that is dialled: to the peer with this key, or to nobody.
    /// What is random in its handshake comes from `rng`.
    fn dial(&self, expected: PublicKey, rng: ForkedRng) -> Box<dyn SecureLayer>;

    /// Makes the layer of a connection that is accepted: from any peer that proves its key.
    fn accept(&self, rng: ForkedRng) -> Box<dyn SecureLayer>;
}

/// Says why a connection is not secure, or is none any more. Its text is for people.
///
/// Those for which [`is_unexecuted`](Self::is_unexecuted) holds end a connection before anything of
/// a call has left.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecurityError {
    /// The peer has another key than the address says.
    WrongPeer {
        /// The key in the address.
        expected: PublicKey,
        /// The key that the peer showed.
        found: PublicKey,
    },
    /// The peer does not encrypt.
    PlainPeer,
    /// An address elsewhere has no key, and dialling in clear text was not allowed.
    InsecureDial {
        /// The address without a key.
        address: Address,
    },
    /// A key was asked for or is to be proven, and this process has none.
    NoIdentity,
    /// The listener knows our key and does not want it.
    NotAdmitted {
        /// Our key.
        ours: PublicKey,
    },
    /// The handshake came to nothing, in the words of whoever made it.
    Handshake(String),
    /// A peer's key is not on the list of those who may come.
    Stranger {
        /// Its key.
        key: PublicKey,
    },
    /// The connection ended without a last record.
    Cut,
    /// A record was damaged, invented, lost, or came twice.
    Changed,
}

impl SecurityError {
    /// Returns whether it is certain that the peer executed nothing of the calls that waited for
    /// this connection.
    pub fn is_unexecuted(&self) -> bool {
        match self {
            Self::WrongPeer { .. }
            | Self::PlainPeer
            | Self::InsecureDial { .. }
            | Self::NoIdentity
            | Self::NotAdmitted { .. }
            | Self::Handshake(_) => true,
            Self::Stranger { .. } | Self::Cut | Self::Changed => false,
        }
    }

    /// Returns the error inside one of a stream, if a secure layer put it there.
    pub fn of(error: &std::io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl fmt::Display for SecurityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongPeer { expected, found } => write!(
                f,
                "the other side is not {expected}: it showed {found}; nothing was sent to it"
            ),
            Self::PlainPeer => {
                f.write_str("the other side speaks in clear text; nothing was sent to it")
            }
            Self::InsecureDial { address } => write!(
                f,
                "{address} would be dialled in clear text: write its key, inet:KEY@HOST:PORT, or say set_insecure_dialling (--insecure)"
            ),
            Self::NoIdentity => f.write_str(
                "this needs a key of one's own: use Rpc::secured (Identity::fresh is enough to dial)",
            ),
            Self::NotAdmitted { ours } => write!(
                f,
                "the other side does not admit our key {ours}: its owner can add it to the list"
            ),
            Self::Handshake(text) => write!(f, "no secure connection: {text}"),
            Self::Stranger { key } => write!(f, "turned away {key}, which is not on the list"),
            Self::Cut => f.write_str(
                "the connection was cut: it ended without a last record; has the other side died?",
            ),
            Self::Changed => f.write_str("what arrived was changed on its way"),
        }
    }
}

impl std::error::Error for SecurityError {}

/// Listening on an address that others can reach, without having said that this is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InsecureBind {
    /// The address asked for.
    pub address: Address,
}

impl fmt::Display for InsecureBind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} can be reached by others: say who may come with Security::Sealed (--key FILE on command lines), \
             listen on localhost or a Unix socket, or say Security::Insecure (--insecure)",
            self.address
        )
    }
}

impl std::error::Error for InsecureBind {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_that_people_search_for() {
        let (ours, other) = (PublicKey([0xab; 32]), PublicKey([0xcd; 32]));
        let address = "inet:example.org:5000".parse().expect("it is one");
        for (error, text) in [
            (
                SecurityError::WrongPeer { expected: ours, found: other },
                format!("the other side is not {ours}: it showed {other}; nothing was sent to it"),
            ),
            (
                SecurityError::InsecureDial { address },
                "inet:example.org:5000 would be dialled in clear text: write its key, \
                 inet:KEY@HOST:PORT, or say set_insecure_dialling (--insecure)"
                    .into(),
            ),
            (
                SecurityError::NotAdmitted { ours },
                format!(
                    "the other side does not admit our key {ours}: its owner can add it to the list"
                ),
            ),
            (
                SecurityError::Stranger { key: ours },
                format!("turned away {ours}, which is not on the list"),
            ),
            (SecurityError::Handshake("x".into()), "no secure connection: x".into()),
        ] {
            assert_eq!(error.to_string(), text);
        }
    }
}
