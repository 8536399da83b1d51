//! Addresses as people write them: `inet:host:port`, `unix:/path`, `sim:name`, each with the key of
//! whoever must be there, if one is meant: `inet:KEY@host:port`.
//!
//! Parsing and printing only. Nothing here looks a name up, opens a socket or proves a key.
//!
//! Invariants:
//! 1. What [`Display`](fmt::Display) prints of a parsed address parses back to the same address.
//!    Kept by `no_text_panics_and_what_parses_prints_back`.
//! 2. A parsed address holds no invisible characters and has a bounded length, so it may be logged
//!    and sent as it is. Kept by `lengths_are_bounded_and_messages_stay_short`.
//! 3. What stands before the first `@` and looks like a key, mistyped or not, never becomes a part
//!    of a path or a name. Kept by `a_mistyped_key_becomes_no_path_and_no_name`.

use crate::host::public_key::{KEY_DIGITS, PublicKey, shown};
use crate::host::ready::Resolved;
use crate::host::text::is_invisible;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The longest host name that the domain name system allows, in bytes.
const HOST_LIMIT: usize = 253;
/// The longest path that fits into a Unix socket address everywhere, in bytes.
const PATH_LIMIT: usize = 103;
/// The longest name of a simulated listener, in bytes.
const NAME_LIMIT: usize = 255;

/// Says where to listen or whom to dial, and maybe who must be there.
///
/// ```
/// use peers_kernel::Address;
///
/// let address: Address = "inet:[::1]:5000".parse()?;
/// assert_eq!(address, Address::inet("::1", 5000));
/// assert_eq!(address.to_string(), "inet:[::1]:5000");
/// # Ok::<(), peers_kernel::AddressError>(())
/// ```
///
/// A key stands before an `@`. Whoever dials such an address wants this peer or none, over a
/// connection that proves it; the kernel alone can prove nothing and refuses it. A text before the
/// first `@` that has hex digits only, or is 64 letters long and has no `/`, must be a key: so one
/// that is mistyped is no path.
///
/// ```
/// use peers_kernel::{Address, PublicKey};
///
/// let key = "07fe1c8a5d7b3e90aa41c6d2f8350b9e6611d04f7ac29385be0c5df1e8724a36";
/// let address: Address = format!("unix:{key}@/run/node").parse()?;
/// assert_eq!(address.key().map(|key| key.to_string()).as_deref(), Some(key));
/// assert_eq!(address.without_key(), Address::unix("/run/node"));
/// let mistyped = "unix:07fe1c8a@/run/node".parse::<Address>().unwrap_err();
/// assert_eq!(mistyped.to_string(), "`07fe1c8a` is no key: 64 hex digits");
/// # Ok::<(), peers_kernel::AddressError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Address {
    /// A host (a name, or an IP address without brackets) and a TCP port; port 0 lets the system
    /// choose when listening.
    Inet {
        /// Says who must be there, if somebody must.
        key: Option<PublicKey>,
        /// Name or IP address, kept as it was given.
        host: String,
        /// TCP port.
        port: u16,
    },
    /// A Unix socket in the file system. The path is empty for the unnamed end of a connection.
    Unix {
        /// Says who must be there, if somebody must.
        key: Option<PublicKey>,
        /// Path of the socket's file.
        path: PathBuf,
    },
    /// A name in a simulated world.
    Sim {
        /// Says who must be there, if somebody must.
        key: Option<PublicKey>,
        /// Its name.
        name: String,
    },
}

impl Address {
    /// Returns the address of a host, by name or number, and TCP port, without a key.
    pub fn inet(host: impl Into<String>, port: u16) -> Self {
        Self::Inet { key: None, host: host.into(), port }
    }

