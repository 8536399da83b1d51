//! The bytes of one call: of the raw programs, with heads as large as ours, and of redis.

use versus_load::{CHUNK, KEY_SIZE, LARGE, VALUE_SIZE, key};

/// A call head of ours: frame head, method, deadline, depth.
const CALL_HEAD: usize = 32;

/// A frame head of ours.
const FRAME_HEAD: usize = 16;

/// The length of a string.
const LENGTH: usize = 4;

/// Bytes of one request for a value.
pub const GET: usize = CALL_HEAD + LENGTH + KEY_SIZE;

/// Bytes of its answer.
pub const FOUND: usize = FRAME_HEAD + LENGTH + VALUE_SIZE;

/// Bytes of a request for, and of the answer to, one echo.
pub const ECHO: usize = CALL_HEAD + LENGTH + LARGE;

/// Bytes of one message of a stream.
pub const PUSH: usize = CALL_HEAD + LENGTH + CHUNK;

/// Says what the raw programs' frames begin with: how the server is to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// [`GET`], answered with [`FOUND`].
    Get = 1,
    /// [`ECHO`], sent back.
    Echo = 2,
    /// [`PUSH`], not answered.
    Push = 3,
}

impl Kind {
    /// Returns what a frame is that begins with this byte.
    pub fn of(byte: u8) -> Option<Self> {
        [Self::Get, Self::Echo, Self::Push].into_iter().find(|kind| *kind as u8 == byte)
    }

    /// Bytes of such a frame.
    pub fn size(self) -> usize {
        match self {
            Self::Get => GET,
            Self::Echo => ECHO,
            Self::Push => PUSH,
        }
    }

    /// Such a frame.
    pub fn frame(self) -> Vec<u8> {
        vec![self as u8; self.size()]
    }
}

/// Says how a client speaks.
#[derive(Clone, Debug)]
pub struct Speech {
    /// The request.
    pub request: Vec<u8>,
    /// Bytes of the answer; 0: none comes.
    pub answer: usize,
}

impl Speech {
    /// As the raw programs do.
    pub fn raw(kind: Kind) -> Self {
        let answer = match kind {
            Kind::Get => FOUND,
            Kind::Echo => ECHO,
            Kind::Push => 0,
        };
        Self { request: kind.frame(), answer }
    }

    /// As redis does.
    pub fn redis(kind: Kind) -> Self {
        let command = |words: &[&[u8]]| {
            let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
            for word in words {
                bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
                bytes.extend_from_slice(word);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes
        };
        let bulk = |size: usize| format!("${size}\r\n\r\n").len() + size;
        match kind {
            Kind::Get => {
                Self { request: command(&[b"GET", key(7).as_bytes()]), answer: bulk(VALUE_SIZE) }
            }
            Kind::Echo => {
                Self { request: command(&[b"ECHO", &vec![b'e'; LARGE]]), answer: bulk(LARGE) }
            }
            // Redis answers everything; `+OK`.
            Kind::Push => {
                Self { request: command(&[b"SET", b"pushed", &vec![b'p'; CHUNK]]), answer: 5 }
            }
        }
    }
}
