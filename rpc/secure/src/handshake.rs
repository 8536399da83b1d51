//! Drives rustls through one handshake and takes the keys from it.
//!
//! Rustls is given one record at a time, and more only while it takes nothing of what it has, since
//! it would swallow data that stands behind the last flight. Whatever it has seen and not taken
//! stays at the front of the caller's buffer, where it has been decrypted in place.

use crate::config::{Config, PROTOCOL};
use crate::records::{HEADER, Records, Role, Secrets, alert, owed, span, whole};
use crate::scope::{self, Scope};
use peers_rpc::SecurityError;
use peers_rpc::kernel::{ForkedRng, PublicKey};
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncodeTlsData, UnbufferedStatus};
use rustls::{AlertDescription, CommonState, ConnectionTrafficSecrets, Error, ExtractedSecrets};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Bytes that may wait for their step of a handshake, in all.
pub(crate) const HELD: usize = 4096;
/// The first byte of a hello in clear text.
const PLAIN: u8 = 0x89;

/// One handshake that is not over.
pub(crate) struct Handshake {
    rustls: Side,
    scope: Option<Box<Scope>>,
    config: Config,
    /// Bytes at the front of the next input that rustls has seen and not taken.
    seen: usize,
    /// Something has come.
    begun: bool,
}

enum Side {
    Dial(UnbufferedClientConnection),
    Accept(UnbufferedServerConnection),
    /// It went with a panic, or gave its keys away.
    Gone,
}

/// How a handshake ended, beside by an error.
pub(crate) enum Progress {
    /// So many bytes were taken; it goes on.
    More(usize),
    /// So many bytes were taken; the peer is proven.
    Proven(usize, Box<Records>),
}

/// Where rustls stands after a call.
enum Next {
    Again,
    Blocked,
    Done,
}

impl Handshake {
    pub(crate) fn dial(
        config: &Config,
        expected: PublicKey,
        rng: ForkedRng,
    ) -> Result<Self, SecurityError> {
        Self::start(config, Scope::new(rng, Some(expected)), |config| {
            // Rustls wants a name although none is sent.
            let name =
                ServerName::try_from("peer.invalid").map_err(|_| Error::UnsupportedNameType)?;
            Ok(Side::Dial(UnbufferedClientConnection::new(config.client.clone(), name)?))
        })
    }

    pub(crate) fn accept(config: &Config, rng: ForkedRng) -> Result<Self, SecurityError> {
        Self::start(config, Scope::new(rng, None), |config| {
            Ok(Side::Accept(UnbufferedServerConnection::new(config.server.clone())?))
        })
    }

    fn start(
        config: &Config,
        scope: Box<Scope>,
        make: impl FnOnce(&Config) -> Result<Side, Error>,
    ) -> Result<Self, SecurityError> {
        let mut new = Self {
            rustls: Side::Gone,
            scope: Some(scope),
            config: config.clone(),
            seen: 0,
            begun: false,
        };
        new.rustls = guarded(&mut new.scope, || make(config)).map_err(|error| words(&error))?;
        Ok(new)
    }

