//! One connection at run time: a session, the stream under it, and the objects bound on it.
//!
//! The [`Session`] decides, this moves: bytes from the kernel's stream into the session, bytes out
//! of it to the stream, events to the continuations and objects they concern, and its next deadline
//! to the process's timer. All frames go through [`Link::take_frame`], all output through
//! [`Link::heed`].
//!
//! Invariants:
//! 1. A link is in the table of [`LinkContext`] iff it lives; it is removed there exactly once, by
//!    [`Link::end`]. What endpoints hold from then on is an empty shell that knows how it ended.
//!    Kept by `remove`, `the_reason_is_remembered_after_the_end`.
//! 2. No borrow of a link's cells is held while a handler or a continuation's destructor runs;
//!    `inbound` is taken out meanwhile: a request is served out of the bytes that it arrived in.
//!    Kept by `what_is_told_of_the_end_may_call_as_it_likes`, `tests/lent_input.rs`.
//! 3. After `end` the session is gone: every pending call was failed, every served call made inert.
//!    Kept by `tests/exactly_one_outcome.rs`, `tests/soft_bound.rs`.

pub(crate) mod admission;
mod audit;
pub(crate) mod buffers;
mod close;
pub(crate) mod context;
pub(crate) mod counters;
pub(crate) mod deferred;
mod drain;
pub(crate) mod end;
pub(crate) mod endpoint;
mod flags;
pub(crate) mod goodbye;
mod input;
pub(crate) mod key;
mod large_frames;
pub(crate) mod memory;
pub(crate) mod name;
pub(crate) mod object;
pub(crate) mod output;
pub(crate) mod own_key;
pub(crate) mod proof;
pub(crate) mod reject;
pub(crate) mod served;
pub(crate) mod shutdown;
mod siblings;
pub(crate) mod timers;

use crate::interface::Method;
use crate::link::context::LinkContext;
use crate::link::deferred::Deferred;
use crate::link::end::{End, gone};
use crate::link::key::LinkKey;
use crate::link::name::{EndpointName, Ends, Route};
use crate::link::object::Object;
use crate::link::served::Serving;
use crate::session::permits::Room;
use crate::session::{CallId, CloseReason, Inbound, Role, Session};
use crate::{Error, ErrorKind, Reply};
pub(crate) use flags::Signs;
use goodbye::Leaving;
use peers_kernel::{Address, Cause, Handle, Instant, Outlet, PublicKey, Receiver};
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::mem::ManuallyDrop;
use std::ptr;
use std::rc::{Rc, Weak};
use std::sync::Arc;

/// A call of ours that waits for its outcome.
pub(crate) struct PendingCall {
    pub(crate) method: &'static Method,
    pub(crate) made: Instant,
    pub(crate) done: Receiver<Error>,
}

impl PendingCall {
    /// Makes the error of a call that has run out of time at `now`.
    pub(crate) fn timed_out(&self, now: Instant) -> ErrorKind {
        timed_out(self.method, self.made, now)
    }
}

/// Returns what a request made at `made` fails with that has run out of time at `now`.
pub(crate) fn timed_out(method: &Method, made: Instant, now: Instant) -> ErrorKind {
    ErrorKind::TimedOut { method: method.name, after: now - made, outer: None }
}

/// Says where bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wire {
    /// Not connected yet, or nobody has proven to be there: what the session says gathers.
    Dialling,
    /// To the stream.
    Open,
    /// Nowhere: the peer has not read for so long that nothing more is said; about to be ended.
    Choked,
    /// Nowhere: why it ends is written down, and what arrived before is started first.
    Ending,
    /// Nowhere: it is over.
    Closed,
}

/// Holds what a link has until it ends.
pub(crate) struct Live {
    pub(crate) session: Session<PendingCall>,
    /// Holds what the session has said since the stream was last given its words.
    pub(crate) said: Vec<u8>,
    /// The object bound last, which knows the one bound before.
    pub(crate) bound: Option<Rc<dyn Object>>,
}

/// Decides what becomes of a peer that has come to a listener and has proven its key.
pub(crate) trait Admits {
    /// Admits it, or not.
    fn admit(&self, link: &Rc<Link>, peer: PublicKey) -> bool;
}