    /// Returns the address of a Unix socket, without a key.
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self::Unix { key: None, path: path.into() }
    }

    /// Returns the address of that name in a simulated world, without a key.
    pub fn sim(name: impl Into<String>) -> Self {
        Self::Sim { key: None, name: name.into() }
    }

    /// Returns whether bytes sent there never leave this machine: loopback, Unix and simulated
    /// addresses, with or without a key.
    ///
    /// Host names other than `localhost` count as remote, since nobody knows before looking them
    /// up. An IPv4 address within an IPv6 one, such as `::ffff:127.0.0.1`, counts as what it is.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Inet { host, .. } if host.eq_ignore_ascii_case("localhost") => true,
            Self::Inet { host, .. } => host.parse().is_ok_and(|ip| Self::is_local_host(&ip)),
            Self::Unix { .. } | Self::Sim { .. } => true,
        }
    }

    /// Returns whether bytes sent to a host of that number never leave this machine, as
    /// [`is_local`](Self::is_local) does.
    pub fn is_local_host(host: &IpAddr) -> bool {
        host.to_canonical().is_loopback()
    }

    /// Returns who must be there, if somebody must.
    pub fn key(&self) -> Option<PublicKey> {
        match self {
            Self::Inet { key, .. } | Self::Unix { key, .. } | Self::Sim { key, .. } => *key,
        }
    }

    /// Returns the address of the same place where `key` must be, and nobody else.
    #[must_use]
    pub fn with_key(&self, key: PublicKey) -> Self {
        self.keyed(Some(key))
    }

    /// Returns the address of the same place, whoever is there.
    #[must_use]
    pub fn without_key(&self) -> Self {
        self.keyed(None)
    }

    fn keyed(&self, new: Option<PublicKey>) -> Self {
        let mut changed = self.clone();
        match &mut changed {
            Self::Inet { key, .. } | Self::Unix { key, .. } | Self::Sim { key, .. } => *key = new,
        }
        changed
    }

    /// Returns an error if the address has a key: nothing in the kernel can prove who is there.
    pub(crate) fn without_proof(&self) -> io::Result<()> {
        if self.key().is_none() {
            return Ok(());
        }
        let hint = "a key is proven by a secure layer: use Address::without_key and Stream::secure";
        Err(io::Error::new(io::ErrorKind::Unsupported, hint))
    }

    /// Returns the address with another port; unchanged where there are no ports.
    #[must_use]
    pub fn with_port(&self, port: u16) -> Self {
        match self {
            Self::Inet { key, host, .. } => Self::Inet { key: *key, host: host.clone(), port },
            other => other.clone(),
        }
    }

    pub(crate) fn from_resolved(resolved: Resolved) -> Self {
        match resolved {
            Resolved::Inet(socket) => Self::inet(socket.ip().to_string(), socket.port()),
            Resolved::Unix(path) => Self::unix(path),
            Resolved::Sim(name) => Self::sim(name),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inet { .. } => "inet:",
            Self::Unix { .. } => "unix:",
            Self::Sim { .. } => "sim:",
        })?;
        if let Some(key) = self.key() {
            write!(f, "{key}@")?;
        }
        match self {
            Self::Inet { host, port, .. } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Inet { host, port, .. } => write!(f, "{host}:{port}"),
            Self::Unix { path, .. } if begins_like_a_key(path) => write!(f, "./{}", path.display()),
            Self::Unix { path, .. } => write!(f, "{}", path.display()),
            Self::Sim { name, .. } => f.write_str(name),
        }
    }
}

/// Returns whether a path would be read as a key, or as a mistyped one.
fn begins_like_a_key(path: &Path) -> bool {
    path.to_str().is_some_and(|path| key_and_rest(path).is_some())
}

impl From<SocketAddr> for Address {
    fn from(socket: SocketAddr) -> Self {
        Self::from_resolved(Resolved::Inet(socket))
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let Some((kind @ ("inet" | "unix" | "sim"), rest)) = text.split_once(':') else {
            return Err(AddressError::new(Fault::Kind, text));
        };
        let (key, rest) = match key_and_rest(rest) {
            None => (None, rest),
            Some((key, rest)) if key_and_rest(rest).is_none() => {
                let wrong = |_| AddressError::new(Fault::Key, key);
                (Some(key.parse().map_err(wrong)?), rest)
            }
            Some((_, rest)) => return Err(AddressError::new(Fault::TwoKeys, rest)),
        };
        let address = match kind {
            "inet" => inet(rest)?,
            "unix" => unix(rest)?,
            _ => sim(rest)?,
        };
        Ok(address.keyed(key))
    }
}

