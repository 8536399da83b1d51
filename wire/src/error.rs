//! Every way bytes can be wrong, as one enum. What a session or an application does about an error
//! never lives here.
//!
//! Invariants:
//! 1. Offsets count from the start of the input handed to the reader. Kept by
//!    `offsets_inside_structures_count_from_the_start`.
//! 2. No variant holds text of the peer, so that an error can be logged as it is. Kept by
//!    `errors_are_one_line_and_can_go_anywhere`.

use std::fmt;

use crate::opening::{Opening, VERSION};

/// Says why bytes could not be read, or a value could not be written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The input ends inside a value.
    Truncated {
        /// Bytes the value needs.
        needed: usize,
        /// Bytes that are left.
        left: usize,
        /// Says where the value starts.
        offset: usize,
    },
    /// The value is complete and bytes are left over.
    TrailingBytes {
        /// The number of bytes.
        count: usize,
        /// Says where they start.
        offset: usize,
    },
    /// A boolean that is neither 0 nor 1.
    BadBool {
        /// The byte found.
        found: u8,
        /// Says where it stands.
        offset: usize,
    },
    /// The byte before an option that is neither 0 nor 1.
    BadOption {
        /// The byte found.
        found: u8,
        /// Says where it stands.
        offset: usize,
    },
    /// A string that is not UTF-8.
    BadUtf8 {
        /// The first byte that does not fit.
        offset: usize,
    },
    /// A count of more elements than the bytes left can hold.
    BadCount {
        /// The count found.
        count: u32,
        /// Bytes that are left for the elements.
        left: usize,
        /// Says where the count stands.
        offset: usize,
    },
    /// A set names an element, or a map a key, twice.
    Duplicate {
        /// Says where the second one starts.
        offset: usize,
    },
    /// An enum's position that its type does not have: the peer knows a newer interface.
    UnknownVariant {
        /// The enum.
        name: &'static str,
        /// The position found.
        found: u32,
        /// Says where it stands.
        offset: usize,
    },
    /// A self-describing value starts with an unknown tag.
    UnknownTag {
        /// The tag found.
        found: u8,
        /// Says where it stands.
        offset: usize,
    },
    /// Bytes of the right shape that spell no value of their type: for types with rules of their
    /// own.
    Invalid {
        /// Holds what they should spell, with its rules.
        what: &'static str,
    },
    /// Nesting deeper than [`limits::DEPTH`](crate::limits::DEPTH), read or written.
    TooDeep {
        /// The limit.
        limit: u32,
    },
    /// More nodes in one input than [`limits::NODES`](crate::limits::NODES).
    TooManyNodes {
        /// The limit.
        limit: u32,
        /// Says where the first one too many stands.
        offset: usize,
    },
    /// The decoded value would take more memory than [`limits::MEMORY`](crate::limits::MEMORY).
    TooMuchMemory {
        /// The limit, in bytes.
        limit: usize,
        /// Says where the collection that breaks it stands.
        offset: usize,
    },
    /// The connection opens with something else than this protocol.
    Foreign(Opening),
    /// The peer speaks a version of this protocol that we do not.
    UnsupportedVersion {
        /// The version in the peer's opening.
        found: u16,
    },
    /// A frame announces a body over the limit in force. Nothing was allocated for it.
    FrameTooLarge {
        /// The length announced.
        length: u32,
        /// The limit in force.
        limit: u32,
    },
    /// A frame of a kind that is not assigned.
    UnknownKind {
        /// The kind found.
        found: u8,
    },
    /// A frame of a kind that is set aside for data channels, which this version does not have.
    ReservedKind {
        /// The kind found.
        found: u8,
    },
    /// A frame with flags that its kind does not have.
    UnknownFlags {
        /// The kind, as its number.
        kind: u8,
        /// The flags found.
        found: u8,
    },
    /// A field that must be zero is not.
    NotZero {
        /// The field.
        field: &'static str,
    },
    /// A number that is less than the protocol allows.
    TooSmall {
        /// The field.
        field: &'static str,
        /// The number found.
        found: u32,
        /// The least one allowed.
        least: u32,
    },
    /// A frame whose body cannot have this length.
    BadLength {
        /// The kind, as its number.
        kind: u8,
        /// The length found.
        length: u32,
        /// The length required, or the least one for kinds of variable length.
        expected: u32,
    },
    /// What is being written exceeds the limit of its output. The output is as it was before.
    OutputTooLarge {
        /// Bytes the whole would have taken.
        size: usize,
        /// The limit in force.
        limit: usize,
    },
    /// A list being written has more elements than a count can say.
    TooManyElements {
        /// The number of elements.
        count: usize,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign(_)
            | Self::UnsupportedVersion { .. }
            | Self::FrameTooLarge { .. }
            | Self::UnknownKind { .. }
            | Self::ReservedKind { .. }
            | Self::UnknownFlags { .. }
            | Self::NotZero { .. }
            | Self::TooSmall { .. }
            | Self::BadLength { .. } => self.fmt_frame(f),
            _ => self.fmt_value(f),
        }
    }
}

