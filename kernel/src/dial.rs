//! Dialling: from an address to a connected stream, one candidate after another.
//!
//! Invariants:
//! 1. The continuation ends once: with a stream, with the last candidate's error, or with `TimedOut`.
//! 2. The loop never blocks: names are looked up by a worker, connecting is waited for by readiness.
//! 3. The key reserved for a dial becomes the key of its stream; if there is none, it is given back.

use crate::address::Address;
use crate::cont::Cont;
use crate::engine::Core;
use crate::handle::Handle;
use crate::host::{AnySocket, Key, Readiness, Resolved};
use crate::pipe::Pipe;
use crate::resolve;
use crate::stream::Stream;
use crate::task::Plain;
use crate::timer::TimerId;
use crate::watch::Watch;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

/// How long all candidates of one address may take together, lookup excluded.
const LIMIT: Duration = Duration::from_secs(30);
/// A Unix listener's queue is full: how long until the next attempt, doubling from the first to the last.
const RETRY: Duration = Duration::from_millis(5);
const LAST_RETRY: Duration = Duration::from_millis(500);

impl Handle {
    /// Dials `to`; `k` gets the stream, or why there is none. Literals and `localhost` are tried IPv4 first, names are
    /// looked up by a worker, and the next address is tried when one fails; after 30 seconds it is
    /// [`TimedOut`](ErrorKind::TimedOut).
    #[track_caller]
    pub fn connect(&self, to: &Address, k: Cont<Stream, io::Error>) {
        let born = Location::caller();
        match resolve::at_once(to) {
            Ok(candidates) => Dial::begin(&self.core, born, to, candidates, k),
            Err(_) if self.core.host().real().is_none() => k.err(unsupported(to)),
            Err((host, port)) => {
                let (handle, to) = (self.clone(), to.clone());
                let found = move |found: io::Result<Vec<Resolved>>| match found {
                    Ok(candidates) => Dial::begin(&handle.core, born, &to, candidates, k),
                    Err(error) => k.err(explained(&to, error)),
                };
                self.offload(move |_| resolve::look_up(&host, port), Cont::new(self, found))
            }
        }
    }
}

fn unsupported(to: &Address) -> io::Error {
    let hint = format!("{to} exists only in the real world: use sim: here");
    io::Error::new(ErrorKind::Unsupported, hint)
}

/// Adds whom we dialled, which the system's message lacks; keeps the kind.
fn explained(to: &Address, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot reach {to}: {error}"))
}

struct Dial {
    key: Key,
    to: Address,
    born: &'static Location<'static>,
    candidates: RefCell<VecDeque<Resolved>>,
    /// The attempt under way.
    socket: RefCell<Option<AnySocket>>,
    /// Present until it is decided.
    k: Cell<Option<Cont<Stream, io::Error>>>,
    deadline: Cell<Option<TimerId>>,
    retry: Cell<Duration>,
}

impl Dial {
    fn begin(
        core: &Rc<Core>,
        born: &'static Location<'static>,
        to: &Address,
        candidates: Vec<Resolved>,
        k: Cont<Stream, io::Error>,
    ) {
        let dial = Rc::new(Self {
            key: core.reserve(),
            to: to.clone(),
            born,
            candidates: RefCell::new(candidates.into()),
            socket: RefCell::default(),
            k: Cell::new(Some(k)),
            deadline: Cell::default(),
            retry: Cell::new(RETRY),
        });
        core.fill(dial.key, dial.clone());
        let late = dial.clone();
        let give_up = move |core: &Rc<Core>| late.decide(core, Err(ErrorKind::TimedOut.into()));
        dial.deadline.set(Some(core.at(core.now() + LIMIT, Plain::boxed(born, give_up))));
        dial.attempt(core, ErrorKind::NotFound.into());
    }

    /// Tries the next candidate; without one, `last` is the outcome.
    fn attempt(self: &Rc<Self>, core: &Rc<Core>, mut last: io::Error) {
        drop(self.socket.take());
        loop {
            let next = self.candidates.borrow_mut().pop_front();
            let Some(next) = next else { return self.decide(core, Err(last)) };
            match core.host().connect(self.key, &next) {
                Ok(socket) => return drop(self.socket.replace(Some(socket))),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return self.attempt_later(core, next);
                }
                Err(error) => last = error,
            }
        }
    }

    /// The system has no room for the attempt just now, as happens when a Unix listener's queue is full.
    fn attempt_later(self: &Rc<Self>, core: &Rc<Core>, candidate: Resolved) {
        self.candidates.borrow_mut().push_front(candidate);
        let wait = self.retry.get();
        self.retry.set((wait * 2).min(LAST_RETRY));
        let dial = self.clone();
        let again = move |core: &Rc<Core>| dial.attempt(core, ErrorKind::WouldBlock.into());
        core.at(core.now() + wait, Plain::boxed(self.born, again));
    }

    fn decide(&self, core: &Rc<Core>, outcome: io::Result<AnySocket>) {
        let Some(k) = self.k.take() else { return };
        if let Some(deadline) = self.deadline.take() {
            core.cancel(deadline);
        }
        match outcome.and_then(|socket| Pipe::open(core, self.key, socket)) {
            Ok(pipe) => k.ok(Stream::new(pipe)),
            Err(error) => {
                drop(self.socket.take());
                self.candidates.borrow_mut().clear();
                core.unregister(self.key);
                k.err(explained(&self.to, error))
            }
        }
    }
}

impl Watch for Dial {
    fn ready(self: Rc<Self>, core: &Rc<Core>, _: Readiness) {
        let outcome = match &*self.socket.borrow() {
            Some(socket) => socket.connected(),
            None => return,
        };
        match outcome {
            Ok(()) => {
                let socket = self.socket.take().ok_or_else(|| ErrorKind::NotConnected.into());
                self.decide(core, socket)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => self.attempt(core, error),
        }
    }

    fn flush(self: Rc<Self>, _: &Rc<Core>) {}

    fn describe(&self) -> String {
        format!("dialling {}", self.to)
    }
}
