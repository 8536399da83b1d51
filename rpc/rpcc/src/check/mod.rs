//! From trees to a model: everything that can be wrong with the meaning of interface files is found
//! here.
//!
//! Works in stages, each over all files: resolving names; what types contain; interfaces; places
//! and names in Rust. A stage that reported anything is the last one, so that no error is the echo
//! of another and later stages can rely on earlier ones.

mod contents;
mod directives;
mod graph;
mod interfaces;
mod limits;
mod places;
mod resolve;
mod rust_names;

use crate::diagnostics::Reports;
use crate::load::Loaded;
use crate::model::Model;
use crate::source::Sources;
pub(crate) use places::rust_path;

/// Checks all files of a run; `None` iff something was reported.
pub(crate) fn check(loaded: &Loaded, sources: &Sources, reports: &mut Reports) -> Option<Model> {
    let mut model = resolve::resolve(loaded, sources, reports);
    if reports.is_empty() {
        contents::check(&mut model, reports);
    }
    if reports.is_empty() {
        interfaces::check(&mut model, loaded, reports);
    }
    if reports.is_empty() {
        places::check(&mut model, loaded, reports);
    }
    if reports.is_empty() {
        rust_names::check(&model, reports);
    }
    reports.is_empty().then_some(model)
}
