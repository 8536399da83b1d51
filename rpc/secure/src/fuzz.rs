//! Feeds layers, records and files, for the fuzz targets and for tests with a seeded corpus.
//! Nothing may panic, nothing that was not said may be heard, and nobody unproven is believed.
//! Corpora and mutation live outside.

use crate::primitives::Library;
use crate::records::{Fault, Records, Role, Secrets};
use crate::{Identity, allow_file};
use peers_rpc::kernel::{ForkedRng, PublicKey, SecureLayer};
use peers_rpc::{Kernel, SecureTransport as _};
use std::io::IoSlice;

/// The most that a layer may answer to bytes of one connection: a flight, and an alert.
const ANSWER: usize = 4096;
/// What the ends of a pair say once they are proven.
const WORDS: [&[u8]; 2] = [&[b'>'; 300], &[b'<'; 300]];

thread_local! {
    static IDENTITIES: [Identity; 2] = [1, 2].map(|seed| {
        Identity::fresh(&mut rng(seed)).expect("this processor is fit for it")
    });
}

fn rng(seed: u64) -> ForkedRng {
    Kernel::simulated(seed).handle().fork_rng()
}

fn ends() -> [End; 2] {
    IDENTITIES.with(|[dialler, listener]| {
        let mut rng = rng(3);
        let dialling = dialler.dial(listener.key(), rng.fork());
        [End::new(dialling), End::new(listener.accept(rng.fork()))]
    })
}

/// A layer, and what is on its way to and from it.
struct End {
    layer: Box<dyn SecureLayer>,
    held: Vec<u8>,
    plain: Vec<u8>,
    out: Vec<u8>,
    over: bool,
}

impl End {
    fn new(mut layer: Box<dyn SecureLayer>) -> Self {
        let mut out = Vec::new();
        layer.begin(&mut out).expect("a handshake begins");
        Self { layer, held: Vec::new(), plain: Vec::new(), out, over: false }
    }

    /// Does what the kernel does.
    fn hear(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
        while !self.over && self.layer.owed(&self.held) == 0 {
            let (was, heard) = (self.layer.peer().is_some(), self.plain.len());
            match self.layer.open(&mut self.held, &mut self.plain, &mut self.out) {
                Ok(opened) => {
                    assert!(opened.taken <= self.held.len(), "no more than there is");
                    self.held.drain(..opened.taken);
                    self.over = opened.ended;
                    let moves = opened.taken > 0 || self.layer.owed(&self.held) > 0;
                    assert!(moves || self.over, "a record that changes nothing would spin");
                }
                Err(_) => self.over = true,
            }
            assert!(was || self.plain.len() == heard, "nothing is heard of the unproven");
        }
        assert!(self.out.len() <= ANSWER, "an answer of {} bytes", self.out.len());
    }
}

/// Sends `data` to a listener: as it is, or as the bodies of records, by its first byte.
///
/// # Panics
/// If the listener believes another than whom it talked to in a recording of this very handshake.
pub fn listener(data: &[u8]) {
    let [_, mut end] = ends();
    unproven(&mut end, data, 0);
}

/// Sends `data` to a dialler.
///
/// # Panics
/// If the dialler believes another than the expected one, in a recording of this very handshake.
pub fn dialler(data: &[u8]) {
    let [mut end, _] = ends();
    unproven(&mut end, data, 1);
}

fn unproven(end: &mut End, data: &[u8], other: usize) {
    let Some((&how, rest)) = data.split_first() else { return };
    if how & 1 == 0 {
        rest.chunks(usize::from(how / 2).max(1)).for_each(|part| end.hear(part));
    } else {
        for body in rest.chunks(usize::from(how)) {
            let kind = 20 + (body[0] & 3);
            let len = (body.len() as u16).to_be_bytes();
            end.hear(&[&[kind, 3, 3, len[0], len[1]][..], body].concat());
        }
    }
    let known = IDENTITIES.with(|identities| identities[other].key());
    assert!(end.layer.peer().is_none_or(|peer| peer == known), "another peer");
    assert!(end.plain.is_empty(), "nothing was said");
}

