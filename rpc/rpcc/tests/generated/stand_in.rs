//! A stand-in for `peers_rpc`: the items that generated code refers to, with the same shapes, and just enough behind them
//! to encode, decode and serve. The real crate is tested with generated code where it lives.

use std::fmt::Debug;
use std::marker::PhantomData;
use std::time::Duration;

use self::wire::{Decode, DecodeOwned, Encode, Reader};

/// An error.
#[derive(Clone, Debug, PartialEq)]
pub struct Error(pub String);

/// Refused: served already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlreadyBound;

/// How a method is implemented.
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
    /// How it is implemented.
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
}

/// An exception.
pub trait Exception: Encode + DecodeOwned + std::fmt::Display + 'static {
    /// `stem.name`.
    const CLASS: &'static str;
}

/// What a proxy calls through.
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
    /// What was called.
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

/// A function that serves an interface.
pub type Serve<S> = fn(&mut S, &Cx<S>, &Binding, stub::Incoming<'_>) -> stub::Served;

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

/// What generated code is written against.
pub mod stub {
    use super::{Debug, Decode, Encode, Error, PhantomData, Reader, Reply, wire};

    /// A request.
    #[derive(Debug)]
    pub struct Incoming<'a> {
        /// Which method.
        pub method: u64,
        /// The arguments.
        pub arguments: &'a [u8],
    }

    /// How a request ended.
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
pub mod wire {
    use std::collections::{BTreeMap, BTreeSet};
    use std::ops::{Deref, DerefMut};

    /// What is wrong with bytes.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Error {
        /// Not all there.
        Truncated,
        /// No such variant.
        UnknownVariant(&'static str, u32),
        /// Deeper than allowed.
        TooDeep,
    }

    /// Can be written.
    pub trait Encode {
        /// Writes it.
        fn encode(&self, w: &mut Writer<'_>);
    }

    /// Can be read.
    pub trait Decode<'a>: Sized {
        /// The fewest bytes.
        const MIN_SIZE: usize;
        /// Reads it.
        ///
        /// # Errors
        /// What is wrong with the bytes.
        fn decode(r: &mut Reader<'a>) -> Result<Self, Error>;
    }

    /// Can be read without borrowing.
    pub trait DecodeOwned: for<'a> Decode<'a> {}

    impl<T: for<'a> Decode<'a>> DecodeOwned for T {}

    /// The bytes of a value.
    pub fn to_bytes<T: Encode>(value: &T) -> Vec<u8> {
        let mut out = Vec::new();
        Writer(&mut out).write(value);
        out
    }

    /// Appends.
    #[derive(Debug)]
    pub struct Writer<'w>(&'w mut Vec<u8>);

    impl Writer<'_> {
        /// Appends a value.
        pub fn write<T: Encode + ?Sized>(&mut self, value: &T) {
            value.encode(self);
        }

        /// Appends a length and the fields.
        pub fn structure(&mut self, fields: impl FnOnce(&mut Self)) {
            let at = self.0.len();
            self.write(&0_u32);
            fields(self);
            let length = u32::try_from(self.0.len() - at - 4).expect("tests are small");
            self.0[at..at + 4].copy_from_slice(&length.to_be_bytes());
        }

        /// Appends the position of a variant.
        pub fn variant(&mut self, position: u32) {
            self.write(&position);
        }

        /// One level deeper.
        pub fn nested(&mut self, write: impl FnOnce(&mut Self)) {
            write(self);
        }
    }

    /// Reads.
    #[derive(Debug)]
    pub struct Reader<'a> {
        rest: &'a [u8],
        depth: u32,
    }

    impl<'a> Reader<'a> {
        /// At the start.
        pub fn new(rest: &'a [u8]) -> Self {
            Self { rest, depth: 8 }
        }

        /// Reads a value.
        ///
        /// # Errors
        /// What is wrong with it.
        pub fn read<T: Decode<'a>>(&mut self) -> Result<T, Error> {
            T::decode(self)
        }

        fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
            let (head, rest) = self.rest.split_at_checked(count).ok_or(Error::Truncated)?;
            self.rest = rest;
            Ok(head)
        }

        fn run(&mut self) -> Result<&'a [u8], Error> {
            let count = self.read::<u32>()?;
            self.take(count as usize)
        }

        /// Opens a structure.
        ///
        /// # Errors
        /// If it is cut off.
        pub fn structure(&mut self) -> Result<Structure<'_, 'a>, Error> {
            let fields = self.run()?;
            let after = std::mem::replace(&mut self.rest, fields);
            Ok(Structure { reader: self, after })
        }

        /// Reads what may be missing.
        ///
        /// # Errors
        /// What is wrong with it.
        pub fn trailing<T: Decode<'a> + Default>(&mut self) -> Result<T, Error> {
            if self.rest.is_empty() { Ok(T::default()) } else { self.read() }
        }

        /// Reads the position of a variant.
        ///
        /// # Errors
        /// If it is cut off.
        pub fn variant(&mut self) -> Result<u32, Error> {
            self.read()
        }

        /// The error for a position.
        pub const fn unknown_variant(&self, name: &'static str, found: u32) -> Error {
            Error::UnknownVariant(name, found)
        }

        /// One level deeper.
        ///
        /// # Errors
        /// At the limit.
        pub fn nested<T>(
            &mut self,
            read: impl FnOnce(&mut Self) -> Result<T, Error>,
        ) -> Result<T, Error> {
            self.depth = self.depth.checked_sub(1).ok_or(Error::TooDeep)?;
            let result = read(self);
            self.depth += 1;
            result
        }
    }

    /// The fields of a structure.
    #[derive(Debug)]
    pub struct Structure<'r, 'a> {
        reader: &'r mut Reader<'a>,
        after: &'a [u8],
    }

    impl<'a> Deref for Structure<'_, 'a> {
        type Target = Reader<'a>;
        fn deref(&self) -> &Reader<'a> {
            self.reader
        }
    }

    impl<'a> DerefMut for Structure<'_, 'a> {
        fn deref_mut(&mut self) -> &mut Reader<'a> {
            self.reader
        }
    }

    impl Drop for Structure<'_, '_> {
        fn drop(&mut self) {
            self.reader.rest = self.after;
        }
    }

    macro_rules! numbers {
        ($($number:ty)*) => {$(
            impl Encode for $number {
                fn encode(&self, w: &mut Writer<'_>) {
                    w.0.extend_from_slice(&self.to_be_bytes());
                }
            }

            impl<'a> Decode<'a> for $number {
                const MIN_SIZE: usize = size_of::<Self>();
                fn decode(r: &mut Reader<'a>) -> Result<Self, Error> {
                    let bytes = r.take(size_of::<Self>())?;
                    Ok(Self::from_be_bytes(bytes.try_into().map_err(|_| Error::Truncated)?))
                }
            }
        )*};
    }

    numbers!(i8 i16 i32 i64 u8 u16 u32 u64 f32 f64);

    /// Describes itself.
    #[derive(Clone, Debug, PartialEq)]
    pub struct Value(pub f64);

    impl std::fmt::Display for Value {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "{}", self.0)
        }
    }

    impl Encode for Value {
        fn encode(&self, w: &mut Writer<'_>) {
            w.write(&self.0);
        }
    }

    impl<'a> Decode<'a> for Value {
        const MIN_SIZE: usize = 1;
        fn decode(r: &mut Reader<'a>) -> Result<Self, Error> {
            r.read().map(Self)
        }
    }

    impl Encode for bool {
        fn encode(&self, w: &mut Writer<'_>) {
            w.write(&u8::from(*self));
        }
    }

    impl<'a> Decode<'a> for bool {
        const MIN_SIZE: usize = 1;
        fn decode(r: &mut Reader<'a>) -> Result<Self, Error> {
            Ok(r.read::<u8>()? != 0)
        }
    }

    impl Encode for str {
        fn encode(&self, w: &mut Writer<'_>) {
            w.write(self.as_bytes());
        }
    }

    impl Encode for String {
        fn encode(&self, w: &mut Writer<'_>) {
            w.write(self.as_str());
        }
    }

    impl<'a> Decode<'a> for String {
        const MIN_SIZE: usize = 4;
        fn decode(r: &mut Reader<'a>) -> Result<Self, Error> {
            Ok(Self::from_utf8_lossy(r.run()?).into_owned())
        }
    }

    impl<T: Encode> Encode for [T] {
        fn encode(&self, w: &mut Writer<'_>) {
            w.write(&u32::try_from(self.len()).expect("tests are small"));
            self.iter().for_each(|item| w.write(item));
        }
    }

    impl<T: Encode> Encode for Vec<T> {
        fn encode(&self, w: &mut Writer<'_>) {
            w.write(self.as_slice());
        }
    }

    impl<'a, T: Decode<'a>> Decode<'a> for Vec<T> {
        const MIN_SIZE: usize = 4;
        fn decode(r: &mut Reader<'a>) -> Result<Self, Error> {
            (0..r.read::<u32>()?).map(|_| r.read()).collect()
        }
    }

    impl<T: Encode> Encode for BTreeSet<T> {
        fn encode(&self, w: &mut Writer<'_>) {
            w.write(&self.iter().collect::<Vec<_>>());
        }
    }

    impl<'a, T: Decode<'a> + Ord> Decode<'a> for BTreeSet<T> {
        const MIN_SIZE: usize = 4;
        fn decode(r: &mut Reader<'a>) -> Result<Self, Error> {
            Ok(r.read::<Vec<T>>()?.into_iter().collect())
        }
    }

    impl<K: Encode, V: Encode> Encode for BTreeMap<K, V> {
        fn encode(&self, w: &mut Writer<'_>) {
            w.write(&self.iter().collect::<Vec<_>>());
        }
    }

    impl<'a, K: Decode<'a> + Ord, V: Decode<'a>> Decode<'a> for BTreeMap<K, V> {
        const MIN_SIZE: usize = 4;
        fn decode(r: &mut Reader<'a>) -> Result<Self, Error> {
            Ok(r.read::<Vec<(K, V)>>()?.into_iter().collect())
        }
    }

    impl<T: Encode> Encode for Option<T> {
        fn encode(&self, w: &mut Writer<'_>) {
            w.write(&self.is_some());
            if let Some(value) = self {
                w.write(value);
            }
        }
    }

    impl<'a, T: Decode<'a>> Decode<'a> for Option<T> {
        const MIN_SIZE: usize = 1;
        fn decode(r: &mut Reader<'a>) -> Result<Self, Error> {
            if r.read::<bool>()? { r.read().map(Some) } else { Ok(None) }
        }
    }

    impl<T: Encode + ?Sized> Encode for &T {
        fn encode(&self, w: &mut Writer<'_>) {
            (**self).encode(w);
        }
    }

    impl<T: Encode> Encode for Box<T> {
        fn encode(&self, w: &mut Writer<'_>) {
            (**self).encode(w);
        }
    }

    impl<'a, T: Decode<'a>> Decode<'a> for Box<T> {
        const MIN_SIZE: usize = T::MIN_SIZE;
        fn decode(r: &mut Reader<'a>) -> Result<Self, Error> {
            r.read().map(Self::new)
        }
    }

    impl Encode for () {
        fn encode(&self, _: &mut Writer<'_>) {}
    }

    impl Decode<'_> for () {
        const MIN_SIZE: usize = 0;
        fn decode(_: &mut Reader<'_>) -> Result<Self, Error> {
            Ok(())
        }
    }

    macro_rules! tuples {
        ($(($($name:ident)*))*) => {$(
            #[allow(non_snake_case)]
            impl<$($name: Encode),*> Encode for ($($name,)*) {
                fn encode(&self, w: &mut Writer<'_>) {
                    let ($($name,)*) = self;
                    $(w.write($name);)*
                }
            }

            impl<'a, $($name: Decode<'a>),*> Decode<'a> for ($($name,)*) {
                const MIN_SIZE: usize = 0 $(+ $name::MIN_SIZE)*;
                fn decode(r: &mut Reader<'a>) -> Result<Self, Error> {
                    Ok(($(r.read::<$name>()?,)*))
                }
            }
        )*};
    }

    tuples! {
        (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) (A B C D E F G) (A B C D E F G H)
        (A B C D E F G H I) (A B C D E F G H I J) (A B C D E F G H I J K) (A B C D E F G H I J K L)
    }
}
