//! Spells the types of the interface language; sets and maps have `trees`, references `borrowed`.
//! Budgets never live here.
//!
//! Invariants:
//! 1. Static types carry no tags: both sides know the type. Kept by the types.
//! 2. Whatever is recursive goes through `nested`. Kept by `boxes_are_64_levels_deep`,
//!    `nesting_a_million_deep_is_refused_on_a_small_stack`.

use byteorder::{ByteOrder, NetworkEndian};

use super::body::spelled;
use super::copy::copied;
use super::{Body, Decode, Encode, Reader, Writer, from_slice};
use crate::{Error, limits};

impl Encode for bool {
    #[inline]
    fn encode(&self, w: &mut Writer<'_>) {
        w.u8(u8::from(*self));
    }
}

impl<'a> Decode<'a> for bool {
    const MIN_SIZE: usize = 1;

    #[inline]
    fn decode(r: &mut Reader<'a>) -> Result<Self, Error> {
        match r.u8()? {
            // One spelling for each: other bytes than these two are wrong.
            0 => Ok(false),
            1 => Ok(true),
            found => Err(Error::BadBool { found, offset: r.offset() - 1 }),
        }
    }
}

impl Encode for u8 {
    #[inline]
    fn encode(&self, w: &mut Writer<'_>) {
        w.u8(*self);
    }

    #[inline]
    fn encode_slice(items: &[Self], w: &mut Writer<'_>) {
        w.put(items);
    }

    #[inline]
    fn list_take_bytes(items: &mut Vec<Self>) -> Option<Vec<u8>> {
        Some(std::mem::take(items))
    }

    #[inline]
    fn list_as_run(items: &[Self]) -> Option<&[u8]> {
        Some(items)
    }
}

impl<'a> Decode<'a> for u8 {
    const MIN_SIZE: usize = 1;

    #[inline]
    fn decode(r: &mut Reader<'a>) -> Result<Self, Error> {
        r.u8()
    }

    #[inline]
    fn decode_vec(r: &mut Reader<'a>, count: usize) -> Result<Vec<Self>, Error> {
        r.take(count).map(copied)
    }

    #[inline]
    fn list_from_body(body: Body<'a>) -> Result<Vec<Self>, Error> {
        bytes_of(body)
    }
}

impl Encode for i8 {
    #[inline]
    fn encode(&self, w: &mut Writer<'_>) {
        w.u8(self.cast_unsigned());
    }
}

impl<'a> Decode<'a> for i8 {
    const MIN_SIZE: usize = 1;

    #[inline]
    fn decode(r: &mut Reader<'a>) -> Result<Self, Error> {
        Ok(r.u8()?.cast_signed())
    }

    #[inline]
    fn decode_vec(r: &mut Reader<'a>, count: usize) -> Result<Vec<Self>, Error> {
        Ok(r.take(count)?.iter().map(|byte| byte.cast_signed()).collect())
    }
}

/// Numbers of several bytes, and how many of them are converted at a time in a list. Whole blocks
/// go to and from memory without a question for each number, and stay too small for what compilers
/// make of longer rows: for processors that cannot turn many numbers at once, it takes twice as
/// long.
macro_rules! numbers {
    ($($type:ty, $size:literal, $block:literal, $read:ident, $write:ident, $write_into:ident;)*) => {$(
        impl Encode for $type {
            #[inline]
            fn encode(&self, w: &mut Writer<'_>) {
                let mut bytes = [0; $size];
                NetworkEndian::$write(&mut bytes, *self);
                w.put(&bytes);
            }

            fn encode_slice(items: &[Self], w: &mut Writer<'_>) {
                let size = items.len().saturating_mul($size);
                // All or none: a count stands before them already.
                let Some(out) = w.room(size) else { return };
                out.reserve(size);
                let (blocks, rest) = items.as_chunks::<$block>();
                out.extend(blocks.iter().flat_map(|block| {
                    let mut bytes = [0; $block * $size];
                    NetworkEndian::$write_into(block, &mut bytes);
                    bytes
                }));
                rest.iter().for_each(|item| out.extend_from_slice(&item.to_be_bytes()));
            }
        }

        impl<'a> Decode<'a> for $type {
            const MIN_SIZE: usize = $size;

            #[inline]
            fn decode(r: &mut Reader<'a>) -> Result<Self, Error> {
                Ok(NetworkEndian::$read(r.array::<$size>()?))
            }

            #[inline]
            fn decode_vec(r: &mut Reader<'a>, count: usize) -> Result<Vec<Self>, Error> {
                let bytes = r.take(count.saturating_mul($size))?;
                let (blocks, rest) = bytes.as_chunks::<$size>().0.as_chunks::<$block>();
                let mut items = Vec::with_capacity(count.div_ceil($block));
                items.extend(blocks.iter().map(|block| block.map(Self::from_be_bytes)));
                let mut items = items.into_flattened();
                rest.iter().for_each(|bytes| items.push(Self::from_be_bytes(*bytes)));
                Ok(items)
            }
        }
    )*};
}

numbers! {
    u16, 2, 8, read_u16, write_u16, write_u16_into;
    u32, 4, 2, read_u32, write_u32, write_u32_into;
    u64, 8, 4, read_u64, write_u64, write_u64_into;
    i16, 2, 8, read_i16, write_i16, write_i16_into;
    i32, 4, 2, read_i32, write_i32, write_i32_into;
    i64, 8, 4, read_i64, write_i64, write_i64_into;
    f32, 4, 2, read_f32, write_f32, write_f32_into;
    f64, 8, 4, read_f64, write_f64, write_f64_into;
}

impl Encode for str {
    #[inline]
    fn encode(&self, w: &mut Writer<'_>) {
        w.bytes(self.as_bytes());
    }

