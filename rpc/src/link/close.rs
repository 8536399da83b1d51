//! Brings a link to life on a stream, and ends it: once, with a reason, leaving nobody waiting.

use super::{Link, LinkExtras, Live, Signs, Wire};
use crate::link::end::{Drained, Ended};
use crate::link::name::{EndpointName, Route};
use crate::session::{CloseReason, Session};
use peers_kernel::{Address, Cause, Instant, Outlet, Stream};
use std::io;
use std::mem::take;
use std::rc::Rc;
use std::sync::OnceLock;
use std::time::Duration;

impl Link {
    /// Goes on when dialling has succeeded or failed.
    pub(crate) fn dialled_to(self: &Rc<Self>, address: &Address, result: io::Result<Stream>) {
        match result {
            Ok(stream) => {
                if let Ok(peer) = stream.peer() {
                    self.route.set(Some(Route::Dialled(Rc::new(peer))));
                }
                match address.key() {
                    None => self.attach(stream),
                    Some(key) => match self.context().own.dialling(self.handle(), key) {
                        Ok(layer) => self.attach_sealed(stream, layer),
                        Err(error) => self.end(CloseReason::Security(error)),
                    },
                }
            }
            Err(error) => {
                let (address, kind, text) = (address.to_string(), error.kind(), error.to_string());
                self.end(CloseReason::ConnectFailed { address, kind, text });
            }
        }
    }

    /// Takes the stream and sends what has gathered; a link that has ended meanwhile says so there,
    /// and why.
    pub(crate) fn attach(self: &Rc<Self>, stream: Stream) {
        // It was closed while it was dialled: whoever answers there is told so.
        if !self.is_open() {
            let reason = self.end_reason().unwrap_or(CloseReason::Local);
            return self.context().farewell.say(stream, &reason);
        }
        self.take_stream(stream);
        self.wire.set(Wire::Open);
        let now = self.handle().now();
        self.drive(|session, _| session.connected(now));
        self.flush();
        self.go_on_leaving();
    }

    /// Starts the stream: from now on what comes is heard.
    pub(super) fn take_stream(self: &Rc<Self>, stream: Stream) {
        let limits = &self.context().limits;
        if let Some(bytes) = limits.socket_buffers {
            stream.set_buffers(bytes).ok(); // a connection that is gone tells so by itself
        }
        stream.set_patience(limits.write_stall_timeout).ok(); // likewise
        let outlet = stream.start_for(self.clone());
        outlet.set_limit(limits.output_high_water());
        let first = self.outlet.set(outlet).is_ok();
        debug_assert!(first, "a link is given one stream");
    }

    /// Ends the link from a fresh task: for places where the session or a handler is on the stack.
    pub(crate) fn end_soon(&self, reason: CloseReason) {
        let me = self.weak();
        self.handle().with_cause(Cause::NONE, || {
            self.handle().schedule(move || {
                if let Some(link) = me.upgrade() {
                    link.end(reason);
                }
            });
        });
    }

    /// Decides the end, which comes soon: nothing more is said, who calls now hears the true
    /// reason, and nobody waits for what is being served.
    pub(crate) fn decide(&self, reason: CloseReason) {
        // What was said before is sent first, or the goodbye would contradict it.
        self.flush();
        self.wire.set(Wire::Ending);
        self.write_down(reason);
        self.abandon_all();
    }

    /// Writes down why it ends, unless that was decided before; gives what holds.
    pub(crate) fn write_down(&self, reason: CloseReason) -> (EndpointName, CloseReason) {
        let (name, left) = (self.name(), OnceLock::new());
        let end = self.end_for_others();
        let end = end.get_or_init(|| Box::new(Ended { name, reason, left }));
        (end.name.clone(), end.reason.clone())
    }

    /// Writes down what the peer has not taken, unless that was done before.
    pub(crate) fn write_down_left(&self, left: Drained) {
        let end = self.end_for_others();
        if let Some(end) = end.get() {
            end.left.get_or_init(|| left);
        }
    }

    /// Makes the reply of every served call inert.
    fn abandon_all(&self) {
        for cause in self.if_rare(|rare| take(&mut rare.owed)).into_values() {
            self.abandon(cause);
        }
    }

    /// Says goodbye and ends.
    pub(crate) fn close(&self, reason: CloseReason) {
        self.drive(|session, out| session.bye_for(&reason, out));
        self.end(reason);
    }

