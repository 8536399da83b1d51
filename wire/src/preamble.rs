//! The first eight bytes of a connection, and what else people send to an open port. Frames never
//! live here.
//!
//! Invariants: 1. a foreign opening is recognised at the first byte that differs; 2. what is
//! printed about it is printable ASCII of bounded length.

use std::fmt;

use byteorder::{ByteOrder, NetworkEndian};

use crate::Error;

/// The version of the protocol that this crate speaks.
pub const VERSION: u16 = 1;

/// Is what both sides send first: magic and [`VERSION`]. The first byte is no ASCII, so that no
/// text protocol starts with it.
pub const PREAMBLE: [u8; 8] = [0x89, b'P', b'E', b'E', b'R', b'S', 0, VERSION as u8];

const MAGIC: usize = 6;

/// Reads the peer's [`PREAMBLE`], however it is cut into segments.
///
/// ```
/// use peers_wire::{PREAMBLE, PreambleReader};
/// let mut reader = PreambleReader::new();
/// let mut input = &PREAMBLE[..3];
/// assert_eq!(reader.read(&mut input), Ok(false));
/// let mut input = &PREAMBLE[3..];
/// assert_eq!(reader.read(&mut input), Ok(true));
/// ```
#[derive(Clone, Debug, Default)]
pub struct PreambleReader {
    seen: [u8; PREAMBLE.len()],
    len: usize,
}

impl PreambleReader {
    /// A reader at the start of a connection.
    #[must_use]
    pub const fn new() -> Self {
        Self { seen: [0; PREAMBLE.len()], len: 0 }
    }

    /// Takes what is missing from the front of `input`; true once the preamble is complete.
    ///
    /// # Errors
    /// [`Error::Foreign`] at the first wrong byte, [`Error::UnsupportedVersion`] when all
    /// eight are there and the last two are not ours.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<bool, Error> {
        let taken = input.len().min(PREAMBLE.len() - self.len);
        let (head, rest) = input.split_at(taken);
        self.seen[self.len..self.len + taken].copy_from_slice(head);
        self.len += taken;
        let seen = &self.seen[..self.len];
        let magic = &seen[..seen.len().min(MAGIC)];
        // At the first byte that differs, so that whoever speaks something else is not waited for.
        if *magic != PREAMBLE[..magic.len()] {
            return Err(Error::Foreign(Opening::new(seen, rest)));
        }
        // What is foreign stays in the input, to be shown.
        *input = rest;
        debug_assert!(self.len <= PREAMBLE.len(), "no more is taken than a preamble has");
        if self.len < PREAMBLE.len() {
            return Ok(false);
        }
        match NetworkEndian::read_u16(&self.seen[MAGIC..]) {
            VERSION => Ok(true),
            found => Err(Error::UnsupportedVersion { found }),
        }
    }

    /// True iff some bytes of the preamble, but not all, have arrived.
    #[must_use]
    pub const fn is_partial(&self) -> bool {
        self.len > 0 && self.len < PREAMBLE.len()
    }
}

/// The start of a connection that is not ours: what it looks like, and its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    looks_like: Sniffed,
    bytes: [u8; 16],
    len: u8,
}

impl Opening {
    fn new(seen: &[u8], rest: &[u8]) -> Self {
        let mut bytes = [0; 16];
        let mut len = 0;
        for (slot, byte) in bytes.iter_mut().zip(seen.iter().chain(rest)) {
            *slot = *byte;
            len += 1;
        }
        Self { looks_like: sniff(&bytes[..usize::from(len)]), bytes, len }
    }

    /// Returns what the bytes look like.
    #[must_use]
    pub const fn looks_like(&self) -> Sniffed {
        self.looks_like
    }

    /// The first bytes, at most 16.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl fmt::Display for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "looks like {}: \"{}\"", self.looks_like, self.bytes().escape_ascii())
    }
}

/// Says what the first bytes of a connection look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sniffed {
    /// This protocol, as far as can be seen.
    Peers,
    /// `GET / HTTP/1.1` and its relatives.
    HttpRequest,
    /// `HTTP/1.1 200`: we dialled a web server.
    HttpResponse,
    /// The preface of HTTP/2, which gRPC uses too.
    Http2,
    /// A TLS hello.
    Tls,
    /// `SSH-2.0-...`.
    Ssh,
    /// A command or reply of Redis.
    Redis,
    /// The greeting of a mail or file server, or the first words of a mail client.
    Smtp,
    /// None of these.
    Unknown,
}

impl fmt::Display for Sniffed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Peers => "this protocol",
            Self::HttpRequest => "an HTTP request",
            Self::HttpResponse => "an HTTP response",
            Self::Http2 => "an HTTP/2 or gRPC client",
            Self::Tls => "a TLS hello",
            Self::Ssh => "an SSH banner",
            Self::Redis => "Redis",
            Self::Smtp => "SMTP or FTP",
            Self::Unknown => "garbage",
        })
    }
}

/// Says what the first bytes of a connection look like. Eight bytes are enough, more are not looked
/// at.
///
/// ```
/// use peers_wire::{Sniffed, sniff};
/// assert_eq!(sniff(b"GET / HTTP/1.1\r\n"), Sniffed::HttpRequest);
/// assert_eq!(sniff(b"\x16\x03\x01\x02\x00\x01\x00"), Sniffed::Tls);
/// ```
#[must_use]
pub fn sniff(bytes: &[u8]) -> Sniffed {
    let magic = bytes.len().min(MAGIC);
    if magic > 0 && bytes[..magic] == PREAMBLE[..magic] {
        return Sniffed::Peers;
    }
    let known: [(&[&[u8]], Sniffed); 7] = [
        (&[b"PRI * HT"], Sniffed::Http2),
        (&[b"HTTP/"], Sniffed::HttpResponse),
        (&[b"SSH-"], Sniffed::Ssh),
        (&[b"\x16\x03"], Sniffed::Tls),
        (&[b"*", b"$", b"+OK", b"+PONG", b"-ERR", b"PING\r", b"PING\n"], Sniffed::Redis),
        (&[b"220 ", b"220-", b"EHLO", b"HELO"], Sniffed::Smtp),
        (
            &[
                b"GET ",
                b"PUT ",
                b"POST ",
                b"HEAD ",
                b"DELETE ",
                b"OPTIONS ",
                b"PATCH ",
                b"CONNECT ",
                b"TRACE ",
            ],
            Sniffed::HttpRequest,
        ),
    ];
    for (openings, kind) in known {
        if openings.iter().any(|opening| bytes.starts_with(opening)) {
            return kind;
        }
    }
    Sniffed::Unknown
}
