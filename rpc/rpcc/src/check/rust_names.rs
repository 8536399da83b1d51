//! Last stage: the names that the generated Rust declares in one scope are all different.

use std::collections::BTreeMap;

use crate::diagnostics::{Report, Reports};
use crate::emit::scope;
use crate::model::Model;
use crate::source::{FileId, Span};

/// Lists what generated proxies and traits declare besides the methods.
const HELPERS: [(&str, &str); 3] = [
    ("new", "the proxy's constructor"),
    ("caller", "the proxy's access to its caller"),
    ("bind", "the function that binds an implementation"),
];

/// The methods of `std` that every proxy or reference to one has: by value, and so before those of
/// the proxy itself, or at least before those of its base.
const TRAITS: [(&str, &str); 13] = [
    ("borrow", "Borrow"),
    ("borrow_mut", "BorrowMut"),
    ("clone", "Clone"),
    ("clone_from", "Clone"),
    ("clone_into", "ToOwned"),
    ("clone_to_uninit", "CloneToUninit"),
    ("deref", "Deref"),
    ("deref_mut", "DerefMut"),
    ("fmt", "Debug"),
    ("into", "Into"),
    ("to_owned", "ToOwned"),
    ("try_into", "TryInto"),
    ("type_id", "Any"),
];

/// Checks the names of all files.
pub(super) fn check(model: &Model, reports: &mut Reports) {
    for file in 0..model.files.len() {
        scopes(model, FileId(file), reports);
    }
    for method in model.interfaces.iter().flat_map(|interface| &interface.methods) {
        if let Some((_, helper)) = HELPERS.iter().find(|(name, _)| *name == method.rust) {
            let title = format!("the method `{}` would hide {helper}", method.name.text);
            let report = Report::new(method.name.span, title, "");
            reports.push(report.help("give it another Rust name with `:name`"));
        }
        if let Some((name, owner)) = TRAITS.iter().find(|(name, _)| *name == method.rust) {
            let title = format!(
                "a call of the method `{}` would be one of Rust's `{owner}`",
                method.name.text
            );
            let label = format!("`{owner}::{name}` comes first");
            let report = Report::new(method.name.span, title, label);
            reports.push(report.help("give it another Rust name with `:name`"));
        }
    }
}

/// Checks what the module of one file declares, and for the first file what it passes on.
fn scopes(model: &Model, file: FileId, reports: &mut Reports) {
    let mut seen: BTreeMap<String, Span> = BTreeMap::new();
    let mut declare = |name: &str, span: Span, what: &str| {
        let Some(first) = seen.insert(name.into(), span) else { return true };
        let title = format!("{what} would be the second `{name}` in Rust");
        let report = Report::new(span, title, "this one").and(first, "the first one");
        reports.push(report.help("rename one of them"));
        false
    };
    for item in &model.file(file).items {
        let name = model.name(*item);
        let what = format!("`{}`", name.text);
        scope::declared(model, *item).iter().all(|rust| declare(rust, name.span, &what));
    }
    if file != FileId(0) {
        return;
    }
    let passed_on = scope::PassedOn::new(model);
    for module in scope::modules(model) {
        let start = Span { file: module, start: 0, end: 0 };
        declare(&scope::module(model, module), start, "the module of this file");
    }
    for module in scope::imported(model) {
        for item in &model.file(module).items {
            let name = model.name(*item);
            let what = format!("`{}.{}`", model.file(module).stem, name.text);
            let passed = passed_on.names(model, *item);
            passed.iter().all(|(_, rust)| declare(rust, name.span, &what));
        }
    }
}
