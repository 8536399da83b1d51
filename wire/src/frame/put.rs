//! Writes frames: the header, and behind it the body.
//!
//! Invariants:
//! 1. A frame is written whole or not at all. Kept by `an_output_over_its_limit_is_left_as_it_was`.

use super::{HEADER, Header, Kind};
use crate::Error;
use crate::codec::Writer;

/// Appends a frame whose body, of at most `limit` bytes, is written by `body`; the length is filled
/// in afterwards.
///
/// # Errors
/// Those of [`Writer::finish`]; sizes and limit count the body only. The output is then as it was
/// before.
#[inline]
pub fn put_frame(
    out: &mut Vec<u8>,
    limit: u32,
    kind: Kind,
    flags: u8,
    call: u64,
    body: impl FnOnce(&mut Writer<'_>),
) -> Result<(), Error> {
    let mut writer = Writer::with_limit(out, (limit as usize).saturating_add(HEADER));
    let at = writer.position();
    writer.put(&Header { length: 0, kind, flags, call }.to_bytes());
    body(&mut writer);
    writer.patch_length(at, HEADER);
    writer.finish().map_err(without_header)
}

/// Appends only the header of a frame: the `length` bytes of its body are appended or sent by the
/// caller.
#[inline]
pub fn put_header(out: &mut Vec<u8>, header: Header) {
    out.extend_from_slice(&header.to_bytes());
}

/// Appends a frame whose body has a bounded size.
pub(crate) fn put_bounded(
    out: &mut Vec<u8>,
    kind: Kind,
    call: u64,
    body: impl FnOnce(&mut Writer<'_>),
) {
    put_frame(out, u32::MAX, kind, 0, call, body)
        .expect("a body of bounded size and depth fits a frame");
}

/// Sizes in errors speak of the body, as limits do.
#[cold]
fn without_header(error: Error) -> Error {
    match error {
        Error::OutputTooLarge { size, limit } => {
            Error::OutputTooLarge { size: size - HEADER, limit: limit - HEADER }
        }
        other => other,
    }
}
