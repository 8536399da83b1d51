//! Requests that come in over a link: from the frame to the object, and from its result to the
//! answer.

use crate::interface::Method;
use crate::link::object::{Arrived, Object};
use crate::link::served::Inherited;
use crate::link::{Link, Signs};
use crate::session::Request;
use crate::session::text::Brief;
use peers_wire::RefusedCode;
use rand_core::Rng as _;
use std::cell::Cell;
use std::rc::Rc;

impl Link {
    /// Starts a request now, or, when the turn's budget is spent, in its place in the next turn.
    #[inline(always)]
    pub(crate) fn requested(self: &Rc<Self>, request: &Request<'_>) {
        // One that will not be started need not wait for that.
        let defers = self.shows(Signs::DEFERS) && self.is_deferring();
        if (defers || !self.handle().spend()) && !self.context().is_full() {
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
        } else if self.context().shutdown.closing.get() | self.shows(Signs::LEAVES) {
            return self.turn_away(request, RefusedCode::Closing);
        }
        if request.deadline.is_some_and(|deadline| deadline <= self.handle().latest()) {
            return self.turn_away(request, RefusedCode::Expired);
        }
        if self.context().is_full() {
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
        let cause = serving.begin(self.key(), request.call, method, inherited, span);
        drop(serving);
        let (run, settled) = (Cell::new(run), Cell::new(false));
        let arrived = Arrived { link: self, cause, request, run, settled };
        let served = self.handle().with_cause(cause, || object.serve(&arrived));
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
            None => self.context().count_dropped_event(request.method, code),
        }
    }

    /// Arguments of an event that did not decode.
    pub(crate) fn bad_event(&self, method: u64, error: &peers_wire::Error) {
        let text = error.to_string();
        let limit = self.context().limits.log_field;
        self.context().log(format_args!(
            "{}: dropped an event whose arguments do not decode (id {method:#018x}): {}; compare the interfaces with `rpcc check`",
            self.name(),
            Brief(&text, limit)
        ));
    }
}
