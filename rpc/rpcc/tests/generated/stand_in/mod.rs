//! A stand-in for `peers_rpc`: the items that generated code refers to, with the same shapes, and
//! just enough behind them to encode, decode and serve. The real crate is tested with generated
//! code where it lives.

use std::fmt::Debug;
use std::marker::PhantomData;
use std::time::Duration;

use self::wire::{Decode, DecodeOwned, Encode, Reader};

/// An error.
#[derive(Clone, Debug, PartialEq)]
pub struct Error(pub String);

impl Error {
    /// An exception, with its class and its line.
    #[track_caller]
    pub fn raise<E: Exception>(exception: &E) -> Self {
        let line = std::panic::Location::caller().line();
        Self(format!("{}:{line}: {exception}", E::CLASS))
    }
}

/// Refused: served already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlreadyBound;

/// Says how a method is implemented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Convention {
    /// Returns.
    Plain,
    /// Replies later.
    Async,
    /// Neither.
    Event,
}

/// A method.
#[derive(Debug)]
pub struct Method {
    /// Travels.
    pub id: u64,
    /// `stem.interface.method`.
    pub name: &'static str,
    /// In Rust.
    pub rust_name: &'static str,
    /// As declared.
    pub signature: &'static str,
    /// Says how it is implemented.
    pub convention: Convention,
    /// From `:timeout`.
    pub timeout: Option<Duration>,
    /// Classes.
    pub throws: &'static [&'static str],
    /// Docs.
    pub doc: &'static str,
    /// From `:deprecated`.
    pub deprecated: Option<&'static str>,
}

/// An interface.
#[derive(Debug)]
pub struct Interface {
    /// `stem.interface`.
    pub name: &'static str,
    /// Sorted by id.
    pub methods: &'static [&'static Method],
    /// Its own file first.
    pub files: &'static [&'static InterfaceFile],
}

/// A file.
#[derive(Debug)]
pub struct InterfaceFile {
    /// `STEM.rpc`.
    pub name: &'static str,
    /// In its normal form.
    pub text: &'static str,
}

/// An exception.
pub trait Exception: Encode + DecodeOwned + std::fmt::Display + 'static {
    /// `stem.name`.
    const CLASS: &'static str;
}

/// Carries the calls of a proxy.
pub trait Caller: Clone + Debug + 'static {
    /// A call.
    type Call<T: DecodeOwned + Send + 'static>;
    /// Makes a call.
    fn call<T: DecodeOwned + Send + 'static>(
        &self,
        method: &'static Method,
        arguments: impl Encode,
    ) -> Self::Call<T>;
    /// Sends an event.
    ///
    /// # Errors
    /// None here.
    fn event(&self, method: &'static Method, arguments: impl Encode) -> Result<(), Error>;
}

/// A proxy.
pub trait Proxy<C: Caller> {
    /// Makes one.
    fn new(caller: C) -> Self;
}

/// A call that was made: what would be sent.
#[derive(Debug)]
pub struct Call<T> {
    /// Holds what was called.
    pub method: &'static Method,
    /// The arguments.
    pub bytes: Vec<u8>,
    result: PhantomData<T>,
}

/// An endpoint.
#[derive(Clone, Debug)]
pub struct Endpoint;

impl Caller for Endpoint {
    type Call<T: DecodeOwned + Send + 'static> = Call<T>;

    fn call<T: DecodeOwned + Send + 'static>(
        &self,
        method: &'static Method,
        arguments: impl Encode,
    ) -> Call<T> {
        Call { method, bytes: wire::to_bytes(&arguments), result: PhantomData }
    }

    fn event(&self, method: &'static Method, arguments: impl Encode) -> Result<(), Error> {
        Err(Error(format!("{} {:?}", method.name, wire::to_bytes(&arguments))))
    }
}

/// An endpoint for other threads.
#[derive(Clone, Debug)]
pub struct SyncEndpoint;

impl Caller for SyncEndpoint {
    type Call<T: DecodeOwned + Send + 'static> = Call<T>;