/// Lets two ends talk, and changes what they send: each three bytes of `data` are a place, counted
/// from the last one, and what becomes of the byte there.
///
/// # Panics
/// If anything is heard that was not said.
pub fn pair(data: &[u8]) {
    let mut edits =
        data.chunks_exact(3).map(|edit| (u16::from_be_bytes([edit[0], edit[1]]), edit[2]));
    let mut edit = edits.next();
    let (mut ends, mut said, mut moved) = (ends(), [false; 2], true);
    while moved {
        moved = false;
        for at in [0, 1] {
            let end = &mut ends[at];
            if end.layer.peer().is_some() && !end.over && !said[at] {
                said[at] = true;
                let words = [IoSlice::new(WORDS[at])];
                end.layer.seal(&words, 0, WORDS[at].len(), &mut end.out).expect("it is open");
                end.layer.close(&mut end.out);
            }
            let mut bytes = std::mem::take(&mut end.out);
            moved |= !bytes.is_empty();
            let mut from = 0;
            while let Some((skip, what)) = edit {
                let place = from + usize::from(skip);
                if place >= bytes.len() {
                    edit = Some((skip - (bytes.len() - from) as u16, what));
                    break;
                }
                match what {
                    0 => bytes.truncate(place),
                    1 => bytes.insert(place, what),
                    2 => drop(bytes.remove(place)),
                    3 if bytes.len() < 1 << 14 => bytes.extend_from_within(place..),
                    _ => bytes[place] ^= what,
                }
                from = (place + 1).min(bytes.len());
                edit = edits.next();
            }
            let other = &mut ends[1 - at];
            other.hear(&bytes);
            assert!(WORDS[at].starts_with(&other.plain), "something else was heard");
        }
    }
    IDENTITIES.with(|identities| {
        for at in [0, 1] {
            let peer = ends[at].layer.peer();
            assert!(peer.is_none_or(|peer| peer == identities[1 - at].key()), "another peer");
        }
    });
}

/// Opens records of a peer that has the keys and keeps no rule: each has a byte for its type, one
/// for its length, and its text from `data`. With the first byte odd, a dialler reads them.
///
/// # Panics
/// If anything but data is heard.
pub fn records(data: &[u8]) {
    let Some((&how, mut rest)) = data.split_first() else { return };
    let roles = [Role::Listener, Role::Dialler];
    let [reader, writer] = [usize::from(how & 1), usize::from(how & 1 == 0)].map(|at| roles[at]);
    let secrets = Secrets { dialler: &[1; 32], listener: &[2; 32] };
    let make = |role| Records::new(Library::Graviola, role, &secrets, PublicKey([0; 32]));
    let (mut reader, mut writer) = (make(reader), make(writer));
    let (mut plain, mut said) = (Vec::new(), Vec::new());
    while let [kind, len, text @ ..] = rest {
        let (text, behind) = text.split_at(usize::from(*len).min(text.len()));
        rest = behind;
        let mut wire = Vec::new();
        writer.forge(*kind, text, &mut wire);
        let before = plain.len();
        match reader.open(&mut wire, &mut plain) {
            Ok((taken, ended)) => {
                assert_eq!(taken, wire.len());
                if ended {
                    break;
                }
            }
            Err(Fault::Over) => unreachable!("reading does not end by itself"),
            Err(_) => break,
        }
        if *kind == 23 {
            said.extend_from_slice(text);
        }
        let padded = *kind == 0 && plain.len() > before;
        if padded {
            said.extend_from_slice(&plain[before..]);
            assert!(text.starts_with(&plain[before..]), "the rest is padding");
        }
        assert_eq!(plain, said, "data, and nothing else");
        if how & 2 != 0 {
            let mut answer = Vec::new();
            let text = [IoSlice::new(b"answer")];
            reader.seal(&text, 0, 6, &mut answer).expect("it is open");
            let mut heard = Vec::new();
            writer.open(&mut answer, &mut heard).expect("an honest answer");
            assert_eq!(heard, b"answer");
        }
    }
}

/// Reads `data` as a key file. If it is one, it must come back as the same key.
///
/// # Panics
/// If it does not.
pub fn key_file(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Identity::from_pem(text) {
        Ok(identity) => {
            let again = Identity::from_pem(&identity.to_pem()).expect("we read what we write");
            assert_eq!(again.key(), identity.key());
        }
        Err(error) => assert!(!error.to_string().is_empty(), "an error has words"),
    }
}

/// Reads `data` as a list of keys. Written anew from what was understood, it must say the same.
///
/// # Panics
/// If it does not.
pub fn allow_file(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (names, bad) = allow_file::read(text);
    assert!(names.len() + bad.len() <= text.lines().count());
    let written: String = names.iter().map(|(key, name)| format!("{key} {name}\n")).collect();
    let (again, none) = allow_file::read(&written);
    assert!(none.is_empty() && again == names, "{text:?}");
}
