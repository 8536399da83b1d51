//! Second stage: what types contain. Finds types of infinite size, chooses the options to be boxed,
//! and knows what can be compared, hashed and defaulted.

use super::graph::{Graph, components, reverse, spread};
use super::limits;
use crate::diagnostics::{Report, Reports};
use crate::model::{Field, Kind, Model, Ty, TypeDef};
use crate::source::Span;
use crate::syntax::ast::Scalar;

/// Says how a type is held by what contains it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hold {
    /// In place.
    Inline,
    /// In place, but in an option.
    Optional,
    /// In a list, set or map.
    Heap,
}

/// Checks and completes the types of a model.
pub(super) fn check(model: &mut Model, reports: &mut Reports) {
    let inline = graph(model, Hold::Inline);
    infinite(model, &inline, reports);
    box_options(model, &components(&graph(model, Hold::Optional)));
    let all = graph(model, Hold::Heap);
    // How deep a type goes has no answer where it contains itself in place.
    if reports.is_empty() {
        limits::check(model, &all, reports);
    }
    totals(model, &all);
    defaults(model, &inline);
    keys(model, reports);
}

/// Returns which type contains which, held as tightly as `up_to`.
fn graph(model: &Model, up_to: Hold) -> Graph {
    let targets = |ty: &TypeDef| {
        let mut targets = Vec::new();
        for field in ty.fields() {
            held(&field.ty, Hold::Inline, &mut |target, hold| {
                if hold <= up_to {
                    targets.push(target);
                }
            });
        }
        targets
    };
    model.types.iter().map(targets).collect()
}

/// Calls `found` with each struct and enum in a type.
fn held(ty: &Ty, hold: Hold, found: &mut dyn FnMut(usize, Hold)) {
    match ty {
        Ty::Scalar(_) => {}
        Ty::Named(id) => found(id.0, hold),
        Ty::Option { of, .. } => held(of, hold.max(Hold::Optional), found),
        Ty::List(of) | Ty::Set(of) => held(of, Hold::Heap, found),
        Ty::Map(key, value) => {
            held(key, Hold::Heap, found);
            held(value, Hold::Heap, found);
        }
        Ty::Tuple(parts) => parts.iter().for_each(|part| held(part, hold, found)),
    }
}

/// Reports types that contain themselves in place, once per cycle.
fn infinite(model: &Model, inline: &Graph, reports: &mut Reports) {
    let of = components(inline);
    let mut told = vec![false; of.len()];
    for (at, ty) in model.types.iter().enumerate() {
        let round = |field: &Field| {
            let mut leads_back = false;
            held(&field.ty, Hold::Inline, &mut |target, hold| {
                leads_back |= hold == Hold::Inline && of[target] == of[at];
            });
            leads_back
        };
        let Some(field) = ty.fields().find(|field| round(field)) else { continue };
        // All types of a cycle contain themselves; one error shows them all.
        if std::mem::replace(&mut told[of[at]], true) {
            continue;
        }
        let title = format!("`{}` contains itself and would never end", ty.name.text);
        let label = format!("this `{}` leads back to `{}`", model.show(&field.ty), ty.name.text);
        let report = Report::new(field.name.span, title, label).and(ty.name.span, "declared here");
        reports.push(report.help("put an `option`, `list`, `set` or `map` between"));
    }
}

/// Boxes the options that lead back to the type they stand in: of options in each other the
/// innermost, so that each way back passes one box.
fn box_options(model: &mut Model, of: &[usize]) {
    for (at, ty) in model.types.iter_mut().enumerate() {
        for field in ty.fields_mut() {
            box_option(&mut field.ty, of, of[at]);
        }
    }
}

fn box_option(ty: &mut Ty, of: &[usize], here: usize) {
    match ty {
        Ty::Option { of: inner, boxed } => {
            held(inner, Hold::Inline, &mut |target, hold| {
                *boxed |= hold == Hold::Inline && of[target] == here;
            });
            box_option(inner, of, here);
        }
        Ty::Tuple(parts) => parts.iter_mut().for_each(|part| box_option(part, of, here)),
        _ => {}
    }
}

