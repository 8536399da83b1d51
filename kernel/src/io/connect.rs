//! Dialling: from an address to a connected stream, over whichever of its addresses answers first.
//!
//! The first address is tried at once, the next one [`STAGGER`] after it or as soon as one fails,
//! and so on; the first that connects wins. So an address that swallows everything costs a quarter
//! of a second and not the whole patience. Invariants:
//! 1. The continuation ends once: with a stream, or with an error that says what each address did.
//!    Kept by `when_all_fail_the_error_says_what_each_did`.
//! 2. The loop never blocks: names are looked up on other threads, connecting is waited for by
//!    readiness. Kept by `names_are_looked_up_off_the_loop`.
//! 3. The key reserved for an attempt becomes the key of its stream if it wins; otherwise socket
//!    and key are given back before the continuation is resumed. Kept by
//!    `the_first_that_connects_wins_and_the_others_are_closed`.
//! 4. An attempt is in `under_way` iff its key is registered and nothing is decided. Kept by
//!    `a_dial_that_has_ended_leaves_no_timer`.

use crate::core::Core;
use crate::core::cause::Cause;
use crate::core::cont::Cont;
use crate::core::handle::Handle;
use crate::core::sources::Watch;
use crate::core::task::Plain;
use crate::core::timers::TimerId;
use crate::host::AnySocket;
use crate::host::ready::{Key, Readiness, Resolved};
use crate::io::address::Address;
use crate::io::pipe::Pipe;
use crate::io::resolve;
use crate::io::stream::Stream;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

/// The time that all addresses may take together unless the caller says otherwise, look-up
/// excluded.
const LIMIT: Duration = Duration::from_secs(30);
/// The time that one address has before the next is tried as well.
const STAGGER: Duration = Duration::from_millis(250);
/// A Unix listener's queue is full: how long until the next attempt, doubling from the first to the
/// last.
const RETRY: Duration = Duration::from_millis(5);
const LAST_RETRY: Duration = Duration::from_millis(500);

impl Handle {
    /// Dials `to`; `k` gets the stream, or why there is none. Literals and `localhost` need no
    /// look-up. A name is looked up on another thread, for 5 seconds at most. Its addresses are
    /// tried families alternating, IPv4 first: the next one 250 ms after the last, or when one
    /// fails; the first that connects wins. After 30 seconds it is
    /// [`TimedOut`](ErrorKind::TimedOut). The error names what did not answer, refused, or could
    /// not be looked up. An address with a key is [`Unsupported`](ErrorKind::Unsupported): who is
    /// there is proven by a secure layer.
    #[track_caller]
    pub fn connect(&self, to: &Address, k: Cont<Stream, io::Error>) {
        self.connect_within(to, LIMIT, k)
    }

    /// Dials as [`connect`](Self::connect) does, but connecting takes `within` at most; zero is
    /// without a limit.
    #[track_caller]
    pub fn connect_within(&self, to: &Address, within: Duration, k: Cont<Stream, io::Error>) {
        let (core, born) = (&self.core, Location::caller());
        if let Err(error) = to.without_proof() {
            return k.err(unreached(to, error.kind(), &error.to_string()));
        }
        let request = DialRequest { to: to.clone(), born, within, k };
        match resolve::at_once(to) {
            Ok(found) => match &found[..] {
                [Resolved::Sim(name)] if core.host().simulated_name(name).is_some() => {
                    let then = move |core: &Rc<Core>, found| request.found(core, found, 0);
                    core.lookups.ask(core, name, then)
                }
                _ => request.dial(core, found),
            },
            Err(_) if !core.is_open() => drop(request),
            Err(_) if core.host().selector().is_none() => {
                let hint = "it exists only in the real world: use sim: here".to_owned();
                request.found(core, Err((ErrorKind::Unsupported, hint)), 0)
            }
            Err((host, port)) => {
                let then = move |core: &Rc<Core>, found| request.found(core, found, port);
                core.lookups.ask(core, &host, then)
            }
        }
    }
}

/// A dial as it was asked for.
struct DialRequest {
    to: Address,
    born: &'static Location<'static>,
    within: Duration,
    k: Cont<Stream, io::Error>,
}

impl DialRequest {
    /// Goes on when its look-up has ended.
    fn found(self, core: &Rc<Core>, found: crate::host::names::LookUpResult, port: u16) {
        match found {
            Ok(found) => {
                let places = found.into_iter().map(|place| resolve::with_port(place, port));
                self.dial(core, places.collect())
            }
            Err((kind, text)) => self.k.err(unreached(&self.to, kind, &text)),
        }
    }

    fn dial(self, core: &Rc<Core>, places: Vec<Resolved>) {
        let Self { to, born, within, k } = self;
        let dial = Rc::new(Dial {
            to,
            born,
            within,
            places: RefCell::new(places.into()),
            under_way: RefCell::default(),
            failures: RefCell::default(),
            k: Cell::new(Some(k)),
            deadline: Cell::default(),
            next: Cell::default(),
        });
        if !within.is_zero() {
            let late = dial.clone();
            dial.deadline.set(Some(dial.after(core, within, move |core| late.give_up(core))));
        }
        dial.proceed(core);
    }
}

