//! The stand-in's bytes: readers, writers and the codec of the types that interfaces know.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Deref, DerefMut};

/// Says what is wrong with bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// Not all there.
    Truncated,
    /// No such variant.
    UnknownVariant(&'static str, u32),
    /// Deeper than allowed.
    TooDeep,
    /// No UTF-8.
    NoText,
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

    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
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

impl<'a> Decode<'a> for &'a str {
    const MIN_SIZE: usize = 4;
    fn decode(r: &mut Reader<'a>) -> Result<Self, Error> {
        std::str::from_utf8(r.run()?).map_err(|_| Error::NoText)
    }
}

impl<'a> Decode<'a> for &'a [u8] {
    const MIN_SIZE: usize = 4;
    fn decode(r: &mut Reader<'a>) -> Result<Self, Error> {
        r.run()
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

impl<B: Encode + ToOwned + ?Sized> Encode for Cow<'_, B> {
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
        r.nested(T::decode).map(Self::new)
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