    /// Ends the link: fails every pending call, makes every served one inert, tells the watchers,
    /// lets go of the stream. What was already written still leaves, for as long as the kernel
    /// lingers.
    pub(crate) fn end(&self, reason: CloseReason) {
        self.end_within(reason, self.handle().now())
    }

    /// Ends it as [`end`](Self::end) does. What was written may take until that time to leave, and
    /// only then the kernel lingers.
    pub(crate) fn end_within(&self, reason: CloseReason, until: Instant) {
        // A link ends once; what the end of it sets off may try again.
        if self.live.borrow().is_none() {
            return;
        }
        let (name, reason) = self.write_down(reason); // while the session knows who is there
        if self.shows(Signs::ADMITTED) {
            self.context().admitted.forget(self.key(), self.handle());
        }
        self.context().memory.frees(self.weight());
        let left = self.untaken();
        self.write_down_left(left);
        let lost = self.ask(Session::waiting_events);
        let ended = self.live.borrow_mut().take();
        let Some(Live { session, mut said, bound }) = ended else { return };
        let mut counters = self.context().counters.borrow_mut();
        counters.add(&session.counters());
        counters.unsent_events += lost as u64;
        drop(counters);
        // From here on nothing finds the session, and no timer looks for the link.
        self.due.set(Instant::FAR);
        self.hand_over(&mut said);
        let outlet = self.last_outlet();
        self.wire.set(Wire::Closed);
        if let Some(outlet) = outlet {
            let drain = until.since(self.handle().now());
            let_go(outlet, &reason, self.context().limits.linger, drain, left.unconfirmed > 0);
            self.context().memory.leave(outlet);
        }
        self.inbound.take();
        let told = self.if_rare(|rare| {
            rare.partial = 0;
            take(&mut rare.told)
        });
        self.context().memory.tell(told, 0);
        self.context().log_close(&name, &reason);
        let (deferred, watchers) = self.if_rare(|rare| {
            let LinkExtras { deferred, watchers, .. } = rare;
            (take(deferred), take(watchers))
        });
        self.context().counters.borrow_mut().dropped_events += deferred.events() as u64;
        drop(deferred);
        self.abandon_all();
        if let Some(room) = self.room() {
            room.shut();
        }
        self.left_early(left);
        // First, so that whoever hears of a failed call may know already that the connection is
        // gone.
        for watcher in watchers {
            watcher.ok(reason.clone());
        }
        let error = self.gone();
        for (_, call) in session.drain() {
            call.done.err(error.clone());
        }
        // Objects are the program's, and their last owner may be this; the table comes last.
        drop(bound);
        self.context().remove(self);
    }

    /// Does what [`Endpoint::set_keepalive`](crate::Endpoint::set_keepalive) says.
    pub(crate) fn set_keep_alive(&self, unused: Duration) {
        self.drive(|session, _| session.set_keep_alive(unused));
    }

    /// Does what [`Endpoint::measure`](crate::Endpoint::measure) says.
    pub(crate) fn measure(&self) {
        let now = self.handle().now();
        self.drive(|session, out| session.measure(now, out));
    }

    /// Returns what [`Endpoint::round_trip`](crate::Endpoint::round_trip) says.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.step(|session, _| session.round_trip())?
    }
}

/// Bytes that are read and thrown away of a peer that has broken the protocol, or said goodbye.
const MOST_DISCARDED: usize = 64 << 10;

/// Says how long such a one may keep its connection at most, whatever
/// [`Limits::linger`](crate::Limits::linger) is.
const LONGEST: Duration = Duration::from_secs(5);

/// Lets go of the stream. A peer that does not read is cut off; everybody else gets what was
/// written. Who has no business to send any more is not read for long.
fn let_go(
    outlet: &Outlet,
    reason: &CloseReason,
    linger: Duration,
    drain: Duration,
    in_doubt: bool,
) {
    match reason {
        // It takes nothing, so nothing that is left would leave.
        CloseReason::SlowPeer => outlet.abort(),
        CloseReason::PeerTimeout
        | CloseReason::Lingered
        | CloseReason::Protocol(_)
        | CloseReason::Foreign(_)
        | CloseReason::Version { .. }
        | CloseReason::PeerBye { .. }
        | CloseReason::HelloTimeout
        | CloseReason::FrameTimeout => {
            outlet.close_discarding(linger.min(LONGEST), MOST_DISCARDED);
        }
        // Events that the peer has not confirmed may lie unread over there.
        _ if in_doubt => outlet.close_within(drain.saturating_add(linger)),
        _ => outlet.close_draining(drain, linger),
    }
}
