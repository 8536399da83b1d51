//! Changes of structs, enums and exceptions.
//!
//! Methods and fields name types by their bare names on the wire. So a type is compared with the one of its full name, and
//! with whatever stands in its place where something uses it.

use std::collections::{BTreeMap, BTreeSet};

use super::Changes;
use crate::model::{Field, InterfaceId, Kind, Method, MethodId, Model, Ty, TypeId, Variant};

pub(super) fn compare(old: &Model, new: &Model, changes: &mut Changes) {
    let pairs = Pairs::new(old, new).0;
    for id in ids(old) {
        let name = old.type_name(id);
        let now: Vec<_> = pairs.range((id, TypeId(0))..=(id, TypeId(usize::MAX))).collect();
        for (_, other) in &now {
            ty((old, id), (new, *other), changes);
        }
        if now.is_empty() && is_exception(old, id) {
            changes.breaks(format!("the exception `{name}` is gone"));
        } else if now.is_empty() {
            changes.keeps(format!("`{name}` is gone; what used it is listed by itself"));
        }
    }
    let met: BTreeSet<TypeId> = pairs.iter().map(|(_, other)| *other).collect();
    for id in ids(new).filter(|id| !met.contains(id)) {
        changes.keeps(format!("`{}` is new", new.type_name(id)));
    }
}

fn ids(model: &Model) -> impl Iterator<Item = TypeId> {
    (0..model.types.len()).map(TypeId)
}

fn is_exception(model: &Model, id: TypeId) -> bool {
    matches!(model.ty(id).kind, Kind::Exception(_))
}

/// Which type of the new version stands where one of the old version stood.
struct Pairs(BTreeSet<(TypeId, TypeId)>);

impl Pairs {
    fn new(old: &Model, new: &Model) -> Self {
        let after: BTreeMap<_, _> = ids(new).map(|id| (new.type_name(id), id)).collect();
        let same = |id: TypeId| after.get(&old.type_name(id)).map(|other| (id, *other));
        let mut todo: Vec<_> = ids(old).filter_map(same).collect();
        let after = methods(new);
        for (spelled, before) in methods(old) {
            let Some(after) = after.get(&spelled) else { continue };
            fields(&before.arguments, &after.arguments, &mut todo);
            if let (Some(before), Some(after)) = (&before.result, &after.result) {
                in_place(before, after, &mut todo);
            }
        }
        let mut pairs = BTreeSet::new();
        while let Some((before, after)) = todo.pop() {
            let bare = old.ty(before).name.text == new.ty(after).name.text;
            if bare && pairs.insert((before, after)) {
                inside(&old.ty(before).kind, &new.ty(after).kind, &mut todo);
            }
        }
        Self(pairs)
    }
}

/// All methods, where they are declared, by their spelling on the wire.
fn methods(model: &Model) -> BTreeMap<String, &Method> {
    let all = model.interfaces.iter().enumerate().flat_map(|(interface, declared)| {
        let id = move |index| MethodId { interface: InterfaceId(interface), index };
        (0..declared.methods.len()).map(id)
    });
    all.map(|id| (model.canonical_method(id), model.method(id))).collect()
}

/// Finds the types that stand at the same places in two types.
fn inside(before: &Kind, after: &Kind, found: &mut Vec<(TypeId, TypeId)>) {
    match (before, after) {
        (Kind::Struct(before), Kind::Struct(after))
        | (Kind::Exception(before), Kind::Exception(after)) => fields(before, after, found),
        (Kind::Enum(before), Kind::Enum(after)) => {
            for (before, after) in before.iter().zip(after) {
                fields(&before.fields, &after.fields, found);
            }
        }
        _ => {}
    }
}

fn fields(before: &[Field], after: &[Field], found: &mut Vec<(TypeId, TypeId)>) {
    for (before, after) in before.iter().zip(after) {
        in_place(&before.ty, &after.ty, found);
    }
}

fn in_place(before: &Ty, after: &Ty, found: &mut Vec<(TypeId, TypeId)>) {
    match (before, after) {
        (Ty::Named(before), Ty::Named(after)) => found.push((*before, *after)),
        (Ty::List(before), Ty::List(after))
        | (Ty::Set(before), Ty::Set(after))
        | (Ty::Option { of: before, .. }, Ty::Option { of: after, .. }) => {
            in_place(before, after, found);
        }
        (Ty::Map(key, value), Ty::Map(new_key, new_value)) => {
            in_place(key, new_key, found);
            in_place(value, new_value, found);
        }
        (Ty::Tuple(before), Ty::Tuple(after)) => {
            before.iter().zip(after).for_each(|(before, after)| in_place(before, after, found));
        }
        _ => {}
    }
}

fn ty((old, old_id): (&Model, TypeId), (new, new_id): (&Model, TypeId), changes: &mut Changes) {
    let names = [old.type_name(old_id), new.type_name(new_id)];
    let name = if names[0] == names[1] {
        format!("`{}`", names[0])
    } else {
        format!("`{}` (now `{}`)", names[0], names[1])
    };
    match (&old.ty(old_id).kind, &new.ty(new_id).kind) {
        (Kind::Struct(before), Kind::Struct(after))
        | (Kind::Exception(before), Kind::Exception(after)) => {
            structure(&name, (old, before), (new, after), changes);
        }
        (Kind::Enum(before), Kind::Enum(after)) => {
            variants(&name, (old, before), (new, after), changes);
        }
        (before, after) => {
            changes.breaks(format!("{name} was {}, is {}", kind(before), kind(after)));
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

/// Structs may grow options at their ends. `name` is what messages call the struct, with its quotes.
fn structure(
    name: &str,
    (old, before): (&Model, &[Field]),
    (new, after): (&Model, &[Field]),
    changes: &mut Changes,
) {
    common_fields(name, (old, before), (new, after), changes);
    for field in before.iter().skip(after.len()) {
        changes.breaks(format!("{name} has no field `{}` any more", field.name.text));
    }
    let added = after.get(before.len()..).unwrap_or_default();
    let all_optional = added.iter().all(|field| matches!(field.ty, Ty::Option { .. }));
    for field in added {
        let what = format!("{name} has a new field `{}: {}`", field.name.text, new.show(&field.ty));
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
                "field {} of {name} was `{}: {}`, is `{}: {}`",
                at + 1,
                names[0],
                types[0],
                names[1],
                types[1]
            ));
        } else if names[0] != names[1] {
            changes.keeps(format!("field `{}` of {name} is now called `{}`", names[0], names[1]));
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
            changes.breaks(format!("variant {at} of {name} was `{was_name}`, is `{is_name}`"));
        } else if was.fields.len() == is.fields.len() {
            let name = format!("variant `{was_name}` of {name}");
            common_fields(&name, (old, &was.fields), (new, &is.fields), changes);
        } else {
            let shown = [old.show_fields(&was.fields), new.show_fields(&is.fields)];
            let what = format!(
                "variant `{was_name}` of {name} had the fields {}, has {}",
                shown[0], shown[1]
            );
            changes.breaks(what);
        }
    }
    for variant in before.iter().skip(after.len()) {
        changes.breaks(format!("{name} has no variant `{}` any more", variant.name.text));
    }
    for variant in after.iter().skip(before.len()) {
        let variant = &variant.name.text;
        changes.keeps(format!("{name} has a new variant `{variant}`, which old programs refuse"));
    }
}
