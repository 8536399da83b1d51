//! Changes of structs, enums and exceptions.
//!
//! Methods and fields name types by their bare names on the wire. So a type is compared with the
//! one of its full name, and with whatever stands in its place where something uses it.

use std::collections::{BTreeMap, BTreeSet};

use super::Changes;
use super::fields::{self, Row};
use crate::model::{
    Field, InterfaceId, Kind, Method, MethodId, Model, Ty, TypeDef, TypeId, Variant,
};

pub(super) fn compare(old: &Model, new: &Model, changes: &mut Changes) {
    let (pairs, in_keys) = (Pairs::new(old, new).0, in_keys(old));
    for id in ids(old) {
        let name = old.type_name(id);
        let now: Vec<_> = pairs.range((id, TypeId(0))..=(id, TypeId(usize::MAX))).collect();
        for (_, other) in &now {
            ty((old, id), (new, *other), in_keys.contains(&id), changes);
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

/// Returns the types that stand in elements of sets and keys of maps: what a reader leaves out of
/// them may make two of them the same.
fn in_keys(model: &Model) -> BTreeSet<TypeId> {
    let mut todo = Vec::new();
    let methods = model.interfaces.iter().flat_map(|interface| &interface.methods);
    for method in methods {
        method.arguments.iter().for_each(|argument| keys(&argument.ty, false, &mut todo));
        method.result.iter().for_each(|result| keys(result, false, &mut todo));
    }
    model
        .types
        .iter()
        .flat_map(TypeDef::fields)
        .for_each(|field| keys(&field.ty, false, &mut todo));
    let mut found = BTreeSet::new();
    while let Some(id) = todo.pop() {
        if found.insert(id) {
            model.ty(id).fields().for_each(|field| keys(&field.ty, true, &mut todo));
        }
    }
    found
}

/// Finds the structs and enums in keys; all in a type that is `within` one.
fn keys(ty: &Ty, within: bool, found: &mut Vec<TypeId>) {
    match ty {
        Ty::Scalar(_) => {}
        Ty::Named(id) if within => found.push(*id),
        Ty::Named(_) => {}
        Ty::Set(of) => keys(of, true, found),
        Ty::List(of) | Ty::Option { of, .. } => keys(of, within, found),
        Ty::Map(key, value) => {
            keys(key, true, found);
            keys(value, within, found);
        }
        Ty::Tuple(parts) => parts.iter().for_each(|part| keys(part, within, found)),
    }
}

/// Says which type of the new version stands where one of the old version stood.
struct Pairs(BTreeSet<(TypeId, TypeId)>);

impl Pairs {
    fn new(old: &Model, new: &Model) -> Self {
        let after: BTreeMap<_, _> = ids(new).map(|id| (new.type_name(id), id)).collect();
        let same = |id: TypeId| after.get(&old.type_name(id)).map(|other| (id, *other));
        let mut todo: Vec<_> = ids(old).filter_map(same).collect();
        let after = methods(new);
        for (spelled, before) in methods(old) {
            let Some(after) = after.get(&spelled) else { continue };
            in_places(&before.arguments, &after.arguments, &mut todo);
            if let (Some(before), Some(after)) = (&before.result, &after.result) {
                in_place(before, after, &mut todo);
            }
        }
        let mut pairs = BTreeSet::new();
        while let Some((before, after)) = todo.pop() {
            let bare = old.ty(before).name.text == new.ty(after).name.text;
            // Types may contain themselves, so each pair is gone into once.
            if bare && pairs.insert((before, after)) {
                inside(&old.ty(before).kind, &new.ty(after).kind, &mut todo);
            }
        }
        Self(pairs)
    }
}

/// Returns all methods, where they are declared, by their spelling on the wire.
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
        | (Kind::Exception(before), Kind::Exception(after)) => in_places(before, after, found),
        (Kind::Enum(before), Kind::Enum(after)) => {
            for (before, after) in before.iter().zip(after) {
                in_places(&before.fields, &after.fields, found);
            }
        }
        _ => {}
    }
}

fn in_places(before: &[Field], after: &[Field], found: &mut Vec<(TypeId, TypeId)>) {
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

fn ty(
    (old, old_id): (&Model, TypeId),
    (new, new_id): (&Model, TypeId),
    in_keys: bool,
    changes: &mut Changes,
) {
    let names = [old.type_name(old_id), new.type_name(new_id)];
    let name = if names[0] == names[1] {
        format!("`{}`", names[0])
    } else {
        format!("`{}` (now `{}`)", names[0], names[1])
    };
    match (&old.ty(old_id).kind, &new.ty(new_id).kind) {
        (Kind::Struct(before), Kind::Struct(after))
        | (Kind::Exception(before), Kind::Exception(after)) => {
            // Structs may grow options at their ends.
            let grown =
                if in_keys { ", and old programs refuse keys that differ in it alone" } else { "" };
            let kind = fields::RowKind { part: "field", whole: &name, grows: true, grown };
            let [old, new] =
                [(old, before), (new, after)].map(|(model, fields)| Row { model, fields });
            fields::compare(kind, old, new, changes);
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

/// Enums may grow variants at their ends; fields of variants cannot change but in name.
fn variants(
    name: &str,
    (old, before): (&Model, &[Variant]),
    (new, after): (&Model, &[Variant]),
    changes: &mut Changes,
) {
    let place = |variants: &[Variant], variant: &Variant| {
        variants.iter().position(|other| other.rust == variant.rust)
    };
    for (at, was) in before.iter().enumerate() {
        let was_name = &was.name.text;
        match (place(after, was), after.get(at)) {
            (Some(now), _) if now == at => {
                variant_fields(name, (old, was), (new, &after[at]), changes);
            }
            (Some(now), _) => {
                let (at, now) = (at + 1, now + 1);
                changes.breaks(format!(
                    "variant `{was_name}` of {name} moved from place {at} to {now}"
                ));
            }
            // What stands there now is new as well: it takes the place, and with it the number.
            (None, Some(is)) if place(before, is).is_none() => {
                let (at, is_name) = (at + 1, &is.name.text);
                changes.breaks(format!("variant {at} of {name} was `{was_name}`, is `{is_name}`"));
            }
            (None, _) => changes.breaks(format!("{name} has no variant `{was_name}` any more")),
        }
    }
    for (at, is) in after.iter().enumerate().filter(|(_, is)| place(before, is).is_none()) {
        let what = format!("{name} has a new variant `{}`", is.name.text);
        match before.get(at) {
            None => changes.keeps(format!("{what}, which old programs refuse")),
            Some(was) if place(after, was).is_some() => {
                changes.breaks(format!("{what} at place {}", at + 1));
            }
            // It was described as what stands there instead.
            Some(_) => {}
        }
    }
}

fn variant_fields(
    name: &str,
    (old, was): (&Model, &Variant),
    (new, is): (&Model, &Variant),
    changes: &mut Changes,
) {
    let variant = &was.name.text;
    if was.fields.len() != is.fields.len() {
        let shown = [old.show_fields(&was.fields), new.show_fields(&is.fields)];
        return changes.breaks(format!(
            "variant `{variant}` of {name} had the fields {}, has {}",
            shown[0], shown[1]
        ));
    }
    let whole = format!("variant `{variant}` of {name}");
    let kind = fields::RowKind { part: "field", whole: &whole, grows: false, grown: "" };
    let rows = [(old, &was.fields), (new, &is.fields)];
    let [old, new] = rows.map(|(model, fields)| Row { model, fields });
    fields::compare(kind, old, new, changes);
}
