//! Values of all kinds of types, made by chance, and the same types as generated code has them.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its share")]
#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

use peers_dynamic::{Numbers, Value};
use peers_rpc::wire;
use peers_rpcc::schema::{Field, Kind, Scalar, Ty, TypeId};
use peers_rpcc::{Compiler, Schema};
use std::path::Path;
use std::sync::Arc;

/// As the compiler writes it; `tests/tests/interfaces.rs` compares.
pub mod generated {
    include!("../interfaces/golden/kinds.rs");
}

pub fn schema() -> Arc<Schema> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interfaces/kinds.rpc");
    Arc::new(Compiler::new().schema(file).unwrap())
}

pub fn schema_of(text: &str) -> Arc<Schema> {
    Arc::new(Compiler::with_loader(|_path| Ok(text.into())).schema("test.rpc").unwrap())
}

/// The type of a name, in a schema.
pub fn named(schema: &Schema, name: &str) -> Ty {
    Ty::Named(schema.type_named(name).unwrap())
}

/// Xorshift: small, and the same everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % limit.max(1)
    }

    fn number(&mut self) -> u64 {
        let shift = self.below(64);
        match self.below(6) {
            0 => 0,
            1 => u64::MAX,
            2 => 1 << 63,
            _ => self.next() >> shift,
        }
    }

    fn float(&mut self) -> f64 {
        const SPECIAL: [f64; 8] =
            [0.0, -0.0, 1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE, 1e300];
        let any = f64::from_bits(self.next());
        if self.below(3) > 0 && !any.is_nan() { any } else { SPECIAL[self.below(SPECIAL.len())] }
    }

    fn single(&mut self) -> f32 {
        let any = f32::from_bits(u32::try_from(self.next() >> 32).unwrap());
        if self.below(4) > 0 && !any.is_nan() { any } else { f32::NAN }
    }

    fn text(&mut self) -> String {
        const LETTERS: [&str; 14] = [
            "a",
            "b ",
            "'",
            "\"",
            "\\",
            "\n",
            "\t",
            "é",
            "沙",
            "\u{1b}",
            "\u{200e}",
            "\u{e0041}",
            "\0",
            "(",
        ];
        (0..self.below(5)).map(|_| LETTERS[self.below(LETTERS.len())]).collect()
    }

    fn bytes(&mut self) -> Vec<u8> {
        (0..self.below(5)).map(|_| self.next().to_be_bytes()[0]).collect()
    }
}

/// Makes a value of a type; `depth` bounds what is in it.
pub fn value(schema: &Schema, ty: &Ty, random: &mut Random, depth: usize) -> Value {
    let inner = depth.saturating_sub(1);
    let count = if depth == 0 { 0 } else { random.below(4) };
    let make = |ty: &Ty, random: &mut Random| value(schema, ty, random, inner);
    match ty {
        Ty::Scalar(scalar) => scalar_value(*scalar, random, depth),
        Ty::List(of) => match &**of {
            Ty::Scalar(scalar) => list(*scalar, count, random, depth),
            of => Value::List((0..count).map(|_| make(of, random)).collect()),
        },
        Ty::Set(of) => {
            let mut items: Vec<_> = (0..count).map(|_| make(of, random)).collect();
            items.sort();
            items.dedup();
            Value::set(items).unwrap()
        }
        Ty::Map(key, of) => {
            let mut entries: Vec<_> =
                (0..count).map(|_| (make(key, random), make(of, random))).collect();
            entries.sort_by(|one, other| one.0.cmp(&other.0));
            entries.dedup_by(|one, other| one.0 == other.0);
            Value::map(entries).unwrap()
        }
        Ty::Option { of, .. } => {
            if depth == 0 || random.below(3) == 0 {
                Value::none()
            } else {
                Value::some(make(of, random))
            }
        }
        Ty::Tuple(parts) => Value::Tuple(parts.iter().map(|part| make(part, random)).collect()),
        Ty::Named(id) => named_value(schema, *id, random, inner),
    }
}

