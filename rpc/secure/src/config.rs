//! What rustls is told once for all connections of an identity.

use crate::primitives::{self, Library, Signer};
use crate::provider::provider;
use crate::records::UPDATE_AFTER;
use crate::scope;
use peers_rpc::kernel::PublicKey;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::time_provider::TimeProvider;
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, KeyLog,
    ServerConfig, SignatureAlgorithm, SignatureScheme,
};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The protocol inside, by its name in the handshake.
pub(crate) const PROTOCOL: &[u8] = b"peers/1";
/// A public key of Ed25519 as a SubjectPublicKeyInfo is these bytes and the key.
const PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// What handshakes of one identity with one library have in common.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) library: Library,
    pub(crate) key: PublicKey,
    pub(crate) client: Arc<ClientConfig>,
    pub(crate) server: Arc<ServerConfig>,
    pub(crate) update_after: u32,
}

impl Config {
    /// # Errors
    /// If rustls does not take its own parts.
    pub(crate) fn new(library: Library, signer: Signer) -> Result<Self, Error> {
        let key = PublicKey(signer.public());
        Self::assembled(library, signer, key, provider(library))
    }

    pub(crate) fn assembled(
        library: Library,
        signer: Signer,
        key: PublicKey,
        provider: CryptoProvider,
    ) -> Result<Self, Error> {
        let provider = Arc::new(provider);
        let der = CertificateDer::from([&PREFIX[..], &key.0].concat());
        let own = Arc::new(CertifiedKey::new(vec![der], Arc::new(OwnKey(Arc::new(signer)))));
        let verifier = Arc::new(Verifier(library));
        let mut client = ClientConfig::builder_with_details(provider.clone(), Arc::new(NoTime))
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(verifier.clone())
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(
                own.clone(),
            )));
        client.alpn_protocols = vec![PROTOCOL.to_vec()];
        client.resumption = Resumption::disabled();
        client.enable_sni = false;
        client.enable_secret_extraction = true;
        client.key_log = Arc::new(IntoScope);
        let mut server = ServerConfig::builder_with_details(provider, Arc::new(NoTime))
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(own)));
        server.alpn_protocols = vec![PROTOCOL.to_vec()];
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        server.enable_secret_extraction = true;
        server.key_log = Arc::new(IntoScope);
        let (client, server) = (Arc::new(client), Arc::new(server));
        Ok(Self { library, key, client, server, update_after: UPDATE_AFTER })
    }
}

/// A clock that stands still: raw keys do not expire.
#[derive(Debug)]
struct NoTime;

impl TimeProvider for NoTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::ZERO))
    }
}

/// Keeps the secrets of the connection, and no other.
#[derive(Debug)]
struct IntoScope;

impl KeyLog for IntoScope {
    fn log(&self, label: &str, _: &[u8], secret: &[u8]) {
        let Ok(secret) = <[u8; 32]>::try_from(secret) else { return };
        // Without a scope there is no handshake, and what comes of it fails.
        let _kept = scope::with(|scope| match label {
            "CLIENT_TRAFFIC_SECRET_0" => scope.dialler = Some(secret),
            "SERVER_TRAFFIC_SECRET_0" => scope.listener = Some(secret),
            _ => {}
        });
    }

    fn will_log(&self, label: &str) -> bool {
        matches!(label, "CLIENT_TRAFFIC_SECRET_0" | "SERVER_TRAFFIC_SECRET_0")
    }
}

/// The identity's key, as rustls wants it.
struct OwnKey(Arc<Signer>);

impl fmt::Debug for OwnKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnKey(..)")
    }
}

impl SigningKey for OwnKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn rustls::sign::Signer>> {
        let own = Self(self.0.clone());
        offered.contains(&SignatureScheme::ED25519).then(|| Box::new(own) as _)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ED25519
    }
}

impl rustls::sign::Signer for OwnKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.0.sign(message).to_vec())
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

/// Judges the raw key that the other side shows, and its signature.
#[derive(Debug)]
struct Verifier(Library);

impl Verifier {
    /// Notes the key of the other side. A dialler's must be the expected one; this is asked before
    /// our own key leaves.
    fn shown(certificate: &CertificateDer<'_>) -> Result<(), Error> {
        let key = PublicKey(key_of(certificate)?);
        let fits = scope::with(|scope| {
            scope.found = Some(key);
            scope.expected.is_none_or(|expected| expected == key)
        });
        match fits {
            Some(true) if !primitives::is_small(&key.0) => Ok(()),
            _ => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn signed(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = key_of(certificate)?;
        let of_ed25519 = signature.scheme == SignatureScheme::ED25519;
        if of_ed25519 && primitives::is_signed(self.0, &key, message, signature.signature()) {
            return Ok(HandshakeSignatureValid::assertion());
        }
        Err(CertificateError::BadSignature.into())
    }
}

fn key_of(certificate: &CertificateDer<'_>) -> Result<[u8; 32], Error> {
    let key = certificate.strip_prefix(&PREFIX).and_then(|key| key.try_into().ok());
    key.ok_or_else(|| CertificateError::BadEncoding.into())
}

fn never_tls12<T>() -> Result<T, Error> {
    Err(Error::General("TLS 1.2 is not spoken here".into()))
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Self::shown(shown).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        never_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed(message, shown, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Self::shown(shown).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        never_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed(message, shown, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