    #[inline]
    fn as_run(&self) -> Option<&[u8]> {
        Some(self.as_bytes())
    }
}

impl Encode for String {
    #[inline]
    fn encode(&self, w: &mut Writer<'_>) {
        w.bytes(self.as_bytes());
    }

    #[inline]
    fn take_bytes(&mut self) -> Option<Vec<u8>> {
        Some(std::mem::take(self).into_bytes())
    }

    #[inline]
    fn as_run(&self) -> Option<&[u8]> {
        Some(self.as_str().as_bytes())
    }
}

impl<'a> Decode<'a> for &'a str {
    const MIN_SIZE: usize = 4;

    #[inline]
    fn decode(r: &mut Reader<'a>) -> Result<Self, Error> {
        r.str()
    }
}

impl<'a> Decode<'a> for String {
    const MIN_SIZE: usize = 4;

    #[inline]
    fn decode(r: &mut Reader<'a>) -> Result<Self, Error> {
        r.string()
    }

    #[inline]
    fn from_body(body: Body<'a>) -> Result<Self, Error> {
        text_of(body)
    }
}

/// Borrows what is elsewhere read as `Vec<u8>`.
impl<'a> Decode<'a> for &'a [u8] {
    const MIN_SIZE: usize = 4;

    #[inline]
    fn decode(r: &mut Reader<'a>) -> Result<Self, Error> {
        r.bytes()
    }

    #[inline]
    fn from_body(body: Body<'a>) -> Result<Self, Error> {
        match body {
            Body::Slice(bytes) => from_slice(bytes),
            Body::Owned(run) => Ok(run),
        }
    }
}

impl<T: Encode> Encode for [T] {
    #[inline]
    fn encode(&self, w: &mut Writer<'_>) {
        w.elements(self.len(), |w| {
            let at = w.position();
            T::encode_slice(self, w);
            // Only what has no size in memory can be spelled without bytes.
            if size_of::<T>() == 0 && w.position() == at {
                w.charge_nodes(u32::try_from(self.len()).unwrap_or(u32::MAX));
            }
        });
    }

    #[inline]
    fn as_run(&self) -> Option<&[u8]> {
        T::list_as_run(self)
    }
}

impl<T: Encode> Encode for Vec<T> {
    #[inline]
    fn encode(&self, w: &mut Writer<'_>) {
        self.as_slice().encode(w);
    }

    #[inline]
    fn take_bytes(&mut self) -> Option<Vec<u8>> {
        T::list_take_bytes(self)
    }

    #[inline]
    fn as_run(&self) -> Option<&[u8]> {
        T::list_as_run(self)
    }
}

impl<'a, T: Decode<'a>> Decode<'a> for Vec<T> {
    const MIN_SIZE: usize = 4;

    #[inline]
    fn decode(r: &mut Reader<'a>) -> Result<Self, Error> {
        // Checked against the bytes left and charged, before anything is made.
        let count = r.count(T::MIN_SIZE, size_of::<T>())?;
        r.nested(|r| T::decode_vec(r, count))
    }

    #[inline]
    fn from_body(body: Body<'a>) -> Result<Self, Error> {
        T::list_from_body(body)
    }
}

impl<T: Encode> Encode for Option<T> {
    #[inline]
    fn encode(&self, w: &mut Writer<'_>) {
        w.u8(u8::from(self.is_some()));
        if let Some(value) = self {
            value.encode(w);
        }
    }
}

impl<'a, T: Decode<'a>> Decode<'a> for Option<T> {
    const MIN_SIZE: usize = 1;

    #[inline]
    fn decode(r: &mut Reader<'a>) -> Result<Self, Error> {
        match r.u8()? {
            0 => Ok(None),
            1 => T::decode(r).map(Some),
            found => Err(Error::BadOption { found, offset: r.offset() - 1 }),
        }
    }
}

impl<T: Encode + ?Sized> Encode for Box<T> {
    #[inline]
    fn encode(&self, w: &mut Writer<'_>) {
        w.nested(|w| (**self).encode(w));
    }
}

impl<'a, T: Decode<'a>> Decode<'a> for Box<T> {
    const MIN_SIZE: usize = T::MIN_SIZE;

    #[inline]
    fn decode(r: &mut Reader<'a>) -> Result<Self, Error> {
        // A box takes memory however few bytes spell what is in it.
        r.charge_memory(size_of::<T>())?;
        r.nested(T::decode).map(Self::new)
    }
}

impl Encode for () {
    #[inline]
    fn encode(&self, _: &mut Writer<'_>) {}
}

impl<'a> Decode<'a> for () {
    const MIN_SIZE: usize = 0;

    #[inline]
    fn decode(_: &mut Reader<'a>) -> Result<Self, Error> {
        Ok(())
    }
}

/// Reads a list of bytes, which keeps the memory of a run.
#[inline]
fn bytes_of(body: Body<'_>) -> Result<Vec<u8>, Error> {
    match body {
        // A list may not have more: reading it says so.
        Body::Owned(run) if run.len() <= limits::MEMORY => Ok(std::mem::take(run)),
        body => from_slice(body.spelled()),
    }
}

/// Reads a text, which keeps the memory of a run.
#[inline]
fn text_of(body: Body<'_>) -> Result<String, Error> {
    match body {
        Body::Slice(bytes) => from_slice(bytes),
        Body::Owned(run) => text_of_run(run),
    }
}

#[cold]
fn text_of_run(run: &mut Vec<u8>) -> Result<String, Error> {
    String::from_utf8(std::mem::take(run)).or_else(|error| {
        // It is put back, so that reading it as it is spelled says what is wrong with it.
        *run = error.into_bytes();
        from_slice(spelled(run))
    })
}
