//! Who we are: a key that signs.

use crate::config::Config;
use crate::files::{self, Rights, shown};
use crate::handshake::Handshake;
use crate::layer::Layer;
use crate::pem;
use crate::primitives::{Library, OldProcessor, Signer};
use peers_rpc::kernel::{ForkedRng, PublicKey, SecureLayer};
use peers_rpc::{SecureTransport, SecurityError};
use rand_core::CryptoRng;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The longest key file, in bytes.
const LONGEST: usize = 1 << 16;

/// A key of one's own: its secret proves to others who we are.
///
/// Clones share it, and it may go to other threads. It is wiped when the last one is dropped.
#[derive(Clone)]
pub struct Identity(Arc<Inner>);

struct Inner {
    seed: Zeroizing<[u8; 32]>,
    key: PublicKey,
    /// For real connections.
    real: Config,
    /// For simulated ones, where the processor allows it.
    seedable: Option<Config>,
}

impl Identity {
    /// Makes a new one, which nobody knows yet.
    ///
    /// # Errors
    /// If this processor lacks what the cipher needs.
    pub fn fresh(rng: &mut impl CryptoRng) -> Result<Self, KeyError> {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut seed[..]);
        Self::from_seed(seed)
    }

    /// Reads one from the text of a key file.
    ///
    /// # Errors
    /// If there is no key of Ed25519 in the text, if it is encrypted, or if its first line says
    /// another public key.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let said = pem::read(text)?;
        let identity = Self::from_seed(said.seed)?;
        let other = said.public.into_iter().flatten().find(|said| *said != identity.key());
        if let Some(said) = other {
            return Err(KeyError::OtherLine { said, is: identity.key() });
        }
        Ok(identity)
    }

    /// Reads one from a key file, such as `keygen` makes.
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem), and if the file cannot be read, if anybody else may read
    /// it, or if it is neither ours nor root's.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, KeyError> {
        let path = path.as_ref();
        let in_file = |error: KeyError| error.of(path);
        let text = files::read(path, LONGEST, |metadata| {
            let (rights, path) = (Rights::of(metadata), String::new());
            match () {
                () if rights.are_open() => Err(KeyError::Open { path, mode: rights.mode }),
                () if rights.are_foreign() => Err(KeyError::Foreign { path, owner: rights.owner }),
                () => Ok(()),
            }
        });
        text.and_then(|text| Self::from_pem(&text)).map_err(in_file)
    }

    /// Writes it to a new file that nobody else may read.
    ///
    /// # Errors
    /// If there is such a file already, or it cannot be written.
    pub fn save_new(&self, path: impl AsRef<Path>) -> Result<(), KeyError> {
        let path = path.as_ref();
        files::write_new(path, &self.to_pem())
            .map_err(|error| KeyError::Unwritten { path: shown(path), error })
    }

    fn from_seed(seed: Zeroizing<[u8; 32]>) -> Result<Self, KeyError> {
        let real = Library::real()?;
        let seedable = Library::seedable().ok().filter(|library| *library != real);
        let real = config(real, &seed)?;
        let seedable = match seedable {
            Some(library) => Some(config(library, &seed)?),
            None if real.library == Library::Graviola => Some(real.clone()),
            None => None,
        };
        Ok(Self(Arc::new(Inner { seed, key: real.key, real, seedable })))
    }

    /// Returns the public key: it may be known to everybody.
    pub fn key(&self) -> PublicKey {
        self.0.key
    }

    /// Returns the text of a key file with the secret in it. It is wiped when dropped.
    pub fn to_pem(&self) -> Zeroizing<String> {
        pem::write(&self.0.seed, &self.0.key)
    }

    /// Takes the next key after so many records on connections that are made from here on, for
    /// tests: nobody waits for sixteen million.
    #[doc(hidden)]
    #[must_use]
    pub fn next_key_after(&self, records: u32) -> Self {
        let Inner { seed, key, real, seedable } = &*self.0;
        let with = |config: &Config| Config { update_after: records, ..config.clone() };
        let (real, seedable) = (with(real), seedable.as_ref().map(with));
        Self(Arc::new(Inner { seed: seed.clone(), key: *key, real, seedable }))
    }

    fn config(&self, rng: &ForkedRng) -> Option<&Config> {
        if rng.is_simulated() { self.0.seedable.as_ref() } else { Some(&self.0.real) }
    }
}

