//! Promise: a connection with a secure layer holds no memory when nothing waits; whatever its peer
//! sends or does not read, what is kept is bounded and counted; and handshakes leave room in each
//! turn for others.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;
mod toy;

use common::{Heard, any_port, everywhere, run_until, streams, strict_kernel};
use peers_kernel::{Address, Input, Kernel, Outlet, Wait};
use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::rc::Rc;
use toy::{Ask, CLIENT, DATA, HELLO, Log, record};

/// A record's head, of a body that is never sent.
fn head(kind: u8, number: u32, len: u16) -> Vec<u8> {
    let mut head = record(kind, number, b"")[..toy::HEAD].to_vec();
    head[1..3].copy_from_slice(&len.to_be_bytes());
    head
}

fn accepting(kernel: &mut Kernel, at: &Address) -> (Outlet, Outlet, Heard, Rc<Log>) {
    let (dialled, accepted) = streams(kernel, at);
    let (heard, log) = (Heard::default(), Rc::new(Log::default()));
    let outlet = heard.listen_to(accepted.secure(toy::accepting(&log, 0)));
    (dialled.start(|_, _| {}), outlet, heard, log)
}

#[test]
fn who_is_idle_holds_nothing() {
    everywhere("idle", |kernel, at| {
        let (dialled, accepted) = streams(kernel, at);
        let (ours, theirs) = (Rc::new(Log::default()), Rc::new(Log::default()));
        let heard = Heard::default();
        let one = dialled.secure(toy::dialling(&ours, 1)).start(|_, _| {});
        let other = heard.listen_to(accepted.secure(toy::accepting(&theirs, 1)));
        one.write(&[1; 300_000]).unwrap();
        run_until(kernel, "all of it", || heard.len() == 300_000 && one.buffered() == 0);
        assert_eq!((one.memory(), other.memory()), (0, 0));
        assert_eq!(kernel.handle().output_memory(), 0);
    });
}

#[test]
fn what_a_peer_does_not_read_is_bounded_and_counted() {
    let mut kernel = strict_kernel();
    let (dialled, accepted) = streams(&mut kernel, &any_port());
    dialled.set_buffers(64 << 10).unwrap();
    accepted.set_buffers(64 << 10).unwrap();
    let (ours, theirs) = (Rc::new(Log::default()), Rc::new(Log::default()));
    let one = dialled.secure(toy::dialling(&ours, 1)).start(|_, _| {});
    let other = accepted.secure(toy::accepting(&theirs, 1)).start(|_, _| {});
    run_until(&mut kernel, "the proof", || one.peer_key().is_some() && other.peer_key().is_some());
    other.pause();
    one.set_limit(4 << 20);
    one.write_chunk(vec![1; 3 << 20]).unwrap();
    run_until(&mut kernel, "no room", || one.stalled().is_some());
    for _ in 0..20 {
        kernel.turn(Wait::No).unwrap();
    }
    let waiting = one.buffered();
    let (memory, counted) = (one.memory(), kernel.handle().output_memory());
    assert_eq!(memory, counted);
    assert!(memory > waiting, "the cipher text is counted");
    assert!(memory <= (3 << 20) + (300 << 10), "{memory} bytes for {waiting}");
    let sealed = ours.sealed.borrow().len();
    assert!(sealed <= (3 << 20) - waiting + (256 << 10), "only a batch is sealed ahead");
    one.abort();
    assert_eq!((one.memory(), kernel.handle().output_memory()), (0, 0));
}

#[test]
fn of_a_handshake_4_kib_are_kept() {
    everywhere("handshake", |kernel, at| {
        for (len, fits) in [(4096 - toy::HEAD as u16, true), (4097 - toy::HEAD as u16, false)] {
            let (raw, end, heard, log) = accepting(kernel, at);
            raw.write(&head(HELLO, 0, len)).unwrap();
            raw.write(&vec![0; 4_000]).unwrap();
            run_until(kernel, "most of it", || log.count(Ask::Open) > 0);
            raw.write(&[0; 50]).unwrap();
            let end_of_test = kernel.handle().now() + std::time::Duration::from_millis(30);
            kernel.run_until(end_of_test).unwrap();
            assert_eq!(heard.is_over(), !fits, "{len} bytes");
            if !fits {
                assert_eq!(*heard.failed.borrow(), Some(ErrorKind::InvalidData));
            }
            assert!(end.memory() <= 8 << 10, "{} bytes", end.memory());
            assert_eq!(log.count(Ask::Seal), 0);
            raw.abort();
        }
    });
}

