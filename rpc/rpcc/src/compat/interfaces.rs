//! Changes of interfaces and their methods.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Changes;
use super::fields::{self, Row};
use crate::model::{Convention, InterfaceId, Method, MethodId, Model, Style};

/// Methods by their names and their spelling on the wire.
type Methods = BTreeMap<(String, String), (MethodId, Style)>;

pub(super) fn compare(old: &Model, new: &Model, changes: &mut Changes) {
    let (before, after) = (named(old), named(new));
    for id in ids(old) {
        let name = old.interface_name(id);
        match after.get(&name) {
            Some(other) => interface((old, id), (new, *other), changes),
            None => changes.breaks(format!("the interface `{name}` is gone")),
        }
    }
    for id in ids(new) {
        let name = new.interface_name(id);
        if !before.contains_key(&name) {
            changes.keeps(format!("the interface `{name}` is new"));
        }
    }
}

fn ids(model: &Model) -> impl Iterator<Item = InterfaceId> {
    (0..model.interfaces.len()).map(InterfaceId)
}

fn named(model: &Model) -> BTreeMap<String, InterfaceId> {
    ids(model).map(|id| (model.interface_name(id), id)).collect()
}

fn methods(model: &Model, id: InterfaceId) -> Methods {
    let flat = model.interface(id).flat.iter();
    flat.map(|entry| (key(model, entry.0), *entry)).collect()
}

fn key(model: &Model, id: MethodId) -> (String, String) {
    (model.method(id).name.text.clone(), model.canonical_method(id))
}

/// Compares all methods of an interface, inherited ones too.
fn interface(old: (&Model, InterfaceId), new: (&Model, InterfaceId), changes: &mut Changes) {
    let (before, mut after) = (methods(old.0, old.1), methods(new.0, new.1));
    for (id, style) in &old.0.interface(old.1).flat {
        match after.remove(&key(old.0, *id)) {
            Some(entry) => method((old.0, *id, *style), (new.0, entry.0, entry.1), changes),
            None => gone(old, *id, new.0, (&before, &mut after), changes),
        }
    }
    let interface = new.0.interface_name(new.1);
    for (id, _) in &new.0.interface(new.1).flat {
        if after.contains_key(&key(new.0, *id)) {
            let signature = new.0.signature(new.0.method(*id));
            changes.keeps(format!("`{interface}` has a new method `{signature}`"));
        }
    }
}

/// Describes a method that is no longer there: perhaps another one is there instead.
fn gone(
    old: (&Model, InterfaceId),
    id: MethodId,
    new: &Model,
    (before, after): (&Methods, &mut Methods),
    changes: &mut Changes,
) {
    let method = old.0.method(id);
    let (interface, signature) = (old.0.interface_name(old.1), old.0.signature(method));
    let first = (method.name.text.clone(), String::new());
    // A method that takes or returns something else is another one, with an id of its own.
    let mut same_name = after.range(first..).take_while(|entry| entry.0.0 == method.name.text);
    let Some((spelled, (instead, _))) = same_name.find(|entry| !before.contains_key(entry.0))
    else {
        return changes.breaks(format!("`{interface}` has no method `{signature}` any more"));
    };
    let (spelled, instead) = (spelled.clone(), *instead);
    after.remove(&spelled); // it is not new as well
    let now = new.signature(new.method(instead));
    if now != signature {
        return changes.breaks(format!("`{signature}` of `{interface}` became `{now}`"));
    }
    let owners = [old.0.interface_name(id.interface), new.interface_name(instead.interface)];
    let what = format!(
        "`{signature}` of `{interface}` was declared by `{}`, is declared by `{}`: its id changed",
        owners[0], owners[1]
    );
    changes.breaks(what);
}

/// Compares a method that is in both versions.
fn method(
    (old, old_id, old_style): (&Model, MethodId, Style),
    (new, new_id, new_style): (&Model, MethodId, Style),
    changes: &mut Changes,
) {
    let (before, after) = (old.method(old_id), new.method(new_id));
    arguments((old, old_id), (new, new_id), changes);
    let name = format!("`{}`", old.canonical_method(old_id));
    let (was, is) = (old_style.convention, new_style.convention);
    let was_event = was == Convention::Event;
    if was_event != (is == Convention::Event) {
        let kinds = if was_event { ["an event", "a call"] } else { ["a call", "an event"] };
        changes.breaks(format!("{name} was {}, is {}", kinds[0], kinds[1]));
    } else if was != is {
        let now = if is == Convention::Async { "now" } else { "no longer" };
        changes.keeps(format!("{name} is {now} `:async`"));
    }
    if before.timeout != after.timeout {
        let times = [before, after].map(|method| shown(method.timeout));
        changes.keeps(format!("the time-out of {name} was {}, is {}", times[0], times[1]));
    }
    let thrown = |model: &Model, method: &Method| {
        method.throws.iter().map(|class| model.type_name(*class)).collect::<Vec<_>>()
    };
    let (threw, throws) = (thrown(old, before), thrown(new, after));
    for class in throws.iter().filter(|class| !threw.contains(class)) {
        changes.keeps(format!("{name} now throws `{class}`"));
    }
    for class in threw.iter().filter(|class| !throws.contains(class)) {
        changes.keeps(format!("{name} no longer throws `{class}`"));
    }
    match (&before.deprecated, &after.deprecated) {
        (None, Some(_)) => changes.keeps(format!("{name} is now deprecated")),
        (Some(_), None) => changes.keeps(format!("{name} is no longer deprecated")),
        _ => {}
    }
}

/// Compares the arguments of a method that is in both versions: their types are the same, their
/// names may not be.
fn arguments(old: (&Model, MethodId), new: (&Model, MethodId), changes: &mut Changes) {
    let name = format!("`{}`", old.0.canonical_method(old.1));
    let kind = fields::RowKind { part: "argument", whole: &name, grows: false, grown: "" };
    let [old, new] =
        [old, new].map(|(model, id)| Row { model, fields: &model.method(id).arguments });
    fields::compare(kind, old, new, changes);
}

fn shown(timeout: Option<Duration>) -> String {
    match timeout {
        None => "the default".into(),
        Some(Duration::ZERO) => "none".into(),
        Some(timeout) => format!("{timeout:?}"),
    }
}
