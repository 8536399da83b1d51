//! Last stage: the names that the generated Rust declares in one scope are all different.

use std::collections::BTreeMap;

use crate::diagnostics::Report;
use crate::emit::scope;
use crate::model::{ItemId, Model};
use crate::source::{FileId, Span};

/// What generated proxies and traits declare besides the methods.
const HELPERS: [(&str, &str); 4] = [
    ("new", "the proxy's constructor"),
    ("caller", "the proxy's access to its caller"),
    ("clone", "the proxy's `Clone`"),
    ("bind", "the function that binds an implementation"),
];

/// Checks the names of all files.
pub(super) fn check(model: &Model, reports: &mut Vec<Report>) {
    for file in 0..model.files.len() {
        scopes(model, FileId(file), reports);
    }
    for method in model.interfaces.iter().flat_map(|interface| &interface.methods) {
        if let Some((_, helper)) = HELPERS.iter().find(|(name, _)| *name == method.rust) {
            let title = format!("the method `{}` would hide {helper}", method.name.text);
            let report = Report::new(method.name.span, title, "");
            reports.push(report.help("give it another Rust name with `:name`"));
        }
    }
}

/// Checks what one file declares and, for the first file, what it passes on.
fn scopes(model: &Model, file: FileId, reports: &mut Vec<Report>) {
    let mut seen: BTreeMap<String, Span> = BTreeMap::new();
    for item in &model.file(file).items {
        let (span, what) = match item {
            ItemId::Type(id) => (model.ty(*id).name.span, &model.ty(*id).name.text),
            ItemId::Interface(id) => {
                (model.interface(*id).name.span, &model.interface(*id).name.text)
            }
        };
        for name in scope::declared(model, *item) {
            if let Some(first) = seen.insert(name.clone(), span) {
                let title = format!("`{what}` would be the second `{name}` in Rust");
                let report = Report::new(span, title, "this one").and(first, "the first one");
                reports.push(report.help("rename one of them"));
                break;
            }
        }
    }
}
