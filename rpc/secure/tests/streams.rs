//! Promise: a connection with a secure layer carries what is written and nothing else, in a
//! simulated world and on real sockets.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

mod common;

use common::identity;
use peers_rpc::kernel::{Input, Listen, Outlet, PublicKey, Stream, Wait};
use peers_rpc::{Address, Cont, Kernel, SecureTransport as _, SecurityError};
use peers_secure::Identity;
use std::cell::{Cell, RefCell};
use std::io;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

/// Real time that a busy machine may need, and more virtual time than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// One end of a connection: whom it lets in, and what it heard.
#[derive(Default)]
struct Admitted {
    heard: RefCell<Vec<u8>>,
    ended: Cell<bool>,
    failed: RefCell<Option<io::Error>>,
    turned_away: Cell<bool>,
    refuses: Cell<bool>,
}

impl Listen for Admitted {
    fn hear(self: Rc<Self>, _: &Outlet, input: Input<'_>) -> bool {
        match input {
            Input::Bytes(bytes) => self.heard.borrow_mut().extend_from_slice(bytes),
            Input::End => self.ended.set(true),
            Input::Failed(error) => *self.failed.borrow_mut() = Some(error),
        }
        true
    }

    fn proven(self: Rc<Self>, _: &Outlet, _: PublicKey) -> bool {
        self.turned_away.set(self.refuses.get());
        !self.refuses.get()
    }

    fn born(&self) -> &'static Location<'static> {
        Location::caller()
    }
}

impl Admitted {
    fn security(&self) -> Option<SecurityError> {
        self.failed.borrow().as_ref().and_then(SecurityError::of).cloned()
    }

    fn is_over(&self) -> bool {
        self.ended.get() || self.failed.borrow().is_some()
    }
}

fn run_until(kernel: &mut Kernel, what: &str, done: impl Fn() -> bool) {
    let end = kernel.handle().now() + PATIENCE;
    while !done() {
        let soon = kernel.handle().now() + Duration::from_millis(2);
        kernel.turn(Wait::Until(soon)).unwrap();
        assert!(kernel.handle().now() < end, "never came: {what}");
    }
}

/// Over TCP, over a Unix socket where there are such, and simulated.
fn everywhere(name: &str, test: impl Fn(&mut Kernel, &Address)) {
    let mut all = vec![
        (Kernel::simulated(7), Address::sim(name)),
        (Kernel::new().unwrap(), "inet:127.0.0.1:0".parse().unwrap()),
    ];
    let path = std::env::temp_dir().join(format!("peers-secure-{}-{name}", std::process::id()));
    if cfg!(unix) {
        all.push((Kernel::new().unwrap(), Address::unix(path)));
    }
    for (mut kernel, at) in all {
        kernel.set_strict(true);
        test(&mut kernel, &at);
    }
}

/// Both ends of a new connection: the dialled one first.
fn streams(kernel: &mut Kernel, at: &Address) -> (Stream, Stream) {
    let (handle, accepted) = (kernel.handle(), Rc::new(RefCell::new(None)));
    let slot = accepted.clone();
    let listener = handle.listen(at, move |stream| *slot.borrow_mut() = Some(stream)).unwrap();
    let dialled = Rc::new(RefCell::new(None));
    let slot = dialled.clone();
    handle.connect(
        listener.address(),
        Cont::new(&handle, move |came| *slot.borrow_mut() = Some(came)),
    );
    run_until(kernel, "a connection", || accepted.borrow().is_some() && dialled.borrow().is_some());
    (dialled.take().unwrap().unwrap(), accepted.take().unwrap())
}

struct Pair {
    ours: Outlet,
    client: Rc<Admitted>,
    theirs: Outlet,
    server: Rc<Admitted>,
}

/// Two ends that prove their keys to each other; the dialler expects `expected`.
fn sealed(
    kernel: &mut Kernel,
    at: &Address,
    [me, other]: [&Identity; 2],
    expected: PublicKey,
) -> Pair {
    let (dialled, accepted) = streams(kernel, at);
    let handle = kernel.handle();
    let dialled = dialled.secure(me.dial(expected, handle.fresh_rng().unwrap()));
    let accepted = accepted.secure(other.accept(handle.fresh_rng().unwrap()));
    let (client, server) = (Rc::<Admitted>::default(), Rc::<Admitted>::default());
    let (ours, theirs) = (dialled.start_for(client.clone()), accepted.start_for(server.clone()));
    Pair { ours, client, theirs, server }
}

/// Says all of `text`, as there is room for it.
fn say(kernel: &mut Kernel, outlets: [&Outlet; 2], text: &[u8], heard: [&Admitted; 2]) {
    for part in text.chunks(100_000) {
        let before = heard.map(|door| door.heard.borrow().len());
        outlets.iter().for_each(|outlet| outlet.write(part).unwrap());
        run_until(kernel, "what was said", || {
            let now = heard.map(|door| door.heard.borrow().len());
            now[0] == before[0] + part.len() && now[1] == before[1] + part.len()
        });
    }
}

