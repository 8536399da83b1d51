//! Says whether a value is of a type. Whatever writes or prints values relies on it.
//!
//! Invariants:
//! 1. A value that fits can be written by every writer, and read back by every reader, but for its
//!    size. Kept by `encode`, `levels_end_where_those_of_generated_code_do`.

use crate::types;
use crate::value::Value;
use peers_rpc::wire::{self, limits};
use peers_rpcc::Schema;
use peers_rpcc::schema::{Field, Kind, Scalar, Ty, TypeId};
use std::fmt;

/// The most steps from a value to what is innermost in it. Steps that are no levels of depth
/// (fields, parts of tuples) cost stack, too; a type of one's own never has so many.
pub(crate) const MOST_STEPS: u32 = 1_000;

/// Says why a value is not of a type, and where in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Leads to the part that does not fit: `visited[3].name`; empty for the whole.
    pub path: String,
    /// Holds what is wrong with it.
    pub what: String,
}

impl Misfit {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { path: String::new(), what: what.into() }
    }

    /// Puts a step in front of the path: seen from what contains it.
    pub(crate) fn inside(mut self, step: &str) -> Self {
        self.path.insert_str(0, step);
        self
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.trim_start_matches('.');
        if path.is_empty() { f.write_str(&self.what) } else { write!(f, "{path}: {}", self.what) }
    }
}

impl std::error::Error for Misfit {}

/// Checks a value, from levels and steps that are left.
#[derive(Clone, Copy)]
pub(crate) struct Fit<'s> {
    schema: &'s Schema,
    depth: u32,
    steps: u32,
}

impl<'s> Fit<'s> {
    pub(crate) const fn new(schema: &'s Schema) -> Self {
        Self { schema, depth: limits::DEPTH, steps: MOST_STEPS }
    }

