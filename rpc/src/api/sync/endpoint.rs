//! An endpoint as other threads hold it: what it takes, it has a place for.

use super::call::SyncCall;
use super::names::{HERE, find_context, loop_gone, post, refused};
use crate::call::Plan;
use crate::interface::Method;
use crate::interface::caller::Caller;
use crate::interface::error::{Misuse, Overload};
use crate::link::Link;
use crate::link::end::{Drained, End, gone, left};
use crate::link::endpoint::Endpoint;
use crate::session::CloseReason;
use crate::session::permits::{NoPlace, Place, Room};
use crate::{Error, ErrorKind};
use crossbeam_channel::{RecvTimeoutError, bounded};
use peers_kernel::{Cont, Handle, Instant, PostError, Remote};
use peers_wire::{DecodeOwned, limits as protocol};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// The time beyond the limit that a thread waits for the loop to say that an endpoint is
/// closed.
const GRACE: Duration = Duration::from_secs(5);

/// Bytes of a request's frame beside its arguments, unless it is traced.
const HEAD: usize = 16;

impl Endpoint {
    /// Names this endpoint for other threads. `None` if it has ended, or if its loop was not
    /// started by [`spawn_loop`](crate::spawn_loop): then no other thread can reach it.
    pub fn to_sync(&self) -> Option<SyncEndpoint> {
        let link = self.link()?;
        HERE.with_borrow(|here| {
            let mine = |context: &Rc<_>| Rc::ptr_eq(context, link.context());
            let (name, named) = here
                .iter()
                .find(|(_, named)| named.context.upgrade().is_some_and(|it| mine(&it)))?;
            Some(SyncEndpoint {
                outside: Arc::new(Outside {
                    remote: named.remote.clone(),
                    name: *name,
                    slot: link.slot(),
                    id: link.id(),
                    end: link.end_for_others(),
                    room: link.room_for_others(),
                    inbox: named.inbox.clone(),
                    default_timeout: link.context().limits.default_timeout,
                    drain: link.context().limits.drain,
                }),
            })
        })
    }
}

/// An endpoint as other threads hold it: `Send`, `Sync`, `Clone`.
///
/// An event that was answered `Ok` has a place among the requests that may wait
/// ([`Limits::waiting`](crate::Limits::waiting)) and fits the peer's frames: it is sent, unless the
/// connection breaks or the peer takes it neither until then nor within
/// [`Limits::drain`](crate::Limits::drain) after somebody closed it. While there is no place, or
/// while it depends on the peer's hello whether the event fits, the thread waits, as long as a call
/// of the interface would.
#[derive(Clone)]
pub struct SyncEndpoint {
    pub(super) outside: Arc<Outside>,
}

/// Holds what other threads know of an endpoint.
pub(super) struct Outside {
    pub(super) remote: Remote,
    name: u64,
    slot: usize,
    id: u64,
    pub(super) end: End,
    room: Arc<Room>,
    inbox: Arc<Room>,
    pub(super) default_timeout: Duration,
    drain: Duration,
}

/// A place at the endpoint and one in the loop's inbox.
pub(super) struct Places {
    pub(super) room: Place,
    pub(super) inbox: Place,
}

impl Outside {
    /// Returns the link itself; on the loop's thread only.
    pub(super) fn link(&self) -> Option<Rc<Link>> {
        let context = find_context(self.name)?;
        let link = context.links.borrow().get(self.slot)?.clone();
        // The slot may be another connection's by now.
        (link.id() == self.id).then_some(link)
    }

    /// Tells why it takes no requests.
    pub(super) fn gone(&self) -> Error {
        if self.end.get().is_none() && self.room.is_finished() {
            return ErrorKind::Disconnected(CloseReason::Finished).into();
        }
        let ours = self.end.get().is_none_or(|end| end.reason == CloseReason::RpcGone);
        if ours && self.remote.post(|_| ()).is_err_and(|error| error != PostError::Full) {
            return loop_gone();
        }
        if self.end.get().is_none() && self.inbox.is_shut() {
            return ErrorKind::Disconnected(CloseReason::RpcGone).into();
        }
        gone(&self.end)
    }

