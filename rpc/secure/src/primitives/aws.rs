//! AWS-LC under the same functions.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

pub(super) fn aead(key: &[u8; 16]) -> LessSafeKey {
    let key = UnboundKey::new(&AES_128_GCM, key).expect("a key of this size is one");
    LessSafeKey::new(key)
}

pub(super) fn seal(
    key: &LessSafeKey,
    nonce: &[u8; 12],
    extra: &[u8],
    text: &mut [u8],
) -> [u8; super::TAG] {
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let tag = key
        .seal_in_place_separate_tag(nonce, Aad::from(extra), text)
        .expect("a record is shorter than what the cipher can take");
    let mut bytes = [0; super::TAG];
    bytes.copy_from_slice(tag.as_ref());
    bytes
}

pub(super) fn open(key: &LessSafeKey, nonce: &[u8; 12], extra: &[u8], text: &mut [u8]) -> bool {
    let nonce = Nonce::assume_unique_for_key(*nonce);
    key.open_in_place(nonce, Aad::from(extra), text).is_ok()
}

pub(super) fn hmac(key: &[u8], parts: &[&[u8]], out: &mut [u8; 32]) {
    let mut context = hmac::Context::with_key(&hmac::Key::new(HMAC_SHA256, key));
    parts.iter().for_each(|part| context.update(part));
    out.copy_from_slice(context.sign().as_ref());
}

pub(super) fn signer(seed: &[u8; 32]) -> Option<Ed25519KeyPair> {
    Ed25519KeyPair::from_seed_unchecked(seed).ok()
}

pub(super) fn public(key: &Ed25519KeyPair) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(key.public_key().as_ref());
    bytes
}

pub(super) fn sign(key: &Ed25519KeyPair, message: &[u8]) -> [u8; 64] {
    let mut bytes = [0; 64];
    bytes.copy_from_slice(key.sign(message).as_ref());
    bytes
}

pub(super) fn is_signed(key: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok()
}