/// Finds the types without floats and self-describing values in them.
fn totals(model: &mut Model, all: &Graph) {
    let partial = |ty: &TypeDef| ty.fields().any(|field| !is_total(&field.ty));
    let mut partial: Vec<_> = model.types.iter().map(partial).collect();
    // Against the arrows: what contains a type without an order has none.
    spread(&reverse(all), &mut partial);
    for (ty, partial) in model.types.iter_mut().zip(partial) {
        ty.total = !partial;
    }
}

/// Returns true iff no part of a type, structs and enums aside, is partial.
fn is_total(ty: &Ty) -> bool {
    match ty {
        Ty::Scalar(scalar) => scalar.is_total(),
        Ty::Named(_) => true,
        Ty::List(of) | Ty::Set(of) | Ty::Option { of, .. } => is_total(of),
        Ty::Map(key, value) => is_total(key) && is_total(value),
        Ty::Tuple(parts) => parts.iter().all(is_total),
    }
}

/// Finds the structs and exceptions whose fields all have defaults.
fn defaults(model: &mut Model, inline: &Graph) {
    let without = |ty: &TypeDef| {
        matches!(ty.kind, Kind::Enum(_)) || ty.fields().any(|field| has_value(&field.ty))
    };
    let mut without: Vec<_> = model.types.iter().map(without).collect();
    // Only what stands in place: an empty list needs no default of its elements.
    spread(&reverse(inline), &mut without);
    for (ty, without) in model.types.iter_mut().zip(without) {
        ty.default = !without;
    }
}

/// Returns true iff a self-describing value stands in place in a type.
fn has_value(ty: &Ty) -> bool {
    match ty {
        Ty::Scalar(scalar) => *scalar == Scalar::Value,
        Ty::Tuple(parts) => parts.iter().any(has_value),
        _ => false,
    }
}

/// Reports elements of sets and keys of maps that have no order.
fn keys(model: &Model, reports: &mut Reports) {
    let methods = model.interfaces.iter().flat_map(|interface| &interface.methods);
    for method in methods {
        for argument in &method.arguments {
            key_in(model, &argument.ty, argument.name.span, reports);
        }
        if let Some(result) = &method.result {
            key_in(model, result, method.name.span, reports);
        }
    }
    for field in model.types.iter().flat_map(TypeDef::fields) {
        key_in(model, &field.ty, field.name.span, reports);
    }
}

fn key_in(model: &Model, ty: &Ty, span: Span, reports: &mut Reports) {
    match ty {
        Ty::Scalar(_) | Ty::Named(_) => {}
        Ty::List(of) | Ty::Option { of, .. } => key_in(model, of, span, reports),
        Ty::Tuple(parts) => parts.iter().for_each(|part| key_in(model, part, span, reports)),
        Ty::Set(of) => {
            key(model, of, "the element type of a set", span, reports);
            key_in(model, of, span, reports);
        }
        Ty::Map(key_type, value) => {
            key(model, key_type, "the key type of a map", span, reports);
            key_in(model, key_type, span, reports);
            key_in(model, value, span, reports);
        }
    }
}

fn key(model: &Model, ty: &Ty, what: &str, span: Span, reports: &mut Reports) {
    if ordered(model, ty) {
        return;
    }
    let title = format!("`{}` cannot be {what}", model.show(ty));
    let report = Report::new(span, title, "in the type of this");
    reports.push(report.help("floats and `value` have no order, nor has what contains them"));
}

fn ordered(model: &Model, ty: &Ty) -> bool {
    match ty {
        Ty::Scalar(scalar) => scalar.is_total(),
        Ty::Named(id) => model.ty(*id).total,
        Ty::List(of) | Ty::Set(of) | Ty::Option { of, .. } => ordered(model, of),
        Ty::Map(key, value) => ordered(model, key) && ordered(model, value),
        Ty::Tuple(parts) => parts.iter().all(|part| ordered(model, part)),
    }
}
