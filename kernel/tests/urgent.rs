//! Promise: TCP's urgent bytes, which hardly anybody uses, do no harm: they neither keep the loop
//! awake nor end anything.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Heard, any_port, run_until, socket_addr, strict_kernel, turns_in};
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

#[test]
fn an_urgent_byte_alone_lets_the_loop_sleep() {
    let mut kernel = strict_kernel();
    let heard = Heard::default();
    let hearing = heard.clone();
    let serve = move |stream| drop(hearing.listen_to(stream));
    let listener = kernel.handle().listen(&any_port(), serve).unwrap();
    let mut peer = TcpStream::connect(socket_addr(listener.address())).unwrap();
    peer.write_all(b"before").unwrap();
    run_until(&mut kernel, "a connection", || heard.text() == "before");
    socket2::SockRef::from(&peer).send_out_of_band(b"!").unwrap();
    let turns = turns_in(&mut kernel, Duration::from_millis(100));
    assert!(turns < 20, "{turns} turns while nothing happened");
    peer.write_all(b" and after").unwrap();
    run_until(&mut kernel, "the rest", || heard.text() == "before and after");
}
