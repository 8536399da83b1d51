//! Holds what is known of an interface at run time: methods, exceptions, proxies. The generated
//! code fills these in.

pub(crate) mod address;
pub(crate) mod caller;
mod debug;
pub(crate) mod error;
pub(crate) mod setup;
pub(crate) mod wrong_thread;

use crate::interface::caller::Caller;
use peers_wire::{DecodeOwned, Encode};
use std::fmt;
use std::time::Duration;

/// Says how a method is implemented, and so how it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Convention {
    /// Returns its result.
    Plain,
    /// Receives a [`Reply`](crate::Reply) to resume later (`:async`).
    Async,
    /// Returns nothing and raises nothing (`:event`).
    Event,
}

/// One method of an interface, described once in generated code.
#[derive(Debug)]
pub struct Method {
    /// FNV-1a 64 of the canonical spelling: what travels.
    pub id: u64,
    /// `stem.interface.method`: what error texts say.
    pub name: &'static str,
    /// The Rust name, which `:name` may have set.
    pub rust_name: &'static str,
    /// The declaration without directives: `get(key: string) -> string`.
    pub signature: &'static str,
    /// Says how it is implemented.
    pub convention: Convention,
    /// From `:timeout`; zero is for ever, `None` is the default of [`Limits`](crate::Limits).
    pub timeout: Option<Duration>,
    /// Wire classes of the declared exceptions.
    pub throws: &'static [&'static str],
    /// The doc comment.
    pub doc: &'static str,
    /// From `:deprecated`.
    pub deprecated: Option<&'static str>,
}

impl Method {
    /// Stands where there is none.
    pub(crate) const NONE: Self = Self {
        id: 0,
        name: "",
        rust_name: "",
        signature: "",
        convention: Convention::Plain,
        timeout: None,
        throws: &[],
        doc: "",
        deprecated: None,
    };
}

/// One interface file as it is told to tools.
#[derive(Debug, PartialEq, Eq)]
pub struct InterfaceFile {
    /// `STEM.rpc`: the file's name, by which others import it.
    pub name: &'static str,
    /// The text, in the normal form that `rpcc` prints.
    pub text: &'static str,
}

/// An interface: its name, its methods, sorted by id, and its text.
#[derive(Debug)]
pub struct Interface {
    /// `stem.interface`.
    pub name: &'static str,
    /// All methods, inherited ones too, in ascending order of id.
    pub methods: &'static [&'static Method],
    /// The file that declares it and then all that this one imports, directly or not. None if it
    /// was made by hand.
    pub files: &'static [&'static InterfaceFile],
}

impl Interface {
    /// Makes an interface by hand, of which tools are told nothing but its name.
    pub const fn new(name: &'static str, methods: &'static [&'static Method]) -> Self {
        Self { name, methods, files: &[] }
    }

    /// Finds the method with this id.
    pub fn method(&self, id: u64) -> Option<&'static Method> {
        let at = self.methods.binary_search_by_key(&id, |method| method.id).ok()?;
        Some(self.methods[at])
    }
}

/// An exception that an interface declares. Generated types implement it.
///
/// The class is compared by its wire name, never by the Rust type: two programs that generated the
/// same interface understand each other, and so do two copies of it in one program.
pub trait Exception: Encode + DecodeOwned + fmt::Display + 'static {
    /// The wire class, `stem.name`.
    const CLASS: &'static str;

    /// Makes this exception an error raised at the caller's line. Generated types have the method
    /// themselves, so that this trait need not be in scope.
    ///
    /// ```
    /// # use peers_rpc::doc::NoSuchKey;
    /// let error = NoSuchKey { key: "Muad'Dib".into() }.raise();
    /// assert!(error.is::<NoSuchKey>());
    /// assert!(error.to_string().ends_with("::no_such_key: Muad'Dib"));
    /// ```
    #[track_caller]
    fn raise(self) -> crate::Error
    where
        Self: Sized,
    {
        crate::Error::raise(&self)
    }
}

/// A proxy type, made from whatever it calls through. Generated proxies implement it.
pub trait Proxy<C: Caller> {
    /// Makes a proxy that calls through `caller`.
    fn new(caller: C) -> Self;
}
