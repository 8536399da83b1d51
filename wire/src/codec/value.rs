//! A value that says itself what it is, for tools and for interfaces that cannot know their types.
//! How static types are spelled lives in `codec`; conversions live at the end of this file and
//! decide nothing.
//!
//! Invariants:
//! 1. Each value costs a node of the budget, each list, map and record a level of depth. Kept by
//!    `values_are_charged_a_node_each`, `values_are_64_levels_deep`.
//! 2. What was read is written again byte for byte. Kept by
//!    `each_value_prints_as_it_says_and_is_written_again`.

use std::fmt;

use super::{Decode, Encode, Reader, Writer};
use crate::Error;
use crate::text::Quoted;

/// A self-describing value.
///
/// ```
/// use peers_wire::Value;
/// let value = Value::List(vec![Value::from("dune"), Value::from(1965), Value::Null]);
/// assert_eq!(value.to_string(), r#"["dune", 1965, null]"#);
/// ```
#[derive(Clone, Default, PartialEq)]
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
#[derive(Clone, Default, PartialEq)]
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
        // As its reader does: a value can be as small as one byte, and takes much more memory.
        w.charge_nodes(1);
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
                // Written as a list of pairs, which is a level deeper.
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
        match r.u8()? {
            NULL => Ok(Self::Null),
            BOOL => r.read().map(Self::Bool),
            INT => r.read().map(Self::Int),
            UINT => r.read().map(Self::Uint),
            FLOAT => r.read().map(Self::Float),
            STRING => r.read().map(Self::String),
            BYTES => r.read().map(Self::Bytes),
            LIST => r.read().map(Self::List),
            MAP => r.read().map(Self::Map),
            RECORD => {
                // A node of its own on the heap, for a single byte of input.
                r.charge_memory(size_of::<Record>())?;
                let (name, fields) = r.read()?;
                Ok(Self::Record(Box::new(Record { name, fields })))
            }
            found => Err(Error::UnknownTag { found, offset: r.offset() - 1 }),
        }
    }
}

/// Reads as if it were derived, with escapes for what cannot be seen in the text.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("Null"),
            Self::Bool(value) => f.debug_tuple("Bool").field(value).finish(),
            Self::Int(value) => f.debug_tuple("Int").field(value).finish(),
            Self::Uint(value) => f.debug_tuple("Uint").field(value).finish(),
            Self::Float(value) => f.debug_tuple("Float").field(value).finish(),
            Self::String(value) => f.debug_tuple("String").field(&Quoted(value)).finish(),
            Self::Bytes(value) => f.debug_tuple("Bytes").field(value).finish(),
            Self::List(items) => f.debug_tuple("List").field(items).finish(),
            Self::Map(pairs) => f.debug_tuple("Map").field(pairs).finish(),
            Self::Record(record) => f.debug_tuple("Record").field(record).finish(),
        }
    }
}

/// Reads as if it were derived, with escapes for what cannot be seen in the names.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = self.fields.iter().map(|(name, value)| (Quoted(name), value));
        let fields: Vec<_> = fields.collect();
        f.debug_struct("Record")
            .field("name", &Quoted(&self.name))
            .field("fields", &fields)
            .finish()
    }
}

/// Reads like a literal: strings and bytes are quoted, and whatever a terminal might act on is
/// escaped.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Uint(value) => write!(f, "{value}"),
            // So that a whole number can be told from an integer.
            Self::Float(value) => write!(f, "{value:?}"),
            Self::String(value) => write!(f, "{:?}", Quoted(value)),
            Self::Bytes(value) => write!(f, "b\"{}\"", value.escape_ascii()),
            Self::List(items) => {
                f.write_str("[")?;
                separated(f, items, |f, item| write!(f, "{item}"))?;
                f.write_str("]")
            }
            Self::Map(pairs) => {
                f.write_str("{")?;
                separated(f, pairs, |f, (key, value)| write!(f, "{key}: {value}"))?;
                f.write_str("}")
            }
            Self::Record(record) => write!(f, "{record}"),
        }
    }
}

/// `name(field: value, ...)`; a name that is no identifier is quoted.
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_name(f, &self.name)?;
        f.write_str("(")?;
        separated(f, &self.fields, |f, (name, value)| {
            write_name(f, name)?;
            write!(f, ": {value}")
        })?;
        f.write_str(")")
    }
}

fn separated<T>(
    f: &mut fmt::Formatter<'_>,
    items: &[T],
    mut write: impl FnMut(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        write(f, item)?;
    }
    Ok(())
}

fn write_name(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':');
    // Everything else is quoted, so that no name looks like a part of the value around it.
    if !name.is_empty() && name.bytes().all(plain) {
        f.write_str(name)
    } else {
        write!(f, "{:?}", Quoted(name))
    }
}

/// Returns what a value is, if it is that.
impl Value {
    /// Returns whether this is null.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Returns the truth value.
    #[must_use]
    pub const fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// Returns the number, with or without a sign, if it fits.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            Self::Uint(value) => i64::try_from(*value).ok(),
            _ => None,
        }
    }

    /// Returns the number, with or without a sign, if it fits.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Int(value) => u64::try_from(*value).ok(),
            Self::Uint(value) => Some(*value),
            _ => None,
        }
    }

    /// Returns the floating-point number.
    #[must_use]
    pub const fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(value) => Some(value),
            _ => None,
        }
    }

    /// Returns the run of bytes.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(value) => Some(value),
            _ => None,
        }
    }

    /// Returns the elements of a list.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// Returns the pairs of a map.
    #[must_use]
    pub fn as_map(&self) -> Option<&[(Self, Self)]> {
        match self {
            Self::Map(pairs) => Some(pairs),
            _ => None,
        }
    }

    /// Returns the record.
    #[must_use]
    pub fn as_record(&self) -> Option<&Record> {
        match self {
            Self::Record(record) => Some(record),
            _ => None,
        }
    }

    /// Finds the first field of a record, or value of a map, with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Map(pairs) => {
                pairs.iter().find(|(key, _)| key.as_str() == Some(name)).map(|(_, value)| value)
            }
            Self::Record(record) => {
                record.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
            }
            _ => None,
        }
    }
}

macro_rules! from {
    ($($type:ty => |$value:ident| $made:expr;)*) => {$(
        impl From<$type> for Value {
            fn from($value: $type) -> Self {
                $made
            }
        }
    )*};
}

from! {
    () => |_unit| Self::Null;
    bool => |value| Self::Bool(value);
    i8 => |value| Self::Int(value.into());
    i16 => |value| Self::Int(value.into());
    i32 => |value| Self::Int(value.into());
    i64 => |value| Self::Int(value);
    u8 => |value| Self::Uint(value.into());
    u16 => |value| Self::Uint(value.into());
    u32 => |value| Self::Uint(value.into());
    u64 => |value| Self::Uint(value);
    f32 => |value| Self::Float(value.into());
    f64 => |value| Self::Float(value);
    &str => |value| Self::String(value.to_owned());
    String => |value| Self::String(value);
    &[u8] => |value| Self::Bytes(value.to_owned());
    Vec<u8> => |value| Self::Bytes(value);
    Vec<Value> => |items| Self::List(items);
    Vec<(Value, Value)> => |pairs| Self::Map(pairs);
    Record => |record| Self::Record(Box::new(record));
}

/// `None` becomes null.
impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl FromIterator<Self> for Value {
    fn from_iter<I: IntoIterator<Item = Self>>(items: I) -> Self {
        Self::List(items.into_iter().collect())
    }
}
