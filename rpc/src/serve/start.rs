//! Requests that come in over a link: from the frame to the object, and from its result to the
//! answer.

use crate::interface::Method;
use crate::link::object::{Arrived, Object};
use crate::link::output::Out;
use crate::link::served::Inherited;
use crate::link::{Link, Live, Signs};
use crate::session::Request;
use crate::session::text::Brief;
use peers_wire::{Body, RefusedCode};
use rand_core::Rng as _;
use std::cell::{Cell, RefMut};
use std::rc::Rc;

/// Finds the object that has a method, and the method.
fn find(last: Option<&Rc<dyn Object>>, method: u64) -> Option<(Rc<dyn Object>, &'static Method)> {
    let mut object = last?;
    loop {
        if let Some(method) = object.method(method) {
            return Some((object.clone(), method));
        }
        object = object.before()?;
    }
}

impl Link {
    /// Starts a request now, or, when the turn's budget is spent, in its place in the next turn.
    #[inline(always)]
    pub(crate) fn requested(
        self: &Rc<Self>,
        live: RefMut<'_, Option<Live>>,
        request: &Request<'_>,
        body: Body<'_>,
    ) {
        // While one waits, none overtakes it.
        let defers = self.shows(Signs::DEFERS) && self.is_deferring();
        // One that will not be started need not wait for that.
        if (defers || !self.handle().spend()) && !self.context().is_full() {
            drop(live);
            self.defer(request, body);
        } else {
            self.start(live, request, body);
        }
    }

    /// Starts a request, unless it may not start any more: it may have waited since the session let
    /// it in. Events are started as long as the connection stands, since nobody could be told that
    /// they were not.
    pub(crate) fn start(
        self: &Rc<Self>,
        mut live: RefMut<'_, Option<Live>>,
        request: &Request<'_>,
        body: Body<'_>,
    ) {
        let Some(Live { session, said, bound }) = live.as_mut() else { return };
        // Its credit goes back whatever becomes of it.
        if request.call.is_none() {
            session.event_started(&mut Out { link: self, said });
            self.heed(said);
        }
        let leaves = self.context().shutdown.closing.get() | self.shows(Signs::LEAVES);
        let refusal = if leaves && request.call.is_some() {
            RefusedCode::Closing
        } else if request.deadline <= self.handle().latest() {
            RefusedCode::Expired
        } else if self.context().is_full() {
            RefusedCode::Overloaded
        } else if let Some((object, method)) = find(bound.as_ref(), request.method) {
            // The program runs from here on, so nothing of the link is borrowed.
            drop(live);
            self.handle().name_task(method.name);
            return self.run(&*object, method, request, body);
        } else {
            RefusedCode::UnknownMethod
        };
        drop(live);
        self.reject_request(request, refusal)
    }

    fn run<'a>(
        self: &'a Rc<Self>,
        object: &dyn Object,
        method: &'static Method,
        request: &'a Request<'a>,
        body: Body<'a>,
    ) {
        let Request { deadline, depth, trace, .. } = *request;
        let inherited = Inherited { deadline, depth, trace };
        let span = if trace.is_some() { self.handle().rng().next_u64() } else { 0 };
        let mut serving = self.serving().borrow_mut();
        let cause = serving.begin(self.key(), request.call, method, inherited, span);
        drop(serving);
        let (body, handed_over) = (Cell::new(body), Cell::new(false));
        let arrived = Arrived { link: self, cause, request, body, handed_over };
        let served = self.handle().with_cause(cause, || object.serve(&arrived));
        if let (Err(lost), Some(call)) = (served, request.call)
            && !arrived.handed_over.get()
        {
            self.answer::<()>(call, Err(lost.into()));
        }
        let rare = self.serving().borrow_mut().end_unless_running(cause);
        drop(rare);
    }

    #[cold]
    #[inline(never)]
    fn reject_request(&self, request: &Request<'_>, code: RefusedCode) {
        match request.call {
            Some(call) => self.refuse(call, code, ""),
            None => self.context().count_dropped_event(request.method, code),
        }
    }

    /// Logs that the arguments of an event did not decode.
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