    /// Appends the first flight, if it is ours.
    pub(crate) fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), SecurityError> {
        match &self.rustls {
            Side::Dial(_) => {
                let (_, next) = self.drive(&mut [], out);
                next.map(drop).map_err(|error| words(&error))
            }
            _ => Ok(()),
        }
    }

    /// Returns how many bytes are missing to the next record.
    pub(crate) fn owed(&self, held: &[u8]) -> usize {
        match held.get(self.seen..) {
            _ if !self.begun && held.first() == Some(&PLAIN) => 0,
            Some(rest) if too_long(self.seen, rest) => 0,
            Some(rest) => owed(rest),
            None => self.seen + HEADER - held.len(),
        }
    }

    /// Takes one step with the records at the front of `wire`. On an error, `out` ends with an
    /// alert.
    pub(crate) fn open(
        &mut self,
        wire: &mut [u8],
        out: &mut Vec<u8>,
    ) -> Result<Progress, SecurityError> {
        if !self.begun && wire.first() == Some(&PLAIN) {
            send(alert::DECODE_ERROR, out);
            return Err(SecurityError::PlainPeer);
        }
        loop {
            let rest = wire.get(self.seen..).unwrap_or_default();
            let len = match whole(rest) {
                Ok(_) if too_long(self.seen, rest) => {
                    send(alert::RECORD_OVERFLOW, out);
                    return Err(handshake("a message is too long"));
                }
                Ok(Some(len)) => len,
                Ok(None) => return Ok(Progress::More(0)),
                Err(_) => {
                    send(alert::DECODE_ERROR, out);
                    return Err(handshake("what came is no message of TLS"));
                }
            };
            self.begun = true;
            let shown = self.seen + len;
            let (taken, next) = self.drive(&mut wire[..shown], out);
            self.seen = shown - taken;
            match next {
                Err(error) => return Err(self.fail(&error, &mut wire[taken..shown], out)),
                Ok(Next::Done) if self.seen == 0 => return self.prove(taken, out),
                Ok(Next::Done) => {
                    send(alert::UNEXPECTED_MESSAGE, out);
                    return Err(handshake("something came with the last word of a handshake"));
                }
                Ok(_) if taken > 0 => return Ok(Progress::More(taken)),
                Ok(_) => {}
            }
        }
    }

    /// Calls rustls until it wants more. Returns how many bytes it took.
    fn drive(&mut self, wire: &mut [u8], out: &mut Vec<u8>) -> (usize, Result<Next, Error>) {
        let Self { rustls, scope, .. } = self;
        let (mut taken, len) = (0, wire.len());
        let next = guarded(scope, || {
            loop {
                let (discard, next) = rustls.call(&mut wire[taken..], out);
                taken = len.min(taken + discard);
                match next {
                    Ok(Next::Again) => {}
                    other => return other,
                }
            }
        });
        (taken, next)
    }

    /// Ends a handshake: appends the alert of rustls, which comes by one more call, or one of ours.
    fn fail(&mut self, error: &Error, rest: &mut [u8], out: &mut Vec<u8>) -> SecurityError {
        let before = out.len();
        let silent = matches!(error, Error::AlertReceived(_));
        if !silent && !rest.is_empty() {
            // Each round appends one record of rustls; after them it repeats its error.
            let (_, _repeated) = self.drive(rest, out);
        }
        if !silent && out.len() == before {
            send(alert::DECODE_ERROR, out);
        }
        let scope = self.scope.as_deref();
        let keys = scope.and_then(|scope| Some((scope.expected?, scope.found?)));
        match (error, keys) {
            (_, Some((expected, found))) if expected != found => {
                SecurityError::WrongPeer { expected, found }
            }
            (Error::AlertReceived(AlertDescription::AccessDenied), Some(_)) => {
                SecurityError::NotAdmitted { ours: self.config.key }
            }
            _ => words(error),
        }
    }

    /// Takes the keys, whose other source must say what rustls says.
    fn prove(&mut self, taken: usize, out: &mut Vec<u8>) -> Result<Progress, SecurityError> {
        let has_protocol =
            self.rustls.common().and_then(CommonState::alpn_protocol) == Some(PROTOCOL);
        let role = self.rustls.role();
        let rustls = std::mem::replace(&mut self.rustls, Side::Gone);
        let extracted = guarded(&mut self.scope, || rustls.into_keys());
        let scope = self.scope.as_deref();
        let parts = scope.and_then(|s| Some((s.dialler.as_ref()?, s.listener.as_ref()?, s.found?)));
        let (Ok(extracted), Some((dialler, listener, found))) = (extracted, parts) else {
            send(alert::INTERNAL_ERROR, out);
            return Err(handshake("the keys are missing"));
        };
        let secrets = Secrets { dialler, listener };
        let mut records = Box::new(Records::new(self.config.library, role, &secrets, found));
        if !are_same(&records, &extracted) {
            send(alert::INTERNAL_ERROR, out);
            return Err(handshake("the keys are not those of this handshake"));
        }
        if !has_protocol {
            records.fail(alert::NO_APPLICATION_PROTOCOL, out);
            return Err(handshake("the other side speaks another protocol than peers/1"));
        }
        records.update_after(self.config.update_after);
        Ok(Progress::Proven(taken, records))
    }
}

/// Returns whether what the secrets expand to is what rustls would have used next.
fn are_same(records: &Records, extracted: &ExtractedSecrets) -> bool {
    let (ConnectionTrafficSecrets::Aes128Gcm { key, iv }, 0) = (&extracted.tx.1, extracted.tx.0)
    else {
        return false;
    };
    let ours = (key.as_ref(), iv.as_ref());
    let (ConnectionTrafficSecrets::Aes128Gcm { key, iv }, 0) = (&extracted.rx.1, extracted.rx.0)
    else {
        return false;
    };
    records.are_keys(ours, (key.as_ref(), iv.as_ref()))
}

/// Returns whether a message could not be held until it is whole.
fn too_long(seen: usize, rest: &[u8]) -> bool {
    seen + span(rest) > HELD
}