/// Says whom we dialled, which the system's message lacks.
fn unreached(to: &Address, kind: ErrorKind, text: &str) -> io::Error {
    io::Error::new(kind, format!("cannot reach {to}: {text}"))
}

struct Dial {
    to: Address,
    born: &'static Location<'static>,
    within: Duration,
    /// Holds those not tried yet.
    places: RefCell<VecDeque<Resolved>>,
    under_way: RefCell<Vec<Rc<Attempt>>>,
    failures: RefCell<Vec<(Resolved, io::Error)>>,
    /// `Some` until it is decided.
    k: Cell<Option<Cont<Stream, io::Error>>>,
    deadline: Cell<Option<TimerId>>,
    /// Says when the next address is tried.
    next: Cell<Option<TimerId>>,
}

/// One address being tried.
struct Attempt {
    dial: Rc<Dial>,
    place: Resolved,
    key: Key,
    /// `None` while the system has no room for it, and once it is decided.
    socket: RefCell<Option<AnySocket>>,
    retry: Cell<Duration>,
}

impl Dial {
    /// Runs `f` after a while on behalf of nobody: whoever dials may be cancelled, the dial is not.
    fn after(
        &self,
        core: &Rc<Core>,
        wait: Duration,
        f: impl FnOnce(&Rc<Core>) + 'static,
    ) -> TimerId {
        let task = Plain::boxed(self.born, f);
        core.with_cause(Cause::NONE, || core.at(core.now() + wait, task))
    }

    /// Tries the next address, and arranges for the one after it. Without any, and with none under
    /// way, it has failed.
    fn proceed(self: &Rc<Self>, core: &Rc<Core>) {
        if let Some(next) = self.next.take() {
            core.cancel(next);
        }
        loop {
            let next = self.places.borrow_mut().pop_front();
            let Some(place) = next else { break };
            if self.attempt(core, place) {
                break;
            }
        }
        if !self.places.borrow().is_empty() {
            let dial = self.clone();
            self.next.set(Some(self.after(core, STAGGER, move |core| dial.proceed(core))));
        } else if self.under_way.borrow().is_empty() {
            self.give_up(core)
        }
    }

    /// Returns whether the attempt has begun; otherwise it has failed at once.
    fn attempt(self: &Rc<Self>, core: &Rc<Core>, place: Resolved) -> bool {
        let (key, dial) = (core.reserve(), self.clone());
        let (socket, retry) = (RefCell::default(), Cell::new(RETRY));
        let attempt = Rc::new(Attempt { dial, place, key, socket, retry });
        core.fill(key, attempt.clone());
        self.under_way.borrow_mut().push(attempt.clone());
        match attempt.begin(core) {
            Ok(()) => true,
            Err(error) => {
                self.note_failure(core, &attempt, error);
                false
            }
        }
    }

    /// Forgets an attempt that has failed.
    fn note_failure(&self, core: &Rc<Core>, attempt: &Rc<Attempt>, error: io::Error) {
        self.under_way.borrow_mut().retain(|other| other.key != attempt.key);
        attempt.give_back(core);
        self.failures.borrow_mut().push((attempt.place.clone(), error));
    }

    /// Ends a dial that has nothing left to try, or no time: whoever is still silent has not
    /// answered.
    fn give_up(&self, core: &Rc<Core>) {
        let mut outcomes: Vec<_> =
            self.failures.take().into_iter().map(|(place, error)| (place, Some(error))).collect();
        outcomes.extend(self.under_way.borrow().iter().map(|one| (one.place.clone(), None)));
        let (kind, text) = explain(&outcomes, self.within);
        self.decide(core, Err(unreached(&self.to, kind, &text)))
    }

    /// Ends it. Attempts that are still under way are given up first.
    fn decide(&self, core: &Rc<Core>, outcome: io::Result<(Key, AnySocket)>) {
        // Another attempt has decided it before.
        let Some(k) = self.k.take() else { return };
        for timer in [self.deadline.take(), self.next.take()].into_iter().flatten() {
            core.cancel(timer);
        }
        self.places.take();
        // Before the continuation is resumed, which may dial at once and needs their descriptors.
        for loser in self.under_way.take() {
            loser.give_back(core);
        }
        debug_assert!(self.places.borrow().is_empty(), "a dial that is decided tries no more");
        match outcome {
            Err(error) => k.err(error),
            Ok((key, socket)) => match Pipe::open(core, key, socket) {
                Ok(pipe) => k.ok(Stream::new(pipe)),
                Err(error) => {
                    core.unregister(key);
                    k.err(unreached(&self.to, error.kind(), &error.to_string()))
                }
            },
        }
    }
}

