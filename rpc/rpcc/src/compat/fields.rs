//! Changes of what stands in a row: the fields of structs and variants, the arguments of methods.
//! What travels is their places; what they mean is their names. So both are compared: in place, a
//! field may be renamed; with its name, it may not move.

use super::Changes;
use crate::model::{Field, Model};

/// One version of a row.
#[derive(Clone, Copy)]
pub(super) struct Row<'m> {
    pub(super) model: &'m Model,
    pub(super) fields: &'m [Field],
}

impl Row<'_> {
    /// Returns the place of what has the name of `field`.
    fn place(&self, field: &Field) -> Option<usize> {
        self.fields.iter().position(|other| other.rust == field.rust)
    }

    /// Returns the type at a place, for people.
    fn show(&self, at: usize) -> String {
        self.model.show(&self.fields[at].ty)
    }
}

/// A row as messages call it, and as it may grow.
#[derive(Clone, Copy)]
pub(super) struct RowKind<'w> {
    /// `field` or `argument`.
    pub(super) part: &'w str,
    /// Names its owner, with quotes.
    pub(super) whole: &'w str,
    pub(super) grows: bool,
    /// Follows in the message on options that are added.
    pub(super) grown: &'w str,
}

/// Compares two versions of a row.
pub(super) fn compare(kind: RowKind<'_>, old: Row<'_>, new: Row<'_>, changes: &mut Changes) {
    for at in 0..old.fields.len() {
        was(kind, (old, at), new, changes);
    }
    let added = new.fields.get(old.fields.len()..).unwrap_or_default();
    // An old reader stops at the end of what it knows, a new one takes what is missing as absent.
    let all_optional = kind.grows && added.iter().all(Field::is_optional);
    for (at, field) in new.fields.iter().enumerate() {
        // It was described with the field that it was before.
        if old.place(field).is_some() || renames(old, new, at) {
            continue;
        }
        let what = format!(
            "{} has a new {} `{}: {}`",
            kind.whole,
            kind.part,
            field.name.text,
            new.show(at)
        );
        if at < old.fields.len() {
            changes.breaks(format!("{what} at place {}", at + 1));
        } else if all_optional {
            changes.keeps(what + kind.grown);
        } else {
            changes.breaks(what + ", and not all that was added at the end are options");
        }
    }
}

/// Returns true iff the field at a place of the new version has a new name, and that of the old
/// version's is in use no more.
fn renames(old: Row<'_>, new: Row<'_>, at: usize) -> bool {
    let (Some(was), Some(is)) = (old.fields.get(at), new.fields.get(at)) else { return false };
    new.place(was).is_none() && old.place(is).is_none()
}

/// Describes what became of the field at a place of the old version.
fn was(kind: RowKind<'_>, (old, at): (Row<'_>, usize), new: Row<'_>, changes: &mut Changes) {
    let (field, RowKind { part, whole, .. }) = (&old.fields[at], kind);
    let name = &field.name.text;
    let (place, now) = match new.place(field) {
        Some(now) => (at + 1, now),
        None if renames(old, new, at) => (at + 1, at),
        None => return changes.breaks(format!("{whole} has no {part} `{name}` any more")),
    };
    let (types, is) = ([old.show(at), new.show(now)], &new.fields[now].name.text);
    if now != at {
        changes
            .breaks(format!("{part} `{name}` of {whole} moved from place {place} to {}", now + 1));
    }
    if types[0] != types[1] {
        let what = format!("was `{name}: {}`, is `{is}: {}`", types[0], types[1]);
        changes.breaks(format!("{part} {place} of {whole} {what}"));
    } else if now == at && name != is {
        changes.keeps(format!("{part} `{name}` of {whole} is now called `{is}`"));
    }
}