fn named_value(schema: &Schema, id: TypeId, random: &mut Random, depth: usize) -> Value {
    let all = |fields: &[Field], random: &mut Random| {
        fields.iter().map(|field| value(schema, field.ty(), random, depth)).collect::<Vec<_>>()
    };
    match schema.ty(id).kind() {
        Kind::Struct(fields) | Kind::Exception(fields) => Value::Struct(all(fields, random)),
        Kind::Enum(variants) => {
            let at = random.below(variants.len());
            Value::Enum(u32::try_from(at).unwrap(), all(variants[at].fields(), random))
        }
    }
}

macro_rules! of_scalar {
    ($number:expr, $scalar:expr, $($variant:ident $type:ident),*) => {
        match $scalar {
            $(Scalar::$variant => Value::from($number as $type),)*
            _ => panic!("no number"),
        }
    };
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "any number will do"
)]
fn scalar_value(scalar: Scalar, random: &mut Random, depth: usize) -> Value {
    match scalar {
        Scalar::Bool => Value::Bool(random.below(2) == 0),
        Scalar::F32 => Value::F32(random.single()),
        Scalar::F64 => Value::F64(random.float()),
        Scalar::String => Value::String(random.text()),
        Scalar::Bytes => Value::Bytes(random.bytes()),
        Scalar::Value => Value::Any(any(random, depth)),
        scalar => {
            let number = random.number();
            of_scalar!(number, scalar, I8 i8, I16 i16, I32 i32, I64 i64, U8 u8, U16 u16, U32 u32, U64 u64)
        }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "any number will do"
)]
fn list(scalar: Scalar, count: usize, random: &mut Random, depth: usize) -> Value {
    macro_rules! numbers {
        ($($variant:ident $type:ident),*) => {
            match scalar {
                $(Scalar::$variant => {
                    Numbers::$variant((0..count).map(|_| random.number() as $type).collect())
                })*
                Scalar::Bool => Numbers::Bool((0..count).map(|_| random.below(2) == 0).collect()),
                Scalar::F32 => Numbers::F32((0..count).map(|_| random.single()).collect()),
                Scalar::F64 => Numbers::F64((0..count).map(|_| random.float()).collect()),
                _ => {
                    let items = (0..count).map(|_| scalar_value(scalar, random, depth));
                    return Value::List(items.collect());
                }
            }
        };
    }
    Value::Numbers(numbers!(I8 i8, I16 i16, I32 i32, I64 i64, U8 u8, U16 u16, U32 u32, U64 u64))
}

/// Makes a self-describing value, with repeated keys and names that are none.
#[allow(clippy::cast_possible_wrap, reason = "any number will do")]
pub fn any(random: &mut Random, depth: usize) -> wire::Value {
    let inner = depth.saturating_sub(1);
    let count = random.below(3);
    match random.below(if depth == 0 { 7 } else { 11 }) {
        0 => wire::Value::Null,
        1 => wire::Value::Bool(random.below(2) == 0),
        2 => wire::Value::Int(random.number() as i64),
        3 => wire::Value::Uint(random.number()),
        4 => wire::Value::Float(random.float()),
        5 => wire::Value::String(random.text()),
        6 => wire::Value::Bytes(random.bytes()),
        7 => wire::Value::List((0..count).map(|_| any(random, inner)).collect()),
        8 => {
            wire::Value::Map((0..count).map(|_| (any(random, inner), any(random, inner))).collect())
        }
        _ => {
            const NAMES: [&str; 9] =
                ["None", "some", "b", "inf", "a b", "", "set", "stem.name", "it's"];
            let mut name = || NAMES[random.below(NAMES.len())].to_owned();
            let (own, field) = (name(), name());
            let fields = (0..count).map(|_| (field.clone(), any(random, inner))).collect();
            wire::Value::from(wire::Record { name: own, fields })
        }
    }
}
