//! Promise: a connection with a secure layer ends in good order with a last record of both sides,
//! and with an error in any other way; whatever a layer does, it ends this connection alone.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;
mod toy;

use common::{Heard, any_port, everywhere, run_until, streams, strict_kernel};
use peers_kernel::{Address, Kernel, Outlet, Stream};
use std::cell::Cell;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;
use toy::{Ask, CLIENT, DATA, HELLO, Log, record};

struct End {
    outlet: Outlet,
    heard: Heard,
    log: Rc<Log>,
}

fn start(stream: Stream, layer: fn(&Rc<Log>, u32) -> Box<dyn peers_kernel::SecureLayer>) -> End {
    let (heard, log) = (Heard::default(), Rc::new(Log::default()));
    let outlet = heard.listen_to(stream.secure(layer(&log, 1)));
    End { outlet, heard, log }
}

/// Both ends, each of which has let the other in.
fn proven(kernel: &mut Kernel, at: &Address) -> (End, End) {
    let (dialled, accepted) = streams(kernel, at);
    let (ours, theirs) = (start(dialled, toy::dialling), start(accepted, toy::accepting));
    run_until(kernel, "the proof", || {
        ours.outlet.peer_key().is_some() && theirs.outlet.peer_key().is_some()
    });
    (ours, theirs)
}

#[test]
fn either_half_ends_by_itself() {
    everywhere("halves", |kernel, at| {
        let (ours, theirs) = proven(kernel, at);
        ours.outlet.write(b"a question").unwrap();
        ours.outlet.finish();
        run_until(kernel, "their end", || theirs.heard.ended.get());
        assert_eq!(theirs.heard.text(), "a question");
        assert!(!ours.heard.is_over(), "the other half is open");
        theirs.outlet.write(&[7; 200_000]).unwrap();
        let (clean, told) = (Rc::new(Cell::new(None)), ());
        let place = clean.clone();
        ours.outlet.on_closed(move |is_clean| place.set(Some(is_clean)));
        theirs.outlet.finish();
        run_until(kernel, "our end", || ours.heard.ended.get() && clean.get().is_some());
        assert_eq!((ours.heard.len(), clean.get(), told), (200_000, Some(true), ()));
        assert_eq!((ours.log.count(Ask::Close), theirs.log.count(Ask::Close)), (1, 1));
    });
}

/// A raw end that says what it is told to an end with a layer, which accepts.
fn against_raw(kernel: &mut Kernel, at: &Address) -> (Outlet, Heard, End) {
    let (dialled, accepted) = streams(kernel, at);
    let heard = Heard::default();
    (heard.listen_to(dialled), heard, start(accepted, toy::accepting))
}

#[test]
fn an_end_without_a_last_record_is_a_failure_wherever_it_comes() {
    let all = [
        record(HELLO, 0, CLIENT.as_bytes()),
        record(HELLO, 1, CLIENT.as_bytes()),
        record(DATA, 2, b"some words"),
    ]
    .concat();
    for cut in 0..=all.len() {
        let mut kernel = Kernel::simulated(cut as u64);
        let (raw, _, end) = against_raw(&mut kernel, &Address::sim("cut"));
        raw.write(&all[..cut]).unwrap();
        raw.finish();
        run_until(&mut kernel, "the end", || end.heard.is_over());
        assert_eq!(*end.heard.failed.borrow(), Some(ErrorKind::UnexpectedEof), "cut at {cut}");
        let heard = if cut == all.len() { "some words" } else { "" };
        assert_eq!(end.heard.text(), heard);
    }
}

#[test]
fn what_breaks_the_rules_is_answered_thrown_away_and_told() {
    everywhere("broken", |kernel, at| {
        let (raw, told, end) = against_raw(kernel, at);
        let hello = |number| record(HELLO, number, CLIENT.as_bytes());
        let wrong = record(DATA, 9, b"out of order");
        raw.write(&[hello(0), hello(1), record(DATA, 2, b"fine"), wrong].concat()).unwrap();
        run_until(kernel, "the failure", || end.heard.is_over());
        assert_eq!(*end.heard.failed.borrow(), Some(ErrorKind::InvalidData));
        assert_eq!(end.heard.text(), "fine", "what came before is heard");
        assert!(!end.outlet.is_open());
        end.outlet.write(b"nobody gets this").unwrap();
        for _ in 0..20 {
            raw.write(&[0; 10_000]).unwrap(); // it goes on, and nobody is hurt
        }
        run_until(kernel, "the alert", || told.ended.get());
        let bytes = told.bytes.borrow();
        assert_eq!(bytes[bytes.len() - toy::HEAD], toy::ALERT, "the last words");
        assert_eq!(end.log.count(Ask::Seal), 0);
        drop(bytes);
        raw.close();
    });
}

#[test]
fn a_layer_that_panics_or_fails_ends_its_connection_and_no_other() {
    for what in [Ask::Begin, Ask::Owed, Ask::Open, Ask::Seal, Ask::Close, Ask::Peer] {
        for (nth, fails) in [(1, false), (2, false), (1, true)] {
            if fails && !matches!(what, Ask::Begin | Ask::Open | Ask::Seal) {
                continue; // it cannot
            }
            let mut kernel = strict_kernel();
            kernel.set_strict(false);
            let (mine, other) = proven(&mut kernel, &any_port());
            let (dialled, accepted) = streams(&mut kernel, &any_port());
            let log = Rc::new(Log::default());
            if fails { &log.fails } else { &log.panics }.set(Some((what, nth)));
            let heard = Heard::default();
            let outlet = heard.listen_to(dialled.secure(toy::dialling(&log, 1)));
            let peer = start(accepted, toy::accepting);
            outlet.write(b"first").unwrap();
            kernel.run_until(kernel.handle().now() + Duration::from_millis(5)).unwrap();
            outlet.write(b"second").unwrap();
            kernel.run_until(kernel.handle().now() + Duration::from_millis(5)).unwrap();
            outlet.finish();
            let over =
                || peer.heard.is_over() || log.panics.get().is_some() || log.fails.get().is_some();
            run_until(&mut kernel, &format!("the end after {what:?} {nth}"), over);
            peer.outlet.abort();
            drop(outlet);
            mine.outlet.write(b"still there").unwrap();
            run_until(&mut kernel, "the other one", || other.heard.text() == "still there");
        }
    }
}

#[test]
fn a_panic_of_a_layer_fails_a_strict_kernel() {
    let mut kernel = Kernel::simulated(1);
    let (dialled, _accepted) = streams(&mut kernel, &Address::sim("strict"));
    let log = Rc::new(Log::default());
    log.panics.set(Some((Ask::Begin, 1)));
    let _dialled = dialled.secure(toy::dialling(&log, 1));
    let turned = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        kernel.run_until(kernel.handle().now() + Duration::from_secs(1)).unwrap();
    }));
    let text = *turned.unwrap_err().downcast::<String>().unwrap();
    assert!(text.contains("the toy was told to panic at Begin"), "{text}");
}
