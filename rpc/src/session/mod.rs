//! One connection's protocol as a state machine: frames and time go in; bytes and events come out.
//!
//! No socket, no loop, no clock, no callback: an endpoint moves the bytes, keeps one timer for
//! [`Session::next_deadline`], and acts on the events. So everything the protocol promises is
//! tested without a network.
//!
//! ```text
//!   socket -> Inbound::next -> Frame -> Session::take -> Acted      the peer's requests, and
//!                                         |                         answers to ours
//!   socket <- Output <--------------------+---- call, event, cancel, reply, raise, refuse
//!
//!   timer  -> Session::expire -> calls whose deadline has come; or why the connection ends
//! ```
//!
//! Where things are:
//! * `inbound` cuts input into frames, `take` acts on them, `request` makes calls and events,
//!   `answer` answers those of the peer, `credit` gives it its credit back, `expire` acts on time;
//! * `calls` is the table of our calls, `queue` holds those that wait, `window` counts credits in
//!   both directions;
//! * `clock` and `budget` know since when what is waited for, and what a peer has spent;
//! * `event` and `close` are the words spoken with the endpoint.
//!
//! Invariants:
//! 1. Each call that was taken ends exactly once: by [`Acted::Value`], [`Event::Failed`],
//!    [`Session::cancel`], [`Session::expire`], [`Event::HalfClosed`] or [`Session::drain`]. Kept
//!    by `each_call_ends_exactly_once`.
//! 2. Requests leave in the order in which they were made. Kept by
//!    `requests_start_in_the_order_in_which_they_were_made`.
//! 3. Answers, cancels, credits and pongs never wait for credit. Kept by
//!    `answers_pass_when_requests_cannot`.
//! 4. After a [`CloseReason`] was returned, or a goodbye said, nothing more is put into the output.
//!    Kept by `after_the_end_nothing_is_sent_and_every_call_comes_back_in_order`,
//!    `nothing_follows_a_goodbye_when_the_output_drains`.
//! 5. Between calls, an idle session holds no memory but itself. Kept by
//!    `an_idle_session_gives_its_memory_back`.

mod answer;
mod audit;
mod budget;
mod calls;
mod clock;
pub(crate) mod close;
mod credit;
mod event;
mod expire;
#[doc(hidden)]
pub mod fuzz;
mod inbound;
mod meeting;
mod output;
pub(crate) mod permits;
mod queue;
mod request;
mod round_trip;
mod take;
pub(crate) mod text;
mod window;

pub(crate) use answer::too_large_answer;
pub(crate) use audit::Ledger;
pub use close::{CloseReason, Violation};
pub use event::{
    Acted, CallId, Event, Head, Outcome, Rejected, Request, Role, SessionCounters, Why,
};
pub use expire::Needs;
pub use inbound::Inbound;
pub use output::Output;

use crate::limits::Limits;
use crate::session::permits::Room;
use budget::Budget;
use calls::Calls;
use clock::Clock;
use output::Meter;
use peers_kernel::Instant;
use peers_wire::{Bye, Hello, NodeId, PREAMBLE, limits as protocol};
use queue::Queue;
use round_trip::Way;
use std::fmt;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use window::{IncomingWindow, OutgoingWindow};

/// Says what the connection is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The peer's hello.
    Opening,
    /// Nothing: it works.
    Open,
    /// Our last answers: the peer has said that it sends nothing more.
    HalfClosed,
    /// To be let go of.
    Ended,
}

/// Says whom the session may meet, by the node id in the peer's hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meets {
    /// Any node but this one, since that would be an echo.
    Others,
    /// Any node: other processes have this one's key, and so its id.
    Anyone,
    /// Nobody yet: the connection is sealed, and the peer has not proven its key.
    Unproven,
    /// The node whose id the greeting holds: it has proven its key.
    Proven,
}