impl Attempt {
    /// Asks the system to connect.
    fn begin(self: &Rc<Self>, core: &Rc<Core>) -> io::Result<()> {
        match core.host().connect(self.key, &self.place) {
            Ok(socket) => drop(self.socket.replace(Some(socket))),
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.begin_later(core),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Tries again later: the system has no room for it just now, as happens when a Unix listener's
    /// queue is full.
    fn begin_later(self: &Rc<Self>, core: &Rc<Core>) {
        let wait = self.retry.get();
        self.retry.set((wait * 2).min(LAST_RETRY));
        let attempt = self.clone();
        self.dial.after(core, wait, move |core| {
            let is_under_way = |one: &Rc<Self>| Rc::ptr_eq(one, &attempt);
            // The dial was decided while it waited.
            if !attempt.dial.under_way.borrow().iter().any(is_under_way) {
                return;
            }
            if let Err(error) = attempt.begin(core) {
                attempt.dial.note_failure(core, &attempt, error);
                attempt.dial.proceed(core);
            }
        });
    }

    /// Gives socket and key back.
    fn give_back(&self, core: &Rc<Core>) {
        drop(self.socket.take());
        core.unregister(self.key);
    }
}

impl Watch for Attempt {
    fn ready(self: Rc<Self>, core: &Rc<Core>, _: Readiness) {
        let outcome = match &*self.socket.borrow() {
            Some(socket) => socket.connected(),
            None => return,
        };
        match outcome {
            Ok(()) => {
                let Some(socket) = self.socket.take() else { return };
                self.dial.under_way.borrow_mut().retain(|other| other.key != self.key);
                self.dial.decide(core, Ok((self.key, socket)))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => {
                self.dial.note_failure(core, &self, error);
                self.dial.proceed(core)
            }
        }
    }

    fn flush(self: Rc<Self>, _: &Rc<Core>) {}

    fn end(&self) {
        // Attempts and their dial hold each other.
        drop((self.dial.k.take(), self.dial.under_way.take()));
    }

    fn describe(&self) -> String {
        let (to, place) = (&self.dial.to, Address::from_resolved(self.place.clone()));
        if *to == place { format!("dialling {to}") } else { format!("dialling {to} at {place}") }
    }
}

/// Returns the kind of error and the text that say what each address did: an error, or nothing in
/// all the time there was.
fn explain(outcomes: &[(Resolved, Option<io::Error>)], within: Duration) -> (ErrorKind, String) {
    let kind =
        |error: &Option<io::Error>| error.as_ref().map_or(ErrorKind::TimedOut, io::Error::kind);
    let kinds: Vec<ErrorKind> = outcomes.iter().map(|(_, error)| kind(error)).collect();
    let place = |place: &Resolved| match place {
        Resolved::Inet(socket) => socket.to_string(),
        other => Address::from_resolved(other.clone()).to_string(),
    };
    let texts = outcomes.iter().map(|(_, error)| error.as_ref().map(ToString::to_string));
    let mut texts: Vec<Option<String>> = texts.collect();
    texts.dedup();
    let text = match &texts[..] {
        [] => "there is no address to try".to_owned(),
        [Some(text)] => text.clone(),
        [None] => {
            let silent: Vec<String> = outcomes.iter().map(|(at, _)| place(at)).collect();
            format!("nothing answers at {} within {within:?}", silent.join(" and "))
        }
        _ => {
            let all = outcomes.iter().map(|(at, error)| match error {
                Some(error) => format!("{}: {error}", place(at)),
                None => format!("nothing answers at {} within {within:?}", place(at)),
            });
            all.collect::<Vec<_>>().join("; ")
        }
    };
    let first = kinds.first().copied().unwrap_or(ErrorKind::NotFound);
    let kind = match kinds.iter().all(|kind| *kind == first) {
        true => first,
        false if kinds.contains(&ErrorKind::TimedOut) => ErrorKind::TimedOut,
        false => kinds.last().copied().unwrap_or(first),
    };
    (kind, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inet(text: &str) -> Resolved {
        Resolved::Inet(text.parse().unwrap())
    }

    fn said(outcomes: &[(&str, Option<ErrorKind>)]) -> (ErrorKind, String) {
        let outcomes: Vec<_> =
            outcomes.iter().map(|(at, kind)| (inet(at), kind.map(io::Error::from))).collect();
        explain(&outcomes, Duration::from_secs(8))
    }

    #[test]
    fn what_all_addresses_did_alike_is_said_once() {
        let refused = Some(ErrorKind::ConnectionRefused);
        assert_eq!(
            said(&[("127.0.0.1:1", refused), ("[::1]:1", refused)]),
            (ErrorKind::ConnectionRefused, "connection refused".to_owned())
        );
        assert_eq!(
            said(&[("127.0.0.1:1", None), ("[::1]:1", None)]),
            (
                ErrorKind::TimedOut,
                "nothing answers at 127.0.0.1:1 and [::1]:1 within 8s".to_owned()
            )
        );
    }

    #[test]
    fn each_address_is_named_with_what_it_did() {
        assert_eq!(
            said(&[("[::1]:1", Some(ErrorKind::ConnectionRefused)), ("10.0.0.1:1", None)]),
            (
                ErrorKind::TimedOut,
                "[::1]:1: connection refused; nothing answers at 10.0.0.1:1 within 8s".to_owned()
            )
        );
    }
}
