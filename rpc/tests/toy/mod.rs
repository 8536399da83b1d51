//! A secure layer for tests that keeps nothing secret: records have numbers and sums, so that one
//! that is lost, doubled or changed is seen, and both ends keep a log of what they were asked.
//!
//! A record: kind (1 byte), length of its body (2), number (4), sum (4), the body, each byte xored
//! with the number.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its share of it")]
#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

use peers_kernel::{Opened, PublicKey, SecureLayer};
use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind, IoSlice};
use std::rc::Rc;

pub const HEAD: usize = 11;
pub const HELLO: u8 = 1;
pub const DATA: u8 = 4;
pub const CLOSE: u8 = 5;
pub const REFUSED: u8 = 6;
pub const ALERT: u8 = 7;

pub const CLIENT: PublicKey = PublicKey([0xc1; 32]);
pub const SERVER: PublicKey = PublicKey([0x5e; 32]);

/// A call of the layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    Begin,
    Owed,
    Open,
    Seal,
    Refuse,
    Close,
    Peer,
}

/// Records the calls of a layer, and says how the next ones shall go.
#[derive(Debug, Default)]
pub struct Log {
    /// Plain text sealed, in order.
    pub sealed: RefCell<Vec<u8>>,
    /// Lengths of the records sealed.
    pub records: RefCell<Vec<usize>>,
    /// Plain text opened.
    pub opened: Cell<usize>,
    /// Calls of `open` that took something before the peer was known.
    pub steps: Cell<u32>,
    pub asked: RefCell<Vec<Ask>>,
    /// Panics, or fails, when it is asked this for the nth time from now.
    pub panics: Cell<Option<(Ask, u32)>>,
    pub fails: Cell<Option<(Ask, u32)>>,
}

impl Log {
    fn ask(&self, what: Ask) -> io::Result<()> {
        self.asked.borrow_mut().push(what);
        let due = |when: &Cell<Option<(Ask, u32)>>| match when.get() {
            Some((ask, left)) if ask == what => {
                when.set((left > 1).then_some((ask, left - 1)));
                left <= 1
            }
            _ => false,
        };
        assert!(!due(&self.panics), "the toy was told to panic at {what:?}");
        if due(&self.fails) { Err(io::Error::other(format!("no {what:?}"))) } else { Ok(()) }
    }

    pub fn count(&self, what: Ask) -> usize {
        self.asked.borrow().iter().filter(|ask| **ask == what).count()
    }
}

pub struct Toy {
    ours: PublicKey,
    dials: bool,
    /// Flights still to come before the peer is known.
    rounds: u32,
    peer: Option<PublicKey>,
    sends: u32,
    gets: u32,
    log: Rc<Log>,
}

/// The end that dials: it speaks first, and knows the peer after `rounds` flights of it.
pub fn dialling(log: &Rc<Log>, rounds: u32) -> Box<dyn SecureLayer> {
    let log = log.clone();
    Box::new(Toy { ours: CLIENT, dials: true, rounds, peer: None, sends: 0, gets: 0, log })
}

/// The end that accepts: it answers each flight but the last.
pub fn accepting(log: &Rc<Log>, rounds: u32) -> Box<dyn SecureLayer> {
    let (log, rounds) = (log.clone(), rounds + 1);
    Box::new(Toy { ours: SERVER, dials: false, rounds, peer: None, sends: 0, gets: 0, log })
}

fn sum(number: u32, body: &[u8]) -> u32 {
    body.iter().fold(number, |sum, byte| sum.rotate_left(5) ^ u32::from(*byte)).wrapping_mul(0x9e37)
}

/// One record.
pub fn record(kind: u8, number: u32, body: &[u8]) -> Vec<u8> {
    let mut out = vec![kind];
    out.extend((body.len() as u16).to_be_bytes());
    out.extend(number.to_be_bytes());
    out.extend(sum(number, body).to_be_bytes());
    out.extend(body.iter().map(|byte| byte ^ number as u8));
    out
}

impl Toy {
    fn put(&mut self, kind: u8, body: &[u8], out: &mut Vec<u8>) {
        out.extend(record(kind, self.sends, body));
        self.sends += 1;
    }