/// One connection.
pub(crate) struct Link {
    context: Rc<LinkContext>,
    /// Its number: connections are numbered in the order in which they were made.
    id: u64,
    /// Says where it stands in the table of links.
    slot: Cell<u32>,
    pub(crate) live: RefCell<Option<Live>>,
    /// Some iff the peer's opening, or a frame, is not complete; none, too, while it is looked at
    /// or [`large_frames`] has the frame.
    inbound: Cell<Option<Box<Inbound>>>,
    wire: Cell<Wire>,
    /// The stream, from when it is connected.
    outlet: OnceCell<Outlet>,
    /// Says from how many KiB of what is said on it is to be seen to that they leave.
    heeded: Cell<u16>,
    /// Says when the session is to be looked at, or earlier: [`Instant::FAR`] is never.
    due: Cell<Instant>,
    signs: Cell<Signs>,
    /// Some, but while it is looked at.
    route: Cell<Option<Route>>,
    rare: Cell<Option<Box<LinkExtras>>>,
}

/// Holds what few links have at a time.
#[derive(Default)]
pub(crate) struct LinkExtras {
    /// The peer's `:async` calls that still owe an answer, by the peer's id.
    pub(crate) owed: BTreeMap<u64, Cause>,
    /// Requests that the turn's budget had no room for, in order.
    pub(crate) deferred: Deferred,
    /// Places that its calls have among those that run.
    places: usize,
    /// Bytes that it holds of a frame that has begun.
    pub(crate) partial: usize,
    /// Bytes that the process was told it holds, besides its output.
    pub(crate) told: usize,
    watchers: Vec<Reply<CloseReason>>,
    /// Says how it ended, once it has; before, iff others are to be told.
    end: Option<End>,
    /// Some iff other threads make requests too.
    room: Option<Arc<Room>>,
    /// Some iff it is leaving.
    leaving: Option<Leaving>,
    /// Some iff the peer has come to a sealed listener, and was not let in yet.
    admission: Option<Weak<dyn Admits>>,
}

impl LinkExtras {
    fn is_empty(&self) -> bool {
        let Self { owed, deferred, places, partial, told, watchers, end, room, leaving, admission } =
            self;
        let nothing_runs = owed.is_empty() && *places == 0;
        let nothing_held = *partial == 0 && *told == 0 && deferred.is_idle();
        let outside = end.is_some() || room.is_some() || leaving.is_some() || admission.is_some();
        nothing_runs && nothing_held && watchers.is_empty() && !outside
    }
}

/// Bytes that may gather for a stream that is being dialled without being counted.
const LITTLE: usize = 1 << 10;

const _: () =
    assert!(size_of::<Link>() <= 312, "a connection that does nothing should cost little");

impl Link {
    /// Makes a link that is being dialled: calls may be made at once.
    pub(crate) fn dialled(context: &Rc<LinkContext>, address: &Address) -> Rc<Self> {
        let link = Self::new(context, Role::Dialled, Route::Dialled(Rc::new(address.clone())));
        link.drive(|session, _| session.dialling());
        link
    }

    /// Makes a link that was accepted.
    pub(crate) fn accepted(context: &Rc<LinkContext>, route: Route) -> Rc<Self> {
        Self::new(context, Role::Accepted, route)
    }

    fn new(context: &Rc<LinkContext>, role: Role, route: Route) -> Rc<Self> {
        let mut hello = Vec::new();
        let now = context.handle.now();
        let mut session = Session::new(role, context.node, context.limits.clone(), now, &mut hello);
        if context.own.key().is_some() {
            session.may_meet_its_like();
        }
        let link = Rc::new(Self {
            context: context.clone(),
            id: context.next_link(),
            slot: Cell::new(u32::MAX),
            inbound: Cell::new(Some(Box::new(Inbound::new(&context.limits)))),
            live: RefCell::new(Some(Live { session, said: hello, bound: None })),
            wire: Cell::new(Wire::Dialling),
            outlet: OnceCell::new(),
            heeded: Cell::new(output::SILENT),
            due: Cell::new(Instant::FAR),
            signs: Cell::default(),
            route: Cell::new(Some(route)),
            rare: Cell::default(),
        });
        // The table holds it strongly until it ends; programs hold what keeps nothing open.
        let slot = context.links.borrow_mut().insert(link.clone());
        let slot = u32::try_from(slot).expect("fewer connections than descriptors fit a machine");
        link.slot.set(slot);
        link.arm();
        // Those that come while memory is short must not be the only ones who take as they like.
        if context.memory.is_tight() {
            link.restrain(true);
        }
        link
    }

    /// Its number.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Returns whether this is when the session is to be looked at next.
    pub(crate) fn is_due_at(&self, at: Instant) -> bool {
        self.due.get() == at
    }

    /// Does something with what few links have. It must not run or drop anything of the program.
    pub(crate) fn with_rare<R>(&self, f: impl FnOnce(&mut LinkExtras) -> R) -> R {
        with(&self.rare, |rare| f(rare.get_or_insert_default()))
    }

