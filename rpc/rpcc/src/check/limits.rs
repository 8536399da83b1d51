//! Limits of what can be written, chosen so that the Rust compiler can still read what becomes of
//! it: it goes into types, and from a type to what it dereferences to, at most 128 steps deep, some
//! of which belong to the program around.

use std::collections::BTreeMap;

use super::graph::{components, finished};
use crate::diagnostics::{Report, Reports};
use crate::model::{Field, Kind, Model, Ty, TypeDef};
use crate::syntax::ast::Scalar;

/// The most steps from a type to what is innermost in it.
pub(super) const MAX_STEPS: usize = 100;

/// The most fields of a struct, an exception or a variant, and variants of an enum.
const MAX_FIELDS: usize = 512;
const MAX_VARIANTS: usize = 4_096;

/// Up to how many types that contain each other the longest way through them is looked for; of
/// more, the sum is taken.
const MAX_CIRCLE: usize = 256;

/// The steps that it takes to go into a type that is held in one of these ways.
const STEP: usize = 1;
const COLLECTION: usize = 4;
const BOXED: usize = 3;

/// Checks how much types hold, and how deep.
pub(super) fn check(model: &Model, graph: &[Vec<usize>], reports: &mut Reports) {
    model.types.iter().for_each(|ty| sizes(ty, reports));
    let deepest = Depths::of(model, graph);
    // The first that is too deep; those around it are so because of it.
    let too_deep = (0..model.types.len()).filter(|at| deepest[*at] > MAX_STEPS);
    if let Some(at) = too_deep.min_by_key(|at| (deepest[*at], *at)) {
        let name = &model.types[at].name;
        let title = format!(
            "what `{}` contains goes {} steps deep, and Rust cannot go deeper than {MAX_STEPS}",
            name.text, deepest[at]
        );
        reports.push(too_deep_report(name.span, title));
        return;
    }
    for method in model.interfaces.iter().flat_map(|interface| &interface.methods) {
        let types = method.arguments.iter().map(|argument| &argument.ty).chain(&method.result);
        let steps = types.map(|ty| STEP + steps(ty, &|at| deepest[at])).max().unwrap_or(0);
        if steps > MAX_STEPS {
            let name = &method.name;
            let title = format!(
                "what `{}` is given or returns goes {steps} steps deep, and Rust cannot go deeper \
                 than {MAX_STEPS}",
                name.text
            );
            reports.push(too_deep_report(name.span, title));
        }
    }
}

fn too_deep_report(span: crate::source::Span, title: String) -> Report {
    let help = "a struct, enum, tuple or option is one step, a list, set or map four: \
                put fewer of them into each other";
    Report::new(span, title, "").help(help)
}

fn sizes(ty: &TypeDef, reports: &mut Reports) {
    let name = &ty.name;
    let fields = |what: &str, fields: &[Field], reports: &mut Reports| {
        if fields.len() > MAX_FIELDS {
            let title = format!("{what} has more than {MAX_FIELDS} fields");
            let report = Report::new(fields[MAX_FIELDS].name.span, title, "too many here");
            reports.push(report.help("put some of them into a struct"));
        }
    };
    match &ty.kind {
        Kind::Struct(all) | Kind::Exception(all) => {
            fields(&format!("`{}`", name.text), all, reports);
        }
        Kind::Enum(variants) => {
            if let Some(beyond) = variants.get(MAX_VARIANTS) {
                let title = format!("`{}` has more than {MAX_VARIANTS} variants", name.text);
                reports.push(Report::new(beyond.name.span, title, "too many here"));
            }
            for variant in variants {
                fields(&format!("the variant `{}`", variant.name.text), &variant.fields, reports);
            }
        }
    }
}

/// Counts the steps that a type goes deep, if `of` says it of structs and enums.
fn steps(ty: &Ty, of: &dyn Fn(usize) -> usize) -> usize {
    match ty {
        Ty::Scalar(Scalar::String | Scalar::Bytes) => COLLECTION,
        // It contains itself, and what the library makes of that is no deeper.
        Ty::Scalar(Scalar::Value) => 3 * COLLECTION,
        Ty::Scalar(_) => 0,
        Ty::Named(id) => of(id.0),
        Ty::List(of_) | Ty::Set(of_) => COLLECTION + steps(of_, of),
        Ty::Map(key, value) => COLLECTION + steps(key, of).max(steps(value, of)),
        Ty::Option { of: inner, boxed } => {
            let step = if *boxed { BOXED } else { STEP };
            step + steps(inner, of)
        }
        Ty::Tuple(parts) => STEP + parts.iter().map(|part| steps(part, of)).max().unwrap_or(0),
    }
}

fn deepest_field(ty: &TypeDef, of: &dyn Fn(usize) -> usize) -> usize {
    STEP + ty.fields().map(|field| steps(&field.ty, of)).max().unwrap_or(0)
}

/// Finds how deep each type goes. Types that contain each other are gone through once.
struct Depths;

impl Depths {
    fn of(model: &Model, graph: &[Vec<usize>]) -> Vec<usize> {
        let graph = graph.to_vec();
        let of = components(&graph);
        let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let mut depths = vec![0; graph.len()];
        let mut left: BTreeMap<usize, usize> = BTreeMap::new();
        of.iter().for_each(|component| *left.entry(*component).or_default() += 1);
        // A type is finished behind all that it contains, but for those that contain it.
        for at in finished(&graph) {
            let circle = members.entry(of[at]).or_default();
            circle.push(at);
            if circle.len() == left[&of[at]] {
                // The last of its circle: what they contain outside of it is known by now.
                Self::circle(model, &graph, &of, circle, &mut depths);
            }
        }
        depths
    }

    /// Sets the depths of types that contain each other, when those of all others in them are
    /// known.
    fn circle(
        model: &Model,
        graph: &[Vec<usize>],
        of: &[usize],
        circle: &[usize],
        depths: &mut [usize],
    ) {
        let inside = |other: usize| of[other] == of[circle[0]];
        // How deep a member goes by itself, and with the others left out.
        let own = |at: usize| {
            deepest_field(&model.types[at], &|other| if inside(other) { 0 } else { depths[other] })
        };
        let own: BTreeMap<usize, usize> = circle.iter().map(|at| (*at, own(*at))).collect();
        let alone = circle.len() == 1 && !graph[circle[0]].contains(&circle[0]);
        // The longest way through a circle takes long to find where many lead to each other, and
        // their sum is never too little.
        let depth = if alone {
            own[&circle[0]]
        } else if circle.len() > MAX_CIRCLE {
            own.values().sum()
        } else {
            circle.iter().map(|start| longest(graph, &inside, &own, *start)).max().unwrap_or(0)
        };
        circle.iter().for_each(|at| depths[*at] = depth);
    }
}

/// Measures a walk from `start` that enters each type of a circle once.
fn longest(
    graph: &[Vec<usize>],
    inside: &dyn Fn(usize) -> bool,
    own: &BTreeMap<usize, usize>,
    start: usize,
) -> usize {
    let (mut seen, mut longest) = (std::collections::BTreeSet::new(), 0);
    let mut stack = vec![(start, 0)];
    while let Some((at, before)) = stack.pop() {
        if seen.insert(at) {
            let depth = before + own[&at];
            longest = longest.max(depth);
            let next = graph[at].iter().rev().filter(|other| inside(**other));
            stack.extend(next.map(|other| (*other, depth)));
        }
    }
    longest
}
