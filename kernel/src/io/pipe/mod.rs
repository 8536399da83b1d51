//! One connection inside the kernel: the state machine between a host's socket and the two ends
//! that users see.
//!
//! [`Stream`](crate::Stream) and [`Outlet`] are thin handles on a [`Pipe`]; who dials and who
//! accepts is decided elsewhere.
//!
//! Invariants:
//! 1. The socket is there iff the pipe is registered with the core. Closing takes both, once. Kept
//!    by `when_all_streams_have_ended_nothing_is_alive`.
//! 2. The handler hears `End` or `Failed` last and once, and is dropped right after. It hears
//!    nothing after `close`. Kept by `the_end_is_heard_once_and_the_handler_dropped`.
//! 3. All cells are full while the handler runs or is dropped. What is looked at in place is taken
//!    out meanwhile, instead of being guarded by a flag that each connection would have to keep.
//!    Kept by `a_handler_may_close_its_own_stream`.
//! 4. One read per readable event and one write per turn. Written bytes wait for the end of the
//!    turn, or until somebody asks for a write of its own. Kept by
//!    `what_is_flushed_leaves_before_the_turn_ends_and_the_rest_after_it`.
//! 5. An idle pipe holds no memory but itself, and is small. Kept by
//!    `what_was_sent_leaves_no_memory_behind`.

mod closing;
pub(crate) mod output;
mod proof;
mod read;
mod rest;
mod state;
mod write;

pub(crate) use read::Block;

use crate::core::Core;
use crate::core::cause::Cause;
use crate::core::sources::Watch;
use crate::core::task::{Plain, Task};
use crate::core::timers::TimerId;
use crate::host::AnySocket;
use crate::host::public_key::PublicKey;
use crate::host::ready::{Key, Readiness};
use crate::host::socket::{Credentials, Socket};
use crate::host::time::Instant;
use crate::io::address::Address;
use crate::io::outlet::Outlet;
use crate::io::pipe::output::Output;
use crate::io::pipe::state::{Inward, Outward};
use crate::io::stream::Listen;
use rest::Rest;
use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::panic::Location;
use std::rc::{Rc, Weak};
use std::time::Duration;

/// Says how long a closed connection waits for its output to leave and for the peer to close as
/// well.
pub(crate) const LINGER: Duration = Duration::from_secs(5);
/// Bytes that may wait for a socket unless [`Outlet::set_limit`] says otherwise.
pub(crate) const OUTPUT_LIMIT: usize = 1 << 20;

const READABLE: Readiness = Readiness { readable: true, writable: false };

pub(crate) struct Pipe {
    core: Weak<Core>,
    socket: Cell<Option<AnySocket>>,
    /// `Some` if something was written since a flush last found nothing, or something is needed
    /// that few connections need.
    held: Cell<Option<Box<Held>>>,
    /// `None` before the start, after the last input, and while it runs.
    listener: Cell<Option<Rc<dyn Listen>>>,
    limit: Cell<u32>,
    written: Cell<u64>,
    inward: Cell<Inward>,
    outward: Cell<Outward>,
    /// True iff the socket took less than it was offered, and has not said that it takes more.
    blocked: Cell<bool>,
    /// True iff the core has been asked to flush us at the end of this turn.
    flush_due: Cell<bool>,
}

const _: () = assert!(size_of::<Pipe>() <= 72, "a connection that does nothing should cost little");

/// Holds what a connection holds while it is busy.
#[derive(Default)]
struct Held {
    /// Holds what waits for the socket.
    output: Output,
    /// The instant at which the socket last took something, or said that it takes no more. Means
    /// something only while the pipe is blocked.
    since: Instant,
    rare: Option<Box<Rare>>,
}

impl Held {
    fn is_needed(&self) -> bool {
        !self.output.is_empty() || self.rare.is_some()
    }
}

/// Makes the task that tells whether a connection has ended in good order.
type AtEnd = Box<dyn FnOnce(bool) -> Box<dyn Task>>;

/// Looks at what comes once the connection is closed on our side.
type Overhears = Box<dyn FnMut(&[u8])>;

