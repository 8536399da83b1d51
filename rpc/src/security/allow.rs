//! Lists of keys that may come in, and the identity of a peer.

use peers_kernel::PublicKey;
use std::collections::BTreeSet;
use std::fmt;
use std::rc::Rc;

/// Decides whose peers may come in, by their keys. It is asked when a key has been proven, before
/// anything of the peer is heard, and again from time to time about those who are in.
///
/// ```
/// use peers_rpc::{Allow, PublicKey};
///
/// let owner: PublicKey = "07".repeat(32).parse()?;
/// let one = Allow::keys([owner]);
/// let some = Allow::when(move |key| *key == owner || key.0[0] == 0);
/// # Ok::<(), peers_rpc::kernel::PublicKeyError>(())
/// ```
#[derive(Clone)]
pub struct Allow(Rc<Policy>);

type Policy = dyn Fn(&PublicKey, Asked) -> bool;

/// Says when a policy is asked about a key.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Its owner wants to come in.
    Comes,
    /// Its owner is in.
    Stays,
}

impl Allow {
    /// Lets in whoever proves any key.
    pub fn anyone() -> Self {
        Self::asked(|_, _| true)
    }

    /// Lets in the owners of these keys.
    pub fn keys(keys: impl IntoIterator<Item = PublicKey>) -> Self {
        let keys: BTreeSet<PublicKey> = keys.into_iter().collect();
        Self::asked(move |key, _| keys.contains(key))
    }

    /// Lets in those of whom the closure says yes. It is called on a clean stack; a panic is a no.
    pub fn when(is_allowed: impl Fn(&PublicKey) -> bool + 'static) -> Self {
        Self::asked(move |key, _| is_allowed(key))
    }

    /// Lets in those of whom the closure says yes, which is told whether they are in already.
    #[doc(hidden)]
    pub fn asked(is_allowed: impl Fn(&PublicKey, Asked) -> bool + 'static) -> Self {
        Self(Rc::new(is_allowed))
    }

    /// Returns whether it is the same policy: a clone of it.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// Asks about a key.
    #[doc(hidden)]
    pub fn allows(&self, key: &PublicKey, asked: Asked) -> bool {
        (self.0)(key, asked)
    }
}

/// Shows nothing of whom it lets in.
impl fmt::Debug for Allow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Allow(..)")
    }
}

/// Says who is at the other end of a connection, as far as that is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Peer {
    /// The owner of this key.
    Key(PublicKey),
    /// A process of this user, on a Unix socket.
    User {
        /// The number of the user.
        uid: u32,
        /// The number of its group.
        gid: u32,
        /// The process that made the connection, where the system tells; only informative, since
        /// numbers of processes are used again.
        pid: Option<i32>,
    },
    /// Somebody on this machine, or in this simulated world. Nothing is proven.
    Local,
    /// Nobody knows.
    Unknown,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => key.fmt(f),
            Self::User { uid, .. } => write!(f, "user {uid}"),
            Self::Local => f.write_str("somebody on this machine"),
            Self::Unknown => f.write_str("nobody known"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_says_yes_to_whom_it_names() {
        let (one, other) = (PublicKey([1; 32]), PublicKey([2; 32]));
        let both = |allow: &Allow| [one, other].map(|key| allow.allows(&key, Asked::Comes));
        assert_eq!(both(&Allow::anyone()), [true, true]);
        assert_eq!(both(&Allow::keys([one])), [true, false]);
        assert_eq!(both(&Allow::keys([])), [false, false]);
        assert_eq!(both(&Allow::when(move |key| *key == other)), [false, true]);
        let stays = Allow::asked(|_, asked| asked == Asked::Stays);
        assert!(!stays.allows(&one, Asked::Comes) && stays.allows(&one, Asked::Stays));
    }
}
