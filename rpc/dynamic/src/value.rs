//! Values of the types of interface files, told apart by their forms alone: which type a value is
//! of is known by whoever holds it.
//!
//! Invariants:
//! 1. Sets and maps are in ascending order and hold nothing twice, as far as they come from here.
//!    Kept by `sets_and_maps_are_read_in_any_order_and_written_in_one`.
//! 2. Values of one type that has an order compare as those of generated code do. Kept by
//!    `lists_sets_and_maps`.

use peers_rpc::wire;
use std::cmp::Ordering;
use std::fmt;
use std::mem::discriminant;

/// A value of some type of an interface file.
///
/// Floats compare by their bits, in the order of [`f64::total_cmp`], so that values compare with
/// each other whatever is in them.
#[derive(Clone, Debug)]
pub enum Value {
    /// Of `bool`.
    Bool(bool),
    /// Of `i8` to `i64`.
    Int(i64),
    /// Of `u8` to `u64`.
    Uint(u64),
    /// Of `f32`.
    F32(f32),
    /// Of `f64`.
    F64(f64),
    /// Of `string`.
    String(String),
    /// Of `bytes`.
    Bytes(Vec<u8>),
    /// Of a list whose elements are no numbers.
    List(Vec<Self>),
    /// Of a list of numbers, or of `bool`.
    Numbers(Numbers),
    /// Of a set, in ascending order: [`Value::set`] makes one.
    Set(Vec<Self>),
    /// Of a map, in ascending order of keys: [`Value::map`] makes one.
    Map(Vec<(Self, Self)>),
    /// Of an option.
    Option(Option<Box<Self>>),
    /// Of a tuple.
    Tuple(Vec<Self>),
    /// Of a struct or an exception: all fields, in order.
    Struct(Vec<Self>),
    /// Of an enum: the position of the variant, and its fields in order.
    Enum(u32, Vec<Self>),
    /// Of `value`.
    Any(wire::Value),
}

/// An element of a set, or a key of a map, that comes twice: the position of the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeated(pub usize);

impl fmt::Display for Repeated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "element {} is there already", self.0)
    }
}

impl std::error::Error for Repeated {}

impl Value {
    /// Makes a set of these elements, in whatever order they come.
    ///
    /// # Errors
    /// If one comes twice.
    pub fn set(elements: Vec<Self>) -> Result<Self, Repeated> {
        ascending(elements, |element| element).map(Self::Set)
    }

    /// Makes a map of these keys and values, in whatever order they come.
    ///
    /// # Errors
    /// If a key comes twice.
    pub fn map(entries: Vec<(Self, Self)>) -> Result<Self, Repeated> {
        ascending(entries, |(key, _)| key).map(Self::Map)
    }

    /// Makes an option that holds a value.
    #[must_use]
    pub fn some(value: Self) -> Self {
        Self::Option(Some(Box::new(value)))
    }

    /// Makes an option that holds none.
    #[must_use]
    pub const fn none() -> Self {
        Self::Option(None)
    }

    /// Says in a word what form it has.
    pub(crate) const fn form(&self) -> &'static str {
        match self {
            Self::Bool(_) => "a bool",
            Self::Int(_) => "a number with a sign",
            Self::Uint(_) => "a number without a sign",
            Self::F32(_) => "an f32",
            Self::F64(_) => "an f64",
            Self::String(_) => "a string",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "a list",
            Self::Numbers(_) => "a list of numbers",
            Self::Set(_) => "a set",
            Self::Map(_) => "a map",
            Self::Option(_) => "an option",
            Self::Tuple(_) => "a tuple",
            Self::Struct(_) => "a struct",
            Self::Enum(..) => "an enum",
            Self::Any(_) => "a `value`",
        }
    }

    const fn rank(&self) -> u8 {
        match self {
            Self::Bool(_) => 0,
            Self::Int(_) => 1,
            Self::Uint(_) => 2,
            Self::F32(_) => 3,
            Self::F64(_) => 4,
            Self::String(_) => 5,
            Self::Bytes(_) => 6,
            Self::List(_) => 7,
            Self::Numbers(_) => 8,
            Self::Set(_) => 9,
            Self::Map(_) => 10,
            Self::Option(_) => 11,
            Self::Tuple(_) => 12,
            Self::Struct(_) => 13,
            Self::Enum(..) => 14,
            Self::Any(_) => 15,
        }
    }
}

