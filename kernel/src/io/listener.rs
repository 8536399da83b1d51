//! Listening: accepts connections as fast as the loop allows, and survives what the system throws
//! at it.
//!
//! Invariants:
//! 1. No error of one connection, and no lack of resources, ends a listener. Kept by
//!    `connections_that_die_in_the_queue_do_no_harm`.
//! 2. While the system has no resources left, accepting rests: it never spins, and says so once.
//!    Kept by `without_descriptors_accepting_rests_and_comes_back`.
//! 3. At most [`PER_TURN`] connections are accepted in a turn; the rest are reported again. Kept by
//!    `a_crowd_is_accepted_at_most_64_a_turn`.
//! 4. Interest is on iff the listener is open, not paused and not resting. Kept by
//!    `a_paused_listener_accepts_nobody_until_it_resumes`.

use crate::core::Core;
use crate::core::handle::Handle;
use crate::core::sources::Watch;
use crate::core::task::Plain;
use crate::core::timers::TimerId;
use crate::host::Acceptor;
use crate::host::os::accept_errors::{AcceptAction, advice_on, judge};
use crate::host::ready::{Key, Readiness, Resolved};
use crate::host::throttle::may_log;
use crate::io::address::Address;
use crate::io::pipe::Pipe;
use crate::io::resolve;
use crate::io::stream::Stream;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::panic::Location;
use std::rc::{Rc, Weak};
use std::time::Duration;

/// Connections accepted in one turn.
const PER_TURN: u32 = 64;
/// Says how long accepting rests when resources run out; doubles from the first to the last.
const FIRST_REST: Duration = Duration::from_millis(5);
const LAST_REST: Duration = Duration::from_secs(1);

impl Handle {
    /// Listens at `at` and calls `accept` for each connection. The listener closes on drop;
    /// connections it accepted live on.
    ///
    /// An `inet:` address needs an IP address or `localhost`, which means 127.0.0.1. A `unix:`
    /// address replaces a socket file left behind by a process that is gone, and removes its file
    /// at the end.
    ///
    /// # Errors
    /// If the address is taken, not of this machine, not allowed, or has a key.
    #[track_caller]
    pub fn listen(
        &self,
        at: &Address,
        accept: impl FnMut(Stream) + 'static,
    ) -> io::Result<Listener> {
        self.listen_as(at, false, Location::caller(), accept)
    }

    /// Listens as [`listen`](Self::listen) does. The file of a Unix socket is made for this user
    /// alone (mode 0600) before anybody can connect over it; root can as well.
    ///
    /// # Errors
    /// As [`listen`](Self::listen).
    #[track_caller]
    pub fn listen_privately(
        &self,
        at: &Address,
        accept: impl FnMut(Stream) + 'static,
    ) -> io::Result<Listener> {
        self.listen_as(at, true, Location::caller(), accept)
    }

    fn listen_as(
        &self,
        at: &Address,
        is_private: bool,
        born: &'static Location<'static>,
        accept: impl FnMut(Stream) + 'static,
    ) -> io::Result<Listener> {
        let key = self.core.reserve();
        let place = at.without_proof().and_then(|()| resolve::for_listening(at));
        let acceptor = place.and_then(|place| self.core.host().listen(key, &place, is_private));
        let open = |acceptor| ListenerState::open(&self.core, key, acceptor, at, born, accept);
        match acceptor.and_then(open) {
            Ok(state) => {
                self.core.fill(key, state.clone());
                Ok(Listener { state })
            }
            Err(error) => {
                self.core.unregister(key);
                Err(io::Error::new(error.kind(), format!("cannot listen on {at}: {error}")))
            }
        }
    }
}

/// Accepts connections for as long as it lives.
#[must_use = "a listener that is dropped is closed"]
pub struct Listener {
    state: Rc<ListenerState>,
}

impl Listener {
    /// Returns where it listens: the address as it was given, port 0 replaced by the real one.
    pub fn address(&self) -> &Address {
        &self.state.address
    }

    /// Lets the system hold about so many bytes in each direction of each connection that is
    /// accepted from now on: see [`Stream::set_buffers`].
    ///
    /// # Errors
    /// What the system says.
    pub fn set_buffers(&self, bytes: usize) -> io::Result<()> {
        self.state.buffers.set(Some(bytes));
        // For those that wait to be accepted, where the listener's apply to them.
        self.state.acceptor.borrow().as_ref().map_or(Ok(()), |acceptor| acceptor.set_buffers(bytes))
    }

    /// Accepts no more for now; the system queues connections, and refuses or ignores them when its
    /// queue is full.
    pub fn pause(&self) {
        self.state.paused.set(true);
        self.state.renew_interest();
    }

    /// Accepts again after [`pause`](Self::pause).
    pub fn resume(&self) {
        self.state.paused.set(false);
        self.state.renew_interest();
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.state.close()
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("address", self.address()).finish_non_exhaustive()
    }
}

type Accept = dyn FnMut(Stream);

