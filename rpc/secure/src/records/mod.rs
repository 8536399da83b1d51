//! Records of TLS 1.3 with AES-128-GCM (RFC 8446, section 5), once the handshake is over.
//!
//! Invariants:
//! 1. A nonce is used once with a key: a counter only rises, and goes back to zero with a new key.
//!    Kept by `no_nonce_is_used_twice_with_a_key`.
//! 2. Nothing is believed before its tag was checked. Kept by
//!    `what_is_no_honest_record_ends_the_connection`.
//! 3. What a peer can make us do without sending data is bounded. Kept by
//!    `a_peer_that_sends_no_data_is_heard_for_32_records`.

mod schedule;
mod table;

use crate::primitives::{Library, TAG};
use peers_rpc::kernel::PublicKey;
pub(crate) use schedule::expand;
use std::io::IoSlice;
use table::Place;
use zeroize::Zeroize as _;

/// Bytes of a record's header.
pub(crate) const HEADER: usize = 5;
/// The longest plain text of a record.
pub(crate) const LONGEST: usize = 1 << 14;
/// The longest body of a record.
pub(crate) const LONGEST_BODY: usize = LONGEST + 256;
/// Records under one key, after which we take the next.
pub(crate) const UPDATE_AFTER: u32 = 1 << 24;
/// Records in a row without data, after which a peer is not taken seriously.
const QUIET: u8 = 32;

/// Types of what is inside a record.
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const DATA: u8 = 23;

/// Names of alerts (RFC 8446, section 6).
pub(crate) mod alert {
    pub(crate) const UNEXPECTED_MESSAGE: u8 = 10;
    pub(crate) const BAD_RECORD_MAC: u8 = 20;
    pub(crate) const RECORD_OVERFLOW: u8 = 22;
    pub(crate) const ILLEGAL_PARAMETER: u8 = 47;
    pub(crate) const ACCESS_DENIED: u8 = 49;
    pub(crate) const DECODE_ERROR: u8 = 50;
    pub(crate) const INTERNAL_ERROR: u8 = 80;
    pub(crate) const NO_APPLICATION_PROTOCOL: u8 = 120;
}

/// The end that speaks first is the dialler's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Dialler,
    Listener,
}

/// Why records cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Something is wrong with what came; this alert says so.
    Ours(u8),
    /// The peer sent this fatal alert.
    Theirs(u8),
    /// We have said that nothing follows.
    Over,
}

/// One direction: its traffic secret, and what is made from it.
struct Direction {
    secret: [u8; 32],
    key: [u8; 16],
    iv: [u8; 12],
    next: u64,
    place: Place,
}

impl Direction {
    fn new(library: Library, secret: &[u8; 32]) -> Self {
        Self {
            secret: *secret,
            key: *expand(library, secret, "key"),
            iv: *expand(library, secret, "iv"),
            next: 0,
            place: Place::new(),
        }
    }

    /// Goes on to the next key; the old secrets are wiped.
    fn update(&mut self, library: Library) {
        let secret = expand(library, &self.secret, "traffic upd");
        *self = Self::new(library, &secret);
    }

    /// Returns the nonce of the next record. It is never returned again.
    fn nonce(&mut self) -> Option<[u8; 12]> {
        let mut nonce = self.iv;
        nonce[4..].iter_mut().zip(self.next.to_be_bytes()).for_each(|(to, byte)| *to ^= byte);
        self.next = self.next.checked_add(1)?;
        Some(nonce)
    }
}

impl Drop for Direction {
    fn drop(&mut self) {
        self.secret.zeroize();
        self.key.zeroize();
        self.iv.zeroize();
    }
}

/// Both directions of a connection whose peer is proven.
pub(crate) struct Records {
    library: Library,
    role: Role,
    ours: Direction,
    theirs: Direction,
    peer: PublicKey,
    /// Our records under one key.
    update_after: u32,
    /// Records in a row that brought no data.
    quiet: u8,
    /// The peer waits for us to take the next key.
    asked: bool,
    /// Data has come.
    heard: bool,
    /// Our last record is made.
    closed: bool,
}

/// The traffic secrets, and whose they are.
pub(crate) struct Secrets<'a> {
    pub(crate) dialler: &'a [u8; 32],
    pub(crate) listener: &'a [u8; 32],
}

impl Records {
    pub(crate) fn new(
        library: Library,
        role: Role,
        secrets: &Secrets<'_>,
        peer: PublicKey,
    ) -> Self {
        let (ours, theirs) = match role {
            Role::Dialler => (secrets.dialler, secrets.listener),
            Role::Listener => (secrets.listener, secrets.dialler),
        };
        Self {
            library,
            role,
            ours: Direction::new(library, ours),
            theirs: Direction::new(library, theirs),
            peer,
            update_after: UPDATE_AFTER,
            quiet: 0,
            asked: false,
            heard: false,
            closed: false,
        }
    }

