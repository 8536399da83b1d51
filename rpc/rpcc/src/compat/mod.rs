//! Finds what changed between two versions of an interface file, and whether old and new programs
//! still understand each other.
//!
//! Judged is whether a program of either version can talk to one of the other, whichever of them
//! calls, and whether they mean the same by it: what is called, what travels, in which order, under
//! which names. How Rust names and lends things is no part of it.

mod fields;
mod interfaces;
mod types;

use std::collections::BTreeSet;
use std::fmt;

use crate::model::Model;
use crate::source::FileId;

/// One difference between two versions of an interface file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// True iff programs of both versions understand each other in spite of it.
    pub compatible: bool,
    /// Holds what changed, in one line.
    pub what: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let judgement = if self.compatible { "compatible" } else { "incompatible" };
        write!(f, "{judgement}: {}", self.what)
    }
}

/// The changes found so far. What several interfaces inherit is named once.
#[derive(Debug, Default)]
struct Changes {
    found: Vec<Change>,
    named: BTreeSet<String>,
}

impl Changes {
    fn add(&mut self, compatible: bool, what: String) {
        if self.named.insert(what.clone()) {
            self.found.push(Change { compatible, what });
        }
    }

    fn breaks(&mut self, what: String) {
        self.add(false, what);
    }

    fn keeps(&mut self, what: String) {
        self.add(true, what);
    }
}

/// Returns all changes, in the order of the old files, then of the new ones.
pub(crate) fn compare(old: &Model, new: &Model) -> Vec<Change> {
    let mut changes = Changes::default();
    let stems = [old, new].map(|model| model.file(FileId(0)).stem.as_str());
    if stems[0] != stems[1] {
        let what = "the file is named `{1}`, was `{0}`: every wire name begins with it";
        changes.breaks(what.replace("{0}", stems[0]).replace("{1}", stems[1]));
    }
    interfaces::compare(old, new, &mut changes);
    types::compare(old, new, &mut changes);
    changes.found
}