struct ListenerState {
    core: Weak<Core>,
    key: Key,
    address: Address,
    born: &'static Location<'static>,
    /// `Some` until it is closed.
    acceptor: RefCell<Option<Box<dyn Acceptor>>>,
    /// `None` after the end, and while it runs.
    accept: Cell<Option<Box<Accept>>>,
    /// Holds what the system may hold for each connection, if it is not as much as it likes.
    buffers: Cell<Option<usize>>,
    paused: Cell<bool>,
    /// `Some` iff accepting rests, when it will be tried again.
    resting: Cell<Option<TimerId>>,
    /// Says how long the next rest will be; zero iff the last attempt found resources.
    rest: Cell<Duration>,
}

impl ListenerState {
    fn open(
        core: &Rc<Core>,
        key: Key,
        acceptor: Box<dyn Acceptor>,
        asked: &Address,
        born: &'static Location<'static>,
        accept: impl FnMut(Stream) + 'static,
    ) -> io::Result<Rc<Self>> {
        let address = match acceptor.local()? {
            Resolved::Inet(local) => asked.with_port(local.port()),
            _ => asked.clone(),
        };
        Ok(Rc::new(Self {
            core: Rc::downgrade(core),
            key,
            address,
            born,
            acceptor: RefCell::new(Some(acceptor)),
            accept: Cell::new(Some(Box::new(accept))),
            buffers: Cell::default(),
            paused: Cell::new(false),
            resting: Cell::default(),
            rest: Cell::default(),
        }))
    }

    /// Takes the next connection; `None` when this turn should take no more.
    fn accept_one(self: &Rc<Self>, core: &Rc<Core>) -> Option<io::Result<Rc<Pipe>>> {
        // Handed out only when somebody is there, and given back if nothing comes of it.
        let mut key = None;
        let accepted = {
            let acceptor = self.acceptor.borrow();
            acceptor.as_ref()?.accept(&mut || *key.insert(core.reserve()))
        };
        let key = match (accepted, key) {
            (Ok(socket), Some(key)) => match Pipe::open(core, key, socket) {
                Ok(pipe) => {
                    if let Some(bytes) = self.buffers.get() {
                        // A connection that is gone tells so by itself.
                        pipe.set_buffers(bytes).ok();
                    }
                    return Some(Ok(pipe));
                }
                Err(error) => (key, error),
            },
            (Err(error), Some(key)) => (key, error),
            (Err(error), None) => return Some(Err(error)),
            (Ok(_), None) => return None,
        };
        let (key, error) = key;
        core.unregister(key);
        Some(Err(error))
    }

    fn admit(&self, core: &Rc<Core>, pipe: Rc<Pipe>) {
        self.rest.set(Duration::ZERO);
        let Some(mut accept) = self.accept.take() else { return };
        let stream = Stream::new(pipe);
        core.catch(self.born, || accept(stream));
        // The handler may have dropped the listener, and then it goes too.
        if self.acceptor.borrow().is_some() {
            self.accept.set(Some(accept))
        }
    }

    fn take_a_rest(self: &Rc<Self>, core: &Rc<Core>, error: &io::Error) {
        let rest = self.rest.get();
        if rest.is_zero() && may_log() {
            let advice = advice_on(error);
            log::warn!("{} accepts nobody for a while: {error}{advice}", self.address);
        }
        // Longer each time, since whoever polls a system without descriptors keeps it busy.
        let rest = (rest * 2).clamp(FIRST_REST, LAST_REST);
        self.rest.set(rest);
        let state = self.clone();
        let resume = Plain::boxed(self.born, move |_: &Rc<Core>| {
            state.resting.set(None);
            state.renew_interest()
        });
        self.resting.set(Some(core.at(core.now() + rest, resume)));
        self.renew_interest();
    }

    fn renew_interest(&self) {
        let wanted = !self.paused.get() && self.resting.get().is_none();
        if let Some(acceptor) = &*self.acceptor.borrow()
            && let Err(error) = acceptor.interest(wanted)
            && may_log()
        {
            log::error!("{} cannot wait for connections: {error}", self.address);
        }
    }

    fn close(&self) {
        drop(self.acceptor.take());
        let accept = self.accept.take();
        if let Some(core) = self.core.upgrade() {
            if let Some(timer) = self.resting.take() {
                core.cancel(timer);
            }
            core.unregister(self.key);
            core.let_go(self.born, accept);
        }
    }
}

impl Watch for ListenerState {
    fn ready(self: Rc<Self>, core: &Rc<Core>, _: Readiness) {
        for _ in 0..PER_TURN {
            if self.paused.get() || self.resting.get().is_some() {
                return;
            }
            match self.accept_one(core) {
                None => return,
                Some(Ok(pipe)) => self.admit(core, pipe),
                Some(Err(error)) => match judge(&error) {
                    AcceptAction::Done => return,
                    AcceptAction::Next => {
                        log::debug!("{}: a connection was lost: {error}", self.address)
                    }
                    AcceptAction::Rest => return self.take_a_rest(core, &error),
                },
            }
            // What is left in the queue is reported again.
            if !core.spend() {
                return;
            }
        }
    }

    fn flush(self: Rc<Self>, _: &Rc<Core>) {}

    fn end(&self) {
        self.close()
    }

    fn describe(&self) -> String {
        format!("listener on {}", self.address)
    }
}
