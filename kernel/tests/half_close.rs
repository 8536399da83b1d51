//! Promise: either side may end its half alone, and what is owed is still sent.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Heard, any_port, dialled, pair, run_until, socket_addr, strict_kernel, turns_in};
use peers_kernel::{Input, Stream, Wait};
use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

#[test]
fn finish_ends_one_half_and_the_other_still_carries() {
    let mut kernel = strict_kernel();
    let (ours, heard, theirs, they_heard) = pair(&mut kernel, &any_port());
    ours.write(b"a question").unwrap();
    ours.finish();
    assert!(!ours.is_open());
    run_until(&mut kernel, "the end", || they_heard.ended.get());
    assert_eq!(they_heard.text(), "a question");
    theirs.write(b"an answer").unwrap();
    theirs.finish();
    run_until(&mut kernel, "the other end", || heard.ended.get());
    assert_eq!(heard.text(), "an answer");
    run_until(&mut kernel, "both to be gone", || kernel_is_empty(&ours, &theirs));
}

fn kernel_is_empty(ours: &peers_kernel::Outlet, theirs: &peers_kernel::Outlet) -> bool {
    ours.written() == 0 && theirs.written() == 0
}

#[test]
fn output_pending_at_the_peers_end_is_sent_before_closing() {
    let mut kernel = strict_kernel();
    let serve = |stream: Stream| {
        let asked = RefCell::new(0);
        stream.start(move |outlet, input| match input {
            Input::Bytes(bytes) => *asked.borrow_mut() += bytes.len(),
            // No outlet is kept, so the connection closes by itself after this.
            Input::End => (0..*asked.borrow()).for_each(|_| outlet.write(b"answer ").unwrap()),
            Input::Failed(error) => panic!("{error}"),
        });
    };
    let listener = kernel.handle().listen(&any_port(), serve).unwrap();
    let mut peer = TcpStream::connect(socket_addr(listener.address())).unwrap();
    peer.write_all(&[b'?'; 100]).unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    let reader = std::thread::spawn(move || {
        peer.set_read_timeout(Some(common::DEADLINE)).unwrap();
        let mut answers = String::new();
        peer.read_to_string(&mut answers).map(|_| answers)
    });
    run_until(&mut kernel, "the peer to hear everything", || reader.is_finished());
    assert_eq!(reader.join().unwrap().unwrap(), "answer ".repeat(100));
}

#[test]
fn an_outlet_that_is_kept_keeps_the_writing_half() {
    let mut kernel = strict_kernel();
    let (ours, heard, theirs, they_heard) = pair(&mut kernel, &any_port());
    ours.finish();
    run_until(&mut kernel, "the end", || they_heard.ended.get());
    for _ in 0..20 {
        kernel.turn(Wait::No).unwrap();
    }
    let kept = theirs.clone();
    drop(theirs);
    assert!(!heard.is_over());
    kept.write(b"late").unwrap();
    drop(kept); // nobody can write any more: what is buffered is sent, and then the end
    run_until(&mut kernel, "the end", || heard.ended.get());
    assert_eq!(heard.text(), "late");
}

#[test]
fn a_half_closed_connection_costs_no_turns() {
    let mut kernel = strict_kernel();
    let (ours, _, theirs, they_heard) = pair(&mut kernel, &any_port());
    ours.finish();
    run_until(&mut kernel, "the end", || they_heard.ended.get());
    // The end of a stream stays readable. If it were still waited for, these turns would return at
    // once.
    let turns = turns_in(&mut kernel, Duration::from_millis(50));
    assert!(turns < 20, "{turns} turns while nothing happened");
    drop((ours, theirs));
}

#[test]
fn bytes_that_arrive_after_close_cause_no_reset() {
    let mut kernel = strict_kernel();
    let serve = |stream: Stream| {
        stream.start(|outlet, _| {
            outlet.write(b"goodbye").unwrap();
            outlet.close();
        });
    };
    let listener = kernel.handle().listen(&any_port(), serve).unwrap();
    let heard = Heard::default();
    let outlet = heard.listen_to(dialled(&mut kernel, listener.address()).unwrap());
    // More than one read's worth: most of it is unread when the other side closes, which would
    // reset a careless one.
    outlet.write_chunk(vec![0; 500_000]).unwrap();
    run_until(&mut kernel, "the goodbye", || heard.is_over());
    assert_eq!((heard.text().as_str(), heard.ended.get()), ("goodbye", true));
}