    /// Lends it only if there is anything.
    pub(crate) fn if_rare<R: Default>(&self, f: impl FnOnce(&mut LinkExtras) -> R) -> R {
        with(&self.rare, |rare| rare.as_mut().map(|rare| f(rare))).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn shows(&self, sign: u8) -> bool {
        self.signs.get().0 & sign != 0
    }

    pub(crate) fn show(&self, sign: u8, on: bool) {
        let Signs(all) = self.signs.get();
        self.signs.set(Signs(if on { all | sign } else { all & !sign }));
    }

    /// Gives memory back that nothing needs just now.
    pub(crate) fn release(&self) {
        with(&self.rare, |rare| drop(rare.take_if(|rare| rare.is_empty())));
    }

    /// Returns the loop.
    pub(crate) fn handle(&self) -> &Handle {
        &self.context.handle
    }

    /// Returns the process that it belongs to.
    pub(crate) fn context(&self) -> &Rc<LinkContext> {
        &self.context
    }

    /// Returns the calls being served by the process.
    pub(crate) fn serving(&self) -> &RefCell<Serving> {
        &self.context.serving
    }

    /// Names it for those who do not hold it.
    pub(crate) fn key(&self) -> LinkKey {
        LinkKey::new(self.slot.get(), self.id)
    }

    /// Returns where it stands in the process's table.
    pub(crate) fn slot(&self) -> usize {
        self.slot.get() as usize
    }

    /// Returns itself as the process holds it, for as long as it lives.
    pub(crate) fn me(&self) -> Option<Rc<Self>> {
        let links = self.context.links.borrow();
        links.get(self.slot()).filter(|link| ptr::eq(&***link, self)).cloned()
    }

    /// Returns it for those who do not want to keep it.
    pub(crate) fn weak(&self) -> Weak<Self> {
        self.me().map_or_else(Weak::new, |me| Rc::downgrade(&me))
    }

    /// Asks the session something; the answer of one that has ended is the type's default.
    pub(crate) fn ask<R: Default>(&self, f: impl FnOnce(&Session<PendingCall>) -> R) -> R {
        self.live.borrow().as_ref().map(|live| f(&live.session)).unwrap_or_default()
    }

    /// Returns the stream, as long as what is said goes there.
    pub(crate) fn open_outlet(&self) -> Option<&Outlet> {
        self.outlet.get().filter(|_| self.wire.get() == Wire::Open)
    }

    /// Returns the stream, unless it was let go of.
    pub(crate) fn last_outlet(&self) -> Option<&Outlet> {
        self.outlet.get().filter(|_| self.wire.get() != Wire::Closed)
    }

    /// Returns whether it lives, and will for now.
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        !matches!(self.wire.get(), Wire::Ending | Wire::Closed)
    }

    /// Returns whether a call of ours has no outcome yet.
    pub(crate) fn is_pending(&self, id: CallId) -> bool {
        self.ask(|session| session.is_pending(id))
    }

    /// Returns what its session has counted so far; nothing once it has ended.
    pub(crate) fn counters(&self) -> crate::session::SessionCounters {
        self.ask(Session::counters)
    }

    /// Returns how many calls of ours have no outcome yet.
    pub(crate) fn pending(&self) -> usize {
        self.ask(Session::pending)
    }

    /// Returns the printed name.
    pub(crate) fn name(&self) -> EndpointName {
        let ends = with(&self.route, |route| route.as_ref().map(Route::ends))
            .expect("nothing that looks at a route looks at its link");
        let listener = match ends {
            Ends::Accepted(..) => Some(self.context.node),
            Ends::Dialled(_) => self.ask(|session| Some(session.peer()?.node)),
        };
        EndpointName { listener, ends }
    }

    /// Makes an error that says it came through here.
    pub(crate) fn error(&self, error: impl Into<Error>) -> Error {
        let origin: Arc<str> = self.name().to_string().into();
        error.into().through(&origin)
    }

    /// Counts the places that its calls have among those that run.
    pub(crate) fn places(&self) -> usize {
        self.if_rare(|rare| rare.places)
    }

    /// Notes that one of its calls has taken a place, or given one back.
    pub(crate) fn count_place(&self, change: isize) {
        self.with_rare(|rare| {
            debug_assert!(change > 0 || rare.places > 0, "a place that was taken is given back");
            rare.places = rare.places.saturating_add_signed(change);
        });
    }

    /// Lets new requests of ours wait, or those go that wait.
    pub(crate) fn restrain(&self, on: bool) {
        self.step(|session, _| session.restrain(on));
        if !on {
            self.note_flushed();
        }
    }