/// One side of one connection. `K` is what the caller keeps for each of its calls until it ends.
///
/// A conversation between two sessions, without any network:
///
/// ```
/// use peers_kernel::Instant;
/// use peers_rpc::limits::Limits;
/// use peers_rpc::session::{Acted, Head, Inbound, Role, Session};
/// use peers_wire::{NodeId, to_vec};
/// use std::rc::Rc;
///
/// let (now, limits) = (Instant::default(), Rc::new(Limits::default()));
/// let (mut asks, mut answers) = (Vec::new(), Vec::new());
/// let id = NodeId::from_bits;
/// let mut client = Session::new(Role::Dialled, id(1), limits.clone(), now, &mut asks);
/// let mut server = Session::<()>::new(Role::Accepted, id(2), limits.clone(), now, &mut answers);
/// let mut args = to_vec("arrakis")?;
/// let head = Head::new(7);
/// client.call(now, &head, &mut args, "what is pending", &mut asks).expect("there is room");
///
/// let (mut inbound, mut input) = (Inbound::new(&limits), &asks[..]);
/// server.begin_input(now, now, None, &mut answers);
/// while let Some(frame) = inbound.next(&mut input)? {
///     if let Acted::Request(request) = server.take(now, frame, &mut answers) {
///         let call = request.call.expect("it is no event");
///         server.reply(call, &mut "dune", &mut answers)?;
///     }
/// }
/// server.end_input(now, inbound.pending(), &mut answers);
///
/// let (mut inbound, mut input) = (Inbound::new(&limits), &answers[..]);
/// let mut value = Vec::new();
/// client.begin_input(now, now, None, &mut asks);
/// while let Some(frame) = inbound.next(&mut input)? {
///     if let Acted::Value(pending) = client.take(now, frame, &mut asks) {
///         assert_eq!(pending, "what is pending");
///         value = frame.body.to_vec();
///     }
/// }
/// client.end_input(now, inbound.pending(), &mut asks);
/// assert_eq!(peers_wire::from_slice::<String>(&value)?, "dune");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Session<K> {
    limits: Rc<Limits>,
    role: Role,
    phase: Phase,
    /// Holds what the peer's hello says; before it has come, who this side is.
    greeting: Greeting,
    calls: Calls<K>,
    outgoing: OutgoingWindow,
    incoming: IncomingWindow,
    meter: Meter,
    clock: Clock,
    budget: Budget,
    /// Says where our last pong starts in the output; 0, where the opening is, iff there was none.
    pong_at: u64,
    /// Set iff requests wait whatever credit and room there is.
    restrained: bool,
    meets: Meets,
    rare: Option<Box<Rare>>,
}

/// Holds what few sessions have.
#[derive(Debug, Default)]
struct Rare {
    /// Some iff requests have waited since the session was last idle.
    queue: Option<Box<Queue>>,
    counters: SessionCounters,
    /// Iff it is not that of the limits.
    keep_alive: Option<Duration>,
    /// Set iff an object of ours is bound here.
    serves: bool,
    /// Some iff other threads make requests too.
    room: Option<Arc<Room>>,
    /// Some iff the way to the peer is measured.
    way: Option<Box<Way>>,
}

impl Rare {
    fn is_needed(&self) -> bool {
        let Self { queue, counters, keep_alive, serves, room, way } = self;
        let counted = *counters != SessionCounters::default();
        let lasting = keep_alive.is_some() || *serves || room.is_some() || way.is_some();
        queue.is_some() || counted || lasting
    }

    /// Returns the queue, made if there is none.
    fn make_queue(&mut self) -> &mut Queue {
        let room = &self.room;
        self.queue.get_or_insert_with(|| {
            let mut queue = Box::<Queue>::default();
            if let Some(room) = room {
                queue.share_room(room.clone());
            }
            queue
        })
    }

    fn queue(&self) -> Option<&Queue> {
        self.queue.as_deref()
    }

    fn queue_mut(&mut self) -> Option<&mut Queue> {
        self.queue.as_deref_mut()
    }
}

/// Holds what a hello says besides the version, which is always ours.
#[derive(Clone, Copy, Debug)]
struct Greeting {
    node: NodeId,
    /// None iff the peer has not said hello yet. No hello says zero.
    max_frame: Option<NonZeroU32>,
    window: u32,
}

const _: () = assert!(
    size_of::<Session<Box<dyn Fn()>>>() <= 192,
    "a connection that does nothing should cost little"
);

