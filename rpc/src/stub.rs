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

/// What a request brings.
pub(crate) enum Arguments<'a> {
    /// They are spelled by these bytes.
    Lent(&'a [u8]),
    /// They are spelled by the length of these bytes and the bytes, whose memory they may keep.
    Run(&'a mut Vec<u8>),
}

impl<'a> Arguments<'a> {
    #[inline]
    fn decode<A: Decode<'a>>(self) -> Result<A, peers_wire::Error> {
        let bytes = match self {
            Self::Lent(bytes) => bytes,
            Self::Run(run) => match A::from_run(run) {
                Ok(arguments) => return Ok(arguments),
                Err(bytes) => bytes,
            },
        };
        peers_wire::from_slice(bytes)
    }

    fn len(&self) -> usize {
        match self {
            Self::Lent(bytes) => bytes.len(),
            Self::Run(run) => run.len(),
        }
    }
}

/// One request, as a dispatcher sees it.
pub struct Incoming<'a> {
    pub(crate) request: Asked<'a>,
    pub(crate) arguments: Arguments<'a>,
}

/// Who asks for what.
pub(crate) struct Asked<'a> {
    pub(crate) link: &'a Rc<Link>,
    pub(crate) cause: Cause,
    /// The caller's id; `None` for an event.
    pub(crate) call: Option<u64>,
    pub(crate) method: u64,
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
        self.request.method
    }

    /// Runs an event: nothing is answered. Arguments that do not decode are logged and counted, the event is dropped.
    pub fn event<A: Decode<'a>>(self, run: impl FnOnce(A)) -> Served {
        let Self { request, arguments } = self;
        match arguments.decode() {
            Ok(arguments) => run(arguments),
            Err(error) => request.link.bad_event(request.method, &error),
        }
        request.close()
    }

    /// Runs a plain method: what it returns is the answer.
    pub fn plain<A: Decode<'a>, T: Encode>(
        self,
        run: impl FnOnce(A) -> Result<T, Error>,
    ) -> Served {
        let Self { request, arguments } = self;
        match arguments.decode() {
            Ok(arguments) => {
                let result = run(arguments);
                request.answer(result);
            }
            Err(error) => request.refuse(RefusedCode::BadArguments, &error.to_string()),
        }
        request.close()
    }

    /// Runs an `:async` method: it resumes the reply whenever it likes. A reply that is dropped answers "no reply";
    /// one that is resumed after the caller has gone, or has cancelled, does nothing and is counted.
    pub fn later<A: Decode<'a>, T: Encode + 'static>(
        self,
        run: impl FnOnce(A, Reply<T>),
    ) -> Served {
        let Self { request, arguments } = self;
        let Some(call) = request.call else { return request.close() };
        let arguments = match arguments.decode() {
            Ok(arguments) => arguments,
            Err(error) => {
                request.refuse(RefusedCode::BadArguments, &error.to_string());
                return request.close();
            }
        };
        if !request.link.admit(request.cause, call) {
            return request.close();
        }
        request.settled.set(true);
        let (shared, cause) = (Rc::downgrade(request.link.shared()), request.cause);
        let reply = Cont::new(request.link.handle(), move |result: Result<T, Error>| {
            if let Some(shared) = shared.upgrade() {
                shared.finish(cause, result);
            }
        });
        run(arguments, reply);
        Served(())
    }

    /// Refuses a method that this dispatcher does not know.
    pub fn unknown(self) -> Served {
        self.request.refuse(RefusedCode::UnknownMethod, "");
        self.request.close()
    }
}

impl Asked<'_> {
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
            .field("method", &format_args!("{:#018x}", self.request.method))
            .field("call", &self.request.call)
            .field("arguments", &self.arguments.len())
            .finish_non_exhaustive()
    }
}