    pub(crate) fn peer(&self) -> PublicKey {
        self.peer
    }

    pub(crate) fn role(&self) -> Role {
        self.role
    }

    /// Returns whether data has come from the peer.
    pub(crate) fn has_heard(&self) -> bool {
        self.heard
    }

    /// Takes the next key after `records`, for tests.
    pub(crate) fn update_after(&mut self, records: u32) {
        self.update_after = records.max(1);
    }

    /// Returns whether the directions have these keys, as another source says.
    pub(crate) fn are_keys(&self, ours: (&[u8], &[u8]), theirs: (&[u8], &[u8])) -> bool {
        let is = |own: &Direction, (key, iv): (&[u8], &[u8])| own.key == key && own.iv == iv;
        is(&self.ours, ours) && is(&self.theirs, theirs)
    }

    /// Appends a record with `len` bytes of `plain` behind the first `from`.
    pub(crate) fn seal(
        &mut self,
        plain: &[IoSlice<'_>],
        from: usize,
        len: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        if self.closed {
            return Err(Fault::Over);
        }
        if self.asked || self.ours.next >= u64::from(self.update_after) {
            self.asked = false;
            self.record(HANDSHAKE, out, |out| out.extend_from_slice(&[24, 0, 0, 1, 0]))?;
            self.ours.update(self.library);
        }
        self.record(DATA, out, |out| gather(plain, from, len.min(LONGEST), out))
    }

    /// Appends the last record: nothing follows.
    pub(crate) fn close(&mut self, out: &mut Vec<u8>) {
        self.last_word([1, 0], out);
    }

    /// Appends a fatal alert as the last record.
    pub(crate) fn fail(&mut self, alert: u8, out: &mut Vec<u8>) {
        self.last_word([2, alert], out);
    }

    fn last_word(&mut self, alert: [u8; 2], out: &mut Vec<u8>) {
        if !self.closed {
            // It can fail only after 2^64 records.
            let _made = self.record(ALERT, out, |out| out.extend_from_slice(&alert));
            self.closed = true;
        }
    }

    /// Appends a record with what `fill` writes.
    fn record(
        &mut self,
        inner: u8,
        out: &mut Vec<u8>,
        fill: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Fault> {
        let nonce = self.ours.nonce().ok_or(Fault::Ours(alert::INTERNAL_ERROR))?;
        let start = out.len();
        out.extend_from_slice(&[DATA, 3, 3, 0, 0]);
        fill(out);
        out.push(inner);
        let body = out.len() - start - HEADER + TAG;
        out[start + 3..start + HEADER].copy_from_slice(&(body as u16).to_be_bytes());
        let (header, text) = out[start..].split_at_mut(HEADER);
        let Direction { key, place, .. } = &mut self.ours;
        let tag = place.with(self.library, key, |aead| aead.seal(&nonce, header, text));
        out.extend_from_slice(&tag);
        Ok(())
    }

    /// Appends a record of any type, and takes the next key if it says so: for fuzzing.
    pub(crate) fn forge(&mut self, inner: u8, text: &[u8], out: &mut Vec<u8>) {
        // It can fail only after 2^64 records.
        let _made = self.record(inner, out, |out| out.extend_from_slice(text));
        if inner == HANDSHAKE && text.ends_with(&[24, 0, 0, 1, 0])
            || text.ends_with(&[24, 0, 0, 1, 1])
        {
            self.ours.update(self.library);
        }
    }

    /// Opens the whole records at the front of `wire`. Returns how many bytes they took, and
    /// whether the peer has said that nothing follows.
    pub(crate) fn open(
        &mut self,
        wire: &mut [u8],
        plain: &mut Vec<u8>,
    ) -> Result<(usize, bool), Fault> {
        let mut taken = 0;
        while let Some(len) = whole(&wire[taken..])? {
            if self.open_one(&mut wire[taken..taken + len], plain)? {
                return Ok((wire.len(), true));
            }
            taken += len;
        }
        Ok((taken, false))
    }

    /// Opens a whole record. Returns whether it was the last.
    fn open_one(&mut self, record: &mut [u8], plain: &mut Vec<u8>) -> Result<bool, Fault> {
        let (header, body) = record.split_at_mut(HEADER);
        if header[0] != DATA {
            return Err(Fault::Ours(alert::UNEXPECTED_MESSAGE));
        }
        if body.len() <= TAG {
            return Err(Fault::Ours(alert::DECODE_ERROR));
        }
        let nonce = self.theirs.nonce().ok_or(Fault::Ours(alert::INTERNAL_ERROR))?;
        let Direction { key, place, .. } = &mut self.theirs;
        if !place.with(self.library, key, |aead| aead.open(&nonce, header, body)) {
            return Err(Fault::Ours(alert::BAD_RECORD_MAC));
        }
        let text = &body[..body.len() - TAG];
        let Some(end) = text.iter().rposition(|byte| *byte != 0) else {
            return Err(Fault::Ours(alert::UNEXPECTED_MESSAGE));
        };
        // Padding counts, as far as it is none of the type's own byte.
        if text.len() - 1 > LONGEST {
            return Err(Fault::Ours(alert::RECORD_OVERFLOW));
        }
        let (inner, text) = (text[end], &text[..end]);
        if inner == DATA && !text.is_empty() {
            (self.quiet, self.heard) = (0, true);
            plain.extend_from_slice(text);
            return Ok(false);
        }
        self.quiet += 1;
        if self.quiet > QUIET {
            return Err(Fault::Ours(alert::UNEXPECTED_MESSAGE));
        }
        match inner {
            DATA => Ok(false),
            ALERT => heard_alert(text),
            HANDSHAKE => self.heard_handshake(text).map(|()| false),
            _ => Err(Fault::Ours(alert::UNEXPECTED_MESSAGE)),
        }
    }

    /// Reads the messages of a record, each of them whole.
    fn heard_handshake(&mut self, mut text: &[u8]) -> Result<(), Fault> {
        if text.is_empty() {
            return Err(Fault::Ours(alert::UNEXPECTED_MESSAGE));
        }
        while let Some((&[kind, high, middle, low], rest)) = text.split_first_chunk() {
            let len = u32::from_be_bytes([0, high, middle, low]) as usize;
            let body = rest.get(..len).ok_or(Fault::Ours(alert::UNEXPECTED_MESSAGE))?;
            text = &rest[len..];
            match (kind, body) {
                // A ticket: we never come back with it.
                (4, _) if self.role == Role::Dialler => {}
                (24, &[request @ (0 | 1)]) if text.is_empty() => {
                    self.asked |= request == 1;
                    self.theirs.update(self.library);
                }
                (24, &[_]) if text.is_empty() => return Err(Fault::Ours(alert::ILLEGAL_PARAMETER)),
                _ => return Err(Fault::Ours(alert::UNEXPECTED_MESSAGE)),
            }
        }
        if text.is_empty() { Ok(()) } else { Err(Fault::Ours(alert::DECODE_ERROR)) }
    }
}

fn heard_alert(text: &[u8]) -> Result<bool, Fault> {
    match text {
        [_, 0] => Ok(true),
        [_, alert] => Err(Fault::Theirs(*alert)),
        _ => Err(Fault::Ours(alert::DECODE_ERROR)),
    }
}

/// Returns the length of the record at the front, if it is whole; an error if it can be none.
pub(crate) fn whole(wire: &[u8]) -> Result<Option<usize>, Fault> {
    if wire.first().is_some_and(|kind| !(20..=23).contains(kind)) {
        return Err(Fault::Ours(alert::UNEXPECTED_MESSAGE));
    }
    let Some((&[_, _, _, high, low], _)) = wire.split_first_chunk() else { return Ok(None) };
    let len = usize::from(u16::from_be_bytes([high, low]));
    if len > LONGEST_BODY {
        return Err(Fault::Ours(alert::RECORD_OVERFLOW));
    }
    Ok((wire.len() >= HEADER + len).then_some(HEADER + len))
}

/// Returns the length of the record at the front, as far as it says so.
pub(crate) fn span(wire: &[u8]) -> usize {
    match wire.split_first_chunk() {
        Some((&[_, _, _, high, low], _)) => HEADER + usize::from(u16::from_be_bytes([high, low])),
        None => HEADER,
    }
}

/// Returns how many bytes are missing to a whole record; none if there is one, or never will be.
pub(crate) fn owed(wire: &[u8]) -> usize {
    match whole(wire) {
        Ok(None) => span(wire) - wire.len(),
        _ => 0,
    }
}

fn gather(plain: &[IoSlice<'_>], mut from: usize, mut len: usize, out: &mut Vec<u8>) {
    for part in plain {
        let skipped = from.min(part.len());
        from -= skipped;
        let part = &part[skipped..];
        let part = &part[..len.min(part.len())];
        out.extend_from_slice(part);
        len -= part.len();
    }
}

#[cfg(test)]
mod tests;
