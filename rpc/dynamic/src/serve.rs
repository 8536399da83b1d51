//! Objects that serve an interface which they were not compiled with.

use crate::interface::{Interface, Method, Rest, Unfit};
use crate::value::Value;
use peers_rpc::stub::{Incoming, Served};
use peers_rpc::wire::{self, Decode, Reader};
use peers_rpc::{AlreadyBound, Context, Convention, Cx, Endpoint, Error, Reply};
use std::cell::RefCell;
use std::fmt;

/// The outcome of a method of an [`Object`]: its result, if it has one.
pub type Answer = Result<Option<Value>, Error>;

/// Serves interfaces that are known at run time. Which method is meant is said with each request;
/// its arguments are of the types that it declares.
pub trait Object: Sized + 'static {
    /// Finds the method with this id, of those that were bound.
    fn method(&self, wire_id: u64) -> Option<Method>;

    /// Runs an event or a plain method; nobody waits for what an event returns.
    ///
    /// # Errors
    /// Those that the method raises.
    fn call(&mut self, cx: &Context<'_, Self>, method: &Method, arguments: Vec<Value>) -> Answer;

    /// Runs an `:async` method, which answers later. Without one of its own, an object answers at
    /// once, by [`call`](Self::call).
    fn call_later(
        &mut self,
        cx: &Context<'_, Self>,
        method: &Method,
        arguments: Vec<Value>,
        reply: Later,
    ) {
        let answer = self.call(cx, method, arguments);
        reply.answer(answer);
    }
}

/// Answers an `:async` method, once; dropped, it answers "no reply".
#[derive(Debug)]
pub struct Later {
    method: Method,
    reply: Reply<Rest>,
}

impl Later {
    /// Gives the answer. A result that is not of the declared type is answered as a failure.
    pub fn answer(self, answer: Answer) {
        match encoded(&self.method, answer) {
            Ok(bytes) => self.reply.ok(bytes),
            Err(error) => self.reply.err(error),
        }
    }
}

/// Serves an interface on an endpoint, until that ends.
///
/// # Errors
/// If it is served there already, or one of its methods by another object.
pub fn bind<S: Object>(
    cx: &Cx<S>,
    endpoint: &Endpoint,
    interface: &Interface,
) -> Result<(), AlreadyBound> {
    endpoint.bind(cx, interface.description(), serve::<S>)
}

fn serve<S: Object>(state: &mut S, cx: &Context<'_, S>, call: Incoming<'_>) -> Served {
    let Some(method) = state.method(call.method()) else { return call.unknown() };
    let reading = Reading::of(method.clone());
    let served = match method.convention() {
        Convention::Event => call.event(|Arguments(values)| {
            drop(state.call(cx, &method, values));
        }),
        Convention::Plain => {
            call.plain(|Arguments(values)| encoded(&method, state.call(cx, &method, values)))
        }
        Convention::Async => call.later(|Arguments(values), reply| {
            let later = Later { method: method.clone(), reply };
            state.call_later(cx, &method, values, later);
        }),
    };
    drop(reading);
    served
}

fn encoded(method: &Method, answer: Answer) -> Result<Rest, Error> {
    let value = answer?;
    match method.encode_result(value.as_ref()) {
        Ok(bytes) => Ok(Rest(bytes)),
        Err(unfit) => Err(Error::failed(BadResult { method, unfit }.to_string())),
    }
}

struct BadResult<'m> {
    method: &'m Method,
    unfit: Unfit,
}

impl fmt::Display for BadResult<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the result of {}: {}", self.method.description().name, self.unfit)
    }
}

thread_local! {
    /// The method whose arguments are read next on this thread: a type that is read from bytes
    /// alone has no other way to be told.
    static READING: RefCell<Option<Method>> = const { RefCell::new(None) };
}

/// Says which method's arguments are read, as long as it lives.
struct Reading;

impl Reading {
    fn of(method: Method) -> Self {
        READING.set(Some(method));
        Self
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        READING.set(None);
    }
}

/// The arguments of the method that is being read.
struct Arguments(Vec<Value>);

impl<'a> Decode<'a> for Arguments {
    const MIN_SIZE: usize = 0;

    fn decode(r: &mut Reader<'a>) -> Result<Self, wire::Error> {
        // Taken, so that nothing else that is read while the method runs takes it for its own.
        let Some(method) = READING.take() else {
            debug_assert!(false, "the dispatcher says which method is served");
            return Err(wire::Error::Invalid { what: "arguments" });
        };
        let all = r.rest().len();
        method.decode_arguments(r.take(all)?).map(Self)
    }
}
