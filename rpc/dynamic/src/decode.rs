//! Reading: what a peer sent, refused for all that generated code refuses it for.
//!
//! Invariants:
//! 1. Nothing is allocated for bytes that are not there, and all that is allocated is charged
//!    first, at what it weighs here. Kept by
//!    `what_would_unfold_past_the_budget_is_refused_before_it_is_made`.
//! 2. Sets and maps come out in order, in whatever order they came. Kept by
//!    `sets_and_maps_are_read_in_any_order_and_written_in_one`.
//! 3. Of several things that are wrong, the first is told. Kept by
//!    `bad_arguments_are_refused_in_the_same_words`.

use crate::fit::MOST_STEPS;
use crate::value::{Numbers, Repeated, Value, ascending};
use crate::{intern, types};
use peers_rpc::wire::{Error, Reader, limits};
use peers_rpcc::Schema;
use peers_rpcc::schema::{Field, Kind, Scalar, Ty, TypeId};

/// Reads a value of a type.
///
/// Its memory is charged at what it weighs here, which is more than in generated code where small
/// things stand in lists: those that would go beyond [`limits::MEMORY`] are refused. Lists of
/// numbers weigh the same.
///
/// # Errors
/// Whatever is wrong with the bytes, as generated code tells it.
pub fn decode(schema: &Schema, ty: &Ty, r: &mut Reader<'_>) -> Result<Value, Error> {
    Decoder { schema, steps: MOST_STEPS }.value(ty, r)
}

/// Reads fields or arguments that stand one after the other.
pub(crate) fn decode_arguments(
    schema: &Schema,
    fields: &[Field],
    r: &mut Reader<'_>,
) -> Result<Vec<Value>, Error> {
    Decoder { schema, steps: MOST_STEPS }.fields(fields, r)
}

/// Reads an exception, by its arguments.
pub(crate) fn decode_named(
    schema: &Schema,
    id: TypeId,
    r: &mut Reader<'_>,
) -> Result<Value, Error> {
    Decoder { schema, steps: MOST_STEPS }.named(id, r)
}

#[derive(Clone, Copy)]
struct Decoder<'s> {
    schema: &'s Schema,
    /// Says how many steps deeper it may go.
    steps: u32,
}

/// Elements as they are read: where each began, and whether they have come in order so far.
struct Elements<T> {
    items: Vec<T>,
    offsets: Vec<usize>,
}

impl Decoder<'_> {
    fn value(self, ty: &Ty, r: &mut Reader<'_>) -> Result<Value, Error> {
        // Steps that are no levels of depth cost stack, too.
        let Some(steps) = self.steps.checked_sub(1) else {
            return Err(Error::TooDeep { limit: MOST_STEPS });
        };
        let inner = Self { steps, ..self };
        match ty {
            Ty::Scalar(scalar) => decode_scalar(*scalar, r),
            Ty::List(of) => inner.list(of, r),
            Ty::Set(of) => inner.set(of, r),
            Ty::Map(key, value) => inner.map(key, value, r),
            Ty::Option { of, boxed } => inner.option(of, *boxed, r),
            Ty::Tuple(parts) => {
                r.charge_memory(parts.len() * size_of::<Value>())?;
                let values: Result<Vec<_>, _> = parts.iter().map(|ty| inner.value(ty, r)).collect();
                values.map(Value::Tuple)
            }
            Ty::Named(id) => inner.named(*id, r),
        }
    }

    fn list(self, of: &Ty, r: &mut Reader<'_>) -> Result<Value, Error> {
        if let Some(scalar) = types::number_of(of) {
            return decode_numbers(scalar, r);
        }
        let count = r.count(types::min_size(of), size_of::<Value>())?;
        r.nested(|r| {
            // Room is made for what was seen, not for what was announced.
            let mut items = Vec::with_capacity(count.min(limits::CAPACITY_HINT));
            for _ in 0..count {
                items.push(self.value(of, r)?);
            }
            Ok(Value::List(items))
        })
    }

    fn set(self, of: &Ty, r: &mut Reader<'_>) -> Result<Value, Error> {
        let count = r.count(types::min_size(of), size_of::<(Value, usize)>())?;
        r.nested(|r| elements(count, r, |r| self.value(of, r), |item| item)).map(Value::Set)
    }

    fn map(self, key: &Ty, of: &Ty, r: &mut Reader<'_>) -> Result<Value, Error> {
        let least = types::min_size(key) + types::min_size(of);
        let count = r.count(least, size_of::<((Value, Value), usize)>())?;
        let entry = |r: &mut Reader<'_>| Ok((self.value(key, r)?, self.value(of, r)?));
        r.nested(|r| elements(count, r, entry, |(key, _)| key)).map(Value::Map)
    }

    fn option(self, of: &Ty, boxed: bool, r: &mut Reader<'_>) -> Result<Value, Error> {
        match r.u8()? {
            0 => Ok(Value::none()),
            1 => {
                r.charge_memory(size_of::<Value>())?;
                let value = if boxed { r.nested(|r| self.value(of, r)) } else { self.value(of, r) };
                value.map(Value::some)
            }
            found => Err(Error::BadOption { found, offset: r.offset() - 1 }),
        }
    }

    fn named(self, id: TypeId, r: &mut Reader<'_>) -> Result<Value, Error> {
        match self.schema.ty(id).kind() {
            Kind::Struct(fields) | Kind::Exception(fields) => self.structure(fields, r),
            Kind::Enum(variants) => {
                let at = r.variant()?;
                match usize::try_from(at).ok().and_then(|at| variants.get(at)) {
                    Some(variant) => Ok(Value::Enum(at, self.fields(variant.fields(), r)?)),
                    None => {
                        let name = intern::name(&self.schema.type_name(id));
                        Err(r.unknown_variant(name.unwrap_or("an enum"), at))
                    }
                }
            }
        }
    }

    fn structure(self, fields: &[Field], r: &mut Reader<'_>) -> Result<Value, Error> {
        r.charge_memory(fields.len() * size_of::<Value>())?;
        let mut inside = r.structure()?;
        let is_option = |field: &&Field| matches!(field.ty(), Ty::Option { .. });
        let required = fields.len() - fields.iter().rev().take_while(is_option).count();
        let mut values = Vec::with_capacity(fields.len());
        for (at, field) in fields.iter().enumerate() {
            // Options at the end may be missing: older programs do not know them.
            let missing = at >= required && inside.is_empty();
            let value = if missing { Value::none() } else { self.value(field.ty(), &mut inside)? };
            values.push(value);
        }
        // What is left is of newer programs, and skipped when the structure is dropped.
        Ok(Value::Struct(values))
    }

    fn fields(self, fields: &[Field], r: &mut Reader<'_>) -> Result<Vec<Value>, Error> {
        r.charge_memory(fields.len() * size_of::<Value>())?;
        fields.iter().map(|field| self.value(field.ty(), r)).collect()
    }
}

