//! Requests that come in over a link: from the frame to the object, and from its result to the
//! answer.

use crate::interface::{Interface, Method};
use crate::link::context::Shared;
use crate::link::endpoint::AlreadyBound;
use crate::link::output::Out;
use crate::link::served::Inherited;
use crate::link::{Link, PendingCall, Signs};
use crate::serve::binding::Binding;
use crate::serve::context::Context;
use crate::serve::stub::{Arrived, Incoming, Served};
use crate::session::text::Brief;
use crate::session::{CloseReason, Request, Session, Violation};
use crate::{Error, ErrorKind};
use peers_kernel::{Cause, Cx, Lost};
use peers_wire::{Encode, RefusedCode};
use rand_core::Rng as _;
use std::any::Any;
use std::cell::Cell;
use std::ptr;
use std::rc::{Rc, Weak};

/// A dispatcher over all methods of an interface, as generated code writes it.
pub(crate) type Serve<S> = fn(&mut S, &Context<'_, S>, Incoming<'_>) -> Served;

/// An object bound on a link, its type forgotten.
pub(crate) trait Object {
    fn serve(&self, binding: &Binding, call: Incoming<'_>) -> Result<Served, Lost>;
    /// Its method with this id.
    fn method(&self, id: u64) -> Option<&'static Method>;
    /// Returns what was bound before it on the same link.
    fn before(&self) -> Option<&Rc<dyn Object>>;
    /// Returns whether the other does just the same.
    fn is_like(&self, other: &dyn Any) -> bool;
    /// Returns whether the node of this context may have another interface with methods of this
    /// one: it is the same node.
    fn shares_methods(&self, cx: &dyn Any, interface: &'static Interface) -> bool;
}

/// The words of a refusal as expired of a call that had begun; one that had not has none.
const HAD_BEGUN: &str = "it had begun";

/// Objects bound lately that a new link may share.
const LATELY: usize = 8;

struct BoundNode<S: 'static> {
    cx: Cx<S>,
    interface: &'static Interface,
    serve: Serve<S>,
    before: Option<Rc<dyn Object>>,
    /// The method asked for last, which most often is the one asked for next: a search would wait
    /// for memory at each step.
    last: Cell<Option<&'static Method>>,
}

impl<S: 'static> Object for BoundNode<S> {
    fn method(&self, id: u64) -> Option<&'static Method> {
        let last = self.last.get().filter(|last| last.id == id);
        last.or_else(|| {
            self.last.set(self.interface.method(id));
            self.last.get()
        })
    }

    fn serve(&self, binding: &Binding, call: Incoming<'_>) -> Result<Served, Lost> {
        self.cx.enter(|state, cx| (self.serve)(state, &Context::new(cx, binding), call))
    }

    fn before(&self) -> Option<&Rc<dyn Object>> {
        self.before.as_ref()
    }

    fn is_like(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<Self>().is_some_and(|other| {
            let place = |before: &Option<Rc<dyn Object>>| before.as_ref().map(Rc::as_ptr);
            self.cx.is_of_same_node(&other.cx)
                && ptr::eq(self.interface, other.interface)
                && ptr::fn_addr_eq(self.serve, other.serve)
                && place(&self.before).map(<*const dyn Object>::cast::<()>)
                    == place(&other.before).map(<*const dyn Object>::cast::<()>)
        })
    }

    fn shares_methods(&self, cx: &dyn Any, interface: &'static Interface) -> bool {
        let same = cx.downcast_ref::<Cx<S>>().is_some_and(|cx| self.cx.is_of_same_node(cx));
        same && !ptr::eq(self.interface, interface)
    }
}

/// All objects of a link, given the last.
fn all(last: Option<&Rc<dyn Object>>) -> impl Iterator<Item = &Rc<dyn Object>> {
    std::iter::successors(last, |object| object.before())
}