    /// Goes one level deeper.
    fn nested(self) -> Result<Self, Misfit> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth, ..self }),
            None => Err(Misfit::new(format!("nested deeper than {}", limits::DEPTH))),
        }
    }

    pub(crate) fn check(self, ty: &Ty, value: &Value) -> Result<(), Misfit> {
        let Some(steps) = self.steps.checked_sub(1) else {
            return Err(Misfit::new("too many values in each other"));
        };
        let inner = Self { steps, ..self };
        match (ty, value) {
            (Ty::Scalar(scalar), value) => inner.scalar(*scalar, value),
            (Ty::List(of), Value::Numbers(numbers))
                if types::number_of(of) == Some(numbers.scalar()) =>
            {
                inner.nested().map(drop)
            }
            (Ty::List(of), Value::List(items)) if types::number_of(of).is_none() => {
                inner.nested()?.row(of, items)
            }
            (Ty::Set(of), Value::Set(items)) => {
                in_order(items.is_sorted_by(|one, next| one < next))?;
                inner.nested()?.row(of, items)
            }
            (Ty::Map(key, of), Value::Map(entries)) => {
                in_order(entries.is_sorted_by(|one, next| one.0 < next.0))?;
                inner.nested()?.entries(key, of, entries)
            }
            (Ty::Option { .. }, Value::Option(None)) => Ok(()),
            (Ty::Option { of, boxed }, Value::Option(Some(value))) => {
                let inner = if *boxed { inner.nested()? } else { inner };
                inner.check(of, value)
            }
            (Ty::Tuple(parts), Value::Tuple(values)) => inner.tuple(parts, values),
            (Ty::Named(id), value) => inner.named(*id, value),
            _ => Err(inner.other(ty, value)),
        }
    }

    fn other(self, ty: &Ty, value: &Value) -> Misfit {
        Misfit::new(format!("`{}` is expected, not {}", self.schema.show(ty), value.form()))
    }

    fn scalar(self, scalar: Scalar, value: &Value) -> Result<(), Misfit> {
        let number = match (scalar, value) {
            (Scalar::Bool, Value::Bool(_))
            | (Scalar::F32, Value::F32(_))
            | (Scalar::F64, Value::F64(_))
            | (Scalar::String, Value::String(_))
            | (Scalar::Bytes, Value::Bytes(_)) => return Ok(()),
            (Scalar::Value, Value::Any(value)) => return any(value, self.depth),
            (Scalar::I8 | Scalar::I16 | Scalar::I32 | Scalar::I64, Value::Int(number)) => {
                i128::from(*number)
            }
            (Scalar::U8 | Scalar::U16 | Scalar::U32 | Scalar::U64, Value::Uint(number)) => {
                i128::from(*number)
            }
            _ => return Err(self.other(&Ty::Scalar(scalar), value)),
        };
        let fits =
            types::range(scalar).is_some_and(|(least, most)| (least..=most).contains(&number));
        if fits { Ok(()) } else { Err(out_of_range(scalar, &number.to_string())) }
    }

    fn row(self, of: &Ty, items: &[Value]) -> Result<(), Misfit> {
        for (at, item) in items.iter().enumerate() {
            self.check(of, item).map_err(|misfit| misfit.inside(&format!("[{at}]")))?;
        }
        Ok(())
    }

    fn entries(self, key: &Ty, of: &Ty, entries: &[(Value, Value)]) -> Result<(), Misfit> {
        for (at, (one, value)) in entries.iter().enumerate() {
            self.check(key, one).map_err(|misfit| misfit.inside(&format!("[{at}].key")))?;
            self.check(of, value).map_err(|misfit| misfit.inside(&format!("[{at}].value")))?;
        }
        Ok(())
    }

    fn tuple(self, parts: &[Ty], values: &[Value]) -> Result<(), Misfit> {
        count(parts.len(), values.len(), "parts")?;
        for (at, (ty, value)) in parts.iter().zip(values).enumerate() {
            self.check(ty, value).map_err(|misfit| misfit.inside(&format!("[{at}]")))?;
        }
        Ok(())
    }

    /// Checks a struct, an enum or an exception.
    pub(crate) fn named(self, id: TypeId, value: &Value) -> Result<(), Misfit> {
        let ty = self.schema.ty(id);
        match (ty.kind(), value) {
            (Kind::Struct(fields) | Kind::Exception(fields), Value::Struct(values)) => {
                self.fields(fields, values)
            }
            (Kind::Enum(variants), Value::Enum(at, values)) => {
                let variant = usize::try_from(*at).ok().and_then(|at| variants.get(at));
                let Some(variant) = variant else {
                    return Err(Misfit::new(format!("`{}` has no variant {at}", ty.name())));
                };
                self.fields(variant.fields(), values)
            }
            _ => Err(Misfit::new(format!("`{}` is expected, not {}", ty.name(), value.form()))),
        }
    }

    /// Fields or arguments, all of them.
    pub(crate) fn fields(self, fields: &[Field], values: &[Value]) -> Result<(), Misfit> {
        count(fields.len(), values.len(), "fields")?;
        for (field, value) in fields.iter().zip(values) {
            let step = || format!(".{}", field.name());
            self.check(field.ty(), value).map_err(|misfit| misfit.inside(&step()))?;
        }
        Ok(())
    }
}

pub(crate) fn out_of_range(scalar: Scalar, number: &str) -> Misfit {
    let (least, most) = types::range(scalar).unwrap_or_default();
    Misfit::new(format!("{number} is no `{}`, which goes from {least} to {most}", scalar.name()))
}

fn in_order(sorted: bool) -> Result<(), Misfit> {
    // Readers take any order, but the bytes of a value are to be those that generated code writes.
    if sorted {
        Ok(())
    } else {
        Err(Misfit::new("not in ascending order, or something comes twice"))
    }
}

fn count(expected: usize, found: usize, parts: &str) -> Result<(), Misfit> {
    if expected == found {
        return Ok(());
    }
    Err(Misfit::new(format!("{expected} {parts} are expected, not {found}")))
}

/// Checks the levels of a self-describing value.
fn any(value: &wire::Value, depth: u32) -> Result<(), Misfit> {
    let deeper = || {
        let deep = || Misfit::new(format!("nested deeper than {}", limits::DEPTH));
        depth.checked_sub(1).ok_or_else(deep)
    };
    match value {
        wire::Value::List(items) => {
            let depth = deeper()?;
            items.iter().try_for_each(|item| any(item, depth))
        }
        wire::Value::Map(pairs) => {
            let depth = deeper()?;
            pairs
                .iter()
                .try_for_each(|(key, value)| any(key, depth).and_then(|()| any(value, depth)))
        }
        wire::Value::Record(record) => {
            let depth = deeper()?;
            record.fields.iter().try_for_each(|(_, value)| any(value, depth))
        }
        _ => Ok(()),
    }
}