/// Holds what few connections need at a time.
#[derive(Default)]
struct Rare {
    broken: Option<io::Error>,
    drained: Vec<(Cause, Box<dyn Task>)>,
    /// Says who wants to know how the connection ended.
    closed: Vec<(Cause, AtEnd)>,
    linger: Option<TimerId>,
    /// Bytes that may still be thrown away, once it is closed on our side.
    discards: u32,
    /// Says where the next bytes go, if not to the loop's buffer and the handler.
    block: Option<Block>,
    /// Holds what lies in the socket and has been there for some time.
    rest: Option<Rest>,
    /// `Some` iff somebody waits for what had arrived when he asked first: so many bytes of it are
    /// unread.
    behind: Option<usize>,
    /// Says who decides whether the peer may come in, if the connection was closed before.
    judge: Option<Rc<dyn Listen>>,
    /// Looks at what is thrown away.
    overhears: Option<Overhears>,
}

impl Rare {
    fn is_needed(&self) -> bool {
        let Self { broken, drained, closed, linger, block, rest, behind, judge, .. } = self;
        let waits = broken.is_some() || !drained.is_empty() || linger.is_some() || judge.is_some();
        waits || !closed.is_empty() || block.is_some() || rest.is_some() || behind.is_some()
    }
}

impl Pipe {
    /// Takes a connected socket over, registered under `key`, and serves that key from now on.
    pub(crate) fn open(core: &Rc<Core>, key: Key, socket: AnySocket) -> io::Result<Rc<Self>> {
        socket.interest(READABLE)?;
        let this = Rc::new(Self {
            core: Rc::downgrade(core),
            socket: Cell::new(Some(socket)),
            held: Cell::default(),
            listener: Cell::new(None),
            limit: Cell::new(OUTPUT_LIMIT as u32),
            written: Cell::new(0),
            inward: Cell::new(Inward::Unstarted),
            outward: Cell::new(Outward::Open),
            blocked: Cell::new(false),
            flush_due: Cell::new(false),
        });
        core.fill(key, this.clone());
        Ok(this)
    }

    /// Does something with what the connection holds. It must not run or drop anything of a user.
    fn with_held<R>(&self, f: impl FnOnce(&mut Held) -> R) -> R {
        let mut held = self.held.take().unwrap_or_default();
        let result = f(&mut held);
        self.held.set(Some(held));
        result
    }

    /// Lends it only if there is anything; what is not needed any more afterwards goes.
    #[inline]
    fn if_held<R>(&self, f: impl FnOnce(&mut Held) -> Option<R>) -> Option<R> {
        let mut held = self.held.take()?;
        let result = f(&mut held);
        if held.is_needed() {
            self.held.set(Some(held));
        }
        result
    }

    /// Does something with what few connections need, likewise.
    fn with_rare<R>(&self, f: impl FnOnce(&mut Rare) -> R) -> R {
        self.with_held(|held| f(held.rare.get_or_insert_default()))
    }

    /// Lends it only if there is anything; what is not needed any more afterwards goes.
    #[inline]
    fn if_rare<R>(&self, f: impl FnOnce(&mut Rare) -> Option<R>) -> Option<R> {
        let held = self.held.take()?;
        self.if_rare_in(held, f)
    }

    /// Lends likewise what was taken out of its cell.
    #[inline(never)]
    fn if_rare_in<R>(
        &self,
        mut held: Box<Held>,
        f: impl FnOnce(&mut Rare) -> Option<R>,
    ) -> Option<R> {
        let result = held.rare.as_mut().and_then(|rare| f(rare));
        held.rare.take_if(|rare| !rare.is_needed());
        if held.is_needed() {
            self.held.set(Some(held));
        }
        result
    }

    pub(crate) fn outlet(self: &Rc<Self>) -> Outlet {
        Outlet::new(Rc::downgrade(self))
    }

    /// Starts the stream: from now on `listener` hears what arrives.
    pub(crate) fn start(self: &Rc<Self>, listener: Rc<dyn Listen>) {
        let Some(core) = self.core.upgrade() else { return };
        if self.inward.get() == Inward::Unstarted {
            self.inward.set(Inward::Open);
            self.listener.set(Some(listener));
            self.renew_interest(&core);
            // It broke before anybody listened, and no event will tell of that again.
            if self.outward.get() == Outward::Broken || self.holds() {
                self.note_readable(&core)
            }
        }
    }

    /// Lets the pipe be looked at as if there were something to read.
    fn note_readable(&self, core: &Core) {
        if let Some(key) = self.with_socket(|socket| socket.key()) {
            core.note(key, READABLE, core.now())
        }
    }