impl Link {
    /// Binds an object. Methods of another object that overlap are refused; of its own, the last
    /// that was bound is found.
    pub(crate) fn bind<S: 'static>(
        &self,
        cx: &Cx<S>,
        interface: &'static Interface,
        serve: Serve<S>,
    ) -> Result<(), AlreadyBound> {
        let before = self.live.borrow().as_ref().and_then(|live| live.bound.clone());
        for object in all(before.as_ref()).filter(|object| !object.shares_methods(cx, interface)) {
            let taken = |method: &&&Method| object.method(method.id).is_some();
            if let Some(method) = interface.methods.iter().find(taken) {
                return Err(AlreadyBound { method: method.name });
            }
        }
        let object = BoundNode { cx: cx.clone(), interface, serve, before, last: Cell::new(None) };
        let shared = self.shared().share_bound(object);
        if let Some(live) = self.live.borrow_mut().as_mut() {
            live.bound = Some(shared);
            live.session.serves();
        }
        Ok(())
    }

    /// Starts a request now, or, when the turn's budget is spent, in its place in the next turn.
    #[inline(always)]
    pub(crate) fn requested(self: &Rc<Self>, request: &Request<'_>) {
        // One that will not be started need not wait for that.
        let defers = self.shows(Signs::DEFERS) && self.is_deferring();
        if (defers || !self.handle().spend()) && !self.shared().is_full() {
            self.defer(request);
        } else {
            self.start(request, None);
        }
    }

    /// Starts a request, unless it may not start any more: it may have waited since the session let
    /// it in. Events are started as long as the connection stands, since nobody could be told that
    /// they were not. If there is a `run`, the arguments are its length and its bytes, whose memory
    /// they may keep.
    pub(crate) fn start(self: &Rc<Self>, request: &Request<'_>, run: Option<&mut Vec<u8>>) {
        if request.call.is_none() {
            self.drive(|session, out| session.event_started(out));
        } else if self.shared().closing.get() | self.shows(Signs::LEAVES) {
            return self.turn_away(request, RefusedCode::Closing);
        }
        if request.deadline.is_some_and(|deadline| deadline <= self.handle().latest()) {
            return self.turn_away(request, RefusedCode::Expired);
        }
        if self.shared().is_full() {
            return self.turn_away(request, RefusedCode::Overloaded);
        }
        match self.object_for(request.method) {
            Some((object, method)) => {
                self.handle().name_task(method.name);
                self.run(&*object, method, request, run)
            }
            None => self.turn_away(request, RefusedCode::UnknownMethod),
        }
    }

    fn object_for(&self, method: u64) -> Option<(Rc<dyn Object>, &'static Method)> {
        let live = self.live.borrow();
        let mut object = live.as_ref()?.bound.as_ref()?;
        loop {
            if let Some(method) = object.method(method) {
                return Some((object.clone(), method));
            }
            object = object.before()?;
        }
    }

    fn run<'a>(
        self: &'a Rc<Self>,
        object: &dyn Object,
        method: &'static Method,
        request: &'a Request<'a>,
        run: Option<&'a mut Vec<u8>>,
    ) {
        let Request { deadline, depth, trace, .. } = *request;
        let inherited = Inherited { deadline, depth, trace };
        let span = if trace.is_some() { self.handle().rng().next_u64() } else { 0 };
        let mut serving = self.serving().borrow_mut();
        let cause = serving.begin(self, request.call, method, inherited, span);
        drop(serving);
        let (run, settled) = (Cell::new(run), Cell::new(false));
        let arrived = Arrived { link: self, cause, request, run, settled };
        let incoming = Incoming { arrived: &arrived };
        let binding = Binding::new(self.endpoint(), cause);
        let served = self.handle().with_cause(cause, || object.serve(&binding, incoming));
        if let (Err(lost), Some(call)) = (served, request.call)
            && !arrived.settled.get()
        {
            self.answer::<()>(call, Err(lost.into()));
        }
        let rare = self.serving().borrow_mut().end_unless_running(cause);
        drop(rare);
    }

    fn turn_away(&self, request: &Request<'_>, code: RefusedCode) {
        match request.call {
            Some(call) => self.refuse(call, code, ""),
            None => self.shared().count_dropped_event(request.method, code),
        }
    }

    /// Takes a place for an `:async` call, which may be answered later; answers "overloaded" if
    /// there is none.
    pub(crate) fn admit(&self, cause: Cause, call: u64) -> bool {
        if self.if_rare(|rare| rare.owed.contains_key(&call)) {
            self.repeated(call);
            return false;
        }
        let own = self.places();
        let mut serving = self.serving().borrow_mut();
        if !serving.has_place(own, self.shared().limits.running) {
            drop(serving);
            self.refuse(call, RefusedCode::Overloaded, "");
            return false;
        }
        serving.keep(cause);
        drop(serving);
        self.with_rare(|rare| rare.owed.insert(call, cause));
        self.shared().watch_deadlines();
        true
    }

    /// The peer uses the id of a call that still runs for another one.
    #[cold]
    fn repeated(&self, call: u64) {
        let reason = CloseReason::from(Violation::RepeatedCall { call });
        self.drive(|session, out| session.bye_for(&reason, out));
        self.decide(reason.clone());
        self.end_soon(reason);
    }

    /// The peer no longer wants an answer.
    pub(crate) fn cancelled(&self, call: u64) {
        let waited = self.forget_deferred(call);
        let owed = self.if_rare(|rare| rare.owed.remove(&call));
        let record = owed.and_then(|cause| self.abandon(cause));
        if record.is_some() || waited {
            self.refuse(call, RefusedCode::Cancelled, "");
        }
        self.shared().call_finished();
    }

    /// Makes the reply of a running call inert, stops its timers and background work, cancels the
    /// calls made for it. It keeps its place among those that run until its reply is given or
    /// dropped. `None` if it was over before.
    pub(crate) fn abandon(&self, cause: Cause) -> Option<()> {
        let now = self.handle().latest();
        let (nested, watchers) = self.serving().borrow_mut().abandon(cause, now)?;
        self.handle().cancel_cause(cause);
        for watcher in watchers {
            watcher.ok(());
        }
        for nested in nested {
            if let Some(link) = nested.link.upgrade() {
                link.cancel(nested.id);
            }
        }
        Some(())
    }

    /// A running call's deadline has come: its caller has given up.
    pub(crate) fn overdue(&self, cause: Cause, call: Option<u64>) {
        if let Some(call) = call {
            self.if_rare(|rare| rare.owed.remove(&call));
        }
        if self.abandon(cause).is_some()
            && let Some(call) = call
        {
            self.refuse(call, RefusedCode::Expired, HAD_BEGUN);
        }
    }

    /// Sends the outcome of a call. If the program's part in that panics, the caller is told so.
    pub(crate) fn answer<T: Encode>(&self, call: u64, result: Result<T, Error>) {
        let value = match result {
            Ok(value) => value,
            Err(error) => return self.answer_error(call, &error),
        };
        let owed = Owed { link: self, call: Some(call) };
        if let Some(bytes) = value.as_run()
            && self.answered_now(call, bytes)
        {
            return owed.settle();
        }
        match value.into_bytes() {
            Ok(bytes) => self.answered_by(|session, out| session.reply_bytes(call, out, bytes)),
            // The value is dropped after the step: nothing of the program's runs in one but its
            // `encode`.
            Err(value) => {
                self.answered_by(|session, out| {
                    session.reply(call, out, |writer| value.encode(writer))
                });
                return owed.settle();
            }
        }
        owed.settle()
    }

    /// Answers with a value that is spelled as a length and these bytes, if that is soon done or of
    /// no use any more.
    fn answered_now(&self, call: u64, bytes: &[u8]) -> bool {
        self.drive(|session, out| session.reply_now(call, bytes, out)) != Some(false)
    }

    fn answered_by(
        &self,
        step: impl FnOnce(&mut Session<PendingCall>, &mut Out<'_>) -> Result<(), peers_wire::Error>,
    ) {
        if let Some(Err(error)) = self.drive(step) {
            self.unsendable("a result", &error);
        }
    }

    fn answer_error(&self, call: u64, error: &Error) {
        let limit = self.shared().limits.error_text;
        match error.kind() {
            ErrorKind::Raised(raised) => {
                let origin = error.origin().map_or_else(|| self.name().to_string(), str::to_owned);
                let exception = peers_wire::Exception {
                    class: &raised.class,
                    origin: &origin,
                    file: &raised.file,
                    line: raised.line,
                    text: cut(&raised.text, limit),
                    data: &raised.data,
                };
                let sent = self.drive(|session, out| session.raise(call, out, &exception));
                if let Some(Err(error)) = sent {
                    self.unsendable("an exception", &error);
                }
            }
            ErrorKind::Lost(Lost::Panicked) => self.refuse(call, RefusedCode::Internal, ""),
            ErrorKind::Lost(_) => self.refuse(call, RefusedCode::NoReply, ""),
            ErrorKind::Cancelled => self.refuse(call, RefusedCode::Cancelled, ""),
            // Of this process: that another one is overloaded says nothing about what was done
            // here.
            ErrorKind::Overloaded(place) if error.origin().is_none() => {
                self.refuse(call, RefusedCode::Overloaded, &place.to_string())
            }
            ErrorKind::Failed(text) => self.refuse(call, RefusedCode::Failed, cut(text, limit)),
            kind => self.refuse(call, RefusedCode::Failed, cut(&kind.to_string(), limit)),
        }
    }

    /// The peer decides how large its frames may be, so it can cause this as often as it likes.
    #[cold]
    fn unsendable(&self, what: &str, error: &peers_wire::Error) {
        self.shared().log(format_args!("{}: {what} could not be sent: {error}", self.name()));
    }

    /// Answers that a call was not executed, or not to its end.
    pub(crate) fn refuse(&self, call: u64, code: RefusedCode, text: &str) {
        self.drive(|session, out| session.refuse(call, out, code, text));
    }

    /// Arguments of an event that did not decode.
    pub(crate) fn bad_event(&self, method: u64, error: &peers_wire::Error) {
        let text = error.to_string();
        let limit = self.shared().limits.log_field;
        self.shared().log(format_args!(
            "{}: dropped an event whose arguments do not decode (id {method:#018x}): {}; compare the interfaces with `rpcc check`",
            self.name(),
            Brief(&text, limit)
        ));
    }
}

