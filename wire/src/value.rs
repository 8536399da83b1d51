//! A value that says itself what it is, for tools and for interfaces that cannot know their types. How static types
//! are spelled lives in `codec`.
//!
//! Invariants: 1. each value costs a node of the budget, each list, map and record a level of depth; 2. what was read is written again
//! byte for byte.

use crate::{Decode, Encode, Error, Reader, Writer};

/// A self-describing value.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Nothing.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// A number with a sign.
    Int(i64),
    /// A number without a sign.
    Uint(u64),
    /// A floating-point number.
    Float(f64),
    /// A text.
    String(String),
    /// A run of bytes.
    Bytes(Vec<u8>),
    /// Values in a row.
    List(Vec<Self>),
    /// Pairs of key and value, in the order written; keys may repeat.
    Map(Vec<(Self, Self)>),
    /// A name and named fields.
    Record(Box<Record>),
}

/// A name and named fields: a struct, or a variant of an enum.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// The name of the type or variant.
    pub name: String,
    /// Names and values of the fields, in the order written.
    pub fields: Vec<(String, Value)>,
}

const NULL: u8 = 0;
const BOOL: u8 = 1;
const INT: u8 = 2;
const UINT: u8 = 3;
const FLOAT: u8 = 4;
const STRING: u8 = 5;
const BYTES: u8 = 6;
const LIST: u8 = 7;
const MAP: u8 = 8;
const RECORD: u8 = 9;

impl Encode for Value {
    fn encode(&self, w: &mut Writer<'_>) {
        match self {
            Self::Null => w.u8(NULL),
            Self::Bool(value) => tagged(w, BOOL, value),
            Self::Int(value) => tagged(w, INT, value),
            Self::Uint(value) => tagged(w, UINT, value),
            Self::Float(value) => tagged(w, FLOAT, value),
            Self::String(value) => tagged(w, STRING, value),
            Self::Bytes(value) => tagged(w, BYTES, value),
            Self::List(items) => tagged(w, LIST, items),
            Self::Map(pairs) => tagged(w, MAP, pairs),
            Self::Record(record) => {
                tagged(w, RECORD, &record.name);
                w.write(&record.fields);
            }
        }
    }
}

fn tagged<T: Encode + ?Sized>(w: &mut Writer<'_>, tag: u8, value: &T) {
    w.u8(tag);
    value.encode(w);
}

impl<'a> Decode<'a> for Value {
    const MIN_SIZE: usize = 1;

    fn decode(r: &mut Reader<'a>) -> Result<Self, Error> {
        r.charge_nodes(1)?;
        Ok(match r.u8()? {
            NULL => Self::Null,
            BOOL => Self::Bool(r.read()?),
            INT => Self::Int(r.read()?),
            UINT => Self::Uint(r.read()?),
            FLOAT => Self::Float(r.read()?),
            STRING => Self::String(r.read()?),
            BYTES => Self::Bytes(r.read()?),
            LIST => Self::List(r.read()?),
            MAP => Self::Map(r.read()?),
            RECORD => {
                r.charge_memory(size_of::<Record>())?;
                Self::Record(Box::new(Record { name: r.read()?, fields: r.read()? }))
            }
            found => return Err(Error::UnknownTag { found, offset: r.offset() - 1 }),
        })
    }
}
