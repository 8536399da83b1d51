//! Spells types of the language in Rust.

use super::scope;
use crate::model::{Field, Model, Ty, TypeId};
use crate::names;
use crate::source::FileId;
use crate::syntax::ast::Scalar;

/// Returns the owned type, as seen from the module of `file`.
pub(super) fn owned(model: &Model, file: FileId, ty: &Ty) -> String {
    spell(model, file, ty, None, |scalar| scalar.rust(&model.rpc))
}

/// Returns the type of an argument that is lent.
pub(super) fn lent(model: &Model, file: FileId, ty: &Ty) -> String {
    let scalar = |scalar: Scalar| match scalar {
        Scalar::String => "&::std::primitive::str".into(),
        Scalar::Bytes => "&[::std::primitive::u8]".into(),
        _ => scalar.rust(&model.rpc),
    };
    spell(model, file, ty, None, scalar)
}

/// Returns the owned type of a field of `owner`.
pub(super) fn field(model: &Model, owner: TypeId, ty: &Ty) -> String {
    spell(model, model.ty(owner).file, ty, Some(owner), |scalar| scalar.rust(&model.rpc))
}

fn spell(
    model: &Model,
    file: FileId,
    ty: &Ty,
    owner: Option<TypeId>,
    scalar: impl Copy + Fn(Scalar) -> String,
) -> String {
    let inner = |ty: &Ty| spell(model, file, ty, owner, scalar);
    match ty {
        Ty::Scalar(one) => scalar(*one),
        Ty::List(of) => format!("::std::vec::Vec<{}>", inner(of)),
        Ty::Set(of) => format!("::std::collections::BTreeSet<{}>", inner(of)),
        Ty::Map(key, value) => {
            format!("::std::collections::BTreeMap<{}, {}>", inner(key), inner(value))
        }
        Ty::Option { of, boxed: false } => format!("::std::option::Option<{}>", inner(of)),
        Ty::Option { of, boxed: true } => {
            format!("::std::option::Option<::std::boxed::Box<{}>>", inner(of))
        }
        Ty::Tuple(parts) => format!("({})", parts.iter().map(inner).collect::<Vec<_>>().join(", ")),
        Ty::Named(id) if owner == Some(*id) => "Self".into(),
        Ty::Named(id) => scope::type_path(model, file, *id),
    }
}

/// Returns the owned result of a method.
pub(super) fn result(model: &Model, file: FileId, result: Option<&Ty>) -> String {
    result.map_or_else(|| "()".into(), |ty| owned(model, file, ty))
}

/// Returns the result of a method that may lend it: each part that has memory of its own may be the
/// state's.
pub(super) fn lent_result(model: &Model, file: FileId, ty: &Ty) -> String {
    let inner = |ty: &Ty| lent_result(model, file, ty);
    let cow = |of: &str| format!("::std::borrow::Cow<'_, {of}>");
    match ty {
        Ty::Option { of, .. } => format!("::std::option::Option<{}>", inner(of)),
        Ty::Tuple(parts) => format!("({})", parts.iter().map(inner).collect::<Vec<_>>().join(", ")),
        Ty::Scalar(Scalar::String) => cow("::std::primitive::str"),
        Ty::Scalar(Scalar::Bytes) => cow("[::std::primitive::u8]"),
        Ty::List(of) => cow(&format!("[{}]", owned(model, file, of))),
        _ if ty.is_lent_as_result() => cow(&owned(model, file, ty)),
        _ => owned(model, file, ty),
    }
}

/// Returns the type of a proxy's parameter: what is cheapest for the caller.
pub(super) fn parameter(model: &Model, file: FileId, ty: &Ty) -> String {
    match ty {
        Ty::Scalar(Scalar::String) => "impl ::std::convert::AsRef<::std::primitive::str>".into(),
        Ty::Scalar(Scalar::Bytes) => "impl ::std::convert::AsRef<[::std::primitive::u8]>".into(),
        Ty::List(of) => format!("impl ::std::convert::AsRef<[{}]>", owned(model, file, of)),
        Ty::Scalar(scalar) if *scalar != Scalar::Value => scalar.rust(&model.rpc),
        Ty::Option { of, .. } => format!("::std::option::Option<{}>", optional(model, file, of)),
        _ => format!("&{}", owned(model, file, ty)),
    }
}