    /// Waits until `deadline` for places for a request.
    pub(super) fn reserve(
        self: &Arc<Self>,
        bytes: usize,
        deadline: Instant,
    ) -> Result<Places, Error> {
        let limit = self.room.most_bytes();
        if bytes > limit {
            let (size, limit) = (bytes as u64, limit as u64);
            return Err(ErrorKind::TooLarge { size, limit }.into());
        }
        let now = || self.remote.now();
        let room = self.room.reserve(bytes, now, deadline);
        let room = room.map_err(|why| self.no_place(why, Overload::Endpoint))?;
        match self.inbox.reserve(0, now, deadline) {
            Ok(inbox) => Ok(Places { room, inbox }),
            Err(why) => {
                // Given back before anybody is told, so that a closing that waits for it goes on.
                drop(room);
                Err(self.no_place(why, Overload::Inbox))
            }
        }
    }

    /// Posts a request that has its places.
    pub(super) fn post(
        self: &Arc<Self>,
        request: impl FnOnce() + Send + 'static,
    ) -> Result<(), Error> {
        post(&self.remote, request).inspect_err(|_| self.gave_back())
    }

    /// Tells why there is no place.
    fn no_place(self: &Arc<Self>, why: NoPlace, full: Overload) -> Error {
        self.gave_back();
        match why {
            NoPlace::Full => ErrorKind::Overloaded(full).into(),
            NoPlace::Shut => self.gone(),
        }
    }

    /// Notes that a place was given back, or none was given in the end: if the endpoint is closed
    /// meanwhile, its link may be waiting for just that.
    fn gave_back(self: &Arc<Self>) {
        // A link that leaves waits for just these places, and one nudge does for all.
        if self.room.is_shut() && self.room.may_nudge() {
            let me = self.clone();
            let _unless_gone = self.remote.post_always(move |_| {
                me.room.nudged();
                if let Some(link) = me.link() {
                    link.go_on_leaving();
                }
            });
        }
    }

    /// Waits until it is known whether a request with so many bytes of arguments fits the peer's
    /// frames; it may have to be larger than any peer takes.
    fn fit(&self, method: &Method, bytes: usize, deadline: Instant) -> Result<(), Error> {
        let size = bytes.saturating_add(HEAD);
        // What fits every peer needs no answer to the question how much this one takes.
        if size <= protocol::LEAST_FRAME as usize {
            return Ok(());
        }
        let begun = self.remote.now();
        let known = || match self.room.frame_limit() {
            _ if self.end.get().is_some() || self.room.is_shut() => Some(Err(self.gone())),
            Some(limit) if size > limit as usize => {
                let (size, limit) = (size as u64, limit.into());
                Some(Err(ErrorKind::TooLarge { size, limit }.into()))
            }
            Some(_) => Some(Ok(())),
            None => None,
        };
        self.room.wait_for(|| self.remote.now(), deadline, known).unwrap_or_else(|| {
            let after = self.remote.now() - begun;
            Err(ErrorKind::TimedOut { method: method.name, after, outer: None }.into())
        })
    }

    /// Sends an event that was given places, on the loop's thread.
    fn send_event(&self, method: &'static Method, arguments: Vec<u8>, places: Places) {
        let Places { room, inbox } = places;
        drop(inbox);
        match self.link() {
            Some(link) => {
                if room.land(|| link.promised_event(method, arguments)).is_err() {
                    link.context().counters.borrow_mut().unsent_events += 1;
                }
                link.go_on_leaving();
            }
            None => {
                if let Some(context) = find_context(self.name) {
                    context.counters.borrow_mut().unsent_events += 1;
                }
            }
        }
    }
}

