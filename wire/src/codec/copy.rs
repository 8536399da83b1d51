//! Copies of many bytes, in pieces where a processor is slow otherwise.

/// Longer copies go in pieces of this many bytes.
pub(crate) const PIECE: usize = 1 << 10;

/// Appends bytes. Some processors copy a long run twenty times slower if its target lies a few
/// bytes behind its source within their pages, as values lie behind their heads; short runs never.
#[inline]
pub(crate) fn append_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.len() <= PIECE { out.extend_from_slice(bytes) } else { append_pieces(out, bytes) }
}

#[inline(never)]
fn append_pieces(out: &mut Vec<u8>, bytes: &[u8]) {
    // Once for all pieces, so that none of them moves what came before.
    out.reserve(bytes.len());
    for piece in bytes.chunks(PIECE) {
        out.extend_from_slice(piece);
    }
}

/// Copies bytes into memory of their own.
#[inline]
pub(crate) fn copied(bytes: &[u8]) -> Vec<u8> {
    if bytes.len() <= PIECE { bytes.to_vec() } else { copied_pieces(bytes) }
}

#[inline(never)]
fn copied_pieces(bytes: &[u8]) -> Vec<u8> {
    let mut copy = Vec::new();
    append_pieces(&mut copy, bytes);
    copy
}
