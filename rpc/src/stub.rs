//! What generated code is written against, and what an object without generated code can use as well.
//!
//! A dispatcher is one function over all methods of an interface: it receives an [`Incoming`] request, chooses by
//! [`Incoming::method`], and finishes it in one of four ways. Each decodes the arguments, runs the method and sees to
//! the answer; a request cannot be answered twice or forgotten, because finishing consumes it and gives the
//! [`Served`] that the dispatcher must return.

use crate::link::Link;
use crate::{Error, Reply};
use peers_kernel::{Cause, Cont};
use peers_wire::{Decode, Encode, RefusedCode};
use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

/// One request, as a dispatcher sees it.
pub struct Incoming<'a> {
    pub(crate) link: &'a Rc<Link>,
    pub(crate) cause: Cause,
    /// The caller's id; `None` for an event.
    pub(crate) call: Option<u64>,
    pub(crate) method: u64,
    pub(crate) arguments: &'a [u8],
    /// Set as soon as the answer is somebody else's business: what a panic needs to know.
    pub(crate) settled: &'a Cell<bool>,
}

/// Proof that a request was finished.
#[derive(Debug)]
#[must_use = "a dispatcher returns it"]
pub struct Served(());

impl<'a> Incoming<'a> {
    /// The id of the method asked for.
    pub fn method(&self) -> u64 {
        self.method
    }

    /// Runs an event: nothing is answered. Arguments that do not decode are logged and counted, the event is dropped.
    pub fn event<A: Decode<'a>>(self, run: impl FnOnce(A)) -> Served {
        match peers_wire::from_slice(self.arguments) {
            Ok(arguments) => run(arguments),
            Err(error) => self.link.bad_event(self.method, &error),
        }
        self.close()
    }

    /// Runs a plain method: what it returns is the answer.
    pub fn plain<A: Decode<'a>, T: Encode>(
        self,
        run: impl FnOnce(A) -> Result<T, Error>,
    ) -> Served {
        match peers_wire::from_slice(self.arguments) {
            Ok(arguments) => {
                let result = run(arguments);
                self.answer(result);
            }
            Err(error) => self.refuse(RefusedCode::BadArguments, &error.to_string()),
        }
        self.close()
    }

    /// Runs an `:async` method: it resumes the reply whenever it likes. A reply that is dropped answers "no reply";
    /// one that is resumed after the caller has gone, or has cancelled, does nothing and is counted.
    pub fn later<A: Decode<'a>, T: Encode + 'static>(
        self,
        run: impl FnOnce(A, Reply<T>),
    ) -> Served {
        let Some(call) = self.call else { return self.close() };
        let arguments = match peers_wire::from_slice(self.arguments) {
            Ok(arguments) => arguments,
            Err(error) => {
                self.refuse(RefusedCode::BadArguments, &error.to_string());
                return self.close();
            }
        };
        if !self.link.admit(self.cause, call) {
            return self.close();
        }
        self.settled.set(true);
        let (shared, cause) = (Rc::downgrade(self.link.shared()), self.cause);
        let reply = Cont::new(self.link.handle(), move |result: Result<T, Error>| {
            if let Some(shared) = shared.upgrade() {
                shared.finish(cause, result);
            }
        });
        run(arguments, reply);
        Served(())
    }

    /// Refuses a method that this dispatcher does not know.
    pub fn unknown(self) -> Served {
        self.refuse(RefusedCode::UnknownMethod, "");
        self.close()
    }

    fn answer<T: Encode>(&self, result: Result<T, Error>) {
        if let Some(call) = self.call {
            self.link.answer(call, result);
        }
        self.settled.set(true); // if writing the answer panics, the caller is told so
    }

    fn refuse(&self, code: RefusedCode, text: &str) {
        self.settled.set(true);
        if let Some(call) = self.call {
            self.link.refuse(call, code, text);
        }
    }

    fn close(self) -> Served {
        self.settled.set(true);
        Served(())
    }
}

impl fmt::Debug for Incoming<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("method", &format_args!("{:#018x}", self.method))
            .field("call", &self.call)
            .field("arguments", &self.arguments.len())
            .finish_non_exhaustive()
    }
}
