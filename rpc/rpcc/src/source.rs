//! Source texts and places in them. Nothing here knows the language.
//!
//! Invariants:
//! 1. A [`Span`] was made from a text of the [`Sources`] it is used with, and both its ends are on
//!    character boundaries of that text. Kept by `mutated_files_do_not_panic`.

use std::path::PathBuf;

/// The most bytes an interface file may have.
pub(crate) const MAX_FILE: usize = 1 << 20;

/// Names a file of one run, in the order they were read; the file given by the user is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub(crate) usize);

/// A place in a file: bytes `start..end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) file: FileId,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Span {
    /// Reaches from the start of this one to the end of `other`, in the same file.
    pub(crate) fn to(self, other: Self) -> Self {
        Self { end: other.end.max(self.end), ..self }
    }
}

/// One interface file as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// As shown to the user.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

impl Source {
    /// Returns line and column of a byte, both from 1; the column counts characters.
    pub(crate) fn line_column(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}

/// All files of one run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources(pub(crate) Vec<Source>);

impl Sources {
    /// Keeps a file.
    pub(crate) fn add(&mut self, path: PathBuf, text: String) -> FileId {
        self.0.push(Source { path, text });
        FileId(self.0.len() - 1)
    }

    /// Returns the file of an id that `add` gave out.
    pub(crate) fn get(&self, file: FileId) -> &Source {
        &self.0[file.0]
    }
}