    /// Ends a stream that was dropped. If nobody has started it, nobody ever will; and if nobody
    /// has written either, there is nothing to wait for, so that turning a crowd away takes no
    /// descriptors.
    pub(crate) fn abandon(self: &Rc<Self>) {
        match self.inward.get() {
            Inward::Unstarted if self.written.get() == 0 && self.buffered() == 0 => self.abort(),
            Inward::Unstarted => self.close(),
            _ => {}
        }
    }

    pub(crate) fn set_buffers(&self, bytes: usize) -> io::Result<()> {
        self.ask(|socket| socket.set_buffers(bytes))
    }

    pub(crate) fn set_patience(&self, patience: Duration) -> io::Result<()> {
        self.ask(|socket| socket.set_patience(patience))
    }

    pub(crate) fn local(&self) -> io::Result<Address> {
        self.ask(|socket| socket.local()).map(Address::from_resolved)
    }

    pub(crate) fn peer(&self) -> io::Result<Address> {
        self.ask(|socket| socket.peer()).map(Address::from_resolved)
    }

    /// Does something with the socket, if it is there.
    #[inline]
    fn with_socket<R>(&self, f: impl FnOnce(&dyn Socket) -> R) -> Option<R> {
        let socket = self.socket.take()?;
        let result = f(&*socket);
        self.socket.set(Some(socket));
        Some(result)
    }

    /// Does something with the socket, if it is there and covers another one.
    #[inline]
    fn with_cover<R>(&self, f: impl FnOnce(&dyn Socket) -> R) -> Option<R> {
        let socket = self.socket.take()?;
        let result = socket.cover().map(f);
        self.socket.set(Some(socket));
        result
    }

    /// Returns whether the socket has something to give that the system knows nothing of.
    #[inline]
    fn holds(&self) -> bool {
        self.with_cover(|socket| socket.holds()).unwrap_or_default()
    }

    fn ask<T>(&self, f: impl FnOnce(&dyn Socket) -> io::Result<T>) -> io::Result<T> {
        self.with_socket(f).unwrap_or_else(|| Err(ErrorKind::NotConnected.into()))
    }

    pub(crate) fn credentials(&self) -> Option<Credentials> {
        self.with_socket(|socket| socket.credentials()).flatten()
    }

    pub(crate) fn peer_key(&self) -> Option<PublicKey> {
        self.with_cover(|socket| socket.peer_key()).flatten()
    }