/// Returns the type of what an optional parameter of a proxy may hold: borrowed where that saves a
/// copy.
fn optional(model: &Model, file: FileId, ty: &Ty) -> String {
    match ty {
        Ty::Scalar(Scalar::String) => "&::std::primitive::str".into(),
        Ty::Scalar(Scalar::Bytes) => "&[::std::primitive::u8]".into(),
        Ty::List(of) => format!("&[{}]", owned(model, file, of)),
        Ty::Scalar(scalar) if *scalar != Scalar::Value => scalar.rust(&model.rpc),
        _ => format!("&{}", owned(model, file, ty)),
    }
}

/// Returns what a proxy encodes of a parameter.
pub(super) fn encoded(field: &Field) -> String {
    let name = names::escape(&field.rust);
    match field.ty {
        Ty::Scalar(Scalar::String | Scalar::Bytes) | Ty::List(_) => {
            format!("::std::convert::AsRef::as_ref(&{name})")
        }
        _ => name,
    }
}

/// Returns the type of a constructor's parameter.
pub(super) fn converted(model: &Model, file: FileId, ty: &Ty) -> String {
    match ty {
        Ty::Scalar(scalar @ (Scalar::String | Scalar::Bytes)) => {
            format!("impl ::std::convert::Into<{}>", scalar.rust(&model.rpc))
        }
        _ => owned(model, file, ty),
    }
}

/// Returns `(a, b)`; with the comma that a tuple of one part needs.
pub(super) fn tuple(parts: &[String]) -> String {
    match parts {
        [one] => format!("({one},)"),
        _ => format!("({})", parts.join(", ")),
    }
}

/// Returns a name for a variable, out of the way of those that generated code uses.
pub(super) fn variable(field: &Field, taken: &[&str]) -> String {
    if taken.contains(&field.rust.as_str()) {
        format!("{}_", field.rust)
    } else {
        names::escape(&field.rust)
    }
}

/// Returns how complex clippy finds a type that stands `depth` levels deep: ten for each name,
/// tuple and slice, times its depth.
pub(super) fn complexity(ty: &Ty, depth: usize) -> usize {
    let inside = match ty {
        Ty::Scalar(Scalar::Bytes) => 10 * (depth + 1),
        Ty::Scalar(_) | Ty::Named(_) => 0,
        Ty::List(of) | Ty::Set(of) | Ty::Option { of, boxed: false } => complexity(of, depth + 1),
        Ty::Option { of, boxed: true } => 10 * (depth + 1) + complexity(of, depth + 2),
        Ty::Map(key, value) => complexity(key, depth + 1) + complexity(value, depth + 1),
        Ty::Tuple(parts) => parts.iter().map(|part| complexity(part, depth + 1)).sum(),
    };
    10 * depth + inside
}

/// Returns how complex clippy finds what [`lent_result`] makes of a type.
pub(super) fn lent_result_complexity(ty: &Ty, depth: usize) -> usize {
    let inside = match ty {
        Ty::Option { of, .. } => lent_result_complexity(of, depth + 1),
        Ty::Tuple(parts) => parts.iter().map(|part| lent_result_complexity(part, depth + 1)).sum(),
        _ if ty.is_lent_as_result() => complexity(ty, depth + 1),
        _ => 0,
    };
    10 * depth + inside
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Types of all shapes around a scalar.
    fn around(scalar: Scalar) -> Vec<Ty> {
        let one = || Box::new(Ty::Scalar(scalar));
        let number = || Box::new(Ty::Scalar(Scalar::U8));
        vec![
            *one(),
            Ty::List(one()),
            Ty::Set(one()),
            Ty::Map(one(), number()),
            Ty::Map(number(), one()),
            Ty::Option { of: one(), boxed: false },
            Ty::Tuple(vec![*number(), *one()]),
            Ty::Option { of: Box::new(Ty::Tuple(vec![*number(), *one()])), boxed: false },
            Ty::List(Box::new(Ty::Option { of: one(), boxed: false })),
        ]
    }

    #[test]
    fn what_is_lent_is_spelled_otherwise() {
        let (model, file) = (Model::default(), FileId(0));
        for ty in Scalar::ALL.into_iter().flat_map(|(scalar, ..)| around(scalar)) {
            let spelled = owned(&model, file, &ty);
            assert_eq!(ty.is_lent(), lent(&model, file, &ty) != spelled, "{spelled}");
            let result = lent_result(&model, file, &ty);
            assert_eq!(ty.is_lent_as_result(), result != spelled, "{spelled}");
        }
    }
}