    fn call<T: DecodeOwned + Send + 'static>(
        &self,
        method: &'static Method,
        arguments: impl Encode,
    ) -> Call<T> {
        Endpoint.call(method, arguments)
    }

    fn event(&self, method: &'static Method, arguments: impl Encode) -> Result<(), Error> {
        Endpoint.event(method, arguments)
    }
}

/// A function that serves an interface.
pub type Serve<S> = fn(&mut S, &Context<'_, S>, stub::Incoming<'_>) -> stub::Served;

impl Endpoint {
    /// Serves `interface`.
    ///
    /// # Errors
    /// If its methods are not in order.
    pub fn bind<S: 'static>(
        &self,
        cx: &Cx<S>,
        interface: &'static Interface,
        serve: Serve<S>,
    ) -> Result<(), AlreadyBound> {
        cx.0.set(Some(serve));
        if interface.methods.is_sorted_by_key(|method| method.id) {
            Ok(())
        } else {
            Err(AlreadyBound)
        }
    }
}

/// A context; remembers what was bound.
#[derive(Debug)]
pub struct Cx<S>(pub std::cell::Cell<Option<Serve<S>>>);

/// What a method is given.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a, S>(pub &'a Cx<S>, pub &'a Binding);

/// A binding.
#[derive(Clone, Debug)]
pub struct Binding;

/// A reply owed: what it was resumed with.
#[derive(Clone, Debug)]
pub struct Reply<T>(pub std::rc::Rc<std::cell::RefCell<Option<Vec<u8>>>>, PhantomData<T>);

impl<T: Encode> Reply<T> {
    /// Resumes it.
    pub fn ok(self, value: T) {
        *self.0.borrow_mut() = Some(wire::to_bytes(&value));
    }
}

/// Holds what generated code is written against.
pub mod stub {
    use super::{Debug, Decode, Encode, Error, PhantomData, Reader, Reply, wire};

    /// A request.
    #[derive(Debug)]
    pub struct Incoming<'a> {
        /// Says which method.
        pub method: u64,
        /// The arguments.
        pub arguments: &'a [u8],
    }

    /// Says how a request ended.
    #[derive(Debug, PartialEq)]
    pub enum Served {
        /// With a result.
        Plain(Result<Vec<u8>, Error>),
        /// As an event.
        Event,
        /// With a reply, resumed already or not.
        Later(Option<Vec<u8>>),
        /// Without a method.
        Unknown,
        /// With bad arguments.
        Bad(wire::Error),
    }

    impl<'a> Incoming<'a> {
        /// The id.
        pub fn method(&self) -> u64 {
            self.method
        }

        fn arguments<A: Decode<'a>>(&self) -> Result<A, Served> {
            Reader::new(self.arguments).read().map_err(Served::Bad)
        }

        /// Runs an event.
        pub fn event<A: Decode<'a>>(self, run: impl FnOnce(A)) -> Served {
            self.arguments().map_or_else(
                |bad| bad,
                |arguments| {
                    run(arguments);
                    Served::Event
                },
            )
        }

        /// Runs a plain method.
        pub fn plain<A: Decode<'a>, T: Encode>(
            self,
            run: impl FnOnce(A) -> Result<T, Error>,
        ) -> Served {
            let run =
                |arguments| Served::Plain(run(arguments).map(|result| wire::to_bytes(&result)));
            self.arguments().map_or_else(|bad| bad, run)
        }

        /// Runs an `:async` method.
        pub fn later<A: Decode<'a>, T: Encode + 'static>(
            self,
            run: impl FnOnce(A, Reply<T>),
        ) -> Served {
            self.arguments().map_or_else(
                |bad| bad,
                |arguments| {
                    let slot = std::rc::Rc::default();
                    run(arguments, Reply(std::rc::Rc::clone(&slot), PhantomData));
                    let resumed = slot.borrow_mut().take();
                    Served::Later(resumed)
                },
            )
        }

        /// Refuses.
        pub fn unknown(self) -> Served {
            Served::Unknown
        }
    }
}

/// Bytes.
pub mod wire;
