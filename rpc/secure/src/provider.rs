//! What rustls computes with: one cipher suite, two key exchanges, signatures of Ed25519.

use crate::primitives::{self, KEM_CIPHER, KEM_PUBLIC, Kem, Library, Sha256, X25519};
use crate::scope;
use rustls::crypto::cipher::{
    AeadKey, BorrowedPayload, InboundOpaqueMessage, InboundPlainMessage, Iv, MessageDecrypter,
    MessageEncrypter, Nonce, OutboundOpaqueMessage, OutboundPlainMessage, PrefixedPayload,
    Tls13AeadAlgorithm, UnsupportedOperationError, make_tls13_aad,
};
use rustls::crypto::tls13::HkdfUsingHmac;
use rustls::crypto::{
    ActiveKeyExchange, CompletedKeyExchange, CryptoProvider, GetRandomFailed, KeyProvider,
    SecureRandom, SharedSecret, SupportedKxGroup, WebPkiSupportedAlgorithms, hash, hmac,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::SigningKey;
use rustls::{
    CipherSuite, CipherSuiteCommon, ConnectionTrafficSecrets, ContentType, Error, NamedGroup,
    PeerMisbehaved, ProtocolVersion, SupportedCipherSuite, Tls13CipherSuite,
};
use std::sync::Arc;

/// Builds the provider for one library.
pub(crate) fn provider(library: Library) -> CryptoProvider {
    match library {
        Library::Graviola => {
            assembled(SupportedCipherSuite::Tls13(&SUITE), vec![&HybridGroup, &XGroup])
        }
        #[cfg(feature = "aws-lc-rs")]
        Library::AwsLc => {
            use rustls::crypto::aws_lc_rs::{cipher_suite, kx_group};
            assembled(
                cipher_suite::TLS13_AES_128_GCM_SHA256,
                vec![kx_group::X25519MLKEM768, kx_group::X25519],
            )
        }
    }
}

fn assembled(
    suite: SupportedCipherSuite,
    groups: Vec<&'static dyn SupportedKxGroup>,
) -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![suite],
        kx_groups: groups,
        // Certificates are raw keys, which our verifiers judge themselves.
        signature_verification_algorithms: WebPkiSupportedAlgorithms { all: &[], mapping: &[] },
        secure_random: &Scoped,
        key_provider: &NoKeys,
    }
}

/// Draws from the handshake's own generator.
#[derive(Debug)]
struct Scoped;

impl SecureRandom for Scoped {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), GetRandomFailed> {
        scope::with(|scope| scope.fill(bytes)).ok_or(GetRandomFailed)
    }
}

/// Loads no keys: an identity brings its own.
#[derive(Debug)]
struct NoKeys;

impl KeyProvider for NoKeys {
    fn load_private_key(&self, _: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, Error> {
        Err(Error::General("keys are not loaded here".into()))
    }
}

static SUITE: Tls13CipherSuite = Tls13CipherSuite {
    common: CipherSuiteCommon {
        suite: CipherSuite::TLS13_AES_128_GCM_SHA256,
        hash_provider: &Hash,
        confidentiality_limit: 1 << 24,
    },
    hkdf_provider: &HkdfUsingHmac(&Hmac),
    aead_alg: &Aes128Gcm,
    quic: None,
};

struct Hash;

impl hash::Hash for Hash {
    fn start(&self) -> Box<dyn hash::Context> {
        Box::new(Running(Sha256::new()))
    }

    fn hash(&self, data: &[u8]) -> hash::Output {
        let mut hash = Sha256::new();
        hash.update(data);
        hash::Output::new(&hash.finish())
    }

    fn output_len(&self) -> usize {
        32
    }

    fn algorithm(&self) -> hash::HashAlgorithm {
        hash::HashAlgorithm::SHA256
    }
}

struct Running(Sha256);

impl hash::Context for Running {
    fn fork_finish(&self) -> hash::Output {
        hash::Output::new(&self.0.clone().finish())
    }

    fn fork(&self) -> Box<dyn hash::Context> {
        Box::new(Self(self.0.clone()))
    }

    fn finish(self: Box<Self>) -> hash::Output {
        hash::Output::new(&self.0.finish())
    }

    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }
}

struct Hmac;

impl hmac::Hmac for Hmac {
    fn with_key(&self, key: &[u8]) -> Box<dyn hmac::Key> {
        Box::new(HmacKey(key.to_vec().into()))
    }

    fn hash_output_len(&self) -> usize {
        32
    }
}

struct HmacKey(zeroize::Zeroizing<Vec<u8>>);

impl hmac::Key for HmacKey {
    fn sign_concat(&self, first: &[u8], middle: &[&[u8]], last: &[u8]) -> hmac::Tag {
        let mut parts = vec![first];
        parts.extend_from_slice(middle);
        parts.push(last);
        hmac::Tag::new(&primitives::hmac(Library::Graviola, &self.0, &parts)[..])
    }

    fn tag_len(&self) -> usize {
        32
    }
}

/// The cipher of handshake records.
struct Aes128Gcm;