impl Error {
    fn fmt_frame(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign(opening) => write!(f, "not this protocol: {opening}"),
            Self::UnsupportedVersion { found } => {
                write!(f, "protocol version {found} (only {} is spoken here)", VERSION)
            }
            Self::FrameTooLarge { length, limit } => {
                write!(f, "frame of {length} bytes, at most {limit} are accepted")
            }
            Self::UnknownKind { found } => write!(f, "unknown kind of frame {found}"),
            Self::ReservedKind { found } => {
                write!(f, "kind of frame {found} is reserved for data channels")
            }
            Self::UnknownFlags { kind, found } => {
                write!(f, "unknown flags {found:#04x} on a frame of kind {kind}")
            }
            Self::NotZero { field } => write!(f, "{field} must be zero"),
            Self::TooSmall { field, found, least } => {
                write!(f, "{field} is {found}, at least {least} is required")
            }
            Self::BadLength { kind, length, expected } => {
                let least = if length < expected { "at least " } else { "" };
                write!(f, "frame of kind {kind} with a body of {length} bytes, ")?;
                write!(f, "expected {least}{expected}")
            }
            _ => Ok(()),
        }
    }

    fn fmt_value(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { needed, left, offset } => {
                write!(f, "value of {needed} bytes at offset {offset}, but {left} are left")
            }
            Self::TrailingBytes { count, offset } => {
                write!(f, "{count} bytes left over at offset {offset}")
            }
            Self::BadBool { found, offset } => {
                write!(f, "boolean {found} at offset {offset}, expected 0 or 1")
            }
            Self::BadOption { found, offset } => {
                write!(f, "option {found} at offset {offset}, expected 0 (none) or 1 (some)")
            }
            Self::BadUtf8 { offset } => write!(f, "string is not UTF-8 at offset {offset}"),
            Self::BadCount { count, left, offset } => {
                write!(f, "count of {count} at offset {offset} cannot fit the {left} bytes left")
            }
            Self::Duplicate { offset } => write!(f, "duplicate in a set or map at offset {offset}"),
            Self::UnknownVariant { name, found, offset } => {
                write!(f, "unknown variant {found} of {name} at offset {offset}")
            }
            Self::UnknownTag { found, offset } => {
                write!(f, "unknown value tag {found} at offset {offset}")
            }
            Self::Invalid { what } => write!(f, "bytes that spell no {what}"),
            Self::TooDeep { limit } => write!(f, "nesting deeper than {limit}"),
            Self::TooManyNodes { limit, offset } => {
                write!(f, "more than {limit} nodes at offset {offset}")
            }
            Self::TooMuchMemory { limit, offset } => {
                write!(f, "more than {limit} bytes of memory at offset {offset}")
            }
            Self::OutputTooLarge { size, limit } => {
                write!(f, "{size} bytes to be written, at most {limit} are allowed")
            }
            Self::TooManyElements { count } => {
                write!(f, "{count} elements to be written, a count can say {}", u32::MAX)
            }
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Error {}
