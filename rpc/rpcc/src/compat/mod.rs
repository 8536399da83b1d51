//! What changed between two versions of an interface file, and whether old and new programs still understand each other.
//!
//! Judged is the wire: what is called, what travels, in which order. How Rust names and lends things is no part of it.

mod interfaces;
mod types;

use std::fmt;

use crate::model::Model;
use crate::source::FileId;

/// One difference between two versions of an interface file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// True iff programs of both versions understand each other in spite of it.
    pub compatible: bool,
    /// What changed, in one line.
    pub what: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let judgement = if self.compatible { "compatible" } else { "incompatible" };
        write!(f, "{judgement}: {}", self.what)
    }
}

/// The changes found so far.
#[derive(Debug, Default)]
struct Changes(Vec<Change>);

impl Changes {
    fn breaks(&mut self, what: String) {
        self.0.push(Change { compatible: false, what });
    }

    fn keeps(&mut self, what: String) {
        self.0.push(Change { compatible: true, what });
    }
}

/// All changes, in the order of the old files, then of the new ones.
pub(crate) fn compare(old: &Model, new: &Model) -> Vec<Change> {
    let mut changes = Changes::default();
    let stems = [old, new].map(|model| model.file(FileId(0)).stem.as_str());
    if stems[0] != stems[1] {
        let what = "the file is named `{1}`, was `{0}`: every wire name begins with it";
        changes.breaks(what.replace("{0}", stems[0]).replace("{1}", stems[1]));
    }
    interfaces::compare(old, new, &mut changes);
    types::compare(old, new, &mut changes);
    changes.0
}
