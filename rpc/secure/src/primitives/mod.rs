//! Primitives of cryptography, from one of two libraries. Nothing else in the project names them.
//!
//! Graviola draws every random byte that it needs from its caller, so a handshake can be repeated
//! from a seed. AWS-LC draws its own, so it serves real connections only.

use graviola::aead::AesGcm;
use graviola::hashing::{Sha256 as Sha256Of, hmac::Hmac, sha2::Sha256Context};
use graviola::key_agreement::mlkem768::{DecapKey, EncapKey, Message};
use graviola::key_agreement::x25519::{PublicKey as XPublic, StaticPrivateKey};
use graviola::signing::eddsa::{Ed25519SigningKey, Ed25519VerifyingKey};
use std::fmt;
use zeroize::Zeroizing;

#[cfg(feature = "aws-lc-rs")]
mod aws;

/// The library under a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Library {
    /// Pure Rust and checked assembly; seedable.
    Graviola,
    /// The audited one, for real connections.
    #[cfg(feature = "aws-lc-rs")]
    AwsLc,
}

/// Is told to people whose processor the built-in library refuses.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OldProcessor;

impl fmt::Display for OldProcessor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this processor lacks AES, AVX2 or ADX: build with feature aws-lc-rs")
    }
}

impl Library {
    /// Returns the library for real connections.
    pub(crate) fn real() -> Result<Self, OldProcessor> {
        #[cfg(feature = "aws-lc-rs")]
        return Ok(Self::AwsLc);
        #[cfg(not(feature = "aws-lc-rs"))]
        Self::seedable()
    }

    /// Returns the library for simulated connections.
    pub(crate) fn seedable() -> Result<Self, OldProcessor> {
        graviola::util::is_cpu_supported().then_some(Self::Graviola).ok_or(OldProcessor)
    }
}

/// An expanded key of AES-128-GCM.
pub(crate) enum Aead {
    /// In a box of its own: it is large, and would leave copies of itself where it is moved.
    Graviola(Box<AesGcm>),
    #[cfg(feature = "aws-lc-rs")]
    AwsLc(aws_lc_rs::aead::LessSafeKey),
}

/// Bytes of a tag.
pub(crate) const TAG: usize = 16;

impl Aead {
    pub(crate) fn new(library: Library, key: &[u8; 16]) -> Self {
        match library {
            Library::Graviola => Self::Graviola(Box::new(AesGcm::new(key))),
            #[cfg(feature = "aws-lc-rs")]
            Library::AwsLc => Self::AwsLc(aws::aead(key)),
        }
    }

    /// Encrypts `text` in place. A nonce is used once for a key.
    pub(crate) fn seal(&self, nonce: &[u8; 12], extra: &[u8], text: &mut [u8]) -> [u8; TAG] {
        match self {
            Self::Graviola(key) => {
                let mut tag = [0; TAG];
                key.encrypt(nonce, extra, text, &mut tag);
                tag
            }
            #[cfg(feature = "aws-lc-rs")]
            Self::AwsLc(key) => aws::seal(key, nonce, extra, text),
        }
    }

    /// Decrypts `text` with its tag behind it, in place. Returns whether it is genuine; if it is
    /// not, nothing of it is left.
    pub(crate) fn open(&self, nonce: &[u8; 12], extra: &[u8], text: &mut [u8]) -> bool {
        let Some(len) = text.len().checked_sub(TAG) else { return false };
        match self {
            Self::Graviola(key) => {
                let (text, tag) = text.split_at_mut(len);
                key.decrypt(nonce, extra, text, tag).is_ok()
            }
            #[cfg(feature = "aws-lc-rs")]
            Self::AwsLc(key) => {
                let genuine = aws::open(key, nonce, extra, text);
                if !genuine {
                    text[..len].fill(0);
                }
                genuine
            }
        }
    }
}

/// Computes HMAC-SHA256 of `parts`, one behind the other.
pub(crate) fn hmac(library: Library, key: &[u8], parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0; 32]);
    match library {
        Library::Graviola => {
            let mut hmac = Hmac::<Sha256Of>::new(key);
            parts.iter().for_each(|part| hmac.update(part));
            out.copy_from_slice(hmac.finish().as_ref());
        }
        #[cfg(feature = "aws-lc-rs")]
        Library::AwsLc => aws::hmac(key, parts, &mut out),
    }
    out
}

/// A running SHA-256, of the seedable library.
#[derive(Clone)]
pub(crate) struct Sha256(Sha256Context);

impl Sha256 {
    pub(crate) fn new() -> Self {
        Self(Sha256Context::new())
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> [u8; 32] {
        self.0.finish()
    }
}

/// One use of X25519, from the seedable library.
pub(crate) struct X25519(StaticPrivateKey);

impl X25519 {
    pub(crate) fn new(seed: &[u8; 32]) -> Self {
        Self(StaticPrivateKey::from_array(seed))
    }

    pub(crate) fn public(&self) -> [u8; 32] {
        self.0.public_key().as_bytes()
    }

    /// Returns the common secret, or nothing if `peer` is no key or one of those that make the
    /// secret zero.
    pub(crate) fn agree(&self, peer: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
        let peer = XPublic::try_from_slice(peer).ok()?;
        Some(Zeroizing::new(self.0.diffie_hellman(&peer).ok()?.0))
    }
}

/// Sizes of ML-KEM-768: the key that is sent, and the answer to it.
pub(crate) const KEM_PUBLIC: usize = 1184;
pub(crate) const KEM_CIPHER: usize = 1088;

/// The asking side of ML-KEM-768, from the seedable library.
pub(crate) struct Kem(DecapKey);

impl Kem {
    pub(crate) fn new(seed: &[u8; 64]) -> Self {
        Self(DecapKey::keygen_internal(seed))
    }