/// Splits what must be a key from what stands behind it, if there is such a thing.
fn key_and_rest(text: &str) -> Option<(&str, &str)> {
    let (before, behind) = text.split_once('@')?;
    let is_hex = !before.is_empty() && before.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_as_long = before.chars().count() == KEY_DIGITS && !before.contains('/');
    (is_hex || is_as_long).then_some((before, behind))
}

fn inet(rest: &str) -> Result<Address, AddressError> {
    let (host, port) = match rest.strip_prefix('[') {
        Some(rest) => {
            let Some((host, port)) = rest.split_once(']') else {
                return Err(AddressError::new(Fault::Bracket, rest));
            };
            if host.parse::<Ipv6Addr>().is_err() {
                return Err(AddressError::new(Fault::Ipv6, host));
            }
            (host, port.strip_prefix(':'))
        }
        None => match rest.rsplit_once(':') {
            Some((host, _)) if host.contains(':') => {
                return Err(AddressError::new(Fault::Unbracketed, rest));
            }
            Some((host, port)) => (host_name(host)?, Some(port)),
            None => (host_name(rest)?, None),
        },
    };
    let port = port.ok_or_else(|| AddressError::new(Fault::NoPort, host))?;
    // `parse` alone would take "+5000".
    match port.parse() {
        Ok(number) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok(Address::inet(host, number))
        }
        _ => Err(AddressError::new(Fault::Port, port)),
    }
}

fn host_name(host: &str) -> Result<&str, AddressError> {
    let usable = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if host.is_empty() || host.len() > HOST_LIMIT || !host.bytes().all(usable) {
        return Err(AddressError::new(Fault::Host, host));
    }
    Ok(host)
}

fn unix(path: &str) -> Result<Address, AddressError> {
    if path.is_empty() || path.contains(is_invisible) {
        return Err(AddressError::new(Fault::Path, path));
    }
    if path.len() > PATH_LIMIT {
        return Err(AddressError::new(Fault::LongPath, path));
    }
    Ok(Address::unix(path))
}

fn sim(name: &str) -> Result<Address, AddressError> {
    let odd = |letter: char| is_invisible(letter) || letter.is_whitespace();
    if name.is_empty() || name.len() > NAME_LIMIT || name.contains(odd) {
        return Err(AddressError::new(Fault::Name, name));
    }
    Ok(Address::sim(name))
}

/// Says why a text is no address, in words that say what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressError {
    fault: Fault,
    /// The part at fault, shortened and escaped for printing.
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Kind,
    Host,
    Bracket,
    Ipv6,
    Unbracketed,
    NoPort,
    Port,
    Path,
    LongPath,
    Name,
    Key,
    TwoKeys,
}

impl AddressError {
    fn new(fault: Fault, text: &str) -> Self {
        Self { fault, text: shown(text) }
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.text;
        match self.fault {
            Fault::Kind => write!(
                f,
                "`{text}` names no kind of address: write inet:HOST:PORT, as in inet:localhost:5000, or unix:/PATH"
            ),
            Fault::Host => write!(
                f,
                "`{text}` is no host: write a name, an IPv4 address, or an IPv6 address in brackets, as in inet:localhost:5000"
            ),
            Fault::Bracket => write!(f, "`[{text}` lacks `]`: write inet:[::1]:5000"),
            Fault::Ipv6 => write!(f, "`[{text}]` is no IPv6 address: write inet:[::1]:5000"),
            Fault::Unbracketed => {
                write!(
                    f,
                    "`{text}` has too many colons: write IPv6 in brackets, as in inet:[::1]:5000"
                )
            }
            Fault::NoPort => {
                write!(
                    f,
                    "`{text}` lacks a port: write inet:{text}:5000, or port 0 for any free one"
                )
            }
            Fault::Port => write!(
                f,
                "`{text}` is no port: write a number from 0 to 65535, as in inet:localhost:5000"
            ),
            Fault::Path => {
                write!(
                    f,
                    "`{text}` is no path for a socket: write unix:/tmp/name without invisible characters"
                )
            }
            Fault::LongPath => {
                write!(
                    f,
                    "`{text}` is too long for a socket: use a path of at most {PATH_LIMIT} bytes"
                )
            }
            Fault::Name => write!(
                f,
                "`{text}` is no simulated name: write sim:NAME with 1 to {NAME_LIMIT} bytes and no spaces"
            ),
            Fault::Key => write!(f, "`{text}` is no key: 64 hex digits"),
            Fault::TwoKeys => write!(
                f,
                "`{text}` begins with a second key: write one; ./ goes before a path that looks like one"
            ),
        }
    }
}