impl Side {
    fn call(&mut self, wire: &mut [u8], out: &mut Vec<u8>) -> (usize, Result<Next, Error>) {
        match self {
            Self::Dial(rustls) => advance(rustls.process_tls_records(wire), out),
            Self::Accept(rustls) => advance(rustls.process_tls_records(wire), out),
            Self::Gone => (0, Err(Error::HandshakeNotComplete)),
        }
    }

    fn common(&self) -> Option<&CommonState> {
        match self {
            Self::Dial(rustls) => Some(rustls),
            Self::Accept(rustls) => Some(rustls),
            Self::Gone => None,
        }
    }

    fn role(&self) -> Role {
        if let Self::Dial(_) = self { Role::Dialler } else { Role::Listener }
    }

    fn into_keys(self) -> Result<ExtractedSecrets, Error> {
        match self {
            Self::Dial(rustls) => Ok(rustls.dangerous_into_kernel_connection()?.0),
            Self::Accept(rustls) => Ok(rustls.dangerous_into_kernel_connection()?.0),
            Self::Gone => Err(Error::HandshakeNotComplete),
        }
    }
}

/// Does what rustls asks for.
fn advance<D>(
    status: UnbufferedStatus<'_, '_, D>,
    out: &mut Vec<u8>,
) -> (usize, Result<Next, Error>) {
    let next = match status.state {
        Ok(ConnectionState::EncodeTlsData(data)) => encode(data, out).map(|()| Next::Again),
        Ok(ConnectionState::TransmitTlsData(data)) => {
            data.done();
            Ok(Next::Again)
        }
        Ok(ConnectionState::BlockedHandshake) => Ok(Next::Blocked),
        Ok(ConnectionState::WriteTraffic(_)) => Ok(Next::Done),
        Ok(_) => Err(Error::General("something came that belongs behind a handshake".into())),
        Err(error) => Err(error),
    };
    (status.discard, next)
}

fn encode<D>(mut data: EncodeTlsData<'_, D>, out: &mut Vec<u8>) -> Result<(), Error> {
    let start = out.len();
    let mut room = 0;
    loop {
        out.resize(start + room, 0);
        match data.encode(&mut out[start..]) {
            Ok(len) => {
                out.truncate(start + len);
                return Ok(());
            }
            Err(EncodeError::InsufficientSize(size)) if room == 0 => room = size.required_size,
            Err(error) => return Err(Error::General(error.to_string())),
        }
    }
}

/// Calls rustls with the scope set. A panic in it is an error of this handshake.
fn guarded<R>(
    scope: &mut Option<Box<Scope>>,
    f: impl FnOnce() -> Result<R, Error>,
) -> Result<R, Error> {
    catch_unwind(AssertUnwindSafe(|| scope::within(scope, f)))
        .unwrap_or_else(|_| Err(Error::General("the handshake went wrong inside".into())))
}

/// Appends a fatal alert in clear text.
fn send(alert: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(&[21, 3, 3, 0, 2, 2, alert]);
}

fn words(error: &Error) -> SecurityError {
    handshake(&error.to_string())
}

