//! Two layers in memory, and what is on the wires between them.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test uses its part, and may panic"
)]

#[cfg(unix)]
pub mod folder;
#[cfg(unix)]
pub mod service;

use peers_rpc::Kernel;
use peers_rpc::kernel::{ForkedRng, PublicKey, SecureLayer};
use peers_rpc::{SecureTransport, SecurityError};
use peers_secure::Identity;
use std::io::{self, IoSlice};

/// The generator of a simulated world.
pub fn rng(seed: u64) -> ForkedRng {
    Kernel::simulated(seed).handle().fork_rng()
}

pub fn identity(seed: u64) -> Identity {
    Identity::fresh(&mut rng(seed)).unwrap()
}

/// One end: its layer, what has come and is not taken, and what is to leave.
pub struct End {
    pub layer: Box<dyn SecureLayer>,
    pub held: Vec<u8>,
    pub plain: Vec<u8>,
    pub out: Vec<u8>,
    pub ended: bool,
    pub error: Option<io::Error>,
}

impl End {
    pub fn new(layer: Box<dyn SecureLayer>) -> Self {
        let mut new = Self {
            layer,
            held: Vec::new(),
            plain: Vec::new(),
            out: Vec::new(),
            ended: false,
            error: None,
        };
        new.error = new.layer.begin(&mut new.out).err();
        new
    }

    /// Takes `bytes` in, as far as they can be used.
    pub fn hear(&mut self, bytes: &[u8]) {
        if self.error.is_some() || self.ended {
            return;
        }
        self.held.extend_from_slice(bytes);
        while self.error.is_none() && !self.ended && self.layer.owed(&self.held) == 0 {
            let known = self.layer.peer();
            let before = self.plain.len();
            match self.layer.open(&mut self.held, &mut self.plain, &mut self.out) {
                Ok(opened) => {
                    self.held.drain(..opened.taken);
                    self.ended = opened.ended;
                    if known.is_none() {
                        assert_eq!(self.plain.len(), before, "nothing is heard of the unproven");
                    }
                }
                Err(error) => self.error = Some(error),
            }
        }
    }

    pub fn say(&mut self, text: &[u8]) {
        for part in text.chunks(1 << 14) {
            self.layer.seal(&[IoSlice::new(part)], 0, part.len(), &mut self.out).unwrap();
        }
    }

    pub fn security(&self) -> Option<&SecurityError> {
        self.error.as_ref()?.get_ref()?.downcast_ref()
    }
}

/// The whole records at the front of a recording.
pub fn records(mut wire: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    while let [_, _, _, high, low, ..] = wire {
        let len = 5 + usize::from(u16::from_be_bytes([*high, *low]));
        let (record, rest) = wire.split_at(len);
        records.push(record.to_vec());
        wire = rest;
    }
    records
}

/// Carries words to and fro until there are none.
pub fn settle(a: &mut End, b: &mut End) -> (Vec<u8>, Vec<u8>) {
    let (mut from_a, mut from_b) = (Vec::new(), Vec::new());
    while !a.out.is_empty() || !b.out.is_empty() {
        let bytes = std::mem::take(&mut a.out);
        b.hear(&bytes);
        from_a.extend_from_slice(&bytes);
        let bytes = std::mem::take(&mut b.out);
        a.hear(&bytes);
        from_b.extend_from_slice(&bytes);
    }
    (from_a, from_b)
}

/// Two ends that have not spoken yet: the dialler's and the listener's.
pub fn pair(seed: u64) -> (End, End) {
    let (dialler, listener) = (identity(1), identity(2));
    between(&dialler, &listener, listener.key(), seed)
}

pub fn between(
    dialler: &Identity,
    listener: &Identity,
    expected: PublicKey,
    seed: u64,
) -> (End, End) {
    let mut rng = rng(seed);
    let a = End::new(dialler.dial(expected, rng.fork()));
    (a, End::new(listener.accept(rng.fork())))
}