impl std::error::Error for AddressError {}

impl From<AddressError> for io::Error {
    fn from(error: AddressError) -> Self {
        Self::new(io::ErrorKind::InvalidInput, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Address, AddressError> {
        text.parse()
    }

    #[test]
    fn what_is_printed_parses_back() {
        for text in [
            "inet:localhost:5000",
            "inet:127.0.0.1:0",
            "inet:[::1]:65535",
            "inet:a-b.example_1.org:80",
            "unix:/tmp/a socket",
            "unix:relative",
            "sim:node-7/3",
        ] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn each_fault_says_what_to_write_instead() {
        for (text, hint) in [
            ("", "write inet:HOST:PORT"),
            ("localhost:5000", "write inet:HOST:PORT"),
            ("tcp:localhost:5000", "write inet:HOST:PORT"),
            ("inet:localhost", "write inet:localhost:5000"),
            ("inet:[::1]", "lacks a port"),
            ("inet::5000", "is no host"),
            ("inet:ex ample:5000", "is no host"),
            ("inet:::1:5000", "brackets"),
            ("inet:[::1:5000", "lacks `]`"),
            ("inet:[localhost]:5000", "is no IPv6 address"),
            ("inet:[::1]x:5000", "lacks a port"),
            ("inet:localhost:65536", "0 to 65535"),
            ("inet:localhost:+80", "0 to 65535"),
            ("inet:localhost:", "0 to 65535"),
            ("unix:", "is no path"),
            ("unix:/tmp/\n", "is no path"),
            ("unix:/tmp/a\u{a0}b", "a\\u{a0}b"),
            ("sim:a\u{200b}b", "a\\u{200b}b"),
            ("sim:", "is no simulated name"),
            ("sim:a b", "is no simulated name"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(hint), "{text:?} gave {error:?}");
        }
    }

    #[test]
    fn lengths_are_bounded_and_messages_stay_short() {
        for text in [
            format!("inet:{}:1", "a".repeat(HOST_LIMIT + 1)),
            format!("unix:/{}", "a".repeat(PATH_LIMIT)),
            format!("sim:{}", "a".repeat(NAME_LIMIT + 1)),
        ] {
            assert!(parse(&text).unwrap_err().to_string().len() < 250);
        }
    }

    #[test]
    fn only_what_stays_on_the_machine_is_local() {
        for (text, local) in [
            ("inet:LocalHost:1", true),
            ("inet:127.1.2.3:1", true),
            ("inet:[::1]:1", true),
            ("inet:[::ffff:127.0.0.1]:1", true),
            ("inet:[::ffff:10.0.0.1]:1", false),
            ("inet:0.0.0.0:1", false),
            ("inet:[::]:1", false),
            ("inet:example.org:1", false),
            ("unix:/tmp/x", true),
            ("sim:x", true),
        ] {
            assert_eq!(parse(text).unwrap().is_local(), local, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics_and_what_parses_prints_back(text in "(inet|unix|sim|)?:?.{0,40}") {
            if let Ok(address) = parse(&text) {
                proptest::prop_assert!(!address.to_string().contains(is_invisible));
                proptest::prop_assert_eq!(parse(&address.to_string()), Ok(address));
            }
        }
    }
}
