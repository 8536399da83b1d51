//! The key schedule of TLS 1.3 from a traffic secret on (RFC 8446, sections 7.1 to 7.3).

use crate::primitives::{Library, hmac};
use zeroize::Zeroizing;

/// HKDF-Expand-Label with an empty context, for at most 32 bytes.
pub(crate) fn expand<const N: usize>(
    library: Library,
    secret: &[u8; 32],
    label: &str,
) -> Zeroizing<[u8; N]> {
    const { assert!(N <= 32) };
    let length = (N as u16).to_be_bytes();
    let label_length = [6 + label.len() as u8];
    // The block counter of HKDF-Expand stands last; one block is enough.
    let info: [&[u8]; 6] = [&length, &label_length, b"tls13 ", label.as_bytes(), &[0], &[1]];
    let block = hmac(library, secret, &info);
    let mut out = Zeroizing::new([0; N]);
    out.copy_from_slice(&block[..N]);
    out
}