#[test]
fn of_a_record_16_kib_and_its_frame_are_kept() {
    const MOST: u16 = (16 << 10) + 261 - toy::HEAD as u16;
    everywhere("record", |kernel, at| {
        for (len, fits) in [(MOST, true), (MOST + 1, false)] {
            let (raw, end, heard, _) = accepting(kernel, at);
            raw.write(&record(HELLO, 0, CLIENT.as_bytes())).unwrap();
            raw.write(&head(DATA, 1, len)).unwrap();
            raw.write(&vec![0; 16_000]).unwrap();
            let end_of_test = kernel.handle().now() + std::time::Duration::from_millis(30);
            kernel.run_until(end_of_test).unwrap();
            assert_eq!(heard.is_over(), !fits, "{len} bytes");
            assert!(end.memory() <= 40 << 10, "{} bytes", end.memory());
            raw.abort();
        }
    });
}

/// 40 handshakes of three steps each begin at once.
#[test]
fn four_steps_of_handshakes_are_taken_in_a_turn_and_all_come_to_an_end() {
    let mut kernel = strict_kernel();
    let handle = kernel.handle();
    let total = Rc::new(Log::default());
    let (log, ends) = (total.clone(), Rc::new(RefCell::new(Vec::new())));
    let accepted = ends.clone();
    let listener = handle
        .listen(&any_port(), move |stream| {
            let outlet = stream.secure(toy::accepting(&log, 2)).start(|_, _| {});
            accepted.borrow_mut().push(outlet);
        })
        .unwrap();
    let mut raw = Vec::new();
    for _ in 0..40 {
        let stream = common::dialled(&mut kernel, listener.address()).unwrap();
        raw.push(stream.start(|_, _| {}));
    }
    run_until(&mut kernel, "all have come", || ends.borrow().len() == 40);
    let echo = Rc::new(Cell::new(0));
    for outlet in &raw {
        let flights: Vec<u8> =
            (0..3).flat_map(|number| record(HELLO, number, CLIENT.as_bytes())).collect();
        outlet.write(&flights).unwrap();
    }
    let mut before = 0;
    let mut turns = 0;
    let proven = || ends.borrow().iter().filter(|end| end.peer_key().is_some()).count();
    while proven() < 40 {
        let soon = kernel.handle().now() + std::time::Duration::from_millis(20);
        kernel.turn(Wait::Until(soon)).unwrap();
        let steps = total.steps.get();
        assert!(steps - before <= 4, "{} steps in one turn", steps - before);
        before = steps;
        turns += 1;
        assert!(turns < 1_000, "they starve: {} of 40 are done", proven());
        let echo = echo.clone();
        kernel.handle().schedule(move || echo.set(echo.get() + 1));
    }
    assert_eq!(total.steps.get(), 120);
    assert!(echo.get() >= 28, "others have their turns meanwhile: {}", echo.get());
}

/// Newcomers wait for their handshakes, while peers that are inside are served.
#[test]
fn a_flood_of_handshakes_does_not_keep_those_inside_from_talking() {
    let mut kernel = strict_kernel();
    let (dialled, accepted) = streams(&mut kernel, &any_port());
    let logs = [Rc::new(Log::default()), Rc::new(Log::default())];
    let heard = Heard::default();
    let inside = dialled.secure(toy::dialling(&logs[0], 1)).start(|_, _| {});
    let _other = heard.listen_to(accepted.secure(toy::accepting(&logs[1], 1)));
    run_until(&mut kernel, "the proof", || inside.peer_key().is_some());
    let mut strangers = Vec::new();
    for _ in 0..30 {
        let (raw, accepted) = streams(&mut kernel, &any_port());
        let log = Rc::new(Log::default());
        let ends = (raw.start(|_, _: Input<'_>| {}), accepted.secure(toy::accepting(&log, 0)));
        strangers.push((ends.0, ends.1.start(|_, _| {}), log));
    }
    for (raw, _, _) in &strangers {
        raw.write(&record(HELLO, 0, CLIENT.as_bytes())).unwrap();
    }
    inside.write(b"a word").unwrap();
    for _ in 0..5 {
        kernel
            .turn(Wait::Until(kernel.handle().now() + std::time::Duration::from_millis(20)))
            .unwrap();
        if heard.len() > 0 {
            break;
        }
    }
    assert_eq!(heard.text(), "a word", "within a few turns");
    let done = || strangers.iter().all(|(_, end, _)| end.peer_key().is_some());
    run_until(&mut kernel, "the strangers", done);
}
