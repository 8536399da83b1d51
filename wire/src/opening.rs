//! The first eight bytes of a connection, and what else people send to an open port. They are read
//! in `frame/preamble.rs`.
//!
//! Invariants:
//! 1. What is printed about a foreign opening is printable ASCII of bounded length. Kept by
//!    `foreign_openings_are_named_in_words`.

use std::fmt;

/// The version of the protocol that this crate speaks.
pub const VERSION: u16 = 1;

/// The preamble that both sides send first: magic and [`VERSION`]. The first byte is no ASCII, so
/// that no text protocol starts with it.
pub const PREAMBLE: [u8; 8] = [0x89, b'P', b'E', b'E', b'R', b'S', 0, VERSION as u8];

/// How many bytes of the preamble tell this protocol from others.
pub(crate) const MAGIC: usize = 6;

/// The start of a connection that is not ours: what it looks like, and its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    looks_like: Sniffed,
    bytes: [u8; 16],
    len: u8,
}

impl Opening {
    /// Keeps the first of the bytes that have come, and guesses at what they are.
    pub(crate) fn new(seen: &[u8], rest: &[u8]) -> Self {
        // So many tell what it is, and no more of a stranger's bytes get into logs.
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

    /// Returns the first bytes, at most 16.
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
    /// A TLS alert: whoever answers wants to be spoken to in cipher text.
    TlsAlert,
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
            Self::TlsAlert => "a TLS alert",
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
    // No two begin alike, so the order does not matter.
    let known: [(&[&[u8]], Sniffed); 8] = [
        (&[b"PRI * HT"], Sniffed::Http2),
        (&[b"HTTP/"], Sniffed::HttpResponse),
        (&[b"SSH-"], Sniffed::Ssh),
        (&[b"\x16\x03"], Sniffed::Tls),
        (&[b"\x15\x03"], Sniffed::TlsAlert),
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
