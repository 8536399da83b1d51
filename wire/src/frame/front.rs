//! Large frames whose value is one run of bytes: what stands before the bytes is kept apart from
//! them, so that the value can have the memory that they are read into. Where that memory comes
//! from never lives here.
//!
//! Invariants:
//! 1. Front and run together are the frame as it was sent. Kept by
//!    `a_run_is_kept_apart_wherever_the_frame_is_cut`.

use byteorder::{ByteOrder, NetworkEndian};

use super::{Frame, HEADER, Header, Kind, TRACED};
use crate::limits;

/// A frame with fewer bytes in its run is not worth the trouble.
pub(crate) const WORTH_KEEPING_APART: usize = 256 << 10;

/// The length of the length of a run, in bytes.
const LENGTH: usize = 4;

/// The most that stands between the header and the run: the head of a traced call, and the length.
const MOST_HEAD: usize = 32 + LENGTH;

/// Holds what stands before the bytes of a large frame whose value is one run of bytes, as far as
/// can be seen: a length and so many bytes, to the frame's end. It may be a structure as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Front {
    header: Header,
    head: [u8; MOST_HEAD],
    head_len: u8,
    run: u32,
}

impl Front {
    /// Finds the front of the frame that begins with `bytes`, if it has one.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        let (header, body) = bytes.split_first_chunk::<HEADER>()?;
        let header = Header::from_bytes(header).ok()?;
        let head_len = match header.kind {
            Kind::Reply => LENGTH,
            Kind::Call | Kind::Event if header.flags & TRACED != 0 => 32 + LENGTH,
            Kind::Call | Kind::Event => 16 + LENGTH,
            _ => return None,
        };
        let seen = body.get(..head_len)?;
        let run = NetworkEndian::read_u32(&seen[head_len - LENGTH..]);
        // A guess: a structure may begin with such a length as well, and is spelled out again.
        let is_rest = (header.length as usize).checked_sub(head_len) == Some(run as usize);
        if !is_rest || !(WORTH_KEEPING_APART..=limits::MEMORY).contains(&(run as usize)) {
            return None;
        }
        let mut head = [0; MOST_HEAD];
        head[..head_len].copy_from_slice(seen);
        Some(Self { header, head, head_len: head_len as u8, run })
    }

    /// Returns how many bytes it has.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "it never is")]
    pub fn len(&self) -> usize {
        HEADER + usize::from(self.head_len)
    }

    /// Returns how many bytes the run has.
    #[must_use]
    pub fn run(&self) -> usize {
        self.run as usize
    }

    /// Returns the frame without the run: its body ends with the length.
    #[must_use]
    pub fn frame(&self) -> Frame<'_> {
        Frame::new(self.header, self.head())
    }

    fn head(&self) -> &[u8] {
        &self.head[..usize::from(self.head_len)]
    }
}
