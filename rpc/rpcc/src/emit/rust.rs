//! How types of the language are spelled in Rust.

use super::scope;
use crate::model::{Field, Model, Ty, TypeId};
use crate::names;
use crate::source::FileId;
use crate::syntax::ast::Scalar;

/// The owned type, as seen from the module of `file`.
pub(super) fn owned(model: &Model, file: FileId, ty: &Ty) -> String {
    spell(model, file, ty, None)
}

/// The owned type of a field of `owner`.
pub(super) fn field(model: &Model, owner: TypeId, ty: &Ty) -> String {
    spell(model, model.ty(owner).file, ty, Some(owner))
}

fn spell(model: &Model, file: FileId, ty: &Ty, owner: Option<TypeId>) -> String {
    let inner = |ty: &Ty| spell(model, file, ty, owner);
    match ty {
        Ty::Scalar(scalar) => scalar.rust().into(),
        Ty::List(of) => format!("Vec<{}>", inner(of)),
        Ty::Set(of) => format!("std::collections::BTreeSet<{}>", inner(of)),
        Ty::Map(key, value) => {
            format!("std::collections::BTreeMap<{}, {}>", inner(key), inner(value))
        }
        Ty::Option { of, boxed: false } => format!("Option<{}>", inner(of)),
        Ty::Option { of, boxed: true } => format!("Option<Box<{}>>", inner(of)),
        Ty::Tuple(parts) => format!("({})", parts.iter().map(inner).collect::<Vec<_>>().join(", ")),
        Ty::Named(id) if owner == Some(*id) => "Self".into(),
        Ty::Named(id) => scope::type_path(model, file, *id),
    }
}

/// The result of a method.
pub(super) fn result(model: &Model, file: FileId, result: Option<&Ty>) -> String {
    result.map_or_else(|| "()".into(), |ty| owned(model, file, ty))
}

/// The type of a proxy's parameter: what is cheapest for the caller.
pub(super) fn parameter(model: &Model, file: FileId, ty: &Ty) -> String {
    match ty {
        Ty::Scalar(Scalar::String) => "impl AsRef<str>".into(),
        Ty::Scalar(Scalar::Bytes) => "impl AsRef<[u8]>".into(),
        Ty::List(of) => format!("impl AsRef<[{}]>", owned(model, file, of)),
        Ty::Scalar(scalar) if *scalar != Scalar::Value => scalar.rust().into(),
        _ => format!("&{}", owned(model, file, ty)),
    }
}

/// What a proxy encodes of a parameter.
pub(super) fn encoded(field: &Field) -> String {
    let name = names::escape(&field.rust);
    match field.ty {
        Ty::Scalar(Scalar::String | Scalar::Bytes) | Ty::List(_) => format!("{name}.as_ref()"),
        _ => name,
    }
}

/// The type of a constructor's parameter.
pub(super) fn converted(model: &Model, file: FileId, ty: &Ty) -> String {
    match ty {
        Ty::Scalar(scalar @ (Scalar::String | Scalar::Bytes)) => {
            format!("impl Into<{}>", scalar.rust())
        }
        _ => owned(model, file, ty),
    }
}

/// `(a, b)`; with the comma that a tuple of one part needs.
pub(super) fn tuple(parts: &[String]) -> String {
    match parts {
        [one] => format!("({one},)"),
        _ => format!("({})", parts.join(", ")),
    }
}

/// A name for a variable, out of the way of those that generated code uses.
pub(super) fn variable(field: &Field, taken: &[&str]) -> String {
    if taken.contains(&field.rust.as_str()) {
        format!("{}_", field.rust)
    } else {
        names::escape(&field.rust)
    }
}

/// How complex clippy finds a type that stands `depth` levels deep: ten for each name and tuple, times its depth.
pub(super) fn complexity(ty: &Ty, depth: usize) -> usize {
    let inside = match ty {
        Ty::Scalar(_) | Ty::Named(_) => 0,
        Ty::List(of) | Ty::Set(of) | Ty::Option { of, boxed: false } => complexity(of, depth + 1),
        Ty::Option { of, boxed: true } => 10 * (depth + 1) + complexity(of, depth + 2),
        Ty::Map(key, value) => complexity(key, depth + 1) + complexity(value, depth + 1),
        Ty::Tuple(parts) => parts.iter().map(|part| complexity(part, depth + 1)).sum(),
    };
    10 * depth + inside
}
