//! Promise: Unix sockets work as TCP does, and their files are neither left behind nor taken from
//! anybody alive.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{Heard, dialled, echo_server, pair, run_until, socket_path, strict_kernel};
use peers_kernel::Address;
use std::io::ErrorKind;
use std::os::unix::net::UnixListener;
use std::path::Path;

fn unix(path: &Path) -> Address {
    Address::unix(path)
}

#[test]
fn what_is_written_comes_back() {
    let path = socket_path("echo");
    let mut kernel = strict_kernel();
    let server = echo_server(&kernel.handle(), &unix(&path));
    assert_eq!(server.address(), &unix(&path));
    let stream = dialled(&mut kernel, server.address()).unwrap();
    assert_eq!(stream.peer().unwrap(), unix(&path));
    assert_eq!(stream.local().unwrap(), unix(Path::new("")));
    let heard = Heard::default();
    heard.listen_to(stream).write(b"hello").unwrap();
    run_until(&mut kernel, "the echo", || heard.text() == "hello");
}

#[test]
fn a_megabyte_arrives_unchanged() {
    let path = socket_path("megabyte");
    let mut kernel = strict_kernel();
    let (ours, _, _theirs, heard) = pair(&mut kernel, &unix(&path));
    let data: Vec<u8> = (0..1_u32 << 20).map(|index| (index ^ index >> 9) as u8).collect();
    ours.write_chunk(data.clone()).unwrap();
    run_until(&mut kernel, "a megabyte", || heard.len() == data.len());
    assert!(*heard.bytes.borrow() == data);
}

#[test]
fn the_file_goes_with_its_listener() {
    let path = socket_path("gone");
    let kernel = strict_kernel();
    let listener = kernel.handle().listen(&unix(&path), drop).unwrap();
    assert!(path.exists());
    drop(listener);
    assert!(!path.exists());
}

#[test]
fn a_file_that_nobody_answers_on_is_replaced() {
    let path = socket_path("stale");
    drop(UnixListener::bind(&path).unwrap()); // std leaves the file behind
    let mut kernel = strict_kernel();
    let server = echo_server(&kernel.handle(), &unix(&path));
    drop(dialled(&mut kernel, server.address()).unwrap());
}

#[test]
fn a_listener_that_is_alive_keeps_its_address() {
    let path = socket_path("taken");
    let kernel = strict_kernel();
    let first = kernel.handle().listen(&unix(&path), drop).unwrap();
    let error = kernel.handle().listen(&unix(&path), drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(path.exists());
    drop(first);
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    let path = socket_path("precious");
    std::fs::write(&path, "precious").unwrap();
    let kernel = strict_kernel();
    let error = kernel.handle().listen(&unix(&path), drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn the_file_of_a_successor_is_left_alone() {
    let path = socket_path("successor");
    let kernel = strict_kernel();
    let first = kernel.handle().listen(&unix(&path), drop).unwrap();
    std::fs::remove_file(&path).unwrap();
    let second = kernel.handle().listen(&unix(&path), drop).unwrap();
    drop(first);
    assert!(path.exists());
    drop(second);
    assert!(!path.exists());
}

#[test]
fn a_missing_file_and_a_dead_one_are_told_apart() {
    let path = socket_path("dead");
    let mut kernel = strict_kernel();
    assert_eq!(dialled(&mut kernel, &unix(&path)).unwrap_err().kind(), ErrorKind::NotFound);
    drop(UnixListener::bind(&path).unwrap());
    let error = dialled(&mut kernel, &unix(&path)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_full_queue_is_waited_for() {
    let path = socket_path("full");
    let mut kernel = strict_kernel();
    // A listener with room for one connection, and that is taken.
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    socket.bind(&socket2::SockAddr::unix(&path).unwrap()).unwrap();
    socket.listen(0).unwrap();
    let first = dialled(&mut kernel, &unix(&path)).unwrap();
    let second = common::dial(&kernel.handle(), &unix(&path));
    for _ in 0..50 {
        let soon = kernel.handle().now() + std::time::Duration::from_millis(1);
        kernel.turn(peers_kernel::Wait::Until(soon)).unwrap();
    }
    assert!(second.borrow().is_none(), "there is no room yet");
    drop(socket.accept().unwrap());
    run_until(&mut kernel, "the second connection", || second.borrow().is_some());
    assert!(second.take().unwrap().is_ok());
    drop(first);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_private_socket_is_for_its_user_alone_before_anybody_can_come() {
    use std::os::unix::fs::PermissionsExt;
    let path = socket_path("private");
    let kernel = strict_kernel();
    let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    let listener = kernel.handle().listen_privately(&unix(&path), drop).unwrap();
    assert_eq!(mode(), 0o600);
    drop(listener);
    let _listener = kernel.handle().listen(&unix(&path), drop).unwrap();
    assert_ne!(mode() & 0o100, 0, "else it is as the system makes it");
}

#[test]
#[cfg(target_os = "linux")]
fn the_system_says_who_is_at_the_other_end() {
    let path = socket_path("credentials");
    let mut kernel = strict_kernel();
    let (dialled, accepted) = common::streams(&mut kernel, &unix(&path));
    let me = std::fs::metadata("/proc/self").unwrap();
    use std::os::unix::fs::MetadataExt;
    for stream in [&dialled, &accepted] {
        let found = stream.credentials().unwrap();
        assert_eq!((found.uid, found.gid), (me.uid(), me.gid()));
        assert_eq!(found.pid, Some(std::process::id() as i32));
    }
    let (tcp, _other) = common::streams(&mut kernel, &common::any_port());
    assert_eq!(tcp.credentials(), None, "of other connections it says nothing");
}
