//! Changes of structs, enums and exceptions.

use std::collections::BTreeMap;

use super::Changes;
use crate::model::{Field, Kind, Model, Ty, TypeId, Variant};

pub(super) fn compare(old: &Model, new: &Model, changes: &mut Changes) {
    let (before, after) = (named(old), named(new));
    let mut met = Vec::new();
    for id in ids(old) {
        let name = old.type_name(id);
        match after.get(&name).copied().or_else(|| moved(old, id, new)) {
            Some(other) => {
                met.push(other);
                ty((old, id), (new, other), changes);
            }
            None if is_exception(old, id) => {
                changes.breaks(format!("the exception `{name}` is gone"));
            }
            None => changes.keeps(format!("`{name}` is gone; what used it is listed by itself")),
        }
    }
    for id in ids(new) {
        let name = new.type_name(id);
        if !before.contains_key(&name) && !met.contains(&id) {
            changes.keeps(format!("`{name}` is new"));
        }
    }
}

fn ids(model: &Model) -> impl Iterator<Item = TypeId> {
    (0..model.types.len()).map(TypeId)
}

fn named(model: &Model) -> BTreeMap<String, TypeId> {
    ids(model).map(|id| (model.type_name(id), id)).collect()
}

fn is_exception(model: &Model, id: TypeId) -> bool {
    matches!(model.ty(id).kind, Kind::Exception(_))
}

/// The struct or enum of the same bare name, if another file declares it now: on the wire that makes no difference.
fn moved(old: &Model, id: TypeId, new: &Model) -> Option<TypeId> {
    let name = &old.ty(id).name.text;
    let same = |other: &TypeId| new.ty(*other).name.text == *name && !is_exception(new, *other);
    ids(new).find(same).filter(|_| !is_exception(old, id))
}

fn ty((old, old_id): (&Model, TypeId), (new, new_id): (&Model, TypeId), changes: &mut Changes) {
    let name = old.type_name(old_id);
    match (&old.ty(old_id).kind, &new.ty(new_id).kind) {
        (Kind::Struct(before), Kind::Struct(after))
        | (Kind::Exception(before), Kind::Exception(after)) => {
            structure(&name, (old, before), (new, after), changes);
        }
        (Kind::Enum(before), Kind::Enum(after)) => {
            variants(&name, (old, before), (new, after), changes);
        }
        (before, after) => {
            changes.breaks(format!("`{name}` was {}, is {}", kind(before), kind(after)));
        }
    }
}

fn kind(kind: &Kind) -> &'static str {
    match kind {
        Kind::Exception(_) => "an exception",
        Kind::Struct(_) => "a struct",
        Kind::Enum(_) => "an enum",
    }
}

/// Structs may grow options at their ends.
fn structure(
    name: &str,
    (old, before): (&Model, &[Field]),
    (new, after): (&Model, &[Field]),
    changes: &mut Changes,
) {
    common_fields(name, (old, before), (new, after), changes);
    for field in before.iter().skip(after.len()) {
        changes.breaks(format!("`{name}` has no field `{}` any more", field.name.text));
    }
    let added = after.get(before.len()..).unwrap_or_default();
    let all_optional = added.iter().all(|field| matches!(field.ty, Ty::Option { .. }));
    for field in added {
        let what =
            format!("`{name}` has a new field `{}: {}`", field.name.text, new.show(&field.ty));
        if all_optional {
            changes.keeps(what);
        } else {
            changes.breaks(what + ", and not all that was added at the end are options");
        }
    }
}

/// Compares fields by position: position and type are what travels.
fn common_fields(
    name: &str,
    (old, before): (&Model, &[Field]),
    (new, after): (&Model, &[Field]),
    changes: &mut Changes,
) {
    for (at, (was, is)) in before.iter().zip(after).enumerate() {
        let types = [old.show(&was.ty), new.show(&is.ty)];
        let names = [&was.name.text, &is.name.text];
        let moved = before.iter().any(|field| field.name.text == *names[1]);
        if types[0] != types[1] || (names[0] != names[1] && moved) {
            changes.breaks(format!(
                "field {} of `{name}` was `{}: {}`, is `{}: {}`",
                at + 1,
                names[0],
                types[0],
                names[1],
                types[1]
            ));
        } else if names[0] != names[1] {
            changes.keeps(format!("field `{}` of `{name}` is now called `{}`", names[0], names[1]));
        }
    }
}

/// Enums may grow variants at their ends; fields of variants cannot change.
fn variants(
    name: &str,
    (old, before): (&Model, &[Variant]),
    (new, after): (&Model, &[Variant]),
    changes: &mut Changes,
) {
    for (at, (was, is)) in before.iter().zip(after).enumerate() {
        let (was_name, is_name) = (&was.name.text, &is.name.text);
        if was_name != is_name {
            let at = at + 1;
            changes.breaks(format!("variant {at} of `{name}` was `{was_name}`, is `{is_name}`"));
        } else if was.fields.len() == is.fields.len() {
            let name = format!("{name}.{was_name}");
            common_fields(&name, (old, &was.fields), (new, &is.fields), changes);
        } else {
            let shown = [old.show_fields(&was.fields), new.show_fields(&is.fields)];
            let what = format!("`{name}.{was_name}` had the fields {}, has {}", shown[0], shown[1]);
            changes.breaks(what);
        }
    }
    for variant in before.iter().skip(after.len()) {
        changes.breaks(format!("`{name}` has no variant `{}` any more", variant.name.text));
    }
    for variant in after.iter().skip(before.len()) {
        let variant = &variant.name.text;
        changes.keeps(format!("`{name}` has a new variant `{variant}`, which old programs refuse"));
    }
}