/// A call whose answer is being written. Dropped before that is done, it answers that the method
/// panicked.
struct Owed<'a> {
    link: &'a Link,
    /// Some iff there is no answer yet.
    call: Option<u64>,
}

impl Owed<'_> {
    /// The answer was written: whatever panics now, there is no other.
    fn settle(mut self) {
        self.call = None;
    }
}

impl Drop for Owed<'_> {
    fn drop(&mut self) {
        if let Some(call) = self.call {
            self.link.refuse(call, RefusedCode::Internal, "");
        }
    }
}

impl Shared {
    /// The object itself, or one bound lately that does just the same: most connections of a
    /// process bind the same, and one is enough for all of them.
    fn share_bound<S: 'static>(&self, object: BoundNode<S>) -> Rc<dyn Object> {
        let mut bound = self.bound.borrow_mut();
        let like = |other: Rc<dyn Object>| other.is_like(&object).then_some(other);
        if let Some(same) = bound.iter().filter_map(Weak::upgrade).find_map(like) {
            return same;
        }
        let object: Rc<dyn Object> = Rc::new(object);
        bound.truncate(LATELY - 1);
        bound.push_front(Rc::downgrade(&object));
        object
    }

    /// Answers an `:async` call, unless it is over: its caller has gone, or cancelled, or its time
    /// has passed.
    pub(crate) fn finish<T: Encode>(&self, cause: Cause, result: Result<T, Error>) {
        let record = self.serving.borrow_mut().end(cause);
        let Some(record) = record else { return self.count_inert_reply() };
        if let Some(over) = record.over() {
            let forgotten = self.serving.borrow_mut().remember(cause, over);
            forgotten.into_iter().for_each(|cause| self.handle.forget_cause(cause));
            return self.count_inert_reply();
        }
        self.call_finished(); // first, since writing the answer may panic
        if let (Some(link), Some(call)) = (record.link.upgrade(), record.call()) {
            link.if_rare(|rare| rare.owed.remove(&call));
            link.answer(call, result);
        }
    }
}

/// At most `limit` bytes of a text, whole characters.
fn cut(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}
