//! The lints that generated code would set off where they are on, and the attributes that keep them
//! quiet. Each stands only where it is needed: generated code is there to be read.

use super::lines::Lines;
use super::rust;
use crate::model::{Field, Method, Ty, TypeDef, Variant};
use crate::names;
use crate::source::FileId;
use crate::syntax::ast::Scalar;

/// Says how much larger than the others a variant may be, in bytes, before clippy wants it boxed.
const LARGE_VARIANT: usize = 200;

/// Says how complex a type may be before clippy wants a name for it, and how complex
/// `Result<_, Error>` is.
const COMPLEX: usize = 250;
const RESULT: usize = 30;

/// Says how many variants an enum must have before clippy compares their names.
const NAMED_VARIANTS: usize = 3;

/// Allows that something which `file` declares is never used: not every program uses all of an
/// interface. Imported files are modules that allow it as a whole.
pub(super) const fn unused(file: FileId) -> Option<&'static str> {
    if file.0 == 0 { Some("dead_code") } else { None }
}

/// Writes the attribute that allows `lints`, if there are any.
pub(super) fn allow(lints: impl IntoIterator<Item = &'static str>, out: &mut Lines) {
    let lints: Vec<_> = lints.into_iter().collect();
    if !lints.is_empty() {
        out.line(format!("#[allow({})]", lints.join(", ")));
    }
}

/// Returns what methods of such names and types set off, with `more` parameters than they have
/// arguments. Beside each stands whether its result may be lent.
pub(super) fn of_methods<'m>(
    methods: impl Iterator<Item = (&'m Method, bool)>,
    more: usize,
) -> impl Iterator<Item = &'static str> {
    let (mut long, mut complex, mut convention) = (false, false, false);
    for (method, lent) in methods {
        // Arguments are counted as if they were results, which is more than references add to lent
        // ones.
        let result = if lent { rust::lent_result_complexity } else { rust::complexity };
        let arguments = method.arguments.iter().map(|argument| rust::complexity(&argument.ty, 2));
        let mut types = arguments.chain(method.result.as_ref().map(|ty| result(ty, 2)));
        complex |= types.any(|complexity| RESULT + complexity > COMPLEX);
        long |= method.arguments.len() + more > 7;
        convention |= ["to_", "into_", "from_"].iter().any(|start| method.rust.starts_with(start));
    }
    chosen([
        (long, "clippy::too_many_arguments"),
        (complex, "clippy::type_complexity"),
        (convention, "clippy::wrong_self_convention"),
    ])
}

/// Returns what methods that are not of a trait set off besides: `cmp` has a meaning in Rust.
pub(super) fn of_inherent(methods: &[Method]) -> Option<&'static str> {
    let is_cmp = |method: &Method| method.rust == "cmp" && method.arguments.len() == 1;
    methods.iter().any(is_cmp).then_some("clippy::should_implement_trait")
}

/// Returns what a type with such fields sets off.
pub(super) fn of_fields(ty: &TypeDef) -> impl Iterator<Item = &'static str> {
    let complex = ty.fields().any(|field| rust::complexity(&field.ty, 1) > COMPLEX);
    chosen([(complex, "clippy::type_complexity")])
}

/// Returns what an enum with such variants sets off.
pub(super) fn of_variants(
    ty: &TypeDef,
    variants: &[Variant],
) -> impl Iterator<Item = &'static str> {
    let large =
        variants.len() > 1 && variants.iter().any(|variant| size(&variant.fields) > LARGE_VARIANT);
    chosen([
        (repeats(ty, variants), "clippy::enum_variant_names"),
        (large, "clippy::large_enum_variant"),
    ])
}

fn chosen<const N: usize>(lints: [(bool, &'static str); N]) -> impl Iterator<Item = &'static str> {
    lints.into_iter().filter(|(set, _)| *set).map(|(_, lint)| lint)
}

/// Returns true iff the names of variants have a word in common, or repeat the name of the enum.
fn repeats(ty: &TypeDef, variants: &[Variant]) -> bool {
    if variants.len() < NAMED_VARIANTS {
        return false;
    }
    let words: Vec<_> = variants.iter().map(|variant| names::snake(&variant.name.text)).collect();
    let first = |name: &String| name.split('_').next().map(String::from);
    let last = |name: &String| name.rsplit('_').next().map(String::from);
    let enum_in =
        |variant: &Variant| variant.rust.starts_with(&ty.rust) || variant.rust.ends_with(&ty.rust);
    words.windows(2).all(|pair| first(&pair[0]) == first(&pair[1]))
        || words.windows(2).all(|pair| last(&pair[0]) == last(&pair[1]))
        || variants.iter().any(enum_in)
}

/// Returns how many bytes fields take, at most. A type that stands in place may be of any size.
fn size(fields: &[Field]) -> usize {
    fields.iter().map(|field| size_of_type(&field.ty)).fold(0, usize::saturating_add)
}

fn size_of_type(ty: &Ty) -> usize {
    match ty {
        Ty::Scalar(Scalar::Value) => 32,
        Ty::Scalar(Scalar::String | Scalar::Bytes) | Ty::List(_) | Ty::Set(_) | Ty::Map(..) => 24,
        Ty::Scalar(_) | Ty::Option { boxed: true, .. } => 8,
        Ty::Option { of, .. } => size_of_type(of).saturating_add(8),
        Ty::Tuple(parts) => parts.iter().map(size_of_type).fold(0, usize::saturating_add),
        Ty::Named(_) => usize::MAX,
    }
}