impl<K> Session<K> {
    /// Makes a session on a connection that is just being made; puts our opening and hello into
    /// `out`.
    ///
    /// `node` is who this process is. The peer's hello is due within
    /// [`Limits::handshake_timeout`] from `now`.
    pub fn new(
        role: Role,
        node: NodeId,
        limits: Rc<Limits>,
        now: Instant,
        out: &mut impl Output,
    ) -> Self {
        let granted = limits.request_window.max(protocol::WINDOW_BEFORE_HELLO);
        let mut session = Self {
            role,
            phase: Phase::Opening,
            greeting: Greeting { node, max_frame: None, window: 0 },
            calls: Calls::new(),
            outgoing: OutgoingWindow::new(
                limits.request_window_before_hello.min(protocol::WINDOW_BEFORE_HELLO),
            ),
            incoming: IncomingWindow::new(granted),
            meter: Meter::default(),
            clock: Clock::new(now, &limits),
            budget: Budget::default(),
            pong_at: 0,
            restrained: false,
            meets: Meets::Others,
            rare: None,
            limits,
        };
        let max_frame = session.own_frame_limit();
        let hello = Hello { max_frame, window: session.limits.request_window, ..Hello::new(node) };
        session.meter.put(out, |bytes| {
            bytes.extend_from_slice(&PREAMBLE);
            hello.put(bytes);
        });
        session
    }

    /// Tells that there is no connection yet, so that the peer's hello is not waited for until
    /// [`connected`](Self::connected).
    pub fn dialling(&mut self) {
        self.clock.lift_deadline();
    }

    /// Tells that the connection has come about: the time that the peer's hello is given counts
    /// from here.
    pub fn connected(&mut self, now: Instant) {
        if self.phase == Phase::Opening {
            self.clock.connected(now, self.time_for_hello());
        }
    }

    /// Returns the largest body that we take, as our hello says it.
    fn own_frame_limit(&self) -> u32 {
        self.limits.frame.max(protocol::LEAST_FRAME)
    }

    /// Returns the peer's hello, once it has come.
    pub fn peer(&self) -> Option<Hello> {
        let Greeting { node, max_frame, window } = self.greeting;
        Some(Hello { max_frame: max_frame?.get(), window, ..Hello::new(node) })
    }

    /// Counts our calls that somebody waits for, those that wait to be sent included.
    pub fn pending(&self) -> usize {
        self.calls.live()
    }

    /// Returns whether somebody waits for this call.
    pub fn is_pending(&self, id: CallId) -> bool {
        self.calls.is_live(id)
    }

    /// Counts our requests, calls and events, that wait to be sent.
    pub fn waiting(&self) -> usize {
        self.rare.as_ref().and_then(|rare| rare.queue()).map_or(0, Queue::len)
    }

    /// Returns whether what it was given may not have left: it is not open, or requests wait.
    #[inline]
    pub(crate) fn is_held_up(&self) -> bool {
        self.phase != Phase::Open || self.waiting() > 0
    }

    /// Lets other threads make requests too, within `room`.
    pub(crate) fn share_room(&mut self, room: Arc<Room>) {
        if self.greeting.max_frame.is_some() {
            room.meet(self.frame_limit());
        }
        let rare = self.rare.get_or_insert_default();
        if let Some(queue) = rare.queue_mut() {
            queue.share_room(room.clone());
        }
        rare.room = Some(room);
    }

    /// Counts our events that wait to be sent.
    pub(crate) fn waiting_events(&self) -> usize {
        self.rare.as_ref().and_then(|rare| rare.queue()).map_or(0, Queue::events)
    }

    /// Counts our events that were sent, and that the peer has not said it has started.
    pub(crate) fn unconfirmed_events(&self) -> usize {
        self.outgoing.events() as usize
    }

    /// Returns whether requests wait because the socket has not taken enough of the output, as far
    /// as [`flushed`](Self::flushed) told.
    #[inline]
    pub fn waits_for_output(&self) -> bool {
        self.waiting() > 0 && !self.restrained && !self.has_room_for_output()
    }

    /// Lets new requests wait from now on, whatever credit and room there is, or no more. Those
    /// that may leave then do so at the next [`flushed`](Self::flushed).
    pub fn restrain(&mut self, on: bool) {
        self.restrained = on;
    }

