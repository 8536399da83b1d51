//! One secure connection, as the kernel wants it: a handshake, then records.

use crate::handshake::{Handshake, Progress};
use crate::identity::Identity;
use crate::records::{self, Fault, Records, Role, alert};
use peers_rpc::SecurityError;
use peers_rpc::kernel::{Opened, PublicKey, SecureLayer};
use rustls::AlertDescription;
use std::io::{self, IoSlice};

/// A connection of an identity. While it is idle it is a pointer or two: whatever is larger is in a
/// box.
pub(crate) struct Layer {
    state: State,
    identity: Identity,
}

enum State {
    Shaking(Box<Handshake>),
    Open(Box<Records>),
    /// Nothing goes on; the peer, if it was proven.
    Over(Option<Box<PublicKey>>),
    /// The handshake could not even begin.
    Unborn(Box<SecurityError>),
}

impl Layer {
    pub(crate) fn new(handshake: Result<Handshake, SecurityError>, identity: Identity) -> Self {
        let state = match handshake {
            Ok(handshake) => State::Shaking(Box::new(handshake)),
            Err(error) => State::Unborn(Box::new(error)),
        };
        Self { state, identity }
    }

    /// Ends the connection with `error`. Secrets are wiped here, and not when it is dropped.
    fn end(&mut self, error: SecurityError) -> io::Error {
        self.state = State::Over(self.peer().map(Box::new));
        let kind = match error {
            SecurityError::WrongPeer { .. } | SecurityError::NotAdmitted { .. } => {
                io::ErrorKind::PermissionDenied
            }
            SecurityError::Cut => io::ErrorKind::UnexpectedEof,
            _ => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, error)
    }
}

impl SecureLayer for Layer {
    fn begin(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        let done = match &mut self.state {
            State::Shaking(handshake) => handshake.begin(out),
            State::Unborn(error) => Err((**error).clone()),
            _ => Ok(()),
        };
        done.map_err(|error| self.end(error))
    }

    fn owed(&self, held: &[u8]) -> usize {
        match &self.state {
            State::Shaking(handshake) => handshake.owed(held),
            _ => records::owed(held),
        }
    }

    fn open(
        &mut self,
        wire: &mut [u8],
        plain: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> io::Result<Opened> {
        let opened = match &mut self.state {
            State::Shaking(handshake) => match handshake.open(wire, out) {
                Ok(Progress::More(taken)) => Ok(Opened { taken, ended: false }),
                Ok(Progress::Proven(taken, records)) => {
                    self.state = State::Open(records);
                    Ok(Opened { taken, ended: false })
                }
                Err(error) => Err(error),
            },
            State::Open(records) => match records.open(wire, plain) {
                Ok((taken, ended)) => Ok(Opened { taken, ended }),
                Err(fault) => Err(judged(records, fault, self.identity.key(), out)),
            },
            State::Over(_) => return Err(io::ErrorKind::BrokenPipe.into()),
            State::Unborn(error) => Err((**error).clone()),
        };
        opened.map_err(|error| self.end(error))
    }

    fn seal(
        &mut self,
        plain: &[IoSlice<'_>],
        from: usize,
        len: usize,
        out: &mut Vec<u8>,
    ) -> io::Result<()> {
        match &mut self.state {
            State::Open(records) => {
                records.seal(plain, from, len, out).map_err(|_| io::ErrorKind::BrokenPipe.into())
            }
            _ => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn refuse(&mut self, out: &mut Vec<u8>) {
        if let State::Open(records) = &mut self.state {
            records.fail(alert::ACCESS_DENIED, out);
            self.state = State::Over(self.peer().map(Box::new));
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if let State::Open(records) = &mut self.state {
            records.close(out);
        }
    }

    fn peer(&self) -> Option<PublicKey> {
        match &self.state {
            State::Open(records) => Some(records.peer()),
            State::Over(peer) => peer.as_deref().copied(),
            State::Shaking(_) | State::Unborn(_) => None,
        }
    }
}

/// Alerts about a handshake, which no peer of ours sends once it takes records: about certificates,
/// signatures and what both sides can do.
const OF_HANDSHAKES: [u8; 12] = [40, 42, 43, 44, 45, 46, 48, 51, 70, 109, 116, 120];

/// Says in the program's words what is wrong with records, and tells the peer.
fn judged(
    records: &mut Records,
    fault: Fault,
    ours: PublicKey,
    out: &mut Vec<u8>,
) -> SecurityError {
    match fault {
        Fault::Ours(alert) => {
            records.fail(alert, out);
            SecurityError::Changed
        }
        Fault::Theirs(alert::ACCESS_DENIED)
            if records.role() == Role::Dialler && !records.has_heard() =>
        {
            SecurityError::NotAdmitted { ours }
        }
        // Only what is said of a handshake is a sign that nothing was executed: a peer that has
        // begun may fail before a word of it has left.
        Fault::Theirs(code) if !records.has_heard() && OF_HANDSHAKES.contains(&code) => {
            let error = rustls::Error::AlertReceived(AlertDescription::from(code));
            SecurityError::Handshake(error.to_string())
        }
        Fault::Theirs(
            alert::BAD_RECORD_MAC
            | alert::RECORD_OVERFLOW
            | alert::UNEXPECTED_MESSAGE
            | alert::DECODE_ERROR
            | alert::ILLEGAL_PARAMETER,
        ) => SecurityError::Changed,
        Fault::Theirs(_) | Fault::Over => SecurityError::Cut,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_is_small() {
        assert!(
            size_of::<Layer>() <= 24 && size_of::<Records>() <= 224,
            "{}",
            size_of::<Records>()
        );
    }
}