    /// Notes how much it holds of a frame that has begun.
    pub(crate) fn note_partial(&self, bytes: usize) {
        if bytes != self.if_rare(|rare| rare.partial) {
            self.with_rare(|rare| rare.partial = bytes);
        }
    }

    /// Returns whether it may hold, or have told of, anything besides its output and requests that
    /// wait in its session.
    #[inline]
    pub(crate) fn may_hold_more(&self) -> bool {
        self.wire.get() == Wire::Dialling || with(&self.rare, |rare| rare.is_some())
    }

    /// Tells the process what it holds besides its output, if that has changed.
    pub(crate) fn tell_memory(&self) {
        let waiting = self.waiting_memory();
        if waiting > 0 || self.may_hold_more() {
            self.tell_memory_of(waiting);
        }
    }

    /// Returns the bytes of memory of requests that wait, also for a stream that is not there yet.
    #[inline]
    fn waiting_memory(&self) -> usize {
        let waiting = self.ask(Session::waiting_memory);
        if self.wire.get() == Wire::Dialling { waiting + self.gathered() } else { waiting }
    }

    #[cold]
    fn gathered(&self) -> usize {
        let live = self.live.borrow();
        let said = live.as_ref().map_or(0, |live| live.said.capacity());
        if said > LITTLE { said } else { 0 }
    }

    fn tell_memory_of(&self, waiting: usize) {
        let (held, told) = self.if_rare(|LinkExtras { deferred, partial, told, .. }| {
            let held = waiting + deferred.bytes() + *partial;
            (held, std::mem::replace(told, held))
        });
        if held == 0 && told == 0 && waiting > 0 {
            self.with_rare(|rare| rare.told = waiting);
            self.context.memory.tell(0, waiting);
        } else if held != told {
            self.context.memory.tell(told, held);
        }
    }

    /// Returns the bytes of memory that its output holds.
    pub(crate) fn output_memory(&self) -> usize {
        self.last_outlet().map_or(0, Outlet::memory)
    }

    /// Counts the bytes that it holds, all together.
    pub(crate) fn weight(&self) -> usize {
        self.output_memory() + self.if_rare(|rare| rare.told)
    }

    /// Returns since when nothing has gone on: the peer has taken nothing of what waits for it, or,
    /// if nothing does, has sent nothing, and we owe it no time.
    pub(crate) fn stalled(&self) -> Option<Instant> {
        let outlet = self.last_outlet()?;
        // With nothing to take, a peer is silent for another reason.
        if outlet.memory() > 0 {
            return outlet.stalled();
        }
        if self.is_deferring() { None } else { Some(self.ask(Session::heard_at)) }
    }

    /// Runs `k` with the reason when this link ends.
    pub(crate) fn on_close(&self, k: Reply<CloseReason>) {
        self.with_rare(|rare| rare.watchers.push(k));
    }

    /// Returns why it ended, once it has.
    pub(crate) fn end_reason(&self) -> Option<CloseReason> {
        self.if_rare(|rare| Some(rare.end.as_ref()?.get()?.reason.clone()))
    }

    /// Returns what calls fail with when it has ended.
    pub(crate) fn gone(&self) -> Error {
        gone(&self.end_for_others())
    }

    /// Returns the room that it shares with other threads, if it does.
    fn room(&self) -> Option<Arc<Room>> {
        self.if_rare(|rare| rare.room.clone())
    }

    /// Returns the room that it shares with other threads from now on.
    pub(crate) fn room_for_others(&self) -> Arc<Room> {
        self.room().unwrap_or_else(|| {
            let limits = &self.context().limits;
            let room = Arc::new(Room::new(limits.waiting, limits.waiting_bytes));
            self.with_rare(|rare| rare.room = Some(room.clone()));
            self.drive(|session, _| session.share_room(room.clone()));
            room
        })
    }

    /// Returns where its end is written down, for those who do not hold it.
    pub(crate) fn end_for_others(&self) -> End {
        self.with_rare(|rare| rare.end.get_or_insert_default().clone())
    }
}

/// Does something with what a cell holds, without a flag that says whether it is in use: meanwhile
/// the cell is empty. It must not come back to the same cell.
#[inline]
fn with<V: Default, R>(cell: &Cell<V>, f: impl FnOnce(&mut V) -> R) -> R {
    let mut value = cell.take();
    let result = f(&mut value);
    // What was left in the cell meanwhile owns nothing, so there is nothing to drop.
    let _owns_nothing = ManuallyDrop::new(cell.replace(value));
    result
}
