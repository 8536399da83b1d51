//! Keys of Ed25519 as text: PKCS#8 in PEM, as `openssl genpkey -algorithm ed25519` writes them,
//! with a line `peers key ...` in front that says the public key. Openssl skips that line; it may
//! be missing.

use crate::identity::KeyError;
use peers_rpc::kernel::PublicKey;
use zeroize::{Zeroize as _, Zeroizing};

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";
/// What stands before the public key in its line.
const LINE: &str = "peers key ";
/// PKCS#8 of a key without its public half, up to the secret.
const SHORT: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
/// PKCS#8 of a key with its public half, and what stands between the two.
const LONG: [u8; 16] =
    [0x30, 0x51, 0x02, 0x01, 1, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
const PUBLIC: [u8; 3] = [0x81, 0x21, 0];

/// What a text says about a key.
pub(crate) struct Said {
    pub(crate) seed: Zeroizing<[u8; 32]>,
    /// The public key, as the line in front says, and as the key itself does.
    pub(crate) public: [Option<PublicKey>; 2],
}

/// Reads a private key.
pub(crate) fn read(text: &str) -> Result<Said, KeyError> {
    if text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") || text.contains("ENCRYPTED\n") {
        return Err(KeyError::Encrypted);
    }
    let (front, body) = text.split_once(BEGIN).ok_or(KeyError::NoKey)?;
    let (body, _) = body.split_once(END).ok_or(KeyError::NoKey)?;
    let der = bytes(body).ok_or(KeyError::NoKey)?;
    let (seed, inner) = secret(&der).ok_or(KeyError::NoKey)?;
    let line = front.lines().find_map(|line| line.trim().strip_prefix(LINE));
    let line = line.map(|key| key.trim().parse().map_err(|_| KeyError::BadLine)).transpose()?;
    Ok(Said { seed, public: [line, inner] })
}

fn secret(der: &[u8]) -> Option<(Zeroizing<[u8; 32]>, Option<PublicKey>)> {
    let short = der.strip_prefix(&SHORT);
    let (seed, rest) = short.or_else(|| der.strip_prefix(&LONG))?.split_first_chunk::<32>()?;
    let public = match (short.is_some(), rest.strip_prefix(&PUBLIC)) {
        (true, None) if rest.is_empty() => None,
        (false, Some(public)) => Some(PublicKey(public.try_into().ok()?)),
        _ => return None,
    };
    Some((Zeroizing::new(*seed), public))
}

/// Writes a private key.
pub(crate) fn write(seed: &[u8; 32], public: &PublicKey) -> Zeroizing<String> {
    let mut der = Zeroizing::new([0; 48]);
    der[..16].copy_from_slice(&SHORT);
    der[16..].copy_from_slice(seed);
    // With room for all, it is never moved: nothing of it is left behind.
    let mut text = Zeroizing::new(String::with_capacity(256));
    text.push_str(&format!("{LINE}{public}\n{BEGIN}\n"));
    for group in der.chunks_exact(3) {
        let mut bits = u32::from_be_bytes([0, group[0], group[1], group[2]]);
        for shift in [18, 12, 6, 0] {
            text.push(char::from(DIGITS[(bits >> shift) as usize & 63]));
        }
        bits.zeroize();
    }
    text.push_str(&format!("\n{END}\n"));
    text
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Reads base 64, without regard to white space.
fn bytes(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    // As above. No key of Ed25519 is longer.
    let mut out = Zeroizing::new(Vec::with_capacity(128));
    let (mut bits, mut count, mut padding) = (Zeroizing::new(0_u32), 0_u32, 0_u32);
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
        if byte == b'=' {
            padding += 1;
            continue;
        }
        let digit = DIGITS.iter().position(|known| *known == byte)?;
        if padding > 0 || out.len() > 120 {
            return None;
        }
        *bits = *bits << 6 | digit as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((*bits >> count) as u8);
            *bits &= (1 << count) - 1;
        }
    }
    // What is left over is padding of zeros.
    (*bits == 0 && padding == count / 2 && count < 6).then_some(out)
}