/// Puts items in ascending order of their keys.
///
/// # Errors
/// The position of the first that comes for the second time, where they stood.
pub(crate) fn ascending<T>(items: Vec<T>, key: impl Fn(&T) -> &Value) -> Result<Vec<T>, Repeated> {
    if items.is_sorted_by(|one, next| key(one) < key(next)) {
        return Ok(items);
    }
    let mut order: Vec<(usize, T)> = items.into_iter().enumerate().collect();
    // Stable, so that of equal keys the one that came first stays first.
    order.sort_by(|one, other| key(&one.1).cmp(key(&other.1)));
    let twice = order.windows(2).filter(|pair| key(&pair[0].1) == key(&pair[1].1));
    match twice.map(|pair| pair[1].0).min() {
        Some(at) => Err(Repeated(at)),
        None => Ok(order.into_iter().map(|(_, item)| item).collect()),
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Int(a), Self::Int(b)) => a.cmp(b),
            (Self::Uint(a), Self::Uint(b)) => a.cmp(b),
            (Self::F32(a), Self::F32(b)) => a.total_cmp(b),
            (Self::F64(a), Self::F64(b)) => a.total_cmp(b),
            (Self::String(a), Self::String(b)) => a.cmp(b),
            (Self::Bytes(a), Self::Bytes(b)) => a.cmp(b),
            (Self::List(a), Self::List(b))
            | (Self::Set(a), Self::Set(b))
            | (Self::Tuple(a), Self::Tuple(b))
            | (Self::Struct(a), Self::Struct(b)) => a.cmp(b),
            (Self::Numbers(a), Self::Numbers(b)) => a.compare(b),
            (Self::Map(a), Self::Map(b)) => a.cmp(b),
            (Self::Option(a), Self::Option(b)) => a.cmp(b),
            (Self::Enum(at, a), Self::Enum(other_at, b)) => at.cmp(other_at).then_with(|| a.cmp(b)),
            (Self::Any(a), Self::Any(b)) => compare_any(a, b),
            // Never of one type: any order will do, as long as it is one.
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Value {}

/// Compares two self-describing values, which have no order on the wire.
fn compare_any(a: &wire::Value, b: &wire::Value) -> Ordering {
    use wire::Value as Any;
    match (a, b) {
        (Any::Bool(a), Any::Bool(b)) => a.cmp(b),
        (Any::Int(a), Any::Int(b)) => a.cmp(b),
        (Any::Uint(a), Any::Uint(b)) => a.cmp(b),
        (Any::Float(a), Any::Float(b)) => a.total_cmp(b),
        (Any::String(a), Any::String(b)) => a.cmp(b),
        (Any::Bytes(a), Any::Bytes(b)) => a.cmp(b),
        (Any::List(a), Any::List(b)) => compare_rows(a, b, compare_any),
        (Any::Map(a), Any::Map(b)) => {
            compare_rows(a, b, |a, b| compare_any(&a.0, &b.0).then_with(|| compare_any(&a.1, &b.1)))
        }
        (Any::Record(a), Any::Record(b)) => a.name.cmp(&b.name).then_with(|| {
            let field = |a: &(String, Any), b: &(String, Any)| {
                a.0.cmp(&b.0).then_with(|| compare_any(&a.1, &b.1))
            };
            compare_rows(&a.fields, &b.fields, field)
        }),
        _ if discriminant(a) == discriminant(b) => Ordering::Equal,
        _ => any_rank(a).cmp(&any_rank(b)),
    }
}

fn compare_rows<T>(a: &[T], b: &[T], compare: impl Fn(&T, &T) -> Ordering) -> Ordering {
    let different = a.iter().zip(b).map(|(a, b)| compare(a, b)).find(|order| order.is_ne());
    different.unwrap_or_else(|| a.len().cmp(&b.len()))
}

const fn any_rank(value: &wire::Value) -> u8 {
    use wire::Value as Any;
    match value {
        Any::Null => 0,
        Any::Bool(_) => 1,
        Any::Int(_) => 2,
        Any::Uint(_) => 3,
        Any::Float(_) => 4,
        Any::String(_) => 5,
        Any::Bytes(_) => 6,
        Any::List(_) => 7,
        Any::Map(_) => 8,
        _ => 9,
    }
}

macro_rules! numbers {
    ($($variant:ident $type:ident $scalar:ident $compare:expr;)*) => {
        /// A list of numbers or of truth values, in as little memory as it takes.
        #[derive(Clone, Debug)]
        pub enum Numbers {
            $(
                #[doc = concat!("Of `list<", stringify!($type), ">`.")]
                $variant(Vec<$type>),
            )*
        }

        impl Numbers {
            /// Returns how many there are.
            #[must_use]
            pub fn len(&self) -> usize {
                match self {
                    $(Self::$variant(items) => items.len(),)*
                }
            }

            /// Returns whether there are none.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            fn compare(&self, other: &Self) -> Ordering {
                match (self, other) {
                    $((Self::$variant(a), Self::$variant(b)) => compare_rows(a, b, $compare),)*
                    _ => self.rank().cmp(&other.rank()),
                }
            }

            const fn rank(&self) -> u8 {
                match self {
                    $(Self::$variant(_) => peers_rpcc::schema::Scalar::$scalar as u8,)*
                }
            }

            pub(crate) const fn scalar(&self) -> peers_rpcc::schema::Scalar {
                match self {
                    $(Self::$variant(_) => peers_rpcc::schema::Scalar::$scalar,)*
                }
            }
        }

        impl wire::Encode for Numbers {
            fn encode(&self, w: &mut wire::Writer<'_>) {
                match self {
                    $(Self::$variant(items) => w.write(items),)*
                }
            }
        }

        $(
            impl From<Vec<$type>> for Value {
                fn from(items: Vec<$type>) -> Self {
                    Self::Numbers(Numbers::$variant(items))
                }
            }
        )*
    };
}

numbers! {
    Bool bool Bool bool::cmp;
    I8 i8 I8 i8::cmp;
    I16 i16 I16 i16::cmp;
    I32 i32 I32 i32::cmp;
    I64 i64 I64 i64::cmp;
    U8 u8 U8 u8::cmp;
    U16 u16 U16 u16::cmp;
    U32 u32 U32 u32::cmp;
    U64 u64 U64 u64::cmp;
    F32 f32 F32 f32::total_cmp;
    F64 f64 F64 f64::total_cmp;
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::String(value.into())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::String(value)
    }
}

impl From<f32> for Value {
    fn from(value: f32) -> Self {
        Self::F32(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::F64(value)
    }
}

macro_rules! integers {
    ($($type:ident $variant:ident),*) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$variant(value.into())
            }
        }
    )*};
}

integers!(i8 Int, i16 Int, i32 Int, i64 Int, u8 Uint, u16 Uint, u32 Uint, u64 Uint);