/// Words of others, so that they can be shown.
fn handshake(text: &str) -> SecurityError {
    let mut shown = peers_rpc::Escaped(text).to_string();
    let end = (0..=256.min(shown.len())).rev().find(|at| shown.is_char_boundary(*at));
    shown.truncate(end.unwrap_or(0));
    SecurityError::Handshake(shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::primitives::{Library, Signer};
    use crate::provider::provider;
    use peers_rpc::Kernel;
    use rustls::NamedGroup;

    const HYBRID: NamedGroup = NamedGroup::X25519MLKEM768;
    const X25519: NamedGroup = NamedGroup::X25519;

    fn config(seed: u8, groups: &[NamedGroup]) -> Config {
        let mut provider = provider(Library::Graviola);
        let all = std::mem::take(&mut provider.kx_groups);
        for group in groups {
            provider.kx_groups.extend(all.iter().find(|known| known.name() == *group));
        }
        let signer = Signer::new(Library::Graviola, &[seed; 32]).unwrap();
        let key = PublicKey(signer.public());
        Config::assembled(Library::Graviola, signer, key, provider).unwrap()
    }

    /// Shows another's key, and signs with its own.
    fn impostor(seed: u8, shown: PublicKey) -> Config {
        let signer = Signer::new(Library::Graviola, &[seed; 32]).unwrap();
        Config::assembled(Library::Graviola, signer, shown, provider(Library::Graviola)).unwrap()
    }

    /// Shakes hands. Returns whether both are proven, and how many messages went each way.
    fn shake(dialler: &Config, listener: &Config) -> (bool, [usize; 2]) {
        let (proven, turns, errors) = attempt(dialler, listener);
        assert!(errors.iter().all(Option::is_none), "{errors:?}");
        (proven == [true; 2], turns)
    }

    /// Shakes hands until that ends well or badly.
    fn attempt(
        dialler: &Config,
        listener: &Config,
    ) -> ([bool; 2], [usize; 2], [Option<SecurityError>; 2]) {
        let mut rng = Kernel::simulated(1).handle().fork_rng();
        let mut ends = [
            Handshake::dial(dialler, listener.key, rng.fork()).unwrap(),
            Handshake::accept(listener, rng.fork()).unwrap(),
        ];
        let (mut proven, mut turns, mut errors) = ([false; 2], [0; 2], [None, None]);
        let (mut wire, mut at) = (Vec::new(), 1);
        ends[0].begin(&mut wire).unwrap();
        while !wire.is_empty() {
            turns[1 - at] += 1;
            let (mut out, mut input) = (Vec::new(), std::mem::take(&mut wire));
            while !input.is_empty() && errors[at].is_none() {
                let taken = match ends[at].open(&mut input, &mut out) {
                    Ok(Progress::More(taken)) => taken,
                    Ok(Progress::Proven(taken, _)) => {
                        proven[at] = true;
                        taken
                    }
                    Err(error) => {
                        errors[at] = Some(error);
                        0
                    }
                };
                input.drain(..taken);
                if proven[at] {
                    break; // what follows is a record, of which a handshake knows nothing
                }
            }
            (wire, at) = (out, 1 - at);
        }
        (proven, turns, errors)
    }

    #[test]
    fn who_shows_a_key_without_its_secret_is_not_believed() {
        let (honest, other) = (config(1, &[HYBRID]), config(2, &[HYBRID]));
        let (proven, _, errors) = attempt(&honest, &impostor(9, other.key));
        assert_eq!(proven, [false; 2], "{errors:?}");
        assert!(matches!(&errors[0], Some(SecurityError::Handshake(_))), "{errors:?}");
        let (proven, _, errors) = attempt(&impostor(9, other.key), &honest);
        assert!(!proven[1], "{errors:?}");
        assert!(matches!(&errors[1], Some(SecurityError::Handshake(_))), "{errors:?}");
    }

    #[test]
    fn each_exchange_ends_with_the_keys_that_rustls_has() {
        for groups in [&[HYBRID][..], &[X25519], &[HYBRID, X25519]] {
            assert_eq!(shake(&config(1, groups), &config(2, groups)), (true, [2, 1]), "{groups:?}");
        }
    }

    #[test]
    fn a_listener_without_the_new_exchange_costs_no_round_trip() {
        let (both, old) = (config(1, &[HYBRID, X25519]), config(2, &[X25519]));
        assert_eq!(shake(&both, &old), (true, [2, 1]));
    }

    #[test]
    fn a_listener_may_ask_for_another_exchange() {
        let (dialler, listener) = (config(1, &[X25519, HYBRID]), config(2, &[HYBRID]));
        assert_eq!(shake(&dialler, &listener), (true, [3, 2]));
    }

    /// A real connection's other side may be built with the other library.
    #[cfg(feature = "aws-lc-rs")]
    #[test]
    fn both_libraries_shake_hands_with_each_other() {
        let [ours, other] = [Library::Graviola, Library::AwsLc]
            .map(|library| Config::new(library, Signer::new(library, &[3; 32]).unwrap()).unwrap());
        for (dialler, listener) in
            [(&ours, &other), (&other, &ours), (&other, &other), (&ours, &ours)]
        {
            assert_eq!(shake(dialler, listener), (true, [2, 1]));
        }
        assert_eq!(ours.key, other.key, "a seed is the same key in both");
    }

    #[test]
    fn outside_of_a_handshake_nothing_is_drawn() {
        let provider = provider(Library::Graviola);
        assert!(provider.secure_random.fill(&mut [0; 8]).is_err());
        assert!(provider.kx_groups.iter().all(|group| group.start().is_err()));
    }

    #[test]
    fn a_panic_takes_the_scope_back() {
        let rng = Kernel::simulated(1).handle().fork_rng();
        let mut own = Some(Scope::new(rng, None));
        let result = guarded(&mut own, || -> Result<(), Error> { panic!("inside") });
        assert!(result.is_err() && own.is_some());
        assert!(scope::with(|_| ()).is_none());
    }
}