fn config(library: Library, seed: &[u8; 32]) -> Result<Config, KeyError> {
    let signer = Signer::new(library, seed).ok_or(KeyError::Library)?;
    Config::new(library, signer).map_err(|_| KeyError::Library)
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.0.key)
    }
}

impl SecureTransport for Identity {
    fn key(&self) -> PublicKey {
        self.0.key
    }

    fn dial(&self, expected: PublicKey, rng: ForkedRng) -> Box<dyn SecureLayer> {
        let config = self.config(&rng).ok_or_else(no_config);
        let handshake = config.and_then(|config| Handshake::dial(config, expected, rng));
        Box::new(Layer::new(handshake, self.clone()))
    }

    fn accept(&self, rng: ForkedRng) -> Box<dyn SecureLayer> {
        let config = self.config(&rng).ok_or_else(no_config);
        let handshake = config.and_then(|config| Handshake::accept(config, rng));
        Box::new(Layer::new(handshake, self.clone()))
    }
}

/// In a simulated world, on a processor that only the second library runs on.
fn no_config() -> SecurityError {
    SecurityError::Handshake(OldProcessor.to_string())
}

/// Says why there is no identity, in words for whoever wrote the command line.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyError {
    /// The processor lacks what the built-in library needs.
    OldProcessor,
    /// The library under the connections failed.
    Library,
    /// There is no private key of Ed25519.
    NoKey,
    /// The key needs a password, for which nobody can be asked.
    Encrypted,
    /// What stands behind `peers key` is no key.
    BadLine,
    /// A key file cannot be read.
    Unreadable {
        /// The file.
        path: String,
        /// The system's words.
        error: io::Error,
    },
    /// A key file cannot be written.
    Unwritten {
        /// The file.
        path: String,
        /// The system's words.
        error: io::Error,
    },
    /// Somebody else may read the key, or change it.
    Open {
        /// The file.
        path: String,
        /// Its rights.
        mode: u32,
    },
    /// The file is neither ours nor root's.
    Foreign {
        /// The file.
        path: String,
        /// The number of its owner.
        owner: u32,
    },
    /// Something is wrong with what the file says.
    In {
        /// The file.
        path: String,
        /// What is wrong.
        error: Box<Self>,
    },
    /// The text says another public key than belongs to its secret.
    OtherLine {
        /// The key that the text says.
        said: PublicKey,
        /// The key that belongs to the secret.
        is: PublicKey,
    },
}

impl KeyError {
    /// Names the file.
    fn of(self, file: &Path) -> Self {
        let path = shown(file);
        match self {
            Self::Unreadable { error, .. } => Self::Unreadable { path, error },
            Self::Open { mode, .. } => Self::Open { path, mode },
            Self::Foreign { owner, .. } => Self::Foreign { path, owner },
            Self::OldProcessor => Self::OldProcessor,
            error => Self::In { path, error: Box::new(error) },
        }
    }
}

impl From<io::Error> for KeyError {
    fn from(error: io::Error) -> Self {
        Self::Unreadable { path: String::new(), error }
    }
}

impl From<OldProcessor> for KeyError {
    fn from(_: OldProcessor) -> Self {
        Self::OldProcessor
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OldProcessor => OldProcessor.fmt(f),
            Self::Library => f.write_str("the library of ciphers does not take this key"),
            Self::NoKey => f.write_str("there is no Ed25519 key in it: make one with keygen"),
            Self::Encrypted => f.write_str("the key is encrypted: write it without a password"),
            Self::BadLine => f.write_str("`peers key` is followed by no key: 64 hex digits"),
            Self::Unreadable { path, error } => write!(f, "{path} cannot be read: {error}"),
            Self::Unwritten { path, error } => write!(f, "{path} cannot be written: {error}"),
            Self::Open { path, mode } => write!(
                f,
                "{path} can be read by others (mode {mode:04o}): chmod 600 {path}; if somebody has read it, make a new one"
            ),
            Self::Foreign { path, owner } => write!(
                f,
                "{path} belongs to user {owner}, who can change it: it must be yours or root's"
            ),
            Self::In { path, error } => write!(f, "{path}: {error}"),
            Self::OtherLine { said, is } => {
                write!(f, "its first line says {said}, but the key is {is}")
            }
        }
    }
}

impl std::error::Error for KeyError {}