#[test]
fn what_is_written_arrives_and_a_goodbye_is_one() {
    everywhere("talk", |kernel, at| {
        let (me, other) = (identity(1), identity(2));
        let Pair { ours, client, theirs, server } = sealed(kernel, at, [&me, &other], other.key());
        ours.write(b"before the proof").unwrap();
        run_until(kernel, "the first words", || server.heard.borrow().len() == 16);
        assert_eq!((ours.peer_key(), theirs.peer_key()), (Some(other.key()), Some(me.key())));
        let text: Vec<u8> = (0..1_000_000_u32).map(|at| (at % 251) as u8).collect();
        theirs.write(&[b'.'; 16]).unwrap();
        run_until(kernel, "the first answer", || client.heard.borrow().len() == 16);
        say(kernel, [&ours, &theirs], &text, [&client, &server]);
        assert!(client.heard.borrow()[16..] == text && server.heard.borrow()[16..] == text);
        ours.close();
        run_until(kernel, "the end", || server.is_over());
        assert!(server.ended.get(), "{:?}", server.failed.borrow());
    });
}

#[test]
fn keys_change_on_the_way_in_both_directions_at_once() {
    everywhere("keys", |kernel, at| {
        let (me, other) = (identity(1).next_key_after(3), identity(2).next_key_after(2));
        let pair = sealed(kernel, at, [&me, &other], other.key());
        let text: Vec<u8> = (0..600_000_u32).map(|at| (at % 253) as u8).collect();
        say(kernel, [&pair.ours, &pair.theirs], &text, [&pair.client, &pair.server]);
        assert!(*pair.client.heard.borrow() == text && *pair.server.heard.borrow() == text);
    });
}

#[test]
fn the_right_address_with_another_key_gets_nothing() {
    everywhere("wrong", |kernel, at| {
        let (me, other, expected) = (identity(1), identity(3), identity(2).key());
        let pair = sealed(kernel, at, [&me, &other], expected);
        pair.ours.write(b"a secret request").unwrap();
        run_until(kernel, "both ends", || pair.client.is_over() && pair.server.is_over());
        let wrong = SecurityError::WrongPeer { expected, found: other.key() };
        assert_eq!(pair.client.security(), Some(wrong));
        assert!(pair.server.heard.borrow().is_empty() && pair.theirs.peer_key().is_none());
    });
}

#[test]
fn who_is_not_admitted_is_told_so() {
    everywhere("stranger", |kernel, at| {
        let (me, other) = (identity(1), identity(2));
        let pair = sealed(kernel, at, [&me, &other], other.key());
        pair.server.refuses.set(true);
        pair.ours.write(b"a request").unwrap();
        run_until(kernel, "the answer", || pair.client.is_over());
        assert_eq!(pair.client.security(), Some(SecurityError::NotAdmitted { ours: me.key() }));
        assert!(pair.server.turned_away.get() && pair.server.heard.borrow().is_empty());
    });
}

/// A hello in clear text begins so.
const PLAIN: &[u8] = b"\x89PEERS\r\n";

#[test]
fn clear_text_and_secure_connections_notice_each_other() {
    everywhere("plain", |kernel, at| {
        let (me, other) = (identity(1), identity(2));
        for dialler_is_plain in [true, false] {
            let (dialled, accepted) = streams(kernel, at);
            let rng = kernel.handle().fresh_rng().unwrap();
            let (plain, covered) = if dialler_is_plain {
                (dialled, accepted.secure(other.accept(rng)))
            } else {
                (accepted, dialled.secure(me.dial(other.key(), rng)))
            };
            let (clear, sealed) = (Rc::<Admitted>::default(), Rc::<Admitted>::default());
            let (outlet, _covered) =
                (plain.start_for(clear.clone()), covered.start_for(sealed.clone()));
            outlet.write(PLAIN).unwrap();
            let before = kernel.handle().now();
            run_until(kernel, "the error", || sealed.is_over());
            assert_eq!(sealed.security(), Some(SecurityError::PlainPeer));
            assert!(kernel.handle().now() - before < PATIENCE / 2, "no time-out was needed");
            run_until(kernel, "the alert", || clear.is_over());
            let said = clear.heard.borrow().clone();
            assert!(said.ends_with(&[21, 3, 3, 0, 2, 2, 50]), "{said:?}");
        }
    });
}

#[test]
fn an_end_without_a_last_record_is_a_cut() {
    everywhere("cut", |kernel, at| {
        let (me, other) = (identity(1), identity(2));
        let pair = sealed(kernel, at, [&me, &other], other.key());
        pair.ours.write(b"some words").unwrap();
        run_until(kernel, "words", || pair.server.heard.borrow().len() == 10);
        pair.ours.abort();
        run_until(kernel, "the end", || pair.server.is_over());
        let failed = pair.server.failed.borrow();
        let kind = failed.as_ref().map(io::Error::kind);
        let cut = [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset];
        assert!(kind.is_some_and(|kind| cut.contains(&kind)), "{failed:?}");
        assert!(!pair.server.ended.get());
    });
}