    /// Counts the bytes of memory that requests hold which wait to be sent.
    pub fn waiting_memory(&self) -> usize {
        self.rare.as_ref().and_then(|rare| rare.queue()).map_or(0, Queue::memory)
    }

    /// Returns when something came last; if it was pinged since, when that was.
    pub fn heard_at(&self) -> Instant {
        self.clock.heard_at()
    }

    /// Counts the peer's calls that were not answered yet.
    pub fn unanswered(&self) -> usize {
        self.incoming.owed() as usize
    }

    /// Counts our requests that hold credit of the peer.
    pub fn credit_held(&self) -> usize {
        self.outgoing.held() as usize
    }

    /// Counts the requests of the peer that hold our credit: those that it has not been told the
    /// end of.
    pub fn credit_granted(&self) -> usize {
        self.incoming.held() as usize
    }

    /// Counts the bytes put into the output that the socket has not taken, as far as
    /// [`flushed`](Self::flushed) told.
    pub fn unflushed(&self) -> u64 {
        self.meter.waiting()
    }

    /// Returns what has happened that nobody was told about.
    pub fn counters(&self) -> SessionCounters {
        self.rare.as_ref().map_or_else(SessionCounters::default, |rare| rare.counters)
    }

    /// Counts one thing more, or `by` of them.
    #[cold]
    fn count(&mut self, what: impl FnOnce(&mut SessionCounters) -> &mut u32, by: u32) {
        let count = what(&mut self.rare.get_or_insert_default().counters);
        *count = count.saturating_add(by);
    }

    /// Changes how long the connection may be unused before this side hangs up; zero is for ever.
    /// Of no effect on the side that accepted.
    pub fn set_keep_alive(&mut self, keep_alive: Duration) {
        self.rare.get_or_insert_default().keep_alive = Some(keep_alive);
    }

    /// Notes that this side serves the other: who only listens to what it is told makes no calls,
    /// and is not unused for that. From now on only [`set_keep_alive`](Self::set_keep_alive) makes
    /// this side hang up.
    pub fn serves(&mut self) {
        if self.role == Role::Dialled {
            self.rare.get_or_insert_default().serves = true;
        }
    }

    fn keep_alive(&self) -> Duration {
        match self.rare.as_deref() {
            Some(Rare { keep_alive: Some(own), .. }) => *own,
            Some(Rare { serves: true, .. }) => Duration::ZERO,
            _ => self.limits.keep_alive,
        }
    }

    /// Tells the peer why the connection ends, unless it was told or would not understand. Nothing
    /// is put into any output afterwards.
    pub fn bye_for(&mut self, reason: &CloseReason, out: &mut impl Output) {
        if self.phase == Phase::Ended {
            return;
        }
        self.phase = Phase::Ended;
        let Some(code) = reason.bye_code() else { return };
        let text = reason.bye_text();
        self.meter.put(out, |bytes| Bye { code, text: &text }.put(bytes));
    }

    /// Ends the session with a last word to the peer.
    #[cold]
    fn fail(&mut self, reason: CloseReason, out: &mut impl Output) -> CloseReason {
        self.bye_for(&reason, out);
        reason
    }

    /// Notes that nothing more comes from the stream. That is the end, unless the peer has said
    /// before that it only ends its half.
    ///
    /// # Errors
    /// Why the connection must end, unless answers are owed that the peer still reads.
    pub fn end_of_input(&mut self) -> Result<(), CloseReason> {
        if self.phase == Phase::HalfClosed {
            return Ok(());
        }
        self.phase = Phase::Ended;
        Err(CloseReason::EndOfStream)
    }

    /// Gives up all calls, in the order in which they were made. Nothing is sent afterwards.
    pub fn drain(mut self) -> impl Iterator<Item = (CallId, K)> {
        self.calls.drain().into_iter()
    }
}

impl<K> fmt::Debug for Session<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("role", &self.role)
            .field("phase", &self.phase)
            .field("pending", &self.pending())
            .field("waiting", &self.waiting())
            .field("unanswered", &self.unanswered())
            .field("unflushed", &self.unflushed())
            .field("counters", &self.counters())
            .finish_non_exhaustive()
    }
}
