//! Writing: a value that fits its type, as generated code writes it.

use crate::fit::{Fit, Misfit};
use crate::types;
use crate::value::Value;
use peers_rpc::wire::{Encode, Writer};
use peers_rpcc::Schema;
use peers_rpcc::schema::{Field, Kind, Scalar, Ty, TypeId};

/// A value together with its type, which it fits: to be written, or to be printed in the text form.
#[derive(Clone, Copy, Debug)]
pub struct Typed<'v> {
    pub(crate) schema: &'v Schema,
    pub(crate) ty: &'v Ty,
    pub(crate) value: &'v Value,
}

impl<'v> Typed<'v> {
    /// Puts a value and its type together.
    ///
    /// # Errors
    /// Where and why the value is not of that type.
    pub fn new(schema: &'v Schema, ty: &'v Ty, value: &'v Value) -> Result<Self, Misfit> {
        Fit::new(schema).check(ty, value)?;
        Ok(Self { schema, ty, value })
    }
}

impl Encode for Typed<'_> {
    fn encode(&self, w: &mut Writer<'_>) {
        encode(self.schema, self.ty, self.value, w);
    }
}

/// Writes a value, which fits.
pub(crate) fn encode(schema: &Schema, ty: &Ty, value: &Value, w: &mut Writer<'_>) {
    let all = |of: &Ty, items: &[Value], w: &mut Writer<'_>| {
        items.iter().for_each(|item| encode(schema, of, item, w));
    };
    match (ty, value) {
        (Ty::Scalar(scalar), value) => encode_scalar(*scalar, value, w),
        (Ty::List(_), Value::Numbers(numbers)) => w.write(numbers),
        (Ty::List(of), Value::List(items)) | (Ty::Set(of), Value::Set(items)) => {
            w.elements(items.len(), |w| all(of, items, w));
        }
        (Ty::Map(key, of), Value::Map(entries)) => w.elements(entries.len(), |w| {
            for (one, value) in entries {
                encode(schema, key, one, w);
                encode(schema, of, value, w);
            }
        }),
        (Ty::Option { .. }, Value::Option(None)) => w.u8(0),
        (Ty::Option { of, boxed }, Value::Option(Some(value))) => {
            w.u8(1);
            // A box is a level, as it is in generated code.
            if *boxed {
                w.nested(|w| encode(schema, of, value, w));
            } else {
                encode(schema, of, value, w);
            }
        }
        (Ty::Tuple(parts), Value::Tuple(values)) => {
            parts.iter().zip(values).for_each(|(ty, value)| encode(schema, ty, value, w));
        }
        (Ty::Named(id), value) => encode_named(schema, *id, value, w),
        _ => debug_assert!(false, "the value fits its type"),
    }
}

fn encode_scalar(scalar: Scalar, value: &Value, w: &mut Writer<'_>) {
    match value {
        Value::Bool(value) => w.write(value),
        Value::F32(value) => w.write(value),
        Value::F64(value) => w.write(value),
        Value::String(value) => w.write(value),
        Value::Bytes(value) => w.write(value),
        Value::Any(value) => w.write(value),
        Value::Int(number) => low_bytes(scalar, number.to_be_bytes(), w),
        Value::Uint(number) => low_bytes(scalar, number.to_be_bytes(), w),
        _ => debug_assert!(false, "the value fits its type"),
    }
}

/// Writes the last bytes of a number in network order are the number in fewer bytes, if it fits.
fn low_bytes(scalar: Scalar, bytes: [u8; 8], w: &mut Writer<'_>) {
    let size = types::min_size(&Ty::Scalar(scalar));
    w.put(&bytes[bytes.len() - size..]);
}

/// Writes a struct, an exception or an enum.
pub(crate) fn encode_named(schema: &Schema, id: TypeId, value: &Value, w: &mut Writer<'_>) {
    match (schema.ty(id).kind(), value) {
        (Kind::Struct(fields) | Kind::Exception(fields), Value::Struct(values)) => {
            w.structure(|w| encode_fields(schema, fields, values, w));
        }
        (Kind::Enum(variants), Value::Enum(at, values)) => {
            w.variant(*at);
            let variant = usize::try_from(*at).ok().and_then(|at| variants.get(at));
            debug_assert!(variant.is_some(), "the value fits its type");
            encode_fields(schema, variant.map_or(&[], |variant| variant.fields()), values, w);
        }
        _ => debug_assert!(false, "the value fits its type"),
    }
}

/// Writes fields or arguments, one after the other.
pub(crate) fn encode_fields(
    schema: &Schema,
    fields: &[Field],
    values: &[Value],
    w: &mut Writer<'_>,
) {
    for (field, value) in fields.iter().zip(values) {
        encode(schema, field.ty(), value, w);
    }
}
