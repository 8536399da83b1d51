//! Promise: whoever sits between two peers can end their connection, and nothing else.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{End, identity, pair, records, settle};
use peers_rpc::{SecureTransport as _, SecurityError};

/// What is said in each direction once both are proven.
const WORDS: [&[u8]; 2] = [&[b'>'; 6_000], &[b'<'; 6_000]];
/// Bytes from the beginning of a connection that somebody changes.
const FIRST: usize = 8 << 10;

/// Two ends that say their words as soon as they may, and what each has sent.
struct Talk {
    ends: [End; 2],
    said: [bool; 2],
    sent: [Vec<u8>; 2],
}

impl Talk {
    fn new() -> Self {
        let (a, b) = pair(7);
        Self { ends: [a, b], said: [false; 2], sent: [Vec::new(), Vec::new()] }
    }

    /// Talks until nothing moves. `between` sees what each end sends, by its place in all.
    fn run(&mut self, mut between: impl FnMut(usize, usize, &mut Vec<u8>)) {
        loop {
            let mut moved = false;
            for at in [0, 1] {
                let proven = self.ends[at].layer.peer().is_some() && self.ends[at].error.is_none();
                if proven && !self.said[at] {
                    self.said[at] = true;
                    WORDS[at].chunks(1000).for_each(|part| self.ends[at].say(part));
                    let End { layer, out, .. } = &mut self.ends[at];
                    layer.close(out);
                }
                let mut bytes = std::mem::take(&mut self.ends[at].out);
                moved |= !bytes.is_empty();
                let place = self.sent[at].len();
                self.sent[at].extend_from_slice(&bytes);
                between(at, place, &mut bytes);
                self.ends[1 - at].hear(&bytes);
            }
            if !moved {
                break;
            }
        }
    }

    /// Whatever happened: what was heard was said, and by whom it should be.
    fn check(&self, what: &str) {
        for at in [0, 1] {
            let (end, other) = (&self.ends[at], 1 - at);
            assert!(WORDS[other].starts_with(&end.plain), "{what}: something else was heard");
            let whole = end.plain.len() == WORDS[other].len();
            assert!(!end.ended || whole, "{what}: a goodbye came early");
            let key = identity(2 - at as u64).key();
            assert!(end.layer.peer().is_none_or(|peer| peer == key), "{what}: another peer");
            let clear = self.sent[at].windows(64).any(|part| WORDS[at].starts_with(part));
            assert!(!clear, "{what}: clear text was sent");
        }
    }

    fn is_done(&self) -> bool {
        self.ends.iter().all(|end| end.ended && end.error.is_none())
    }
}

/// How many bytes each end sends, and where its handshake is over.
fn lengths() -> [(usize, usize); 2] {
    let mut talk = Talk::new();
    talk.run(|_, _, _| {});
    talk.check("untouched");
    assert!(talk.is_done());
    let spoken = WORDS[0].len() + 6 * 22 + 24;
    [0, 1].map(|at| (talk.sent[at].len(), talk.sent[at].len() - spoken))
}

fn change_each_byte(from: usize) {
    let (all, shaken) = lengths()[from];
    assert!(all > FIRST.min(shaken + 6_000), "there is something to change: {all}");
    let places = (0..FIRST.min(all)).filter(|place| *place < shaken + 60 || place % 13 == 0);
    let mut unnoticed = 0;
    for (count, place) in places.enumerate() {
        let flip = 1_u8 << (count % 8);
        let mut talk = Talk::new();
        talk.run(|at, start, bytes| {
            if let Some(byte) = (at == from)
                .then(|| place.checked_sub(start).and_then(|place| bytes.get_mut(place)))
                .flatten()
            {
                *byte ^= flip;
            }
        });
        talk.check(&format!("byte {place} of end {from} changed by {flip:#x}"));
        unnoticed += usize::from(talk.is_done());
    }
    // The versions in the headers of records in clear text mean nothing.
    assert!(unnoticed < 12, "{unnoticed} changes went unnoticed");
}

#[test]
fn a_changed_byte_of_the_dialler_ends_the_connection_or_means_nothing() {
    change_each_byte(0);
}

#[test]
fn a_changed_byte_of_the_listener_ends_the_connection_or_means_nothing() {
    change_each_byte(1);
}

