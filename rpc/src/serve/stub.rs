//! Holds what generated code is written against; an object without generated code can use it as
//! well.
//!
//! A dispatcher is one function over all methods of an interface: it receives an [`Incoming`]
//! request, chooses by [`Incoming::method`], and finishes it in one of four ways. Each decodes the
//! arguments, runs the method and sees to the answer; a request cannot be answered twice or
//! forgotten, because finishing consumes it and gives the [`Served`] that the dispatcher must
//! return.

use crate::link::object::Arrived;
use crate::{Error, Reply};
use peers_kernel::Cont;
use peers_wire::{Body, Decode, Encode, RefusedCode};
use std::fmt;
use std::rc::Rc;

/// One request, as a dispatcher sees it. It is one word, because it is passed on by value.
pub struct Incoming<'a> {
    pub(crate) arrived: &'a Arrived<'a>,
}

/// Proof that a request was finished.
#[derive(Debug)]
#[must_use = "a dispatcher returns it"]
pub struct Served(());

impl<'a> Incoming<'a> {
    /// Returns the id of the method asked for.
    pub fn method(&self) -> u64 {
        self.arrived.request.method
    }

    #[inline]
    fn arguments<A: Decode<'a>>(&self) -> Result<A, peers_wire::Error> {
        A::from_body(self.arrived.body.replace(Body::Slice(&[])))
    }

    /// Runs an event: nothing is answered. Arguments that do not decode are logged and counted, the
    /// event is dropped.
    pub fn event<A: Decode<'a>>(self, run: impl FnOnce(A)) -> Served {
        match self.arguments() {
            Ok(arguments) => run(arguments),
            Err(error) => self.arrived.link.bad_event(self.arrived.request.method, &error),
        }
        self.close()
    }

    /// Runs a plain method: what it returns is the answer.
    pub fn plain<A: Decode<'a>, T: Encode>(
        self,
        run: impl FnOnce(A) -> Result<T, Error>,
    ) -> Served {
        match self.arguments() {
            Ok(arguments) => {
                let result = run(arguments);
                self.answer(result);
            }
            Err(error) => self.refuse(RefusedCode::BadArguments, &error.to_string()),
        }
        self.close()
    }

    /// Runs an `:async` method: it resumes the reply whenever it likes. A reply that is dropped
    /// answers "no reply"; one that is resumed after the caller has gone, or has cancelled, does
    /// nothing and is counted.
    pub fn later<A: Decode<'a>, T: Encode + 'static>(
        self,
        run: impl FnOnce(A, Reply<T>),
    ) -> Served {
        let Some(call) = self.arrived.request.call else { return self.close() };
        let arguments = match self.arguments() {
            Ok(arguments) => arguments,
            Err(error) => {
                self.refuse(RefusedCode::BadArguments, &error.to_string());
                return self.close();
            }
        };
        if !self.arrived.link.admit(self.arrived.cause, call) {
            return self.close();
        }
        self.arrived.handed_over.set(true);
        let (context, cause) = (Rc::downgrade(self.arrived.link.context()), self.arrived.cause);
        let reply = Cont::new(self.arrived.link.handle(), move |result: Result<T, Error>| {
            if let Some(context) = context.upgrade() {
                context.finish(cause, result);
            }
        });
        if reply.hand_to(|reply| run(arguments, reply)) {
            let link = self.arrived.link;
            if link.serving().borrow_mut().answered_at_once(cause) {
                link.count_place(-1);
            }
        }
        Served(())
    }

    /// Refuses a method that this dispatcher does not know.
    pub fn unknown(self) -> Served {
        self.refuse(RefusedCode::UnknownMethod, "");
        self.close()
    }

    fn answer<T: Encode>(&self, result: Result<T, Error>) {
        self.arrived.handed_over.set(true);
        if let Some(call) = self.arrived.request.call {
            self.arrived.link.answer(call, result);
        }
    }

    fn refuse(&self, code: RefusedCode, text: &str) {
        self.arrived.handed_over.set(true);
        if let Some(call) = self.arrived.request.call {
            self.arrived.link.refuse(call, code, text);
        }
    }

    fn close(self) -> Served {
        self.arrived.handed_over.set(true);
        Served(())
    }
}

impl fmt::Debug for Incoming<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("method", &format_args!("{:#018x}", self.arrived.request.method))
            .field("call", &self.arrived.request.call)
            .field("arguments", &self.arrived.request.args.len())
            .finish_non_exhaustive()
    }
}
