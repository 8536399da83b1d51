//! Fourth stage: where in Rust each file is. `import "x.rpc" in a::b` says that the Rust of `x.rpc`
//! exists already, so that all that import it share its types.
//!
//! Invariants:
//! 1. A file is in one place, whichever way leads to it. Kept by
//!    `bad_files_become_the_expected_errors`.
//! 2. What a file that is elsewhere imports is elsewhere, too. Kept by
//!    `what_is_imported_in_a_module_is_of_that_module`.

use std::collections::BTreeMap;

use crate::diagnostics::{Report, Reports};
use crate::emit::scope;
use crate::load::Loaded;
use crate::model::{Elsewhere, Model};
use crate::names;
use crate::source::{FileId, Span};
use crate::syntax::ast::Name;

/// Where the Rust of a file is, as one import says it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Home {
    /// The module that the output which contains it was included in.
    path: String,
    /// The file which that output was made from.
    of: FileId,
}

/// Holds what is known of a file that is elsewhere.
#[derive(Clone, Debug)]
struct Known {
    /// Where it is.
    home: Home,
    /// Where this output finds it: that may be a module which passes it on.
    found: Home,
    /// The import that says so.
    said: Span,
}

/// Finds the place of each file.
pub(super) fn check(model: &mut Model, loaded: &Loaded, reports: &mut Reports) {
    let mut known: Vec<Option<Known>> = vec![None; loaded.files.len()];
    // Importers stand before what they import, so that theirs is known when it is asked for.
    for file in loaded.order.iter().rev() {
        let parsed = &loaded.files[file.0];
        for ((to, span), place) in parsed.imports.iter().zip(&parsed.places) {
            let place = match place {
                Some(parts) => match rust_path(parts.iter().map(|part| part.text.as_str())) {
                    Ok(path) => Some(path),
                    Err(why) => {
                        reports.push(unusable(parts, &why));
                        continue;
                    }
                },
                None => None,
            };
            let Some(one) = one(known[file.0].as_ref(), *to, *span, place) else { continue };
            match &known[to.0] {
                Some(other) if other.home != one.home => {
                    reports.push(differ(loaded, *to, other, &one));
                }
                // What an import of this output says comes first.
                Some(_) if known[file.0].is_some() => {}
                _ => known[to.0] = Some(one),
            }
        }
    }
    for (at, known) in known.into_iter().enumerate() {
        let elsewhere = known.map(|known| elsewhere(model, loaded, FileId(at), known.found));
        model.files[at].elsewhere = elsewhere;
    }
}

/// Returns what one import says of the file it leads to, if it says that it is elsewhere.
fn one(from: Option<&Known>, to: FileId, said: Span, place: Option<String>) -> Option<Known> {
    match (from, place) {
        (None, None) => None,
        (None, Some(path)) => {
            let home = Home { path, of: to };
            Some(Known { found: home.clone(), home, said })
        }
        (Some(from), None) => Some(Known { said, ..from.clone() }),
        (Some(from), Some(path)) => {
            let home = Home { path: seen_from(&from.home.path, &path), of: to };
            Some(Known { home, found: from.found.clone(), said })
        }
    }
}

/// Returns a path that a file in `home` gives: its `crate` is the crate of `home`.
fn seen_from(home: &str, path: &str) -> String {
    let Some(rest) = path.strip_prefix("crate") else { return path.into() };
    let name =
        home.strip_prefix("::").map_or("crate", |path| path.split("::").next().unwrap_or(path));
    if name == "crate" { path.into() } else { format!("::{name}{rest}") }
}

/// Returns the path of a module from the names that it is given by, from the root: a crate's name
/// first, or `crate`. Fails with the reason.
pub(crate) fn rust_path<'p>(parts: impl Iterator<Item = &'p str>) -> Result<String, String> {
    let mut path = String::new();
    for (at, part) in parts.enumerate() {
        let begins = part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let goes_on = part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !begins || !goes_on || part == "_" {
            return Err("it is no Rust path: names with `::` between them".into());
        }
        if part == "crate" && at == 0 {
            path.push_str("crate");
        } else if names::is_impossible(part) {
            return Err(format!("`{part}` would mean something else in each module"));
        } else {
            path.push_str("::");
            path.push_str(&names::escape(part));
        }
    }
    Ok(path)
}

fn unusable(parts: &[Name], why: &str) -> Report {
    let shown = parts.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join("::");
    let span = parts.iter().fold(parts[0].span, |all, part| all.to(part.span));
    Report::new(span, format!("`{shown}` cannot be where a file is: {why}"), "")
        .help("begin with the name of a crate, or with `crate`")
}

fn differ(loaded: &Loaded, file: FileId, first: &Known, second: &Known) -> Report {
    let stem = &loaded.files[file.0].stem;
    let title = format!("`{stem}` would be two modules of Rust, with types that differ");
    let shown = |known: &Known| {
        let path = known.home.path.trim_start_matches("::");
        if known.home.of == file {
            format!("here it is in `{path}`")
        } else {
            format!("here it is a part of `{}` in `{path}`", loaded.files[known.home.of.0].stem)
        }
    };
    Report::new(second.said, title, shown(second))
        .and(first.said, shown(first))
        .help("import it `in` one place from all files")
}

/// Returns what emitting needs to know of a file that is elsewhere.
fn elsewhere(model: &Model, loaded: &Loaded, file: FileId, found: Home) -> Elsewhere {
    let mut renamed = BTreeMap::new();
    if found.of != file {
        let passed_on = scope::PassedOn::of(model, &reached(loaded, found.of));
        let names = model.file(file).items.iter();
        let names = names.flat_map(|item| passed_on.names(model, *item));
        renamed.extend(names.filter(|(name, shown)| name != shown));
    }
    Elsewhere { path: found.path, renamed }
}

/// Returns a file and all that it leads to.
fn reached(loaded: &Loaded, from: FileId) -> Vec<FileId> {
    let mut reached = vec![from];
    let mut next = 0;
    while let Some(file) = reached.get(next) {
        let imports = loaded.files[file.0].imports.iter().map(|(import, _)| *import);
        let new: Vec<_> = imports.filter(|import| !reached.contains(import)).collect();
        reached.extend(new);
        next += 1;
    }
    reached
}
