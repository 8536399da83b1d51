//! Promise: whatever comes instead of a handshake ends its own connection, quietly: no panic, no
//! memory kept, nothing executed, and those who are honest are served meanwhile.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::service::{client, everywhere, get, run_until, secured, serves};
use peers_rpc::kernel::{Outlet, Stream};
use peers_rpc::{Address, Allow, Cont, Kernel};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Connections that have said something, and how many of them have ended.
#[derive(Default)]
struct Crowd {
    held: RefCell<Vec<Outlet>>,
    ended: Cell<usize>,
}

impl Crowd {
    /// One more, which says this.
    fn comes(self: &Rc<Self>, kernel: &Kernel, at: &Address, words: Vec<u8>) {
        let (handle, me) = (kernel.handle(), self.clone());
        let dial = move |stream: std::io::Result<Stream>| {
            let crowd = me.clone();
            let outlet = stream.unwrap().start(|_, _| ());
            outlet.on_closed(move |_| crowd.ended.set(crowd.ended.get() + 1));
            outlet.write(&words).unwrap();
            me.held.borrow_mut().push(outlet);
        };
        handle.connect(&at.without_key(), Cont::new(&handle, dial));
    }
}

/// A record of 16 KiB, of that kind.
fn record(kind: u8) -> Vec<u8> {
    let mut record = vec![kind, 3, 3, 0x40, 0];
    record.resize(5 + (1 << 14), 0x5a);
    record
}

fn garbage() -> Vec<Vec<u8>> {
    vec![
        b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n".to_vec(),
        b"SSH-2.0-OpenSSH_9.9\r\n".to_vec(),
        vec![0; 64],
        vec![0xff; 64],
        (0..=255).collect(),
        b"\x15\x03\x03\x00\x02\x02\x28".to_vec(),
        b"\x14\x03\x03\x00\x01\x01".to_vec(),
        b"\x16\x03\x01\x00\x04\x01\x00\x00\x00".to_vec(),
        b"\x16\x03\x01\x00\x00".to_vec(),
        record(22),
        record(23),
        peers_rpc::wire::PREAMBLE.to_vec(),
    ]
}

#[test]
fn garbage_instead_of_a_hello_ends_quietly() {
    everywhere("garbage", |kernel, at| {
        let (node, service) = serves(kernel, at, Allow::anyone());
        let crowd = Rc::<Crowd>::default();
        let all = garbage();
        for words in &all {
            crowd.comes(kernel, &service.address(), words.clone());
        }
        let honest = secured(kernel, client());
        let endpoint = honest.connect(service.address());
        assert_eq!(get(kernel, &endpoint, "who"), Ok(client().key().to_string()));
        run_until(kernel, "all to be accepted", || {
            node.counters().accepted == all.len() as u64 + 1
        });
        run_until(kernel, "their links to end", || {
            // It counts those that are no endpoints yet as well.
            let links = format!("{node:?}");
            crowd.held.borrow().len() == all.len() && links.contains("endpoints: 1,")
        });
        assert_eq!(node.endpoints().len(), 1);
        assert_eq!(service.node().with(|map| map.calls), 1);
        crowd.held.borrow().iter().for_each(Outlet::close);
        run_until(kernel, "their ends", || crowd.ended.get() == all.len());
        assert_eq!(get(kernel, &endpoint, "who"), Ok(client().key().to_string()));
    });
}
