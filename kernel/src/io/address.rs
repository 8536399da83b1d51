//! Addresses as people write them: `inet:host:port`, `unix:/path`, `sim:name`.
//!
//! Parsing and printing only. Nothing here looks a name up or opens a socket.
//!
//! Invariants:
//! 1. What [`Display`](fmt::Display) prints of a parsed address parses back to the same address.
//! 2. A parsed address holds no invisible characters and has a bounded length, so it may be logged
//!    and sent as it is.

use crate::host::ready::Resolved;
use crate::host::text::is_invisible;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

/// The longest host name that the domain name system allows, in bytes.
const HOST_LIMIT: usize = 253;
/// The longest path that fits into a Unix socket address everywhere, in bytes.
const PATH_LIMIT: usize = 103;
/// The longest name of a simulated listener, in bytes.
const NAME_LIMIT: usize = 255;

/// Says where to listen or whom to dial.
///
/// ```
/// use peers_kernel::Address;
///
/// let address: Address = "inet:[::1]:5000".parse()?;
/// assert_eq!(address, Address::Inet { host: "::1".into(), port: 5000 });
/// assert_eq!(address.to_string(), "inet:[::1]:5000");
/// # Ok::<(), peers_kernel::AddressError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Address {
    /// A host (a name, or an IP address without brackets) and a TCP port; port 0 lets the system
    /// choose when listening.
    Inet {
        /// Name or IP address, kept as it was given.
        host: String,
        /// TCP port.
        port: u16,
    },
    /// A Unix socket in the file system. The path is empty for the unnamed end of a connection.
    Unix(PathBuf),
    /// A name in a simulated world.
    Sim(String),
}

impl Address {
    /// Returns whether bytes sent there never leave this machine: loopback, Unix and simulated
    /// addresses.
    ///
    /// Host names other than `localhost` count as remote, since nobody knows before looking them
    /// up.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Inet { host, .. } if host.eq_ignore_ascii_case("localhost") => true,
            Self::Inet { host, .. } => host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback()),
            Self::Unix(_) | Self::Sim(_) => true,
        }
    }

    /// Returns the address with another port; unchanged where there are no ports.
    #[must_use]
    pub fn with_port(&self, port: u16) -> Self {
        match self {
            Self::Inet { host, .. } => Self::Inet { host: host.clone(), port },
            other => other.clone(),
        }
    }

    pub(crate) fn from_resolved(resolved: Resolved) -> Self {
        match resolved {
            Resolved::Inet(socket) => {
                Self::Inet { host: socket.ip().to_string(), port: socket.port() }
            }
            Resolved::Unix(path) => Self::Unix(path),
            Resolved::Sim(name) => Self::Sim(name),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet { host, port } if host.contains(':') => write!(f, "inet:[{host}]:{port}"),
            Self::Inet { host, port } => write!(f, "inet:{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Sim(name) => write!(f, "sim:{name}"),
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(socket: SocketAddr) -> Self {
        Self::from_resolved(Resolved::Inet(socket))
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        match text.split_once(':') {
            Some(("inet", rest)) => inet(rest),
            Some(("unix", rest)) => unix(rest),
            Some(("sim", rest)) => sim(rest),
            _ => Err(AddressError::new(Fault::Kind, text)),
        }
    }
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
            Ok(Address::Inet { host: host.to_owned(), port: number })
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
    Ok(Address::Unix(PathBuf::from(path)))
}

fn sim(name: &str) -> Result<Address, AddressError> {
    let odd = |letter: char| is_invisible(letter) || letter.is_whitespace();
    if name.is_empty() || name.len() > NAME_LIMIT || name.contains(odd) {
        return Err(AddressError::new(Fault::Name, name));
    }
    Ok(Address::Sim(name.to_owned()))
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
}

impl AddressError {
    fn new(fault: Fault, text: &str) -> Self {
        let mut shown = String::new();
        for c in text.chars().take(60) {
            if is_invisible(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
        }
        if text.chars().nth(60).is_some() {
            shown.push('…');
        }
        Self { fault, text: shown }
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
        }
    }
}

impl std::error::Error for AddressError {}

impl From<AddressError> for std::io::Error {
    fn from(error: AddressError) -> Self {
        Self::new(std::io::ErrorKind::InvalidInput, error)
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