    pub(crate) fn public(&self) -> [u8; KEM_PUBLIC] {
        self.0.encapsulation_key().as_bytes()
    }

    pub(crate) fn open(self, cipher: [u8; KEM_CIPHER]) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(*self.0.decaps(&cipher.into()).as_ref())
    }
}

/// Answers a key of ML-KEM-768. Nothing if it is none.
pub(crate) fn encapsulate(
    public: &[u8; KEM_PUBLIC],
    seed: &[u8; 32],
) -> Option<([u8; KEM_CIPHER], Zeroizing<[u8; 32]>)> {
    let (secret, cipher) = EncapKey::from_bytes(public).ok()?.encaps_internal(Message(*seed));
    Some((*cipher.as_ref(), Zeroizing::new(*secret.as_ref())))
}

/// A key that signs. Wiped when dropped.
pub(crate) enum Signer {
    Graviola(Box<Ed25519SigningKey>),
    #[cfg(feature = "aws-lc-rs")]
    AwsLc(aws_lc_rs::signature::Ed25519KeyPair),
}

impl Signer {
    /// Expands `seed`; nothing if the library fails.
    pub(crate) fn new(library: Library, seed: &[u8; 32]) -> Option<Self> {
        match library {
            Library::Graviola => {
                Some(Self::Graviola(Box::new(Ed25519SigningKey::from_bytes(seed).ok()?)))
            }
            #[cfg(feature = "aws-lc-rs")]
            Library::AwsLc => aws::signer(seed).map(Self::AwsLc),
        }
    }

    pub(crate) fn public(&self) -> [u8; 32] {
        match self {
            Self::Graviola(key) => key.public_key().as_bytes(),
            #[cfg(feature = "aws-lc-rs")]
            Self::AwsLc(key) => aws::public(key),
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        match self {
            Self::Graviola(key) => key.sign(message),
            #[cfg(feature = "aws-lc-rs")]
            Self::AwsLc(key) => aws::sign(key, message),
        }
    }
}

/// Returns whether `key` signed `message`. A key of small order signs for anybody, so it is
/// nobody's.
pub(crate) fn is_signed(
    library: Library,
    key: &[u8; 32],
    message: &[u8],
    signature: &[u8],
) -> bool {
    if is_small(key) {
        return false;
    }
    match library {
        Library::Graviola => Ed25519VerifyingKey::from_bytes(key)
            .is_ok_and(|key| key.verify(signature, message).is_ok()),
        #[cfg(feature = "aws-lc-rs")]
        Library::AwsLc => aws::is_signed(key, message, signature),
    }
}

/// The y coordinates of the points whose order divides eight, and those of them that stand for
/// another number below 2^255.
const SMALL: [[u8; 32]; 7] = {
    let eight = [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ];
    let other_eight = [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ];
    let zero = [0; 32];
    let mut one = [0; 32];
    one[0] = 1;
    [zero, one, eight, other_eight, near_p(0xec), near_p(0xed), near_p(0xee)]
};

/// 2^255 - 256 + `low`.
const fn near_p(low: u8) -> [u8; 32] {
    let mut bytes = [0xff; 32];
    bytes[0] = low;
    bytes[31] = 0x7f;
    bytes
}

/// Returns whether a key is a point of small order.
pub(crate) fn is_small(key: &[u8; 32]) -> bool {
    let mut without_sign = *key;
    without_sign[31] &= 0x7f;
    SMALL.contains(&without_sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The neutral point as a key: whoever knows no secret can sign anything for it.
    #[test]
    fn a_key_of_small_order_is_nobody() {
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let forged = [&neutral[..], &[0; 32]].concat();
        let key = Ed25519VerifyingKey::from_bytes(&neutral).unwrap();
        assert!(key.verify(&forged, b"anything").is_ok(), "the library believes it");
        assert!(!is_signed(Library::Graviola, &neutral, b"anything", &forged));
        for small in SMALL {
            let mut other_sign = small;
            other_sign[31] |= 0x80;
            assert!(is_small(&small) && is_small(&other_sign));
        }
        assert!(!is_small(&Signer::new(Library::Graviola, &[7; 32]).unwrap().public()));
    }

    /// RFC 8032, section 7.1, second test.
    #[test]
    fn signatures_are_those_of_rfc_8032() {
        let seed = [
            0x4c, 0xcd, 0x08, 0x9b, 0x28, 0xff, 0x96, 0xda, 0x9d, 0xb6, 0xc3, 0x46, 0xec, 0x11,
            0x4e, 0x0f, 0x5b, 0x8a, 0x31, 0x9f, 0x35, 0xab, 0xa6, 0x24, 0xda, 0x8c, 0xf6, 0xed,
            0x4f, 0xb8, 0xa6, 0xfb,
        ];
        let signer = Signer::new(Library::Graviola, &seed).unwrap();
        let signature = signer.sign(&[0x72]);
        assert_eq!(signature[..8], [0x92, 0xa0, 0x09, 0xa9, 0xf0, 0xd4, 0xca, 0xb8]);
        assert!(is_signed(Library::Graviola, &signer.public(), &[0x72], &signature));
        assert!(!is_signed(Library::Graviola, &signer.public(), &[0x73], &signature));
    }
}
