//! Promise: a descriptor of one's own is waited for once per arming, and never after it is dropped.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::{run_until, strict_kernel};
use peers_kernel::{Handle, Kernel, Source, Wait};
use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, PipeReader, Read, Write};
use std::net::UdpSocket;
use std::rc::Rc;

fn counter() -> (Rc<Cell<u32>>, impl Fn() + Clone) {
    let count = Rc::new(Cell::new(0));
    let counted = count.clone();
    (count, move || counted.set(counted.get() + 1))
}

#[test]
fn an_armed_task_runs_once_and_waits_until_there_is_something() {
    let mut kernel = strict_kernel();
    let (reader, mut writer) = std::io::pipe().unwrap();
    let source = kernel.handle().source(reader).unwrap();
    let (count, task) = counter();
    source.readable(task.clone()).unwrap();
    kernel.turn(Wait::No).unwrap();
    assert_eq!(count.get(), 0);
    writer.write_all(b"ab").unwrap();
    run_until(&mut kernel, "readiness", || count.get() == 1);
    for _ in 0..10 {
        kernel.turn(Wait::No).unwrap();
    }
    assert_eq!(count.get(), 1, "there is more, but nobody asked");
    source.readable(task).unwrap();
    run_until(&mut kernel, "readiness", || count.get() == 2);
}

#[test]
fn a_pipe_is_read_to_its_end() {
    fn read_on(handle: &Handle, source: &Rc<Source<PipeReader>>, text: &Rc<RefCell<String>>) {
        let (next, handle, text) = (source.clone(), handle.clone(), text.clone());
        let read = move || {
            let mut bytes = [0; 3];
            let count = (&**next).read(&mut bytes).unwrap();
            text.borrow_mut().push_str(std::str::from_utf8(&bytes[..count]).unwrap());
            if count > 0 {
                read_on(&handle, &next, &text)
            }
        };
        source.readable(read).unwrap();
    }
    let mut kernel = strict_kernel();
    let (reader, mut writer) = std::io::pipe().unwrap();
    let source = Rc::new(kernel.handle().source(reader).unwrap());
    let text = Rc::new(RefCell::new(String::new()));
    read_on(&kernel.handle(), &source, &text);
    drop(source);
    writer.write_all(b"arrakis").unwrap();
    drop(writer);
    kernel.run().unwrap(); // ends, since the last task lets its source go
    assert_eq!(*text.borrow(), "arrakis");
}

#[test]
fn both_directions_of_a_datagram_socket_can_be_waited_for() {
    let mut kernel = strict_kernel();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(socket.local_addr().unwrap()).unwrap();
    let source = kernel.handle().source(socket).unwrap();
    let ((read, readable), (written, writable)) = (counter(), counter());
    source.readable(readable).unwrap();
    source.writable(writable).unwrap();
    run_until(&mut kernel, "room to write", || written.get() == 1);
    assert_eq!(read.get(), 0);
    source.send(b"to myself").unwrap();
    run_until(&mut kernel, "a datagram", || read.get() == 1);
    let mut bytes = [0; 20];
    assert_eq!(source.recv(&mut bytes).unwrap(), 9);
}

#[test]
fn arming_again_replaces_and_dropping_disarms() {
    let mut kernel = strict_kernel();
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"x").unwrap();
    let source = kernel.handle().source(reader).unwrap();
    let ((first, one), (second, two)) = (counter(), counter());
    source.readable(one).unwrap();
    source.readable(two.clone()).unwrap();
    run_until(&mut kernel, "readiness", || second.get() == 1);
    assert_eq!(first.get(), 0);
    source.readable(two).unwrap();
    drop(source);
    kernel.run().unwrap();
    assert_eq!((second.get(), Rc::strong_count(&second)), (1, 1));
}

#[test]
fn a_regular_file_is_refused_when_it_is_waited_for() {
    let kernel = strict_kernel();
    let file = std::fs::File::open("/dev/null").unwrap();
    let source = kernel.handle().source(file).unwrap();
    assert_eq!(source.readable(|| ()).unwrap_err().kind(), ErrorKind::PermissionDenied);
}

#[test]
fn a_simulated_world_has_none() {
    let (reader, _writer) = std::io::pipe().unwrap();
    let error = Kernel::simulated(1).handle().source(reader).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}