/// Whoever has no more than a prefix knows that it is one.
#[test]
fn a_cut_is_no_goodbye() {
    for (from, (all, _)) in lengths().into_iter().enumerate() {
        for cut in (0..all).filter(|cut| cut % 3 == 0 || cut + 30 > all) {
            let mut talk = Talk::new();
            talk.run(|at, start, bytes| {
                if at == from {
                    bytes.truncate(cut.saturating_sub(start));
                }
            });
            talk.check(&format!("cut behind {cut} bytes of end {from}"));
            assert!(!talk.ends[1 - from].ended, "cut behind {cut} bytes of end {from}");
        }
    }
}

#[test]
fn a_recorded_connection_is_worth_nothing() {
    let mut talk = Talk::new();
    talk.run(|_, _, _| {});
    let [from_dialler, from_listener] = talk.sent;
    let mut rng = common::rng(99);
    let mut listener = End::new(identity(2).accept(rng.fork()));
    listener.hear(&from_dialler);
    assert!(listener.error.is_some() && listener.layer.peer().is_none());
    assert!(listener.plain.is_empty());
    let mut dialler = End::new(identity(1).dial(identity(2).key(), rng.fork()));
    dialler.hear(&from_listener);
    assert!(dialler.error.is_some() && dialler.layer.peer().is_none());
}

/// Two proven ends, and the records of three sentences of the dialler.
fn three_sentences() -> (End, End, Vec<Vec<u8>>) {
    let (mut a, mut b) = pair(3);
    settle(&mut a, &mut b);
    for sentence in [b"one", b"two", b"six"] {
        a.say(sentence);
    }
    let records = records(&std::mem::take(&mut a.out));
    assert_eq!(records.len(), 3);
    (a, b, records)
}

#[test]
fn a_record_that_comes_twice_or_not_or_too_early_ends_the_connection() {
    for (order, heard) in [
        (&[0, 1, 2][..], &b"onetwosix"[..]),
        (&[0, 0], b"one"),
        (&[0, 1, 0], b"onetwo"),
        (&[0, 2], b"one"),
        (&[1], b""),
        (&[1, 0, 2], b""),
    ] {
        let (_, mut b, records) = three_sentences();
        order.iter().for_each(|at| b.hear(&records[*at]));
        assert_eq!(b.plain, heard, "{order:?}");
        let broken = order != [0, 1, 2];
        assert_eq!(b.security() == Some(&SecurityError::Changed), broken, "{order:?}");
    }
}

/// The first sentence may have been obeyed before the second one was found to be broken, and the
/// answer to it never left.
#[test]
fn who_fails_before_its_first_word_may_have_executed_something() {
    let (mut a, mut b, mut records) = three_sentences();
    records[1][9] ^= 1;
    b.hear(&records.concat());
    assert_eq!(b.plain, b"one");
    a.hear(&b.out);
    assert_eq!(a.security(), Some(&SecurityError::Changed));
    assert!(!a.security().unwrap().is_unexecuted());
}

#[test]
fn who_is_refused_knows_that_nothing_was_executed() {
    let (mut a, mut b) = pair(3);
    while b.layer.peer().is_none() {
        let bytes = std::mem::take(&mut a.out);
        b.hear(&bytes);
        let bytes = std::mem::take(&mut b.out);
        a.hear(&bytes);
    }
    b.layer.refuse(&mut b.out);
    a.hear(&b.out);
    assert_eq!(a.security(), Some(&SecurityError::NotAdmitted { ours: identity(1).key() }));
    assert!(a.security().unwrap().is_unexecuted());
}

#[test]
fn own_words_come_back() {
    let (mut a, _, records) = three_sentences();
    a.hear(&records[0]);
    assert_eq!(a.security(), Some(&SecurityError::Changed));
    assert!(a.plain.is_empty());
    let (mut dialler, _) = pair(4);
    let hello = std::mem::take(&mut dialler.out);
    dialler.hear(&hello);
    assert!(dialler.error.is_some() && dialler.layer.peer().is_none());
}

/// The stranger shakes hands as it should, and can read all that is sent to it.
#[test]
fn the_right_address_with_another_key_gets_nothing() {
    let (me, stranger, expected) = (identity(1), identity(5), identity(2).key());
    let (mut a, mut b) = common::between(&me, &stranger, expected, 1);
    let (from_a, _) = settle(&mut a, &mut b);
    let wrong = SecurityError::WrongPeer { expected, found: stranger.key() };
    assert_eq!(a.security(), Some(&wrong));
    let behind_hello: usize = records(&from_a)[1..].iter().map(Vec::len).sum();
    assert!(behind_hello < 40, "a word of error is all: {behind_hello}");
    assert!(b.layer.peer().is_none() && b.plain.is_empty());
}