    /// Takes the record at the front, if it is whole; its kind, and how long it is.
    fn take(&mut self, wire: &mut [u8]) -> io::Result<Option<(u8, usize)>> {
        let bad = |text: &str| io::Error::new(ErrorKind::InvalidData, text.to_owned());
        let Some(head) = wire.first_chunk::<HEAD>() else { return Ok(None) };
        let length = usize::from(u16::from_be_bytes([head[1], head[2]]));
        let number = u32::from_be_bytes([head[3], head[4], head[5], head[6]]);
        let said = u32::from_be_bytes([head[7], head[8], head[9], head[10]]);
        let kind = head[0];
        if number != self.gets || !(HELLO..=ALERT).contains(&kind) {
            return Err(bad("a record of another number"));
        }
        let Some(body) = wire.get_mut(HEAD..HEAD + length) else { return Ok(None) };
        body.iter_mut().for_each(|byte| *byte ^= number as u8);
        if sum(number, body) != said {
            return Err(bad("what arrived was changed on its way"));
        }
        self.gets += 1;
        Ok(Some((kind, HEAD + length)))
    }

    fn greet(&mut self, body: &[u8], out: &mut Vec<u8>) {
        self.log.steps.set(self.log.steps.get() + 1);
        self.rounds -= 1;
        if self.rounds == 0 {
            self.peer = Some(PublicKey(body.try_into().unwrap()));
        }
        if self.dials || self.rounds > 0 {
            let ours = self.ours;
            self.put(HELLO, ours.as_bytes(), out);
        }
    }
}

impl SecureLayer for Toy {
    fn begin(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.log.ask(Ask::Begin)?;
        if self.dials {
            let ours = self.ours;
            self.put(HELLO, ours.as_bytes(), out);
        }
        Ok(())
    }

    fn owed(&self, held: &[u8]) -> usize {
        self.log.ask(Ask::Owed).ok();
        match held.first_chunk::<HEAD>() {
            None => HEAD - held.len(),
            Some(head) => {
                let length = usize::from(u16::from_be_bytes([head[1], head[2]]));
                (HEAD + length).saturating_sub(held.len()).max(1)
            }
        }
    }

    fn open(
        &mut self,
        wire: &mut [u8],
        plain: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> io::Result<Opened> {
        let mut opened = Opened::default();
        let alert = |this: &mut Self, error, out: &mut Vec<u8>| {
            this.put(ALERT, &[], out);
            Err(error)
        };
        if let Err(error) = self.log.ask(Ask::Open) {
            return alert(self, error, out);
        }
        loop {
            let rest = &mut wire[opened.taken..];
            let (kind, length) = match self.take(rest) {
                Ok(Some(found)) => found,
                Ok(None) => return Ok(opened),
                Err(error) => return alert(self, error, out),
            };
            let body = &rest[HEAD..length];
            opened.taken += length;
            match (kind, self.peer) {
                (HELLO, None) => {
                    let body = body.to_vec();
                    self.greet(&body, out);
                    return Ok(opened);
                }
                (DATA, Some(_)) => {
                    plain.extend_from_slice(body);
                    self.log.opened.set(self.log.opened.get() + body.len());
                }
                (CLOSE, Some(_)) => {
                    opened.ended = true;
                    return Ok(opened);
                }
                (REFUSED, _) => return Err(ErrorKind::PermissionDenied.into()),
                (ALERT, _) => return Err(ErrorKind::ConnectionAborted.into()),
                _ => return alert(self, ErrorKind::InvalidData.into(), out),
            }
        }
    }

    fn seal(
        &mut self,
        plain: &[IoSlice<'_>],
        from: usize,
        len: usize,
        out: &mut Vec<u8>,
    ) -> io::Result<()> {
        assert!((1..=16 << 10).contains(&len), "a record of {len} bytes");
        if let Err(error) = self.log.ask(Ask::Seal) {
            self.put(ALERT, &[], out);
            return Err(error);
        }
        let all: Vec<u8> = plain.iter().flat_map(|part| part.to_vec()).collect();
        let body = &all[from..from + len];
        self.log.sealed.borrow_mut().extend_from_slice(body);
        self.log.records.borrow_mut().push(len);
        self.put(DATA, body, out);
        Ok(())
    }

    fn refuse(&mut self, out: &mut Vec<u8>) {
        self.log.ask(Ask::Refuse).ok();
        self.put(REFUSED, &[], out);
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        self.log.ask(Ask::Close).ok();
        self.put(CLOSE, &[], out);
    }

    fn peer(&self) -> Option<PublicKey> {
        self.log.ask(Ask::Peer).ok();
        self.peer
    }
}