impl Tls13AeadAlgorithm for Aes128Gcm {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        Box::new(Cipher::new(&key, iv))
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        Box::new(Cipher::new(&key, iv))
    }

    fn key_len(&self) -> usize {
        16
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        Ok(ConnectionTrafficSecrets::Aes128Gcm { key, iv })
    }
}

struct Cipher {
    key: primitives::Aead,
    iv: Iv,
}

impl Cipher {
    fn new(key: &AeadKey, iv: Iv) -> Self {
        let mut bytes = zeroize::Zeroizing::new([0; 16]);
        bytes.copy_from_slice(key.as_ref());
        Self { key: primitives::Aead::new(Library::Graviola, &bytes), iv }
    }
}

impl MessageEncrypter for Cipher {
    fn encrypt(
        &mut self,
        message: OutboundPlainMessage<'_>,
        seq: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        let len = self.encrypted_payload_len(message.payload.len());
        let mut payload = PrefixedPayload::with_capacity(len);
        payload.extend_from_chunks(&message.payload);
        payload.extend_from_slice(&[u8::from(message.typ)]);
        let nonce = Nonce::new(&self.iv, seq).0;
        let tag = self.key.seal(&nonce, &make_tls13_aad(len), payload.as_mut());
        payload.extend_from_slice(&tag);
        let (typ, version) = (ContentType::ApplicationData, ProtocolVersion::TLSv1_2);
        Ok(OutboundOpaqueMessage::new(typ, version, payload))
    }

    fn encrypted_payload_len(&self, len: usize) -> usize {
        len + 1 + primitives::TAG
    }
}

impl MessageDecrypter for Cipher {
    fn decrypt<'a>(
        &mut self,
        mut message: InboundOpaqueMessage<'a>,
        seq: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let payload: &mut BorrowedPayload<'a> = &mut message.payload;
        let len = payload.len();
        let nonce = Nonce::new(&self.iv, seq).0;
        if !self.key.open(&nonce, &make_tls13_aad(len), payload) {
            return Err(Error::DecryptError);
        }
        payload.truncate(len - primitives::TAG);
        message.into_tls13_unpadded_message()
    }
}

fn no_share() -> Error {
    PeerMisbehaved::InvalidKeyShare.into()
}

/// X25519 alone, for other software.
#[derive(Debug)]
struct XGroup;

impl SupportedKxGroup for XGroup {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let own = X25519::new(&*scope::draw().ok_or(Error::FailedToGetRandomBytes)?);
        Ok(Box::new(XExchange { public: own.public(), own }))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

struct XExchange {
    own: X25519,
    public: [u8; 32],
}

impl ActiveKeyExchange for XExchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        Ok(SharedSecret::from(&self.own.agree(peer).ok_or_else(no_share)?[..]))
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

/// ML-KEM-768 and X25519 together: it holds if either does.
#[derive(Debug)]
struct HybridGroup;

impl SupportedKxGroup for HybridGroup {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let own = X25519::new(&*scope::draw().ok_or(Error::FailedToGetRandomBytes)?);
        let kem = Kem::new(&*scope::draw().ok_or(Error::FailedToGetRandomBytes)?);
        let mut public = kem.public().to_vec();
        public.extend_from_slice(&own.public());
        Ok(Box::new(HybridExchange { own, kem, public }))
    }

    fn start_and_complete(&self, peer: &[u8]) -> Result<CompletedKeyExchange, Error> {
        let (kem, x) = peer.split_first_chunk::<KEM_PUBLIC>().ok_or_else(no_share)?;
        let own = X25519::new(&*scope::draw().ok_or(Error::FailedToGetRandomBytes)?);
        let seed = scope::draw().ok_or(Error::FailedToGetRandomBytes)?;
        let (cipher, secret) = primitives::encapsulate(kem, &seed).ok_or_else(no_share)?;
        let mut public = cipher.to_vec();
        public.extend_from_slice(&own.public());
        let group = self.name();
        let secret = joined(&secret, &*own.agree(x).ok_or_else(no_share)?);
        Ok(CompletedKeyExchange { group, pub_key: public, secret })
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }
}

fn joined(kem: &[u8; 32], x: &[u8; 32]) -> SharedSecret {
    SharedSecret::from([&kem[..], &x[..]].concat())
}

struct HybridExchange {
    own: X25519,
    kem: Kem,
    /// The key for ML-KEM, behind it the one for X25519.
    public: Vec<u8>,
}

impl ActiveKeyExchange for HybridExchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let (cipher, x) = peer.split_first_chunk::<KEM_CIPHER>().ok_or_else(no_share)?;
        let secret = self.kem.open(*cipher);
        Ok(joined(&secret, &*self.own.agree(x).ok_or_else(no_share)?))
    }

    /// Offers the half too, so that a listener without ML-KEM costs no round trip.
    fn hybrid_component(&self) -> Option<(NamedGroup, &[u8])> {
        Some((NamedGroup::X25519, &self.public[KEM_PUBLIC..]))
    }

    fn complete_hybrid_component(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        Ok(SharedSecret::from(&self.own.agree(peer).ok_or_else(no_share)?[..]))
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }
}