/// Reads elements and puts them in order.
fn elements<'a, T>(
    count: usize,
    r: &mut Reader<'a>,
    read: impl Fn(&mut Reader<'a>) -> Result<T, Error>,
    key: impl Fn(&T) -> &Value,
) -> Result<Vec<T>, Error> {
    let room = count.min(limits::CAPACITY_HINT);
    let mut all = Elements { items: Vec::with_capacity(room), offsets: Vec::with_capacity(room) };
    let mut failed = None;
    for _ in 0..count {
        all.offsets.push(r.offset());
        match read(r) {
            Ok(item) => all.items.push(item),
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    let Elements { items, offsets } = all;
    // A repetition among what came before an error is told, since it was met first.
    match (ascending(items, key), failed) {
        (Err(Repeated(at)), _) => Err(Error::Duplicate { offset: offsets[at] }),
        (Ok(_), Some(error)) => Err(error),
        (Ok(items), None) => Ok(items),
    }
}

fn decode_scalar(scalar: Scalar, r: &mut Reader<'_>) -> Result<Value, Error> {
    Ok(match scalar {
        Scalar::Bool => Value::Bool(r.read()?),
        Scalar::I8 => Value::Int(r.read::<i8>()?.into()),
        Scalar::I16 => Value::Int(r.read::<i16>()?.into()),
        Scalar::I32 => Value::Int(r.read::<i32>()?.into()),
        Scalar::I64 => Value::Int(r.read()?),
        Scalar::U8 => Value::Uint(r.read::<u8>()?.into()),
        Scalar::U16 => Value::Uint(r.read::<u16>()?.into()),
        Scalar::U32 => Value::Uint(r.read::<u32>()?.into()),
        Scalar::U64 => Value::Uint(r.read()?),
        Scalar::F32 => Value::F32(r.read()?),
        Scalar::F64 => Value::F64(r.read()?),
        Scalar::String => Value::String(r.read()?),
        Scalar::Bytes => Value::Bytes(r.read()?),
        Scalar::Value => Value::Any(r.read()?),
    })
}

fn decode_numbers(scalar: Scalar, r: &mut Reader<'_>) -> Result<Value, Error> {
    Ok(Value::Numbers(match scalar {
        Scalar::Bool => Numbers::Bool(r.read()?),
        Scalar::I8 => Numbers::I8(r.read()?),
        Scalar::I16 => Numbers::I16(r.read()?),
        Scalar::I32 => Numbers::I32(r.read()?),
        Scalar::I64 => Numbers::I64(r.read()?),
        Scalar::U16 => Numbers::U16(r.read()?),
        Scalar::U32 => Numbers::U32(r.read()?),
        Scalar::U64 => Numbers::U64(r.read()?),
        Scalar::F32 => Numbers::F32(r.read()?),
        Scalar::F64 => Numbers::F64(r.read()?),
        Scalar::U8 | Scalar::String | Scalar::Bytes | Scalar::Value => {
            debug_assert_eq!(scalar, Scalar::U8, "the others are no numbers");
            Numbers::U8(r.read()?)
        }
    }))
}