impl SyncEndpoint {
    /// Sets the keep-alive, as [`Endpoint::set_keepalive`] does.
    ///
    /// # Errors
    /// When the endpoint or its loop has ended, or too much waits for the loop.
    pub fn set_keepalive(&self, unused: Duration) -> Result<(), Error> {
        if self.outside.end.get().is_some() {
            return Err(self.outside.gone());
        }
        let me = self.outside.clone();
        let set = move || {
            if let Some(link) = me.link() {
                link.set_keep_alive(unused);
            }
        };
        if self.outside.remote.is_loop_thread() {
            set();
            return Ok(());
        }
        post(&self.outside.remote, set)
    }

    /// Closes it, as [`Endpoint::close`] does, and waits for the end. Tells how much the peer did
    /// not take within [`Limits::drain`](crate::Limits::drain); if the connection has ended before,
    /// what was lost with it.
    ///
    /// # Errors
    /// When the loop has ended, or does not get round to it. [`Misuse::CloseOnLoop`] on the loop's
    /// own thread, where nothing is done.
    pub fn close(&self) -> Result<Drained, Error> {
        if self.outside.remote.is_loop_thread() {
            return Err(ErrorKind::Misuse(Misuse::CloseOnLoop).into());
        }
        let (me, (tell, told)) = (self.outside.clone(), bounded(1));
        let begin = move |handle: &Handle| match me.link() {
            Some(link) => {
                let k = Cont::new(handle, move |drained| drop(tell.send(drained)));
                link.leave(CloseReason::Local, handle.now() + me.drain, Some(k));
            }
            None => drop(tell.send(Ok(left(&me.end)))),
        };
        self.outside.remote.post_always(begin).map_err(refused)?;
        let longest = self.outside.drain.saturating_add(GRACE);
        told.recv_timeout(longest).unwrap_or_else(|error| {
            Err(match error {
                RecvTimeoutError::Disconnected => loop_gone(),
                RecvTimeoutError::Timeout => {
                    ErrorKind::TimedOut { method: "endpoint.close", after: longest, outer: None }
                        .into()
                }
            })
        })
    }
}

impl Caller for SyncEndpoint {
    type Call<T: DecodeOwned + Send + 'static> = SyncCall<T>;

    fn call<T: DecodeOwned + Send + 'static>(
        &self,
        method: &'static Method,
        arguments: impl peers_wire::Encode,
    ) -> SyncCall<T> {
        let plan = Plan::new(method, peers_wire::to_vec(&arguments).map_err(Error::from));
        SyncCall::new(self.clone(), plan)
    }

    /// Hands the event to the loop, which sends it before any request that this thread makes later.
    /// `Ok` means that there is a place for it: see [`SyncEndpoint`]. On the loop's own thread it
    /// is sent at once, as by a proxy of the loop.
    fn event(
        &self,
        method: &'static Method,
        arguments: impl peers_wire::Encode,
    ) -> Result<(), Error> {
        let arguments = peers_wire::to_vec(&arguments)?;
        let outside = &self.outside;
        if outside.end.get().is_some() || outside.room.is_finished() {
            return Err(outside.gone());
        }
        if outside.remote.is_loop_thread() {
            let link = outside.link().filter(|link| link.takes_requests());
            return link.map_or_else(|| Err(outside.gone()), |link| link.event(method, arguments));
        }
        let plan = Plan::new(method, Ok(arguments));
        let deadline = plan.deadline(outside.remote.now(), outside.default_timeout);
        let arguments = plan.arguments?;
        outside.fit(method, arguments.len(), deadline)?;
        let places = outside.reserve(arguments.len(), deadline)?;
        let me = outside.clone();
        outside.post(move || me.send_event(method, arguments, places))
    }
}

impl fmt::Debug for SyncEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncEndpoint").field("id", &self.outside.id).finish_non_exhaustive()
    }
}