    // ---- what outlets ask for

    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        self.outward.get() == Outward::Open
    }

    pub(crate) fn buffered(&self) -> usize {
        self.look_at_held(|held| held.output.len()).unwrap_or_default()
    }

    fn look_at_held<R>(&self, look: impl FnOnce(&Held) -> R) -> Option<R> {
        let held = self.held.take();
        let seen = held.as_deref().map(look);
        self.held.set(held);
        seen
    }

    pub(crate) fn written(&self) -> u64 {
        self.written.get()
    }

    pub(crate) fn set_limit(&self, limit: usize) {
        self.limit.set(u32::try_from(limit).unwrap_or(u32::MAX))
    }

    #[cfg(test)]
    pub(crate) fn holds_memory(&self) -> bool {
        let held = self.held.take();
        let holds = held.is_some();
        self.held.set(held);
        holds
    }

    pub(crate) fn finish(self: &Rc<Self>) {
        if self.is_open() {
            self.outward.set(Outward::Finishing);
            self.request_flush();
        }
    }

    /// Goes from one state to another; `None` if it is in neither.
    fn switch(&self, from: Inward, to: Inward) -> Option<Rc<Core>> {
        let core = self.core.upgrade().filter(|_| self.inward.get() == from)?;
        self.inward.set(to);
        self.renew_interest(&core);
        Some(core)
    }

    /// Queues `task` once the output is empty.
    pub(crate) fn on_drained(
        &self,
        born: &'static Location<'static>,
        task: impl FnOnce() + 'static,
    ) {
        let Some(core) = self.core.upgrade() else { return };
        let (cause, task) = (core.cause.get(), Plain::boxed(born, move |_: &Rc<Core>| task()));
        if self.buffered() == 0 {
            return core.push(cause, task);
        }
        self.with_rare(|rare| rare.drained.push((cause, task)));
    }

    /// Queues `task` once the connection is over. It is told whether everything was written and the
    /// peer has ended its half too, which it does after it has read what came before.
    pub(crate) fn on_closed(
        &self,
        born: &'static Location<'static>,
        task: impl FnOnce(bool) + 'static,
    ) {
        let Some(core) = self.core.upgrade() else { return };
        let at_end: AtEnd =
            Box::new(move |clean| Plain::boxed(born, move |_: &Rc<Core>| task(clean)));
        if self.with_socket(|_| ()).is_none() {
            return core.push(core.cause.get(), at_end(false));
        }
        self.with_rare(|rare| rare.closed.push((core.cause.get(), at_end)));
    }

    /// Ends at once; what is buffered is lost.
    pub(crate) fn abort(&self) {
        let Some(core) = self.core.upgrade() else { return };
        // What the peer does not take must not stay with the system instead.
        if self.blocked.get() {
            self.reset_on_close();
        }
        self.shut(&core);
        self.dismiss(&core);
    }

    /// Lets the system drop what it holds once the socket is closed.
    fn reset_on_close(&self) {
        // A connection that is gone needs it no more.
        self.ask(|socket| socket.reset_on_close()).ok();
    }

    /// Drops the listener: nobody listens any more.
    fn dismiss(&self, core: &Core) {
        if let Some(listener) = self.listener.take() {
            core.let_go(listener.born(), listener);
        }
    }

    /// Notes that an outlet goes. Without one, nobody can answer any more once the handler has
    /// heard the end.
    pub(crate) fn outlet_dropped(self: &Rc<Self>) {
        // The one that goes is still counted.
        if self.inward.get() == Inward::Ended && Rc::weak_count(self) == 1 {
            self.close()
        }
    }

    // ---- the end

    /// Returns whether both directions are over.
    fn both_halves_ended(&self) -> bool {
        self.inward.get() == Inward::Ended && self.outward.get() == Outward::Finished
    }

    /// Closes the socket and forgets everything but the handler.
    fn shut(&self, core: &Rc<Core>) {
        // Taken first, so that whatever runs below finds the connection closed.
        let Some(socket) = self.socket.take() else { return };
        let key = socket.key();
        drop(socket);
        self.tell_closed(core, self.both_halves_ended());
        self.inward.set(Inward::Ended);
        self.outward.set(Outward::Finished);
        let held = self.held.take();
        core.buffers.count_used(held.as_ref().map_or(0, |held| held.output.memory()), 0);
        if let Some(timer) = held.as_ref().and_then(|held| held.rare.as_ref()?.linger) {
            core.cancel(timer);
        }
        core.unregister(key);
        drop(held); // last, since it may own anything, this connection's own outlet included
    }

    /// Tells those who wait for the end of the connection.
    fn tell_closed(&self, core: &Core, clean: bool) {
        let closed = self.if_rare(|rare| Some(std::mem::take(&mut rare.closed)));
        for (cause, at_end) in closed.unwrap_or_default() {
            core.push(cause, at_end(clean));
        }
    }

    fn take_broken(&self) -> Option<io::Error> {
        self.if_rare(|rare| rare.broken.take())
    }

    /// Tells the host what to report.
    fn renew_interest(&self, core: &Rc<Core>) {
        let wanted =
            Readiness { readable: self.inward.get().is_read(), writable: self.blocked.get() };
        if let Some(Err(error)) = self.with_socket(|socket| socket.interest(wanted)) {
            self.break_off(core, error)
        }
    }
}

impl Watch for Pipe {
    fn ready(self: Rc<Self>, core: &Rc<Core>, readiness: Readiness) {
        if readiness.writable {
            if self.blocked.get() { self.send(core) } else { self.push(core) }
        }
        if !readiness.readable {
            return;
        }
        match self.inward.get() {
            // Of one that is spent only what nobody asks for is reported: that the peer has gone.
            Inward::Open | Inward::Discarded | Inward::Spent => self.read(core),
            // Nobody wants to read, so what broke on the way out is all there is to tell.
            Inward::Paused => match self.take_broken() {
                Some(error) => self.fail(core, error),
                None => self.renew_interest(core),
            },
            // Nobody is there to tell yet.
            Inward::Unstarted => self.renew_interest(core),
            Inward::Ended => {}
        }
    }

    fn flush(self: Rc<Self>, core: &Rc<Core>) {
        self.flush_due.set(false);
        if !self.blocked.get() {
            self.send(core)
        }
    }

    fn describe(&self) -> String {
        let peer = match self.peer() {
            Ok(peer) => peer.to_string(),
            Err(error) => error.to_string(),
        };
        format!("stream to {peer}, {} bytes buffered", self.buffered())
    }
}
