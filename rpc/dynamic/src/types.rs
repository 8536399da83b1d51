//! What is known of a type before any value of it is there.

use peers_rpcc::schema::{Scalar, Ty};

/// Returns the scalar of a list that is held as [`Numbers`](crate::Numbers).
pub(crate) fn number_of(element: &Ty) -> Option<Scalar> {
    match element {
        Ty::Scalar(Scalar::String | Scalar::Bytes | Scalar::Value) => None,
        Ty::Scalar(scalar) => Some(*scalar),
        _ => None,
    }
}

/// Returns the fewest bytes that a value takes, as generated code knows it.
pub(crate) fn min_size(ty: &Ty) -> usize {
    match ty {
        Ty::Scalar(scalar) => match scalar {
            Scalar::Bool | Scalar::I8 | Scalar::U8 | Scalar::Value => 1,
            Scalar::I16 | Scalar::U16 => 2,
            Scalar::I32 | Scalar::U32 | Scalar::F32 | Scalar::String | Scalar::Bytes => 4,
            Scalar::I64 | Scalar::U64 | Scalar::F64 => 8,
        },
        Ty::List(_) | Ty::Set(_) | Ty::Map(..) | Ty::Named(_) => 4,
        Ty::Option { .. } => 1,
        Ty::Tuple(parts) => parts.iter().map(min_size).sum(),
    }
}

/// Returns whether a value of an option must be marked in text, since it could be taken for the
/// option's own `None`.
pub(crate) const fn needs_some(of: &Ty) -> bool {
    matches!(of, Ty::Option { .. } | Ty::Scalar(Scalar::Value))
}

/// Returns the least and the greatest value of an integer type; `None` if it is none.
pub(crate) fn range(scalar: Scalar) -> Option<(i128, i128)> {
    Some(match scalar {
        Scalar::I8 => (i8::MIN.into(), i8::MAX.into()),
        Scalar::I16 => (i16::MIN.into(), i16::MAX.into()),
        Scalar::I32 => (i32::MIN.into(), i32::MAX.into()),
        Scalar::I64 => (i64::MIN.into(), i64::MAX.into()),
        Scalar::U8 => (0, u8::MAX.into()),
        Scalar::U16 => (0, u16::MAX.into()),
        Scalar::U32 => (0, u32::MAX.into()),
        Scalar::U64 => (0, u64::MAX.into()),
        _ => return None,
    })
}
